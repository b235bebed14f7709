//! The steps of the bring-up.

use super::State;
use crate::region::{
    event::EventKind,
    status::{Step, StepState},
};

impl State {
    /// A step of a bring-up began. A title that is known begins again.
    pub(super) fn step_started(&mut self, title: &str) -> Vec<EventKind> {
        let step = Step {
            title: title.to_owned(),
            state: StepState::Running,
            detail: String::new(),
            took_ms: None,
        };
        match self.status.steps.iter_mut().find(|known| known.title == title) {
            Some(known) => *known = step,
            None => self.status.steps.push(step),
        }
        self.touch();
        Vec::new()
    }

    /// How far a step is.
    pub(super) fn step_detail(&mut self, title: &str, detail: &str) -> Vec<EventKind> {
        if let Some(step) = self.status.steps.iter_mut().find(|step| step.title == title)
            && step.detail != detail
        {
            detail.clone_into(&mut step.detail);
            self.touch();
        }
        Vec::new()
    }

    /// A step ended well.
    pub(super) fn step_done(&mut self, title: &str, took_ms: u64) -> Vec<EventKind> {
        let Some(step) = self.status.steps.iter_mut().find(|step| step.title == title) else {
            return Vec::new();
        };
        step.state = StepState::Done;
        step.took_ms = Some(took_ms);
        self.touch();
        vec![EventKind::StepDone { title: title.to_owned(), took_ms }]
    }

    /// A step failed. The command's own failure is the line in the log.
    pub(super) fn step_failed(&mut self, title: &str, why: &str) -> Vec<EventKind> {
        if let Some(step) = self.status.steps.iter_mut().find(|step| step.title == title) {
            step.state = StepState::Failed;
            why.clone_into(&mut step.detail);
            self.touch();
        }
        Vec::new()
    }
}
