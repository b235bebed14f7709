//! Whether the room itself was late: nothing is called silent that was only not listened to.

use super::{SILENT_MS, State};
use crate::region::{
    UnixMs,
    event::{EventKind, Severity},
    format::span,
    status::Late,
};

/// The room ticks every second: if nothing came for longer, it was late.
pub const LATE_MS: u64 = 2_000;

impl State {
    /// Compares an input's moment with that of the one before.
    pub(super) fn notice_lateness(&mut self, now: UnixMs, events: &mut Vec<EventKind>) {
        let for_ms = now.saturating_sub(std::mem::replace(&mut self.last_input_at_ms, now));
        if for_ms <= LATE_MS || self.status.zones.is_empty() {
            return;
        }
        self.status.late = Some(Late { at_ms: now, for_ms });
        self.touch();
        let text = format!(
            "the room was late: it took in nothing for {} (a busy or suspended machine, or its clock was set); what was observed meanwhile is older than it says",
            span(for_ms)
        );
        events.push(EventKind::Note { severity: Severity::Warn, text });
    }

    /// Whether the room has listened for too short a time to say that somebody does not answer.
    pub(super) fn has_just_been_late(&self, now: UnixMs) -> bool {
        self.status.late.is_some_and(|late| now.saturating_sub(late.at_ms) < SILENT_MS)
    }
}
