//! A program on a pseudo-terminal of its own, and what it shows.

// Each test file uses its own part of this, and a fixture that fails is a test that fails.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use std::{
    ffi::OsStr,
    io::{Read, Write},
    num::NonZero,
    path::Path,
    sync::{Arc, Mutex},
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
    pub master: Option<Box<dyn MasterPty + Send>>,
    keys: Option<Box<dyn Write + Send>>,
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
        thread::spawn(move || {
            let mut bytes = [0; 8192];
            while let Ok(n @ 1..) = reader.read(&mut bytes) {
                parser.lock().unwrap().process(&bytes[..n]);
            }
        });
        let keys = master.take_writer().unwrap();
        Self { child, master: Some(master), keys: Some(keys), seen }
    }

    pub fn press(&mut self, keys: &str) {
        let writer = self.keys.as_mut().unwrap();
        writer.write_all(keys.as_bytes()).unwrap();
        writer.flush().unwrap();
    }

    pub fn text(&self) -> String {
        self.seen.lock().unwrap().screen().contents()
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
