//! Inside the keeper's thread: the servers themselves, and what becomes of each.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    sync::mpsc::{Receiver, RecvTimeoutError, Sender},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, waitid};
use tokio::sync::{mpsc::UnboundedSender, watch};

use super::{Ended, Order, Reply, running::Running};
use crate::{
    command::NodeAct,
    platform::{
        LEAVES, PlatformError, PlatformEvent,
        local::{
            launch::Launch,
            pids::{Identity, PidFile, Server, Stat},
        },
    },
    region::{
        NodeName,
        observation::{ProcessState, ProcessTruth},
        remedy::Remedy,
    },
};

/// How long a server has to end in order before it is killed.
const GRACE: Duration = Duration::from_secs(5);

fn grace(ask: NodeAct) -> Option<Duration> {
    match ask {
        NodeAct::Stop => Some(GRACE),
        NodeAct::Drain => Some(LEAVES),
        NodeAct::Kill | NodeAct::Wipe | NodeAct::Freeze | NodeAct::Thaw | NodeAct::Start => None,
    }
}

fn runs_already(node: &NodeName) -> String {
    format!("is running already: {}", Remedy::StopNode(node.clone()).told())
}

/// Whose doing a change was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// The room asked for it.
    Ours,
    /// Somebody else's, or the server's own.
    Another,
}

/// A node the keeper knows.
struct Node {
    state: ProcessState,
    running: Option<Running>,
}

/// What the thread holds.
pub(super) struct Inside {
    pid_file: PathBuf,
    events: UnboundedSender<PlatformEvent>,
    orders: Sender<Order>,
    nodes: BTreeMap<NodeName, Node>,
}

impl Inside {
    /// Nothing runs yet. `orders` leads back to the inbox, for those who wait for a server's end.
    pub(super) fn new(
        pid_file: PathBuf,
        events: UnboundedSender<PlatformEvent>,
        orders: Sender<Order>,
    ) -> Self {
        Self { pid_file, events, orders, nodes: BTreeMap::new() }
    }

    /// Does what it is ordered until it is to quit, or nobody can order anything any more; then
    /// every server is killed and reaped.
    pub(super) fn run(mut self, inbox: &Receiver<Order>) {
        loop {
            let next = self.nodes.values().filter_map(|n| n.running.as_ref()?.kill_at).min();
            let order = match next {
                Some(at) => inbox.recv_timeout(at.saturating_duration_since(Instant::now())),
                None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match order {
                Ok(Order::Start { node, launch, reply }) => {
                    let _ = reply.send(self.start(&node, *launch));
                }
                Ok(Order::Ask { node, ask, reply }) => self.ask(&node, ask, reply),
                Ok(Order::Truth(reply)) => {
                    self.look();
                    let _ = reply.send(self.truth());
                }
                Ok(Order::Forget(node)) => {
                    if self.nodes.get(&node).is_some_and(|known| known.running.is_none()) {
                        self.nodes.remove(&node);
                    }
                }
                Ok(Order::Look) => self.look(),
                Ok(Order::Reap(node, pid)) => self.reap(&node, pid),
                Err(RecvTimeoutError::Timeout) => self.kill_late(),
                Ok(Order::Quit) | Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.kill_all();
    }

    fn start(&mut self, node: &NodeName, launch: Launch) -> Result<Ended, PlatformError> {
        self.look();
        match self.nodes.get(node).map(|known| known.state) {
            Some(ProcessState::Running) => {
                return Err(state_error(node, runs_already(node)));
            }
            Some(ProcessState::Frozen) => {
                let why = format!("is frozen: {}", Remedy::ThawNode(node.clone()).told());
                return Err(state_error(node, why));
            }
            Some(ProcessState::Stopped | ProcessState::Dead) | None => {}
        }
        let log_from = fs::metadata(&launch.log).map_or(0, |log| log.len());
        let mut child = launch.spawn(node)?;
        let pid = child.id();
        let Some(identity) = Identity::of(pid) else {
            let status =
                child.wait().map_err(|error| PlatformError::io("run", &launch.program, error))?;
            return Err(PlatformError::NotStarted {
                node: node.clone(),
                why: launch.why_ended(status, log_from),
                log: launch.log,
            });
        };
        let (ended, receiver) = watch::channel(None);
        let running = Running {
            child,
            identity,
            launch,
            log_from,
            asked: None,
            kill_at: None,
            waiting: Vec::new(),
            ended,
        };
        self.nodes
            .insert(node.clone(), Node { state: ProcessState::Running, running: Some(running) });
        let noted = self.note().and_then(|()| self.watch(node, pid));
        if let Err(error) = noted {
            // Not noted, it could outlive us unseen; not watched, its end would go unseen.
            self.end_now(node);
            return Err(error);
        }
        self.tell(node, "started", Whose::Ours);
        Ok(receiver)
    }

    /// Starts the thread that waits for the process to be suspended, to be resumed, and to end. The
    /// reaping is left to the keeper.
    fn watch(&self, node: &NodeName, pid: u32) -> Result<(), PlatformError> {
        let (node, orders) = (node.clone(), self.orders.clone());
        let wait = move || {
            let raw = i32::try_from(pid).ok().and_then(Pid::from_raw);
            let pauses = WaitIdOptions::STOPPED | WaitIdOptions::CONTINUED;
            let until = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | pauses;
            while let Some(pid) = raw {
                match waitid(WaitId::Pid(pid), until) {
                    Err(rustix::io::Errno::INTR) => {}
                    Ok(Some(status)) if status.stopped() || status.continued() => {
                        // Taken off the queue, or it would be told again for ever.
                        let _ = waitid(WaitId::Pid(pid), WaitIdOptions::NOHANG | pauses);
                        let _ = orders.send(Order::Look);
                    }
                    _ => break,
                }
            }
            let _ = orders.send(Order::Reap(node, pid));
        };
        let thread =
            thread::Builder::new().name(format!("wait-{pid}")).stack_size(64 * 1024).spawn(wait);
        thread.map(drop).map_err(|error| PlatformError::io("watch", &self.pid_file, error))
    }

    fn ask(&mut self, node: &NodeName, ask: NodeAct, reply: Reply<()>) {
        self.look();
        let Some(Node { state, running: Some(running) }) = self.nodes.get_mut(node) else {
            let why = format!("is not running: {}", Remedy::StartNode(node.clone()).told());
            let _ = reply.send(Err(state_error(node, why)));
            return;
        };
        let signals: &[Signal] = match (ask, *state) {
            (NodeAct::Freeze, ProcessState::Frozen) => {
                let why = format!("is frozen already: {}", Remedy::ThawNode(node.clone()).told());
                let _ = reply.send(Err(state_error(node, why)));
                return;
            }
            (NodeAct::Thaw, state) if state != ProcessState::Frozen => {
                let why = format!("is not frozen: `node freeze {node}` suspends it");
                let _ = reply.send(Err(state_error(node, why)));
                return;
            }
            (NodeAct::Start, _) => {
                let _ = reply.send(Err(state_error(node, runs_already(node))));
                return;
            }
            (NodeAct::Freeze, _) => &[Signal::STOP],
            (NodeAct::Thaw, _) => &[Signal::CONT],
            // A suspended process hears the first only after the second.
            (NodeAct::Stop, _) => &[Signal::TERM, Signal::CONT],
            (NodeAct::Drain, _) => &[Signal::USR2, Signal::CONT],
            // The store is the platform's to remove.
            (NodeAct::Kill | NodeAct::Wipe, _) => &[Signal::KILL],
        };
        let sent = signals.iter().try_for_each(|signal| running.signal(*signal));
        if let Err(error) = sent {
            let _ = reply.send(Err(PlatformError::io("signal", &running.launch.program, error)));
            return;
        }
        match ask {
            NodeAct::Stop | NodeAct::Drain | NodeAct::Kill | NodeAct::Wipe => {
                running.asked = Some(ask);
                running.kill_at = grace(ask).map(|grace| Instant::now() + grace);
                running.waiting.push(reply);
            }
            NodeAct::Freeze | NodeAct::Thaw | NodeAct::Start => {
                let (now, why) = match ask {
                    NodeAct::Freeze => (ProcessState::Frozen, "frozen"),
                    _ => (ProcessState::Running, "thawed"),
                };
                running.await_suspended(ask == NodeAct::Freeze);
                *state = now;
                self.tell(node, why, Whose::Ours);
                let _ = reply.send(Ok(()));
            }
        }
    }

    /// Takes note of what others did to our processes: a SIGSTOP by hand is a freeze, too.
    fn look(&mut self) {
        let mut changed = Vec::new();
        for (node, known) in &mut self.nodes {
            let stat = known.running.as_ref().and_then(|running| Stat::read(running.child.id()));
            let (seen, why) = match stat.map(|stat| stat.state) {
                Some('T') => (
                    ProcessState::Frozen,
                    format!(
                        "was suspended by somebody else: {}",
                        Remedy::ThawNode(node.clone()).told()
                    ),
                ),
                // No such process file here, or it has ended and is about to be reaped.
                None | Some('Z' | 'X') => continue,
                Some(_) => (ProcessState::Running, "was resumed by somebody else".to_owned()),
            };
            if known.state != seen {
                known.state = seen;
                changed.push((node.clone(), why));
            }
        }
        for (node, why) in changed {
            self.tell(&node, &why, Whose::Another);
        }
    }

    fn truth(&self) -> Vec<(NodeName, ProcessTruth)> {
        let truth = |known: &Node| ProcessTruth {
            state: known.state,
            pid: known.running.as_ref().map(|running| running.child.id()),
        };
        self.nodes.iter().map(|(node, known)| (node.clone(), truth(known))).collect()
    }

    fn tell(&self, node: &NodeName, why: &str, whose: Whose) {
        let Some(known) = self.nodes.get(node) else { return };
        let pid = known.running.as_ref().map(|running| running.child.id());
        let truth = ProcessTruth { state: known.state, pid };
        // Nobody may be listening.
        let _ = self.events.send(PlatformEvent::Node {
            node: node.clone(),
            truth,
            why: why.into(),
            foreign: whose == Whose::Another,
        });
    }

    fn reap(&mut self, node: &NodeName, pid: u32) {
        let Some(known) = self.nodes.get_mut(node) else { return };
        let Some(mut running) = known.running.take_if(|running| running.child.id() == pid) else {
            return;
        };
        let whose = if running.asked.is_some() { Whose::Ours } else { Whose::Another };
        let (state, why) = match (running.child.wait(), running.asked) {
            (_, Some(NodeAct::Kill | NodeAct::Wipe)) => {
                (ProcessState::Dead, "killed on command".to_owned())
            }
            (Ok(status), Some(ask @ (NodeAct::Stop | NodeAct::Drain)))
                if status.signal() == Some(9) =>
            {
                let seconds = grace(ask).unwrap_or_default().as_secs();
                (ProcessState::Stopped, format!("did not stop within {seconds} s and was killed"))
            }
            (_, Some(NodeAct::Stop | NodeAct::Drain)) => {
                (ProcessState::Stopped, "stopped".to_owned())
            }
            (Ok(status), _) => {
                (ProcessState::Dead, running.launch.why_ended(status, running.log_from))
            }
            (Err(error), _) => {
                (ProcessState::Dead, format!("ended; its exit status is lost: {error}"))
            }
        };
        known.state = state;
        if let Err(error) = self.note() {
            tracing::warn!(%error, "an ended server stays in the file of process ids");
        }
        let told = match whose {
            Whose::Ours => why.clone(),
            // A status alone does not tell whether somebody ended it or it gave up.
            Whose::Another => format!(
                "has ended, and not by a command ({why}): {}, with its data",
                Remedy::StartNode(node.clone()).told()
            ),
        };
        self.tell(node, &told, whose);
        running.ended.send_replace(Some(why));
        for reply in running.waiting {
            let _ = reply.send(Ok(()));
        }
    }

    fn kill_late(&mut self) {
        let now = Instant::now();
        for known in self.nodes.values_mut() {
            let Some(running) = &mut known.running else { continue };
            if running.kill_at.is_some_and(|at| at <= now) {
                running.kill_at = None;
                // Its end is reaped like any other; gone already is what is wanted.
                let _ = running.signal(Signal::KILL);
            }
        }
    }

    fn end_now(&mut self, node: &NodeName) {
        if let Some(mut running) = self.nodes.get_mut(node).and_then(|known| known.running.take()) {
            let _ = running.child.kill();
            let _ = running.child.wait();
        }
        self.nodes.remove(node);
    }

    fn kill_all(&mut self) {
        let left: Vec<NodeName> = self.nodes.keys().cloned().collect();
        for running in self.nodes.values_mut().filter_map(|known| known.running.as_mut()) {
            let _ = running.child.kill();
        }
        for node in left {
            self.end_now(&node);
        }
        let _ = self.note();
    }

    /// Notes what runs now.
    fn note(&self) -> Result<(), PlatformError> {
        let servers: Vec<Server> = self
            .nodes
            .iter()
            .filter_map(|(node, known)| Some((node, known.running.as_ref()?)))
            .map(|(node, running)| Server {
                node: node.clone(),
                process: running.identity.clone(),
                executable: running.launch.program.clone(),
            })
            .collect();
        let pid = std::process::id();
        let owner = Identity::of(pid).unwrap_or(Identity { pid, start: String::new() });
        PidFile { owner, servers }.write(&self.pid_file)
    }
}

fn state_error(node: &NodeName, why: String) -> PlatformError {
    PlatformError::NodeState { node: node.clone(), why }
}
