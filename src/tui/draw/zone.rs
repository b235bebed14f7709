//! A zone's pane: its nodes, stream, consumer, and mirror (or, at the source, the producer).

mod containers;
mod differences;
mod recovery;

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

pub(super) use self::recovery::clock;
use super::{
    Scene, alarms,
    canvas::{Fact, facts, framed_in, put_lines},
    graphs, nodes,
    rows::{Row, fit},
};
use crate::{
    region::{
        UnixMs,
        status::{Consumer, Flow, Latency, Mirror, MirrorState, Recorded, Zone, ZoneState},
        topology::Role,
    },
    tui::{
        STALE_MS, format,
        layout::{SECTIONS, TWO_COLUMNS},
        theme::Theme,
    },
};

/// Cells of the column that names the sections.
const SECTION: usize = 10;
/// How readily the rates of the last seconds are left out: before anything else.
const FLOW: u8 = 5;
/// The most lines of a sentence in a pane.
const SENTENCE: usize = 3;

pub fn draw(buf: &mut Buffer, area: Rect, zone: &Zone, scene: Scene<'_>) {
    let Scene { view, status, theme, .. } = scene;
    let focused = view.focused(status).is_some_and(|f| f.name == zone.name);
    // State is what colours a frame; what has the focus is drawn heavier.
    let border = alarms::frame(zone, scene);
    let border = border.unwrap_or_else(|| if focused { theme.focus() } else { theme.border() });
    let (title, state) = (title(zone, focused, theme), state(zone, theme));
    let inner = framed_in(buf, area, theme.frame(focused), border, title, state);
    let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
    let (width, height) = (usize::from(inner.width), usize::from(inner.height));

    let mut rows = body(zone, width, SENTENCE, scene);
    let tall = nodes::tall(zone, width, scene);
    let low = nodes::low(zone, width, scene);
    // Nodes get a line each when nothing but rates has to go for it.
    let needed = rows.iter().filter(|row| row.readily < FLOW).count();
    let nodes = if needed + tall.len() <= height { tall } else { low };
    rows.splice(0..0, nodes);
    put_lines(buf, inner, &fit(rows, height, theme));
}

pub(super) fn title(zone: &Zone, focused: bool, theme: &Theme) -> Line<'static> {
    let name = if focused { theme.focus() } else { theme.strong() };
    Line::from(vec![
        Span::styled(theme.say(&format!(" zone {}", zone.name)), name),
        Span::styled(format!("{}{} ", theme.dot(), theme.say(zone.role.as_str())), theme.label()),
    ])
}

pub(super) fn state(zone: &Zone, theme: &Theme) -> Line<'static> {
    match zone.state {
        ZoneState::Ready => Line::default(),
        ZoneState::Starting => Line::styled(theme.say(" starting "), theme.active()),
        ZoneState::Removing => Line::styled(theme.say(" being removed "), theme.warn()),
    }
}

/// Everything below the nodes; `lines` are the most a sentence may take.
pub(super) fn body(zone: &Zone, width: usize, lines: usize, scene: Scene<'_>) -> Vec<Row> {
    let mut pane = Pane::new(width, scene);
    pane.lines = lines;
    if let Some(recorded) = &zone.recorded {
        pane.recorded(recorded);
    } else {
        pane.stream(zone);
    }
    pane.consumer(zone);
    pane.flow(zone);
    pane.differences(zone);
    match &zone.mirror {
        Some(mirror) => match (mirror.told_at_ms, mirror.state) {
            (Some(told), _) => pane.mirror(mirror, told, zone.recorded.is_some()),
            // Seen to be missing, say, before it said a word of its own.
            (None, state) => {
                let word = Fact::new("state", state.as_str(), scene.theme.mirror(state));
                pane.section("mirror", &[word], 1);
            }
        },
        // Where others run it nobody here counts what is published.
        None if zone.of_others() || !publishes_here(zone, scene) => {}
        None => pane.producer(),
    }
    pane.containers(zone);
    if let Some(recovery) = &zone.recovery {
        pane.recovery(recovery);
    }
    if zone.role == Role::Mirror {
        let room = pane.room;
        let spark = graphs::spark(zone, room, scene.theme);
        pane.titled("lag", vec![spark], 4);
    }
    pane.rows
}

/// Producers publish at the source, or in the zone that they were moved to.
fn publishes_here(zone: &Zone, scene: Scene<'_>) -> bool {
    let moved = scene.status.producer.zone.as_ref();
    moved.map_or(zone.is_hub(), |to| *to == zone.name)
}

/// A pane's rows as they are put together.
struct Pane<'a> {
    scene: Scene<'a>,
    rows: Vec<Row>,
    /// A column names the sections.
    sections: bool,
    columns: usize,
    room: usize,
    /// The most lines of a sentence.
    lines: usize,
}

impl<'a> Pane<'a> {
    fn new(width: usize, scene: Scene<'a>) -> Self {
        // The padding of a pane takes two cells.
        let sections = width + 2 >= usize::from(SECTIONS);
        let room = if sections { width - SECTION } else { width };
        let columns = match width + 2 {
            w if w < usize::from(TWO_COLUMNS) => 1,
            w if w < 92 => 2,
            _ => 3,
        };
        Self { scene, rows: Vec::new(), sections, columns, room, lines: SENTENCE }
    }

    fn section(&mut self, name: &'static str, list: &[Fact], readily: u8) {
        let lines = facts(list, self.columns, self.room, self.scene.theme);
        self.titled(name, lines, readily);
    }

    /// The first line of a section stays longest.
    fn titled(&mut self, name: &'static str, lines: Vec<Line<'static>>, readily: u8) {
        for (i, mut line) in lines.into_iter().enumerate() {
            if self.sections {
                let theme = self.scene.theme;
                let head = if i == 0 { theme.say(name) } else { String::new() };
                let head = format::left(&head, SECTION);
                line.spans.insert(0, Span::styled(head, theme.strong()));
            }
            self.rows.push(Row::new(if i == 0 { readily } else { readily + 1 }, line));
        }
    }

    /// A sentence over as many lines as it takes, up to a limit.
    fn sentence(&mut self, text: &str, style: Style, readily: u8) {
        let theme = self.scene.theme;
        let text = theme.say(text);
        let lines = format::wrap_at_most(&text, self.room, self.lines, theme.ellipsis())
            .into_iter()
            .map(|line| Line::styled(line, style))
            .collect();
        let first = self.rows.len();
        self.titled("", lines, readily);
        for row in self.rows.iter_mut().skip(first + 1) {
            row.tail = true;
        }
    }

    /// The style of values told at `told`, and a fact with their age once they are stale.
    fn told(&self, told: UnixMs) -> (Style, Option<Fact>) {
        let Scene { theme, now, .. } = self.scene;
        if now.saturating_sub(told) < STALE_MS {
            return (theme.value(), None);
        }
        let text = format!("{} ago", format::age(told, now));
        let brief = format!("{} ago", format::uptime(now.saturating_sub(told)));
        (theme.stale(), Some(Fact::new("told", text, theme.warn()).or_value(brief)))
    }

    fn stream(&mut self, zone: &Zone) {
        let theme = self.scene.theme;
        let Some(stream) = &zone.stream else {
            self.section("stream", &[Fact::new("messages", "?", theme.stale())], 1);
            return;
        };
        let (style, old) = self.told(stream.told_at_ms);
        let current = stream.replicas_current == Some(stream.replicas);
        let range = |number: fn(u64) -> String| {
            format!("{}{}{}", number(stream.first_seq), theme.to(), number(stream.last_seq))
        };
        let seq = if self.columns == 1 { "sequences" } else { "seq" };
        let mut list = vec![
            Fact::new("messages", format::count(stream.messages), style),
            Fact::new(seq, range(format::count), style)
                .or_label("seq")
                .or_value(range(format::short)),
            Fact::new("bytes", format::bytes(stream.bytes), style),
            Fact::new(
                "replicas",
                format!(
                    "{}/{}",
                    format::maybe(stream.replicas_current.map(u64::from)),
                    stream.replicas
                ),
                if current || old.is_some() { style } else { theme.warn() },
            ),
        ];
        if stream.num_deleted > 0 {
            list.push(Fact::new("holes", format::count(stream.num_deleted), theme.warn()));
        }
        // An age takes the place of the least needed value where there is one column of rows only.
        list.extend(old);
        self.section("stream", &list, 1);
    }

    fn consumer(&mut self, zone: &Zone) {
        let theme = self.scene.theme;
        let Some(consumer) = &zone.consumer else { return };
        let Some(told) = consumer.told_at_ms else {
            let list = [Fact::new("delivered", "?", theme.stale()), consuming(consumer, theme)];
            self.section("consumer", &list, 1);
            return;
        };
        let (style, old) = self.told(told);
        let fact = |name: &str, n: Option<u64>| Fact::new(name, format::maybe(n), style);
        let mut list =
            vec![fact("delivered", consumer.delivered), fact("ack floor", consumer.ack_floor)];
        if zone.recorded.is_none() {
            list.push(fact("pending", consumer.pending));
            list.push(fact("unacked", consumer.unacked));
            list.push(fact("redelivered", consumer.redelivered).or_label("redeliv"));
        }
        if !zone.of_others() {
            list.push(consuming(consumer, theme));
        }
        if let Some(limit) = consumer.limit {
            list.push(Fact::new("limit", format::rate(limit), theme.warn()));
        }
        list.extend(old);
        self.section("consumer", &list, 1);
        if let Some(trouble) = &consumer.trouble {
            self.sentence(trouble, theme.warn(), 2);
        }
    }

    /// Rates and latency of the last 10 s.
    fn flow(&mut self, zone: &Zone) {
        // Without the name of the section the span would be missing.
        if zone.recorded.is_some() || !self.sections {
            return;
        }
        let theme = self.scene.theme;
        let fact = |name: &str, value: Option<String>| {
            let style = if value.is_some() { theme.value() } else { theme.stale() };
            Fact::new(name, value.unwrap_or_else(|| "?".into()), style)
        };
        let Flow { publish_rate, consume_rate, latency } = zone.flow;
        let time =
            |name, of: fn(Latency) -> u64| fact(name, latency.map(of).map(format::round_trip));
        let list = [
            fact("publish rate", publish_rate.map(format::rate)),
            fact("consume rate", consume_rate.map(format::rate)),
            time("latency p50", |latency| latency.p50_us),
            time("p99", |latency| latency.p99_us),
            time("max", |latency| latency.max_us),
        ];
        // What others consume, nobody here times.
        let list = if zone.of_others() { &list[..2] } else { &list[..] };
        self.section("last 10 s", list, FLOW);
    }

    /// What a drill's record holds of the stream.
    fn recorded(&mut self, recorded: &Recorded) {
        let theme = self.scene.theme;
        let fact = |name: &'static str, n: Option<u64>| {
            let style = if n.is_some() { theme.value() } else { theme.stale() };
            Fact::new(name, format::maybe(n), style)
        };
        let Recorded { first_seq, last_seq, .. } = recorded;
        let range = match (first_seq, last_seq) {
            (None, None) => "?".to_owned(),
            (first, last) => {
                format!("{}{}{}", format::maybe(*first), theme.to(), format::maybe(*last))
            }
        };
        let seq = if self.columns == 1 { "sequences" } else { "seq" };
        self.section(
            "stream",
            &[fact("messages", recorded.messages), Fact::new(seq, range, theme.value())],
            1,
        );
    }

    fn producer(&mut self) {
        let Scene { status, theme, .. } = self.scene;
        let producer = &status.producer;
        let count =
            |n: u64, style: Style| (format::count(n), if n > 0 { style } else { theme.value() });
        let (failed, failed_style) = count(producer.failed, theme.bad());
        let (unknown, unknown_style) = count(producer.unknown, theme.warn());
        let rate = if producer.active { format::rate(producer.rate) } else { "idle".into() };
        let trouble = [
            Fact::new("unknown", unknown, unknown_style),
            Fact::new("failed", failed, failed_style),
        ];
        let mut list = vec![
            Fact::new("published", format::count(producer.published), theme.value()),
            Fact::new(
                "producing",
                rate,
                if producer.active { theme.active() } else { theme.label() },
            ),
        ];
        // What is wrong comes first, so that it is not left out for want of room.
        let at = if producer.unknown > 0 || producer.failed > 0 { 0 } else { list.len() };
        list.splice(at..at, trouble);
        if producer.reconnects > 0 {
            list.push(Fact::new("reconnects", format::count(producer.reconnects), theme.warn()));
        }
        if let Some(domain) = &producer.acked_by {
            let zone = producer.zone.as_ref().or_else(|| status.source().map(|zone| &zone.name));
            let meant = zone.is_some_and(|zone| zone.long() == *domain);
            let style = if meant { theme.value() } else { theme.bad() };
            list.push(Fact::new("acked by", domain.clone(), style));
        }
        self.section("producer", &list, 1);
        for run in producer.running.iter().take(3) {
            self.sentence(run, theme.active(), 3);
        }
        if let Some(trouble) = &producer.trouble {
            self.sentence(trouble, theme.warn(), 2);
        }
    }

    /// Of a replayed one, when it last heard is not known.
    fn mirror(&mut self, mirror: &Mirror, told: UnixMs, replayed: bool) {
        let Scene { theme, now, .. } = self.scene;
        let (style, old) = self.told(told);
        let lag = match mirror.true_lag {
            None => ("?".to_owned(), theme.stale()),
            Some(0) => ("0".to_owned(), theme.strong()),
            Some(n) => (format::count(n), theme.warn().patch(theme.strong())),
        };
        let says = |value: String| {
            Fact::new("server says", value, style.patch(theme.label())).or_label("says")
        };
        let reported = match (mirror.reported_lag, &old) {
            (None, _) => says("?".to_owned()),
            (Some(n), None) => says(format::count(n)),
            (Some(n), Some(_)) => {
                let n = format::count(n);
                let age = format::age(told, now);
                says(format!("{n} ({age} old)")).or_value(format!("{n} old"))
            }
        };
        let silence = mirror.heard_at_ms.map(|heard| now.saturating_sub(heard));
        let heard = match silence {
            None if replayed => Fact::new("heard", "?", theme.stale()),
            None => Fact::new("heard", "never", theme.warn()),
            // Beside the word `silent` the silence itself is told, however short.
            Some(ms) if ms < STALE_MS && mirror.state != MirrorState::Silent => {
                Fact::new("heard", "now", style)
            }
            Some(ms) => Fact::new("silence", format::span(ms), theme.warn()),
        };
        let list = [
            Fact::new("true lag", lag.0, lag.1).or_label("lag"),
            Fact::new("state", mirror.state.as_str(), theme.mirror(mirror.state)),
            reported,
            heard,
        ];
        self.section("mirror", &list, 0);
        if let Some(error) = &mirror.error {
            self.sentence(error, theme.bad(), 1);
        }
    }
}

/// What the room does with the consumer: a rate, or why there is none.
fn consuming(consumer: &Consumer, theme: &Theme) -> Fact {
    if consumer.paused {
        Fact::new("consuming", "PAUSED", theme.warn())
    } else if consumer.running {
        Fact::new("consuming", format::rate(consumer.rate), theme.value())
    } else {
        Fact::new("consuming", "no", theme.warn())
    }
}
