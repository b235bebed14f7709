//! The human `status`: plain text, a block a zone, at most 80 columns.

mod page;

use std::fmt::Write as _;

use page::{GAP, Page};

use super::{
    Apart, Consumer, Flow, Latency, Link, LinkState, Mirror, NodeState, Phase, Producer, Recovery,
    Status, StepState, Stream, Verdict, Zone, ZoneState,
};
use crate::region::{
    UnixMs,
    configuration::gone_at_source,
    format::{bytes, count, rate, round_trip, seconds, span},
    reduce::FRESH_MS,
    topology::Role,
};

/// The whole status as text, with a newline at the end.
#[must_use]
pub fn render(status: &Status) -> String {
    let mut page = Page::default();
    head(&mut page, status);
    if let Some(late) = status.late.filter(|late| late.at_ms + FRESH_MS > status.at_ms) {
        let said = format!("was late by {}: the numbers may be older than told", span(late.for_ms));
        page.row("room", &[said]);
    }
    for zone in &status.zones {
        page.blank();
        block(&mut page, zone, status);
    }
    if status.is_external() {
        return page.text;
    }
    page.blank();
    producer(&mut page, &status.producer);
    for task in &status.tasks {
        let mut facts = vec![format!("{} (by {})", task.command, task.by)];
        facts.extend((!task.progress.is_empty()).then(|| task.progress.clone()));
        page.row("running", &facts);
    }
    let conclusions: Vec<String> = status
        .conclusions
        .iter()
        .map(|conclusion| format!("{} {}", conclusion.name, verdict(conclusion.verdict)))
        .collect();
    if !conclusions.is_empty() {
        page.row("conclusions", &conclusions);
    }
    let screens: Vec<String> = status
        .screens
        .iter()
        .map(|screen| {
            let (guest, drives) = (
                if screen.guest { "guest, " } else { "" },
                if screen.drives { "drives" } else { "observes" },
            );
            let from = screen.from.as_ref().map(|from| format!(", from {from}"));
            format!("{} ({guest}{drives}{})", screen.name, from.unwrap_or_default())
        })
        .collect();
    page.row("screens", &if screens.is_empty() { vec!["none".into()] } else { screens });
    page.text
}

fn head(page: &mut Page, status: &Status) {
    let version = status.server_version.as_deref().unwrap_or("version unknown");
    let kind = status.mirror_kind.map(|via| status.copy_kind.several(Some(via)));
    let mut facts = vec![
        match status.phase {
            Phase::Failed => format!("region {} did not start", status.region),
            phase => format!("region {} is {phase}", status.region),
        },
        status.where_it_runs(),
        format!("nats-server {version}"),
    ];
    facts.extend(kind);
    facts.extend(status.open.then(|| "open: admin may change everything".to_owned()));
    let age = status.at_ms.saturating_sub(status.started_at_ms);
    facts.push(if status.is_external() {
        format!("looked at for {}", span(age))
    } else {
        format!("room {} old", span(age))
    });
    page.flow("", &facts, GAP);
    if let Some(why) = &status.failure {
        page.prose("  why", why);
    }
    let alarms = status.alarms();
    if !alarms.is_empty() {
        page.row("word", &[Status::word(&alarms)]);
    }
    if matches!(status.phase, Phase::Starting | Phase::Failed)
        || status.steps.iter().any(|step| step.state != StepState::Done)
    {
        for step in &status.steps {
            let state = match (step.state, step.took_ms) {
                (StepState::Done, Some(took)) => format!("done in {}", seconds(took)),
                (StepState::Done, None) => "done".into(),
                (StepState::Running, _) => "...".into(),
                (StepState::Failed, _) => "failed".into(),
            };
            let mut words = format!("{}: {state}", step.title);
            if !step.detail.is_empty() && step.state != StepState::Done {
                let _ = write!(words, " {}", step.detail);
            }
            page.prose("  step", &words);
        }
    }
}

fn block(page: &mut Page, zone: &Zone, status: &Status) {
    let at = status.at_ms;
    let state = match zone.state {
        ZoneState::Starting => ", starting",
        ZoneState::Ready => "",
        ZoneState::Removing => ", being removed",
    };
    page.line(&format!("zone {} ({}{state})", zone.name, zone.role));
    for (n, node) in zone.nodes.iter().enumerate() {
        let leads: Vec<&str> = [
            (node.leader, "stream"),
            (node.meta_leader, "meta"),
            (node.consumer_leader, "consumer"),
        ]
        .into_iter()
        .filter_map(|(leads, what)| leads.then_some(what))
        .collect();
        let mut text = format!("{} {:<8}", node.name, node.state.as_str());
        if node.state != NodeState::Up {
            let _ = write!(text, " for {}", span(at.saturating_sub(node.since_at_ms)));
        }
        if !leads.is_empty() {
            let _ = write!(text, " leads {}", leads.join(", "));
        }
        page.row(if n == 0 { "nodes" } else { "" }, &[text]);
    }
    let mut stream = zone.stream.as_ref().map_or_else(unknown, |stream| stream_facts(stream, at));
    stream.extend(zone.keeping.told());
    page.row("stream", &stream);
    page.row(
        "consumer",
        &(zone
            .consumer
            .as_ref()
            .filter(|consumer| consumer.told_at_ms.is_some() || consumer.running))
        .map_or_else(unknown, |consumer| consumer_facts(consumer, zone.of_others(), at)),
    );
    page.row("last 10 s", &flow_facts(zone.flow));
    if let Some(why) = zone.consumer.as_ref().and_then(|consumer| consumer.trouble.as_ref()) {
        page.prose("", &format!("trouble: {why}"));
    }
    for one in &zone.differences {
        page.prose("  differs", &one.describe(&zone.name, at));
    }
    for one in &zone.foreign {
        let since = span(at.saturating_sub(one.since_at_ms));
        page.prose("  foreign", &format!("{one}, {since} ago"));
    }
    if zone.role == Role::Mirror {
        page.row(
            "mirror",
            &(zone.mirror.as_ref().filter(|mirror| mirror.told_at_ms.is_some()))
                .map_or_else(unknown, |mirror| mirror_facts(mirror, at)),
        );
        if let Some((count, limits)) = status.gone_at_source(zone) {
            page.prose("", &gone_at_source(&zone.name, count, &limits));
        }
        if let Some(error) = zone.mirror.as_ref().and_then(|mirror| mirror.error.as_ref()) {
            page.prose("", &format!("the server says: {error}"));
        }
    }
    if let Some(link) = &zone.link {
        page.row("link", &link_facts(link, at));
    }
    if let Some(recovery) = &zone.recovery {
        page.row("recovery", &recovery_facts(recovery, at));
        if let Some(stall) = &recovery.stall {
            page.prose("", stall);
        }
    }
    if zone.of_others() {
        return;
    }
    let ledger = &zone.ledger;
    let mut facts = vec![
        format!("acked {}", count(ledger.acked)),
        format!("received {}", count(ledger.received)),
        format!("lost {}", count(ledger.lost)),
        format!("duplicates {}", count(ledger.duplicates)),
        format!("redelivered {}", count(ledger.redelivered)),
        format!("processed twice {}", count(ledger.processed_twice)),
        format!("reordered {}", count(ledger.reordered)),
        format!("corrupt {}", count(ledger.corrupt)),
        format!("unexpected {}", count(ledger.unexpected)),
    ];
    if ledger.foreign > 0 {
        facts.push(format!("published by somebody else {}", count(ledger.foreign)));
    }
    if ledger.unrecorded > 0 {
        facts.push(format!("unrecorded {} (the ledger was cut short)", count(ledger.unrecorded)));
    }
    if let Some(Apart { alone, lacks }) = ledger.apart {
        facts.push(format!("alone {}, lacks {} of others", count(alone), count(lacks)));
    }
    page.row("ledger", &facts);
}

fn or_unknown(number: Option<u64>) -> String {
    number.map_or_else(|| "unknown".into(), count)
}

fn unknown() -> Vec<String> {
    vec!["unknown".into()]
}

fn stream_facts(stream: &Stream, at: UnixMs) -> Vec<String> {
    let mut facts = vec![
        format!("messages {}", count(stream.messages)),
        format!("sequences {}-{}", count(stream.first_seq), count(stream.last_seq)),
        bytes(stream.bytes),
        match stream.replicas_current {
            Some(current) => format!("{current} of {} replicas current", stream.replicas),
            None => format!("unknown how many of {} replicas are current", stream.replicas),
        },
    ];
    if stream.num_deleted > 0 {
        facts.push(format!("holes {}", count(stream.num_deleted)));
    }
    if stream.leader.is_none() {
        facts.push("nobody leads".into());
    }
    facts.extend(stale(at, stream.told_at_ms));
    facts
}

fn consumer_facts(consumer: &Consumer, of_others: bool, at: UnixMs) -> Vec<String> {
    let mut facts = vec![
        format!("delivered {}", or_unknown(consumer.delivered)),
        format!("floor {}", or_unknown(consumer.ack_floor)),
        format!("pending {}", or_unknown(consumer.pending)),
        format!("unacked {}", or_unknown(consumer.unacked)),
        format!("redelivered {}", or_unknown(consumer.redelivered)),
    ];
    let deliveries = format!("deliveries {}", or_unknown(consumer.deliveries));
    if of_others {
        facts.push(deliveries);
    } else {
        facts.push(format!("{deliveries} ({} here)", or_unknown(consumer.deliveries_here)));
        facts.push(rate(consumer.rate));
    }
    if consumer.elsewhere > 0 {
        facts.push(format!("fetched by somebody else {}", count(consumer.elsewhere)));
    }
    if consumer.paused {
        facts.push("paused".into());
    }
    if let Some(limit) = consumer.limit {
        facts.push(format!("held to {}", rate(limit)));
    }
    facts.extend(consumer.told_at_ms.and_then(|told| stale(at, told)));
    facts
}

fn flow_facts(flow: Flow) -> Vec<String> {
    let per_second = |rate_of: Option<f64>| rate_of.map_or_else(|| "unknown".into(), rate);
    let mut facts = vec![
        format!("published {}", per_second(flow.publish_rate)),
        format!("consumed {}", per_second(flow.consume_rate)),
    ];
    match flow.latency {
        Some(Latency { messages, p50_us, p99_us, max_us }) => facts.extend([
            format!("latency of {} messages: p50 {}", count(messages), round_trip(p50_us)),
            format!("p99 {}", round_trip(p99_us)),
            format!("max {}", round_trip(max_us)),
        ]),
        None => facts.push("latency unknown".into()),
    }
    facts
}

fn mirror_facts(mirror: &Mirror, at: UnixMs) -> Vec<String> {
    let mut facts = vec![
        mirror.state.as_str().to_owned(),
        format!("true lag {}", or_unknown(mirror.true_lag)),
        format!("server says {}", or_unknown(mirror.reported_lag)),
        mirror.heard_at_ms.map_or_else(
            || "never heard".into(),
            |heard| format!("heard {} ago", span(at.saturating_sub(heard))),
        ),
    ];
    if let Some(pending) = mirror.source_pending {
        facts.push(format!("source counts {}", count(pending)));
    }
    facts.extend(mirror.told_at_ms.and_then(|told| stale(at, told)));
    facts
}

fn link_facts(link: &Link, at: UnixMs) -> Vec<String> {
    let leafs =
        |number: Option<u32>| number.map_or_else(|| "unknown".into(), |number| number.to_string());
    let kind = link.kind.map(|kind| format!(" ({kind})")).unwrap_or_default();
    let age = span(at.saturating_sub(link.since_at_ms));
    let mut facts = vec![format!("{}{kind} for {age}", link.state)];
    if link.state == LinkState::Cut {
        facts.push(if link.effective { "effective" } else { "not proved" }.into());
        facts.extend(unnoticed(link, at));
        match link.heals_at_ms {
            Some(heals) => facts.push(format!("heals in {}", span(heals.saturating_sub(at)))),
            None => facts.push("until healed".into()),
        }
    }
    if let Some(asked) = link.condition {
        facts.push(asked.to_string());
        facts.push(match &link.measured {
            _ if link.effective => "measured at both ends and on the line".into(),
            Some(measured) if !measured.unproved.is_empty() => {
                let what: Vec<&str> = measured.unproved.iter().map(|one| one.as_str()).collect();
                format!("not measured yet: {}", what.join(", "))
            }
            _ => "not measured yet".into(),
        });
        if let Some(heals) = link.heals_at_ms {
            facts.push(format!("heals in {}", span(heals.saturating_sub(at))));
        }
        facts.extend(link.traffic());
    }
    facts.extend(link.why_stuck());
    facts.push(format!(
        "leafs {} here, {} at the source",
        leafs(link.leafs_here),
        leafs(link.leafs_there)
    ));
    if let Some(rtt) = link.rtt_us {
        facts.push(format!("rtt {}", round_trip(rtt)));
    }
    facts
}

/// A cut that servers find out about by themselves, while they have not.
fn unnoticed(link: &Link, at: UnixMs) -> Option<String> {
    let (age_ms, most_ms) = link.unnoticed(at)?;
    Some(format!("servers have not noticed yet: {} of at most {}", span(age_ms), span(most_ms)))
}

fn recovery_facts(recovery: &Recovery, at: UnixMs) -> Vec<String> {
    let after = |ms: Option<u64>| ms.map_or_else(|| "not yet".into(), seconds);
    let moving = match (recovery.moving_after_ms, recovery.caught_up_after_ms) {
        (None, Some(_)) => "nothing was missing".into(),
        (ms, _) => format!("moving {}", after(ms)),
    };
    let mut facts = vec![
        format!("healed {} ago", span(at.saturating_sub(recovery.healed_at_ms))),
        format!("link up {}", after(recovery.link_up_after_ms)),
        moving,
        format!("caught up {}", after(recovery.caught_up_after_ms)),
    ];
    if let Some(behind) = recovery.behind.filter(|behind| *behind > 0) {
        facts.insert(1, format!("{} behind then", count(behind)));
    }
    if recovery.nudged {
        facts.push("nudged".into());
    }
    facts
}

fn producer(page: &mut Page, producer: &Producer) {
    let mut facts = vec![
        if producer.active { rate(producer.rate) } else { "idle".into() },
        format!("acked {}", count(producer.acked)),
        format!("failed {}", count(producer.failed)),
        format!("unknown {}", count(producer.unknown)),
        format!("last number {}", count(producer.last_number)),
    ];
    if producer.baseline > 0 {
        facts.push(format!("from before {}", count(producer.baseline)));
    }
    if producer.reconnects > 0 {
        facts.push(format!("reconnects {}", count(producer.reconnects)));
    }
    facts.extend(producer.acked_by.as_ref().map(|domain| format!("acked by {domain}")));
    page.row("producer", &facts);
    for running in &producer.running {
        page.row("", std::slice::from_ref(running));
    }
    if let Some(why) = &producer.trouble {
        page.prose("", &format!("trouble: {why}"));
    }
}

fn verdict(verdict: Verdict) -> &'static str {
    if verdict == Verdict::Broken { "BROKEN" } else { verdict.as_str() }
}

fn stale(at: UnixMs, told: UnixMs) -> Option<String> {
    let age = at.saturating_sub(told);
    (age >= FRESH_MS).then(|| format!("({} old)", span(age)))
}
