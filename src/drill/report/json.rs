//! `report.json`: verdicts, findings and figures for machines.
//!
//! The schema is [`Report`], named by its `schema` member (`zonedrill-report/1`). Members are only
//! ever added under one name; `null` is "not known", never zero; members that end in `_ms` are
//! milliseconds (moments: since 1970), in `_us` microseconds.

use super::Report;

/// The report as JSON.
#[must_use]
pub fn render(report: &Report) -> String {
    serde_json::to_string_pretty(report).unwrap_or_default() + "\n"
}
