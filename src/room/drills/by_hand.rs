//! A run by hand: whatever is done between `drill begin` and `drill end`, by anybody, recorded and
//! judged by the same checks as a script's run.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use serde_json::{Value, json};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::{
    DrillCtx, Ended, Recorded, bundle, closing, damaged, issuer::recorded, new_folder,
    ready::ready, recorder::Recorder, sabotage::Saboteur, stage,
};
use crate::{
    command::{Command, DrillOptions},
    drill::{
        by_hand::{Stage, about, claims},
        conclusions::{self, Conclusion},
        record::{Begin, Entry, FORMAT, Sample},
        script::Script,
    },
    nats::facts,
    region::{
        EventKind, Input, MirrorKind,
        input::Concluded,
        status::{Drill, Verdict},
    },
    room::{
        clock::now_ms,
        failure::Failure,
        protocol::{Message, Outcome},
        runtime::Runtime,
        task::{CommandCtx, Completion, Result},
    },
};

/// What a run is called that nobody named.
const UNNAMED: &str = "by-hand";

/// A run by hand that goes on.
pub struct ByHand {
    runtime: Arc<Runtime>,
    recorder: Arc<Recorder>,
    stage: Mutex<Stage>,
    /// The tasks whose commands are in the record, and not answered.
    given: Mutex<BTreeMap<u64, Command>>,
    end: Notify,
    result: watch::Sender<Option<Completion>>,
}

impl std::fmt::Debug for ByHand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ByHand({:?})", self.stage())
    }
}

impl ByHand {
    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tasks(&self) -> MutexGuard<'_, BTreeMap<u64, Command>> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, stage: Stage) {
        *self.stage() = stage;
        self.runtime.evidence.meter().phase(stage.phase());
        // The look that shows the new phase belongs to it alone, even in the same millisecond.
        let at = now_ms().saturating_sub(1);
        self.recorder.write(Entry::Phase { name: stage.phase().into(), at });
    }

    /// A look: a new phase may begin with it.
    pub fn look(&self, sample: &Sample) {
        let stage = *self.stage();
        let zone = about(sample).and_then(|zone| sample.zone(zone));
        if let Some(next) = zone.and_then(|zone| stage.next(zone)) {
            self.enter(next);
        }
    }

    /// Somebody gave a command.
    pub fn given(&self, task: u64, command: &Command) {
        if matches!(command, Command::Drill(_)) || command.is_harmless() {
            return;
        }
        // The cut is over with the command, not when somebody sees it.
        if matches!(command, Command::Heal { .. }) && *self.stage() == Stage::Cut {
            self.enter(Stage::Healing);
        }
        self.tasks().insert(task, command.clone());
        self.recorder.write(Entry::Given { id: task, line: command.to_string(), at: now_ms() });
    }

    /// A command has ended.
    pub fn answered(&self, task: u64, outcome: Outcome, text: &str, data: Option<&Value>) {
        let Some(command) = self.tasks().remove(&task) else { return };
        self.recorder.write(Entry::Answered {
            id: task,
            outcome: recorded(outcome, data),
            text: text.to_owned(),
            data: data.cloned(),
            at: now_ms(),
        });
        // It was confirmed at both ends; what is done next belongs to the cut.
        let cut = matches!(command, Command::Cut { .. }) && outcome == Outcome::Done;
        if cut && *self.stage() == Stage::Linked {
            self.enter(Stage::Cut);
        }
    }
}

/// Records what is done by hand until `drill end`, then judges it.
///
/// # Errors
/// When another drill runs, or the region is not as one begins.
pub async fn begin(
    cx: CommandCtx,
    name: Option<String>,
    who: String,
    statuses: super::Statuses,
    line: String,
) -> Result {
    let name = name.unwrap_or_else(|| UNNAMED.to_owned());
    let claims = claims(&name);
    let script = Script::by_hand(&name, &claims);
    let (ctx, _seat) = DrillCtx::seated(cx, who, statuses, &line)?;
    if let Some(why) = stage::unprovable(&ctx, &script).await {
        return Err(Failure::Refused(why));
    }
    let (source, mirror) = ready(&ctx, &script, None).await.map_err(Failure::Refused)?;
    let runtime = &ctx.cx.runtime;
    let folder = new_folder(&runtime.home.folder, &name)
        .map_err(|error| Failure::Broken(format!("a folder for the record: {error}")))?;
    let status = ctx.statuses.borrow().status.clone();
    let at = now_ms();
    let begin = Begin {
        format: FORMAT,
        zonedrill: env!("CARGO_PKG_VERSION").into(),
        drill: name.clone(),
        script: String::new(),
        scale: 1,
        sabotage: None,
        when: None,
        options: DrillOptions::default(),
        run: runtime.run.to_string(),
        damaged: damaged(&runtime.home.folder, runtime.run.as_str()),
        region: runtime.home.region.clone(),
        platform: status.where_it_runs(),
        server_version: status.server_version.clone().unwrap_or_default(),
        mirror_kind: status.mirror_kind.unwrap_or(MirrorKind::Classic),
        copy_kind: status.copy_kind,
        source: source.clone(),
        mirror: mirror.clone(),
        leader: None,
        new_zone: None,
        actor: ctx.who.clone(),
        by_hand: claims.clone(),
        at,
    };
    let view = picture(&ctx, &script, at);
    let recorder = Recorder::begin(runtime.bus.clone(), &folder, begin, view)
        .map_err(|error| Failure::Broken(format!("the record: {error}")))?;
    recorder
        .keep_history(&folder)
        .await
        .map_err(|error| Failure::Broken(format!("the drill's history: {error}")))?;
    let recorder = Arc::new(recorder);
    let drill = name.clone();
    runtime.bus.tell(Input::Said(vec![EventKind::DrillBegan { drill, sabotage: None }]));
    let began = Instant::now();
    let first = stage::last_seq(&status, &source) + 1;
    runtime.evidence.meter().start(first - 1);
    let by_hand = Arc::new(ByHand {
        runtime: Arc::clone(runtime),
        recorder: Arc::clone(&recorder),
        stage: Mutex::new(Stage::Linked),
        given: Mutex::default(),
        end: Notify::new(),
        result: watch::channel(None).0,
    });
    let nodes = facts::servers(&runtime.plans()).await;
    recorder.write(Entry::Servers { nodes, at: now_ms() });
    recorder.sample(runtime, &ctx.statuses);
    by_hand.enter(Stage::Linked);
    runtime.active_drill.by_hand_began(Arc::clone(&by_hand));
    let sampling = CancellationToken::new();
    let _sampled = sampling.clone().drop_guard();
    let sampler = recorder.sample_until(
        Arc::clone(runtime),
        ctx.statuses.clone(),
        Some(Arc::clone(&by_hand)),
        sampling.clone(),
    );
    tell_begun(&ctx.cx, &name);
    let interrupted = tokio::select! {
        () = by_hand.end.notified() => false,
        () = ctx.cx.stop.cancelled() => true,
    };
    runtime.active_drill.by_hand_over();
    if interrupted {
        recorder.write(Entry::Interrupted { why: ctx.why_ended(), at: now_ms() });
    }
    let mut nobody = Saboteur::new(
        None,
        Arc::clone(runtime),
        Arc::clone(&recorder),
        ctx.statuses.clone(),
        mirror,
        0,
    );
    let streams = if interrupted {
        Vec::new()
    } else {
        closing::gather(&ctx, &recorder, &mut nobody, &folder, first).await
    };
    sampling.cancel();
    let _ = sampler.await;
    stage::write_metered(runtime, &recorder);
    recorder.write(Entry::End { at: now_ms() });
    let mut ended = Vec::new();
    for claim in claims {
        let run = recorder.run().claiming(claim);
        let concluded = closing::conclude(&ctx, run, streams.clone()).await;
        let drill = conclusions::required(Some(claim)).map_or(&*name, |one| one.drill);
        ended.push(one(drill, concluded, began, &folder));
    }
    let done = conclude(&ctx, &recorder, &name, &ended).await;
    by_hand.result.send_replace(Some(done.clone()));
    Ok(done)
}

/// Tells whoever began it that it is recorded; the command itself ends with `drill end`.
fn tell_begun(cx: &CommandCtx, name: &str) {
    let text = format!(
        "`{name}` is recorded: produce, cut, produce, heal, produce as you like; `drill end` judges it"
    );
    if let Some(answers) = &cx.answers {
        let _ =
            answers.send(Message::Answer { id: cx.id, outcome: Outcome::Done, text, data: None });
    }
}

fn one(drill: &str, concluded: Conclusion, began: Instant, folder: &std::path::Path) -> Ended {
    Ended {
        drill: drill.to_owned(),
        sabotage: None,
        verdict: concluded.verdict,
        evidence: concluded.evidence,
        findings: concluded.findings,
        took_ms: began.elapsed().as_millis() as u64,
        folder: folder.to_owned(),
        untried: false,
        off_script: None,
        as_it_must: false,
    }
}

/// The verdicts on every screen and in the log, and the bundle.
async fn conclude(ctx: &DrillCtx, recorder: &Recorder, name: &str, ended: &[Ended]) -> Completion {
    let (outcome, word) = super::overall(ended, &[]);
    let verdict = match outcome {
        Outcome::Done => Verdict::Proved,
        Outcome::Broken => Verdict::Broken,
        Outcome::Void | Outcome::Refused => Verdict::Void,
    };
    let worst = ended.iter().find(|one| one.verdict == verdict);
    let evidence = worst.map_or_else(String::new, |one| one.evidence.clone());
    let (drill, said) = (name.to_owned(), evidence.clone());
    recorder.view(|view| {
        view.ended_at_ms = Some(now_ms());
        view.verdict = verdict;
        view.evidence.clone_from(&evidence);
    });
    let bus = ctx.cx.bus();
    bus.tell(Input::Said(vec![EventKind::DrillEnded { drill, verdict, evidence: said }]));
    for one in ended {
        bus.tell(Input::Concluded(Concluded {
            name: one.drill.clone(),
            verdict: one.verdict,
            evidence: one.evidence.clone(),
        }));
    }
    recorder.end_history(&ended[0].folder).await;
    let mut text = format!("{}\n{}", super::headline(ended, &[], &[]), super::table(ended));
    let mut data = json!({ "verdict": word, "drills": ended });
    let record = [Recorded { drill: name.to_owned(), folder: ended[0].folder.clone() }];
    let mut outcome = outcome;
    match bundle::write(&ctx.cx.runtime, &record, None).await {
        Ok(folder) => {
            let shown = folder.display().to_string();
            text = format!("{text}\nevidence: {shown}");
            data["bundle"] = shown.clone().into();
            recorder.view(|view| view.bundle = Some(shown));
        }
        Err(failure) => {
            text = format!("{text}\nthe evidence bundle could not be written: {failure}");
            // Without a bundle a proof cannot be checked.
            if outcome == Outcome::Done {
                outcome = Outcome::Void;
            }
        }
    }
    Completion { outcome, text, data: Some(data) }
}

/// Ends the run by hand and tells its verdicts.
///
/// # Errors
/// When none is recorded, or messages are still being produced.
pub async fn end(cx: CommandCtx) -> Result {
    let Some(by_hand) = cx.runtime.active_drill.by_hand() else {
        return Err(Failure::Refused(
            "nothing is recorded by hand: `drill begin` begins it".into(),
        ));
    };
    if !cx.runtime.jobs.borrow().is_empty() {
        return Err(Failure::Refused(
            "messages are being produced: `produce stop` first, so that all of them can arrive"
                .into(),
        ));
    }
    let mut result = by_hand.result.subscribe();
    by_hand.end.notify_one();
    cx.progress("waits for the consumers, then reads every replica of every zone");
    loop {
        if let Some(done) = result.borrow_and_update().clone() {
            return Ok(done);
        }
        tokio::select! {
            () = cx.stop.cancelled() => return Err(Failure::Broken("the region is being ended".into())),
            changed = result.changed() => if changed.is_err() {
                return Err(Failure::Broken("the record was given up".into()));
            },
        }
    }
}

fn picture(ctx: &DrillCtx, script: &Script, at: u64) -> Drill {
    Drill {
        conclusion: script.conclusion,
        claim: script.claim.clone(),
        ..Drill::beginning(&script.name, &ctx.who, at)
    }
}
