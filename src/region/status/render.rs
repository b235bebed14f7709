//! The human `status`: plain text, a block a zone, at most 80 columns.

use std::fmt::Write as _;

use super::phase_word;
use crate::region::{
    UnixMs,
    event::seconds,
    figures::thousands,
    reduce::FRESH_MS,
    snapshot::{
        Consumer, Link, LinkState, Mirror, NodeState, Phase, Producer, Recovery, Snapshot,
        StepState, Stream, Verdict, Zone, ZoneState,
    },
    topology::Role,
};

/// No line is longer.
const WIDTH: usize = 80;
/// Labels and their indent.
const LABEL: usize = 14;
/// Between two facts on a line.
const GAP: &str = "   ";

/// The whole status as text, with a newline at the end.
#[must_use]
pub fn render(snapshot: &Snapshot) -> String {
    let mut page = Page::default();
    head(&mut page, snapshot);
    for zone in &snapshot.zones {
        page.blank();
        block(&mut page, zone, snapshot.at_ms);
    }
    page.blank();
    producer(&mut page, &snapshot.producer);
    for task in &snapshot.tasks {
        let mut facts = vec![format!("{} (by {})", task.command, task.actor)];
        facts.extend((!task.progress.is_empty()).then(|| task.progress.clone()));
        page.row("running", &facts);
    }
    let conclusions: Vec<String> = snapshot
        .conclusions
        .iter()
        .map(|conclusion| format!("{} {}", conclusion.name, verdict(conclusion.verdict)))
        .collect();
    if !conclusions.is_empty() {
        page.row("conclusions", &conclusions);
    }
    let screens: Vec<String> = snapshot
        .screens
        .iter()
        .map(|screen| {
            format!("{} ({})", screen.name, if screen.drives { "drives" } else { "observes" })
        })
        .collect();
    page.row("screens", &if screens.is_empty() { vec!["none".into()] } else { screens });
    page.text
}

fn head(page: &mut Page, snapshot: &Snapshot) {
    let version = snapshot.server_version.as_deref().unwrap_or("version unknown");
    let kind = snapshot.mirror_kind.map(|kind| format!("{} mirrors", kind.as_str()));
    let mut facts = vec![
        match &snapshot.phase {
            Phase::Failed(_) => format!("region {} did not start", snapshot.region),
            phase => format!("region {} is {}", snapshot.region, phase_word(phase)),
        },
        snapshot.platform.clone(),
        format!("nats-server {version}"),
    ];
    facts.extend(kind);
    let age = snapshot.at_ms.saturating_sub(snapshot.started_ms);
    facts.push(format!("room {} old", span(age)));
    page.flow("", &facts, GAP);
    if let Phase::Failed(why) = &snapshot.phase {
        page.prose("  why", why);
    }
    if matches!(snapshot.phase, Phase::Starting | Phase::Failed(_))
        || snapshot.steps.iter().any(|step| step.state != StepState::Done)
    {
        for step in &snapshot.steps {
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

fn block(page: &mut Page, zone: &Zone, at: UnixMs) {
    let role = match zone.role {
        Role::Source => "source",
        Role::Mirror => "mirror",
    };
    let state = match zone.state {
        ZoneState::Starting => ", starting",
        ZoneState::Ready => "",
        ZoneState::Removing => ", being removed",
    };
    page.line(&format!("zone {} ({role}{state})", zone.name));
    for (n, node) in zone.nodes.iter().enumerate() {
        let leads: Vec<&str> = [
            (node.stream_leader, "stream"),
            (node.meta_leader, "meta"),
            (node.consumer_leader, "consumer"),
        ]
        .into_iter()
        .filter_map(|(leads, what)| leads.then_some(what))
        .collect();
        let mut text = format!("{} {:<8}", node.name, node.state.as_str());
        if node.state != NodeState::Up {
            let _ = write!(text, " for {}", span(at.saturating_sub(node.since_ms)));
        }
        if !leads.is_empty() {
            let _ = write!(text, " leads {}", leads.join(", "));
        }
        page.row(if n == 0 { "nodes" } else { "" }, &[text]);
    }
    page.row(
        "stream",
        &zone.stream.as_ref().map_or_else(unknown, |stream| stream_facts(stream, at)),
    );
    page.row(
        "consumer",
        &zone.consumer.as_ref().map_or_else(unknown, |consumer| consumer_facts(consumer, zone, at)),
    );
    if let Some(why) = &zone.work.trouble {
        page.prose("", &format!("trouble: {why}"));
    }
    if zone.role == Role::Mirror {
        page.row(
            "mirror",
            &zone.mirror.as_ref().map_or_else(unknown, |mirror| mirror_facts(mirror, at)),
        );
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
    if ledger.unrecorded > 0 {
        facts.push(format!("unrecorded {} (the ledger was cut short)", count(ledger.unrecorded)));
    }
    page.row("ledger", &facts);
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
    facts.extend(stale(at, stream.told_ms));
    facts
}

fn consumer_facts(consumer: &Consumer, zone: &Zone, at: UnixMs) -> Vec<String> {
    let mut facts = vec![
        format!("delivered {}", count(consumer.delivered)),
        format!("floor {}", count(consumer.ack_floor)),
        format!("pending {}", count(consumer.pending)),
        format!("unacked {}", count(consumer.unacked)),
        format!("redelivered {}", count(consumer.redelivered)),
        format!("{:.1}/s", zone.work.rate),
    ];
    if zone.work.paused {
        facts.push("paused".into());
    }
    if let Some(limit) = zone.work.limit {
        facts.push(format!("held to {limit}/s"));
    }
    facts.extend(stale(at, consumer.told_ms));
    facts
}

fn mirror_facts(mirror: &Mirror, at: UnixMs) -> Vec<String> {
    let or_unknown = |number: Option<u64>| number.map_or_else(|| "unknown".into(), count);
    let mut facts = vec![
        mirror.state.as_str().to_owned(),
        format!("true lag {}", or_unknown(mirror.true_lag)),
        format!("server says {}", or_unknown(mirror.reported_lag)),
        mirror.heard_ms.map_or_else(
            || "never heard".into(),
            |heard| format!("heard {} ago", span(at.saturating_sub(heard))),
        ),
    ];
    if let Some(pending) = mirror.source_pending {
        facts.push(format!("source counts {}", count(pending)));
    }
    facts.extend(stale(at, mirror.told_ms));
    facts
}

fn link_facts(link: &Link, at: UnixMs) -> Vec<String> {
    let leafs =
        |number: Option<u32>| number.map_or_else(|| "unknown".into(), |number| number.to_string());
    let kind = link.kind.map(|kind| format!(" ({})", kind.as_str())).unwrap_or_default();
    let age = span(at.saturating_sub(link.since_ms));
    let mut facts = vec![format!("{}{kind} for {age}", link.state.as_str())];
    if link.state == LinkState::Cut {
        facts.push(if link.effective { "effective" } else { "not proved" }.into());
        facts.extend(unnoticed(link, at));
        match link.heals_at_ms {
            Some(heals) => facts.push(format!("heals in {}", span(heals.saturating_sub(at)))),
            None => facts.push("until healed".into()),
        }
    }
    facts.push(format!(
        "leafs {} here, {} at the source",
        leafs(link.leafs_here),
        leafs(link.leafs_there)
    ));
    if let Some(rtt) = link.rtt_us {
        facts.push(format!("rtt {}.{:02} ms", rtt / 1000, rtt % 1000 / 10));
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
        format!("healed {} ago", span(at.saturating_sub(recovery.healed_ms))),
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
        if producer.active { format!("{:.1}/s", producer.rate) } else { "idle".into() },
        format!("acked {}", count(producer.acked)),
        format!("failed {}", count(producer.failed)),
        format!("unknown {}", count(producer.unknown)),
        format!("last number {}", count(producer.last_number)),
    ];
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
    match verdict {
        Verdict::Waiting => "waiting",
        Verdict::Holding => "holding",
        Verdict::Proved => "proved",
        Verdict::Broken => "BROKEN",
        Verdict::Void => "void",
    }
}

fn stale(at: UnixMs, told: UnixMs) -> Option<String> {
    let age = at.saturating_sub(told);
    (age >= FRESH_MS).then(|| format!("({} old)", span(age)))
}

fn count(number: u64) -> String {
    thousands(number, ',')
}

fn bytes(number: u64) -> String {
    match number {
        0..1_024 => format!("{number} B"),
        1_024..1_048_576 => format!("{:.1} KiB", number as f64 / 1_024.0),
        1_048_576..1_073_741_824 => format!("{:.1} MiB", number as f64 / 1_048_576.0),
        _ => format!("{:.1} GiB", number as f64 / 1_073_741_824.0),
    }
}

/// A span as people say it: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`.
fn span(ms: u64) -> String {
    let s = ms / 1000;
    match s {
        0..10 => format!("{s}.{} s", ms % 1000 / 100),
        10..120 => format!("{s} s"),
        120..7_200 => format!("{} min {} s", s / 60, s % 60),
        _ => format!("{} h {} min", s / 3600, s % 3600 / 60),
    }
}

/// Lines of at most [`WIDTH`] columns.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn blank(&mut self) {
        self.text.push('\n');
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// A labelled row of facts.
    fn row(&mut self, label: &str, facts: &[String]) {
        self.flow(&format!("  {label}"), facts, GAP);
    }

    /// A labelled sentence.
    fn prose(&mut self, label: &str, sentence: &str) {
        let words: Vec<String> = sentence.split_whitespace().map(str::to_owned).collect();
        self.flow(if label.is_empty() { "  " } else { label }, &words, " ");
    }

    /// Fills lines with pieces, never breaking one that fits a line; a longer one is broken at
    /// its spaces, and a word that fits no line stands alone.
    fn flow(&mut self, label: &str, pieces: &[String], gap: &str) {
        let indent = if label.is_empty() { 0 } else { LABEL };
        let mut line = format!("{label:<indent$}");
        let mut empty = true;
        for piece in pieces {
            let fits = indent + piece.chars().count() <= WIDTH;
            let parts: Vec<&str> =
                if fits { vec![piece.as_str()] } else { piece.split_whitespace().collect() };
            for (n, part) in parts.into_iter().enumerate() {
                let gap = if n == 0 { gap } else { " " };
                let room = WIDTH.saturating_sub(line.chars().count() + gap.len());
                if !empty && part.chars().count() > room {
                    self.line(&line);
                    line = format!("{:indent$}", "");
                    empty = true;
                }
                if !empty {
                    line.push_str(gap);
                }
                line.push_str(part);
                empty = false;
            }
        }
        self.line(&line);
    }
}
