//! `verify`: accounts for every message, zone by zone, from the zone's own stream.
//!
//! Three witnesses: the ledger (what was acknowledged, what the consumer received), the zone's
//! stream read from end to end over the zone's own connection, and the source's stream to compare
//! it with. Every replica of every zone is read, each from its own server; the stream is what most of
//! them hold. What is merely late is waited for, as long as it keeps coming.

mod exact;
mod verdict;

use std::{
    fmt::Write,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::watch;

use self::{
    exact::{Read, compare_exactly},
    verdict::{Examination, ReplicaFinding, Unjudged},
};
use super::{
    clock::now_ms,
    drain::{drain, has_quorum, living},
    failure::Failure,
    server::Published,
    task::{CommandCtx, Result},
};
use crate::{
    ledger::{
        audit::StreamAudit,
        finding::{
            Evidence, Judgement, Outlook, ZoneFinding,
            fault::{self, within},
            judge,
        },
        fingerprint::{Fidelity, compare_through},
    },
    nats::{
        audit::{self, Described, Numbers},
        replicas::read_replicas,
    },
    region::{Input, Role, Status, ZoneName, ZonePlan},
};

/// How often an examination is made again because the ledger moved under it.
const TRIES: u32 = 3;

type Statuses = watch::Receiver<Arc<Published>>;

/// Accounts for every message of one zone, or of all.
///
/// # Errors
/// When a stream cannot be read.
pub async fn verify(
    cx: CommandCtx,
    only: Option<ZoneName>,
    _json: bool,
    statuses: Statuses,
) -> Result {
    let source = cx.runtime.source_plan()?;
    let zones: Vec<ZonePlan> = cx
        .runtime
        .zones()
        .into_iter()
        .map(|zone| zone.plan.clone())
        .filter(|plan| only.as_ref().is_none_or(|only| *only == plan.name))
        .collect();
    // Evidence that was altered is known to the ledger from here on, and its findings are void.
    cx.runtime.ledger_query.inspect().await;
    let mut tries = TRIES;
    loop {
        tries -= 1;
        let (found, moved) = examine(&cx, &source, &zones, &statuses).await?;
        // What was acknowledged while the streams were read is in the ledger and not in what was
        // read: judge again, unless it goes on and on.
        if moved && tries > 0 && !statuses.borrow().status.producer.active {
            continue;
        }
        for zone in &found.zones {
            show(&cx, zone);
        }
        let mut said = found.said();
        let void = |zone: &ZoneFinding| matches!(zone.judgement, Judgement::Void { .. });
        if found.zones.iter().any(void) {
            let flag = cx.runtime.flag();
            let _ = write!(said.text, "\n`zonedrill{flag} down --purge` starts with a new ledger");
        }
        return Ok(said);
    }
}

/// What was found stands on every screen from now on; what was not looked at changes nothing there.
fn show(cx: &CommandCtx, finding: &ZoneFinding) {
    let faults = match &finding.judgement {
        Judgement::Broken { faults } => faults.as_slice(),
        Judgement::Whole | Judgement::NotYet { .. } => &[],
        Judgement::NotRead { .. } | Judgement::Void { .. } | Judgement::Nothing => return,
    };
    let (zone, audit) = (finding.zone.clone(), fault::audit(faults, now_ms()));
    cx.bus().tell(Input::Audited { zone, audit });
}

/// A zone's stream, or why there is nothing to read.
#[derive(Clone)]
enum Stream {
    Read(Read),
    /// It does not keep what is consumed: its retention.
    NotKept(String),
}

impl Stream {
    fn audit(&self) -> Option<&StreamAudit> {
        match self {
            Self::Read(read) => Some(&*read.audit),
            Self::NotKept(_) => None,
        }
    }
}

/// One examination, and whether the ledger moved meanwhile.
async fn examine(
    cx: &CommandCtx,
    source: &ZonePlan,
    zones: &[ZonePlan],
    statuses: &Statuses,
) -> std::result::Result<(Examination, bool), Failure> {
    // What is produced from here on is not waited for. The ledger is asked first: whatever it
    // holds now is on the source's stream by the time that is asked.
    let acked = ask(cx, |ledger| ledger.totals().acked).await?;
    let described = describe(cx, source, statuses).await;
    // Without the source's word, the ledger's: as much as was acknowledged.
    let target = described.as_ref().map_or(acked, |source| source.last_seq);
    let mut outlooks = Vec::with_capacity(zones.len());
    for plan in zones {
        let progress = |at| {
            cx.progress(format!("zone {}: waiting for sequence {target}, at {at}", plan.name));
        };
        let target = if is_apart(plan) { end_of(cx, plan, statuses).await } else { target };
        outlooks.push(drain(cx, plan, target, statuses, progress).await);
    }
    // A zone that cannot be read must not hide the others' accounts.
    let reference = match described {
        Ok(described) => read(cx, source, &described, target, statuses).await,
        Err(why) => Err(why),
    };
    let mut found = Examination::default();
    let mut moved = false;
    for (plan, outlook) in zones.iter().zip(outlooks) {
        let name = &plan.name;
        let is_source = *name == source.name;
        let own = if is_source {
            reference.clone()
        } else {
            read_mirror(cx, source, plan, target, statuses).await
        };
        if let Ok((_, replicas)) = &own {
            found.replicas.extend(replicas.iter().cloned());
        }
        let mut fidelity = None;
        match (&reference, &own) {
            (_, Ok((Stream::NotKept(retention), _))) => {
                let (zone, retention) = (name.clone(), retention.clone());
                found.unjudged.push(Unjudged::NotKept { zone, retention });
            }
            // Of two that take messages each has what the other lacks.
            (_, Ok(_)) if is_apart(plan) && statuses.borrow().status.writable().len() > 1 => {
                let (zone, source) = (name.clone(), source.name.clone());
                found.unjudged.push(Unjudged::NotCompared { zone, source });
            }
            (_, Ok(_)) if is_apart(plan) => found.apart.push(name.clone()),
            (Ok((Stream::Read(there), _)), Ok((Stream::Read(here), _))) if !is_source => {
                let of = |zone| cx.runtime.zone(zone).map(|zone| zone.client.clone());
                let clients = (of(&source.name)?, of(name)?);
                fidelity = Some(
                    compare_exactly(there.side(&clients.0, source), here.side(&clients.1, plan))
                        .await,
                );
            }
            (Ok((Stream::NotKept(_), _)), Ok(_)) => {
                let (zone, source) = (name.clone(), source.name.clone());
                found.unjudged.push(Unjudged::NotCompared { zone, source });
            }
            _ => {}
        }
        let there = reference.as_ref().err().filter(|_| !is_apart(plan));
        let unread = own.as_ref().err().or(there).cloned();
        let stream = own.ok().map(|(stream, _)| stream);
        let account = Account { name: name.clone(), acked, outlook, unread, stream, fidelity };
        let floor = floor(&statuses.borrow().status, name);
        let (finding, more) = ask(cx, move |ledger| account.judge(ledger, floor)).await?;
        found.zones.push(finding);
        moved |= more;
    }
    Ok((found, moved))
}

/// What is known of a zone beside the ledger.
struct Account {
    name: ZoneName,
    /// What the ledger counted as acknowledged before anything was read.
    acked: u64,
    /// What becomes of what the consumer does not have yet; `None` when it is done.
    outlook: Option<Outlook>,
    unread: Option<String>,
    stream: Option<Stream>,
    fidelity: Option<Fidelity>,
}

impl Account {
    /// The finding, and whether more was acknowledged meanwhile.
    fn judge(self, ledger: &crate::ledger::Ledger, floor: u64) -> (ZoneFinding, bool) {
        let more = ledger.totals().acked != self.acked;
        let evidence = Evidence {
            account: &ledger.account(&self.name, Some(floor)),
            stream: self.stream.as_ref().and_then(Stream::audit),
            fidelity: self.fidelity.as_ref(),
            // With more acknowledged than was read, what is missing is not lost.
            drained: self.outlook.is_none() && !more && self.unread.is_none(),
        };
        let mut finding = judge(ledger, &self.name, &evidence);
        match (&mut finding.judgement, self.unread) {
            (Judgement::Broken { .. }, _) => {}
            (judgement, Some(why)) => *judgement = Judgement::NotRead { why },
            (Judgement::NotYet { outlook, .. }, None) => {
                let why = "messages are being produced: `produce stop` first";
                let producing = more.then(|| Outlook::Late { why: why.into() });
                *outlook = self.outlook.or(producing).unwrap_or(Outlook::Coming);
            }
            _ => {}
        }
        (finding, more)
    }
}

/// How a replica is not like the others.
fn difference(against: &Fidelity) -> String {
    match against.differing.first() {
        Some(range) => format!("first {}", within(*range.start(), *range.end())),
        None if against.beyond > 0 => format!("it goes on for {} sequences more", against.beyond),
        None => format!("it ends {} sequences earlier", against.behind),
    }
}

async fn ask<T: Send + 'static>(
    cx: &CommandCtx,
    question: impl FnOnce(&crate::ledger::Ledger) -> T + Send + 'static,
) -> std::result::Result<T, Failure> {
    cx.runtime.ledger_query.ask(question).await.ok_or_else(|| {
        Failure::Broken("the ledger's keeper gave no answer; see the room's log".into())
    })
}

fn floor(status: &Status, zone: &ZoneName) -> u64 {
    status.zone(zone).and_then(crate::region::status::Zone::ack_floor).unwrap_or(0)
}

/// A zone's stream as its leader describes it.
async fn describe(
    cx: &CommandCtx,
    plan: &ZonePlan,
    statuses: &Statuses,
) -> std::result::Result<Described, String> {
    has_quorum(&statuses.borrow().status, plan)?;
    let zone = cx.runtime.zone(&plan.name).map_err(|failure| failure.to_string())?;
    cx.progress(format!("zone {}: asking its stream's leader", plan.name));
    let described = audit::describe(&zone.client, Numbers::of(plan)).await;
    let mut described = described.map_err(|error| format!("zone {}: {error}", plan.name))?;
    if plan.renumbers() {
        let passed = cx.runtime.renumbering(&plan.name).borrow().passed();
        described.last_seq = described.last_seq.max(passed);
    }
    Ok(described)
}

/// It took messages that others lack, or lacks what others took: no other stream is like its own.
fn is_apart(plan: &ZonePlan) -> bool {
    matches!(plan.role, Role::Promoted | Role::Fenced)
}

/// The last sequence of a zone's own stream; 0 if it does not answer, which reading it tells.
async fn end_of(cx: &CommandCtx, plan: &ZonePlan, statuses: &Statuses) -> u64 {
    describe(cx, plan, statuses).await.map_or(0, |described| described.last_seq)
}

/// A zone's stream, and what each of its replicas holds.
type ZoneRead = std::result::Result<(Stream, Vec<ReplicaFinding>), String>;

/// Reads a mirror zone's stream up to `target`, or to its own end if that is further: a source that
/// was made anew counts from one again.
async fn read_mirror(
    cx: &CommandCtx,
    source: &ZonePlan,
    plan: &ZonePlan,
    target: u64,
    statuses: &Statuses,
) -> ZoneRead {
    let own = describe(cx, plan, statuses).await?;
    // The source is asked after the mirror: while messages are produced, it is never behind.
    let there = describe(cx, source, statuses).await;
    let beyond = is_apart(plan) || there.is_ok_and(|source| own.last_seq > source.last_seq);
    let to = if beyond { target.max(own.last_seq) } else { target };
    read(cx, plan, &own, to, statuses).await
}

/// Reads every replica of a zone's stream up to `to`, each once. The stream is what most of them
/// hold; the others differ from it.
async fn read(
    cx: &CommandCtx,
    plan: &ZonePlan,
    described: &Described,
    to: u64,
    statuses: &Statuses,
) -> ZoneRead {
    if !described.keeps() {
        return Ok((Stream::NotKept(described.retention.clone()), Vec::new()));
    }
    let zone = cx.runtime.zone(&plan.name).map_err(|failure| failure.to_string())?;
    let (client, run) = (&zone.client, &cx.runtime.run);
    let (living, rest) = living(&statuses.borrow().status, plan);
    let told = Mutex::new(Instant::now());
    let progress = |seq| {
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.elapsed() > Duration::from_millis(500) {
            *told = Instant::now();
            cx.progress(format!("zone {}: read up to sequence {seq} of {to}", plan.name));
        }
    };
    cx.progress(format!("zone {}: reading each of its replicas", plan.name));
    let through = described.last_seq.min(to);
    let (mut reads, mut unread) = (Vec::new(), Vec::new());
    for replica in read_replicas(client, &living, described, run, 1..=to, progress).await {
        match replica.read {
            Ok(content) => {
                reads.push(Read { audit: Arc::new(content.audit), through, replica: replica.node });
            }
            Err(error) => unread.push((replica.node, error.to_string())),
        }
    }
    unread
        .extend(rest.into_iter().map(|(node, state)| (node, format!("it is {}", state.as_str()))));
    let Some(own) = most_agree_with(&reads) else {
        let why = unread.first().map(|(node, why)| format!("{node}: {why}")).unwrap_or_default();
        return Err(format!("zone {}: none of its replicas could be read ({why})", plan.name));
    };
    let mut found = Vec::with_capacity(plan.nodes.len());
    for theirs in &reads {
        let against = compare_exactly(own.side(client, plan), theirs.side(client, plan)).await;
        let equal = against.is_equal();
        let why = (!equal).then(|| difference(&against));
        let (zone, replica) = (plan.name.clone(), theirs.replica.clone());
        found.push(ReplicaFinding { zone, replica, equal: Some(equal), why });
    }
    found.extend(unread.into_iter().map(|(replica, why)| {
        let zone = plan.name.clone();
        ReplicaFinding { zone, replica, equal: None, why: Some(why) }
    }));
    Ok((Stream::Read(own.clone()), found))
}

/// The replica that most others equal.
fn most_agree_with(reads: &[Read]) -> Option<&Read> {
    let agree = |one: &&Read| {
        let same = |other: &&Read| compare_through(one.condensed(), other.condensed()).is_equal();
        reads.iter().filter(same).count()
    };
    // The first of several.
    reads.iter().rev().max_by_key(agree)
}
