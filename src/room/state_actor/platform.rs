//! What the platform tells: processes and containers that changed, and by whose hand.

use super::StateActor;
use crate::{
    platform::PlatformEvent,
    region::{
        Input, Severity,
        observation::{Observation, ProcessState},
        status::ZoneState,
    },
    room::clock::now_ms,
};

impl StateActor {
    pub(super) fn platform_said(&mut self, event: PlatformEvent) {
        let observation = match event {
            PlatformEvent::Node { node, truth, why, foreign } => {
                self.runtime.servers.note_changed(&node.zone, now_ms());
                // A node that fails while its zone comes up is told by the bring-up.
                let serves = self.state.peek().zone(&node.zone);
                let serves = serves.is_some_and(|zone| zone.state == ZoneState::Ready);
                if foreign && serves {
                    // Told before the change itself, which says only what is true now.
                    self.meddled(format!("{node} {why}"));
                } else if truth.state == ProcessState::Dead {
                    tracing::warn!("{node}: {why}");
                }
                Observation::Process { node, truth }
            }
            PlatformEvent::Astray { node, off, told } => {
                if let Some(told) = told {
                    self.meddled(format!("{node} {told}"));
                }
                Observation::Astray { node, off }
            }
            PlatformEvent::Alone { node, off, told } => {
                let told = format!("{node} {told}");
                return if off { self.meddled(told) } else { self.note(Severity::Info, told) };
            }
            PlatformEvent::Container { node, container } => {
                Observation::Container { node, container: Box::new(container) }
            }
            PlatformEvent::Trouble { over, why } => {
                return self.note(if over { Severity::Info } else { Severity::Error }, why);
            }
        };
        self.apply(Input::Observed(observation));
    }

    /// Something was done to the region that nobody commanded: a drill that runs tests it no more.
    pub(super) fn meddled(&mut self, what: String) {
        // The way out is for the log; of the drill it says nothing.
        let act = what.split_once(": `").map_or(what.as_str(), |(act, _)| act);
        self.runtime.active_drill.end(&format!("{act} while the drill ran"));
        self.note(Severity::Warn, what);
    }
}
