//! A server that runs, as the keeper holds it.

use std::{
    io,
    process::Child,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::watch;

use super::Reply;
use crate::{
    command::NodeAct,
    platform::local::{
        launch::Launch,
        pids::{Identity, Stat},
    },
};

/// A server that runs, suspended or not.
pub(super) struct Running {
    pub(super) child: Child,
    pub(super) identity: Identity,
    pub(super) launch: Launch,
    /// Where its part of the log begins; before it are the words of earlier starts.
    pub(super) log_from: u64,
    pub(super) asked: Option<NodeAct>,
    pub(super) kill_at: Option<Instant>,
    pub(super) waiting: Vec<Reply<()>>,
    pub(super) ended: watch::Sender<Option<String>>,
}

impl Running {
    pub(super) fn signal(&self, signal: Signal) -> io::Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        pid.map_or(Ok(()), |pid| Ok(kill_process(pid, signal)?))
    }

    /// Waits until a signal to suspend or resume has arrived: usually at once, at most 0.2 s.
    pub(super) fn await_suspended(&self, wanted: bool) {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(200)
            && Stat::read(self.child.id()).is_some_and(|stat| (stat.state == 'T') != wanted)
        {
            thread::sleep(Duration::from_millis(1));
        }
    }
}
