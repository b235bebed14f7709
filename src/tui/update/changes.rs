//! What must be seen at once, what may wait, and what changes by itself as time passes.

use super::running;
use crate::{
    region::{
        Status, UnixMs,
        status::{Drill, LinkState, MirrorState, NodeState, Phase},
    },
    tui::state::{Connection, ViewState},
};

/// Whether two pictures differ in more than numbers.
pub(super) fn differs_in_kind(old: &Status, new: &Status) -> bool {
    old.phase != new.phase
        || old.steps != new.steps
        || old.conclusions.len() != new.conclusions.len()
        || old.conclusions.iter().zip(&new.conclusions).any(|(a, b)| a.verdict != b.verdict)
        || drill_differs(old.drill.as_ref(), new.drill.as_ref())
        || old.screens != new.screens
        || old.marks.len() != new.marks.len()
        || old.tasks.len() != new.tasks.len()
        || old.producer.active != new.producer.active
        || old.zones.len() != new.zones.len()
        || old.zones.iter().zip(&new.zones).any(|(a, b)| {
            a.name != b.name
                || a.state != b.state
                || a.paused() != b.paused()
                || a.mirror.as_ref().map(|m| m.state) != b.mirror.as_ref().map(|m| m.state)
                || a.link.as_ref().map(|l| (l.state, l.effective))
                    != b.link.as_ref().map(|l| (l.state, l.effective))
                || a.recovery != b.recovery
                || a.nodes.iter().map(|n| n.state).ne(b.nodes.iter().map(|n| n.state))
        })
}

/// Whose screen drives.
pub(super) fn driver(status: &Status) -> Option<u64> {
    status.screens.iter().find(|screen| screen.drives).map(|screen| screen.id)
}

/// Whether a drill has moved on; its counters and evidence are numbers, which may wait.
fn drill_differs(old: Option<&Drill>, new: Option<&Drill>) -> bool {
    match (old, new) {
        (None, None) => false,
        (Some(a), Some(b)) => {
            a.began_at_ms != b.began_at_ms
                || a.ended_at_ms != b.ended_at_ms
                || a.verdict != b.verdict
                || a.waits_for != b.waits_for
                || a.bundle != b.bundle
                || a.queue != b.queue
                || a.steps.iter().map(|s| s.state).ne(b.steps.iter().map(|s| s.state))
        }
        _ => true,
    }
}

/// Whether anything on screen shows an age, so that it must be drawn again each second.
#[must_use]
pub fn ages(view: &ViewState, status: &Status, now: UnixMs) -> bool {
    let stale = |told: UnixMs| now.saturating_sub(told) >= crate::tui::STALE_MS;
    matches!(view.connection, Connection::Lost { .. })
        || matches!(status.phase, Phase::Starting | Phase::Stopping)
        || !status.tasks.is_empty()
        || running(status).is_some()
        || status.screens.iter().any(|s| s.ask_ends_at_ms.or(s.place_ends_at_ms).is_some())
        || status.zones.iter().any(|zone| {
            zone.link.as_ref().is_some_and(|link| link.state != LinkState::Up)
                || zone.mirror.as_ref().is_some_and(|m| m.state != MirrorState::Streaming)
                || zone.nodes.iter().any(|node| node.state != NodeState::Up)
                || zone.recovery.as_ref().is_some_and(|r| r.caught_up_after_ms.is_none())
                || zone.stream.as_ref().is_some_and(|s| stale(s.told_at_ms))
                || zone.consumer.as_ref().is_some_and(|c| c.told_at_ms.is_some_and(stale))
        })
}
