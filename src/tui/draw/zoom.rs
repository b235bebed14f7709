//! Everything about the focused zone, over the whole screen.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::{Line, Span},
};

use super::{
    Scene,
    canvas::{Fact, facts, framed, put_lines},
    nodes,
    rows::{self, Row},
    zone,
};
use crate::{
    region::{
        format::seconds,
        status::{Ledger, Link, LinkState, Node, NodeState, Zone},
    },
    tui::{format, theme::Theme},
};

/// Cells for which the table of nodes has all its columns.
const WIDE: usize = FIXED + 3;
/// Cells of all columns but the last.
const FIXED: usize = 2 + 18 + STATE + 24 + 8 + 8 + 10 + 7 + 10 + 2;
/// Cells of a node's state: `● stopped 1 h 07 m`.
const STATE: usize = 19;

pub fn draw(buf: &mut Buffer, area: Rect, zone: &Zone, scene: Scene<'_>) {
    let theme = scene.theme;
    let inner = framed(
        buf,
        area,
        theme,
        true,
        zone::title(zone, true, theme),
        Line::styled(theme.say(" enter or esc: back "), theme.label()),
    );
    let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
    let width = usize::from(inner.width);
    let mut rows = nodes(zone, width, scene);
    rows.extend(zone.nodes.iter().filter_map(|node| container(node, theme)));
    rows.push(Row::new(5, Line::default()));
    rows.extend(zone::body(zone, width, usize::MAX, scene));
    rows.push(Row::new(5, Line::default()));
    rows.extend(account(zone, width, theme));
    if let Some(link) = &zone.link {
        let list = link_facts(link, scene);
        rows.push(Row::new(5, Line::default()));
        let lines = facts(&list, columns(width), width, theme);
        rows.extend(lines.into_iter().map(|line| Row::new(3, line)));
    }
    put_lines(buf, inner, &rows::fit(rows, usize::from(inner.height), theme));
}

/// How many facts stand beside one another, the longest of them whole.
fn columns(width: usize) -> usize {
    match width {
        0..50 => 1,
        50..76 => 2,
        _ => 3,
    }
}

/// The link; of a cut also its kind, whether it is proved, and when it heals by itself.
fn link_facts(link: &Link, scene: Scene<'_>) -> Vec<Fact> {
    let Scene { theme, now, .. } = scene;
    let state = match (link.state, link.kind) {
        (LinkState::Cut, Some(kind)) => format!("CUT {}", kind.as_str()),
        (LinkState::Cut, None) => "CUT".into(),
        (state, _) => state.as_str().to_owned(),
    };
    let count = |n: Option<u32>| format::maybe(n.map(u64::from));
    let mut list = vec![
        Fact::new("link", state, theme.link(link.state)),
        Fact::new("leafs here", count(link.leafs_here), theme.value()),
        Fact::new("leafs at source", count(link.leafs_there), theme.value()),
    ];
    if link.state != LinkState::Cut {
        let rtt = link.rtt_us.map_or_else(|| "?".into(), format::round_trip);
        list.push(Fact::new("round trip", rtt, theme.value()));
        return list;
    }
    let proof = if link.effective {
        Fact::new("effective", "at both ends", theme.value())
    } else {
        Fact::new("effective", "not proved yet", theme.warn())
    };
    list.push(Fact::new("for", format::age(link.since_at_ms, now), theme.value()));
    list.push(proof);
    let after = |ms: Option<u64>| ms.map_or_else(|| "?".into(), seconds);
    list.push(Fact::new("severed after", after(link.severed_in_ms), theme.value()));
    if link.effective {
        list.push(Fact::new("proved after", after(link.proved_in_ms), theme.value()));
    }
    let heals = link
        .heals_at_ms
        .map_or_else(|| "on command".into(), |at| format!("in {}", format::age(now, at)));
    list.push(Fact::new("heals", heals, theme.value()));
    list
}

/// The nodes as a table.
fn nodes(zone: &Zone, width: usize, scene: Scene<'_>) -> Vec<Row> {
    let Scene { view, theme, now, .. } = scene;
    if width < WIDE || zone.recorded.is_some() {
        return nodes::tall(zone, width, scene);
    }
    let mut head = "  ".to_owned();
    for (name, cells) in [("node", 18), ("state", STATE), ("client url", 24)] {
        head.push_str(&format::left(&theme.say(name), cells));
    }
    for (name, cells) in [("pid", 8), ("cpu", 8), ("memory", 10), ("leafs", 7), ("answered", 10)] {
        head.push_str(&format::right(&theme.say(name), cells));
    }
    let head = format!("{head}  {}", theme.say("leads"));
    let mut rows = vec![Row::new(4, Line::styled(head, theme.label()))];
    let selected = view.selected(zone).map(|node| node.name.number);
    for node in &zone.nodes {
        let (glyph, style) = theme.node(node.state);
        let pick = selected == Some(node.name.number);
        let since = if node.state == NodeState::Up {
            format::uptime(now.saturating_sub(node.since_at_ms))
        } else {
            format::age(node.since_at_ms, now)
        };
        let state = format!("{glyph} {} {since}", theme.say(node.state.as_str()));
        let answered = match node.answered_at_ms {
            None => "never".to_owned(),
            Some(at) if now.saturating_sub(at) < crate::tui::STALE_MS => "now".into(),
            Some(at) => format::age(at, now),
        };
        let leads: Vec<String> = [
            (node.leader, theme.pick("★ stream", "* stream")),
            (node.consumer_leader, "consumer"),
            (node.meta_leader, "meta"),
        ]
        .into_iter()
        .filter(|(is, _)| *is)
        .map(|(_, name)| theme.say(name))
        .collect();
        let leads = leads.join(" ");
        let room = width.saturating_sub(FIXED);
        let leads = if format::width(&leads) > room { nodes::leads(node, theme) } else { leads };
        rows.push(Row::new(
            0,
            Line::from(vec![
                Span::styled(if pick { theme.pick("▸ ", "> ") } else { "  " }, theme.focus()),
                Span::styled(
                    format!("{:<18}", node.name),
                    if pick { theme.focus() } else { theme.value() },
                ),
                Span::styled(pad(&state, STATE), style),
                Span::raw(format!("{:<24}", format!("nats://{}", node.address()))),
                Span::raw(format!(
                    "{:>8}{:>8}{:>10}{:>7}{}  ",
                    node.pid.map_or_else(|| "?".into(), |pid| pid.to_string()),
                    node.cpu_percent.map_or_else(|| "?".into(), |p| format!("{p:.1} %")),
                    node.rss_bytes.map_or_else(|| "?".into(), format::bytes),
                    format::maybe(node.leafs.map(u64::from)),
                    format::right(&theme.say(&answered), 10),
                )),
                Span::styled(leads, theme.strong()),
            ]),
        ));
    }
    rows
}

/// What the engine tells of a node's container.
fn container(node: &Node, theme: &Theme) -> Option<Row> {
    let told = node.container.as_ref()?;
    let parts = [
        format!("  js{} container {} {}", node.name.number, told.name, told.id),
        told.state.clone(),
        told.health.clone().unwrap_or_else(|| "no health check".into()),
        told.cpu_percent.map_or_else(|| "cpu ?".into(), |percent| format!("{percent:.1} %")),
        told.memory_bytes.map_or_else(|| "memory ?".into(), format::bytes),
        format!("restarts {}", format::maybe(told.restarts)),
    ];
    let style = if told.state == "running" { theme.label() } else { theme.warn() };
    Some(Row::new(2, Line::styled(parts.map(|part| theme.say(&part)).join(theme.dot()), style)))
}

/// Left-aligned in `cells`, counting cells rather than characters.
fn pad(text: &str, cells: usize) -> String {
    let clipped = format::clip(text, cells.saturating_sub(1), "");
    let fill = cells.saturating_sub(format::width(&clipped));
    format!("{clipped}{}", " ".repeat(fill))
}

/// The zone's account of messages, whole.
fn account(zone: &Zone, width: usize, theme: &Theme) -> Vec<Row> {
    let ledger = &zone.ledger;
    let wrong = |n: u64| if n > 0 { theme.bad() } else { theme.value() };
    if zone.recorded.is_some() {
        let list = [
            Fact::new("acked at source", format::count(ledger.acked), theme.value()),
            Fact::new("received here", format::count(ledger.received), theme.value()),
            Fact::new("lost", "?", theme.stale()),
            Fact::new("duplicates", "?", theme.stale()),
        ];
        let lines = facts(&list, columns(width), width, theme);
        return lines.into_iter().map(|line| Row::new(2, line)).collect();
    }
    if zone.of_others() && *ledger == Ledger::default() {
        // Nobody keeps an account of others' messages.
        return Vec::new();
    }
    let mut list = vec![
        Fact::new("acked at source", format::count(ledger.acked), theme.value()),
        Fact::new("received here", format::count(ledger.received), theme.value()),
        Fact::new("lost", format::count(ledger.lost), wrong(ledger.lost)),
        Fact::new("duplicates", format::count(ledger.duplicates), wrong(ledger.duplicates)),
        Fact::new("reordered", format::count(ledger.reordered), wrong(ledger.reordered)),
        Fact::new("corrupt", format::count(ledger.corrupt), wrong(ledger.corrupt)),
        Fact::new("redelivered", format::count(ledger.redelivered), theme.value()),
        Fact::new("processed twice", format::count(ledger.processed_twice), theme.value()),
        Fact::new("unexpected", format::count(ledger.unexpected), wrong(ledger.unexpected)),
    ];
    if let Some(consumer) = &zone.consumer {
        let count = |name: &str, n: Option<u64>| Fact::new(name, format::maybe(n), theme.value());
        list.push(count("deliveries", consumer.deliveries));
        list.push(count("of them here", consumer.deliveries_here));
    }
    if let Some(behind) = ledger.known_behind() {
        list.push(Fact::new("acked, not here", format::count(behind), theme.value()));
    }
    if let Some(pending) = zone.mirror.as_ref().and_then(|mirror| mirror.source_pending) {
        list.push(Fact::new("held at source", format::count(pending), theme.value()));
    }
    if ledger.unrecorded > 0 {
        // The ledger was cut short: these are in no other count.
        let count = format::count(ledger.unrecorded);
        list.push(Fact::new("unrecorded", count, theme.warn()));
    }
    facts(&list, columns(width), width, theme).into_iter().map(|line| Row::new(2, line)).collect()
}
