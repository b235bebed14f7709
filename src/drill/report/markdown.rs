//! `report.md`: for a pull request or a wiki; tables that render on GitHub.

use std::fmt::Write;

use super::{
    LIMITS, Report, RunReport,
    format::{after, maybe_number, maybe_took, moment, number},
    glyph,
};

/// The report as Markdown.
#[must_use]
pub fn render(report: &Report) -> String {
    let mut out = format!(
        "# {} {}: drills of a NATS JetStream region\n\n{}\n\nWritten {} by zonedrill {}.\n\n",
        glyph(report.verdict),
        report.verdict.as_str().to_uppercase(),
        text(&report.summary()),
        moment(report.written_ms),
        text(&report.zonedrill)
    );
    let mixed = report.is_mixed();
    let told = |run: &&RunReport| !(mixed && run.sabotage.is_some());
    table(
        &mut out,
        &["verdict", "drill", "claim", "evidence"],
        report.runs.iter().filter(told).map(|run| {
            vec![
                verdict(run.conclusion.verdict),
                named(run),
                text(&run.claim),
                text(&run.conclusion.evidence),
            ]
        }),
    );
    if mixed {
        out.push_str("\nThe same drills with a deliberate fault, which must be found:\n\n");
        table(
            &mut out,
            &["found", "drill", "fault", "what it came to"],
            report.sabotaged().map(|run| {
                let found = if run.as_it_must == Some(true) { "✓ yes" } else { "✗ **no**" };
                let came = run.conclusion.verdict.as_str();
                vec![
                    found.to_owned(),
                    text(&run.drill),
                    text(run.sabotage.as_deref().unwrap_or_default()),
                    format!("{came}: {}", text(&run.conclusion.evidence)),
                ]
            }),
        );
    }
    for run in &report.runs {
        tell(&mut out, run);
    }
    out.push_str("\n## How to check this\n\n");
    out.push_str("```sh\nzonedrill verify FOLDER\n```\n\nchecks every file against `manifest.json`, computes every verdict anew from `drill.jsonl`, the streams and `ledger.jsonl` alone, writes the reports anew and compares. Exit code: 0 all proved and untouched, 1 broken or altered, 2 void, 3 not a bundle.\n\n## What this does not show\n\n");
    for limit in LIMITS {
        let _ = writeln!(out, "- {limit}");
    }
    out
}

fn verdict(verdict: crate::region::status::Verdict) -> String {
    format!("{} **{}**", glyph(verdict), verdict.as_str())
}

fn named(run: &RunReport) -> String {
    let number = run.conclusion_number.map(|n| format!("{n}. ")).unwrap_or_default();
    let sabotage = run.sabotage.as_ref().map(|k| format!(" ⚠ SABOTAGED: {k}")).unwrap_or_default();
    format!("{number}{}{sabotage}", text(&run.drill))
}

fn tell(out: &mut String, run: &RunReport) {
    let _ = write!(
        out,
        "\n## {}: {} {}\n\n{}\n\n",
        named(run),
        glyph(run.conclusion.verdict),
        run.conclusion.verdict.as_str(),
        text(&run.claim)
    );
    if run.sabotage.is_some() {
        let _ = writeln!(
            out,
            "> **⚠ This run was sabotaged on purpose** to test the verifier. It proves nothing about the region. {}\n",
            text(&run.sabotaged.join(" "))
        );
    }
    if let Some(why) = &run.interrupted {
        let _ = writeln!(out, "> **Interrupted:** {}\n", text(why));
    }
    let _ = writeln!(out, "{}\n", text(&run.conclusion.evidence));
    out.push_str("### Findings\n\n");
    table(
        out,
        &["verdict", "check", "finding", "numbers"],
        run.conclusion.findings.iter().map(|f| {
            let numbers: Vec<String> = f
                .numbers
                .iter()
                .map(|(label, value)| format!("{} {}", text(label), text(value)))
                .collect();
            vec![verdict(f.verdict), text(&f.check), text(&f.text), numbers.join("<br>")]
        }),
    );
    out.push_str("### What was done\n\n");
    let mut rows = Vec::new();
    for step in &run.steps {
        let state = match step.ok {
            Some(true) => "ok".to_owned(),
            Some(false) => format!("**failed**: {}", text(step.why.as_deref().unwrap_or_default())),
            None => "not ended".to_owned(),
        };
        rows.push(vec![
            after(step.began_ms, run.began_ms),
            maybe_took(step.took_ms),
            format!("**{}**", text(&step.title)),
            state,
        ]);
        for line in &step.lines {
            rows.push(vec![
                after(line.at_ms, run.began_ms),
                maybe_took(line.took_ms),
                format!("<code>{}</code>", text(&line.line)),
                format!(
                    "{}: {}",
                    line.outcome.as_deref().map_or_else(|| "no answer".into(), text),
                    text(&line.text)
                ),
            ]);
        }
    }
    table(out, &[">at", ">took", "what", "outcome"], rows);
    if !run.latency.is_empty() {
        out.push_str("### Latency, from acknowledged to processed\n\n");
        table(
            out,
            &["zone", "phase", ">messages", ">p50", ">p99", ">max", ">before the ack"],
            run.latency.iter().map(|l| {
                let [p50, p99, max] = l.words();
                vec![
                    l.zone.to_string(),
                    text(&l.phase),
                    number(l.count),
                    p50,
                    p99,
                    max,
                    number(l.before_ack),
                ]
            }),
        );
    }
    if !run.recoveries.is_empty() {
        out.push_str("### Recovery after the heal\n\n");
        table(
            out,
            &["zone", ">missing", ">link up", ">moving", ">caught up", "nudged", "expected"],
            run.recoveries.iter().map(|r| {
                vec![
                    r.zone.to_string(),
                    maybe_number(r.clock.behind),
                    maybe_took(r.clock.link_up_after_ms),
                    maybe_took(r.clock.moving_after_ms),
                    maybe_took(r.clock.caught_up_after_ms),
                    if r.clock.nudged { "yes" } else { "no" }.into(),
                    text(&r.expected),
                ]
            }),
        );
    }
    if !run.streams.is_empty() {
        out.push_str("### Streams, read from end to end\n\n");
        table(
            out,
            &["zone", "replica", ">messages", ">first", ">last", "remark"],
            run.streams.iter().map(|s| {
                vec![
                    s.zone.to_string(),
                    text(&s.replica),
                    maybe_number(s.messages),
                    maybe_number(s.ends.map(|e| e.0)),
                    maybe_number(s.ends.map(|e| e.1)),
                    s.why.as_deref().map(text).unwrap_or_default(),
                ]
            }),
        );
    }
    out.push_str("### The set-up\n\n");
    table(
        out,
        &["", ""],
        setup(run).into_iter().map(|(label, value)| vec![label.into(), text(&value)]),
    );
    if let Some(set) = run.servers.last() {
        table(
            out,
            &["node", "version", "started", "configuration loaded"],
            set.nodes.iter().map(|n| {
                vec![text(&n.node), text(&n.version), text(&n.start), text(&n.config_load_time)]
            }),
        );
    }
}

/// What was drilled, on what, by whom: label and value.
pub(super) fn setup(run: &RunReport) -> Vec<(&'static str, String)> {
    let mut rows = vec![
        ("run by", run.actor.clone()),
        ("began", moment(run.began_ms)),
        ("took", maybe_took(run.ended_ms.map(|end| end.saturating_sub(run.began_ms)))),
        ("region", format!("{} on {}", run.region, run.platform)),
        ("server version", run.server_version.clone()),
        (run.copy_kind.as_str(), run.mirror_kind.as_str().to_owned()),
        ("zones", format!("source {}, mirror {}", run.source, run.mirror)),
        ("scale", run.scale.to_string()),
        ("sabotage", run.sabotage.clone().unwrap_or_else(|| "none".into())),
        ("samples", number(run.samples)),
        ("ledger run", run.run.clone()),
        ("run by zonedrill", run.zonedrill.clone()),
    ];
    rows.extend(run.unseen());
    if let Some(zone) = &run.new_zone {
        rows.push(("zone added", zone.to_string()));
    }
    if let Some((first, last)) = &run.producer {
        let then = |a: &Option<String>, b: &Option<String>| {
            let known =
                |v: &Option<String>| v.clone().unwrap_or_else(|| super::format::UNKNOWN.into());
            if a == b { known(a) } else { format!("{}, then {}", known(a), known(b)) }
        };
        let id = |p: &crate::region::status::Producer| p.connection.map(|id| id.to_string());
        rows.push(("producer's connection", then(&id(first), &id(last))));
        rows.push(("producer's configuration", then(&first.config_hash, &last.config_hash)));
        let reconnects = last.reconnects.saturating_sub(first.reconnects);
        rows.push(("producer's reconnects", number(reconnects)));
        rows.push(("acknowledged in this run", number(last.acked.saturating_sub(first.acked))));
    }
    rows
}

/// A table; a column's name that begins with `>` is aligned right.
fn table(out: &mut String, columns: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
    let names: Vec<&str> = columns.iter().map(|c| c.trim_start_matches('>')).collect();
    let _ = writeln!(out, "| {} |", names.join(" | "));
    let rules: Vec<&str> =
        columns.iter().map(|c| if c.starts_with('>') { "---:" } else { "---" }).collect();
    let _ = writeln!(out, "| {} |", rules.join(" | "));
    for row in rows {
        let _ = writeln!(out, "| {} |", row.join(" | "));
    }
    out.push('\n');
}

/// Text that stays text, on one line, inside a table.
fn text(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    for c in raw.chars() {
        match c {
            '|' => out.push_str("\\|"),
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '*' | '`' | '[' => out.extend(['\\', c]),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out.trim().to_owned()
}
