//! What the connections share: the places at the room, who drives, and who waits for the driver's
//! word.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicUsize},
};

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{
    caller::Caller,
    wire::{EventWire, Published},
};
use crate::{
    command::Control,
    region::{Input, Person, Severity, status::Screen},
    room::{
        clock::now_ms,
        mailbox::Mailbox,
        protocol::{ClientKind, Message, Outcome},
        roles::{Asked, Newcomer, Roles, Seated},
    },
};

/// About how much guests may add to the disk while a room runs, in bytes.
const GUESTS_BYTES: u64 = 512 << 20;

/// What the socket's connections share.
#[derive(Debug)]
pub struct Shared {
    /// The region's id.
    pub id: String,
    pub bus: Mailbox,
    pub statuses: watch::Receiver<Arc<Published>>,
    pub events: Arc<EventWire>,
    /// Who is attached; the state actor shows it.
    pub screens: watch::Sender<BTreeMap<u64, Screen>>,
    pub seats: Mutex<Seats>,
    /// How many shells and watchers there are.
    pub visitors: AtomicUsize,
    /// How many connections there are, shells included.
    pub connections: watch::Sender<usize>,
}

/// The places, and the requests for control that are not answered yet.
#[derive(Debug, Default)]
pub struct Seats {
    roles: Roles,
    waiting: Vec<Waiting>,
    /// What closes each connection that has a place.
    connections: BTreeMap<u64, CancellationToken>,
    /// About how much guests have added to the disk, in bytes.
    guests_bytes: u64,
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
        for connection in seats.roles.removed() {
            if let Some(open) = seats.connections.remove(&connection) {
                open.cancel();
            }
        }
        let said = seats.roles.said();
        if !said.is_empty() {
            self.bus.tell(Input::Said(said));
        }
        result
    }

    /// Puts a line into the log that everyone sees.
    pub(super) fn note(&self, severity: Severity, text: String) {
        self.bus.note(severity, text);
    }

    /// Control as a shell of the account that owns the region has it: it needs none, and may take it
    /// from others.
    pub(super) fn control_of_a_shell(
        &self,
        control: Control,
        who: &Person,
    ) -> Result<String, String> {
        self.seats(|seats| match control {
            Control::Take => seats.roles.take(now_ms(), None, who, false),
            Control::Hold => seats.roles.take(now_ms(), None, who, true),
            Control::Release => seats.roles.free(who),
            Control::Ask | Control::Grant | Control::Refuse => Err(
                "that is for screens: a command given in a shell of this account needs no control"
                    .into(),
            ),
        })
    }

    /// Removes somebody.
    pub(super) fn kick(&self, who: &Person, name: &str) -> Result<String, String> {
        self.seats(|seats| seats.roles.kick(now_ms(), who, name))
    }

    /// Whether guests may add so much to the disk; counted, if they may.
    pub(super) fn guests_add(&self, bytes: u64) -> Result<(), String> {
        self.seats(|seats| {
            let sum = seats.guests_bytes.saturating_add(bytes);
            if sum > GUESTS_BYTES {
                return Err(format!(
                    "guests may add about {} MB to the disk while a room runs, and this would make it {} MB",
                    GUESTS_BYTES >> 20,
                    sum.div_ceil(1 << 20)
                ));
            }
            seats.guests_bytes = sum;
            Ok(())
        })
    }

    /// Time passes: requests end unanswered, places are kept no longer.
    pub(super) fn tick(&self) {
        self.seats(|seats| seats.roles.tick(now_ms()));
    }
}

/// A place among the screens, for as long as a connection lasts.
pub(super) struct Place<'a> {
    shared: &'a Shared,
    pub seat: u64,
    connection: u64,
    /// It was kept since a connection was lost.
    pub returned: bool,
    /// Cancelled when the owner removes who sits here.
    pub removed: CancellationToken,
}

impl<'a> Place<'a> {
    /// # Errors
    /// Why there is none.
    pub fn take(shared: &'a Shared, caller: &Caller, connection: u64) -> Result<Self, String> {
        let newcomer = Newcomer {
            name: caller.person.name.clone(),
            from: caller.person.from.clone(),
            token: caller.token.clone(),
            observes: caller.observe,
            guest: caller.person.guest,
            records: caller.kind == ClientKind::Recorder,
        };
        let removed = CancellationToken::new();
        let Seated { seat, returned } = shared.seats(|seats| {
            seats.roles.check(now_ms(), &newcomer)?;
            seats.connections.insert(connection, removed.clone());
            Ok::<_, String>(seats.roles.attach(now_ms(), connection, newcomer))
        })?;
        Ok(Self { shared, seat, connection, returned, removed })
    }

    pub fn leave(&self) {
        self.shared.seats(|seats| seats.roles.left(self.seat, self.connection));
    }

    /// The terminal does not answer any more, or does again.
    pub fn terminal(&self, silent: bool) {
        self.shared.seats(|seats| seats.roles.silent(self.seat, silent));
    }

    /// Whether who sits here may act now, and if not, why.
    pub fn may_act(&self) -> Result<(), String> {
        self.shared.seats(|seats| match seats.roles.driver() {
            _ if seats.roles.drives(self.seat) => Ok(()),
            Some(driver) => Err(format!("{driver} drives; `control ask` asks for control")),
            None => Err("nobody drives; `control ask` takes control".into()),
        })
    }

    /// Control is handed over here and not by the state actor: it concerns connections, not the region.
    /// The answer to a request for control comes when it is decided.
    pub fn hand_over(
        &self,
        control: Control,
        who: &Person,
        id: u64,
        answers: &mpsc::UnboundedSender<Message>,
    ) {
        let (now, seat) = (now_ms(), self.seat);
        self.shared.seats(|Seats { roles, waiting, .. }| {
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
                Control::Take => roles.take(now, Some(seat), who, false),
                Control::Hold => roles.take(now, Some(seat), who, true),
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
        self.shared.seats(|seats| {
            seats.connections.remove(&self.connection);
            seats.roles.lost(now_ms(), self.seat, self.connection);
        });
    }
}
