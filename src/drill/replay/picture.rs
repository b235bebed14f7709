//! A region as a drill's record tells of it: before anything happened, its steps as the script has
//! them, its zones as a sample saw them. What the record does not tell stays unknown.

use crate::{
    drill::{
        record::{Begin, ZoneSample},
        script::Step,
    },
    region::{
        Snapshot, UnixMs,
        reduce::CONCLUSIONS,
        snapshot::{
            Conclusion, Drill, DrillStep, Ledger, Link, LinkState, Mirror, MirrorState, Phase,
            Recorded, Recovery, Verdict, Work, Zone, ZoneState,
        },
        topology::{CutKind, Role},
    },
};

/// A zone as a sample tells of it, and of the picture before only what goes on.
pub(super) fn zone(
    at: UnixMs,
    since: UnixMs,
    seen: &ZoneSample,
    acked: u64,
    before: Option<Zone>,
    cut: Option<&(Option<CutKind>, Option<UnixMs>)>,
) -> Zone {
    let is_mirrored =
        seen.role == Role::Mirror && (seen.mirror.is_some() || seen.true_lag.is_some());
    let (lag_history, old) = before.map_or_else(Default::default, |z| (z.lag_history, z.link));
    let link = seen.link.map(|state| {
        // It goes on as it was, or is new and nothing else is known of it.
        let goes_on = old.filter(|old| old.state == state);
        let cut = cut.filter(|_| state == LinkState::Cut);
        Link {
            state,
            kind: cut.and_then(|(kind, _)| *kind),
            effective: seen.cut_effective,
            severed_in_ms: goes_on.as_ref().and_then(|old| old.severed_in_ms),
            proved_in_ms: goes_on.as_ref().and_then(|old| old.proved_in_ms),
            since_ms: goes_on.map_or(since, |old| old.since_ms),
            heals_at_ms: cut.and_then(|(_, heals)| *heals),
            leafs_here: seen.leafs_here,
            leafs_there: seen.leafs_there,
            rtt_us: None,
        }
    });
    Zone {
        name: seen.zone.clone(),
        role: seen.role,
        state: ZoneState::Ready,
        nodes: Vec::new(),
        stream: None,
        consumer: None,
        work: Work { running: true, paused: seen.paused, rate: seen.rate, ..Work::default() },
        mirror: is_mirrored.then(|| Mirror {
            true_lag: seen.true_lag,
            reported_lag: seen.reported_lag,
            heard_ms: None,
            state: seen.mirror.unwrap_or(MirrorState::Unknown),
            error: None,
            source_pending: None,
            told_ms: at,
        }),
        link,
        recovery: seen.recovery.as_ref().map(|clock| Recovery {
            healed_ms: clock.healed_ms,
            behind: clock.behind,
            link_up_after_ms: clock.link_up_after_ms,
            moving_after_ms: clock.moving_after_ms,
            caught_up_after_ms: clock.caught_up_after_ms,
            nudged: clock.nudged,
            stall: None,
        }),
        ledger: Ledger { acked, received: seen.received, ..Ledger::default() },
        lag_history,
        recorded: Some(Recorded {
            nodes_up: seen.nodes_up,
            first_seq: seen.first_seq,
            last_seq: seen.last_seq,
            messages: seen.messages,
            delivered: seen.delivered,
            ack_floor: seen.ack_floor,
            behind: seen.behind,
        }),
    }
}

/// The picture before anything happened.
pub(super) fn blank(begin: &Begin) -> Snapshot {
    let conclusions = CONCLUSIONS.map(|name| Conclusion {
        name: name.into(),
        verdict: Verdict::Waiting,
        evidence: "not part of this replay".into(),
    });
    Snapshot {
        region: format!("replay of {}", begin.region),
        platform: begin.platform.clone(),
        server_version: Some(begin.server_version.clone()).filter(|version| !version.is_empty()),
        mirror_kind: Some(begin.mirror_kind),
        phase: Phase::Up,
        started_ms: begin.at,
        at_ms: begin.at,
        conclusions: conclusions.into(),
        drill: Some(Drill {
            name: begin.drill.clone(),
            conclusion: None,
            claim: String::new(),
            scale: begin.scale,
            sabotage: begin.sabotage.map(|kind| kind.as_str().to_owned()),
            actor: begin.actor.clone(),
            began_ms: begin.at,
            ended_ms: None,
            verdict: Verdict::Waiting,
            evidence: "nothing tested yet".into(),
            steps: Vec::new(),
            counters: Vec::new(),
            presented: false,
            waits_for: None,
            queue: Vec::new(),
            bundle: None,
        }),
        ..Snapshot::default()
    }
}

/// A step that has not begun, of which nothing is said.
pub(super) fn nothing_known() -> DrillStep {
    DrillStep {
        title: String::new(),
        does: String::new(),
        expect: String::new(),
        watch: String::new(),
        state: None,
        began_ms: None,
        took_ms: None,
        detail: String::new(),
    }
}

/// A step of the script, as it has not begun.
pub(super) fn step(step: &Step) -> DrillStep {
    DrillStep {
        title: step.title.clone(),
        does: step.does.clone(),
        expect: step.expect.clone(),
        watch: step.watch.clone(),
        ..nothing_known()
    }
}
