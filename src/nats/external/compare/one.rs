//! One copy, compared with its origin.

use std::time::Duration;

use tokio::{sync::mpsc, time::timeout};

use super::{
    Compared, Halfway, Likeness, Reached, Told, Wanted,
    halfway::Clock,
    merge::{Part, Stopped, merge},
    places::{find, last_sourced, range},
};
use crate::{
    command::Point,
    ledger::copies::{Comparison, Expectation, Explained, Fault},
    nats::{
        external::{
            examine::Zone,
            look,
            read::{ReadError, Source},
        },
        pace::Budget,
    },
    region::{
        external::{StreamSeen, filters, keeps_all, losses},
        file::Copied,
    },
};

/// Lots that lie between a reader and the comparison.
const LOTS: usize = 4;
/// Messages that were missed and are looked for a second time, each alone.
const SECOND_LOOKS: usize = 64;

/// The two zones, and what may be read in each.
pub(super) struct Sides<'a> {
    pub(super) origin: &'a Zone,
    pub(super) copy: &'a Zone,
    pub(super) budgets: (Option<&'a Budget>, Option<&'a Budget>),
}

/// A zone's stream as it is read; the error says why it cannot be.
fn source<'a>(zone: &'a Zone, budget: Option<&'a Budget>) -> Result<Source<'a>, String> {
    let reading = zone.reading.ok_or_else(|| {
        format!("zone {}: its messages cannot be read; `doctor` says why", zone.to.zone)
    })?;
    let stream = &zone.site.zone.stream;
    Ok(Source { to: &zone.to, stream, reading, sourced_from: None, only: &[], budget })
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

/// Where the copy begins and ends, by the origin's sequences.
async fn ends(
    copy: &Source<'_>,
    sourced: bool,
    here: &StreamSeen,
    origin_last: u64,
) -> Result<(u64, u64), ReadError> {
    let (first, last) = (here.state.first_seq, here.state.last_seq);
    match (here.state.messages, sourced) {
        (0, true) => Ok((origin_last + 1, 0)),
        (0, false) => Ok((origin_last + 1, last)),
        (_, false) => Ok((first, last)),
        (_, true) => {
            let begins = copy.at(first).await?.map_or(origin_last + 1, |(item, _)| item.origin);
            Ok((begins, last_sourced(copy, first, last).await?.map_or(0, |item| item.origin)))
        }
    }
}

pub(super) async fn one(
    sides: &Sides<'_>,
    wanted: &Wanted,
    compared: &mut Compared,
    tell: &mut impl FnMut(Told<'_>),
) -> Result<(), String> {
    let (origin_zone, copy_zone) = (sides.origin, sides.copy);
    let in_zone = |zone: &Zone, error: &ReadError| format!("zone {}: {error}", zone.to.zone);
    let in_copy = |error: ReadError| in_zone(copy_zone, &error);
    let origin = source(origin_zone, sides.budgets.0)?;
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
        ..source(copy_zone, sides.budgets.1)?
    };
    let losses = losses(&here.config);
    let filters: Vec<String> = filters(from).into_iter().map(str::to_owned).collect();
    compared.other_subjects = from.subject_transforms.iter().any(|one| !one.dest.is_empty());
    let halfway = wanted.halfway.clone().filter(|halfway| halfway.zone == compared.zone);
    let mut halfway = match halfway {
        Some(halfway) if halfway.is_of(&there, &here) => halfway,
        Some(_) => {
            return Err(
                "a stream was made anew since it was compared in part: compare it from the beginning, without `--resume`".into(),
            );
        }
        None => {
            let (begins, ends) =
                ends(&copy, sourced, &here, there.state.last_seq).await.map_err(in_copy)?;
            let (first, last) = (there.state.first_seq, there.state.last_seq);
            let range = range(&origin, wanted, first, last, ends).await;
            let range = range.map_err(|error| in_zone(origin_zone, &error))?;
            (compared.from, compared.to) = (*range.start(), *range.end());
            if range.is_empty() {
                return Err("there is nothing in that range that both could hold".into());
            }
            let reached = Reached {
                origin: *range.start(),
                copy: first_in(&copy, sourced, &here, *range.start()).await.map_err(in_copy)?,
            };
            Halfway {
                zone: compared.zone.clone(),
                origin_created: there.created.clone(),
                copy_created: here.created.clone(),
                from: *range.start(),
                to: *range.end(),
                beyond: match wanted.to {
                    Some(Point::Sequence(to)) if to > *range.end() => Some(to),
                    _ => None,
                },
                // Of a part nobody knows how much of what is after its last message belongs to it.
                behind: if filters.is_empty() { last.saturating_sub(ends) } else { 0 },
                reached,
                found: Comparison::new(Expectation {
                    other_subjects: compared.other_subjects,
                    copy_is_limited: losses.oldest,
                    copy_is_limited_inside: losses.any,
                    copy_starts_late: from.opt_start_seq > 0 || from.opt_start_time.is_some(),
                    copy_drops_ids: sourced && here.config.duplicate_window > 0,
                    origin_keeps_all: keeps_all(&there.config),
                    origin_last: last,
                    copy_begins: begins,
                }),
                runs: Vec::new(),
                took_ms: 0,
            }
        }
    };
    (compared.from, compared.to) = (halfway.from, halfway.to);
    (compared.behind, compared.earlier) = (halfway.behind, halfway.runs.clone());
    compared.took_ms = halfway.took_ms;
    let parts = match wanted.sample {
        Some(sample) => sample.of(halfway.from..=halfway.to),
        None => vec![halfway.reached.origin..=halfway.to],
    };
    compared.sampled_runs = wanted.sample.map(|_| parts.len() as u64);
    let only_copied = Source { only: &filters, ..origin };
    let mut clock = Clock::start(&halfway);
    let mut stopped = None;
    for part in parts {
        let from = if wanted.sample.is_some() {
            let copy_from = first_in(&copy, sourced, &here, *part.start()).await;
            Reached { origin: *part.start(), copy: copy_from.map_err(in_copy)? }
        } else {
            halfway.reached
        };
        let part = Part { from, last: *part.end(), to_the_end: sourced && wanted.sample.is_none() };
        let copy_to = if sourced { here.state.last_seq.max(from.copy) } else { part.last };
        let sources = (&only_copied, &copy);
        let ended = compare_part(sources, part, copy_to, &mut halfway, |halfway, found| {
            clock.take(halfway, found, wanted.sample.is_some(), tell);
        });
        if let Err(why) = ended.await {
            stopped = Some(why);
            break;
        }
    }
    if let Some(why) = stopped.as_ref().filter(|_| wanted.sample.is_none()) {
        halfway.reached = why.reached;
        tell(Told::Halfway(&halfway.kept(&halfway.found, clock.began.elapsed())));
    }
    let mut found = halfway.found;
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
    if let Some(Stopped { at_origin, error, .. }) = stopped {
        compared.stopped = true;
        return Err(in_zone(if at_origin { origin_zone } else { copy_zone }, &error));
    }
    compared.is = match wanted.sample {
        _ if compared.differing > 0 => Likeness::Differs,
        Some(_) => Likeness::Sampled,
        None => Likeness::Identical,
    };
    match halfway.beyond {
        Some(to) => Err(format!(
            "the copy ends at {}: {} to {to} is not there to compare",
            halfway.to,
            halfway.to + 1
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

/// Compares one part; what was found, and how far it has come, is in `halfway`.
async fn compare_part(
    (origin, copy): (&Source<'_>, &Source<'_>),
    part: Part,
    copy_to: u64,
    halfway: &mut Halfway,
    mut tell: impl FnMut(&Halfway, &Comparison),
) -> Result<(), Stopped> {
    let (to_origin, from_origin) = mpsc::channel(LOTS);
    let (to_copy, from_copy) = mpsc::channel(LOTS);
    let mut found = std::mem::take(&mut halfway.found);
    let merged = {
        let merging = merge(&mut found, from_origin, from_copy, part, |found, reached| {
            halfway.reached = reached;
            tell(halfway, found);
        });
        let reading = async {
            tokio::join!(
                origin.read(part.from.origin, part.last, to_origin),
                copy.read(part.from.copy, copy_to, to_copy),
            )
        };
        tokio::pin!(merging, reading);
        // Once nothing more is compared, nothing more is read.
        tokio::select! {
            merged = &mut merging => merged,
            _ = &mut reading => merging.await,
        }
    };
    halfway.found = found;
    merged
}

/// Where in the copy to begin, by its own sequences: at the first that is not before this one of the
/// origin's.
async fn first_in(
    copy: &Source<'_>,
    sourced: bool,
    here: &StreamSeen,
    origin: u64,
) -> Result<u64, ReadError> {
    if !sourced {
        return Ok(origin);
    }
    let (first, last) = (here.state.first_seq, here.state.last_seq);
    find(copy, first, last, |item, _| item.origin >= origin).await
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
