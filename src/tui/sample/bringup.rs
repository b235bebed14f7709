//! A region that is being brought up.

use super::{NOW, idle};
use crate::region::{
    Status,
    status::{Phase, Step, StepState},
};

/// Being brought up.
#[must_use]
pub fn starting() -> Status {
    let step = |title: &str, state, detail: &str, took_ms| Step {
        title: title.into(),
        state,
        detail: detail.into(),
        took_ms,
    };
    let mut status = idle(0);
    status.phase = Phase::Starting;
    status.server_version = None;
    status.mirror_kind = None;
    status.started_at_ms = NOW - 4_000;
    status.steps = vec![
        step(
            "find nats-server 2.15.1",
            StepState::Done,
            "fetched, sha256 as expected",
            Some(2_310),
        ),
        step("start zone a", StepState::Done, "3 nodes answer", Some(412)),
        step("start zone b", StepState::Done, "3 nodes answer", Some(447)),
        step(
            "create the stream EVENTS_REGION",
            StepState::Running,
            "waiting for a meta leader",
            None,
        ),
    ];
    status
}

/// The bring-up failed.
#[must_use]
pub fn failed() -> Status {
    let mut status = starting();
    let why = "port 15232 is in use by process 812 (nats-server): stop it, or start with \
               `--port-base 16222`";
    status.phase = Phase::Failed;
    status.failure = Some(why.into());
    if let Some(step) = status.steps.get_mut(2) {
        step.state = StepState::Failed;
        step.detail = "port 15232 is in use".into();
        step.took_ms = None;
    }
    status.steps.truncate(3);
    status
}
