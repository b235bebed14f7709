//! Was it forecast how long a cut may be before the source's limit deletes what the copy lacks?
//!
//! Observed: the limit, as the room has set it; the acknowledgements, for the rate; the first and the
//! last sequence of the source's stream and the last one of the copy, as their leaders tell; at the
//! end every replica of the copy, and what each consumer received.

use super::{
    Check, Finding,
    case::{Case, PROGRESS},
    live::{Live, LiveCounter},
    no_loss_no_duplicate::{damaged, received},
    or_void,
    reason::{Place, Reason, When},
};
use crate::{
    drill::record::Sample,
    ledger::finding::{
        Evidence, Judgement, ZoneFinding,
        fault::{Fault, Kind},
        judge as judge_zone, judge_replica,
    },
    region::{
        UnixMs, ZoneName,
        format::seconds,
        status::{LinkState, Verdict, Zone},
    },
};

pub(super) static CHECK: Check = Check {
    id: "retention",
    was: &[],
    question: "was it forecast how long a cut may be before the source deletes what the copy lacks, and did the copy lack exactly that?",
    by_ledger: true,
    by_replicas: true,
    live,
    judge: |case| or_void(&CHECK, judge(case)),
};

/// A forecast may be wrong by this much of itself, as may the rate that it is made of.
const ROUGHLY_PERCENT: u64 = 15;
/// And by this much, as both ends are asked once or twice a second.
const LOOKED_AT_MS: u64 = 1_500;

/// What a sample says of both ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub at: UnixMs,
    acked: u64,
    limit: Option<u64>,
    /// The first sequence that the source's stream holds.
    pub first: u64,
    pub last: u64,
    /// The last sequence that the copy holds.
    pub copied: u64,
    cut: bool,
}

impl Look {
    pub fn of(sample: &Sample, source: &ZoneName, mirror: &ZoneName) -> Option<Self> {
        let (source, copy) = (sample.zone(source)?, sample.zone(mirror)?);
        let stream = source.stream.as_ref()?;
        Some(Self {
            at: sample.at,
            acked: sample.acked(),
            limit: source.keeping.limit,
            first: stream.first_seq,
            last: stream.last_seq,
            copied: copy.last_seq()?,
            cut: copy.link_state() == Some(LinkState::Cut),
        })
    }

    /// Messages that the copy does not have yet.
    pub fn behind(self) -> u64 {
        self.last.saturating_sub(self.copied)
    }

    /// Of them, those that the source has deleted.
    pub fn gone(self) -> u64 {
        self.first.saturating_sub(self.copied.saturating_add(1))
    }
}

/// The looks from the beginning of one phase to the end of another.
pub(super) fn looks(case: &Case<'_>, first: &str, last: &str) -> Result<Vec<Look>, Reason> {
    let (phase, last) = (case.phase(first)?, case.phase(last)?);
    let end = last.to.unwrap_or(last.from);
    let samples = case.watched(When::Phase(phase.name.clone()), phase.from, end)?;
    let look = |sample| Look::of(sample, &case.begin.source, &case.begin.mirror);
    let looks: Vec<_> = samples.iter().filter_map(look).collect();
    if looks.is_empty() {
        let when = When::Phase(phase.name.clone());
        return Err(Reason::TooFewLooks { when, looks: 0, needed: 1 });
    }
    Ok(looks)
}

fn judge(case: &Case<'_>) -> Result<Finding, Reason> {
    let (source, mirror) = (&case.begin.source, &case.begin.mirror);
    for zone in case.zones().into_iter().filter(|zone| *zone != mirror) {
        let found = received(case, zone);
        if found.verdict != Verdict::Proved {
            return Ok(Finding { check: CHECK.id.into(), ..found });
        }
    }
    let (load, during) = (looks(case, "load", "limited")?, looks(case, "during", "during")?);
    let short = looks(case, "short", "back")?;
    let found = forecast(&load, &short, &during).map_err(|why| why.of(source, mirror))?;
    if !case.is_drained(mirror) {
        return Err(Reason::NotDrained { zone: mirror.clone() });
    }
    let deleted = deleted(&during, &looks(case, "healing", "after")?);
    let lost = match lost(case, deleted)? {
        Ok(lost) => lost,
        Err(broken) => return Ok(broken),
    };
    let Forecast { limit, rate, after_ms: forecast_ms, took_ms, behind } = found;
    let held = took_ms.abs_diff(forecast_ms) <= tolerance(forecast_ms);
    let zone = mirror.clone();
    let (first, last) = (deleted.0, deleted.0 + lost - 1);
    let reason = Reason::LimitForecast {
        zone,
        source: source.clone(),
        held,
        limit,
        rate,
        forecast_ms,
        took_ms,
        tolerance_ms: tolerance(forecast_ms),
        behind,
        lost,
        first,
        last,
    };
    Ok(if held { Finding::proved(CHECK.id, reason) } else { Finding::broken(CHECK.id, reason) })
}

fn tolerance(forecast_ms: u64) -> u64 {
    (forecast_ms / 100).saturating_mul(ROUGHLY_PERCENT).saturating_add(LOOKED_AT_MS)
}

/// Why there is no forecast to judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    NoLimit,
    NoShortCut { behind: u64, limit: u64 },
    NotBack,
    Unsteady { before: u64, during: u64 },
    NothingDeleted { behind: u64, limit: u64 },
}

impl Why {
    fn of(self, source: &ZoneName, zone: &ZoneName) -> Reason {
        let zone = zone.clone();
        match self {
            Self::NoLimit => Reason::NoLimit { zone: source.clone() },
            Self::NoShortCut { behind, limit } => Reason::NoShortCut { zone, behind, limit },
            Self::NotBack => Reason::NotBack { zone },
            Self::Unsteady { before, during } => Reason::Unsteady { before, during },
            Self::NothingDeleted { behind, limit } => {
                Reason::NothingDeleted { zone, behind, limit }
            }
        }
    }
}

/// The forecast at the beginning of the long cut, and what came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Forecast {
    limit: u64,
    /// Messages a second, before the cut.
    rate: u64,
    /// When the source was to delete what the copy lacked.
    after_ms: u64,
    took_ms: u64,
    /// How far behind the copy was at most through the short cut.
    behind: u64,
}

fn forecast(load: &[Look], short: &[Look], during: &[Look]) -> Result<Forecast, Why> {
    let begin = *during.first().ok_or(Why::NoLimit)?;
    let limit = begin.limit.ok_or(Why::NoLimit)?;
    if short.iter().chain(during).any(|look| look.limit != Some(limit)) {
        return Err(Why::NoLimit);
    }
    let behind = short.iter().map(|look| look.behind()).max().unwrap_or(0);
    // Neither nothing nor too much was tried.
    let cut = short.iter().rfind(|look| look.cut);
    if cut.is_none() || behind < PROGRESS.max(limit / 5) || behind >= limit {
        return Err(Why::NoShortCut { behind, limit });
    }
    // Otherwise what the short cut cost would be the long one's.
    let missed = cut.map_or(0, |look| look.last);
    if short.last().is_none_or(|look| look.copied < missed) {
        return Err(Why::NotBack);
    }
    let rate = rate(load);
    let moment = during.iter().find(|look| look.gone() > 0);
    let until = moment.map_or(begin.at, |moment| moment.at);
    let seen: Vec<Look> = during.iter().filter(|look| look.at <= until).copied().collect();
    let Some(moment) = moment.filter(|moment| moment.at > begin.at) else {
        let behind = during.iter().map(|look| look.behind()).max().unwrap_or(0);
        return Err(Why::NothingDeleted { behind, limit });
    };
    let in_cut = self::rate(&seen);
    if rate == 0 || rate.abs_diff(in_cut) * 100 > ROUGHLY_PERCENT * rate {
        return Err(Why::Unsteady { before: rate, during: in_cut });
    }
    let after_ms = limit.saturating_sub(begin.behind()) * 1000 / rate;
    Ok(Forecast { limit, rate, after_ms, took_ms: moment.at - begin.at, behind })
}

/// Messages a second that were acknowledged.
fn rate(looks: &[Look]) -> u64 {
    // A producer takes a moment to begin.
    let running = looks.windows(2).find(|pair| pair[1].acked > pair[0].acked);
    let (Some([_, first]), Some(last)) = (running, looks.last()) else { return 0 };
    let ms = last.at.saturating_sub(first.at);
    (last.acked.saturating_sub(first.acked) * 1000 + ms / 2).checked_div(ms).unwrap_or(0)
}

/// What the source deleted before the copy was back: the first message that the copy lacked, the last one
/// that was deleted by the heal, and the last one that was deleted by the time it copied again.
fn deleted(during: &[Look], healing: &[Look]) -> (u64, u64, u64) {
    let held = during.last().map_or(0, |look| look.copied);
    let at_heal = during.iter().map(|look| look.first).max().unwrap_or(0);
    let back = healing.iter().find(|look| look.copied > held).map_or(0, |look| look.at);
    // Both ends are not asked at once.
    let settled = healing.iter().find(|look| look.at >= back + LOOKED_AT_MS);
    let gone = settled.or(healing.last()).map_or(at_heal, |look| look.first);
    (held + 1, at_heal.saturating_sub(1), gone.max(at_heal).saturating_sub(1))
}

/// How many messages the copy lacks, the same in each replica and in what its consumer received: one
/// run of those that were deleted. Otherwise what is wrong.
fn lost(
    case: &Case<'_>,
    (from, at_least, at_most): (u64, u64, u64),
) -> Result<Result<u64, Finding>, Reason> {
    let zone = &case.begin.mirror;
    let mut missing = None;
    for replica in zone.nodes() {
        let Some(read) = case.streams.iter().find(|read| read.replica == replica) else {
            return Err(Reason::Unread { replica, why: None });
        };
        let place = Place::Replica(replica);
        let found = judge_replica(case.ledger, &read.audit, None, true);
        if !only(&found, Kind::Lost) {
            return Ok(Err(Finding::broken(CHECK.id, damaged(place, &found))));
        }
        let (first, last, count) = read.audit.lacks(case.ledger).unwrap_or_default();
        let in_one = first == from && last + 1 - first == count;
        if !in_one || last < at_least || last > at_most {
            let reason = Reason::LacksOther { place, first, last, count, from, to: at_most };
            return Ok(Err(Finding::broken(CHECK.id, reason)));
        }
        missing = Some(count);
    }
    let lost = missing.ok_or_else(|| Reason::NoReplicas { zone: zone.clone() })?;
    let account = case.ledger.account(zone, case.run.last(zone).and_then(Zone::ack_floor));
    let evidence = Evidence { account: &account, stream: None, fidelity: None, drained: true };
    let found = judge_zone(case.ledger, zone, &evidence);
    if !only(&found, Kind::NotReceived) || found.not_received.total() != lost {
        return Ok(Err(Finding::broken(CHECK.id, damaged(Place::Zone(zone.clone()), &found))));
    }
    Ok(Ok(lost))
}

/// Nothing else is wrong.
fn only(found: &ZoneFinding, kind: Kind) -> bool {
    match &found.judgement {
        Judgement::Broken { faults } => faults.iter().all(|fault: &Fault| fault.of(kind)),
        Judgement::Whole => true,
        _ => false,
    }
}

fn live(live: &Live<'_>, counters: &mut Vec<LiveCounter>) {
    let (source, zone) = (&live.begin.source, &live.begin.mirror);
    let last = live.run.samples.last();
    let look = last.and_then(|sample| Look::of(sample, source, zone));
    let rate = last.map_or(0.0, |sample| sample.status.producer.rate);
    let most = look.and_then(|look| look.limit).filter(|_| rate >= 1.0);
    let ms = most.map(|limit| seconds((limit as f64 * 1000.0 / rate) as u64));
    counters.push(LiveCounter::known("a cut may be", ms));
    counters.push(LiveCounter::known(&format!("{zone} true lag"), look.map(Look::behind)));
    // Once the copy has passed what it lacks, the ledger alone shows it.
    let looks = live.run.samples.iter().filter_map(|sample| Look::of(sample, source, zone));
    let lost = |sample: &Sample| sample.zone(zone).map_or(0, |zone| zone.ledger.lost);
    let before = live.run.samples.first().map_or(0, lost);
    let lost = last.map_or(0, lost).saturating_sub(before);
    counters.push(gone(looks.map(Look::gone).max().map(|gone| gone.max(lost)), zone));
}

/// Deleted messages that the copy lacks.
pub(super) fn gone(count: Option<u64>, mirror: &ZoneName) -> LiveCounter {
    LiveCounter::known(&format!("deleted, not in {mirror}"), count)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hundred a second from 0 s on; the copy stands at `copied`.
    fn at(second: u64, copied: u64) -> Look {
        let last = second * 100;
        let (limit, first) = (Some(1200), last.saturating_sub(1199).max(1));
        Look { at: second * 1000, acked: last, limit, first, last, copied, cut: true }
    }

    fn run(from: u64, to: u64, copied: impl Fn(u64) -> u64) -> Vec<Look> {
        (from..=to).map(|second| at(second, copied(second))).collect()
    }

    #[test]
    fn a_forecast_is_the_limit_over_the_rate_less_what_is_missing_already() {
        let (load, mut short) = (run(1, 4, |s| s * 100), run(4, 9, |_| 400));
        short.push(Look { cut: false, ..at(10, 900) });
        let during = run(12, 32, |_| 1100);
        let found = forecast(&load, &short, &during).unwrap();
        // At 12 s one second is missing: 1200 are at 23 s, and the first is gone a look later.
        let expected =
            Forecast { limit: 1200, rate: 100, after_ms: 11_000, took_ms: 12_000, behind: 500 };
        assert_eq!(found, expected);
        assert!(found.took_ms.abs_diff(found.after_ms) <= tolerance(found.after_ms));

        let unlimited: Vec<_> = during.iter().map(|look| Look { limit: None, ..*look }).collect();
        assert_eq!(forecast(&load, &short, &unlimited), Err(Why::NoLimit));
        let changed: Vec<_> = short.iter().map(|look| Look { limit: Some(9), ..*look }).collect();
        assert_eq!(forecast(&load, &changed, &during), Err(Why::NoLimit));
        let whole: Vec<_> = short.iter().map(|look| Look { cut: false, ..*look }).collect();
        let none = Err(Why::NoShortCut { behind: 500, limit: 1200 });
        assert_eq!(forecast(&load, &whole, &during), none);
        assert_eq!(forecast(&load, &short[..6], &during), Err(Why::NotBack));
        let long = run(4, 17, |_| 400);
        let none = Err(Why::NoShortCut { behind: 1300, limit: 1200 });
        assert_eq!(forecast(&load, &long, &during), none);
        assert_eq!(
            forecast(&load, &short, &during[..5]),
            Err(Why::NothingDeleted { behind: 500, limit: 1200 })
        );
        let slower: Vec<_> =
            load.iter().map(|look| Look { acked: look.acked / 2, ..*look }).collect();
        assert_eq!(
            forecast(&slower, &short, &during),
            Err(Why::Unsteady { before: 50, during: 100 })
        );
    }

    #[test]
    fn what_was_deleted_lies_between_the_heal_and_the_copys_return() {
        let during = run(12, 32, |_| 1100);
        let healing = run(33, 40, |second| if second < 35 { 1100 } else { second * 100 });
        // 3,200 at the heal and 3,700 once both ends were asked again, 1,200 of each are kept.
        assert_eq!(deleted(&during, &healing), (1101, 2000, 2500));
    }
}
