//! What a screen sends to a 120x40 terminal, beside other programs at the same refresh, measured in
//! one run on pseudo-terminals of the same size: `cargo bench --bench bytes`.
//!
//! - *idle*: a screen on a room in which nothing happens;
//! - *drill*: the same while the drill `heal` runs, from its beginning to its end;
//! - *10 zones*: a screen fed with ten zones whose numbers change at the pace at which a room
//!   publishes, 50 messages a second (a made-up region: ten real zones would be thirty servers);
//! - the others: whichever of them is installed.
//!
//! Bytes are those that arrive at the terminal's end. A frame is a burst of them: what comes within
//! [`GAP`] of the bytes before belongs to the same one, for every program alike.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

#[allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]
#[path = "../tests/it/support"]
mod support {
    pub mod region;
    pub mod screen;
    pub mod server;
    pub mod turns;
}

use std::{
    env,
    ffi::OsStr,
    io::Read,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use portable_pty::{Child, MasterPty};
use support::region::Region;
use tokio::sync::mpsc;
use zonedrill::{
    command::keys::Keymap,
    room::protocol::{Message, PROTOCOL},
    tui::{self, Feed, FromRoom, ScreenOptions, sample},
};

/// Columns and rows.
const SIZE: (u16, u16) = (120, 40);
/// How long each is measured; a drill as long as it takes.
const WATCH: Duration = Duration::from_secs(15);
/// The first picture, and what a program does only once.
const SETTLE: Duration = Duration::from_secs(4);
/// Silence between two frames.
const GAP: Duration = Duration::from_millis(20);
/// A room publishes this often while things happen.
const PUBLISH: Duration = Duration::from_millis(100);
/// Set in the child that is the screen of ten zones.
const CHILD: &str = "ZONEDRILL_BENCH_SCREEN";
/// Others that draw numbers four times a second (htop counts in tenths).
const OTHERS: [(&str, &[&str]); 4] = [
    ("top", &["-d", "0.25"]),
    ("htop", &["-d", "3"]),
    ("btop", &["--update", "250"]),
    ("watch", &["-n", "0.25", "top", "-b", "-n", "1", "-w", "120"]),
];

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    bytes: u64,
    frames: u64,
    last: Option<Instant>,
}

/// A program in a terminal of its own, and what it was sent.
struct Watched {
    child: Box<dyn Child + Send + Sync>,
    counts: Arc<Mutex<Counts>>,
    _master: Box<dyn MasterPty + Send>,
}

impl Watched {
    fn run<A: AsRef<OsStr>>(program: &Path, args: &[A], env: &[(&str, &OsStr)]) -> Self {
        let (child, master) = support::screen::start(program, args, env, SIZE);
        let counts = Arc::new(Mutex::new(Counts::default()));
        let mut reader = master.try_clone_reader().expect("its output");
        let counter = Arc::clone(&counts);
        thread::spawn(move || {
            let mut buffer = vec![0; 65536];
            while let Ok(n @ 1..) = reader.read(&mut buffer) {
                let now = Instant::now();
                let mut counts = counter.lock().expect("no panic");
                counts.bytes += n as u64;
                if counts.last.is_none_or(|last| now - last > GAP) {
                    counts.frames += 1;
                }
                counts.last = Some(now);
            }
        });
        Self { child, counts, _master: master }
    }

    fn counts(&self) -> Counts {
        *self.counts.lock().expect("no panic")
    }

    /// Measures while something goes on, and prints a line of the table.
    fn measure(&mut self, name: &str, during: impl FnOnce()) {
        let (before, began) = (self.counts(), Instant::now());
        during();
        let (after, seconds) = (self.counts(), began.elapsed().as_secs_f64());
        let (bytes, frames) = (after.bytes - before.bytes, after.frames - before.frames);
        let ended = self.child.try_wait().expect("a child").is_some();
        if ended || after.bytes == 0 {
            println!("{name:<34} did not run in this terminal");
            return;
        }
        let each = bytes.checked_div(frames).map_or_else(|| "-".into(), |each| each.to_string());
        println!(
            "{name:<34} {:>10.0} {:>10.2} {each:>12} {seconds:>7.1}",
            bytes as f64 / seconds,
            frames as f64 / seconds
        );
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn rest() {
    thread::sleep(WATCH);
}

fn main() {
    if env::var_os(CHILD).is_some() {
        return ten_zones();
    }
    // `cargo test --benches` only wants to know that it builds.
    if env::args().any(|argument| argument == "--test") {
        return;
    }
    println!(
        "{:<34} {:>10} {:>10} {:>12} {:>7}",
        "a 120x40 terminal", "bytes/s", "frames/s", "bytes/frame", "s"
    );
    rooms();
    let this = env::current_exe().expect("this program");
    let mut screen = Watched::run(&this, &[] as &[&str], &[(CHILD, OsStr::new("1"))]);
    thread::sleep(SETTLE);
    screen.measure("zonedrill, 10 zones, 50 msg/s", rest);
    drop(screen);
    for (program, args) in OTHERS {
        let name = format!("{program} {}", args.join(" "));
        let Some(path) = installed(program) else {
            println!("{name:<34} skipped: {program} is not installed");
            continue;
        };
        let mut other = Watched::run(&path, args, &[]);
        thread::sleep(SETTLE);
        other.measure(&name, rest);
    }
}

/// A screen on a real room, idle and while a drill runs.
fn rooms() {
    let region = Region::up("bytes");
    let env = [
        ("ZONEDRILL_HOME", region.home.path().as_os_str()),
        ("ZONEDRILL_REGION", OsStr::new(&region.name)),
    ];
    let program = Path::new(env!("CARGO_BIN_EXE_zonedrill"));
    let mut screen = Watched::run(program, &["attach"], &env);
    region.wait("a screen", Duration::from_secs(10), |status| {
        status["screens"].as_array().is_some_and(|screens| !screens.is_empty())
    });
    thread::sleep(SETTLE);
    screen.measure("zonedrill, idle room", rest);
    screen.measure("zonedrill, drill heal runs", || {
        let report = region.home.path().join("evidence");
        let words = ["drill", "run", "heal", "--report", report.to_str().expect("a path")];
        let ran = region.run(&words);
        assert_eq!(ran.code, 0, "{ran:?}");
    });
}

/// Where a program is, if it is anywhere.
fn installed(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// The child: a screen that is fed with ten zones.
fn ten_zones() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (to_screen, from_room) = mpsc::channel(16);
        let (to_room, _from_screen) = mpsc::channel(16);
        let hello = Message::Hello {
            protocol: PROTOCOL,
            version: "bench".into(),
            pid: 1,
            id: String::new(),
            screen: 1,
            drives: true,
            returned: false,
            events: Vec::new(),
        };
        to_screen.send(FromRoom::Message(hello)).await.expect("a screen");
        let feed = tokio::spawn(async move {
            let mut region = sample::at("ten");
            // It went on for five minutes until now.
            for second in (0..300).rev() {
                region.go_on(50, now() - second * 1000);
            }
            let mut tick = tokio::time::interval(PUBLISH);
            let mut messages = 0;
            loop {
                tick.tick().await;
                // 50 a second are five in two ticks.
                messages = 5 - messages.clamp(2, 3);
                region.go_on(messages, now());
                let status = Box::new(region.status());
                if to_screen.send(FromRoom::Message(Message::Status { status })).await.is_err() {
                    return;
                }
            }
        });
        let keymap = Keymap::standard().expect("a keymap");
        let options = ScreenOptions::from_environment(keymap, "bench".into());
        let _ = tui::run(Feed { from_room, to_room }, options).await;
        feed.abort();
    });
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after the epoch");
    u64::try_from(since.as_millis()).expect("in range")
}
