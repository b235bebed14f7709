//! A program on a pseudo-terminal of its own, and what it shows.

use std::{
    ffi::OsStr,
    io::{Read, Write},
    num::NonZero,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// How long anything may take on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(60);

pub fn cells(n: u16) -> NonZero<u16> {
    NonZero::new(n).unwrap()
}

/// Starts a program on a pseudo-terminal of so many columns and rows, with these variables set.
pub fn start<A: AsRef<OsStr>>(
    program: &Path,
    args: &[A],
    env: &[(&str, &OsStr)],
    (cols, rows): (u16, u16),
) -> (Box<dyn Child + Send + Sync>, Box<dyn MasterPty + Send>) {
    super::turns::watched();
    let size = PtySize { rows, cols, pixel_width: 0, pixel_height: 0 };
    let pair = native_pty_system().openpty(size).unwrap();
    let mut command = CommandBuilder::new(program);
    command.args(args);
    command.env("TERM", "xterm-256color");
    command.env("LANG", "C.UTF-8");
    for (name, value) in env {
        command.env(name, value);
    }
    (pair.slave.spawn_command(command).unwrap(), pair.master)
}

/// A program on its pseudo-terminal; ended with it.
pub struct Terminal {
    pub child: Box<dyn Child + Send + Sync>,
    _master: Box<dyn MasterPty + Send>,
    keys: Arc<Mutex<Box<dyn Write + Send>>>,
    answers: Arc<AtomicBool>,
    /// How many bytes a second the line carries; 0 for all.
    carries: Arc<AtomicUsize>,
    seen: Arc<Mutex<vt100::Parser>>,
}

impl Terminal {
    /// Runs a program, and keeps what it shows.
    pub fn run<A: AsRef<OsStr>>(
        program: &Path,
        args: &[A],
        env: &[(&str, &OsStr)],
        (columns, rows): (u16, u16),
    ) -> Self {
        let (child, master) = start(program, args, env, (columns, rows));
        let seen = Arc::new(Mutex::new(vt100::Parser::new(cells(rows), cells(columns), 0)));
        let mut reader = master.try_clone_reader().unwrap();
        let parser = Arc::clone(&seen);
        let keys = Arc::new(Mutex::new(master.take_writer().unwrap()));
        let answers = Arc::new(AtomicBool::new(false));
        let carries = Arc::new(AtomicUsize::new(0));
        let thin = Arc::clone(&carries);
        let (answering, typing) = (Arc::clone(&answers), Arc::clone(&keys));
        thread::spawn(move || {
            let (mut bytes, mut owed) = ([0; 8192], 0);
            let mut rest: Vec<u8> = Vec::new();
            loop {
                let most = match thin.load(Ordering::SeqCst) {
                    0 => bytes.len(),
                    carried => carried / 20,
                };
                let Ok(n @ 1..) = reader.read(&mut bytes[..most]) else { break };
                if most < bytes.len() {
                    thread::sleep(Duration::from_millis(50 * n as u64 / most as u64));
                }
                parser.lock().unwrap().process(&bytes[..n]);
                rest.extend_from_slice(&bytes[..n]);
                owed += rest.windows(3).filter(|part| part == b"\x1b[c").count();
                // A question may be split.
                rest.drain(..rest.len().saturating_sub(2));
                if answering.load(Ordering::SeqCst) {
                    let answer = b"\x1b[?62;22c".repeat(std::mem::take(&mut owed));
                    let _ = typing.lock().unwrap().write_all(&answer);
                }
            }
        });
        Self { child, _master: master, keys, answers, carries, seen }
    }

    pub fn press(&mut self, keys: &str) {
        let mut writer = self.keys.lock().unwrap();
        writer.write_all(keys.as_bytes()).unwrap();
        writer.flush().unwrap();
    }

    pub fn text(&self) -> String {
        self.seen.lock().unwrap().screen().contents()
    }

    /// Whether the terminal answers questions from now on, as real ones do.
    pub fn answer(&self, answers: bool) {
        self.answers.store(answers, Ordering::SeqCst);
    }

    /// How many bytes a second are read from now on.
    pub fn throttle(&self, carries: usize) {
        self.carries.store(carries, Ordering::SeqCst);
    }

    /// Whether the program has the alternate screen.
    pub fn is_taken(&self) -> bool {
        self.seen.lock().unwrap().screen().alternate_screen()
    }

    #[track_caller]
    pub fn wait(&self, what: &str, mut done: impl FnMut(&str) -> bool) {
        let start = Instant::now();
        while !done(&self.text()) {
            assert!(start.elapsed() < DEADLINE, "no {what}:\n{}", self.text());
            thread::sleep(Duration::from_millis(20));
        }
    }

    #[track_caller]
    pub fn wait_for(&self, text: &str) {
        self.wait(text, |shown| shown.contains(text));
    }

    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.process_id().unwrap()).unwrap()
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.pid()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    #[track_caller]
    pub fn exit_code(&mut self) -> u32 {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.exit_code();
            }
            assert!(start.elapsed() < DEADLINE, "still running:\n{}", self.text());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
