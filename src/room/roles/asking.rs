//! Control is asked for, and given or kept.

use super::{ASK_MS, Asked, Roles};
use crate::region::{UnixMs, event::SeatAct};

impl Roles {
    /// Asks for control.
    ///
    /// # Errors
    /// When it cannot be had; in words for who asked.
    pub fn ask(&mut self, now: UnixMs, seat: u64) -> Result<Asked, String> {
        self.tick(now);
        let place = self.seats.get(&seat).ok_or("only a screen can drive")?;
        if place.who.observes || place.who.records {
            return Err("this screen only observes: attach without --observe to drive".into());
        }
        if self.driver == Some(seat) {
            return Ok(Asked::Drives("you drive already".into()));
        }
        let guest = place.who.guest;
        if let Some(holder) = self.held.as_ref().filter(|_| guest) {
            return Err(format!("{holder} holds control: no guest gets it until that ends"));
        }
        let Some(driver) = self.driver.filter(|driver| self.is_here(*driver)) else {
            let gone =
                self.driver.map_or("nobody drove".into(), |seat| match self.seats.get(&seat) {
                    Some(place) if place.away_until.is_none() => {
                        format!("{}'s terminal does not answer", place.who.name)
                    }
                    _ => format!("{} is gone", self.name(seat)),
                });
            self.ask = None;
            self.say(SeatAct::Drives, seat, self.driver);
            self.driver = Some(seat);
            return Ok(Asked::Drives(format!("you drive: {gone}")));
        };
        match self.ask {
            Some((asker, until)) if asker == seat => {
                let seconds = until.saturating_sub(now).div_ceil(1000);
                Ok(Asked::Waits(format!(
                    "{} was asked already, and has {seconds} s left to answer",
                    self.name(driver)
                )))
            }
            Some((asker, _)) => Err(format!(
                "{} is asking already: ask again when that is answered",
                self.name(asker)
            )),
            None => {
                self.ask = Some((seat, now + ASK_MS));
                self.say(SeatAct::Asks, seat, None);
                let seconds = ASK_MS / 1000;
                let then = if self.yields(driver, seat) { ", else you drive" } else { "" };
                Ok(Asked::Waits(format!(
                    "{} is asked, and has {seconds} s to answer{then}",
                    self.name(driver)
                )))
            }
        }
    }

    /// The driver gives control to who asked.
    ///
    /// # Errors
    /// When nobody asked, or somebody else drives.
    pub fn grant(&mut self, now: UnixMs, seat: u64) -> Result<String, String> {
        let asker = self.answer(now, seat)?;
        self.driver = Some(asker);
        self.say(SeatAct::Grants, seat, Some(asker));
        self.decide(asker, Ok(format!("you drive: {} gave you control", self.name(seat))));
        Ok(format!("{} drives now", self.name(asker)))
    }

    /// The driver keeps control.
    ///
    /// # Errors
    /// When nobody asked, or somebody else drives.
    pub fn refuse(&mut self, now: UnixMs, seat: u64) -> Result<String, String> {
        let asker = self.answer(now, seat)?;
        self.say(SeatAct::Refuses, seat, Some(asker));
        self.decide(asker, Err(format!("{} keeps control: you were refused", self.name(seat))));
        Ok(format!("you keep control; {} is told", self.name(asker)))
    }

    fn answer(&mut self, now: UnixMs, seat: u64) -> Result<u64, String> {
        self.tick(now);
        if self.driver != Some(seat) {
            return Err("you do not drive: only who drives can answer".into());
        }
        let (asker, _) = self.ask.take().ok_or("nobody asks for control")?;
        Ok(asker)
    }

    /// Whether a driver who does not answer loses control to who asks.
    pub(super) fn yields(&self, driver: u64, asker: u64) -> bool {
        let guest = |seat| self.seats.get(&seat).is_some_and(|place| place.who.guest);
        guest(driver) && !guest(asker)
    }
}
