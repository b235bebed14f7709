//! What only the owner of the region does, and who is let in.

use super::{BARRED_MS, MOST_GUESTS, MOST_SCREENS, Newcomer, Roles, Seat};
use crate::region::{EventKind, Person, UnixMs, event::SeatAct};

impl Roles {
    /// Whether a newcomer is let in.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&mut self, now: UnixMs, who: &Newcomer) -> Result<(), String> {
        self.tick(now);
        if let Some(until) = self.barred.get(&who.name).filter(|_| who.guest) {
            let minutes = until.saturating_sub(now).div_ceil(60_000);
            return Err(format!(
                "the region's owner has removed {}: not let in for {minutes} min",
                who.name
            ));
        }
        let guests = self.seats.values().filter(|seat| seat.who.guest).count();
        if self.seats.len() >= MOST_SCREENS || who.guest && guests >= MOST_GUESTS {
            return Err(format!(
                "{} screens are attached already, {guests} of them guests: a room takes {MOST_SCREENS}, and {MOST_GUESTS} guests",
                self.seats.len()
            ));
        }
        Ok(())
    }

    /// Takes control without asking: for a screen of the owner, or for a shell of theirs, which
    /// needs none, so that nobody drives then. `holds`: no guest gets it until [`Self::release`] or
    /// [`Self::free`].
    ///
    /// # Errors
    /// When who takes it is a guest or only observes.
    pub fn take(
        &mut self,
        now: UnixMs,
        seat: Option<u64>,
        who: &Person,
        holds: bool,
    ) -> Result<String, String> {
        self.tick(now);
        if who.guest {
            return Err("only the region's owner takes control: `control ask` asks for it".into());
        }
        let place = seat.and_then(|seat| self.seats.get(&seat));
        if place.is_some_and(|place| place.who.observes || place.who.records) {
            return Err("this screen only observes: attach without --observe to drive".into());
        }
        let before = self.driver;
        let other = before.and_then(|seat| self.person(seat));
        if before != seat {
            let (did, person) = (SeatAct::Takes, who.clone());
            self.said.push(EventKind::Seat { did, person, other: other.clone() });
        }
        self.driver = seat;
        if let Some((asker, _)) = self.ask.take() {
            let answer = if self.driver == Some(asker) {
                Ok("you drive".into())
            } else {
                Err(format!("{} took control", who.name))
            };
            self.decide(asker, answer);
        }
        if holds {
            self.held = Some(who.name.clone());
            let (did, person) = (SeatAct::Holds, who.clone());
            self.said.push(EventKind::Seat { did, person, other: None });
        }
        let from = other.filter(|_| before != seat).map(|other| format!(", after {}", other.name));
        let from = from.unwrap_or_default();
        let held = if holds { "; no guest gets it until `control release`" } else { "" };
        Ok(match seat {
            Some(_) => format!("you drive{from}{held}"),
            None => format!("nobody drives{from}; shells of this account need no control{held}"),
        })
    }

    /// Ends a hold, from a shell.
    ///
    /// # Errors
    /// When nobody holds control.
    pub fn free(&mut self, who: &Person) -> Result<String, String> {
        self.held.take().ok_or("nobody holds control: there is nothing to give up")?;
        let (did, person) = (SeatAct::Frees, who.clone());
        self.said.push(EventKind::Seat { did, person, other: None });
        Ok("guests may ask for control again".into())
    }

    /// Removes every screen of a name; a guest is not let in for a while.
    ///
    /// # Errors
    /// When who asks is a guest, or nobody has the name.
    pub fn kick(&mut self, now: UnixMs, who: &Person, name: &str) -> Result<String, String> {
        self.tick(now);
        if who.guest {
            return Err("only the region's owner removes people".into());
        }
        let theirs: Vec<(u64, Seat)> = (self.seats.iter())
            .filter(|(_, seat)| seat.who.name == name)
            .map(|(id, seat)| (*id, seat.clone()))
            .collect();
        if theirs.is_empty() {
            let names: Vec<&str> = self.seats.values().map(|seat| seat.who.name.as_str()).collect();
            return Err(format!("nobody here is called `{name}`: here are {}", names.join(", ")));
        }
        let guest = theirs.iter().any(|(_, seat)| seat.who.guest);
        if guest {
            self.barred.insert(name.to_owned(), now + BARRED_MS);
        }
        for (id, seat) in &theirs {
            let (did, person) = (SeatAct::Removed, who.clone());
            self.said.push(EventKind::Seat { did, person, other: Some(seat.who.person()) });
            self.removed.push(seat.connection);
            self.left(*id, seat.connection);
        }
        Ok(if guest {
            format!(
                "{name} is removed, and not let in for {} min; to end it for good, take their line out of authorized_keys",
                BARRED_MS / 60_000
            )
        } else {
            format!("{name} is removed; who is no guest can come back")
        })
    }
}
