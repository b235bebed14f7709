//! What is done by hand while nobody records it: the strip of the conclusions shows what it amounts
//! to, by the same live counters as a drill's. It is never proved: only `drill end` judges.

use std::{sync::Arc, time::Duration};

use super::Statuses;
use crate::{
    command::DrillOptions,
    drill::{
        by_hand::{CLAIMS, Stage, about},
        checks, conclusions,
        record::{Begin, Entry, FORMAT, Sample},
        run::Run,
    },
    region::{Input, MirrorKind, Status, input::Concluded, status::Verdict},
    room::{clock::now_ms, runtime::Runtime},
};

/// How often somebody looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// After so many looks it begins anew, unless something is cut: ten minutes.
const LOOKS: usize = 1200;
/// And this long after a heal.
const TOLD_FOR: usize = 120;

/// What was seen since it began.
struct Watched {
    run: Run,
    stage: Stage,
    looks: usize,
    /// Looks in this stage.
    here: usize,
    acked: u64,
}

/// Looks as long as the room lives.
pub async fn watch(runtime: Arc<Runtime>, statuses: Statuses) {
    let mut watched: Option<Watched> = None;
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while statuses.has_changed().is_ok() {
        ticks.tick().await;
        if runtime.active_drill.running().is_some() {
            watched = None;
            continue;
        }
        let status = statuses.borrow().status.clone();
        let now = Sample { at: now_ms(), ..Sample::of(&status) };
        let current = watched.take().filter(|one| !one.is_over());
        let Some(mut one) = current.or_else(|| Watched::begin(&runtime, &status, &now)) else {
            continue;
        };
        if let Some(told) = one.look(now) {
            runtime.bus.tell(Input::Watched(told));
        }
        watched = Some(one);
    }
}

impl Watched {
    fn begin(runtime: &Runtime, status: &Status, now: &Sample) -> Option<Self> {
        let mirror = about(now)?.clone();
        let source = now.status.source()?.name.clone();
        let begin = Begin {
            format: FORMAT,
            zonedrill: env!("CARGO_PKG_VERSION").into(),
            drill: "by-hand".into(),
            script: String::new(),
            scale: 1,
            sabotage: None,
            when: None,
            options: DrillOptions::default(),
            run: runtime.run.to_string(),
            damaged: None,
            region: runtime.home.region.clone(),
            platform: status.where_it_runs(),
            server_version: status.server_version.clone().unwrap_or_default(),
            mirror_kind: status.mirror_kind.unwrap_or(MirrorKind::Classic),
            copy_kind: status.copy_kind,
            source,
            mirror,
            leader: None,
            new_zone: None,
            actor: "room".into(),
            by_hand: CLAIMS.to_vec(),
            at: now.at,
        };
        let mut run = Run::from_entries([Entry::Begin(Box::new(begin))]);
        run.push(Entry::Sample(Box::new(now.clone())));
        run.push(Entry::Phase { name: Stage::Linked.phase().into(), at: now.at });
        let acked = now.acked();
        Some(Self { run, stage: Stage::Linked, looks: 0, here: 0, acked })
    }

    fn is_over(&self) -> bool {
        match self.stage {
            Stage::Linked => self.looks > LOOKS,
            Stage::Again => self.here > TOLD_FOR,
            Stage::Later => true,
            Stage::Cut | Stage::Healing => false,
        }
    }

    /// Takes a look; tells what it amounts to, once the region is used.
    fn look(&mut self, mut now: Sample) -> Option<Vec<Concluded>> {
        self.looks += 1;
        self.here += 1;
        // In a long cut the newest looks are enough.
        if self.looks > LOOKS && self.here > LOOKS {
            return None;
        }
        let zone = about(&now).and_then(|zone| now.zone(zone));
        if let Some(next) = zone.and_then(|zone| self.stage.next(zone)) {
            (self.stage, self.here) = (next, 0);
            // The look that shows the new phase belongs to it alone.
            let at = now.at.saturating_sub(1);
            self.run.push(Entry::Phase { name: next.phase().into(), at });
        }
        now.at = now.at.max(self.run.looked_at());
        let used = now.acked() > self.acked || self.stage != Stage::Linked;
        self.run.push(Entry::Sample(Box::new(now)));
        used.then(|| CLAIMS.into_iter().filter_map(|claim| told(&self.run, claim)).collect())
    }
}

/// What the run so far shows of a conclusion.
fn told(run: &Run, claim: u8) -> Option<Concluded> {
    let required = conclusions::required(Some(claim))?;
    let (name, of) = (required.drill, required.checks().collect::<Vec<_>>());
    let (verdict, why, counters) = checks::live_of(run, &of);
    let known = counters.iter().filter(|counter| counter.value != "?");
    let known: Vec<_> = known.map(|one| format!("{} {}", one.label, one.value)).collect();
    let (verdict, evidence) = match (verdict, known.is_empty()) {
        (Verdict::Holding, false) => (verdict, format!("{why}: {}", known.join(", "))),
        // Nobody said that this is to show it: what does not is no failed test.
        (Verdict::Void, _) => (Verdict::Waiting, format!("not shown by hand: {why}")),
        _ => (verdict, why),
    };
    Some(Concluded { name: name.into(), verdict, evidence })
}
