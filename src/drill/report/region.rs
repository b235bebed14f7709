//! The region as it was drilled, as inline SVG: zones with their nodes, and which copies which.

use std::fmt::Write;

use super::{
    RunReport,
    format::{escape, number},
};
use crate::region::ZoneName;

/// One box and the gap beside it.
const WIDTH: f64 = 178.0;
const GAP: f64 = 14.0;
/// A name, three nodes, a count.
const HEIGHT: f64 = 96.0;
/// Between the source and the first row of mirrors: the links and what they are.
const LINKS: f64 = 58.0;
/// What is written at the links has room.
const NARROWEST: f64 = 250.0;
/// Mirrors side by side.
const ROW: usize = 3;

/// What is told of a zone: its nodes, and how many messages each replica held that was read.
struct Zone<'a> {
    name: &'a ZoneName,
    nodes: Vec<&'a str>,
    held: Vec<u64>,
}

/// Draws the region of the last run that saw the most zones, and tells which that is; nothing if none
/// saw any.
#[must_use]
pub fn draw(runs: &[RunReport]) -> Option<(String, &RunReport)> {
    let seen = |run: &&RunReport| zones(run).len();
    let run = runs.iter().max_by_key(seen).filter(|run| seen(run) > 0)?;
    let zones = zones(run);
    let mirrors: Vec<(usize, &ZoneName)> = zones
        .iter()
        .map(|told| told.name)
        .filter(|zone| **zone != run.source)
        .enumerate()
        .collect();
    let rows = mirrors.len().div_ceil(ROW);
    let across = mirrors.len().clamp(1, ROW) as f64;
    let width = (across * WIDTH + (across - 1.0) * GAP).max(NARROWEST);
    let below = rows as f64 * (HEIGHT + GAP) + LINKS - GAP;
    let height = HEIGHT + if rows == 0 { 0.0 } else { below };
    let mut out = format!(
        r#"<svg class="region" viewBox="-1 -1 {} {}" role="img" aria-label="The region: the source zone and its mirrors" style="max-width:{}px">"#,
        width + 2.0,
        height + 2.0,
        width * 1.25
    );
    let middle = width / 2.0;
    for (index, _) in &mirrors {
        let (x, y) = place(*index, mirrors.len(), width);
        let _ = write!(
            out,
            r#"<path class="link z{}" d="M{middle} {HEIGHT} L{} {y}"/>"#,
            (index + 1) % 6,
            x + WIDTH / 2.0
        );
    }
    if !mirrors.is_empty() {
        let copies =
            format!("leafnode connections, {}", run.copy_kind.several(Some(run.mirror_kind)));
        let y = HEIGHT + LINKS / 2.0 + 4.0;
        let _ = write!(
            out,
            r#"<text class="middle halo" x="{middle}" y="{y}">{}</text>"#,
            escape(&copies)
        );
    }
    boxed(&mut out, (middle - WIDTH / 2.0, 0.0), 0, &run.source, "source", &zones);
    for (index, zone) in &mirrors {
        let kind = if Some(*zone) == run.new_zone.as_ref() { "mirror, added" } else { "mirror" };
        boxed(&mut out, place(*index, mirrors.len(), width), index + 1, zone, kind, &zones);
    }
    out.push_str("</svg>");
    Some((out, run))
}

/// The upper left corner of a mirror's box; the last row stands in the middle.
fn place(index: usize, count: usize, width: f64) -> (f64, f64) {
    let (row, column) = (index / ROW, index % ROW);
    let in_row = ROW.min(count - row * ROW) as f64;
    let left = (width - in_row * WIDTH - (in_row - 1.0) * GAP) / 2.0;
    (left + column as f64 * (WIDTH + GAP), HEIGHT + LINKS + row as f64 * (HEIGHT + GAP))
}

/// In the region's order, by which the charts choose their colours, too.
fn zones(run: &RunReport) -> Vec<Zone<'_>> {
    let mut zones: Vec<Zone<'_>> = Vec::new();
    for stream in &run.streams {
        let place = zones.iter().position(|zone| *zone.name == stream.zone).unwrap_or_else(|| {
            zones.push(Zone { name: &stream.zone, nodes: Vec::new(), held: Vec::new() });
            zones.len() - 1
        });
        zones[place].nodes.push(&stream.replica);
        zones[place].held.extend(stream.messages);
    }
    zones
}

fn boxed(
    out: &mut String,
    (x, y): (f64, f64),
    style: usize,
    zone: &ZoneName,
    role: &str,
    zones: &[Zone<'_>],
) {
    let Some(told) = zones.iter().find(|told| told.name == zone) else { return };
    let (left, right) = (x + 10.0, x + WIDTH - 10.0);
    let _ = write!(
        out,
        r#"<rect class="zone z{}" x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="7"/><text class="title t{}" x="{left}" y="{}">zone {}</text><text class="right" x="{right}" y="{}">{role}</text>"#,
        style % 6,
        style % 6,
        y + 20.0,
        escape(zone.as_str()),
        y + 20.0,
    );
    for (index, node) in told.nodes.iter().take(3).enumerate() {
        let line = y + 38.0 + index as f64 * 15.0;
        let _ = write!(out, r#"<text x="{left}" y="{line}">{}</text>"#, escape(node));
    }
    let held = match (told.held.iter().min(), told.held.iter().max()) {
        (Some(least), Some(most)) if least == most && told.held.len() == told.nodes.len() => {
            format!("each held {} messages", number(*most))
        }
        (Some(least), Some(most)) => format!(
            "{} of {} read: {} to {} messages",
            told.held.len(),
            told.nodes.len(),
            number(*least),
            number(*most)
        ),
        _ => "no replica was read".to_owned(),
    };
    let _ = write!(out, r#"<text x="{left}" y="{}">{held}</text>"#, y + 86.0);
}
