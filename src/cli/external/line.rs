//! A line that was given on a screen of a region of others, while it is carried out.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::picture::Told;
use crate::{
    cli::output,
    command::Command,
    region::Actor,
    room::{external::session::Session, mailbox::Mailbox, protocol::Message},
    tui::{FromRoom, Unfinished, terminal},
};

/// What runs, for the desk: one thing at a time.
#[derive(Clone, Default)]
pub struct Running(Arc<Mutex<Option<Run>>>);

/// A command that is carried out.
pub struct Run {
    pub id: u64,
    pub line: String,
    pub command: Command,
    pub stop: CancellationToken,
    /// Somebody is asked whether the region is meant.
    pub question: Option<oneshot::Sender<Option<String>>>,
    /// Of the room that works for it.
    pub room: Option<Mailbox>,
}

impl Running {
    /// What runs now.
    pub fn now(&self) -> MutexGuard<'_, Option<Run>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The way from a command to the screen that gave it.
pub struct Line {
    pub id: u64,
    pub to: mpsc::UnboundedSender<Told>,
    pub stop: CancellationToken,
    pub running: Running,
    pub unfinished: Unfinished,
    /// It ends in order only.
    pub held: AtomicBool,
    /// The result so far.
    pub told: Mutex<Vec<String>>,
}

impl Line {
    /// A part of the result.
    pub fn tell(&self, text: &str) {
        if self.is_left() {
            if terminal::is_there() {
                output::tell(text);
            }
            return;
        }
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.push(text.trim_matches('\n').to_owned());
    }

    /// The same, at once.
    pub fn news(&self, who: &Actor, text: &str) {
        if !self.is_left() {
            let _ = self.to.send(Told::Note { who: who.clone(), text: text.to_owned() });
        }
        self.tell(text);
    }

    /// How far it is.
    pub fn progress(&self, text: &str) {
        let message = Message::Progress { id: self.id, text: text.to_owned() };
        let _ = self.to.send(Told::Screen(FromRoom::Message(message)));
    }

    /// What was told.
    pub fn result(&self) -> String {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }

    /// The screen is left: what is still told goes to its terminal, as in a shell.
    pub fn is_left(&self) -> bool {
        self.unfinished.is_asked()
    }

    /// Asks for the region's name; none if nobody gives one.
    pub async fn ask(&self, plan: &str) -> Option<String> {
        let (answer, answered) = oneshot::channel();
        self.running.now().as_mut()?.question = Some(answer);
        let (id, plan) = (self.id, plan.to_owned());
        let _ = self.to.send(Told::Screen(FromRoom::Asks { id, plan }));
        tokio::select! {
            answered = answered => answered.ok().flatten(),
            () = self.stop.cancelled() => None,
        }
    }

    /// It ends in order from now on, once the token says so.
    pub fn hold(&self) -> CancellationToken {
        self.held.store(true, Ordering::SeqCst);
        self.stop.clone()
    }

    /// Returns when the command is to end and can be dropped as it is.
    pub async fn can_be_dropped(&self) {
        self.stop.cancelled().await;
        if self.held.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
    }

    /// The screen shows the room of the command.
    pub fn follow(&self, session: &Session) {
        if let Some(run) = self.running.now().as_mut() {
            run.room = Some(session.mailbox());
        }
        let _ = self.to.send(Told::Began(session.looks()));
    }

    /// That has ended.
    pub fn follow_no_more(&self) {
        if let Some(run) = self.running.now().as_mut() {
            run.room = None;
        }
        let _ = self.to.send(Told::Ended);
    }
}
