//! Long commands: each runs beside the state actor, tells how far it is, can be stopped, and claims
//! what it works on so that two commands do not pull at the same thing.

use std::sync::Arc;

use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::{
    failure::Failure,
    mailbox::{Mail, Mailbox},
    protocol::{Message, Outcome},
    runtime::Runtime,
};
use crate::region::{Input, NodeName, ZoneName};

/// The field that the data of a crashed command's answer has.
pub const CRASHED: &str = "crashed";

/// What a command works on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lease {
    Region,
    /// The set of zones, and this one.
    Zone(ZoneName),
    Link(ZoneName),
    Node(NodeName),
}

impl Lease {
    /// Can the two not be worked on at the same time?
    #[must_use]
    pub fn collides(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Region, _) | (_, Self::Region) => true,
            (Self::Zone(a) | Self::Link(a), Self::Zone(b) | Self::Link(b)) => a == b,
            (Self::Node(a), Self::Node(b)) => a == b,
            (Self::Zone(zone), Self::Node(node)) | (Self::Node(node), Self::Zone(zone)) => {
                *zone == node.zone
            }
            (Self::Link(_), Self::Node(_)) | (Self::Node(_), Self::Link(_)) => false,
        }
    }
}

/// A command's good end.
#[derive(Clone, Debug)]
pub struct Completion {
    /// Done, or what the examination found.
    pub outcome: Outcome,
    pub text: String,
    pub data: Option<serde_json::Value>,
}

impl Completion {
    /// Done.
    pub fn done(text: impl Into<String>) -> Self {
        Self { outcome: Outcome::Done, text: text.into(), data: None }
    }
}

/// What a command's body returns.
pub type Result = std::result::Result<Completion, Failure>;

/// What a command's body has at hand.
#[derive(Clone)]
pub struct CommandCtx {
    pub runtime: Arc<Runtime>,
    pub task: u64,
    /// Asked to end early.
    pub stop: CancellationToken,
    /// The giver's number of the command.
    pub id: u64,
    pub answers: Option<mpsc::UnboundedSender<Message>>,
}

impl CommandCtx {
    /// The way to the state actor.
    #[must_use]
    pub fn bus(&self) -> &Mailbox {
        &self.runtime.bus
    }

    /// Tells how far the command is: on every screen, and to the shell that gave it.
    pub fn progress(&self, text: impl Into<String>) {
        let text = text.into();
        self.bus().tell(Input::TaskProgress { id: self.task, progress: text.clone() });
        self.tell(text);
    }

    /// Tells only the shell that gave the command.
    pub fn tell(&self, text: impl Into<String>) {
        if let Some(answers) = &self.answers {
            let _ = answers.send(Message::Progress { id: self.id, text: text.into() });
        }
    }
}

/// Runs a command's body and tells the state actor how it ended, a crash included.
pub fn spawn<F>(cx: CommandCtx, body: impl FnOnce(CommandCtx) -> F)
where
    F: Future<Output = Result> + Send + 'static,
{
    let (bus, task) = (cx.runtime.bus.clone(), cx.task);
    let body = tokio::spawn(body(cx));
    tokio::spawn(async move {
        let Completion { outcome, text: said, data } = end(body).await;
        let _ = bus.send(Mail::Ended { task, outcome, said, data });
    });
}

/// How a body ended, well or not.
async fn end(body: JoinHandle<Result>) -> Completion {
    match body.await {
        Ok(Ok(said)) => said,
        Ok(Err(failure)) => {
            Completion { outcome: failure.outcome(), text: failure.to_string(), data: None }
        }
        Err(crash) => {
            tracing::error!("a command crashed: {crash}");
            let text =
                format!("the command crashed; please report it with the room's log ({crash})");
            let data = Some(serde_json::json!({ CRASHED: true }));
            Completion { outcome: Outcome::Broken, text, data }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_crash_is_said_to_whoever_gave_the_command() {
        let said = end(tokio::spawn(async { panic!("out of tea") })).await;
        assert_eq!(said.outcome, Outcome::Broken);
        assert_eq!(said.data.unwrap()[CRASHED], true);
        assert!(said.text.contains("out of tea"), "{}", said.text);
    }

    #[test]
    fn claims_collide_where_they_touch() {
        let zone = |name: &str| Lease::Zone(name.parse().unwrap());
        let link = |name: &str| Lease::Link(name.parse().unwrap());
        let node = |name: &str| Lease::Node(name.parse().unwrap());
        assert!(zone("b").collides(&link("b")) && link("b").collides(&zone("b")));
        assert!(zone("b").collides(&node("js1-zone-b")));
        assert!(Lease::Region.collides(&node("js1-zone-b")));
        assert!(!zone("b").collides(&zone("c")));
        assert!(!link("b").collides(&node("js1-zone-b")));
        assert!(!node("js1-zone-b").collides(&node("js2-zone-b")));
    }
}
