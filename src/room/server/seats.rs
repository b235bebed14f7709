//! What the connections share: the places at the room, who drives, and who waits for the driver's
//! word.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{mpsc, watch};

use super::{
    Caller,
    wire::{EventWire, Published},
};
use crate::{
    command::Control,
    region::{EventKind, Severity, snapshot::Screen},
    room::{
        bus::Bus,
        clock::now_ms,
        protocol::{ClientKind, Message, Outcome},
        roles::{Asked, Newcomer, Roles, Seated},
    },
};

/// What the socket's connections share.
#[derive(Debug)]
pub struct Shared {
    /// Where commands go.
    pub bus: Bus,
    /// The newest snapshot.
    pub snapshots: watch::Receiver<Arc<Published>>,
    /// Events.
    pub events: Arc<EventWire>,
    /// Who is attached; the owner shows it.
    pub screens: watch::Sender<BTreeMap<u64, Screen>>,
    /// Who sits where.
    pub seats: Mutex<Seats>,
    /// How many connections there are, shells included.
    pub connections: watch::Sender<usize>,
}

/// The places, and the requests for control that are not answered yet.
#[derive(Debug, Default)]
pub struct Seats {
    roles: Roles,
    waiting: Vec<Waiting>,
}

/// A `control ask` that ends with the driver's word.
#[derive(Debug)]
struct Waiting {
    seat: u64,
    id: u64,
    answers: mpsc::UnboundedSender<Message>,
}

impl Seats {
    /// Answers who waited and waits no longer.
    fn answer(&mut self) {
        let decided = self.roles.decided();
        for decision in &decided {
            let (outcome, text) = match &decision.answer {
                Ok(text) => (Outcome::Done, text),
                Err(text) => (Outcome::Refused, text),
            };
            for waiting in self.waiting.iter().filter(|waiting| waiting.seat == decision.seat) {
                let (id, text) = (waiting.id, text.clone());
                let _ = waiting.answers.send(Message::Answer { id, outcome, text, data: None });
            }
        }
        // Who left while asking is told nothing.
        let roles = &self.roles;
        self.waiting.retain(|waiting| roles.asks(waiting.seat));
    }
}

impl Shared {
    /// Looks at the roles or changes them; what came of it is shown, logged and answered.
    fn seats<T>(&self, act: impl FnOnce(&mut Seats) -> T) -> T {
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        let result = act(&mut seats);
        let screens = seats.roles.screens();
        self.screens.send_if_modified(|old| {
            let changed = *old != screens;
            *old = screens;
            changed
        });
        seats.answer();
        for text in seats.roles.said() {
            self.note(Severity::Info, text);
        }
        result
    }

    /// Puts a line into the log that everyone sees.
    pub(super) fn note(&self, severity: Severity, text: String) {
        self.bus.change(move |_, _| vec![EventKind::Note { severity, text }]);
    }

    /// Time passes: requests end unanswered, places are kept no longer.
    pub(super) fn tick(&self) {
        self.seats(|seats| seats.roles.tick(now_ms()));
    }
}

/// A place among the screens, for as long as a connection lasts.
pub(super) struct Place<'a> {
    shared: &'a Shared,
    /// Its number.
    pub seat: u64,
    connection: u64,
    /// It was kept since a connection was lost.
    pub returned: bool,
}

impl<'a> Place<'a> {
    pub fn take(shared: &'a Shared, caller: &Caller, connection: u64) -> Self {
        let newcomer = Newcomer {
            name: caller.actor.who.clone(),
            token: caller.token.clone(),
            observes: caller.observe,
            guest: caller.guest,
            records: caller.kind == ClientKind::Recorder,
        };
        let Seated { seat, returned } =
            shared.seats(|seats| seats.roles.attach(now_ms(), connection, newcomer));
        Self { shared, seat, connection, returned }
    }

    pub fn leave(&self) {
        self.shared.seats(|seats| seats.roles.left(self.seat, self.connection));
    }

    /// Whether who sits here may act now, and if not, why.
    pub fn may_act(&self) -> Result<(), String> {
        self.shared.seats(|seats| match seats.roles.driver() {
            _ if seats.roles.drives(self.seat) => Ok(()),
            Some(driver) => Err(format!("{driver} drives; `control ask` asks for control")),
            None => Err("nobody drives; `control ask` takes control".into()),
        })
    }

    /// Control is handed over here and not by the owner: it concerns connections, not the region.
    /// The answer to a request for control comes when it is decided.
    pub fn hand_over(&self, control: Control, id: u64, answers: &mpsc::UnboundedSender<Message>) {
        let (now, seat) = (now_ms(), self.seat);
        self.shared.seats(|Seats { roles, waiting }| {
            let answered = match control {
                Control::Ask => match roles.ask(now, seat) {
                    Ok(Asked::Waits(text)) => {
                        let _ = answers.send(Message::Progress { id, text });
                        waiting.push(Waiting { seat, id, answers: answers.clone() });
                        return;
                    }
                    Ok(Asked::Drives(text)) => Ok(text),
                    Err(why) => Err(why),
                },
                Control::Grant => roles.grant(now, seat),
                Control::Refuse => roles.refuse(now, seat),
                Control::Release => roles.release(now, seat),
            };
            let (outcome, text) = match answered {
                Ok(text) => (Outcome::Done, text),
                Err(text) => (Outcome::Refused, text),
            };
            let _ = answers.send(Message::Answer { id, outcome, text, data: None });
        });
    }
}

impl Drop for Place<'_> {
    /// However the connection ended: a place that was not left is kept for a while.
    fn drop(&mut self) {
        self.shared.seats(|seats| seats.roles.lost(now_ms(), self.seat, self.connection));
    }
}
