//! Reasons of a source that deletes messages, in words.

use std::fmt;

use super::{super::reason::Reason, Part};
use crate::region::{
    MirrorKind,
    format::{count, seconds},
};

impl Reason {
    #[rustfmt::skip] // one line each: it is a table
    pub(super) fn of_keeping(&self, f: &mut fmt::Formatter<'_>) -> Part {
        Some(match self {
            Self::NoLimit { zone } => write!(f, "the stream of zone {zone} did not have one limit through both cuts"),
            Self::NoShortCut { zone, behind, limit } => write!(f, "the first cut did not test what is within the limit: zone {zone} was {} messages behind, of {} that are kept", count(*behind), count(*limit)),
            Self::NotBack { zone } => write!(f, "zone {zone} did not have what it missed in the first cut when the second one began"),
            Self::Unsteady { before, during } => write!(f, "the rate was not steady: {before}/s before the cut, {during}/s in it"),
            Self::NothingDeleted { zone, behind, limit } => write!(f, "the cut was too short: zone {zone} was {} messages behind, of {} that are kept", count(*behind), count(*limit)),
            Self::LacksOther { place, first, last, count: number, from, to } => write!(f, "{place} lacks {} messages, from sequence {first} to {last}; the source deleted those from {from} to {to} at most before it was back", count(*number)),
            Self::LimitForecast { zone, source, held, limit, rate, forecast_ms, took_ms, tolerance_ms, behind, lost, first, last } => {
                let outcome = if *held { "held" } else { "did not hold" };
                write!(f, "the forecast {outcome}: with {} messages kept at {rate}/s zone {source} was to delete what zone {zone} lacked after {}, and did after {} ({} is allowed); a cut with {} messages behind lost nothing, the long one exactly the {} that were deleted (sequences {first} to {last})", count(*limit), seconds(*forecast_ms), seconds(*took_ms), seconds(*tolerance_ms), count(*behind), count(*lost))
            }
            Self::NoInterest { zone } => write!(f, "the stream of zone {zone} did not have interest retention throughout the cut"),
            Self::NothingOfInterest { zone } => write!(f, "zone {zone} deleted nothing of what every consumer had: its retention was not seen to work"),
            Self::NotConsumed { zone } => write!(f, "the consumer of zone {zone} did not have everything at the end of the cut: nothing had to be held for the copy alone"),
            Self::HeldForCopy { zone, source, count: number, ms } => write!(f, "zone {source} held {} messages for zone {zone} alone through a cut of {}", count(*number), seconds(*ms)),
            Self::GoneForCopy { zone, source, gone, of, ms, via: MirrorKind::Classic } => write!(f, "zone {source} deleted {} of {} messages that zone {zone} lacked within a cut of {}, once its own consumer had them: a classic copy leaves no consumer there in a cut", count(*gone), count(*of), seconds(*ms)),
            Self::GoneForCopy { zone, source, gone, of, ms, via: MirrorKind::Durable } => write!(f, "zone {source} deleted {} of {} messages that zone {zone} lacked within a cut of {}, though the copy's durable consumer there lacked them", count(*gone), count(*of), seconds(*ms)),
            _ => return None,
        })
    }
}
