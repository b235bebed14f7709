//! The screen on a real pseudo-terminal: keys in, bytes out, and the terminal given back on every
//! way out. The screen runs in a child process: this test's own binary, started again.

use std::{
    backtrace::Backtrace,
    env,
    fmt::Write as _,
    fs,
    io::{Read, Write},
    num::NonZero,
    panic,
    path::PathBuf,
    process,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::mpsc;
use zonedrill::{
    command::keys::Keymap,
    room::protocol::{Message, Outcome, PROTOCOL},
    tui::{self, Feed, FromRoom, ScreenOptions, ToRoom, sample, theme::Colours},
};

/// Set in the child: the file it writes what it sent, and how it left, to.
const CHILD: &str = "ZONEDRILL_TEST_SCREEN";
/// How long anything may take on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// Not a test of its own: the child of the tests below, with a made-up room.
#[test]
fn child() {
    let Some(report) = env::var_os(CHILD).map(PathBuf::from) else { return };
    // The terminal may be gone when a panic wants to be read.
    let panics = report.with_extension("panic");
    panic::set_hook(Box::new(move |info| {
        let _ = fs::write(&panics, format!("{info}\n{}", Backtrace::force_capture()));
    }));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let left = runtime.block_on(async {
        let (to_screen, from_room) = mpsc::channel(16);
        let (to_room, mut from_screen) = mpsc::channel(16);
        let hello = Message::Hello {
            protocol: PROTOCOL,
            version: "test".into(),
            pid: 1,
            id: String::new(),
            screen: 1,
            drives: true,
            returned: false,
            events: Vec::new(),
        };
        let status = Message::Status { status: Box::new(sample::status("cut")) };
        to_screen.send(FromRoom::Message(hello)).await.unwrap();
        to_screen.send(FromRoom::Message(status)).await.unwrap();
        let path = report.clone();
        tokio::spawn(async move {
            let mut lines = String::new();
            while let Some(ToRoom::Command { id, line }) = from_screen.recv().await {
                writeln!(lines, "{line}").unwrap();
                fs::write(&path, &lines).unwrap();
                if line == "doctor" {
                    // A bug elsewhere in the process.
                    tokio::spawn(async { panic!("not the screen") });
                }
                if line == "down" {
                    break;
                }
                let text = "done as asked".into();
                let answer = Message::Answer { id, outcome: Outcome::Done, text, data: None };
                to_screen.send(FromRoom::Message(answer)).await.unwrap();
            }
        });
        let options = ScreenOptions {
            ascii: false,
            colours: Colours::default(),
            mouse: true,
            bell: false,
            thin: false,
            ..ScreenOptions::from_environment(Keymap::standard().unwrap(), "mira".into())
        };
        tui::run(Feed { from_room, to_room }, options).await.unwrap().leave
    });
    fs::write(&report, format!("{left:?}")).unwrap();
    // Not by way of the test harness: it would write its result to a terminal that may be gone.
    process::exit(0);
}

/// A child on its pseudo-terminal; ended with it.
struct Screen {
    child: Box<dyn Child + Send + Sync>,
    master: Option<Box<dyn MasterPty + Send>>,
    keys: Option<Box<dyn Write + Send>>,
    reader: Option<thread::JoinHandle<()>>,
    /// The reader stops after what it reads next.
    deaf: Arc<AtomicBool>,
    seen: Arc<Mutex<vt100::Parser>>,
    report: tempfile::TempDir,
    before: String,
}

impl Screen {
    fn start(rows: u16, cols: u16) -> Self {
        crate::support::turns::watched();
        let pair = native_pty_system()
            .openpty(PtySize { rows, cols, pixel_width: 0, pixel_height: 0 })
            .unwrap();
        let report = tempfile::tempdir().unwrap();
        let mut command = CommandBuilder::new(env::current_exe().unwrap());
        command.args(["--exact", "screen::child", "--nocapture", "--test-threads=1"]);
        command.env(CHILD, report.path().join("report"));
        command.env("TERM", "xterm-256color");
        let before = format!("{:?}", pair.master.get_termios());
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let seen = Arc::new(Mutex::new(vt100::Parser::new(cells(rows), cells(cols), 0)));
        let mut reader = pair.master.try_clone_reader().unwrap();
        let parser = Arc::clone(&seen);
        let deaf = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&deaf);
        let reader = thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(n @ 1..) = reader.read(&mut bytes) {
                parser.lock().unwrap().process(&bytes[..n]);
                if stop.load(Ordering::SeqCst) {
                    break;
                }
            }
        });
        let keys = pair.master.take_writer().unwrap();
        Self {
            child,
            master: Some(pair.master),
            keys: Some(keys),
            reader: Some(reader),
            deaf,
            seen,
            report,
            before,
        }
    }

    /// Reads nothing more of what the screen sends.
    fn hold_up(&mut self) {
        self.deaf.store(true, Ordering::SeqCst);
        // Something to read, for the reader to find out.
        self.press("?");
    }

    /// Closes every descriptor of the terminal's other side, as a dropped connection does.
    fn lose(&mut self) {
        self.hold_up();
        self.reader.take().unwrap().join().unwrap();
        self.keys = None;
        self.master = None;
    }

    fn press(&mut self, keys: &str) {
        let writer = self.keys.as_mut().unwrap();
        writer.write_all(keys.as_bytes()).unwrap();
        writer.flush().unwrap();
    }

    fn text(&self) -> String {
        self.seen.lock().unwrap().screen().contents()
    }

    fn report(&self) -> String {
        fs::read_to_string(self.report.path().join("report")).unwrap_or_default()
    }

    fn panicked(&self) -> String {
        fs::read_to_string(self.report.path().join("report.panic")).unwrap_or_default()
    }

    fn wait(&self, what: &str, mut done: impl FnMut(&Self) -> bool) {
        let start = Instant::now();
        while !done(self) {
            assert!(start.elapsed() < DEADLINE, "no {what}:\n{}{}", self.text(), self.panicked());
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn wait_for(&self, text: &str) {
        self.wait(text, |screen| screen.text().contains(text));
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.process_id().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    fn exit_code(&mut self) -> u32 {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.exit_code();
            }
            assert!(start.elapsed() < DEADLINE, "still running:\n{}", self.text());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Every mode is off and the line discipline is as it was.
    fn assert_given_back(&self) {
        self.wait("end of the alternate screen", |screen| {
            !screen.seen.lock().unwrap().screen().alternate_screen()
        });
        {
            let parser = self.seen.lock().unwrap();
            let screen = parser.screen();
            assert!(!screen.hide_cursor());
            assert!(!screen.bracketed_paste());
            assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
        }
        let after = format!("{:?}", self.master.as_ref().unwrap().get_termios());
        assert_eq!(after, self.before);
    }
}

fn cells(n: u16) -> NonZero<u16> {
    NonZero::new(n).unwrap()
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn keys_reach_the_room_and_leaving_gives_the_terminal_back() {
    let mut screen = Screen::start(24, 80);
    screen.wait_for("CUT refuse");
    assert!(screen.seen.lock().unwrap().screen().alternate_screen());
    screen.press("p");
    screen.wait("command", |s| s.report().contains("produce --count 1000"));
    screen.wait_for("done as asked");
    screen.press("\tc");
    screen.wait("command", |s| s.report().contains("heal b"));
    screen.press(":mark half way\r");
    screen.wait("command", |s| s.report().contains("mark half way"));
    screen.press("q");
    screen.wait_for("the region runs on");
    screen.press("\r");
    assert_eq!(screen.exit_code(), 0);
    assert_eq!(screen.report(), "Detach");
    screen.assert_given_back();
}

#[test]
fn signals_give_the_terminal_back_and_name_themselves() {
    for signal in [
        Signal::TERM,
        Signal::INT,
        Signal::HUP,
        Signal::QUIT,
        Signal::USR1,
        Signal::USR2,
        Signal::ALARM,
    ] {
        let mut screen = Screen::start(24, 80);
        screen.wait_for("CUT refuse");
        screen.signal(signal);
        assert_eq!(screen.exit_code(), 128 + signal.as_raw().cast_unsigned());
        screen.assert_given_back();
    }
}

#[test]
fn a_signal_is_heard_while_the_terminal_takes_nothing() {
    let mut screen = Screen::start(60, 200);
    screen.wait_for("CUT refuse");
    screen.hold_up();
    // Whole pictures, more than a terminal's buffer holds.
    for _ in 0..20 {
        screen.press("??\x0c");
    }
    thread::sleep(Duration::from_millis(300));
    screen.signal(Signal::TERM);
    assert_eq!(screen.exit_code(), 143);
}

#[test]
fn a_lost_terminal_ends_the_screen() {
    let mut screen = Screen::start(24, 80);
    screen.wait_for("CUT refuse");
    screen.lose();
    assert_eq!(screen.exit_code(), 0, "{}", screen.panicked());
    assert_eq!(screen.panicked(), "");
}

#[test]
fn a_terminal_lost_in_the_middle_of_a_large_paste_ends_the_screen() {
    for bracketed in [false, true] {
        let mut screen = Screen::start(24, 80);
        screen.wait_for("CUT refuse");
        screen.press(":");
        screen.hold_up();
        let mut keys = screen.keys.take().unwrap();
        let paste = if bracketed { "\x1b[200~" } else { "" }.to_owned() + &"x".repeat(60_000);
        // More than the terminal holds: whoever writes is held up until it closes.
        let writer = thread::spawn(move || {
            let _ = keys.write_all(paste.as_bytes());
        });
        screen.reader.take().unwrap().join().unwrap();
        screen.master = None;
        writer.join().unwrap();
        assert_eq!(screen.exit_code(), 0, "{}", screen.panicked());
    }
}

#[test]
fn any_size_will_do() {
    let mut screen = Screen::start(40, 120);
    screen.wait_for("true lag");
    for (rows, cols, text) in
        [(1, 1, ""), (5, 20, "too small"), (24, 80, "ledger"), (60, 200, "unexpected")]
    {
        screen.seen.lock().unwrap().screen_mut().set_size(cells(rows), cells(cols));
        let size = PtySize { rows, cols, pixel_width: 0, pixel_height: 0 };
        screen.master.as_ref().unwrap().resize(size).unwrap();
        screen.wait_for(text);
    }
    screen.press("qq");
    assert_eq!(screen.exit_code(), 0);
}

#[test]
fn a_panic_in_any_task_gives_the_terminal_back_and_ends_the_process() {
    let mut screen = Screen::start(24, 80);
    screen.wait_for("CUT refuse");
    screen.press(":doctor\r");
    assert_eq!(screen.exit_code(), 101);
    assert!(screen.panicked().contains("not the screen"), "{}", screen.panicked());
    screen.assert_given_back();
}

#[test]
fn a_huge_terminal_is_drawn_in_part_and_says_so() {
    let mut screen = Screen::start(24, 80);
    screen.wait_for("CUT refuse");
    for (rows, cols) in [(4000, 4000), (u16::MAX, u16::MAX)] {
        let size = PtySize { rows, cols, pixel_width: 0, pixel_height: 0 };
        screen.seen.lock().unwrap().screen_mut().set_size(cells(200), cells(500));
        screen.master.as_ref().unwrap().resize(size).unwrap();
        screen.wait_for(&format!("this terminal is {cols}x{rows}: drawn at 500x200"));
        let pid = screen.child.process_id().unwrap();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kb: u64 = rss.trim().trim_end_matches(" kB").parse().unwrap();
        assert!(kb < 150_000, "{kb} kB");
    }
    screen.press("qq");
    assert_eq!(screen.exit_code(), 0);
    screen.assert_given_back();
}

#[test]
fn nobody_could_bring_a_suspended_screen_back_here() {
    let mut screen = Screen::start(24, 80);
    screen.wait_for("CUT refuse");
    screen.press("\x1a");
    screen.wait_for("no shell here");
    // The same by a signal, instead of a stop with the terminal in our hands.
    screen.press("?");
    screen.wait_for("this help");
    screen.press("\x1b");
    screen.wait("end of help", |s| !s.text().contains("this help"));
    screen.press("\t");
    screen.wait("other words", |s| !s.text().contains("no shell here"));
    screen.signal(Signal::TSTP);
    screen.wait_for("no shell here");
    // Stopped from outside and continued, it takes the terminal again.
    screen.signal(Signal::STOP);
    screen.signal(Signal::CONT);
    screen.press("?");
    screen.wait_for("this help");
    assert!(screen.seen.lock().unwrap().screen().alternate_screen());
}

#[test]
fn the_end_of_the_room_ends_the_screen() {
    let mut screen = Screen::start(24, 80);
    screen.wait_for("CUT refuse");
    screen.press(":down\r");
    screen.wait("question", |s| s.report().contains("down") || s.report() == "RoomEnded");
    assert_eq!(screen.exit_code(), 0);
    assert_eq!(screen.report(), "RoomEnded");
    screen.assert_given_back();
}
