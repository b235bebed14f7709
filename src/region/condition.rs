//! What is asked of a link that is not cut: how it carries, in each direction.
//!
//! One type for all platforms. Who carries it out, and what of it a platform can do, is the
//! platform's to say; whether it is in effect is measured, never assumed (see [`measured`]).
//!
//! | file | what is inside |
//! |---|---|
//! | [`measured`] | what was seen of it, and what that proves |
//! | [`presets`] | conditions that have a name |
//! | `text` | rates, shares and flaps as people write them |

pub mod measured;
pub mod presets;
mod text;

#[cfg(test)]
mod tests;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::text::{BitRate, Flap, Share};
use super::format::span_exact;

/// A line carries at least a full packet (1,500 bytes) a second; slower is a cut with another name.
pub const LEAST_RATE: u64 = 1_500 * 8;
/// The longest delay in one direction. A ping that is answered later than 10 s counts as lost.
pub const LONGEST_DELAY_MS: u32 = 10_000;
/// The shortest time that a link is up or down while it flaps, or between two resets.
pub const SHORTEST_TURN_MS: u32 = 200;
/// The longest, an hour.
pub const LONGEST_TURN_MS: u32 = 3_600_000;
/// What every IPv4 host must take in one packet, and so the smallest `mtu`.
pub const LEAST_MTU: u16 = 576;
/// Ethernet's jumbo frame: a larger `mtu` stops nothing.
pub const MOST_MTU: u16 = 9_000;

words! {
    /// Which directions of a link are meant, as seen from its zone.
    #[derive(Default, clap::ValueEnum)]
    pub enum Direction {
        /// From the source to the zone: messages.
        To = "to",
        /// From the zone to the source: acknowledgements and requests.
        From = "from",
        #[default]
        Both = "both",
    }
}

words! {
    /// A way in which a link can be worse than whole.
    #[derive(PartialOrd, Ord)]
    pub enum Feature {
        Delay = "delay",
        Jitter = "jitter",
        Rate = "rate",
        Silence = "silence",
        Flap = "flap",
        Reset = "reset",
        Loss = "loss",
        Mtu = "mtu",
        Reorder = "reorder",
        Duplicate = "duplicate",
        Corrupt = "corrupt",
    }
}

impl Feature {
    /// Only what carries packets can do it: between a relay and a server, TCP repairs it unseen.
    #[must_use]
    pub const fn needs_packets(self) -> bool {
        matches!(self, Self::Loss | Self::Mtu | Self::Reorder | Self::Duplicate | Self::Corrupt)
    }
}

/// One direction of a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Way {
    /// What is sent arrives so much later, in milliseconds.
    pub delay_ms: u32,
    /// The delay differs by up to so much from it, either way, in milliseconds.
    pub jitter_ms: u32,
    /// Bits a second that pass at most; `null` for as many as come.
    pub rate_bps: Option<BitRate>,
    /// Nothing arrives, and nobody is told.
    pub silent: bool,
    /// So much of what is sent is lost.
    pub loss: Option<Share>,
    /// Larger packets are dropped; bytes.
    pub mtu: Option<u16>,
    /// So many of the packets are held back, so that later ones overtake them.
    pub reorder: Option<Share>,
    /// So many of the packets arrive twice.
    pub duplicate: Option<Share>,
    /// Of so many of the packets a bit is changed.
    pub corrupt: Option<Share>,
}

/// What is asked of a link, in each direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct LinkCondition {
    /// From the source to the zone.
    pub to_zone: Way,
    /// From the zone to the source.
    pub from_zone: Way,
    /// The link goes down and comes back by itself: connections are reset, and refused while it is
    /// down.
    pub flap: Option<Flap>,
    /// All connections are reset that often, in milliseconds; new ones are accepted at once.
    pub reset_every_ms: Option<u32>,
}

/// Why a condition cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    #[error(
        "nothing is asked of the link: give a preset or one of --delay, --rate, --silent, --flap, --reset, --loss, --mtu, --reorder, --duplicate, --corrupt (`heal` ends what there is)"
    )]
    Nothing,
    #[error(
        "a jitter of {jitter} needs a delay of at least {jitter}: nothing arrives before it was sent"
    )]
    Jitter { jitter: String },
    #[error(
        "a delay of {0} is longer than 10s, the longest there is: servers take later answers for none"
    )]
    Delay(String),
    #[error(
        "a rate of {0} is less than a packet a second: 12kbit is the least, and nothing at all is `--silent`"
    )]
    Rate(BitRate),
    #[error(
        "a silent direction carries nothing: {0} says nothing about it, leave one of the two out"
    )]
    SilentAnd(Feature),
    #[error("silent in both directions is a cut: `cut ZONE --kind silent`")]
    SilentBoth,
    #[error("a {0} of {1} is not between 0.1% and 99.9%: nothing at all is `--silent`")]
    Share(Feature, Share),
    #[error("an mtu of {0} is not between {LEAST_MTU} and {MOST_MTU} bytes")]
    Mtu(u16),
    #[error("{0} is not between 200ms and 1h, for how long a link is up, down, or not reset")]
    Turn(String),
    #[error("a link that flaps is reset each time it goes down: leave --reset out")]
    FlapAndReset,
    #[error(
        "{0} is of the whole link, and `--direction` names one of its directions: leave one of the two out"
    )]
    WholeLink(Feature),
}

impl Way {
    /// It carries whatever comes, when it comes.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        *self == Self::default()
    }

    /// The least that something takes in it, in milliseconds.
    #[must_use]
    pub fn least_ms(&self) -> u32 {
        self.delay_ms.saturating_sub(self.jitter_ms)
    }

    fn check(&self) -> Result<(), ConditionError> {
        let time = |ms: u32| span_exact(u64::from(ms));
        if self.silent
            && let Some(other) = self.features().find(|other| *other != Feature::Silence)
        {
            return Err(ConditionError::SilentAnd(other));
        }
        if self.jitter_ms > self.delay_ms {
            return Err(ConditionError::Jitter { jitter: time(self.jitter_ms) });
        }
        if self.delay_ms > LONGEST_DELAY_MS {
            return Err(ConditionError::Delay(time(self.delay_ms)));
        }
        let mut shares = self.shares().into_iter();
        if let Some((feature, share)) = shares
            .find_map(|(one, share)| Some((one, share.filter(|s| !(1..1000).contains(&s.0))?)))
        {
            return Err(ConditionError::Share(feature, share));
        }
        match (self.rate_bps, self.mtu) {
            (Some(rate), _) if rate.0 < LEAST_RATE => Err(ConditionError::Rate(rate)),
            (_, Some(mtu)) if !(LEAST_MTU..=MOST_MTU).contains(&mtu) => {
                Err(ConditionError::Mtu(mtu))
            }
            _ => Ok(()),
        }
    }

    /// What happens to a share of the packets.
    #[must_use]
    pub fn shares(&self) -> [(Feature, Option<Share>); 4] {
        [
            (Feature::Loss, self.loss),
            (Feature::Reorder, self.reorder),
            (Feature::Duplicate, self.duplicate),
            (Feature::Corrupt, self.corrupt),
        ]
    }

    /// What is asked of it.
    pub fn features(&self) -> impl Iterator<Item = Feature> + use<> {
        [
            (self.delay_ms > 0, Feature::Delay),
            (self.jitter_ms > 0, Feature::Jitter),
            (self.rate_bps.is_some(), Feature::Rate),
            (self.silent, Feature::Silence),
            (self.loss.is_some(), Feature::Loss),
            (self.mtu.is_some(), Feature::Mtu),
            (self.reorder.is_some(), Feature::Reorder),
            (self.duplicate.is_some(), Feature::Duplicate),
            (self.corrupt.is_some(), Feature::Corrupt),
        ]
        .into_iter()
        .filter_map(|(asked, feature)| asked.then_some(feature))
    }
}

impl LinkCondition {
    /// The link carries whatever comes, when it comes.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        *self == Self::default()
    }

    /// It can be.
    ///
    /// # Errors
    /// The first thing that cannot.
    pub fn check(&self) -> Result<(), ConditionError> {
        if self.is_whole() {
            return Err(ConditionError::Nothing);
        }
        if self.to_zone.silent && self.from_zone.silent {
            return Err(ConditionError::SilentBoth);
        }
        self.to_zone.check()?;
        self.from_zone.check()?;
        if self.flap.is_some() && self.reset_every_ms.is_some() {
            return Err(ConditionError::FlapAndReset);
        }
        let turns = self.flap.map(|flap| [flap.up_ms, flap.down_ms]).into_iter().flatten();
        let wrong = turns
            .chain(self.reset_every_ms)
            .find(|ms| !(SHORTEST_TURN_MS..=LONGEST_TURN_MS).contains(ms));
        wrong.map_or(Ok(()), |ms| Err(ConditionError::Turn(span_exact(u64::from(ms)))))
    }

    /// Everything that is asked of it, in either direction.
    pub fn features(&self) -> impl Iterator<Item = Feature> + use<> {
        let whole =
            [(self.flap.is_some(), Feature::Flap), (self.reset_every_ms.is_some(), Feature::Reset)];
        let whole = whole.into_iter().filter_map(|(asked, feature)| asked.then_some(feature));
        self.to_zone.features().chain(self.from_zone.features()).chain(whole)
    }

    /// The same with this in the directions that are meant; of the whole link if both are.
    #[must_use]
    pub fn with(self, way: Way, direction: Direction) -> Self {
        match direction {
            Direction::To => Self { to_zone: way, ..self },
            Direction::From => Self { from_zone: way, ..self },
            Direction::Both => Self { to_zone: way, from_zone: way, ..Self::default() },
        }
    }

    /// The least that a round trip takes, in milliseconds; `None` where none comes back.
    #[must_use]
    pub fn least_round_trip_ms(&self) -> Option<u64> {
        let silent = self.to_zone.silent || self.from_zone.silent;
        (!silent).then(|| u64::from(self.to_zone.least_ms()) + u64::from(self.from_zone.least_ms()))
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        let time = |ms: u32| span_exact(u64::from(ms));
        match (self.delay_ms, self.jitter_ms) {
            (0, _) => {}
            (delay, 0) => parts.push(time(delay)),
            (delay, jitter) => parts.push(format!("{} ±{}", time(delay), time(jitter))),
        }
        parts.extend(self.rate_bps.map(|rate| format!("{rate}/s")));
        let words = ["lost", "reordered", "doubled", "corrupted"];
        let shares = self.shares().into_iter().zip(words);
        parts.extend(shares.filter_map(|((_, share), word)| Some(format!("{} {word}", share?))));
        parts.extend(self.mtu.map(|mtu| format!("mtu {mtu}")));
        if self.silent {
            parts.push("silent".into());
        }
        f.pad(if parts.is_empty() { "whole".to_owned() } else { parts.join(" ") }.as_str())
    }
}

/// As people read it: `300ms 1mbit/s both ways`, `to the zone silent`, `flaps 5s/2s`.
impl fmt::Display for LinkCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if self.to_zone == self.from_zone {
            if !self.to_zone.is_whole() {
                parts.push(format!("{} each way", self.to_zone));
            }
        } else {
            for (name, way) in [("to the zone", self.to_zone), ("from the zone", self.from_zone)] {
                if !way.is_whole() {
                    parts.push(format!("{name} {way}"));
                }
            }
        }
        parts.extend(self.flap.map(|flap| format!("flaps {flap}")));
        let reset = self.reset_every_ms.map(|ms| span_exact(u64::from(ms)));
        parts.extend(reset.map(|every| format!("reset every {every}")));
        f.pad(if parts.is_empty() { "whole".to_owned() } else { parts.join(", ") }.as_str())
    }
}
