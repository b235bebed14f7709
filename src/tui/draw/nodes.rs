//! A zone's nodes: all in one line, or a line for each.

use ratatui::text::{Line, Span};

use super::{Scene, rows::Row};
use crate::{
    region::{
        names::NODES_PER_ZONE,
        status::{Node, NodeState, Recorded, Zone},
    },
    tui::{format, theme::Theme},
};

/// The leaders a node is: `★` of the stream, `C` of the consumer, `M` of the meta group.
pub fn leads(node: &Node, theme: &Theme) -> String {
    let mut marks = String::new();
    if node.leader {
        marks.push_str(theme.pick("★", "S"));
    }
    if node.consumer_leader {
        marks.push('C');
    }
    if node.meta_leader {
        marks.push('M');
    }
    marks
}

/// All nodes in one line. While all are up it says who leads; otherwise also who is not up, in a
/// line of its own where the words have no room beside the names.
pub fn low(zone: &Zone, width: usize, scene: Scene<'_>) -> Vec<Row> {
    let Scene { view, theme, .. } = scene;
    if let Some(told) = &zone.recorded {
        return vec![recorded(told, theme)];
    }
    let n = zone.nodes.len();
    if n == 0 {
        return Vec::new();
    }
    let selected = view.selected(zone).map(|node| node.name.number);
    let chosen = view.focused(scene.status).is_some_and(|f| f.name == zone.name);
    let each = width / n;
    // Marker, name, glyph and the spaces around it, the longest of what is said.
    let cells = |name: &str, tail: fn(&Node, &Theme) -> String| {
        let longest = zone.nodes.iter().map(|node| format::width(&tail(node, theme))).max();
        format::width(name) + 4 + longest.unwrap_or(0)
    };
    let told = ["js1", "1"].into_iter().find(|name| cells(name, words) <= each);
    let tail: fn(&Node, &Theme) -> String = if told.is_some() { words } else { leads };
    // Marks may stand close: they begin after a space.
    let named = ["js1", "1"].into_iter().find(|name| cells(name, tail) <= each);
    let prefix = if named == Some("js1") { "js" } else { "" };
    let mut spans = Vec::new();
    for node in &zone.nodes {
        let (glyph, style) = theme.node(node.state);
        let pick = chosen && selected == Some(node.name.number);
        let marker = if pick { theme.pick("▸", ">") } else { " " };
        let name = format!("{prefix}{}", node.name.number);
        let up = node.state == NodeState::Up;
        let used = format::width(&name) + 4;
        let tail = tail(node, theme);
        let pad = each.saturating_sub(used + format::width(&tail));
        spans.push(Span::styled(marker, theme.focus()));
        spans.push(Span::styled(name, if pick { theme.focus() } else { theme.value() }));
        spans.push(Span::raw(" "));
        spans.push(Span::styled(glyph, style));
        spans.push(Span::raw(" "));
        spans.push(Span::styled(tail, if up { theme.label() } else { style }));
        spans.push(Span::raw(" ".repeat(pad)));
    }
    let mut rows = vec![Row::new(0, Line::from(spans))];
    if told.is_none() {
        let lines = format::wrap_at_most(&not_up(zone, theme), width, 2, theme.ellipsis());
        rows.extend(lines.into_iter().map(|line| Row::new(0, Line::styled(line, theme.warn()))));
    }
    rows
}

/// What is said beside a node: who leads, or why it does not.
fn words(node: &Node, theme: &Theme) -> String {
    match node.state {
        NodeState::Up => leads(node, theme),
        state => theme.say(state.as_str()),
    }
}

/// The nodes that are not up, those of one state together: `js1 js2 dead`.
fn not_up(zone: &Zone, theme: &Theme) -> String {
    let mut groups: Vec<(NodeState, String)> = Vec::new();
    for node in zone.nodes.iter().filter(|node| node.state != NodeState::Up) {
        let name = format!("js{}", node.name.number);
        match groups.iter_mut().find(|(state, _)| *state == node.state) {
            Some((_, names)) => *names = format!("{names} {name}"),
            None => groups.push((node.state, name)),
        }
    }
    let told = groups.iter().map(|(state, names)| format!("{names} {}", theme.say(state.as_str())));
    told.collect::<Vec<_>>().join(", ")
}

/// Of a past drill only their number is known.
fn recorded(told: &Recorded, theme: &Theme) -> Row {
    let (n, of) = (told.nodes_up, u32::from(NODES_PER_ZONE));
    let style = if n < of { theme.warn() } else { theme.value() };
    Row::new(0, Line::styled(theme.say(&format!("nodes: {n} of {of} answer")), style))
}

/// A line for each node.
pub fn tall(zone: &Zone, width: usize, scene: Scene<'_>) -> Vec<Row> {
    let Scene { view, theme, now, .. } = scene;
    if let Some(told) = &zone.recorded {
        return vec![recorded(told, theme)];
    }
    let selected = view.selected(zone).map(|node| node.name.number);
    let chosen = view.focused(scene.status).is_some_and(|f| f.name == zone.name);
    zone.nodes
        .iter()
        .map(|node| {
            let (glyph, style) = theme.node(node.state);
            let pick = chosen && selected == Some(node.name.number);
            let mut word = theme.say(node.state.as_str());
            if node.state != NodeState::Up {
                word = format!("{word} {}", format::age(node.since_at_ms, now));
            }
            let mut leads = Vec::new();
            for (is, name) in [
                (node.leader, theme.pick("★ stream", "* stream")),
                (node.consumer_leader, "consumer"),
                (node.meta_leader, "meta"),
            ] {
                if is {
                    leads.push(theme.say(name));
                }
            }
            let cpu = node.cpu_percent.map_or_else(|| "?".into(), |p| format!("{p:.0} %"));
            let memory = node.rss_bytes.map_or_else(|| "?".into(), format::bytes);
            let mut spans = vec![
                Span::styled(if pick { theme.pick("▸", ">") } else { " " }, theme.focus()),
                Span::styled(
                    format!("js{}", node.name.number),
                    if pick { theme.focus() } else { theme.value() },
                ),
                Span::raw(" "),
                Span::styled(format!("{glyph} "), style),
                Span::styled(
                    format::left(&word, 15),
                    if node.state == NodeState::Up { theme.label() } else { style },
                ),
            ];
            if width >= 44 {
                spans.push(Span::styled(format!("{:<5} ", node.port()), theme.label()));
            }
            let figures =
                if width >= 60 { format!("{cpu:>5} {memory:>9} ") } else { String::new() };
            spans.push(Span::styled(figures, theme.label()));
            let used: usize = spans.iter().map(Span::width).sum();
            let room = width.saturating_sub(used);
            let mut marks = leads.join(" ");
            if format::width(&marks) > room {
                marks = self::leads(node, theme);
            }
            let marks = format::clip(&marks, room, "");
            let pad = room.saturating_sub(format::width(&marks));
            spans.push(Span::raw(" ".repeat(pad)));
            spans.push(Span::styled(marks, theme.strong()));
            Row::new(0, Line::from(spans))
        })
        .collect()
}
