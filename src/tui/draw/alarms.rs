//! What is wrong and why: the region's word, the list of alarms, the reasons of the verdicts.

use ratatui::{
    layout::Rect,
    style::{Modifier, Style},
    text::{Line, Span},
};

use super::Scene;
use crate::{
    drill::conclusions,
    region::{
        Status,
        status::{Alarm, AlarmKind, Conclusion, Drill, Phase, Verdict, Zone},
    },
    tui::{format, state::Connection, theme::Theme, update},
};

/// Cells that a frame and its padding take.
const FRAME: u16 = 8;

/// The region's word with the number of alarms, and how it looks; `None` while nothing can be said.
pub fn word(scene: Scene<'_>) -> Option<(String, Style)> {
    let Scene { status, view, theme, .. } = scene;
    let known = status.phase == Phase::Up && !status.zones.is_empty();
    if !known || view.connection != Connection::Live {
        return None;
    }
    let alarms = status.alarms();
    let mut word = Status::word(&alarms);
    if let Some(worst) = alarms.first() {
        let kind = worst.kind.as_str();
        word = word.replacen(kind, &theme.say(kind), 1);
    }
    Some(match alarms.first() {
        None => (theme.say(&word), theme.good()),
        Some(worst) => {
            let number = format!("{word} {}{}", theme.pick("▲", "!"), alarms.len());
            (number, look(worst.kind, theme))
        }
    })
}

/// How an alarm looks.
fn look(kind: AlarmKind, theme: &Theme) -> Style {
    use AlarmKind::{
        Behind, Changed, Cut, Degraded, Down, Fenced, Impaired, Loss, NoLeader, Split, SplitBrain,
        Stranger, Stuck, Trouble, Unknown,
    };
    match kind {
        SplitBrain | Loss | Split | NoLeader | Changed => theme.alarm(),
        Trouble | Down | Stuck | Cut => theme.bad(),
        Fenced | Degraded | Behind | Impaired | Stranger | Unknown => theme.warn(),
    }
}

/// How the frame of a zone looks: as its worst alarm does.
pub fn frame(zone: &Zone, scene: Scene<'_>) -> Option<Style> {
    let worst = scene.status.alarms_of(zone).first()?.kind;
    // Lines that are reversed would be bars.
    Some(look(worst, scene.theme).remove_modifier(Modifier::REVERSED))
}

/// Each alarm with its cause, since when, and its remedy.
pub fn list(area: Rect, from: usize, scene: Scene<'_>) -> Vec<Line<'static>> {
    let status = scene.status;
    let alarms = status.alarms();
    if alarms.is_empty() {
        let text = match status.phase {
            Phase::Up => "nothing is wrong that can be seen; `verify` reads every message",
            _ => "the region is not up: its steps say how far it is",
        };
        return wrapped(&scene.theme.say(text), area, "", Style::new());
    }
    let mut lines = Vec::new();
    for (at, alarm) in alarms.iter().enumerate().skip(from.min(alarms.len() - 1)) {
        let of = format!("{}  ", scene.theme.say(&format!("{} of {}", at + 1, alarms.len())));
        let begin = lines.len();
        lines.extend(one(alarm, area, scene));
        if let Some(head) = lines.get_mut(begin) {
            head.spans.insert(0, Span::styled(of, scene.theme.label()));
        }
    }
    lines.truncate(lines.len().saturating_sub(1));
    lines
}

fn one(alarm: &Alarm, area: Rect, scene: Scene<'_>) -> Vec<Line<'static>> {
    let Scene { theme, now, .. } = scene;
    let mut head = vec![Span::styled(theme.say(alarm.kind.as_str()), look(alarm.kind, theme))];
    if let Some(zone) = &alarm.zone {
        head.push(Span::styled(theme.say(&format!("  zone {zone}")), theme.strong()));
    }
    if let Some(since) = alarm.since_at_ms {
        let age = theme.say(&format!("  for {}", format::age(since, now)));
        head.push(Span::styled(age, theme.label()));
    }
    let mut lines = vec![Line::from(head)];
    lines.extend(wrapped(&theme.say(&alarm.cause), area, "  ", Style::new()));
    if let Some(remedy) = &alarm.remedy {
        lines.extend(wrapped(&format!(":{remedy}"), area, "  ", theme.focus()));
    }
    lines.push(Line::default());
    lines
}

/// The reason of each verdict, whole, and what can be done next.
pub fn reasons(area: Rect, scene: Scene<'_>) -> Vec<Line<'static>> {
    let Scene { status, theme, .. } = scene;
    let mut lines = Vec::new();
    for (number, conclusion) in (1..).zip(&status.conclusions) {
        let (glyph, word, style) = theme.verdict(conclusion.verdict);
        lines.push(Line::from(vec![
            Span::styled(format!("{glyph} "), style),
            Span::styled(format!("{number} {} ", conclusion.name), theme.strong()),
            Span::styled(word, style),
        ]));
        lines.extend(wrapped(&theme.say(&conclusion.evidence), area, "  ", Style::new()));
        let next = next_step(number, conclusion, scene);
        lines.extend(wrapped(&theme.say(&next), area, "  ", theme.focus()));
        lines.push(Line::default());
    }
    let drill = status.drill.as_ref().filter(|drill| drill.conclusion.is_none());
    if let Some(drill) = drill {
        let (glyph, word, style) = theme.verdict(drill.verdict);
        lines.push(Line::styled(format!("{glyph} {} {word}", drill.name), style));
        lines.extend(wrapped(&theme.say(&drill.evidence), area, "  ", Style::new()));
        lines.push(Line::default());
    }
    lines.truncate(lines.len().saturating_sub(1));
    lines
}

/// What to press for more of it.
fn next_step(number: u8, conclusion: &Conclusion, scene: Scene<'_>) -> String {
    let Scene { status, view, .. } = scene;
    let running = status.drill.as_ref().is_some_and(Drill::under_way);
    // By the key that is bound to it, or by the line itself.
    let press = |line: &str| match update::key_for(view, line) {
        Some(key) => key.to_string(),
        None => format!("`:{line}`"),
    };
    let name = conclusions::required(Some(number)).map_or(&*conclusion.name, |one| one.drill);
    let drill = press(&format!("drill run {name}"));
    match conclusion.verdict {
        _ if running || status.without_a_room() => String::new(),
        Verdict::Waiting | Verdict::Holding => {
            format!("{drill} runs the drill that proves or breaks it")
        }
        Verdict::Void => format!("nothing was shown either way: {drill} runs the drill again"),
        Verdict::Broken => {
            format!(
                "{} reads every message; {} writes the evidence",
                press("verify"),
                press("report")
            )
        }
        Verdict::Proved => format!(
            "{} writes the evidence; `:drill run {name} --sabotage lose` shows that it can break",
            press("report")
        ),
    }
}

pub(super) fn wrapped(text: &str, area: Rect, indent: &str, style: Style) -> Vec<Line<'static>> {
    let room = usize::from(area.width.saturating_sub(FRAME)).saturating_sub(indent.len());
    let lines = format::wrap(text, room).into_iter();
    lines
        .filter(|line| !line.is_empty())
        .map(|line| Line::styled(format!("{indent}{line}"), style))
        .collect()
}
