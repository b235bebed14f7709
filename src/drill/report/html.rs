//! `report.html`: one file without network, script or font of its own; light, dark and printed.

use minijinja::{AutoEscape, Environment, Value, context};

use super::{
    LIMITS, Report, RunReport,
    format::{after, maybe_number, maybe_took, moment, number},
    glyph, markdown,
    plot::Charts,
    region,
};
use crate::region::status::Verdict;

const PAGE: &str = include_str!("report.html.jinja");
const STYLE: &str = include_str!("report.css");

/// The report as HTML; the charts belong to its runs, one by one.
#[must_use]
pub fn render(report: &Report, charts: &[Charts]) -> String {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    let nothing = Charts::default();
    let runs: Vec<Value> = report
        .runs
        .iter()
        .enumerate()
        .map(|(index, told)| {
            let faults =
                report.sabotaged().filter(|one| told.sabotage.is_none() && one.drill == told.drill);
            run(told, faults, charts.get(index).unwrap_or(&nothing))
        })
        .collect();
    let page = environment.render_named_str(
        "report.html",
        PAGE,
        context! {
            style => Value::from_safe_string(STYLE.into()),
            verdict => word(report.verdict),
            summary => report.summary(),
            written => moment(report.written_ms),
            version => report.zonedrill,
            runs,
            mixed => report.is_mixed(),
            region => region::draw(&report.runs).map(|(svg, run)| context! {
                svg => Value::from_safe_string(svg), drill => run.drill,
            }),
            limits => LIMITS,
        },
    );
    // The template is part of the program and tested; if it failed all the same, that is what the
    // reader must see.
    page.unwrap_or_else(|error| {
        format!(
            "<!doctype html><title>no report</title><p>This report could not be written: {}",
            super::format::escape(&error.to_string())
        )
    })
}

fn word(verdict: Verdict) -> Value {
    context! { word => verdict.as_str(), glyph => glyph(verdict) }
}

/// A run, and the runs of the same drill with a deliberate fault.
fn run<'a>(run: &RunReport, faults: impl Iterator<Item = &'a RunReport>, charts: &Charts) -> Value {
    let safe = |svg: &str| Value::from_safe_string(svg.to_owned());
    let start = run.began_ms;
    context! {
        id => run.folder,
        number => run.conclusion_number,
        drill => run.drill,
        claim => run.claim,
        verdict => word(run.conclusion.verdict),
        evidence => run.conclusion.evidence,
        sabotage => run.sabotage,
        sabotaged => run.sabotaged,
        as_it_must => run.as_it_must,
        faults => faults.map(|one| context! {
            id => one.folder, kind => one.sabotage, verdict => word(one.conclusion.verdict),
            evidence => one.conclusion.evidence, as_it_must => one.as_it_must,
        }).collect::<Vec<_>>(),
        interrupted => run.interrupted,
        findings => run.conclusion.findings.iter().map(|f| context! {
            verdict => word(f.verdict), check => f.check, text => f.text, numbers => f.numbers,
        }).collect::<Vec<_>>(),
        steps => run.steps.iter().map(|s| context! {
            title => s.title, does => s.does, expect => s.expect, ok => s.ok, why => s.why,
            at => after(s.began_ms, start), took => maybe_took(s.took_ms),
            lines => s.lines.iter().map(|l| context! {
                line => l.line, text => l.text, at => after(l.at_ms, start), took => maybe_took(l.took_ms),
                outcome => l.outcome.as_deref().unwrap_or("no answer"),
                bad => !matches!(l.outcome.as_deref(), Some("done" | "met")),
            }).collect::<Vec<_>>(),
        }).collect::<Vec<_>>(),
        latency => run.latency.iter().map(|l| {
            let [p50, p99, max] = l.words();
            context! {
                zone => l.zone.as_str(), phase => l.phase, count => number(l.count),
                before => number(l.before_ack), p50, p99, max,
            }
        }).collect::<Vec<_>>(),
        recoveries => run.recoveries.iter().map(|r| context! {
            zone => r.zone.as_str(), behind => maybe_number(r.clock.behind), nudged => r.clock.nudged,
            link => maybe_took(r.clock.link_up_after_ms), moving => maybe_took(r.clock.moving_after_ms),
            done => maybe_took(r.clock.caught_up_after_ms), expected => r.expected,
        }).collect::<Vec<_>>(),
        streams => run.streams.iter().map(|s| context! {
            zone => s.zone.as_str(), replica => s.replica, messages => maybe_number(s.messages), why => s.why,
            first => maybe_number(s.ends.map(|e| e.0)), last => maybe_number(s.ends.map(|e| e.1)),
        }).collect::<Vec<_>>(),
        servers => run.servers.last().map(|set| set.nodes.iter().map(|n| context! {
            node => n.node, version => n.version, start => n.start, load => n.config_load_time,
        }).collect::<Vec<_>>()),
        setup => markdown::setup(run),
        server_version => run.server_version,
        mirror_kind => run.mirror_kind.as_str(),
        copy_kind => run.copy_kind.as_str(),
        glance => glance(run, charts),
        consumed => safe(&charts.consumed),
        lag => safe(&charts.lag),
        waits => safe(&charts.latency),
        marks => charts.marks,
        script => run.script,
    }
}

/// The one chart that shows most of what a run claims, for the pages that are printed first.
fn glance(run: &RunReport, charts: &Charts) -> Value {
    let (svg, what) = match run.conclusion_number {
        Some(2) => (&charts.lag, "true lag of each mirror, in messages"),
        _ => (&charts.consumed, "messages a second that each zone’s consumer processed"),
    };
    context! { svg => Value::from_safe_string(svg.clone()), what }
}
