//! Did the backlog clear as it was forecast?
//!
//! Observed: the link's own forecast (`link.measured.clears_in_ms`) at the first sample of the phase
//! `clearing` that has one, and the first sample after it in which the mirror has everything.

use super::{
    Check, Finding,
    case::{Case, PROGRESS},
    or_void,
    reason::{Reason, When},
};
use crate::region::{UnixMs, status::Zone};

pub(super) static CHECK: Check = Check {
    id: "forecast",
    was: &[],
    question: "did the backlog clear in the time that was forecast?",
    by_ledger: false,
    by_replicas: false,
    live: |_, _| {},
    judge: |case| or_void(&CHECK, judge(case)),
};

/// A forecast is of seconds that are looked at twice a second.
const ROUGHLY_MS: u64 = 2_000;

fn judge(case: &Case<'_>) -> Result<Finding, Reason> {
    let phase = case.phase("clearing")?;
    let end = phase.to.unwrap_or(phase.from);
    let zone = case.begin.mirror.clone();
    let samples = case.watched(When::Phase(phase.name.clone()), phase.from, end)?;
    let looks: Vec<(UnixMs, &Zone)> =
        samples.iter().filter_map(|one| Some((one.at, one.zone(&zone)?))).collect();
    let forecast = |(at, seen): &(UnixMs, &Zone)| {
        let behind = seen.true_lag().filter(|lag| *lag >= PROGRESS)?;
        let ms = seen.link.as_ref()?.measured.as_ref()?.clears_in_ms?;
        Some((*at, behind, ms))
    };
    let told = looks.iter().find_map(forecast);
    let (at, behind, forecast_ms) =
        told.ok_or_else(|| Reason::NoForecast { zone: zone.clone() })?;
    let cleared = looks.iter().find(|(later, seen)| *later > at && seen.true_lag() == Some(0));
    let Some((cleared, _)) = cleared else { return Err(Reason::NeverCleared { zone, behind }) };
    let took_ms = cleared - at;
    let held = took_ms <= 2 * forecast_ms + ROUGHLY_MS && forecast_ms <= 2 * took_ms + ROUGHLY_MS;
    let reason = Reason::ForecastHeld { zone, held, behind, forecast_ms, took_ms };
    Ok(if held { Finding::proved(CHECK.id, reason) } else { Finding::broken(CHECK.id, reason) })
}
