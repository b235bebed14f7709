//! Looks up which sequence of the source a copy by `sources` holds at which of its own: each of its
//! messages says so in a header, and the order is the source's (nats-facts §T).

mod settling;

use std::time::Duration;

use async_nats::{Client, HeaderMap};
use serde_json::{Value, json};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep},
};

use self::settling::SETTLED;
pub(super) use self::settling::Settling;
use super::{
    api::{self, Failure},
    error::NatsError,
    external::read::message::Read,
    streams::SET_UP_DEADLINE,
};
use crate::region::{ZonePlan, renumbering::Renumbering, topology::STREAM};

/// The header of a message that was sourced.
pub(super) const SOURCE_HEADER: &str = "Nats-Stream-Source";
/// How often the end of a copy is looked at.
const EVERY: Duration = Duration::from_millis(200);
/// Messages that are looked up at once to find where numbers part; the rest follows later.
const MOST_LOOKUPS: usize = 200;

/// The source's sequence in `ORDERS:hash 17 > > orders.x`, if the message came from that stream.
#[must_use]
pub fn sourced(header: &str, stream: &str) -> Option<u64> {
    let mut words = header.split(' ');
    let name = words.next()?;
    let name = name.split_once(':').map_or(name, |(name, _)| name);
    if name == stream { words.next()?.parse().ok() } else { None }
}

/// The source's sequence of a message of the region's stream, as its headers say; `None` for one
/// that was not sourced.
pub(super) fn origin_in(headers: Option<&HeaderMap>) -> Option<u64> {
    let header = headers?.get(SOURCE_HEADER)?;
    sourced(header.as_str(), STREAM)
}

/// Where a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub own: u64,
    /// At the source; of a message that was not sourced, its own.
    pub origin: u64,
    pub sourced: bool,
}

/// The message that a request for one finds; `None` if there is none.
async fn find(client: &Client, body: Value) -> Result<Option<Place>, Failure> {
    let Some(stored) = api::message(client, &body).await? else { return Ok(None) };
    let own = stored.seq;
    let read = stored.read();
    let header = read.as_ref().and_then(Read::source);
    let origin = header.and_then(|header| sourced(header, STREAM));
    Ok(Some(Place { own, origin: origin.unwrap_or(own), sourced: origin.is_some() }))
}

/// The stream's last message.
pub(super) async fn last(client: &Client) -> Result<Option<Place>, Failure> {
    find(client, json!({"last_by_subj": ">"})).await
}

/// The first message from a sequence of the copy's own on.
async fn from(client: &Client, own: u64) -> Result<Option<Place>, Failure> {
    find(client, json!({"seq": own, "next_by_subj": ">"})).await
}

/// The copy's first message at or after a sequence of the source; `None` if it holds none.
pub(super) async fn at_or_after(client: &Client, origin: u64) -> Result<Option<Place>, Failure> {
    let Some(last) = last(client).await?.filter(|last| last.origin >= origin) else {
        return Ok(None);
    };
    // The copy is never ahead of the source's numbers; where nothing is missing both are the same.
    let (mut low, mut high, mut found) = (1, last.own, last);
    if let Some(place) = from(client, origin.min(last.own)).await? {
        match place {
            // Up to here both count alike.
            Place { own, origin: at, .. } if own == at && at >= origin => return Ok(Some(place)),
            Place { own, origin: at, .. } if at >= origin => (high, found) = (own, place),
            Place { own, .. } => low = own + 1,
        }
    }
    while low < high {
        let middle = low + (high - low) / 2;
        match from(client, middle).await? {
            Some(place) if place.own >= high => high = middle,
            Some(place) if place.origin >= origin => (high, found) = (place.own, place),
            Some(place) => low = place.own + 1,
            None => break,
        }
    }
    Ok(Some(found))
}

/// The source's sequence of one of the copy's own; of one that is deleted, the highest it can be.
async fn origin_of(client: &Client, own: u64) -> Result<u64, Failure> {
    match from(client, own).await? {
        Some(place) if place.own == own => Ok(place.origin),
        Some(next) => Ok(next.origin - 1),
        None => Ok(last(client).await?.map_or(own, |last| last.origin)),
    }
}

/// A zone's own sequence of the message at one of the source's; `None` if it holds none there, or
/// does not answer.
pub async fn own_of(client: &Client, zone: &ZonePlan, origin: u64) -> Option<u64> {
    if !zone.renumbers() {
        return Some(origin);
    }
    let place = at_or_after(client, origin).await.ok()??;
    (place.origin == origin).then_some(place.own)
}

/// What is looked up.
#[derive(Clone, Copy, Debug)]
pub(super) enum Question {
    Last,
    AtOrAfter { origin: u64 },
    Own { own: u64 },
}

/// Looks again until there is an answer.
///
/// # Errors
/// When there is none within [`SET_UP_DEADLINE`].
pub(super) async fn ask(
    client: &Client,
    zone: &ZonePlan,
    question: Question,
) -> Result<Option<Place>, NatsError> {
    let asked = || async move {
        let answer = match question {
            Question::Last => last(client).await,
            Question::AtOrAfter { origin } => at_or_after(client, origin).await,
            Question::Own { own } => {
                let origin = origin_of(client, own).await;
                origin.map(|origin| Some(Place { own, origin, sourced: true }))
            }
        };
        answer.map_err(|failure| failure.words())
    };
    let what = "tell where its messages stand at the source";
    api::insist(zone, what, (SET_UP_DEADLINE, EVERY), asked).await
}

/// Keeps a zone's renumbering as its stream grows; it ends when this is dropped.
#[derive(Debug)]
pub struct RenumberingWatch(JoinHandle<()>);

impl RenumberingWatch {
    /// Starts looking, over the zone's own connection and one to the source, if it copies still.
    #[must_use]
    pub fn spawn(
        client: Client,
        source: Option<Client>,
        zone: ZonePlan,
        map: watch::Sender<Renumbering>,
    ) -> Self {
        Self(tokio::spawn(async move {
            let mut settling = Settling::default();
            let mut looked_at_source = Instant::now();
            while !map.is_closed() {
                let began = Instant::now();
                let known = map.borrow().clone();
                let seen = match look(&client, known.clone()).await {
                    Ok((mut seen, last)) => {
                        let still = seen.known() == known.known();
                        if let Some(source) = &source
                            && still
                            && looked_at_source.elapsed() >= SETTLED / 2
                        {
                            looked_at_source = began;
                            if let Ok(Some(end)) = settling.look(source, &zone, last).await {
                                seen.pass(end);
                            }
                        }
                        seen
                    }
                    Err(failure) => {
                        tracing::debug!(?failure, "a copy's end was not looked at");
                        known.clone()
                    }
                };
                // A repair may have begun anew meanwhile.
                map.send_if_modified(|now| {
                    let changed = *now == known && *now != seen;
                    if changed {
                        *now = seen;
                    }
                    changed
                });
                sleep(EVERY.saturating_sub(began.elapsed())).await;
            }
        }))
    }
}

/// Looks once, to the copy's end.
///
/// # Errors
/// When the zone does not answer within [`SET_UP_DEADLINE`].
pub async fn learn(
    client: &Client,
    zone: &ZonePlan,
    map: &watch::Sender<Renumbering>,
) -> Result<(), NatsError> {
    loop {
        let last = ask(client, zone, Question::Last).await?;
        let known = map.borrow().clone();
        if let Ok((seen, _)) = look(client, known.clone()).await {
            let done = last.is_none_or(|last| !last.sourced || seen.known() >= last.own);
            let stands = seen == known;
            map.send_replace(seen);
            if done || stands {
                return Ok(());
            }
        } else {
            sleep(EVERY).await;
        }
    }
}

impl Drop for RenumberingWatch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The renumbering up to the copy's end, or as far as [`MOST_LOOKUPS`] go.
async fn look(
    client: &Client,
    mut map: Renumbering,
) -> Result<(Renumbering, Option<Place>), Failure> {
    let Some(end) = last(client).await? else {
        // Of an empty copy, too, it may be known that there is nothing for it.
        let mut empty = Renumbering::default();
        if map.known() == 0 {
            empty.pass(map.passed());
        }
        return Ok((empty, None));
    };
    if end.own < map.known() {
        // The copy was made anew.
        map = Renumbering::default();
    }
    if map.known() == 0 {
        let Some(first) = from(client, 1).await? else { return Ok((map, Some(end))) };
        map.learn(first.own, first.origin);
    }
    let mut lookups = 0;
    // What a promoted copy took from producers counts on from the last sourced message.
    let sourced =
        if end.sourced { Some(end) } else { last_sourced(client, map.known(), end).await? };
    let Some(goal) = sourced else { return Ok((map, Some(end))) };
    while map.known() < goal.own {
        let here = Place { own: map.known(), origin: map.origin(map.known()), sourced: true };
        let offset = offset(here);
        // The first message of other numbers is one of these, or the one after them.
        let (mut low, mut high, mut step) = (map.known() + 1, goal.own, goal);
        while offset != self::offset(goal) && low < high && lookups < MOST_LOOKUPS {
            lookups += 1;
            let middle = low + (high - low) / 2;
            match from(client, middle).await? {
                Some(place) if self::offset(place) == offset => low = place.own + 1,
                Some(place) => (high, step) = (middle, place),
                None => break,
            }
        }
        if offset != self::offset(goal) && low < high {
            break;
        }
        map.learn(step.own, step.origin);
    }
    Ok((map, Some(end)))
}

/// The last message that was sourced, after one that was at `known`; `None` if there is none.
async fn last_sourced(client: &Client, known: u64, end: Place) -> Result<Option<Place>, Failure> {
    let (mut low, mut high, mut found) = (known + 1, end.own, None);
    while low < high {
        // The next one first: mostly there is none.
        let middle = if low == known + 1 { low } else { low + (high - low) / 2 };
        match from(client, middle).await? {
            Some(place) if place.sourced => (low, found) = (place.own + 1, Some(place)),
            _ => high = middle,
        }
    }
    Ok(found)
}

fn offset(place: Place) -> i128 {
    i128::from(place.origin) - i128::from(place.own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sourced_message_tells_its_sequence_at_the_source() {
        assert_eq!(sourced("ORDERS:sEYF 17 > > orders.x", "ORDERS"), Some(17));
        assert_eq!(sourced("ORDERS 17", "ORDERS"), Some(17));
        assert_eq!(sourced("AUDIT:x 17 > >", "ORDERS"), None);
        assert_eq!(sourced("ORDERS:x many", "ORDERS"), None);
    }
}
