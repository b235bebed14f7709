//! The last row: keys for what has the focus, what runs, and the last short answer.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::{Line, Span},
    widgets::{Clear, Widget},
};

use super::{Scene, canvas::put_line};
use crate::{
    command::{
        Command, Drill,
        keys::{Action, Binding, ScreenAction, When},
    },
    drill::conclusions::{REQUIREMENTS, Requirement},
    region::{
        Status,
        reduce::CONCLUSIONS_OF_OTHERS,
        status::{Phase, Task, Verdict},
    },
    room::protocol::Outcome,
    tui::{format, keys, update},
};

/// The most lines of an answer that is told nowhere else.
const TOLD_LINES: usize = 3;

pub fn draw(buf: &mut Buffer, area: Rect, scene: Scene<'_>) {
    let Scene { status, view, theme, now } = scene;
    let width = usize::from(area.width);
    let mut asked = |text: &str| {
        let text = format::clip(&format!(" ? {text}"), width, theme.ellipsis());
        put_line(buf, area, 0, &Line::styled(text, theme.active()));
    };
    // A person waits for the answer, and not for long: it goes before everything else.
    if let Some(screen) = update::asker(view, status) {
        let left = screen.ask_ends_at_ms.unwrap_or(now).saturating_sub(now).div_ceil(1000);
        let key = |action| {
            update::key_of(view, &action).map_or_else(|| "?".into(), |key| key.to_string())
        };
        let (grant, refuse) = (
            key(Action::Screen(ScreenAction::Control)),
            key(Action::Line("control refuse".into())),
        );
        let who =
            if screen.guest { format!("{} (guest)", screen.name) } else { screen.name.clone() };
        let text = theme
            .say(&format!("{who} asks for control: {grant} grants, {refuse} refuses ({left} s)"));
        return asked(&text);
    }
    if let Some(toast) = &view.toast {
        let (glyph, style) = theme.outcome(toast.outcome);
        // Why something was not done is told nowhere else, and says at its end what to do.
        let most = if told_here_only(toast.outcome) { TOLD_LINES } else { 1 };
        let room = width.saturating_sub(4);
        let told = theme.say(&toast.text);
        let lines = match format::width(&told) {
            cells if most > 1 && cells > room => {
                format::wrap_at_most(&told, room, most, theme.ellipsis())
            }
            _ => vec![format::clip(&told, room, theme.ellipsis())],
        };
        let above = u16::try_from(lines.len().saturating_sub(1)).unwrap_or(0).min(area.y);
        let place = Rect { y: area.y - above, height: above + 1, ..area };
        Clear.render(place.intersection(buf.area), buf);
        for (y, text) in (0..).zip(lines) {
            let glyph = if y == 0 { glyph } else { " " };
            put_line(buf, place, y, &Line::styled(format!(" {glyph} {text}"), style));
        }
        return;
    }
    if let Some(until) = update::asking(view, status) {
        let left = until.saturating_sub(now).div_ceil(1000);
        let driver = status.screens.iter().find(|screen| screen.drives);
        let driver = driver.map_or("somebody", |screen| screen.name.as_str());
        let text = theme.say(&format!("{driver} is asked for control ({left} s)"));
        return asked(&text);
    }
    let mut spans = vec![Span::raw(" ")];
    if let Some(task) = status.tasks.first() {
        let more = status.tasks.len() - 1;
        let text = under_way(task, more, width * 2 / 5, scene);
        spans.push(Span::styled(text, theme.active()));
        spans.push(Span::raw("  "));
    }
    let mut used: usize = spans.iter().map(Span::width).sum();
    let me = status.screens.iter().find(|screen| Some(screen.id) == view.me);
    let mut bindings: Vec<&Binding> =
        view.keymap.bindings().iter().filter(|b| fits(b, scene)).collect();
    // Nobody sits at a recorder, and who plays the recording has none of these keys.
    bindings.retain(|_| !me.is_some_and(|screen| screen.records));
    bindings.sort_by_key(|binding| rank(binding, view.drives));
    if let Some(keys) = proving(scene).filter(|_| !bindings.is_empty()) {
        let prove = theme.say(" prove  ");
        used += format::width(&keys) + format::width(&prove);
        spans.push(Span::styled(keys, theme.focus()));
        spans.push(Span::styled(prove, theme.label()));
    }
    for binding in bindings {
        let Some(Ok(word)) = binding.hint.as_ref().map(|hint| keys::fill(hint, view, status))
        else {
            continue;
        };
        let (key, word) = (binding.key.to_string(), theme.say(&word));
        let cells = format::width(&key) + format::width(&word) + 3;
        if used + cells > width {
            break;
        }
        used += cells;
        spans.push(Span::styled(key, theme.focus()));
        spans.push(Span::styled(format!(" {word}  "), theme.label()));
    }
    put_line(buf, area, 0, &Line::from(spans));
}

/// The keys that prove the conclusions, until one of them was pressed.
fn proving(scene: Scene<'_>) -> Option<String> {
    let Scene { status, view, .. } = scene;
    let untried = status.conclusions.iter().all(|one| one.verdict == Verdict::Waiting);
    let begun = status.drill.is_some() || status.without_a_room() || status.phase != Phase::Up;
    if !untried || begun || !view.drives {
        return None;
    }
    let key = |one: &Requirement| update::key_for(view, &format!("drill run {}", one.drill));
    let (first, last) = (REQUIREMENTS.first().and_then(key)?, REQUIREMENTS.last().and_then(key)?);
    Some(format!("{first}-{last}"))
}

/// Whether an answer stands at the foot and not in the log as well.
fn told_here_only(outcome: Option<Outcome>) -> bool {
    outcome == Some(Outcome::Refused)
}

/// What runs and how far it is, in so many cells: its age gives way first, then its words.
fn under_way(task: &Task, more: usize, cells: usize, scene: Scene<'_>) -> String {
    let Scene { theme, now, .. } = scene;
    let glyph = theme.pick("▸", ">");
    let more = if more > 0 { theme.say(&format!(" +{more} more")) } else { String::new() };
    let progress = theme.say(&task.progress);
    let age = format::age(task.since_at_ms, now);
    let whole = format!("{glyph} {}: {} ({age}){more}", task.command, progress);
    if format::width(&whole) <= cells {
        return whole;
    }
    let rest = format!(": {progress}{more}");
    let words = cells.saturating_sub(format::width(&rest) + format::width(glyph) + 1);
    if words < cells / 3 {
        return format::clip(&whole, cells, theme.ellipsis());
    }
    let words = format::clip(&task.command, words, theme.ellipsis());
    format!("{glyph} {words}{rest}")
}

/// Whether a key does now what its binding says.
fn fits(binding: &Binding, scene: Scene<'_>) -> bool {
    let Scene { status, view, .. } = scene;
    let running = status.drill.as_ref().filter(|drill| drill.under_way());
    let presented = running.is_some_and(|drill| drill.presented);
    let own = view.keymap.get_presented(binding.key).map(|b| b.when) == Some(When::Presented);
    if status.replay.is_some() {
        let overlaid = view.keymap.get_replaying(binding.key) != Some(binding);
        return !overlaid && binding.action.replays();
    }
    if status.is_external() && !does_something(binding, scene) {
        return false;
    }
    if !may(binding, scene) {
        return false;
    }
    match binding.when {
        When::Replay => false,
        When::Presented => presented,
        _ if own && (presented || view.verdict_card(status)) => false,
        When::Always => true,
        When::Mirror => view.focused(status).is_some_and(|zone| !zone.is_hub()),
        When::Drill => running.is_some() || is_drill_to_see(binding, status),
    }
}

/// Whether a key does something in a region that somebody else runs.
pub(super) fn does_something(binding: &Binding, scene: Scene<'_>) -> bool {
    let Action::Line(line) = &binding.action else { return binding.action.only_shows() };
    let line = keys::fill(line, scene.view, scene.status).unwrap_or_default();
    line.parse::<Command>().is_ok_and(|command| match &command {
        Command::Cut { kind, .. } => kind.is_none(),
        Command::Heal { zone } => zone.is_some(),
        Command::Drill(Drill::Run(run)) => {
            run.names.iter().all(|name| CONCLUSIONS_OF_OTHERS.contains(&name.as_str()))
        }
        other => other.goes_with_others(),
    })
}

/// Whether this screen may do what a key does: who only looks is not offered what is not sent, and
/// nobody what a region that is not up refuses.
fn may(binding: &Binding, scene: Scene<'_>) -> bool {
    let Scene { status, view, .. } = scene;
    if view.drives && status.phase == Phase::Up {
        return true;
    }
    match &binding.action {
        Action::Line(line) => line.parse::<Command>().is_ok_and(|command| command.is_harmless()),
        Action::Screen(ScreenAction::Control) => {
            !status.screens.iter().any(|screen| Some(screen.id) == view.me && screen.observes)
        }
        Action::Screen(_) | Action::Palette(_) => true,
    }
}

/// A drill that is over can still be looked at.
fn is_drill_to_see(binding: &Binding, status: &Status) -> bool {
    binding.action == Action::Screen(ScreenAction::Drill) && status.drill.is_some()
}

/// Which keys are shown first where not all have room: the ways to everything else, then what
/// fits the focus.
fn rank(binding: &Binding, drives: bool) -> u8 {
    match (&binding.action, binding.when) {
        (Action::Screen(ScreenAction::Control), _) if !drives => 1,
        (Action::Palette(_) | Action::Screen(ScreenAction::Help | ScreenAction::Quit), _) => 0,
        (action, _) if action.winds() => 0,
        // What is running must be seen to be stoppable.
        (Action::Line(_), When::Drill | When::Presented) => 1,
        (Action::Line(line), _) if line == "produce stop" => 2,
        (_, When::Drill) => 2,
        (_, When::Mirror) => 3,
        (Action::Line(_), _) => 4,
        (Action::Screen(_), _) => 5,
    }
}
