//! The hand: gives a drill's commands on the room's bus, like anybody else, and undoes what they
//! left when the drill ends before its time.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use serde_json::Value;
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::recorder::Recorder;
use crate::{
    command::{Command, Keep, Most, NodeAct, Produce},
    drill::record::{CommandOutcome, Entry},
    region::{
        Actor, NodeName, ZoneName,
        actor::Via,
        keeping::{Keeping, Retention},
    },
    room::{
        clock::now_ms,
        mailbox::{CommandRequest, Mailbox},
        protocol::{Message, Outcome},
        task::CRASHED,
    },
};

/// How long a command that was told to end may take to do so.
const LET_GO: Duration = Duration::from_secs(20);

/// A command's end.
#[derive(Clone, Debug)]
pub struct Answer {
    pub outcome: Outcome,
    pub text: String,
    pub data: Option<Value>,
}

/// A command that was given.
pub struct Pending(JoinHandle<Answer>);

/// What a drill has done that must not stay.
#[derive(Debug, Default)]
struct Left {
    cut: BTreeSet<ZoneName>,
    paused: BTreeSet<ZoneName>,
    limited: BTreeSet<ZoneName>,
    /// How the source keeps messages.
    keeping: Keeping,
    nodes: Vec<(NodeAct, NodeName)>,
}

/// Gives commands as the drill.
pub struct CommandIssuer {
    bus: Mailbox,
    recorder: Arc<Recorder>,
    actor: Actor,
    given: u64,
    left: Left,
    /// Ends what was given.
    pub cancel: CancellationToken,
}

impl CommandIssuer {
    /// Gives commands for `who`.
    #[must_use]
    pub fn new(bus: Mailbox, recorder: Arc<Recorder>, who: &str, stop: &CancellationToken) -> Self {
        Self {
            bus,
            recorder,
            actor: Actor { who: who.to_owned(), via: Via::Drill },
            given: 0,
            left: Left::default(),
            cancel: stop.child_token(),
        }
    }

    /// Gives a command; its answer goes into the record when it comes.
    pub fn give(&mut self, command: Command) -> Pending {
        self.note(&command);
        let cancel = self.cancel.clone();
        self.send(command, Some(cancel))
    }

    fn send(&mut self, command: Command, stop: Option<CancellationToken>) -> Pending {
        self.given += 1;
        let id = self.given;
        let line = command.to_string();
        self.recorder.write(Entry::Given { id, line, at: now_ms() });
        // Such a produce is answered twice: when it has begun, and when it has ended.
        let mut skip =
            usize::from(matches!(command, Command::Produce(Produce::Burst { count: None, .. })));
        let (answers, mut heard) = mpsc::unbounded_channel();
        let given =
            CommandRequest { actor: self.actor.clone(), command, id, answers: Some(answers), stop };
        let closing = self.bus.give(given).is_err();
        let recorder = Arc::clone(&self.recorder);
        Pending(tokio::spawn(async move {
            let mut answer =
                Answer { outcome: Outcome::Broken, text: "the room is closing".into(), data: None };
            while !closing && let Some(message) = heard.recv().await {
                let Message::Answer { outcome, text, data, .. } = message else { continue };
                let good = outcome == Outcome::Done;
                answer = Answer { outcome, text, data };
                if skip == 0 || !good {
                    break;
                }
                skip -= 1;
            }
            recorder.write(Entry::Answered {
                id,
                outcome: recorded(answer.outcome, answer.data.as_ref()),
                text: answer.text.clone(),
                data: answer.data.clone(),
                at: now_ms(),
            });
            answer
        }))
    }

    /// Remembers what will have to be undone.
    fn note(&mut self, command: &Command) {
        let left = &mut self.left;
        match command.clone() {
            Command::Cut { zone, .. } | Command::Impair { zone, .. } => {
                left.cut.insert(zone);
            }
            Command::Heal { zone: Some(zone) } => {
                left.cut.remove(&zone);
            }
            Command::Heal { zone: None } => left.cut.clear(),
            Command::ConsumerPause { zone } => {
                left.paused.insert(zone);
            }
            Command::ConsumerResume { zone } => {
                left.paused.remove(&zone);
            }
            Command::ConsumerRate { zone, rate: Some(_) } => {
                left.limited.insert(zone);
            }
            Command::ConsumerRate { zone, rate: None } => {
                left.limited.remove(&zone);
            }
            Command::Stream(what) => left.keeping = what.changed(left.keeping),
            Command::ZoneRemove { zone, .. } => {
                left.cut.remove(&zone);
                left.paused.remove(&zone);
                left.limited.remove(&zone);
                left.nodes.retain(|(_, node)| node.zone != zone);
            }
            Command::Node { act, node } => {
                left.nodes.retain(|(_, known)| *known != node);
                left.nodes.extend(act.undone_by().map(|act| (act, node)));
            }
            _ => {}
        }
    }

    /// Heals, resumes, lifts and restarts what the drill left. What somebody else has undone
    /// meanwhile is refused, and that is all right.
    pub async fn undo(&mut self) {
        let left = std::mem::take(&mut self.left);
        let mut commands = Vec::new();
        // Once another zone took its place, a source that came back would take messages, too.
        let nodes = if self.recorder.run().has_promoted() { Vec::new() } else { left.nodes };
        for (act, node) in nodes {
            commands.push(Command::Node { act, node });
        }
        // Before the heal, so that the copy gets what is still there.
        if left.keeping.limit.is_some() {
            commands.push(Command::Stream(Keep::Limit { most: Most(None) }));
        }
        if left.keeping.retention != Retention::default() {
            commands.push(Command::Stream(Keep::Retention { retention: Retention::default() }));
        }
        for zone in left.cut {
            commands.push(Command::Heal { zone: Some(zone) });
        }
        for zone in left.paused {
            commands.push(Command::ConsumerResume { zone });
        }
        for zone in left.limited {
            commands.push(Command::ConsumerRate { zone, rate: None });
        }
        let pending: Vec<_> =
            commands.into_iter().map(|command| self.send(command, None)).collect();
        for one in pending {
            let _ = one.within(LET_GO).await;
        }
    }
}

impl Pending {
    /// Its end.
    pub async fn end(&mut self) -> Answer {
        (&mut self.0).await.unwrap_or_else(|crash| Answer {
            outcome: Outcome::Broken,
            text: crash.to_string(),
            data: None,
        })
    }

    /// Its end, if it comes in time.
    pub async fn within(mut self, patience: Duration) -> Option<Answer> {
        tokio::time::timeout(patience, self.end()).await.ok()
    }
}

/// How a command ended, for the record.
pub(super) fn recorded(outcome: Outcome, data: Option<&Value>) -> CommandOutcome {
    let crashed = data.is_some_and(|data| data.get(CRASHED).is_some());
    match outcome {
        _ if crashed => CommandOutcome::Crashed,
        Outcome::Done => CommandOutcome::Done,
        Outcome::Broken => CommandOutcome::Broken,
        Outcome::Void => CommandOutcome::Void,
        Outcome::Refused => CommandOutcome::Refused,
    }
}
