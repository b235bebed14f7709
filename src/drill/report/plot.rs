//! The timeline of a run, as inline SVG: a line a zone, phases shaded, commands as numbered marks.
//!
//! What was not known is a gap in the line, never zero. Every scale is linear, and one for all zones.

use std::fmt::Write;

use super::format::{escape, micros, number, took};
use crate::{
    drill::record::{Entry, Sample},
    region::{UnixMs, ZoneName, status::Zone},
};

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 250.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 76.0;
const TOP: f64 = 42.0;
const BOTTOM: f64 = 30.0;
/// Over how long a rate is measured.
const RATE_MS: u64 = 1_000;
/// Steps on the time axis, in seconds.
const STEPS: [u64; 13] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 14400];

/// A run's pictures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Charts {
    /// Messages a second that each zone's consumer processed, as SVG; empty, as the others, if it was
    /// never looked at.
    pub consumed: String,
    /// True lag of each mirror.
    pub lag: String,
    /// The p99 latency from publishing to consuming in each zone.
    pub latency: String,
    /// What the numbered marks mean: number, time after the start, the command.
    pub marks: Vec<(usize, String, String)>,
}

struct Frame<'a> {
    from: UnixMs,
    to: UnixMs,
    phases: Vec<(UnixMs, &'a str)>,
    marks: Vec<(UnixMs, &'a str)>,
}

/// A line: each moment and what was known at it.
type Line = Vec<(UnixMs, Option<u64>)>;

impl Charts {
    /// Draws a run.
    #[must_use]
    pub fn draw(entries: &[Entry]) -> Self {
        let samples: Vec<&Sample> = entries
            .iter()
            .filter_map(
                |entry| if let Entry::Sample(sample) = entry { Some(&**sample) } else { None },
            )
            .collect();
        let (Some(first), Some(last)) = (samples.first(), samples.last()) else {
            return Self::default();
        };
        // Times count from the run's beginning, as those of its steps do.
        let began = entries.iter().find_map(|entry| match entry {
            Entry::Begin(begin) => Some(begin.at),
            _ => None,
        });
        let from = began.unwrap_or(first.at).min(first.at);
        let mut frame = Frame {
            from,
            to: last.at.max(from.saturating_add(1)),
            phases: Vec::new(),
            marks: Vec::new(),
        };
        for entry in entries {
            match entry {
                Entry::Phase { name, at } => frame.phases.push((*at, name)),
                Entry::Given { line, at, .. } if marked(line) => frame.marks.push((*at, line)),
                _ => {}
            }
        }
        let zones = zones(&samples);
        let lines = |value: fn(&Zone) -> Option<u64>| {
            let line = |(style, zone): (usize, &ZoneName)| {
                let line: Line =
                    samples.iter().map(|s| (s.at, s.zone(zone).and_then(value))).collect();
                let known = line.iter().any(|(_, value)| value.is_some());
                known.then_some((style, zone.clone(), line))
            };
            zones.iter().enumerate().filter_map(line).collect::<Vec<_>>()
        };
        let received = lines(|zone| zone.consumer.as_ref().map(|_| zone.ledger.received));
        let consumed = received.into_iter().map(|(style, zone, line)| (style, zone, rate(&line)));
        Self {
            consumed: frame.draw(
                "Messages a second that each zone's consumer processed, over time",
                &consumed.collect::<Vec<_>>(),
                number,
            ),
            lag: frame.draw(
                "True lag of each mirror, in messages, over time",
                &lines(Zone::true_lag),
                number,
            ),
            latency: frame.draw(
                "99 of 100 messages were consumed within, over time",
                &lines(|zone| zone.flow.latency.map(|latency| latency.p99_us)),
                micros,
            ),
            marks: frame
                .marks
                .iter()
                .enumerate()
                .map(|(i, (at, line))| {
                    (i + 1, super::format::after(*at, frame.from), (*line).to_owned())
                })
                .collect(),
        }
    }
}

/// What a count that only grows grew by in a second, at each moment: from the last look that is a
/// second old.
fn rate(line: &Line) -> Line {
    let mut from = 0;
    let rate = |(at, count): &(UnixMs, Option<u64>)| {
        while line.get(from + 1).is_some_and(|(next, _)| next.saturating_add(RATE_MS) <= *at) {
            from += 1;
        }
        let (began, before) = line[from];
        let span = at.saturating_sub(began);
        let grown = count.zip(before).and_then(|(now, before)| now.checked_sub(before));
        let known = grown.filter(|_| (RATE_MS..2 * RATE_MS).contains(&span));
        (*at, known.map(|grown| (grown * 1000 + span / 2) / span))
    };
    line.iter().map(rate).collect()
}

/// Commands that change what a zone can do.
fn marked(line: &str) -> bool {
    ["cut", "heal", "zone", "consumer", "node", "nudge"]
        .iter()
        .any(|verb| line.split_whitespace().next() == Some(verb))
}

fn zones(samples: &[&Sample]) -> Vec<ZoneName> {
    let mut zones: Vec<ZoneName> = Vec::new();
    for zone in samples.iter().flat_map(|sample| &sample.status.zones) {
        if !zones.contains(&zone.name) {
            zones.push(zone.name.clone());
        }
    }
    zones
}

impl Frame<'_> {
    fn x(&self, at: UnixMs) -> f64 {
        let part = at.clamp(self.from, self.to).saturating_sub(self.from) as f64
            / (self.to - self.from) as f64;
        LEFT + part * (WIDTH - LEFT - RIGHT)
    }

    fn draw(
        &self,
        title: &str,
        lines: &[(usize, ZoneName, Line)],
        told: fn(u64) -> String,
    ) -> String {
        let top = lines.iter().flat_map(|(.., line)| line).filter_map(|(_, v)| *v).max();
        let Some(most) = top else { return String::new() };
        let most = most.max(1);
        let y = |value: u64| {
            let part = value as f64 / most as f64;
            HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM)
        };
        let mut svg = format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{0}\"><title>{0}</title>",
            escape(title)
        );
        self.phases(&mut svg);
        let parts = [0, most / 3, most / 3 * 2, most];
        self.axes(&mut svg, parts, &y, told);
        self.marks(&mut svg);
        let mut labels: Vec<(f64, usize, String)> = Vec::new();
        for (style, zone, line) in lines {
            let style = style % 6;
            let _ = write!(svg, "<path class=\"line z{style}\" d=\"{}\"/>", self.path(line, &y));
            let end = line.iter().rev().find_map(|(_, value)| *value);
            let unknown = if matches!(line.last(), Some((_, None))) { " ?" } else { "" };
            if let Some(end) = end {
                labels.push((y(end), style, format!("{zone} {}{unknown}", told(end))));
            }
        }
        // Names at the lines' ends, pushed apart.
        labels.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut free = TOP;
        let overflow = labels.len() as f64 * 13.0;
        for (at, style, text) in labels {
            let at = at.max(free).min((HEIGHT - BOTTOM).max(TOP + overflow));
            free = at + 13.0;
            let _ = write!(
                svg,
                "<text class=\"end t{style}\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                WIDTH - RIGHT + 6.0,
                at + 4.0,
                escape(&text)
            );
        }
        svg.push_str("</svg>");
        svg
    }

    fn phases(&self, svg: &mut String) {
        for (index, (at, name)) in self.phases.iter().enumerate() {
            let from = self.x(*at);
            let to = self.x(self.phases.get(index + 1).map_or(self.to, |next| next.0));
            let _ = write!(
                svg,
                "<rect class=\"phase p{}\" x=\"{from:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{:.1}\"/>",
                index % 2,
                (to - from).max(0.0),
                HEIGHT - TOP - BOTTOM
            );
            if to - from > 5.5 * name.chars().count() as f64 {
                let _ = write!(
                    svg,
                    "<text class=\"name\" x=\"{:.1}\" y=\"12\">{}</text>",
                    f64::midpoint(from, to),
                    escape(name)
                );
            }
        }
    }

    fn axes(
        &self,
        svg: &mut String,
        ticks: [u64; 4],
        y: &impl Fn(u64) -> f64,
        told: fn(u64) -> String,
    ) {
        let mut ticks = ticks.to_vec();
        ticks.dedup();
        for tick in ticks {
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/><text class=\"tick right\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                WIDTH - RIGHT,
                LEFT - 8.0,
                y(tick) + 4.0,
                if tick == 0 { "0".to_owned() } else { told(tick) },
                y = y(tick)
            );
        }
        let seconds = (self.to - self.from) / 1000;
        let step = STEPS.into_iter().find(|step| seconds / step <= 8).unwrap_or(seconds / 8 + 1);
        for second in (0..=seconds).step_by(step as usize) {
            let _ = write!(
                svg,
                "<text class=\"tick middle\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                self.x(self.from + second * 1000),
                HEIGHT - 10.0,
                if second == 0 { "0".into() } else { short(second) }
            );
        }
    }

    fn marks(&self, svg: &mut String) {
        let (mut row, mut last) = (0, f64::NEG_INFINITY);
        for (index, (at, _)) in self.marks.iter().enumerate() {
            let x = self.x(*at);
            row = if x - last < 17.0 { 1 - row } else { 0 };
            last = x;
            let y = if row == 0 { TOP - 9.0 } else { TOP + 9.0 };
            let _ = write!(
                svg,
                "<line class=\"mark\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{:.1}\"/><circle class=\"dot\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"8\"/><text class=\"no\" x=\"{x:.1}\" y=\"{:.1}\">{}</text>",
                HEIGHT - BOTTOM,
                y + 3.5,
                index + 1
            );
        }
    }

    /// Steps, not slopes: between two samples nothing else was known. Many samples on one pixel
    /// become the first, lowest, highest and last of them; an unknown among them stays a gap.
    fn path(&self, line: &Line, y: &impl Fn(u64) -> f64) -> String {
        let mut d = String::new();
        let mut pen = false;
        let mut index = 0;
        while index < line.len() {
            let x = self.x(line[index].0).round();
            let end = index
                + line[index..]
                    .iter()
                    .take_while(|(at, _)| (self.x(*at).round() - x).abs() < 0.5)
                    .count();
            for value in thinned(&line[index..end]) {
                match value {
                    None => pen = false,
                    Some(value) if pen => {
                        let _ = write!(d, "H{x:.0}V{:.1}", y(value));
                    }
                    Some(value) => {
                        let _ = write!(d, "M{x:.0} {:.1}h.5", y(value));
                        pen = true;
                    }
                }
            }
            // A value holds until the next look.
            if pen && let Some((at, None)) = line.get(end) {
                let _ = write!(d, "H{:.0}", self.x(*at));
            }
            index = end;
        }
        d
    }
}

fn thinned(run: &[(UnixMs, Option<u64>)]) -> Vec<Option<u64>> {
    if run.len() <= 4 || run.iter().any(|(_, value)| value.is_none()) {
        let mut all: Vec<_> = run.iter().map(|(_, value)| *value).collect();
        all.dedup();
        return all;
    }
    let known = || run.iter().map(|(_, value)| *value);
    let mut few =
        vec![run[0].1, known().min().flatten(), known().max().flatten(), run[run.len() - 1].1];
    few.dedup();
    few
}

fn short(seconds: u64) -> String {
    if seconds.is_multiple_of(60) {
        format!("{} min", seconds / 60)
    } else {
        took(seconds * 1000).replace(".0", "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> Frame<'static> {
        Frame { from: 0, to: 622, phases: Vec::new(), marks: Vec::new() }
    }

    #[test]
    fn unknown_is_a_gap_and_never_zero() {
        let line = vec![(0, Some(4)), (100, None), (200, Some(4)), (300, Some(4))];
        let d = frame().path(&line, &|value| value as f64);
        assert_eq!(d, "M62 4.0h.5H162M262 4.0h.5H362V4.0");
        let none =
            frame().draw("x", &[(0, "a".parse().unwrap(), vec![(0, None), (1, None)])], number);
        assert_eq!(none, "");
    }

    #[test]
    fn a_rate_is_that_of_a_second_and_unknown_without_one() {
        let counts = [Some(0), Some(5), Some(10), Some(10), None, Some(20), Some(30)];
        let line: Line = (0..).step_by(500).zip(counts).collect();
        let rates: Vec<_> = rate(&line).into_iter().map(|(_, rate)| rate).collect();
        assert_eq!(rates, [None, None, Some(10), Some(5), None, Some(10), None]);
    }

    #[test]
    fn many_samples_keep_their_extremes() {
        let run: Vec<_> = [5, 5, 1, 9, 3, 5].map(|v| (0, Some(v))).into();
        assert_eq!(thinned(&run), [Some(5), Some(1), Some(9), Some(5)]);
    }
}
