//! The one way into the state: an input is applied, lines for the log come out.

use super::State;
use crate::region::{
    UnixMs,
    event::EventKind,
    input::{Concluded, Input, ZoneAccount},
    status::{Drill, Verdict},
    topology::Role,
};

impl State {
    /// Changes the picture by an input that came at `now`; returns what is worth a line in the log.
    pub fn apply(&mut self, now: UnixMs, input: Input) -> Vec<EventKind> {
        let mut events = Vec::new();
        self.notice_lateness(now, &mut events);
        events.extend(self.take(now, input));
        events
    }

    fn take(&mut self, now: UnixMs, input: Input) -> Vec<EventKind> {
        match input {
            Input::Tick => self.tick(now),
            Input::Observed(observation) => self.observe(now, observation),
            Input::Phase(phase) => self.phase(phase),
            Input::BringUpFailed { zones, why } => {
                for zone in &zones {
                    self.zone_removed(now, zone);
                }
                self.failed(why)
            }
            Input::Servers { version, mirror_kind, copy_kind } => {
                self.server_version(version);
                self.mirror_kind(mirror_kind);
                self.copy_kind(copy_kind);
                Vec::new()
            }
            Input::StepStarted { title } => self.step_started(&title),
            Input::StepDetail { title, detail } => self.step_detail(&title, &detail),
            Input::StepDone { title, took_ms } => self.step_done(&title, took_ms),
            Input::StepFailed { title, why } => self.step_failed(&title, &why),
            Input::ZoneAdded(plan) => self.zone_added(now, &plan),
            Input::ZoneReady(zone) => self.zone_ready(now, &zone),
            Input::RoleTaken { zone, role } => self.role_taken(&zone, role),
            Input::BegunAnew(zone) => self.begun_anew(&zone),
            Input::Keeping { zone, keeping } => {
                if let Some(i) = self.index(&zone) {
                    self.status.zones[i].keeping = keeping;
                    self.touch();
                }
                Vec::new()
            }
            Input::Promoted(zone) => self.role_taken(&zone, Role::Promoted),
            Input::ZoneRemoving(zone) => self.zone_removing(&zone),
            Input::ZoneRemoved(zone) => self.zone_removed(now, &zone),
            Input::TaskStarted(task) => self.task_started(task),
            Input::TaskProgress { id, progress } => self.task_progress(id, &progress),
            Input::TaskEnded { id } => self.task_ended(id),
            Input::Mark { text } => self.mark(now, &text),
            Input::Producing(producing) => self.producing(producing),
            Input::AckedBy { domain } => {
                let producer = self.status.producer.clone();
                self.producer(crate::region::status::Producer {
                    acked_by: Some(domain),
                    ..producer
                })
            }
            Input::Accounts { produced, zones } => {
                let mut events = Vec::new();
                for ZoneAccount { zone, ledger, offenders } in zones {
                    events.extend(self.ledger(now, &zone, ledger, offenders));
                }
                events.extend(self.produced(produced));
                events
            }
            Input::Audited { zone, audit } => self.audited(&zone, audit),
            Input::Consuming { zone, does } => self.consuming(now, &zone, does),
            Input::Screens(screens) => self.screens(screens),
            Input::CutBegun { zone, kind, heals_after_ms } => self.cut_begun(
                now,
                &zone,
                kind,
                heals_after_ms.map(|after| now.saturating_add(after)),
            ),
            Input::CutFailed { zone } => self.cut_failed(now, &zone),
            Input::Severed { zone, after_ms } => self.severed(&zone, after_ms),
            Input::CutProved { zone, after_ms } => self.cut_proved(now, &zone, after_ms),
            Input::ImpairBegun { zone, condition, heals_after_ms } => {
                let heals_at_ms = heals_after_ms.map(|after| now.saturating_add(after));
                self.impair_begun(now, &zone, condition, heals_at_ms)
            }
            Input::Impaired { zone, .. } => self.impaired(now, &zone),
            Input::ImpairFailed { zone, condition } => self.impair_failed(now, &zone, condition),
            Input::HealFailed { zone, kind } => self.heal_failed(now, &zone, kind),
            Input::HealBegun { zone, acked } => self.heal_begun(now, &zone, acked),
            Input::Nudged { zone } => self.nudged(&zone),
            Input::Drill(drill) => {
                if drill.conclusion.is_some() {
                    self.conclude(&Concluded {
                        name: drill.name.clone(),
                        verdict: drill.verdict,
                        evidence: drill.evidence.clone(),
                    });
                }
                self.drill(Some(*drill))
            }
            Input::DrillWaits(pause) => self.change_drill(|drill| drill.waits_for = pause),
            Input::DrillQueueEmptied => self.change_drill(|drill| drill.queue.clear()),
            Input::DrillBundle { folder } => self.change_drill(|drill| drill.bundle = Some(folder)),
            Input::Concluded(concluded) => self.conclude(&concluded),
            Input::Watched(told) => {
                for concluded in &told {
                    self.watched(concluded);
                }
                Vec::new()
            }
            Input::Recorded(seen) => {
                self.recorded(now, *seen);
                Vec::new()
            }
            Input::Said(events) => events,
        }
    }

    fn change_drill(&mut self, change: impl FnOnce(&mut Drill)) -> Vec<EventKind> {
        let mut drill = self.status.drill.clone();
        if let Some(drill) = &mut drill {
            change(drill);
        }
        self.drill(drill)
    }

    /// What a drill came to stands; only what is open, or was told by watching, is told anew.
    fn watched(&mut self, told: &Concluded) {
        let known = self.status.conclusions.iter().find(|known| known.name == told.name);
        let open = |verdict| matches!(verdict, Verdict::Waiting | Verdict::Holding);
        if known.is_some_and(|known| open(known.verdict) || self.watched.contains(&told.name)) {
            self.conclude(told);
            self.watched.insert(told.name.clone());
        }
    }
}
