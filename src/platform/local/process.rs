//! The keeper: one thread that starts, signals and reaps every server.
//!
//! It is a thread of its own, not a task, because on Linux a child's parent-death signal fires when
//! the *thread* that started it ends; a runtime's worker would take the servers with it. Being the
//! only one who reaps, it never signals a process id that has passed to someone else.

mod inside;
mod running;

use std::{
    io,
    path::PathBuf,
    sync::mpsc::{self, Sender},
    thread::{self, JoinHandle},
};

use tokio::sync::{mpsc::UnboundedSender, oneshot, watch};

use self::inside::Inside;
use super::launch::Launch;
use crate::{
    command::NodeAct,
    platform::{PlatformError, PlatformEvent},
    region::{NodeName, observation::ProcessTruth},
};

type Reply<T> = oneshot::Sender<Result<T, PlatformError>>;
/// Tells when and why a server ended.
pub type Ended = watch::Receiver<Option<String>>;

/// What the thread is told to do: by the room, or by those who wait for a server's end.
enum Order {
    Start {
        node: NodeName,
        launch: Box<Launch>,
        reply: Reply<Ended>,
    },
    Ask {
        node: NodeName,
        ask: NodeAct,
        reply: Reply<()>,
    },
    Truth(oneshot::Sender<Vec<(NodeName, ProcessTruth)>>),
    Forget(NodeName),
    /// Some process was suspended or resumed.
    Look,
    /// A node's process of this id has ended.
    Reap(NodeName, u32),
    Quit,
}

/// The handle to the keeper. Dropping it kills every server and waits for their end.
pub struct Supervisor {
    orders: Sender<Order>,
    thread: Option<JoinHandle<()>>,
    pid_file: PathBuf,
}

impl Supervisor {
    /// Starts the keeper. `pid_file` is where it notes what runs.
    pub fn new(pid_file: PathBuf, events: UnboundedSender<PlatformEvent>) -> Self {
        let (orders, inbox) = mpsc::channel();
        let inside = Inside::new(pid_file.clone(), events, orders.clone());
        let thread = thread::Builder::new().name("keeper".into()).spawn(move || inside.run(&inbox));
        // Without a thread every order is answered with `gone`.
        Self { orders, thread: thread.ok(), pid_file }
    }

    /// Starts a node's server; returns once it runs (not: once it listens).
    pub async fn start(&self, node: &NodeName, launch: Launch) -> Result<Ended, PlatformError> {
        let launch = Box::new(launch);
        self.order(|reply| Order::Start { node: node.clone(), launch, reply }).await?
    }

    /// Asks something of a node's server. Asked to end, returns when it has ended.
    pub async fn ask(&self, node: &NodeName, ask: NodeAct) -> Result<(), PlatformError> {
        self.order(|reply| Order::Ask { node: node.clone(), ask, reply }).await?
    }

    /// What is true of every node that was ever started and is not forgotten.
    pub async fn truth(&self) -> Vec<(NodeName, ProcessTruth)> {
        self.order(Order::Truth).await.unwrap_or_default()
    }

    /// Forgets a node that has ended.
    pub fn forget(&self, node: NodeName) {
        // Fails only if the keeper is gone, and everything forgotten with it.
        let _ = self.orders.send(Order::Forget(node));
    }

    async fn order<T>(
        &self,
        order: impl FnOnce(oneshot::Sender<T>) -> Order,
    ) -> Result<T, PlatformError> {
        let gone = || {
            let error = io::Error::other("the thread that keeps the servers is gone");
            PlatformError::io("reach the keeper of", &self.pid_file, error)
        };
        let (reply, answer) = oneshot::channel();
        self.orders.send(order(reply)).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let _ = self.orders.send(Order::Quit);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
