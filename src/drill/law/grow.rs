//! Conclusion 4: a zone joins, and the producer does not notice.

use std::collections::BTreeSet;

use super::{Case, Finding, ran::PROGRESS};
use crate::{
    command::Command,
    drill::record::ProducerSample,
    region::{MirrorKind, UnixMs, ZoneName, observation::ServerFacts, snapshot::Verdict},
};

/// The producer was not touched while the zone joined: same connection, server, configuration, no
/// reconnect, and only the source acknowledged.
pub(super) fn producer(case: &Case<'_>) -> Finding {
    not_by_another(case, untouched(case))
}

/// In a run that somebody disturbed or ended, nobody knows whose doing it was.
fn not_by_another(case: &Case<'_>, mut finding: Finding) -> Finding {
    if let Some(why) = &case.run.interrupted {
        finding.verdict = Verdict::Void;
        finding.text =
            format!("not decided, as the drill was interrupted ({why}): {}", finding.text);
    }
    finding
}

fn untouched(case: &Case<'_>) -> Finding {
    const CHECK: &str = "producer";
    let run = case.run;
    let domain = case.begin.source.long();
    // Touched is touched, whatever else was or was not tested.
    let connections = values(case, |producer| producer.connection);
    let servers = values(case, |producer| producer.server_id.clone());
    let hashes = values(case, |producer| producer.config_hash.clone());
    let reconnects = values(case, |producer| Some(producer.reconnects));
    let domains = values(case, |producer| producer.acked_by.clone());
    if connections.len() > 1 {
        return Finding::broken(
            CHECK,
            format!("the producer's connection changed: {}", list(&connections)),
        );
    }
    if servers.len() > 1 {
        let why = format!("the producer went to another server: {}", list(&servers));
        return Finding::broken(CHECK, why);
    }
    if hashes.len() > 1 {
        let why = format!("the producer's configuration changed: hashes {}", list(&hashes));
        return Finding::broken(CHECK, why);
    }
    if reconnects.len() > 1 {
        let why = format!("the producer reconnected: counted {} times", list(&reconnects));
        return Finding::broken(CHECK, why);
    }
    if let Some(other) = domains.iter().find(|other| **other != domain) {
        let why = format!("a message was acknowledged by domain {other} instead of {domain}");
        return Finding::broken(CHECK, why);
    }
    if let Some((other, count)) = case.ledger.acked_by().iter().find(|(name, _)| **name != domain) {
        let why =
            format!("{count} messages were acknowledged by domain {other} instead of {domain}");
        return Finding::broken(CHECK, why);
    }
    let Some((given, answer)) = joined(case) else {
        return Finding::void(CHECK, "no zone joined by this drill's command");
    };
    if let Err(why) = case.watched("while the zone joined", given.at, answer.at) {
        return Finding::void(CHECK, why);
    }
    let end = run.ended.unwrap_or(answer.at);
    let start = run.samples.first().map_or(given.at, |sample| sample.at);
    let spans = [
        ("before the zone joined", start, given.at),
        ("while it joined", given.at, answer.at),
        ("after it joined", answer.at, end),
    ];
    let mut counts = Vec::new();
    for (when, from, to) in spans {
        let samples = run.between(from, to);
        let known = samples.iter().any(|sample| {
            let p = &sample.producer;
            p.connection.is_some()
                && p.server_id.is_some()
                && p.config_hash.is_some()
                && p.acked_by.is_some()
        });
        if !known {
            let why = format!(
                "the producer's connection, server, configuration and domain {when} are not known"
            );
            return Finding::void(CHECK, why);
        }
        let acked = |sample: Option<&crate::drill::record::Sample>| {
            sample.map_or(0, |sample| sample.producer.acked)
        };
        let count = acked(samples.last()).saturating_sub(acked(samples.first()));
        if count < PROGRESS {
            return Finding::void(
                CHECK,
                format!(
                    "the producer did not run {when}: {count} messages, at least {PROGRESS} are needed"
                ),
            );
        }
        counts.push(count);
    }
    // Counted from a span's first sample to its last: what was acknowledged between two spans is in
    // neither.
    Finding::proved(
        CHECK,
        format!(
            "one producer connection ({}) with one configuration acknowledged at least {} messages before, {} while and {} after the zone joined: no reconnect, all by {domain}",
            list(&connections), counts[0], counts[1], counts[2]
        ),
    )
    .with("connection", list(&connections))
    .with("server", list(&servers))
    .with("configuration hash", list(&hashes))
    .with("reconnects", list(&reconnects))
    .with("acknowledged by", domain)
}

fn values<T: Ord>(case: &Case<'_>, of: impl Fn(&ProducerSample) -> Option<T>) -> BTreeSet<T> {
    case.run.samples.iter().filter_map(|sample| of(&sample.producer)).collect()
}

fn list<T: ToString>(values: &BTreeSet<T>) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The command that added the zone.
fn joined<'a>(
    case: &Case<'a>,
) -> Option<(&'a crate::drill::run::Given, &'a crate::drill::run::Answer)> {
    let new = case.begin.new_zone.as_ref();
    case.run.done(|command| {
        matches!(command, Command::ZoneAdd { zone } if zone.is_none() || zone.as_ref() == new)
    })
}

/// The source's servers were neither restarted nor reloaded.
pub(super) fn servers(case: &Case<'_>) -> Finding {
    not_by_another(case, unmoved(case))
}

fn unmoved(case: &Case<'_>) -> Finding {
    const CHECK: &str = "servers";
    let source = &case.begin.source;
    let of = |facts: &[ServerFacts]| -> Vec<Option<ServerFacts>> {
        source
            .nodes()
            .map(|node| facts.iter().find(|fact| fact.node == node.to_string()).cloned())
            .collect()
    };
    let looks = &case.run.servers;
    // Every look is compared with the first that knew the node.
    let mut first: Vec<Option<ServerFacts>> = vec![None; source.nodes().count()];
    for look in looks {
        for (known, now) in first.iter_mut().zip(of(look)) {
            match (known.as_ref(), now) {
                (Some(known), Some(now)) if *known != now => {
                    let what = if known.start == now.start && known.server_id == now.server_id {
                        "reloaded its configuration"
                    } else {
                        "was started again"
                    };
                    let why =
                        format!("server {} of zone {source} {what} during the drill", now.node);
                    return Finding::broken(CHECK, why);
                }
                (None, Some(now)) => *known = Some(now),
                _ => {}
            }
        }
    }
    let complete = |look: Option<&Vec<ServerFacts>>| {
        look.is_some_and(|look| {
            of(look).iter().all(|fact| {
                fact.as_ref().is_some_and(|fact| {
                    !fact.server_id.is_empty()
                        && !fact.start.is_empty()
                        && !fact.config_load_time.is_empty()
                })
            })
        })
    };
    if looks.len() < 2 || !complete(looks.first()) || !complete(looks.last()) {
        let why = format!(
            "when the servers of zone {source} were started and configured is not known for the beginning and the end"
        );
        return Finding::void(CHECK, why);
    }
    let mut finding = Finding::proved(
        CHECK,
        format!(
            "none of the {} servers of zone {source} was started again or loaded its configuration again",
            first.len()
        ),
    );
    for fact in first.into_iter().flatten() {
        finding = finding
            .with(&format!("{} started", fact.node), &fact.start)
            .with(&format!("{} configuration loaded", fact.node), &fact.config_load_time);
    }
    if case.begin.mirror_kind == MirrorKind::Durable {
        finding.text.push_str(
            " (the source's stream did get one durable consumer, which a durable mirror pulls from)",
        );
    }
    finding
}

/// The new zone holds everything from the first message on, and its consumer received it.
pub(super) fn backfill(case: &Case<'_>) -> Finding {
    const CHECK: &str = "backfill";
    let (Some(new), Some((given, _))) = (&case.begin.new_zone, joined(case)) else {
        return Finding::void(CHECK, "no zone joined by this drill's command");
    };
    match filled(case, new, given.at) {
        Ok(finding) => finding,
        Err(why) => Finding::void(CHECK, why),
    }
}

fn filled(case: &Case<'_>, new: &ZoneName, joined: UnixMs) -> Result<Finding, String> {
    const CHECK: &str = "backfill";
    let source = &case.begin.source;
    let before = case.run.between(0, joined).last().and_then(|s| s.zone(source)?.last_seq);
    let before = before.ok_or_else(|| {
        format!("how much zone {source} held when zone {new} joined is not known")
    })?;
    let unknown = |zone: &ZoneName| format!("what zone {zone} holds at the end is not known");
    let here = case.run.last(new).ok_or_else(|| unknown(new))?;
    let there = case.run.last(source).ok_or_else(|| unknown(source))?;
    let (Some(first), Some(last), Some(floor)) = (here.first_seq, here.last_seq, here.ack_floor)
    else {
        return Err(unknown(new));
    };
    let (Some(source_first), Some(source_last)) = (there.first_seq, there.last_seq) else {
        return Err(unknown(source));
    };
    if before < source_first + PROGRESS - 1 {
        return Err(format!("there was nothing to backfill: zone {source} held too little"));
    }
    if first != source_first {
        return Ok(Finding::broken(
            CHECK,
            format!(
                "zone {new} begins at sequence {first}, zone {source} at {source_first}: it was not backfilled from the first message"
            ),
        ));
    }
    if last < source_last || floor < last {
        return Err(format!(
            "zone {new} was not done: it holds {last} of {source_last} sequences, its consumer has done {floor}"
        ));
    }
    let account = case.ledger.account(new, Some(floor));
    if account.lost + account.behind > 0 {
        return Ok(Finding::broken(
            CHECK,
            format!(
                "consumer-{new} did not receive {} of {} acknowledged messages",
                account.lost + account.behind,
                account.acked
            ),
        ));
    }
    if account.received < PROGRESS {
        return Err(format!("consumer-{new} received {} messages", account.received));
    }
    Ok(Finding::proved(
        CHECK,
        format!(
            "zone {new} holds sequences {first} to {last} like zone {source}, {before} of them from before it joined, and consumer-{new} received all {} messages",
            account.received
        ),
    )
    .with("first sequence", first)
    .with("last sequence", last)
    .with("last sequence when it joined", before)
    .with(&format!("consumer-{new} received"), account.received))
}
