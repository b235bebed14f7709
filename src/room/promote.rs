//! `promote`: a zone's copy becomes a stream that producers can write to, where the source is lost; a
//! fenced zone becomes one again.

use std::time::{Duration, Instant};

use super::{
    clock::now_ms,
    drain::has_quorum,
    drills::Statuses,
    failure::Failure,
    produce,
    task::{CommandCtx, Completion, Result},
    zone_role,
};
use crate::{
    command::NodeAct,
    ledger::record::Record,
    nats::{
        audit::{self, Numbers},
        leaders,
        promote::{Memory, remembers},
        streams,
    },
    platform::version_at_least,
    region::{Role, Status, ZoneName, ZonePlan, format::seconds, remedy::Remedy, status::Zone},
};

/// How long a restarted node may take until it holds what the others hold.
const CURRENT_WITHIN: Duration = Duration::from_secs(40);
/// The pause between two looks at it.
const LOOK: Duration = Duration::from_millis(50);
/// How long the source may take to remove what the zone had there; it may be lost.
const CLEARED_WITHIN: Duration = Duration::from_secs(2);

/// The first servers that make a copy a stream of its own.
pub const PROMOTES_FROM: (u32, u32, u32) = (2, 12, 0);

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    pub zone: ZoneName,
    pub rebuild_dedup: bool,
    pub force: bool,
    pub follow: bool,
}

/// Promotes a zone; on one that is promoted, makes it know the ids it holds.
///
/// # Errors
/// When that is not possible, or would make a second stream that takes messages; when a server
/// refuses or does not answer; when the ids are not known after a rebuild.
pub async fn promote(cx: CommandCtx, asked: Asked, statuses: Statuses) -> Result {
    let zone = &asked.zone;
    let plan = cx.runtime.plan(zone)?;
    {
        let published = statuses.borrow();
        may_be(&cx, &published.status, &plan, &asked).map_err(Failure::Refused)?;
        has_quorum(&published.status, &plan).map_err(Failure::Refused)?;
    }
    let mut lines = Vec::new();
    if !plan.role.takes_messages() {
        let began = Instant::now();
        let plan = ZonePlan { role: zone_role::that_takes_messages(&plan), ..plan.clone() };
        zone_role::change_stream(&cx, &plan).await?;
        let client = cx.runtime.zone(zone)?.client.clone();
        note_promotion(&cx, &plan, &client).await?;
        let took = seconds(began.elapsed().as_millis() as u64);
        zone_role::take(&cx, &plan).await?;
        lines.push(format!("zone {zone} takes messages of its own since {took} after the command"));
        lines.extend(left_behind(&cx, zone).await);
        let source = cx.runtime.source_plan()?;
        if !plan.is_hub() && has_quorum(&statuses.borrow().status, &source).is_ok() {
            clear_source(&cx, &plan).await;
        }
    }
    let client = cx.runtime.zone(zone)?.client.clone();
    // Before anybody asks what it knows: that takes as long as it takes.
    let follow = asked.follow && cx.runtime.producer()?.zone().as_ref() != Some(zone);
    if asked.rebuild_dedup {
        let node = rebuild(&cx, &plan, &client).await?;
        lines.push(format!("{node} was restarted and leads the stream"));
    }
    match remembers(&client, &plan).await? {
        Memory::Known(id) => lines.push(format!(
            "it knows its ids: a retry of {id} was answered as a duplicate and not stored"
        )),
        Memory::Forgotten(id) if asked.rebuild_dedup => {
            return Err(Failure::Broken(format!(
                "{}; it does not know the id {id} after the rebuild: a producer's retry is stored a second time",
                lines.join("; ")
            )));
        }
        Memory::Forgotten(id) => lines.push(format!(
            "it does not know its ids ({id} was tried): a producer's retry is stored a second time, until `promote {zone} --rebuild-dedup`"
        )),
        Memory::Outdated => lines.push(
            "its last message is older than the time for which ids are remembered: nothing was tried"
                .into(),
        ),
        Memory::Untested => {
            lines.push("it holds no drill message: whether it knows ids was not tested".into());
        }
    }
    if follow {
        lines.push(produce::move_to(cx, zone.clone(), 0, statuses).await?.text);
    }
    Ok(Completion::done(lines.join("\n")))
}

/// Why a zone may not be promoted now, and what to do.
fn may_be(
    cx: &CommandCtx,
    status: &Status,
    plan: &ZonePlan,
    asked: &Asked,
) -> std::result::Result<(), String> {
    let zone = &plan.name;
    if plan.role == Role::Source {
        return Err(format!("zone {zone} is the source: it takes messages already"));
    }
    if plan.role == Role::Fenced {
        return match zone_role::writable(cx, status, zone) {
            Err(others) if others.is_empty() => Ok(()),
            _ if asked.force => Ok(()),
            Ok(other) => Err(fenced_beside(zone, &other.name)),
            Err(others) => Err(fenced_beside(zone, &others[0].name)),
        };
    }
    if plan.role == Role::Promoted {
        return if asked.rebuild_dedup {
            Ok(())
        } else {
            Err(format!(
                "zone {zone} is promoted already; `promote {zone} --rebuild-dedup` makes it know the ids it holds"
            ))
        };
    }
    can(status)?;
    let linked = status.zone(zone).is_some_and(Zone::is_linked);
    let alive = status.source().is_some_and(|source| {
        source.role.takes_messages() && source.has_majority() && !source.lacks_its_stream()
    });
    if linked && alive && !asked.force {
        return Err(format!(
            "the source is alive and zone {zone} is linked to it: both would take messages. `cut {zone}` or the loss of the source comes first; `promote {zone} --force` does it all the same"
        ));
    }
    Ok(())
}

/// Whether the servers can make a copy a stream of its own.
///
/// # Errors
/// Which can.
pub fn can(status: &Status) -> std::result::Result<(), String> {
    let version = status.server_version.as_deref().unwrap_or_default();
    if !version_at_least(version, PROMOTES_FROM) {
        return Err(format!(
            "nats-server {version} cannot make a copy a stream of its own, 2.12 and later can: `down`, then `zonedrill up --nats-version 2.15.1`"
        ));
    }
    Ok(())
}

fn fenced_beside(zone: &ZoneName, other: &ZoneName) -> String {
    format!(
        "zone {zone} is fenced because zone {other} takes messages: `fence {other} --force` comes first; `promote {zone} --force` makes it a second one"
    )
}

/// Writes down from where on the zone's sequences are its own; one that was promoted before goes on in
/// its line.
async fn note_promotion(
    cx: &CommandCtx,
    plan: &ZonePlan,
    client: &async_nats::Client,
) -> std::result::Result<(), Failure> {
    if plan.is_hub() {
        return Ok(());
    }
    let described = audit::describe(client, Numbers::of(plan)).await;
    let described = described.map_err(|error| Failure::Broken(error.to_string()))?;
    let record = Record::Promoted { z: plan.name.clone(), s: described.last_seq, at: now_ms() };
    let written = cx.runtime.evidence.write(vec![record]).await;
    written.map_err(|lost| Failure::Broken(lost.to_string()))
}

/// What the source acknowledged and the zone does not hold, in a sentence.
async fn left_behind(cx: &CommandCtx, zone: &ZoneName) -> Option<String> {
    let asked = zone.clone();
    let told = cx.runtime.ledger_query.ask(move |ledger| ledger.promotion(&asked)).await??;
    let (count, ids) = (told.owed.count, told.owed.ids.join(", "));
    let ms = told.owed_ms.map_or_else(String::new, |ms| format!(" in the last {}", seconds(ms)));
    let what = "acknowledged by the source and not in it";
    (count > 0).then(|| {
        format!(
            "left behind{ms}: {count} {what} ({ids}); lost, unless their producer sends them again"
        )
    })
}

/// Removes the zone's durable at the source, if that still answers.
async fn clear_source(cx: &CommandCtx, plan: &ZonePlan) {
    let clearing = async {
        let source = cx.runtime.source_plan().ok()?;
        let client = cx.runtime.zone(&source.name).ok()?.client.clone();
        streams::drop_zone(&client, plan).await.ok()
    };
    if tokio::time::timeout(CLEARED_WITHIN, clearing).await.ok().flatten().is_none() {
        tracing::info!("what zone {} had at the source is still there", plan.name);
    }
}

/// Restarts a follower of the zone's stream, which reads the ids as it starts, and lets it lead.
async fn rebuild(
    cx: &CommandCtx,
    plan: &ZonePlan,
    client: &async_nats::Client,
) -> std::result::Result<String, Failure> {
    let zone = &plan.name;
    let until = Instant::now() + CURRENT_WITHIN;
    let late = |what: &str| {
        Failure::Broken(format!(
            "{what} within {} s; `status` tells more, and `promote {zone} --rebuild-dedup` tries again",
            CURRENT_WITHIN.as_secs()
        ))
    };
    // One that is current is chosen, so that nothing is lost with it.
    let node = loop {
        let mut found = None;
        for node in &plan.nodes {
            let replica = leaders::replica(client, &node.name.to_string()).await;
            if replica.is_some_and(|(leader, current)| current && leader != node.name.to_string()) {
                found = Some(node.name.clone());
            }
        }
        match found {
            Some(node) => break node,
            None if Instant::now() >= until => {
                return Err(late("no follower of the stream was current"));
            }
            None => tokio::time::sleep(LOOK).await,
        }
    };
    cx.progress(format!("restarts {node}"));
    cx.runtime.platform.act(NodeAct::Stop, &node).await?;
    cx.runtime.platform.act(NodeAct::Start, &node).await.map_err(|error| {
        Failure::Broken(format!("{error}; {}", Remedy::StartNode(node.clone()).told()))
    })?;
    loop {
        let replica = leaders::replica(client, &node.to_string()).await;
        if replica.is_some_and(|(leader, current)| current || leader == node.to_string()) {
            break;
        }
        if Instant::now() >= until {
            return Err(late(&format!("{node} was restarted and did not catch up")));
        }
        tokio::time::sleep(LOOK).await;
    }
    cx.progress(format!("lets {node} lead"));
    leaders::stepdown_to(client, plan, &node.to_string()).await?;
    Ok(node.to_string())
}
