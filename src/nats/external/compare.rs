//! Compares the copies of a region of others with their origin, over any range, changing nothing.

mod merge;
mod places;

use std::time::Duration;

use serde::Serialize;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};

use self::{
    merge::merge,
    places::{find, last_sourced, range},
};
use super::{
    examine::{Region, Zone},
    look,
    read::{ReadError, Source},
};
use crate::{
    command::Point,
    ledger::copies::{Comparison, Difference, Expectation, Explained, Fault},
    region::{
        ZoneName,
        external::{StreamSeen, filters, keeps_all, losses},
        file::Copied,
    },
};

/// Lots that lie between a reader and the comparison.
const LOTS: usize = 4;
/// Messages that were missed and are looked for a second time, each alone.
const SECOND_LOOKS: usize = 64;
/// How often progress is told.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// What is to be compared.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Only the copy in this zone.
    pub zone: Option<ZoneName>,
    pub from: Option<Point>,
    pub to: Option<Point>,
    /// Messages a second that each zone is asked for at most.
    pub rate: Option<f64>,
}

/// How a copy came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Likeness {
    Identical,
    Differs,
    NotCompared,
}

/// One copy, compared.
#[derive(Clone, Debug, Serialize)]
pub struct Compared {
    pub zone: ZoneName,
    pub stream: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copied: Option<&'static str>,
    pub is: Likeness,
    /// Why it was not compared, or not all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The origin's first and last sequence of what was compared.
    pub from: u64,
    pub to: u64,
    /// Messages that both hold.
    pub messages: u64,
    /// Sequences that the origin has after the copy's last; they are not compared.
    pub behind: u64,
    /// Messages that differ.
    pub differing: u64,
    /// The first of them.
    pub differences: Vec<Difference>,
    pub explained: Vec<(Explained, u64)>,
    /// Subjects are changed on the way, and were not compared.
    pub other_subjects: bool,
    pub took_ms: u64,
}

/// How far a comparison has come.
#[derive(Clone, Debug)]
pub struct Progress<'a> {
    pub zone: &'a ZoneName,
    pub at: u64,
    pub from: u64,
    pub to: u64,
    pub messages: u64,
    pub took: Duration,
}

/// Compares each copy that is wanted, one after the other.
pub async fn compare(
    region: &Region,
    wanted: &Wanted,
    mut progress: impl FnMut(&Progress<'_>),
) -> Vec<Compared> {
    let mut all = Vec::new();
    let Some((origin, copies)) = region.zones.split_first() else { return all };
    for copy in copies {
        if wanted.zone.as_ref().is_some_and(|zone| *zone != copy.to.zone) {
            continue;
        }
        let began = Instant::now();
        let mut compared = Compared {
            zone: copy.to.zone.clone(),
            stream: copy.site.zone.stream.clone(),
            copied: copy.copied.as_ref().map(|(copied, _)| match copied {
                Copied::Mirror => "mirror",
                Copied::Sources => "sources",
            }),
            is: Likeness::NotCompared,
            why: None,
            from: 0,
            to: 0,
            messages: 0,
            behind: 0,
            differing: 0,
            differences: Vec::new(),
            explained: Vec::new(),
            other_subjects: false,
            took_ms: 0,
        };
        if let Err(why) = one(origin, copy, wanted, &mut compared, &mut progress).await {
            compared.why = Some(why);
            // What was found before the reading failed is found.
            let found = compared.differing > 0;
            compared.is = if found { Likeness::Differs } else { Likeness::NotCompared };
        }
        compared.took_ms = began.elapsed().as_millis() as u64;
        all.push(compared);
    }
    all
}

/// A zone's stream as it is read; the error says why it cannot be.
fn source(zone: &Zone) -> Result<Source<'_>, String> {
    let reading = zone.reading.ok_or_else(|| {
        format!("zone {}: its messages cannot be read; `doctor` says why", zone.to.zone)
    })?;
    Ok(Source {
        to: &zone.to,
        stream: &zone.site.zone.stream,
        reading,
        sourced_from: None,
        only: &[],
    })
}

/// A zone's stream as it is now.
async fn described(zone: &Zone) -> Result<StreamSeen, String> {
    let seen = look::stream(&zone.to, &zone.site.zone.stream).await;
    seen.map_err(|why| match why {
        Ok(_) => {
            format!("zone {}: its stream may not be asked about; `doctor` says more", zone.to.zone)
        }
        Err(problem) => problem.to_string(),
    })
}

async fn one(
    origin_zone: &Zone,
    copy_zone: &Zone,
    wanted: &Wanted,
    compared: &mut Compared,
    progress: &mut impl FnMut(&Progress<'_>),
) -> Result<(), String> {
    let in_zone = |zone: &Zone, error: &ReadError| format!("zone {}: {error}", zone.to.zone);
    let origin = source(origin_zone)?;
    // The origin is asked after the copy: while messages are published, it is never behind.
    let here = described(copy_zone).await?;
    let there = described(origin_zone).await?;
    let Some((copied, from)) = &copy_zone.copied else {
        return Err("it is no copy of the source's stream; `doctor` says more".into());
    };
    let sourced = *copied == Copied::Sources;
    if sourced && here.config.sources.iter().filter(|one| one.name == from.name).count() > 1 {
        return Err(format!(
            "it sources several streams called `{}`, whose messages cannot be told apart",
            from.name
        ));
    }
    let copy = Source {
        sourced_from: sourced.then_some(origin_zone.site.zone.stream.as_str()),
        ..source(copy_zone)?
    };
    // Where the copy begins and ends, by the origin's sequences.
    let (begins, ends) = if here.state.messages == 0 {
        (there.state.last_seq + 1, if sourced { 0 } else { here.state.last_seq })
    } else if sourced {
        let first =
            copy.at(here.state.first_seq).await.map_err(|error| in_zone(copy_zone, &error))?;
        let last = last_sourced(&copy, here.state.first_seq, here.state.last_seq).await;
        let last = last.map_err(|error| in_zone(copy_zone, &error))?;
        let first = first.map_or(there.state.last_seq + 1, |(item, _)| item.origin);
        (first, last.map_or(0, |item| item.origin))
    } else {
        (here.state.first_seq, here.state.last_seq)
    };
    let range = range(&origin, wanted, there.state.first_seq, there.state.last_seq, ends).await;
    let range = range.map_err(|error| in_zone(origin_zone, &error))?;
    (compared.from, compared.to) = (*range.start(), *range.end());
    if range.is_empty() {
        return Err("there is nothing in that range that both could hold".into());
    }
    let losses = losses(&here.config);
    let filters: Vec<String> = filters(from).into_iter().map(str::to_owned).collect();
    // Of a part nobody knows how much of what is after its last message belongs to it.
    if filters.is_empty() {
        compared.behind = there.state.last_seq.saturating_sub(ends);
    }
    compared.other_subjects = from.subject_transforms.iter().any(|one| !one.dest.is_empty());
    let only_copied = Source { only: &filters, ..origin };
    let mut found = Comparison::new(Expectation {
        other_subjects: compared.other_subjects,
        copy_is_limited: losses.oldest,
        copy_is_limited_inside: losses.any,
        copy_starts_late: from.opt_start_seq > 0 || from.opt_start_time.is_some(),
        copy_drops_ids: sourced && here.config.duplicate_window > 0,
        origin_keeps_all: keeps_all(&there.config),
        origin_last: there.state.last_seq,
        copy_begins: begins,
    });
    // Where in the copy to begin: there, too, by its own sequences.
    let (copy_from, copy_to) = if sourced {
        let first = find(&copy, here.state.first_seq, here.state.last_seq, |item, _| {
            item.origin >= *range.start()
        });
        (first.await.map_err(|error| in_zone(copy_zone, &error))?, here.state.last_seq)
    } else {
        (*range.start(), *range.end())
    };
    let began = Instant::now();
    let (to_origin, from_origin) = mpsc::channel(LOTS);
    let (to_copy, from_copy) = mpsc::channel(LOTS);
    let mut told = began;
    let merging = merge(&mut found, from_origin, from_copy, *range.end(), |at, messages| {
        if told.elapsed() >= TOLD_EVERY {
            told = Instant::now();
            let (zone, from, to) = (&copy_zone.to.zone, *range.start(), *range.end());
            progress(&Progress { zone, at, from, to, messages, took: began.elapsed() });
        }
    });
    let reading = async {
        tokio::join!(
            only_copied.read(*range.start(), *range.end(), wanted.rate, to_origin),
            copy.read(copy_from, copy_to, wanted.rate, to_copy),
        )
    };
    let (merged, _) = tokio::join!(merging, reading);
    let merged = merged.map_err(|(at_origin, error)| {
        in_zone(if at_origin { origin_zone } else { copy_zone }, &error)
    });
    if !sourced {
        second_look(&origin, &copy, &mut found).await;
    }
    if losses.oldest
        && let Ok(now) = described(copy_zone).await
        && let Ok(Some((first, _))) = copy.at(now.state.first_seq).await
    {
        found.gone_from_copy(first.origin);
    }
    compared.messages = found.compared;
    compared.differing = found.differing;
    compared.differences = found.differences;
    compared.explained = found.explained;
    merged?;
    compared.is = if compared.differing > 0 { Likeness::Differs } else { Likeness::Identical };
    match wanted.to {
        Some(Point::Sequence(to)) if to > *range.end() => Err(format!(
            "the copy ends at {}: {} to {to} is not there to compare",
            range.end(),
            range.end() + 1
        )),
        _ if compared.explained.iter().any(|(why, _)| *why == Explained::LimitsOrLoss) => Err(
            "messages are missing that its own limits may have removed: nobody can tell them from lost ones".into(),
        ),
        _ if compared.messages == 0 && compared.differing == 0 => {
            Err("no message in that range is in both".into())
        }
        _ => Ok(()),
    }
}

/// Looks once more for what was missed in a copy: a replica that lags does not make a difference.
async fn second_look(origin: &Source<'_>, copy: &Source<'_>, found: &mut Comparison) {
    let missed = found.differences.iter().filter(|one| one.fault == Fault::Missing);
    let missed: Vec<u64> =
        missed.filter(|one| one.messages == 1).map(|one| one.first).take(SECOND_LOOKS).collect();
    for seq in missed {
        let both = async { tokio::join!(origin.at(seq), copy.at(seq)) };
        if let Ok((Ok(Some((ours, _))), Ok(Some((theirs, _))))) =
            timeout(Duration::from_secs(2), both).await
            && (ours.seq, theirs.seq) == (seq, seq)
        {
            found.found_late(&ours, &theirs);
        }
    }
}
