//! Was the link as bad as it was said to be?
//!
//! Observed: for each `impair` of the run, the link's condition and whether it was proved, in the
//! samples from its answer to whatever ended it. The proof itself is `region::condition::measured`:
//! what the carrier counted and what both ends saw.

use super::{
    Check, Finding,
    case::Case,
    live::{Live, LiveCounter},
    reason::Reason,
};
use crate::{
    command::Command,
    drill::record::CommandOutcome,
    region::{UnixMs, ZoneName, status::Link},
};

pub(super) static CHECK: Check = Check {
    id: "impaired",
    was: &[],
    question: "was the link as bad as asked, on the line and at both ends?",
    by_ledger: false,
    by_replicas: false,
    live,
    judge,
};

/// An impairment ends by itself so much earlier or later than its time.
const ROUGHLY_MS: u64 = 1_000;

/// An `impair` that was done, and until when it stood.
struct Asked<'a> {
    line: &'a str,
    zone: &'a ZoneName,
    from: UnixMs,
    to: UnixMs,
}

/// Does the run impair a link?
pub(super) fn impairs(case: &Case<'_>) -> bool {
    case.run.given.iter().any(|given| matches!(given.command, Some(Command::Impair { .. })))
}

fn judge(case: &Case<'_>) -> Vec<Finding> {
    let asked = asked(case);
    if asked.is_empty() {
        return vec![Finding::void(CHECK.id, Reason::NothingImpaired)];
    }
    let found = asked.iter().map(|asked| match shown(case, asked) {
        Ok(reason) => Finding::proved(CHECK.id, reason),
        Err(reason) => Finding::void(CHECK.id, reason),
    });
    found.collect()
}

fn asked<'a>(case: &'a Case<'_>) -> Vec<Asked<'a>> {
    let given = &case.run.given;
    let last = case.run.samples.last().map_or(0, |sample| sample.at);
    let all = given.iter().enumerate().filter_map(|(i, one)| {
        let Some(Command::Impair { zone, heal_after, .. }) = &one.command else { return None };
        let answer = one.answer.as_ref().filter(|a| a.outcome == CommandOutcome::Done)?;
        let ends = given[i + 1..].iter().find(|next| match &next.command {
            Some(Command::Heal { zone: named }) => named.as_ref().is_none_or(|named| named == zone),
            Some(Command::Impair { zone: named, .. } | Command::Cut { zone: named, .. }) => {
                named == zone
            }
            _ => false,
        });
        let by_itself = heal_after.map(|time| {
            (answer.at + time.as_millis() as u64).saturating_sub(ROUGHLY_MS).max(answer.at)
        });
        let to = ends.map(|next| next.at).into_iter().chain(by_itself).min().unwrap_or(last);
        Some(Asked { line: &one.line, zone, from: answer.at, to })
    });
    all.collect()
}

fn shown(case: &Case<'_>, asked: &Asked<'_>) -> Result<Reason, Reason> {
    let (line, zone) = (asked.line.to_owned(), asked.zone.clone());
    let samples = case.run.samples.iter().filter(|one| (asked.from..asked.to).contains(&one.at));
    let links: Vec<(UnixMs, &Link)> =
        samples.filter_map(|one| Some((one.at, one.zone(&zone)?.link.as_ref()?))).collect();
    let so = |link: &Link| link.condition.is_some() && link.effective;
    let Some(first) = links.iter().position(|(_, link)| so(link)) else {
        let told = links.last().and_then(|(_, link)| link.measured.as_ref());
        let missing = told.map(|measured| measured.unproved.clone()).unwrap_or_default();
        return Err(Reason::ImpairmentNotMeasured { line, zone, missing });
    };
    if let Some((at, _)) = links[first..].iter().find(|(_, link)| !so(link)) {
        return Err(Reason::ImpairmentLost { line, zone, after_ms: at - asked.from });
    }
    let trips = links[first..].iter().filter_map(|(_, link)| link.measured.as_ref()?.round_trip_us);
    let round_trip_us = trips.min();
    let (looks, after_ms) = (links.len() - first, links[first].0 - asked.from);
    Ok(Reason::ImpairmentMeasured { line, zone, looks, after_ms, round_trip_us })
}

fn live(live: &Live<'_>, counters: &mut Vec<LiveCounter>) {
    let link = live.run.last(&live.begin.mirror).and_then(|zone| zone.link.as_ref());
    let Some((link, asked)) = link.and_then(|link| Some((link, link.condition?))) else {
        counters.push(LiveCounter::unknown("link as asked"));
        return;
    };
    let value = if link.effective { asked.to_string() } else { "not measured yet".into() };
    counters.push(LiveCounter::known("link as asked", Some(value)).good(link.effective));
}
