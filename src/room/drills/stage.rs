//! The stage: one script from its beginning to its verdict.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Instant};

use futures::FutureExt;
use tokio_util::sync::CancellationToken;

use super::{
    DrillCtx, Ended, closing, damaged,
    issuer::CommandIssuer,
    new_folder,
    ready::ready,
    recorder::Recorder,
    sabotage::Saboteur,
    steps::{Halt, How, StepRunner},
};
use crate::{
    command::{Command, Produce},
    drill::{
        condition::Condition,
        record::{Begin, Entry, FORMAT},
        sabotaged,
        script::{Filling, Script, Step},
        scripted,
    },
    ledger::Ledger,
    nats::meter::{Metered, Pace, Reading},
    region::{
        EventKind, Input, MirrorKind, Status, ZoneName,
        format::seconds,
        input::Concluded,
        status::{Drill, Verdict, Zone},
    },
    room::{clock::now_ms, failure::Failure, runtime::Runtime, zones},
};

/// Runs a script and concludes.
///
/// # Errors
/// When its record cannot be written, or it cannot be filled in.
pub async fn run(ctx: &DrillCtx, script: &Script, how: How) -> Result<Ended, Failure> {
    if let Some(why) = unprovable(ctx, script).await {
        return Ok(untried(ctx, script, &how, &why));
    }
    let (source, mirror) = match ready(ctx, script, how.zone.as_ref()).await {
        Ok(zones) => zones,
        Err(why) => return Ok(untried(ctx, script, &how, &why)),
    };
    let runtime = &ctx.cx.runtime;
    let base = runtime.settings.lock().map_or(0, |settings| settings.port_base);
    let free = zones::plan(runtime, None, base).ok().map(|plan| plan.name);
    let leader = ctx.statuses.borrow().status.zone(&mirror).and_then(Zone::stream_leader);
    let filling = Filling {
        scale: how.scale,
        source: source.clone(),
        mirror: mirror.clone(),
        leader: leader.clone(),
        new_zone: free.clone(),
        options: how.options.clone(),
        external: runtime.external.is_some(),
    };
    let filled = script.fill(&filling).map_err(|error| Failure::Refused(error.to_string()))?;
    let new_zone = filled
        .commands()
        .any(|command| matches!(command, Command::ZoneAdd { .. }))
        .then_some(free)
        .flatten();
    let folder = new_folder(&runtime.home.folder, &script.name)
        .map_err(|error| Failure::Broken(format!("a folder for the drill's record: {error}")))?;
    let status = ctx.statuses.borrow().status.clone();
    let begin = Begin {
        format: FORMAT,
        zonedrill: env!("CARGO_PKG_VERSION").into(),
        drill: script.name.clone(),
        script: filled.text.clone(),
        scale: how.scale,
        sabotage: how.sabotage,
        when: how.when.clone(),
        options: how.options.clone(),
        run: runtime.run.to_string(),
        damaged: damaged(&runtime.home.folder, runtime.run.as_str()),
        region: runtime.home.region.clone(),
        platform: status.where_it_runs(),
        server_version: status.server_version.clone().unwrap_or_default(),
        mirror_kind: status.mirror_kind.unwrap_or(MirrorKind::Classic),
        copy_kind: status.copy_kind,
        source: source.clone(),
        mirror: mirror.clone(),
        leader: leader.filter(|_| script.names_leader()),
        new_zone,
        actor: ctx.who.clone(),
        by_hand: Vec::new(),
        at: now_ms(),
    };
    let view = picture(ctx, &filled, &how);
    let recorder = Recorder::begin(runtime.bus.clone(), &folder, begin, view)
        .map_err(|error| Failure::Broken(format!("the drill's record: {error}")))?;
    recorder
        .keep_history(&folder)
        .await
        .map_err(|error| Failure::Broken(format!("the drill's history: {error}")))?;
    let recorder = Arc::new(recorder);
    let drill = script.name.clone();
    let fault = how.sabotage.map(|kind| kind.as_str().to_owned());
    runtime.bus.tell(Input::Said(vec![EventKind::DrillBegan { drill, sabotage: fault }]));

    let began = Instant::now();
    let first = last_seq(&status, &source) + 1;
    runtime.evidence.meter().start(runtime.sequence(first - 1).await);
    let sampling = CancellationToken::new();
    // However this ends.
    let _sampled = sampling.clone().drop_guard();
    let sampler =
        recorder.sample_until(Arc::clone(runtime), ctx.statuses.clone(), None, sampling.clone());
    let saboteur = Saboteur::new(
        how.sabotage,
        Arc::clone(runtime),
        Arc::clone(&recorder),
        ctx.statuses.clone(),
        mirror,
        filled.commands().filter(produces).count(),
    )
    .once(how.when.as_deref().and_then(|when| Condition::parse(when).ok()));
    let hand =
        CommandIssuer::new(runtime.bus.clone(), Arc::clone(&recorder), &ctx.who, &ctx.cx.stop);
    let mut play = StepRunner {
        ctx,
        how: &how,
        recorder: Arc::clone(&recorder),
        hand,
        saboteur,
        pending: Vec::new(),
        start: status.document(),
        drill: script.name.clone(),
    };
    play.servers().await;
    let halt = match unless_it_crashes(&recorder, play.all(&filled)).await {
        Some(played) => played.err(),
        None => Some(Halt::Failed),
    };
    let ended = matches!(halt, Some(Halt::Ended)) || ctx.cx.stop.is_cancelled();
    if ended {
        recorder.write(Entry::Interrupted { why: ctx.why_ended(), at: now_ms() });
    }
    let streams = if ended {
        play.clear_away().await;
        Vec::new()
    } else {
        if halt.is_some() {
            play.clear_away().await;
        }
        let gathered = closing::gather(ctx, &recorder, &mut play.saboteur, &folder, first);
        let streams = unless_it_crashes(&recorder, gathered).await;
        play.clear_away().await;
        streams.unwrap_or_default()
    };
    sampling.cancel();
    let _ = sampler.await;
    write_metered(runtime, &recorder);
    recorder.write(Entry::End { at: now_ms() });
    let mut conclusion = closing::conclude(ctx, recorder.run(), streams).await;
    // What is in memory alone, nobody else can look at.
    if let Some(why) = recorder.trouble()
        && conclusion.verdict == Verdict::Proved
    {
        conclusion.verdict = Verdict::Void;
        conclusion.evidence = format!("the drill's record could not be written: {why}");
    }
    let off_script = how.sabotage.and_then(|kind| scripted::deviation(&recorder.run(), kind));
    let as_it_must = how
        .sabotage
        .is_some_and(|kind| sabotaged::as_it_must(kind, off_script.as_deref(), &conclusion));
    let result = Ended {
        drill: script.name.clone(),
        sabotage: how.sabotage,
        verdict: conclusion.verdict,
        evidence: conclusion.evidence,
        findings: conclusion.findings,
        took_ms: began.elapsed().as_millis() as u64,
        folder: folder.clone(),
        untried: false,
        off_script,
        as_it_must,
    };
    told(ctx, &recorder, &result);
    recorder.end_history(&folder).await;
    Ok(result)
}

/// Ends the meter's recording; what it measured goes into the record.
pub(super) fn write_metered(runtime: &Runtime, recorder: &Recorder) {
    let Metered { readings, paces } = runtime.evidence.meter().stop();
    for Reading { zone, phase, latency, missed, acked } in readings {
        let (buckets, before_ack) = (latency.buckets(), latency.ahead());
        let acked = Some(acked);
        recorder.write(Entry::Latency { zone, phase, buckets, before_ack, missed, acked });
    }
    for Pace { zone, phase, processed, worked_us, longest_pause_us } in paces {
        recorder.write(Entry::Pace { zone, phase, processed, worked_us, longest_pause_us });
    }
}

/// Does a part of the drill. Should it crash, the record says so: what the drill did is undone then,
/// and its verdict is void.
async fn unless_it_crashes<T>(recorder: &Recorder, part: impl Future<Output = T>) -> Option<T> {
    let crash = match AssertUnwindSafe(part).catch_unwind().await {
        Ok(done) => return Some(done),
        Err(crash) => crash,
    };
    let said = crash.downcast_ref::<&str>().map(|said| (*said).to_owned());
    let said = said.or_else(|| crash.downcast_ref::<String>().cloned()).unwrap_or_default();
    tracing::error!("a drill crashed: {said}");
    let why = format!("the drill crashed; please report it with the room's log ({said})");
    recorder.write(Entry::Interrupted { why, at: now_ms() });
    None
}

/// Why the drill could only end void: it judges by the ledger, and that is damaged.
pub(super) async fn unprovable(ctx: &DrillCtx, script: &Script) -> Option<String> {
    if !script.checks().iter().any(|check| check.by_ledger) {
        return None;
    }
    let damage =
        ctx.cx.runtime.ledger_query.ask(|ledger: &Ledger| ledger.damage().cloned()).await??;
    let flag = ctx.cx.runtime.flag();
    Some(format!("{damage}: `zonedrill{flag} down --purge` starts with a new ledger"))
}

/// The end, on every screen and in the log.
fn told(ctx: &DrillCtx, recorder: &Recorder, ended: &Ended) {
    recorder.view(|view| {
        view.ended_at_ms = Some(now_ms());
        view.verdict = ended.verdict;
        view.evidence.clone_from(&ended.evidence);
        view.waits_for = None;
    });
    ctx.cx.tell(format!(
        "{} {} after {}: {}",
        ended.drill,
        ended.verdict.as_str(),
        seconds(ended.took_ms),
        ended.evidence
    ));
    let event = EventKind::DrillEnded {
        drill: ended.drill.clone(),
        verdict: ended.verdict,
        evidence: ended.evidence.clone(),
    };
    ctx.cx.bus().tell(Input::Said(vec![event]));
}

/// What could not even begin.
fn untried(ctx: &DrillCtx, script: &Script, how: &How, why: &str) -> Ended {
    let evidence = format!("not begun: {why}");
    ctx.cx.tell(format!("{} void: {evidence}", script.name));
    if script.conclusion.is_some() {
        ctx.cx.bus().tell(Input::Concluded(Concluded {
            name: script.name.clone(),
            verdict: Verdict::Void,
            evidence: evidence.clone(),
        }));
    }
    Ended {
        drill: script.name.clone(),
        sabotage: how.sabotage,
        verdict: Verdict::Void,
        evidence,
        findings: Vec::new(),
        took_ms: 0,
        folder: ctx.cx.runtime.home.folder.clone(),
        untried: true,
        off_script: None,
        as_it_must: false,
    }
}

/// The picture before the first step.
fn picture(ctx: &DrillCtx, script: &Script, how: &How) -> Drill {
    Drill {
        conclusion: script.conclusion,
        claim: script.claim.clone(),
        scale: how.scale,
        sabotage: how.sabotage.map(|kind| kind.as_str().to_owned()),
        steps: script.steps.iter().map(Step::shown).collect(),
        presented: how.present,
        queue: how.queue.clone(),
        ..Drill::beginning(&script.name, &ctx.who, now_ms())
    }
}

pub(super) fn last_seq(status: &Status, zone: &ZoneName) -> u64 {
    status.zone(zone).and_then(|zone| zone.stream.as_ref()).map_or(0, |stream| stream.last_seq)
}

fn produces(command: &Command) -> bool {
    matches!(command, Command::Produce(what) if *what != Produce::Stop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{drill::run::Run, room::mailbox::Mailbox};

    #[tokio::test]
    async fn a_drill_that_crashes_is_interrupted_and_goes_on_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let begin = Begin {
            format: FORMAT,
            zonedrill: "0.1.0".into(),
            drill: "cut".into(),
            script: String::new(),
            scale: 1,
            sabotage: None,
            when: None,
            options: crate::command::DrillOptions::default(),
            run: "k3f9q2".into(),
            damaged: None,
            region: "east".into(),
            platform: "local".into(),
            server_version: "2.15.1".into(),
            mirror_kind: MirrorKind::Classic,
            copy_kind: crate::region::CopyKind::Mirror,
            source: "a".parse().unwrap(),
            mirror: "b".parse().unwrap(),
            leader: None,
            new_zone: None,
            actor: "mia".into(),
            by_hand: Vec::new(),
            at: 1,
        };
        let view = Drill {
            name: "cut".into(),
            conclusion: None,
            claim: String::new(),
            scale: 1,
            sabotage: None,
            actor: "mia".into(),
            began_at_ms: 1,
            ended_at_ms: None,
            verdict: Verdict::Waiting,
            evidence: String::new(),
            steps: Vec::new(),
            counters: Vec::new(),
            presented: false,
            waits_for: None,
            queue: Vec::new(),
            bundle: None,
        };
        let (bus, _inbox) = Mailbox::new();
        let recorder = Recorder::begin(bus, folder.path(), begin, view).unwrap();
        assert_eq!(unless_it_crashes(&recorder, async { 7 }).await, Some(7));
        let crash = async { assert!(recorder.trouble().is_some(), "no step {}", 3) };
        assert_eq!(unless_it_crashes(&recorder, crash).await, None);
        recorder.write(Entry::End { at: 9 });
        let (run, ledger) = (recorder.run(), Ledger::new("k3f9q2".parse().unwrap(), "east"));
        let findings = crate::drill::checks::judge(&run, &ledger, &[]);
        let concluded = crate::drill::conclusions::conclude(&run, findings);
        assert_eq!(concluded.verdict, Verdict::Void);
        let text = std::fs::read_to_string(folder.path().join(super::super::RECORD)).unwrap();
        let entries = text.lines().map(|line| serde_json::from_str(line).unwrap());
        let why = Run::from_entries(entries);
        assert!(format!("{why:?}").contains("the drill crashed; please report it"), "{text}");
        assert!(text.contains("no step 3"), "{text}");
    }
}
