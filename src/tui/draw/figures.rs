//! What each figure of a zone is, where it comes from, how old it is, and how to check it.

use ratatui::{
    layout::Rect,
    style::Style,
    text::{Line, Span},
};
use serde_json::Value;

use super::{Scene, alarms::wrapped};
use crate::{
    region::{
        status::{meaning, value_at},
        topology::{STREAM, region_flag},
    },
    tui::{format, theme::Theme},
};

/// Figures of one origin.
struct Group {
    name: &'static str,
    /// Where they stand in the document: below the zone, or at its top for the producer.
    at: &'static str,
    origin: &'static str,
    /// A line of a shell that shows the same from another side.
    check: Check,
    /// Each as the panes call it, and its field.
    figures: &'static [(&'static str, &'static str)],
}

enum Check {
    /// A client of NATS in that zone, with these words.
    Nats(&'static str),
    /// The program itself, with these words.
    Own(&'static str),
    /// The program itself, with these words and the zone.
    OfZone(&'static str),
}

const GROUPS: [Group; 7] = [
    Group {
        name: "stream",
        at: "stream",
        origin: "the stream leader's answer to STREAM.INFO, asked for by the room",
        check: Check::Nats("stream info"),
        figures: &[
            ("messages", "messages"),
            ("first sequence", "first_seq"),
            ("last sequence", "last_seq"),
            ("replicas current", "replicas_current"),
        ],
    },
    Group {
        name: "consumer",
        at: "consumer",
        origin: "the consumer leader's answer to CONSUMER.INFO; the room counts its own deliveries",
        check: Check::Nats("consumer info"),
        figures: &[
            ("delivered", "delivered"),
            ("ack floor", "ack_floor"),
            ("pending", "pending"),
            ("unacked", "unacked"),
            ("deliveries", "deliveries"),
            ("to this room", "deliveries_here"),
            ("to others", "elsewhere"),
        ],
    },
    Group {
        name: "flow",
        at: "flow",
        origin: "publish rate from the stream leader's counts; the rest measured by the room as it consumes, over the last 10 s",
        check: Check::Own("status --json"),
        figures: &[
            ("publish rate", "publish_rate"),
            ("consume rate", "consume_rate"),
            ("latency p50, µs", "latency.p50_us"),
            ("latency p99, µs", "latency.p99_us"),
            ("latency max, µs", "latency.max_us"),
        ],
    },
    Group {
        name: "mirror",
        at: "mirror",
        origin: "the reports of both streams' leaders, and of the durable at the source",
        check: Check::Nats("stream info"),
        figures: &[
            ("true lag", "true_lag"),
            ("lag reported by server", "reported_lag"),
            ("waiting at source", "source_pending"),
        ],
    },
    Group {
        name: "link",
        at: "link",
        origin: "the leafnode connections that every node at both ends lists (LEAFZ)",
        check: Check::OfZone("inspect link"),
        figures: &[
            ("connections here", "leafs_here"),
            ("connections there", "leafs_there"),
            ("round trip, µs", "rtt_us"),
            ("severed after, ms", "severed_in_ms"),
            ("confirmed after, ms", "proved_in_ms"),
        ],
    },
    Group {
        name: "ledger",
        at: "ledger",
        origin: "the room's ledger: what its producers got acknowledged, what its consumer processed, and the last audit",
        check: Check::Own("verify"),
        figures: &[
            ("acked", "acked"),
            ("received", "received"),
            ("behind", "behind"),
            ("lost", "lost"),
            ("duplicates", "duplicates"),
            ("reordered", "reordered"),
            ("corrupt", "corrupt"),
            ("unexpected", "unexpected"),
            ("processed twice", "processed_twice"),
        ],
    },
    Group {
        name: "producer",
        at: "producer",
        origin: "the room's producers and the acknowledgements they got",
        check: Check::Own("status --json"),
        figures: &[
            ("published", "published"),
            ("acked", "acked"),
            ("failed", "failed"),
            ("outcome unknown", "unknown"),
            ("reconnects", "reconnects"),
        ],
    },
];

/// The figures of the focused zone.
pub fn list(area: Rect, scene: Scene<'_>) -> Vec<Line<'static>> {
    let Scene { status, view, theme, now, .. } = scene;
    let Some(zone) = view.focused(status) else {
        return wrapped(&theme.say("no zone is there yet"), area, "", Style::new());
    };
    let document = status.document();
    let mut lines = Vec::new();
    for group in &GROUPS {
        let (place, kind) = match group.at {
            "producer" => ("producer".to_owned(), "producer".to_owned()),
            at => (format!("zones.{}.{at}", zone.name), format!("zones.{at}")),
        };
        // A source has no mirror and no link, another zone no producer.
        let is_here = match group.at {
            "producer" => zone.mirror.is_none(),
            at => value_at(&document, &format!("zones.{}", zone.name))
                .is_some_and(|zone| !zone[at].is_null()),
        };
        if !is_here {
            continue;
        }
        let told = value_at(&document, &format!("{place}.told_at_ms"));
        let age = told.and_then(|told| told.as_u64()).filter(|told| *told > 0);
        let age = age.map(|told| theme.say(&format!("  reported {} ago", format::age(told, now))));
        lines.push(Line::from(vec![
            Span::styled(format!("{} ", theme.say(group.name)), theme.strong()),
            Span::styled(age.unwrap_or_default(), theme.label()),
        ]));
        for (label, field) in group.figures {
            let value = value_at(&document, &format!("{place}.{field}"));
            lines.push(figure(label, value.as_ref(), theme));
            if let Some(meaning) = meaning(&format!("{kind}.{field}")) {
                let text = meaning.replace("`null`", "unknown").replace('`', "").replace('\n', " ");
                lines.extend(wrapped(&theme.say(&text), area, "    ", theme.label()));
            }
        }
        let origin = theme.say(&format!("from {}", group.origin));
        lines.extend(wrapped(&origin, area, "  ", Style::new()));
        let flag = region_flag(&status.region);
        let check = match group.check {
            Check::Nats(words) => {
                let consumer = zone.consumer.as_ref().filter(|_| group.at == "consumer");
                let name = consumer.map(|one| format!(" {}", one.name)).unwrap_or_default();
                format!(
                    "eval \"$(zonedrill{flag} env {})\"; nats {words} {STREAM}{name}",
                    zone.name
                )
            }
            Check::OfZone(words) => format!("zonedrill{flag} {words} {}", zone.name),
            Check::Own(words) => format!("zonedrill{flag} {words}"),
        };
        lines.extend(wrapped(&format!("$ {check}"), area, "  ", theme.focus()));
        lines.push(Line::default());
    }
    lines.truncate(lines.len().saturating_sub(1));
    lines
}

fn figure(label: &str, value: Option<&Value>, theme: &Theme) -> Line<'static> {
    let (text, style) = match value {
        Some(Value::Number(number)) => {
            let whole = number.as_u64().map(format::count);
            let text = whole.unwrap_or_else(|| format!("{:.1}", number.as_f64().unwrap_or(0.0)));
            (text, theme.strong())
        }
        Some(other) => (other.to_string(), theme.strong()),
        None => (theme.say("unknown"), theme.stale()),
    };
    Line::from(vec![
        Span::raw(format!("  {}", format::left(&theme.say(label), 24))),
        Span::styled(text, style),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::region::status::is_comparable;

    #[test]
    fn every_figure_is_one_of_the_document() {
        for group in &GROUPS {
            for (label, field) in group.figures {
                let place = match group.at {
                    "producer" => format!("producer.{field}"),
                    at => format!("zones.b.{at}.{field}"),
                };
                assert!(is_comparable(&place), "{label}: {place}");
            }
        }
    }

    #[test]
    fn a_meaning_is_the_words_of_the_type() {
        let floor = meaning("zones.consumer.ack_floor").unwrap();
        assert!(floor.starts_with("Every stream sequence up to here"), "{floor}");
        assert!(meaning("zones.mirror.true_lag").unwrap().starts_with("Source last sequence"));
        assert_eq!(meaning("zones.mirror.no_such"), None);
    }
}
