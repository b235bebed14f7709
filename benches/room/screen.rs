//! A screen in a terminal of its own, and the bytes it was sent.

use std::{
    io::Read,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use portable_pty::{Child, CommandBuilder, PtySize, native_pty_system};

use crate::support::region::Region;

/// A screen in a terminal of its own, and the bytes it was sent.
pub struct Screen {
    child: Box<dyn Child + Send + Sync>,
    bytes: Arc<AtomicU64>,
    _master: Box<dyn portable_pty::MasterPty + Send>,
}

impl Screen {
    pub fn attach(region: &Region) -> Self {
        let pair = native_pty_system()
            .openpty(PtySize { rows: 40, cols: 120, pixel_width: 0, pixel_height: 0 })
            .expect("a terminal");
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_zonedrill"));
        command.args(["attach"]);
        command.env("ZONEDRILL_HOME", region.home.path());
        command.env("ZONEDRILL_REGION", &region.name);
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        let child = pair.slave.spawn_command(command).expect("a screen");
        let bytes = Arc::new(AtomicU64::new(0));
        let mut reader = pair.master.try_clone_reader().expect("its output");
        let counter = Arc::clone(&bytes);
        std::thread::spawn(move || {
            let mut buffer = vec![0; 65536];
            while let Ok(n @ 1..) = reader.read(&mut buffer) {
                counter.fetch_add(n as u64, Ordering::Relaxed);
            }
        });
        Self { child, bytes, _master: pair.master }
    }

    pub fn pid(&self) -> i32 {
        self.child.process_id().expect("a pid").cast_signed()
    }

    /// Bytes written to its terminal so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
