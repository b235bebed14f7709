//! The stage: one script from its beginning to its verdict.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Instant};

use futures::FutureExt;
use tokio_util::sync::CancellationToken;

use super::{
    Crew, Ended, closing, damaged,
    hand::Hand,
    new_folder,
    play::{Halt, How, Play, status},
    ready::ready,
    recorder::Recorder,
    sabotage::Saboteur,
};
use crate::{
    command::{Command, Produce},
    drill::{
        check::Check,
        record::{Begin, Entry, FORMAT},
        script::{Action, Filling, Script},
        scripted,
    },
    ledger::book::Ledger,
    region::{
        EventKind, MirrorKind, Snapshot, ZoneName,
        event::seconds,
        snapshot::{Drill, DrillStep, Verdict},
    },
    room::{clock::now_ms, engine::Failure, zones},
};

/// Runs a script and concludes.
///
/// # Errors
/// When its record cannot be written, or it cannot be filled in.
pub async fn run(crew: &Crew, script: &Script, how: How) -> Result<Ended, Failure> {
    if let Some(why) = unprovable(crew, script).await {
        return Ok(untried(crew, script, &how, &why));
    }
    let (source, mirror) = match ready(crew, script).await {
        Ok(zones) => zones,
        Err(why) => return Ok(untried(crew, script, &how, &why)),
    };
    let engine = &crew.cx.engine;
    let base = engine.settings.lock().map_or(0, |settings| settings.port_base);
    let free = zones::plan(engine, None, base).ok().map(|plan| plan.name);
    let filling = Filling {
        scale: how.scale,
        source: source.clone(),
        mirror: mirror.clone(),
        new_zone: free.clone(),
    };
    let filled = script.fill(&filling).map_err(|error| Failure::Refused(error.to_string()))?;
    let new_zone = commands(&filled)
        .any(|command| matches!(command, Command::ZoneAdd { .. }))
        .then_some(free)
        .flatten();
    let folder = new_folder(&engine.home.folder, &script.name)
        .map_err(|error| Failure::Broken(format!("a folder for the drill's record: {error}")))?;
    let snapshot = crew.snapshots.borrow().snapshot.clone();
    let begin = Begin {
        format: FORMAT,
        zonedrill: env!("CARGO_PKG_VERSION").into(),
        drill: script.name.clone(),
        script: filled.text.clone(),
        scale: how.scale,
        sabotage: how.sabotage,
        run: engine.run.to_string(),
        damaged: damaged(&engine.home.folder, engine.run.as_str()),
        series: Some(how.series),
        region: engine.home.region.clone(),
        platform: snapshot.platform.clone(),
        server_version: snapshot.server_version.clone().unwrap_or_default(),
        mirror_kind: snapshot.mirror_kind.unwrap_or(MirrorKind::Classic),
        source: source.clone(),
        mirror: mirror.clone(),
        new_zone,
        actor: crew.who.clone(),
        at: now_ms(),
    };
    let view = picture(crew, &filled, &how);
    let recorder = Recorder::begin(engine.bus.clone(), &folder, begin, view)
        .map_err(|error| Failure::Broken(format!("the drill's record: {error}")))?;
    let recorder = Arc::new(recorder);
    let drill = script.name.clone();
    let fault = how.sabotage.map(|kind| kind.as_str().to_owned());
    engine.bus.change(move |_, _| vec![EventKind::DrillBegan { drill, sabotage: fault }]);

    let began = Instant::now();
    let first = last_seq(&snapshot, &source) + 1;
    engine.evidence.meter().start(first - 1);
    let sampling = CancellationToken::new();
    // However this ends.
    let _sampled = sampling.clone().drop_guard();
    let sampler =
        recorder.sample_until(Arc::clone(engine), crew.snapshots.clone(), sampling.clone());
    let saboteur = Saboteur::new(
        how.sabotage,
        Arc::clone(engine),
        Arc::clone(&recorder),
        crew.snapshots.clone(),
        mirror,
        commands(&filled).filter(produces).count(),
    );
    let hand = Hand::new(engine.bus.clone(), Arc::clone(&recorder), &crew.who, &crew.cx.stop);
    let mut play = Play {
        crew,
        how: &how,
        recorder: Arc::clone(&recorder),
        hand,
        saboteur,
        pending: Vec::new(),
        start: status(&snapshot),
        drill: script.name.clone(),
    };
    play.servers().await;
    let halt = match unless_it_crashes(&recorder, play.all(&filled)).await {
        Some(played) => played.err(),
        None => Some(Halt::Failed),
    };
    let ended = matches!(halt, Some(Halt::Ended)) || crew.cx.stop.is_cancelled();
    if ended {
        recorder.write(Entry::Interrupted { why: crew.why_ended(), at: now_ms() });
    }
    let streams = if ended {
        play.clear_away().await;
        Vec::new()
    } else {
        if halt.is_some() {
            play.clear_away().await;
        }
        let gathered = closing::gather(crew, &recorder, &mut play.saboteur, &folder, first);
        let streams = unless_it_crashes(&recorder, gathered).await;
        play.clear_away().await;
        streams.unwrap_or_default()
    };
    sampling.cancel();
    let _ = sampler.await;
    for reading in engine.evidence.meter().stop() {
        if let Some(zone) = reading.zone {
            recorder.write(Entry::Latency {
                zone,
                phase: reading.phase,
                buckets: reading.buckets,
                before_ack: reading.before_ack,
            });
        }
    }
    recorder.write(Entry::End { at: now_ms() });
    let mut conclusion = closing::conclude(crew, &recorder, streams).await;
    // What is in memory alone, nobody else can look at.
    if let Some(why) = recorder.trouble()
        && conclusion.verdict == Verdict::Proved
    {
        conclusion.verdict = Verdict::Void;
        conclusion.evidence = format!("the drill's record could not be written: {why}");
    }
    let result = Ended {
        drill: script.name.clone(),
        sabotage: how.sabotage,
        verdict: conclusion.verdict,
        evidence: conclusion.evidence,
        findings: conclusion.findings,
        took_ms: began.elapsed().as_millis() as u64,
        folder,
        untried: false,
        off_script: how.sabotage.and_then(|kind| scripted::deviation(&recorder.run(), kind)),
    };
    told(crew, &recorder, &result);
    Ok(result)
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
async fn unprovable(crew: &Crew, script: &Script) -> Option<String> {
    if ![Check::Whole, Check::Faithful].iter().any(|check| script.checks.contains(check)) {
        return None;
    }
    let damage = crew.cx.engine.asker.ask(Ledger::damage).await??;
    let flag = crew.cx.engine.home.flag();
    Some(format!("{damage}: `zonedrill{flag} down --purge` starts with a new ledger"))
}

/// The end, on every screen and in the log.
fn told(crew: &Crew, recorder: &Recorder, ended: &Ended) {
    recorder.view(|view| {
        view.ended_ms = Some(now_ms());
        view.verdict = ended.verdict;
        view.evidence.clone_from(&ended.evidence);
        view.waits_for = None;
    });
    crew.cx.tell(format!(
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
    crew.cx.bus().change(move |_, _| vec![event]);
}

/// What could not even begin.
fn untried(crew: &Crew, script: &Script, how: &How, why: &str) -> Ended {
    let evidence = format!("not begun: {why}");
    crew.cx.tell(format!("{} void: {evidence}", script.name));
    if script.conclusion.is_some() {
        let (name, said) = (script.name.clone(), evidence.clone());
        crew.cx.bus().change(move |state, _| state.conclude(&name, Verdict::Void, &said));
    }
    Ended {
        drill: script.name.clone(),
        sabotage: how.sabotage,
        verdict: Verdict::Void,
        evidence,
        findings: Vec::new(),
        took_ms: 0,
        folder: crew.cx.engine.home.folder.clone(),
        untried: true,
        off_script: None,
    }
}

/// The picture before the first step.
fn picture(crew: &Crew, script: &Script, how: &How) -> Drill {
    let steps = script
        .steps
        .iter()
        .map(|step| DrillStep {
            title: step.title.clone(),
            does: step.does.clone(),
            expect: step.expect.clone(),
            watch: step.watch.clone(),
            state: None,
            began_ms: None,
            took_ms: None,
            detail: String::new(),
        })
        .collect();
    Drill {
        name: script.name.clone(),
        conclusion: script.conclusion,
        claim: script.claim.clone(),
        scale: how.scale,
        sabotage: how.sabotage.map(|kind| kind.as_str().to_owned()),
        actor: crew.who.clone(),
        began_ms: now_ms(),
        ended_ms: None,
        verdict: Verdict::Waiting,
        evidence: "nothing tested yet".into(),
        steps,
        counters: Vec::new(),
        presented: how.present,
        waits_for: None,
        queue: how.queue.clone(),
        bundle: None,
    }
}

fn last_seq(snapshot: &Snapshot, zone: &ZoneName) -> u64 {
    snapshot.zone(zone).and_then(|zone| zone.stream.as_ref()).map_or(0, |stream| stream.last_seq)
}

/// The commands of a script, in order.
pub fn commands(script: &Script) -> impl Iterator<Item = Command> {
    script.steps.iter().flat_map(|step| &step.actions).filter_map(|action| match action {
        Action::Run { line, .. } => line.parse().ok(),
        _ => None,
    })
}

fn produces(command: &Command) -> bool {
    matches!(command, Command::Produce(what) if *what != Produce::Stop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{drill::run::Run, room::bus::Bus};

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
            run: "k3f9q2".into(),
            damaged: None,
            series: None,
            region: "east".into(),
            platform: "local".into(),
            server_version: "2.15.1".into(),
            mirror_kind: MirrorKind::Classic,
            source: "a".parse().unwrap(),
            mirror: "b".parse().unwrap(),
            new_zone: None,
            actor: "mia".into(),
            at: 1,
        };
        let view = Drill {
            name: "cut".into(),
            conclusion: None,
            claim: String::new(),
            scale: 1,
            sabotage: None,
            actor: "mia".into(),
            began_ms: 1,
            ended_ms: None,
            verdict: Verdict::Waiting,
            evidence: String::new(),
            steps: Vec::new(),
            counters: Vec::new(),
            presented: false,
            waits_for: None,
            queue: Vec::new(),
            bundle: None,
        };
        let (bus, _inbox) = Bus::new();
        let recorder = Recorder::begin(bus, folder.path(), begin, view).unwrap();
        assert_eq!(unless_it_crashes(&recorder, async { 7 }).await, Some(7));
        let crash = async { assert!(recorder.trouble().is_some(), "no step {}", 3) };
        assert_eq!(unless_it_crashes(&recorder, crash).await, None);
        recorder.write(Entry::End { at: 9 });
        let concluded = crate::drill::law::conclude(
            &recorder.run(),
            &Ledger::new("k3f9q2".parse().unwrap(), "east"),
            &[],
        );
        assert_eq!(concluded.verdict, Verdict::Void);
        let text = std::fs::read_to_string(folder.path().join(super::super::RECORD)).unwrap();
        let entries = text.lines().map(|line| serde_json::from_str(line).unwrap());
        let why = Run::from_entries(entries);
        assert!(format!("{why:?}").contains("the drill crashed; please report it"), "{text}");
        assert!(text.contains("no step 3"), "{text}");
    }
}
