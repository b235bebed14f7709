//! Long commands: each runs beside the owner, tells how far it is, can be stopped, and claims
//! what it works on so that two commands do not pull at the same thing.

use std::sync::Arc;

use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::{
    bus::{Bus, Input},
    engine::{Engine, Failure},
    protocol::{Message, Outcome},
};
use crate::{
    drill::scripted::CRASHED,
    region::{NodeName, ZoneName},
};

/// What a command works on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Everything.
    Region,
    /// The set of zones, and this one.
    Zone(ZoneName),
    /// A zone's link.
    Link(ZoneName),
    /// A node.
    Node(NodeName),
}

impl Claim {
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
#[derive(Debug)]
pub struct Said {
    /// Done, or what the examination found.
    pub outcome: Outcome,
    /// In words.
    pub text: String,
    /// For machines.
    pub data: Option<serde_json::Value>,
}

impl Said {
    /// Done.
    pub fn done(text: impl Into<String>) -> Self {
        Self { outcome: Outcome::Done, text: text.into(), data: None }
    }
}

/// What a command's body returns.
pub type Result = std::result::Result<Said, Failure>;

/// What a command's body has at hand.
#[derive(Clone)]
pub struct Cx {
    /// What runs.
    pub engine: Arc<Engine>,
    /// Its number.
    pub task: u64,
    /// Asked to end early.
    pub stop: CancellationToken,
    /// The giver's number of the command.
    pub id: u64,
    /// The giver.
    pub answers: Option<mpsc::UnboundedSender<Message>>,
}

impl Cx {
    /// The way to the owner.
    #[must_use]
    pub fn bus(&self) -> &Bus {
        &self.engine.bus
    }

    /// Tells how far the command is: on every screen, and to the shell that gave it.
    pub fn progress(&self, text: impl Into<String>) {
        let text = text.into();
        let (task, shown) = (self.task, text.clone());
        self.bus().change(move |state, _| state.task_progress(task, &shown));
        self.tell(text);
    }

    /// Tells only the shell that gave the command.
    pub fn tell(&self, text: impl Into<String>) {
        if let Some(answers) = &self.answers {
            let _ = answers.send(Message::Progress { id: self.id, text: text.into() });
        }
    }
}

/// Runs a command's body and tells the owner how it ended, a crash included.
pub fn spawn<F>(cx: Cx, body: impl FnOnce(Cx) -> F)
where
    F: Future<Output = Result> + Send + 'static,
{
    let (bus, task) = (cx.engine.bus.clone(), cx.task);
    let body = tokio::spawn(body(cx));
    tokio::spawn(async move {
        let Said { outcome, text: said, data } = end(body).await;
        let _ = bus.send(Input::Ended { task, outcome, said, data });
    });
}

/// How a body ended, well or not.
async fn end(body: JoinHandle<Result>) -> Said {
    match body.await {
        Ok(Ok(said)) => said,
        Ok(Err(failure)) => {
            Said { outcome: failure.outcome(), text: failure.to_string(), data: None }
        }
        Err(crash) => {
            tracing::error!("a command crashed: {crash}");
            let text = format!("{CRASHED}; please report it with the room's log ({crash})");
            Said { outcome: Outcome::Broken, text, data: None }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_crash_is_said_to_whoever_gave_the_command() {
        let said = end(tokio::spawn(async { panic!("out of tea") })).await;
        assert_eq!((said.outcome, said.data), (Outcome::Broken, None));
        assert!(
            said.text.starts_with(CRASHED) && said.text.contains("out of tea"),
            "{}",
            said.text
        );
    }

    #[test]
    fn claims_collide_where_they_touch() {
        let zone = |name: &str| Claim::Zone(name.parse().unwrap());
        let link = |name: &str| Claim::Link(name.parse().unwrap());
        let node = |name: &str| Claim::Node(name.parse().unwrap());
        assert!(zone("b").collides(&link("b")) && link("b").collides(&zone("b")));
        assert!(zone("b").collides(&node("js1-zone-b")));
        assert!(Claim::Region.collides(&node("js1-zone-b")));
        assert!(!zone("b").collides(&zone("c")));
        assert!(!link("b").collides(&node("js1-zone-b")));
        assert!(!node("js1-zone-b").collides(&node("js2-zone-b")));
    }
}
