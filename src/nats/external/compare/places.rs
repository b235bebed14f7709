//! Where in two streams a comparison begins and ends.

use std::ops::RangeInclusive;

use super::Wanted;
use crate::{
    command::Point,
    ledger::copies::Item,
    nats::external::read::{ReadError, Source},
    region::UnixMs,
};

/// The origin's sequences to compare.
pub async fn range(
    origin: &Source<'_>,
    wanted: &Wanted,
    first: u64,
    last: u64,
    copy_ends: u64,
) -> Result<RangeInclusive<u64>, ReadError> {
    let at = async |point: Point, after: u64| match point {
        Point::Sequence(seq) => Ok(seq),
        Point::Time(ms) => {
            let reached = |_: &Item, time: Option<UnixMs>| time.is_some_and(|time| time >= ms);
            find(origin, first, last, reached).await.map(|seq| seq.saturating_sub(after))
        }
    };
    let from = match wanted.from {
        Some(point) => at(point, 0).await?,
        None => first,
    };
    let to = match wanted.to {
        Some(point) => at(point, 1).await?,
        None => last,
    };
    // A copy that goes further than the origin ever did is no copy of it any more: to be seen.
    let end = if wanted.to.is_none() && copy_ends > last { copy_ends } else { to.min(copy_ends) };
    Ok(from.max(1)..=end)
}

/// The first sequence from which on something holds, of a stream in which it goes on to hold; one
/// after the last where it never does.
pub async fn find(
    stream: &Source<'_>,
    first: u64,
    last: u64,
    holds: impl Fn(&Item, Option<UnixMs>) -> bool,
) -> Result<u64, ReadError> {
    let (mut low, mut high) = (first, last + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let found = stream.at(middle).await?;
        let time = |time: jiff::Timestamp| u64::try_from(time.as_millisecond()).unwrap_or(0);
        match found {
            Some((item, at)) if !holds(&item, at.map(time)) => low = item.seq.max(middle) + 1,
            _ => high = middle,
        }
    }
    Ok(low.min(last + 1))
}

/// The last message in a copy that came from the origin.
pub async fn last_sourced(
    copy: &Source<'_>,
    first: u64,
    last: u64,
) -> Result<Option<Item>, ReadError> {
    // Nothing that came from there is after a sequence at which nothing more is found.
    let after = {
        let (mut low, mut high) = (first, last + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            if copy.at(middle).await?.is_some() { low = middle + 1 } else { high = middle }
        }
        low
    };
    match after.checked_sub(1).filter(|seq| *seq >= first) {
        Some(seq) => Ok(copy.at(seq).await?.map(|(item, _)| item)),
        None => Ok(None),
    }
}
