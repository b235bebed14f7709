//! Who is here, who drives, who asks: the rules of sharing a room, pure.
//!
//! One person drives at a time. Whoever comes while nobody drives, drives; everyone else observes
//! until control is asked for and granted. No answer is a refusal, but of a guest to one who is
//! none; a driver who is gone cannot refuse. A lost connection keeps its place for a minute, for the
//! same name with the same token. Who is no guest has the account that owns the region, and may take
//! control, hold it against guests, and remove people.

mod asking;
mod owner;

use std::collections::BTreeMap;

use crate::region::{EventKind, Person, UnixMs, event::SeatAct, status::Screen};

/// How long a request for control waits for an answer.
pub const ASK_MS: UnixMs = 30_000;
/// How long a lost connection keeps its place.
pub const KEEP_MS: UnixMs = 60_000;
/// How long a guest who was removed is not let in.
pub const BARRED_MS: UnixMs = 600_000;
/// The most screens there may be.
pub const MOST_SCREENS: usize = 64;
/// The most of them that may be guests': the owner always finds a place.
const MOST_GUESTS: usize = 48;

/// Who comes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Newcomer {
    /// A name to be shown.
    pub name: String,
    /// What proves that a place is one's own; empty if no place is to be kept.
    pub token: String,
    pub observes: bool,
    /// Reaches no file, and neither begins nor ends the region.
    pub guest: bool,
    pub records: bool,
    /// The address at the other end of the SSH connection, if there is one.
    pub from: Option<String>,
}

impl Newcomer {
    fn person(&self) -> Person {
        Person { name: self.name.clone(), guest: self.guest, from: self.from.clone() }
    }

    /// Words for others.
    fn label(&self) -> String {
        Person { from: None, ..self.person() }.to_string()
    }
}

/// Where a newcomer sits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seated {
    pub seat: u64,
    /// It was kept from before.
    pub returned: bool,
}

/// What became of a request for control at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Nobody had to be asked; in words for who asked.
    Drives(String),
    /// The driver is asked; in words for who asked. A [`Decision`] follows, unless who asked goes.
    Waits(String),
}

/// How a request for control was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whose request it was.
    pub seat: u64,
    /// Granted or not, in words for who asked.
    pub answer: Result<String, String>,
}

#[derive(Clone, Debug)]
struct Seat {
    who: Newcomer,
    /// The connection that has it now.
    connection: u64,
    away_until: Option<UnixMs>,
    /// The terminal does not answer.
    silent: bool,
}

/// The places and who drives.
#[derive(Clone, Debug, Default)]
pub struct Roles {
    seats: BTreeMap<u64, Seat>,
    driver: Option<u64>,
    /// Who asks, and until when.
    ask: Option<(u64, UnixMs)>,
    last_seat: u64,
    /// What is worth a line in the log, since it was last taken.
    said: Vec<EventKind>,
    /// Who holds control against guests.
    held: Option<String>,
    /// Guests who were removed, and until when they are not let in.
    barred: BTreeMap<String, UnixMs>,
    /// Connections that are to be closed, since they were last taken.
    removed: Vec<u64>,
    /// What was decided, since it was last taken.
    decided: Vec<Decision>,
}

impl Roles {
    /// Gives a newcomer a place: the old one, if it is kept, else a new one.
    pub fn attach(&mut self, now: UnixMs, connection: u64, who: Newcomer) -> Seated {
        self.tick(now);
        let kept = self.seats.iter_mut().find(|(_, seat)| {
            !who.token.is_empty() && seat.who.token == who.token && seat.who.name == who.name
        });
        if let Some((&seat, place)) = kept {
            let observes = who.observes || who.records;
            place.who = who;
            place.connection = connection;
            place.away_until = None;
            place.silent = false;
            if observes && self.asks(seat) {
                self.ask = None;
            }
            if observes && self.driver == Some(seat) {
                self.give_up();
            }
            return Seated { seat, returned: true };
        }
        self.last_seat += 1;
        let seat = self.last_seat;
        let kept_out = who.guest && self.held.is_some();
        if self.driver.is_none() && !who.observes && !who.records && !kept_out {
            self.driver = Some(seat);
        }
        self.seats.insert(seat, Seat { who, connection, away_until: None, silent: false });
        Seated { seat, returned: false }
    }

    /// A connection is gone without a word: its place is kept for a while.
    pub fn lost(&mut self, now: UnixMs, seat: u64, connection: u64) {
        let Some(place) = self.seats.get_mut(&seat).filter(|s| s.connection == connection) else {
            return;
        };
        if place.who.token.is_empty() || place.who.records {
            return self.left(seat, connection);
        }
        place.away_until = Some(now + KEEP_MS);
        self.say(SeatAct::Lost, seat, None);
        if self.asks(seat) {
            self.ask = None;
        }
        self.driver_cannot_answer(seat, "is gone");
    }

    /// A screen's terminal does not answer any more, or does again.
    pub fn silent(&mut self, seat: u64, silent: bool) {
        let Some(place) = self.seats.get_mut(&seat).filter(|place| place.silent != silent) else {
            return;
        };
        place.silent = silent;
        self.say(if silent { SeatAct::Silent } else { SeatAct::Answers }, seat, None);
        if silent {
            self.driver_cannot_answer(seat, "does not answer");
        }
    }

    /// Who asks the driver need not wait for one who cannot answer.
    fn driver_cannot_answer(&mut self, seat: u64, why: &str) {
        if self.driver == Some(seat)
            && let Some((asker, _)) = self.ask.take()
        {
            let gone = self.name(seat);
            self.say(SeatAct::Drives, asker, Some(seat));
            self.driver = Some(asker);
            self.decide(asker, Ok(format!("you drive: {gone} {why}")));
        }
    }

    /// Somebody leaves on purpose.
    pub fn left(&mut self, seat: u64, connection: u64) {
        if self.seats.get(&seat).is_none_or(|place| place.connection != connection) {
            return;
        }
        if self.asks(seat) {
            self.ask = None;
        }
        if self.driver == Some(seat) {
            self.give_up();
        }
        self.seats.remove(&seat);
    }

    /// Connections to be closed; told once.
    pub fn removed(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.removed)
    }

    /// The driver drives no longer.
    ///
    /// # Errors
    /// When somebody else drives.
    pub fn release(&mut self, now: UnixMs, seat: u64) -> Result<String, String> {
        self.tick(now);
        if self.driver != Some(seat) {
            return Err("you do not drive: there is nothing to give up".into());
        }
        if self.held.take().is_some() {
            self.say(SeatAct::Frees, seat, None);
        }
        self.give_up();
        Ok(match self.driver {
            Some(driver) => format!("{} drives now", self.name(driver)),
            None => "nobody drives now: who asks for control has it".into(),
        })
    }

    /// The driver's place is free: who asked has it, or nobody.
    fn give_up(&mut self) {
        let Some(old) = self.driver.take() else { return };
        self.driver = self.ask.take().map(|(asker, _)| asker);
        match self.driver {
            Some(new) => {
                self.say(SeatAct::Drives, new, Some(old));
                self.decide(new, Ok(format!("you drive: {} drives no longer", self.name(old))));
            }
            None => self.say(SeatAct::Releases, old, None),
        }
    }

    /// Time passes.
    pub fn tick(&mut self, now: UnixMs) {
        if let Some((asker, until)) = self.ask
            && now >= until
        {
            self.ask = None;
            let driver = self.driver().unwrap_or_default();
            let seconds = ASK_MS / 1000;
            if let Some(old) = self.driver.filter(|driver| self.yields(*driver, asker)) {
                self.say(SeatAct::Drives, asker, Some(old));
                self.driver = Some(asker);
                let why = format!("you drive: {driver} did not answer within {seconds} s");
                self.decide(asker, Ok(why));
            } else {
                self.say(SeatAct::Unanswered, asker, None);
                let why = format!("{driver} keeps control: no answer within {seconds} s");
                self.decide(asker, Err(why));
            }
        }
        self.barred.retain(|_, until| *until > now);
        let over: Vec<(u64, u64)> = self
            .seats
            .iter()
            .filter(|(_, seat)| seat.away_until.is_some_and(|until| now >= until))
            .map(|(id, seat)| (*id, seat.connection))
            .collect();
        for (seat, connection) in over {
            self.left(seat, connection);
        }
    }

    /// Whether the place's person may act.
    #[must_use]
    pub fn drives(&self, seat: u64) -> bool {
        self.driver == Some(seat)
    }

    /// Who drives, by name.
    #[must_use]
    pub fn driver(&self) -> Option<String> {
        self.driver.map(|seat| self.name(seat))
    }

    /// The places, to be shown.
    #[must_use]
    pub fn screens(&self) -> BTreeMap<u64, Screen> {
        let screen = |(&id, seat): (&u64, &Seat)| {
            let asks = self.ask.filter(|(asker, _)| *asker == id).map(|(_, until)| until);
            let screen = Screen {
                id,
                name: seat.who.name.clone(),
                drives: self.driver == Some(id),
                observes: seat.who.observes,
                guest: seat.who.guest,
                records: seat.who.records,
                ask_ends_at_ms: asks,
                place_ends_at_ms: seat.away_until,
                silent: seat.silent,
                from: seat.who.from.clone(),
            };
            (id, screen)
        };
        self.seats.iter().map(screen).collect()
    }

    /// What is worth a line in the log; told once.
    pub fn said(&mut self) -> Vec<EventKind> {
        std::mem::take(&mut self.said)
    }

    /// What was decided of those who asked and are still here; told once.
    pub fn decided(&mut self) -> Vec<Decision> {
        std::mem::take(&mut self.decided)
    }

    /// Whether the place's person waits for the driver's word.
    #[must_use]
    pub fn asks(&self, seat: u64) -> bool {
        self.ask.is_some_and(|(asker, _)| asker == seat)
    }

    fn decide(&mut self, seat: u64, answer: Result<String, String>) {
        self.decided.push(Decision { seat, answer });
    }

    fn is_here(&self, seat: u64) -> bool {
        self.seats.get(&seat).is_some_and(|place| place.away_until.is_none() && !place.silent)
    }

    fn name(&self, seat: u64) -> String {
        self.seats.get(&seat).map_or_else(|| "somebody".into(), |place| place.who.label())
    }

    fn person(&self, seat: u64) -> Option<Person> {
        self.seats.get(&seat).map(|place| place.who.person())
    }

    fn say(&mut self, did: SeatAct, seat: u64, other: Option<u64>) {
        let other = other.and_then(|seat| self.person(seat));
        if let Some(person) = self.person(seat) {
            self.said.push(EventKind::Seat { did, person, other });
        }
    }
}

#[cfg(test)]
mod tests;
