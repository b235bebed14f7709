//! `verify`: accounts for every message, zone by zone, from the zone's own stream.
//!
//! Three witnesses: the ledger (what was acknowledged, what the consumer received), the zone's
//! stream read from end to end over the zone's own connection, and the source's stream to compare
//! it with. Every replica of every zone is read as well, each from its own server, and compared
//! with what was read through the leader. What is merely late is waited for, as long as it keeps coming.

mod exact;

use std::{
    fmt::Write,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::watch;

use self::exact::{Side, compare_exactly};
use super::{
    engine::Failure,
    protocol::Outcome,
    server::Published,
    task::{Cx, Result, Said},
};
use crate::{
    ledger::{
        audit::StreamAudit,
        finding::{Evidence, Judgement, ZoneFinding, judge, within},
        fingerprint::Fidelity,
        table::render,
    },
    nats::{audit, replicas::read_replicas},
    region::{
        NodeName, Snapshot, ZoneName, ZonePlan,
        snapshot::{LinkState, NodeState, Phase},
    },
};

/// How long nothing may come before what is late is reported as late.
const STANDSTILL: Duration = Duration::from_secs(5);
/// How often it is looked.
const LOOK: Duration = Duration::from_millis(100);

/// How often an examination is made again because the ledger moved under it.
const TRIES: u32 = 3;

type Snapshots = watch::Receiver<Arc<Published>>;

/// Accounts for every message of one zone, or of all.
///
/// # Errors
/// When a stream cannot be read.
pub async fn verify(cx: Cx, only: Option<ZoneName>, _json: bool, snapshots: Snapshots) -> Result {
    let source = cx.engine.source_plan()?;
    let zones: Vec<ZonePlan> = cx
        .engine
        .zones()
        .into_iter()
        .map(|zone| zone.plan.clone())
        .filter(|plan| only.as_ref().is_none_or(|only| *only == plan.name))
        .collect();
    let mut tries = TRIES;
    loop {
        tries -= 1;
        let (findings, replicas, moved) = examine(&cx, &source, &zones, &snapshots).await?;
        // What was acknowledged while the streams were read is in the ledger and not in what was
        // read: judge again, unless it goes on and on.
        if moved && tries > 0 && !snapshots.borrow().snapshot.producer.active {
            continue;
        }
        let mut said = said(&findings, &replicas);
        if findings.iter().any(|finding| matches!(finding.judgement, Judgement::Void { .. })) {
            let flag = cx.engine.home.flag();
            let _ = write!(said.text, "\n`zonedrill{flag} down --purge` starts with a new ledger");
        }
        return Ok(said);
    }
}

/// What one replica holds, against what was read through the zone's leader.
#[derive(Clone, Debug, serde::Serialize)]
struct ReplicaFinding {
    zone: ZoneName,
    replica: NodeName,
    /// It holds the same, sequence by sequence; `None` if it was not read.
    equal: Option<bool>,
    /// Where it differs, or why it was not read.
    why: Option<String>,
}

/// One examination: the findings, and whether the ledger moved meanwhile.
async fn examine(
    cx: &Cx,
    source: &ZonePlan,
    zones: &[ZonePlan],
    snapshots: &Snapshots,
) -> std::result::Result<(Vec<ZoneFinding>, Vec<ReplicaFinding>, bool), Failure> {
    // What is produced from here on is not waited for. The ledger is asked first: whatever it
    // holds now is on the source's stream by the time that is asked.
    let acked = ask(cx, |ledger| ledger.totals().acked).await?;
    let target = match last_sequence(cx, source, snapshots).await {
        Ok(target) => target,
        // Without the source's word, the ledger's: as much as was acknowledged.
        Err(_) => acked,
    };
    let mut reasons = Vec::with_capacity(zones.len());
    for plan in zones {
        reasons.push(drain(cx, plan, target, snapshots).await?);
    }
    // A zone that cannot be read must not hide the others' accounts.
    let reference =
        read(cx, source, target, snapshots).await.map_err(|failure| failure.to_string());
    let (mut findings, mut moved) = (Vec::with_capacity(zones.len()), false);
    let mut replicas = Vec::new();
    for (plan, late) in zones.iter().zip(reasons) {
        let own = if plan.name == source.name {
            reference.clone()
        } else {
            read_own(cx, source, plan, target, snapshots)
                .await
                .map_err(|failure| failure.to_string())
        };
        if let Ok(own) = &own {
            replicas.extend(each_replica(cx, plan, own, target, snapshots).await?);
        }
        let name = plan.name.clone();
        let floor = floor(&snapshots.borrow().snapshot, &name);
        let reference = (plan.name != source.name).then(|| reference.clone());
        let fidelity = match (&reference, &own) {
            (Some(Ok(reference)), Ok(own)) => {
                let side = |audit, client| Side { audit, client, replica: None };
                let clients = (cx.engine.zone(&source.name)?, cx.engine.zone(&plan.name)?);
                let (there, here) = (&clients.0.client, &clients.1.client);
                Some(compare_exactly(side(reference, there), side(own, here)).await)
            }
            _ => None,
        };
        let (finding, more) = ask(cx, move |ledger| {
            let more = ledger.totals().acked != acked;
            let stream = own.as_deref().ok();
            let unread = own.as_ref().err().or(reference.as_ref().and_then(|r| r.as_ref().err()));
            let evidence = Evidence {
                account: &ledger.account(&name, Some(floor)),
                stream,
                fidelity: fidelity.as_ref(),
                // With more acknowledged than was read, what is missing is not lost.
                drained: late.is_none() && !more && unread.is_none(),
            };
            let mut finding = judge(ledger, &name, &evidence);
            if let Some(unread) = unread
                && !matches!(finding.judgement, Judgement::Broken { .. })
            {
                finding.judgement = Judgement::NotYet { why: format!("not tested: {unread}") };
            } else if let Judgement::NotYet { why } = &mut finding.judgement {
                if let Some(late) = late {
                    *why = format!("{why} ({late})");
                } else if more {
                    *why = format!("{why} (messages are being produced: `produce stop` first)");
                }
            }
            (finding, more)
        })
        .await?;
        findings.push(finding);
        moved |= more;
    }
    Ok((findings, replicas, moved))
}

/// Reads every replica of a zone that runs, and compares it.
async fn each_replica(
    cx: &Cx,
    plan: &ZonePlan,
    own: &StreamAudit,
    target: u64,
    snapshots: &Snapshots,
) -> std::result::Result<Vec<ReplicaFinding>, Failure> {
    let client = cx.engine.zone(&plan.name)?.client.clone();
    let (living, rest) = living(&snapshots.borrow().snapshot, plan);
    let last = target.max(own.fingerprint().last());
    cx.progress(format!("zone {}: reading each of its replicas", plan.name));
    let read = read_replicas(&client, &living, &cx.engine.run, 1..=last).await;
    let mut found = Vec::with_capacity(plan.nodes.len());
    for replica in read {
        let (equal, why) = match replica.read {
            Ok(content) => {
                let name = replica.node.to_string();
                let side = |audit, replica| Side { audit, client: &client, replica };
                let theirs = side(&content.audit, Some(name.as_str()));
                let against = compare_exactly(side(own, None), theirs).await;
                let equal = against.is_equal();
                (Some(equal), (!equal).then(|| difference(&against)))
            }
            Err(error) => (None, Some(error.to_string())),
        };
        found.push(ReplicaFinding { zone: plan.name.clone(), replica: replica.node, equal, why });
    }
    found.extend(rest.into_iter().map(|(replica, state)| ReplicaFinding {
        zone: plan.name.clone(),
        replica,
        equal: None,
        why: Some(format!("it is {}", state.as_str())),
    }));
    Ok(found)
}

/// How a replica is not like the stream, as its leader gives it.
fn difference(against: &Fidelity) -> String {
    match against.differing.first() {
        Some(range) => format!("first {}", within(range)),
        None if against.beyond > 0 => format!("it goes on for {} sequences more", against.beyond),
        None => format!("it ends {} sequences earlier", against.behind),
    }
}

/// The zone with only the nodes that answer, and the others.
pub(super) fn living(
    snapshot: &Snapshot,
    plan: &ZonePlan,
) -> (ZonePlan, Vec<(NodeName, NodeState)>) {
    let state = |name: &NodeName| {
        let nodes = snapshot.zone(&plan.name).map(|zone| &zone.nodes)?;
        nodes.iter().find(|node| &node.name == name).map(|node| node.state)
    };
    let (mut living, mut rest) = (plan.clone(), Vec::new());
    living.nodes.retain(|node| match state(&node.name) {
        Some(state) if state != NodeState::Up => {
            rest.push((node.name.clone(), state));
            false
        }
        _ => true,
    });
    (living, rest)
}

/// The last sequence of a zone's stream, as its leader says.
async fn last_sequence(
    cx: &Cx,
    plan: &ZonePlan,
    snapshots: &Snapshots,
) -> std::result::Result<u64, Failure> {
    has_quorum(plan, snapshots)?;
    let client = cx.engine.zone(&plan.name)?.client.clone();
    cx.progress(format!("zone {}: asking its stream's leader", plan.name));
    audit::last_sequence(&client)
        .await
        .map_err(|error| Failure::Broken(format!("zone {}: {error}", plan.name)))
}

/// Without a majority of its nodes a zone answers nothing, and is not waited for.
fn has_quorum(plan: &ZonePlan, snapshots: &Snapshots) -> std::result::Result<(), Failure> {
    let (living, rest) = living(&snapshots.borrow().snapshot, plan);
    if 2 * living.nodes.len() > plan.nodes.len() {
        return Ok(());
    }
    let names: Vec<String> =
        rest.iter().map(|(node, state)| format!("{node} is {}", state.as_str())).collect();
    Err(Failure::Broken(format!(
        "zone {} has no quorum ({}); `node start` brings a node back",
        plan.name,
        names.join(", ")
    )))
}

fn said(findings: &[ZoneFinding], replicas: &[ReplicaFinding]) -> Said {
    let any = |wanted: fn(&Judgement) -> bool| findings.iter().any(|f| wanted(&f.judgement));
    let differs = replicas.iter().any(|replica| replica.equal == Some(false));
    let outcome = if differs || any(|judgement| matches!(judgement, Judgement::Broken { .. })) {
        Outcome::Broken
    } else if !any(|judgement| *judgement != Judgement::Whole) && !findings.is_empty() {
        Outcome::Done
    } else {
        Outcome::Void
    };
    let word = match outcome {
        Outcome::Done => "whole",
        Outcome::Broken => "broken",
        Outcome::Void | Outcome::Refused => "void",
    };
    let data = serde_json::json!({ "verdict": word, "zones": findings, "replicas": replicas });
    let mut text = render(findings).trim_end().to_owned();
    text.push_str(&lines(replicas));
    Said { outcome, text, data: Some(data) }
}

/// The replicas in words: how many of each zone hold the same, and every other one by name.
fn lines(replicas: &[ReplicaFinding]) -> String {
    let mut text = String::new();
    for zone in replicas.chunk_by(|a, b| a.zone == b.zone) {
        let equal = zone.iter().filter(|replica| replica.equal == Some(true)).count();
        let name = &zone[0].zone;
        let _ = write!(
            text,
            "\nreplicas of zone {name}: {equal} of {} hold the same, sequence by sequence",
            zone.len()
        );
        for replica in zone.iter().filter(|replica| replica.equal != Some(true)) {
            let what = if replica.equal.is_some() { "differs" } else { "was not read" };
            let why = replica.why.as_deref().unwrap_or_default();
            let _ = write!(text, "; {} {what}: {why}", replica.replica);
        }
    }
    text
}

async fn ask<T: Send + 'static>(
    cx: &Cx,
    question: impl FnOnce(&crate::ledger::book::Ledger) -> T + Send + 'static,
) -> std::result::Result<T, Failure> {
    cx.engine.asker.ask(question).await.ok_or_else(|| {
        Failure::Broken("the ledger's keeper gave no answer; see the room's log".into())
    })
}

fn floor(snapshot: &Snapshot, zone: &ZoneName) -> u64 {
    snapshot.zone(zone).and_then(|zone| zone.consumer.as_ref()).map_or(0, |c| c.ack_floor)
}

/// Waits until the zone's consumer has passed `target`, as long as it moves. Returns why it does
/// not get there, if it does not.
async fn drain(
    cx: &Cx,
    plan: &ZonePlan,
    target: u64,
    snapshots: &Snapshots,
) -> std::result::Result<Option<String>, Failure> {
    let mut best = None;
    let mut moved = Instant::now();
    loop {
        let (here, obstacle) = {
            let published = snapshots.borrow();
            (floor(&published.snapshot, &plan.name), obstacle(&published.snapshot, plan))
        };
        let name = plan.name.clone();
        let behind = ask(cx, move |ledger| ledger.account(&name, Some(here)).behind).await?;
        if here >= target {
            return Ok(None);
        }
        if let Some(why) = obstacle {
            return Ok(Some(why));
        }
        let now = Some((here, behind));
        if now != best {
            best = now;
            moved = Instant::now();
        } else if moved.elapsed() >= STANDSTILL {
            return Ok(Some(format!(
                "its consumer stands at {here} of {target} and nothing came for {} s",
                STANDSTILL.as_secs()
            )));
        }
        cx.progress(format!("zone {}: waiting for sequence {target}, at {here}", plan.name));
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = cx.stop.cancelled() => {
                return Ok(Some("the verification was ended early".into()));
            }
        }
    }
}

/// Why waiting would be in vain.
fn obstacle(snapshot: &Snapshot, plan: &ZonePlan) -> Option<String> {
    let zone = snapshot.zone(&plan.name)?;
    if snapshot.phase != Phase::Up {
        return Some("the region is being ended".into());
    }
    if zone.work.paused {
        return Some("its consumer is paused".into());
    }
    match &zone.link {
        Some(link) if link.state == LinkState::Cut => Some("its link is cut".into()),
        _ => None,
    }
}

/// Reads a mirror zone's stream up to `target`, or to its own end if that is further: a source that
/// was made anew counts from one again.
async fn read_own(
    cx: &Cx,
    source: &ZonePlan,
    plan: &ZonePlan,
    target: u64,
    snapshots: &Snapshots,
) -> std::result::Result<Arc<StreamAudit>, Failure> {
    let own = last_sequence(cx, plan, snapshots).await?;
    // The source is asked after the mirror: while messages are produced, it is never behind.
    let beyond = last_sequence(cx, source, snapshots).await.is_ok_and(|source| own > source);
    read(cx, plan, if beyond { target.max(own) } else { target }, snapshots).await
}

/// Reads a zone's stream up to `target`.
async fn read(
    cx: &Cx,
    plan: &ZonePlan,
    target: u64,
    snapshots: &Snapshots,
) -> std::result::Result<Arc<StreamAudit>, Failure> {
    has_quorum(plan, snapshots)?;
    let zone = cx.engine.zone(&plan.name)?;
    let name = plan.name.clone();
    let mut content = StreamAudit::new(name.clone(), cx.engine.run.clone());
    let mut told = Instant::now();
    audit::read_stream(
        &zone.client,
        1..=target,
        |entry| content.feed(entry),
        |seq| {
            if told.elapsed() > Duration::from_millis(500) {
                told = Instant::now();
                cx.progress(format!("zone {name}: read up to sequence {seq} of {target}"));
            }
        },
    )
    .await
    .map_err(|error| Failure::Broken(format!("zone {}: {error}", plan.name)))?;
    Ok(Arc::new(content))
}
