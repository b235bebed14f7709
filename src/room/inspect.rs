//! `inspect`: a thing as the servers, the platform or the ledger tell it, in text for people.

mod message;

use std::{fmt::Write, path::Path, sync::Arc};

use serde_json::Value;
use tokio::sync::watch;

use super::{
    clock::now_ms,
    failure::Failure,
    server::Published,
    task::{CommandCtx, Completion, Result},
};
use crate::{
    command::{Inspect, is_unruly},
    nats,
    region::{
        NodeName, ZoneName, ZonePlan,
        access::Secrets,
        format::{bytes, count, maybe, seconds},
    },
};

/// Lines of a server's log that are shown.
const LOG_LINES: usize = 200;
/// As much of a log's end is read.
const LOG_BYTES: u64 = 256 << 10;

type Statuses = watch::Receiver<Arc<Published>>;

/// Shows a thing.
///
/// # Errors
/// When nobody who knows it answers.
pub async fn inspect(cx: CommandCtx, what: Inspect, statuses: Statuses) -> Result {
    let told = tell(cx, what, statuses).await?;
    // Names and logs are full of what strangers wrote.
    let unruly = |c: char| is_unruly(c) && !['\n', '\t'].contains(&c);
    let text = told.text.replace(unruly, "\u{fffd}");
    Ok(Completion { text, ..told })
}

async fn tell(cx: CommandCtx, what: Inspect, statuses: Statuses) -> Result {
    match what {
        Inspect::Node { node } => self::node(&cx, &node).await,
        Inspect::Stream { zone } => {
            let runtime = cx.runtime.zone(&zone)?;
            let told = nats::inspect::stream(&runtime.client, &runtime.plan).await?;
            Ok(as_told(&zone, told, &statuses))
        }
        Inspect::Consumer { zone } => {
            let runtime = cx.runtime.zone(&zone)?;
            let name = runtime.plan.consumer();
            let told = nats::inspect::consumer(&runtime.client, &runtime.plan, &name).await?;
            Ok(as_told(&zone, told, &statuses))
        }
        Inspect::Durable { zone } => {
            let plan = cx.runtime.mirror_plan(&zone)?;
            let source = cx.runtime.zone(&cx.runtime.source_plan()?.name)?;
            let name = plan.mirror_consumer();
            let told = nats::inspect::consumer(&source.client, &source.plan, &name).await?;
            Ok(as_told(&zone, told, &statuses))
        }
        Inspect::Link { zone } => link(&cx, &zone).await,
        Inspect::Faults { zone } => message::faults(&cx, zone, &statuses).await,
        Inspect::Message { which } => message::message(&cx, which).await,
    }
}

/// The server's own words, below in what the zone differs from how it was made.
fn as_told(zone: &ZoneName, told: Value, statuses: &Statuses) -> Completion {
    let mut text = String::new();
    let now = now_ms();
    let status = &statuses.borrow().status;
    let differences = status.zone(zone).map(|zone| zone.differences.as_slice()).unwrap_or_default();
    for one in differences {
        let _ = writeln!(text, "! {}", one.describe(zone, now));
    }
    if differences.is_empty() {
        let _ = writeln!(text, "no difference from how it was made is known");
    }
    let _ = write!(text, "{told:#}");
    Completion { data: Some(told), ..Completion::done(text) }
}

/// A server's log and configuration, without passwords.
async fn node(cx: &CommandCtx, node: &NodeName) -> Result {
    cx.runtime.check_node(node)?;
    let folder = cx.runtime.node_folder(node);
    let secrets = cx.runtime.plan(&node.zone)?.access.secrets;
    let read = tokio::task::spawn_blocking(move || {
        let log = tail(&folder.join("nats-server.log"));
        (log, std::fs::read_to_string(folder.join("nats-server.conf")))
    });
    let (log, configuration) = read.await.map_err(|e| Failure::Broken(e.to_string()))?;
    let mut text = format!("the log of {node}, newest first\n");
    match log {
        Ok(log) => {
            for line in log.lines().rev().take(LOG_LINES) {
                let _ = writeln!(text, "  {line}");
            }
        }
        Err(error) => {
            let _ = writeln!(text, "  its log cannot be read: {error}");
        }
    }
    let _ = writeln!(text, "\nits configuration (passwords are left out)");
    match configuration {
        Ok(all) => {
            for line in all.lines() {
                let _ = writeln!(text, "  {line}");
            }
        }
        Err(error) => {
            let _ = writeln!(text, "  its configuration cannot be read: {error}");
        }
    }
    Ok(Completion::done(without(&secrets, text)))
}

/// The end of a file.
fn tail(path: &Path) -> std::io::Result<String> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = std::fs::File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_BYTES)))?;
    let mut end = Vec::new();
    file.take(LOG_BYTES).read_to_end(&mut end)?;
    let text = String::from_utf8_lossy(&end).into_owned();
    // The first line may have begun before.
    let whole = text.split_once('\n').filter(|_| length > LOG_BYTES);
    Ok(whole.map(|(_, rest)| rest.to_owned()).unwrap_or(text))
}

/// A text in which no password stands.
fn without(secrets: &Secrets, text: String) -> String {
    let Secrets { client, leaf, route, system } = secrets;
    let all = [client, leaf, route, system];
    all.into_iter().filter(|one| !one.is_empty()).fold(text, |text, one| text.replace(one, "***"))
}

/// Both ends of a link, connection by connection, and what the platform has carried.
async fn link(cx: &CommandCtx, zone: &ZoneName) -> Result {
    let (here, there) = (cx.runtime.mirror_plan(zone)?, cx.runtime.source_plan()?);
    let mut text = String::new();
    if let Some(stats) = cx.runtime.platform.link_stats(zone).await {
        let cut = stats.cut.map_or("carries", |kind| kind.as_str());
        if stats.since_begin {
            let _ = writeln!(
                text,
                "the link of zone {zone}: {cut}; {} connections open, {} accepted, {} refused; {} to the source, {} from it\n",
                count(stats.connections as u64),
                count(stats.accepted),
                count(stats.refused),
                bytes(stats.bytes_to_source),
                bytes(stats.bytes_from_source),
            );
        }
        let count = stats.count;
        if !count.condition.is_whole() {
            let ways = [("to the zone", count.to_zone), ("from the zone", count.from_zone)];
            let resets = if stats.since_begin {
                format!(", reset {} times", count.resets)
            } else {
                String::new()
            };
            let _ = writeln!(text, "it is {}{resets}", count.condition);
            for (name, way) in ways {
                let _ = write!(text, "  {name}: {} passed since", bytes(way.since));
                // Where nothing is held back, nobody counts that.
                if stats.since_begin {
                    let _ = write!(
                        text,
                        ", {} waiting, {} pieces held, each for at least {}",
                        bytes(way.queued),
                        maybe(Some(way.held)),
                        way.least_us.map_or_else(|| "?".into(), |us| format!("{} ms", us / 1000)),
                    );
                }
                text.push('\n');
                let packets = way.packets;
                let told = [
                    (packets.came, "packets came"),
                    (packets.silenced, "silenced"),
                    (packets.lost, "lost"),
                    (packets.too_large, "too large"),
                    (packets.overflowed, "beyond the queue"),
                    (packets.spoiled, "corrupted"),
                    (packets.doubled, "doubled"),
                    (packets.held_back, "held back"),
                ];
                let told: Vec<String> = told
                    .into_iter()
                    .filter(|(number, _)| *number > 0)
                    .map(|(number, what)| format!("{number} {what}"))
                    .collect();
                if !told.is_empty() {
                    let _ = writeln!(text, "    {}", told.join(", "));
                }
            }
            for (end, seen) in [("source", count.source_end), ("zone", count.zone_end)] {
                let Some(seen) = seen else { continue };
                let _ = writeln!(
                    text,
                    "  the kernel at the {end}: {} segments sent again, {} came corrupted, {} twice, {} out of order",
                    seen.retransmitted, seen.spoiled, seen.repeated, seen.out_of_order
                );
            }
            text.push('\n');
        }
    }
    let both = [(&here, None), (&there, Some(zone))];
    for (plan, only) in both {
        let _ = writeln!(text, "leafnode connections that zone {} lists", plan.name);
        end(plan, only, &mut text).await;
    }
    Ok(Completion::done(text))
}

/// One end; at the source only the connections `of` that zone.
async fn end(plan: &ZonePlan, of: Option<&ZoneName>, text: &mut String) {
    let asked = plan.nodes.iter().map(|node| nats::inspect::leafs(plan, node));
    for (node, told) in plan.nodes.iter().zip(futures::future::join_all(asked).await) {
        let Some(leafs) = told else {
            let _ = writeln!(text, "  {}: does not answer", node.name);
            continue;
        };
        let name = |leaf: &Value| leaf["name"].as_str().unwrap_or("?").to_owned();
        let ours = |leaf: &&Value| of.is_none_or(|zone| name(leaf).ends_with(&zone.long()));
        let mut none = true;
        for leaf in leafs.iter().filter(ours) {
            none = false;
            let number = |field: &str| leaf[field].as_u64();
            let _ = writeln!(
                text,
                "  {}: to {} at {}:{}, round trip {}, in {} messages ({}), out {} messages ({}), {} subscriptions",
                node.name,
                name(leaf),
                leaf["ip"].as_str().unwrap_or("?"),
                number("port").map_or_else(|| "?".into(), |port| port.to_string()),
                leaf["rtt"].as_str().unwrap_or("?"),
                maybe(number("in_msgs")),
                number("in_bytes").map_or_else(|| "?".into(), bytes),
                maybe(number("out_msgs")),
                number("out_bytes").map_or_else(|| "?".into(), bytes),
                maybe(number("subscriptions")),
            );
        }
        if none {
            let _ = writeln!(text, "  {}: none", node.name);
        }
    }
}

/// How long ago, in words.
fn ago(at_ms: u64) -> String {
    format!("{} ago", seconds(now_ms().saturating_sub(at_ms)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_shown() {
        let secrets = Secrets {
            client: "c1ient".into(),
            leaf: "l3af".into(),
            route: "r0ute".into(),
            system: String::new(),
        };
        let text = "password: c1ient\nurl: nats://leaf:l3af@host, r0ute".to_owned();
        assert_eq!(without(&secrets, text), "password: ***\nurl: nats://leaf:***@host, ***");
    }

    #[test]
    fn the_end_of_a_long_log_begins_with_a_whole_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let line = |n: u32| format!("[{n:06}] {}\n", "x".repeat(91));
        let text: String = (0..5_000).map(line).collect();
        std::fs::write(&path, text).unwrap();
        let end = tail(&path).unwrap();
        assert!(end.starts_with('[') && end.ends_with(&line(4_999)));
        assert!((LOG_BYTES - 100..=LOG_BYTES).contains(&(end.len() as u64)), "{}", end.len());
    }
}
