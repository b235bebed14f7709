//! The links: a line from the source to every mirror, above the panes. What is cut looks cut.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{Scene, canvas::put};
use crate::{
    region::{
        condition::measured::StuckCause,
        format::{seconds, short},
        status::{Link, LinkState, Zone, ZoneState},
    },
    tui::{
        format,
        layout::{Bus, Plan},
    },
};

/// Cells from a pane's left edge to where its link comes down.
const DROP: u16 = 2;

pub fn draw(buf: &mut Buffer, bus: &Bus, plan: &Plan, scene: Scene<'_>) {
    let Scene { status, theme, .. } = scene;
    let area = bus.area;
    let panes = plan.panes.get(bus.from..bus.to).unwrap_or_default();
    let zones: Vec<(u16, u16, &Zone)> = panes
        .iter()
        .filter_map(|pane| {
            let zone = status.zones.get(pane.zone)?;
            Some((pane.area.x - area.x, pane.area.width, zone))
        })
        .collect();
    let last = zones.iter().rev().find(|(_, _, z)| !z.is_hub()).map(|(x, _, _)| x + DROP);
    let Some(last) = last else {
        hidden(buf, area, plan, scene);
        return;
    };
    let source = zones.iter().find(|(_, _, z)| z.is_hub());
    let start = source.map_or(0, |(x, _, _)| x + DROP);

    let across = theme.pick("═", "=");
    let trunk = theme.value();
    let length = usize::from(last.saturating_sub(start) + 1);
    put(buf, area, start, 0, &across.repeat(length), trunk);
    if let Some((x, _, _)) = source {
        put(buf, area, x + DROP, 0, theme.pick("╔", "+"), trunk);
        if area.height > 1 {
            put(buf, area, x + DROP, 1, theme.pick("║", "|"), trunk);
            put(buf, area, x + DROP + 2, 1, &source_label(scene), theme.label());
        }
    } else if let Some(name) = status.source().map(|z| z.name.to_string()) {
        put(buf, area, 0, 0, &format!("{name} "), theme.strong());
    }

    for (x, width, zone) in &zones {
        if zone.is_hub() {
            continue;
        }
        let x = x + DROP;
        let room = if source.is_some() || !is_hiding(plan) { *width } else { width - 12 };
        // Up to the next link, and never over the edge.
        let room = room.saturating_sub(DROP + 1).min(area.width.saturating_sub(x + 2));
        let (down, label, style) = link(zone, room, scene);
        let corner = if x == last { theme.pick("╗", "+") } else { theme.pick("╦", "+") };
        if area.height > 1 {
            put(buf, area, x, 0, corner, trunk);
            put(buf, area, x, 1, down, style);
            put(buf, area, x + 2, 1, &label, style);
        } else {
            put(buf, area, x, 0, if zone.is_linked() { corner } else { down }, style);
            put(buf, area, x + 1, 0, &format!(" {label} "), style);
        }
    }
    if let Some((x, width, _)) = source.filter(|_| panes.len() > 1) {
        let place = Rect { x: area.x + x + DROP + 2, width: width - DROP - 3, ..area };
        hidden(buf, place, plan, scene);
    } else {
        hidden(buf, area, plan, scene);
    }
}

fn is_hiding(plan: &Plan) -> bool {
    plan.hidden != (0, 0)
}

/// How many zones lie beyond the edges.
fn hidden(buf: &mut Buffer, area: Rect, plan: &Plan, scene: Scene<'_>) {
    let theme = scene.theme;
    let (left, right) = plan.hidden;
    let mut parts = Vec::new();
    if left > 0 {
        parts.push(format!("{} {}", theme.pick("‹", "<"), theme.say(&format!("{left} more"))));
    }
    if right > 0 {
        parts.push(format!("{} {}", theme.say(&format!("{right} more")), theme.pick("›", ">")));
    }
    if !parts.is_empty() {
        let text = format!(" {} ", parts.join("  "));
        let cells = u16::try_from(format::width(&text)).unwrap_or(0);
        put(buf, area, area.width.saturating_sub(cells), 0, &text, theme.focus());
    }
}

fn source_label(scene: Scene<'_>) -> String {
    let mirrors = scene.status.zones.iter().filter(|z| !z.is_hub()).count();
    scene.theme.say(&format!("feeds {mirrors} mirror{}", if mirrors == 1 { "" } else { "s" }))
}

/// A link as a glyph and words that fit `room` cells, and their style.
fn link(zone: &Zone, room: u16, scene: Scene<'_>) -> (&'static str, String, Style) {
    let Scene { theme, now, .. } = scene;
    let Some(link) = &zone.link else {
        let word = if zone.state == ZoneState::Starting { "not linked yet" } else { "?" };
        return (theme.pick("┊", ":"), theme.say(word), theme.label());
    };
    let age = format::age(link.since_at_ms, now);
    let (glyph, forms) = match link.state {
        LinkState::Up => (theme.pick("║", "|"), shortening(&up(link))),
        LinkState::Impaired => (theme.pick("╫", "%"), impaired(link, now)),
        LinkState::Stuck => (theme.pick("╫", "%"), stuck(link, &age)),
        LinkState::Cut => (theme.pick("╳", "X"), cut(link, now)),
        LinkState::Down => {
            let mut parts = vec!["down".to_owned(), age];
            parts.extend(leafs(link));
            (theme.pick("┊", ":"), shortening(&parts))
        }
    };
    let said = |parts: &Vec<String>, between: &str| {
        parts.iter().map(|part| theme.say(part)).collect::<Vec<_>>().join(between)
    };
    let fitting = forms
        .iter()
        .map(|parts| said(parts, theme.dot()))
        .find(|text| format::width(text) <= usize::from(room));
    let text = fitting.unwrap_or_else(|| {
        let shortest = forms.last().map(|parts| said(parts, " ")).unwrap_or_default();
        format::clip(&shortest, usize::from(room), theme.ellipsis())
    });
    (glyph, text, theme.link(link.state))
}

/// The parts, then the same with ever fewer from the end.
fn shortening(parts: &[String]) -> Vec<Vec<String>> {
    (1..=parts.len()).rev().map(|n| parts[..n].to_vec()).collect()
}

fn up(link: &Link) -> Vec<String> {
    let mut parts = vec!["up".to_owned()];
    parts.extend(leafs(link));
    // Without its name it could be the time the link has been up.
    parts.extend(link.rtt_us.map(|us| format!("rtt {}", format::round_trip(us))));
    parts
}

/// A link that is worse than whole, in ever shorter forms: what is asked, whether that was measured,
/// and what it does. Whether it was measured is said in all but the shortest.
fn impaired(link: &Link, now: u64) -> Vec<Vec<String>> {
    let word = "IMPAIRED".to_owned();
    let proof = if link.effective { "measured" } else { "not measured yet" }.to_owned();
    let asked = link.condition.map(|asked| asked.to_string()).unwrap_or_default();
    let traffic = link.traffic();
    let mut parts = vec![word.clone(), asked.clone(), proof.clone()];
    parts.extend(traffic.iter().cloned());
    if let Some(at) = link.heals_at_ms {
        parts.push(format!("heals in {}", format::age(now, at)));
    }
    parts.extend(leafs(link));
    let mut forms = shortening(&parts);
    // A backlog says more than what was asked.
    let least = if traffic.len() > 2 { 4 } else { 3 };
    forms.truncate(parts.len().saturating_sub(least) + 1);
    forms.extend(shortening(&[&[word.clone(), proof.clone()], &traffic[..]].concat()));
    forms.truncate(forms.len() - 1);
    forms.push(vec![word]);
    forms
}

/// A link that is connected and moves nothing, and why.
fn stuck(link: &Link, age: &str) -> Vec<Vec<String>> {
    let word = format!("STUCK {age}");
    let Some(found) = &link.stuck else { return vec![vec![word]] };
    let cause = match found.cause {
        StuckCause::OneWay => "one direction silent",
        StuckCause::Rate => "line too thin",
        StuckCause::Mtu => "large packets vanish",
        StuckCause::Receiver => "receiver takes nothing",
        StuckCause::Unknown => "no answer over it",
    };
    let short = vec![word.clone(), cause.to_owned(), format!("{} behind", short(found.behind))];
    let long = vec![word, link.why_stuck().unwrap_or_default()];
    let mut forms = vec![long];
    forms.extend(shortening(&short));
    forms
}

/// A cut in ever shorter forms; whether it is effective is said in all but the shortest.
fn cut(link: &Link, now: u64) -> Vec<Vec<String>> {
    let age = format::age(link.since_at_ms, now);
    let proof = if link.effective { "effective" } else { "not proved yet" }.to_owned();
    let unnoticed = link.unnoticed(now).map(|(age, most)| {
        let (age, most) = (format::span(age), format::span(most));
        (
            format!("servers have not noticed yet: {age} of at most {most}"),
            format!("not noticed: {age} of {most}"),
        )
    });
    let kind = link.kind.map(|kind| format!(" {}", kind.as_str())).unwrap_or_default();
    let mut parts = vec![format!("CUT{kind} {age}"), proof.clone()];
    if let Some(at) = link.heals_at_ms {
        parts.push(format!("heals in {}", format::age(now, at)));
    }
    if let Some(ms) = link.proved_in_ms.filter(|_| link.effective) {
        parts.push(format!("proved in {}", seconds(ms)));
    }
    let mut forms = shortening(&parts);
    forms.pop();
    if let Some((long, short)) = unnoticed {
        let head = parts[0].clone();
        let noticed = [
            vec![head.clone(), long.clone(), proof.clone()],
            vec![head.clone(), long],
            vec![head, short.clone()],
            vec!["CUT".to_owned(), short],
        ];
        forms.splice(0..0, noticed);
    }
    forms.push(vec![format!("CUT {age}"), proof]);
    forms.push(vec![format!("CUT {age}")]);
    forms
}

fn leafs(link: &Link) -> Option<String> {
    match (link.leafs_here, link.leafs_there) {
        (None, None) => None,
        (here, there) => {
            let n = |n: Option<u32>| n.map_or_else(|| "?".into(), |n| n.to_string());
            Some(format!("leafs {}:{}", n(there), n(here)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::region::condition::{
        LinkCondition,
        measured::{Measured, Stuck, WayMeasured},
    };

    #[test]
    fn a_worse_link_says_whether_it_was_measured_in_all_but_the_shortest_form() {
        let to_zone = WayMeasured {
            bytes_per_s: Some(120_000),
            queued_bytes: 40_000,
            ..WayMeasured::default()
        };
        let mut link = Link {
            state: LinkState::Impaired,
            condition: Some(LinkCondition::default()),
            measured: Some(Measured { to_zone, clears_in_ms: Some(3_200), ..Measured::default() }),
            ..Link::default()
        };
        for word in ["not measured yet", "measured"] {
            let forms = impaired(&link, 9);
            let (shortest, others) = forms.split_last().unwrap();
            assert_eq!(shortest, &["IMPAIRED"]);
            assert!(others.iter().all(|form| form.iter().any(|part| part == word)), "{forms:?}");
            let joined: Vec<String> = forms.iter().map(|form| form.join(" · ")).collect();
            let fits = joined.iter().find(|form| format::width(form) <= 58).unwrap();
            assert!(fits.contains("clears in 3.2 s"), "{joined:?}");
            link.effective = true;
        }
        let (cause, since_at_ms) = (StuckCause::OneWay, 1);
        link.stuck = Some(Stuck { cause, behind: 25, since_at_ms, queued_bytes: 0 });
        let joined: Vec<String> = stuck(&link, "2 s").iter().map(|form| form.join(" · ")).collect();
        assert_eq!(joined[1], "STUCK 2 s · one direction silent · 25 behind");
    }
    use crate::region::topology::CutKind;

    #[test]
    fn a_cut_that_servers_have_not_noticed_says_how_long_that_can_take() {
        let mut link = Link {
            state: LinkState::Cut,
            kind: Some(CutKind::Unplug),
            effective: false,
            severed_in_ms: Some(120),
            proved_in_ms: None,
            since_at_ms: 10_000,
            heals_at_ms: None,
            leafs_here: Some(3),
            leafs_there: Some(3),
            rtt_us: None,
            ..Link::default()
        };
        let forms = cut(&link, 14_000);
        assert_eq!(forms[0][1], "servers have not noticed yet: 4.0 s of at most 8.0 s");
        let shortest: Vec<String> = forms.iter().map(|form| form.join("; ")).collect();
        assert!(shortest.contains(&"CUT; not noticed: 4.0 s of 8.0 s".into()), "{shortest:?}");
        // Noticed, proved, or of a kind that is noticed at once.
        for change in [
            |link: &mut Link| (link.leafs_here, link.leafs_there) = (Some(0), Some(0)),
            |link: &mut Link| link.effective = true,
            |link: &mut Link| link.kind = Some(CutKind::Refuse),
        ] {
            let before = link.clone();
            change(&mut link);
            assert!(cut(&link, 14_000).concat().iter().all(|part| !part.contains("noticed")));
            link = before;
        }
    }
}
