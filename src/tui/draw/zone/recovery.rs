//! The clock of the last heal.

use ratatui::text::Line;

use super::Pane;
use crate::{
    region::{format::seconds, status::Recovery},
    tui::{draw::Scene, format, theme::Theme},
};

impl Pane<'_> {
    /// The clock of the last heal: three stages, timed apart.
    pub(super) fn recovery(&mut self, recovery: &Recovery) {
        let Scene { theme, now, .. } = self.scene;
        let dot = theme.dot();
        let open = recovery.caught_up_after_ms.is_none();
        let style = if open { theme.active() } else { theme.value() };
        let since = format!("healed {} ago", format::age(recovery.healed_at_ms, now));
        let behind = recovery.behind.map(|n| format!("{} behind", format::count(n)));
        let head = [Some(since), behind]
            .into_iter()
            .flatten()
            .map(|part| theme.say(&part))
            .collect::<Vec<_>>()
            .join(dot);
        let clock = clock(recovery, theme);
        let mut lines = Vec::new();
        // The age of a recovery that is over would tick for nothing.
        if open {
            lines.push(Line::styled(head, style));
        }
        let begins = lines.len();
        lines.extend(format::wrap(&clock, self.room).into_iter().map(|l| Line::styled(l, style)));
        let first = self.rows.len();
        self.titled("recovery", lines, if open { 0 } else { 3 });
        for row in self.rows.iter_mut().skip(first + begins + 1) {
            row.tail = true;
        }
        if let Some(stall) = &recovery.stall {
            self.sentence(stall, theme.warn(), 0);
        }
    }
}

/// The stages of a recovery, each with its time after the heal.
pub(in crate::tui::draw) fn clock(recovery: &Recovery, theme: &Theme) -> String {
    let open = recovery.caught_up_after_ms.is_none();
    let stage = |name: &str, after: Option<u64>| match (theme.say(name), after) {
        (name, Some(ms)) => format!("{name} {}", seconds(ms)),
        (name, None) => format!("{name} {}", theme.pick("…", "...")),
    };
    let mut parts = vec![stage("link", recovery.link_up_after_ms)];
    if recovery.moving_after_ms.is_some() || open {
        parts.push(stage("moving", recovery.moving_after_ms));
    }
    parts.push(stage("caught up", recovery.caught_up_after_ms));
    if recovery.nudged {
        parts.push(theme.say("nudged"));
    }
    parts.join(theme.dot())
}
