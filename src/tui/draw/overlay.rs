//! What lies on top in the middle: help, questions, answers.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use super::{
    Scene, alarms,
    canvas::{popup, put_lines},
    figures, foot, named, question,
};
use crate::{
    command::{
        Command,
        keys::{Action, Binding, ScreenAction, When},
    },
    region::{PlatformKind, UnixMs, status::Phase, topology::region_flag},
    tui::{
        format,
        state::{Connection, Overlay},
        theme::Theme,
        update::live,
    },
};

pub fn draw(buf: &mut Buffer, area: Rect, overlay: &Overlay, scene: Scene<'_>) {
    let theme = scene.theme;
    match overlay {
        Overlay::Help { scroll } => help(buf, area, *scroll, scene),
        Overlay::Confirm { line } => sure(buf, area, line, "or enter: yes", scene),
        Overlay::TearDown(purge) => {
            sure(buf, area, &Command::Down { purge: *purge }.to_string(), "yes", scene);
        }
        Overlay::Alarms { scroll } => {
            let lines = alarms::list(area, *scroll, scene);
            let next = format!("{} next", theme.pick("↑↓", "up/down"));
            let title = ["alarms", next.as_str(), "enter: the first one's command"];
            let title = title.map(|part| theme.say(part)).join(theme.dot());
            let title = format!(" {title} ");
            scrolled(buf, area, Line::styled(title, theme.strong()), &lines, 0, theme);
        }
        Overlay::Why { scroll } => {
            let lines = alarms::reasons(area, scene);
            scrolled(
                buf,
                area,
                Line::styled(theme.say(" why "), theme.strong()),
                &lines,
                *scroll,
                theme,
            );
        }
        Overlay::Figures { scroll } => {
            let name = scene.view.focused(scene.status).map(|zone| zone.name.to_string());
            let title = theme.say(&format!(" figures of zone {} ", name.unwrap_or_default()));
            let lines = figures::list(area, scene);
            scrolled(buf, area, Line::styled(title, theme.strong()), &lines, *scroll, theme);
        }
        Overlay::Leave => leave(buf, area, scene),
        Overlay::Answer { title, outcome, text, scroll } => {
            let (glyph, style) = theme.outcome(Some(*outcome));
            let most = usize::from(area.width.saturating_sub(8));
            let reading = &scene.view.reading;
            let text = theme.say(text);
            let shown = text.lines().filter(|line| reading.shows(line));
            let lines: Vec<Line> =
                shown.flat_map(|line| keep_columns(line, most)).map(Line::raw).collect();
            let live = if live(title) {
                format!("{0}live{0}L: {1} ", theme.dot(), reading.level.as_str())
            } else {
                String::new()
            };
            scrolled(
                buf,
                area,
                Line::styled(format!(" {glyph} {title} {live}"), style),
                &lines,
                *scroll,
                theme,
            );
        }
        Overlay::Named { edit, scroll } => {
            named::draw(buf, area, edit, *scroll, scene);
        }
        // Drawn elsewhere: they are not in the middle.
        Overlay::Palette(_) | Overlay::Filter { .. } | Overlay::Log | Overlay::Graphs(_) => {}
    }
}

/// An answer's line as it is, for its columns' sake, unless it is too long.
fn keep_columns(line: &str, most: usize) -> Vec<String> {
    let line = line.replace('\t', "    ");
    if format::width(&line) <= most { vec![line] } else { format::wrap(&line, most) }
}

fn question(buf: &mut Buffer, area: Rect, title: &str, lines: &[Line<'_>], theme: &Theme) {
    let width = lines.iter().map(Line::width).max().unwrap_or(0);
    let inner = popup(
        buf,
        area,
        (width + 2, lines.len() + 2),
        theme,
        Line::styled(theme.say(title), theme.strong()),
        Line::default(),
    );
    let inner = Rect {
        x: inner.x + 1,
        y: inner.y + 1,
        width: inner.width.saturating_sub(1),
        height: inner.height.saturating_sub(1),
    };
    put_lines(buf, inner, lines);
}

/// Asks before a command that destroys or takes long, with what it does.
fn sure(buf: &mut Buffer, area: Rect, line: &str, yes: &str, scene: Scene<'_>) {
    let theme = scene.theme;
    let most = usize::from(area.width.saturating_sub(8));
    let mut lines: Vec<Line> = format::wrap(&theme.say(&format!("run `{line}`?")), most)
        .into_iter()
        .map(|line| Line::styled(line, theme.strong()))
        .collect();
    let told = line.parse::<Command>();
    let told = told.map(|command| question::consequences(&command, scene.status));
    for sentence in told.unwrap_or_default() {
        lines.extend(format::wrap(&theme.say(&sentence), most.min(72)).into_iter().map(Line::raw));
    }
    lines.push(Line::default());
    lines.push(keys("y", yes, theme));
    lines.push(keys("n", "or any other key: no", theme));
    question(buf, area, " sure? ", &lines, theme);
}

fn leave(buf: &mut Buffer, area: Rect, scene: Scene<'_>) {
    let Scene { status, view, theme, .. } = scene;
    let ends = view.pending.values().next().filter(|_| status.is_external());
    let stays = match (&view.connection, ends) {
        (Connection::Lost { .. }, _) => "leave".into(),
        (_, Some(line)) => format!("leave; `{line}` ends, what it cut is healed"),
        _ => "leave; the region runs on".into(),
    };
    let mut lines = vec![keys("enter", &stays, theme)];
    if view.drives && !view.guest && !status.without_a_room() {
        lines.push(keys("t", "tear down, keep the data", theme));
        lines.push(keys("p", "tear down, purge the data", theme));
    }
    lines.push(keys("esc", "stay", theme));
    question(buf, area, " leave ", &lines, theme);
}

/// What is behind this is a memory, and must not be taken for the region.
pub fn lost(buf: &mut Buffer, area: Rect, why: &str, since_at_ms: UnixMs, scene: Scene<'_>) {
    let Scene { status, view, theme, now } = scene;
    let most = usize::from(area.width.saturating_sub(8));
    let age = format::age(since_at_ms, now);
    let ended = status.phase == Phase::Stopping || status.phase == Phase::Down;
    let mut text = vec![
        format!("no connection to the room for {age}: {why}"),
        "everything behind this is as it was then, not as it is".to_owned(),
    ];
    let contained = status.platform == PlatformKind::Docker;
    if !ended {
        // A region of processes ends with its room, one of containers does not.
        let what = if contained { "containers run on" } else { "servers ended with it" };
        text.push(format!("if the room was killed, its {what}"));
    }
    let mut lines: Vec<Line> =
        text.iter().flat_map(|line| format::wrap(&theme.say(line), most)).map(Line::raw).collect();
    lines.push(Line::default());
    if let Some(quit) = view
        .keymap
        .bindings()
        .iter()
        .find(|binding| matches!(&binding.action, Action::Screen(ScreenAction::Quit)))
    {
        let region = region_flag(&status.region);
        let again = if contained && !ended {
            format!("leave; `zonedrill{region} up --adopt` takes them over")
        } else {
            format!("leave; `zonedrill{region} up` starts it again")
        };
        let again = theme.say(&again);
        let halves = again.split_once("; ").or_else(|| again.split_once('；'));
        let (head, rest) = halves.unwrap_or((&again, ""));
        if format::width(&again) + 7 <= most {
            lines.push(keys(&quit.key.to_string(), &again, theme));
        } else {
            lines.push(keys(&quit.key.to_string(), head, theme));
            lines.extend(format::wrap(rest, most).into_iter().map(Line::raw));
        }
    }
    let title = if ended { " the room has ended " } else { " the room is gone " };
    question(buf, area, title, &lines, theme);
}

fn keys(key: &str, what: &str, theme: &Theme) -> Line<'static> {
    Line::from(vec![
        Span::styled(format!("{key:>5}"), theme.focus()),
        Span::raw(format!("  {}", theme.say(what))),
    ])
}

/// The keys, generated from the keymap; two keys of one action share a line.
fn help(buf: &mut Buffer, area: Rect, scroll: usize, scene: Scene<'_>) {
    let Scene { view, theme, status, .. } = scene;
    let mut merged: Vec<(String, &Binding, String)> = Vec::new();
    let (replays, shown) = (status.replay.is_some(), status.without_a_room());
    // Where little works only that is listed; elsewhere, nothing of a replay.
    let listed = |binding: &&Binding| {
        if shown && !replays {
            return binding.when != When::Replay && foot::does_something(binding, scene);
        }
        if !replays {
            return binding.when != When::Replay;
        }
        view.keymap.get_replaying(binding.key) == Some(*binding) && binding.action.replays()
    };
    for binding in view.keymap.bindings().iter().filter(listed) {
        let same = merged
            .iter_mut()
            .find(|(_, b, _)| b.action == binding.action && b.help == binding.help);
        match same {
            Some((keys, ..)) => *keys = format!("{keys}, {}", binding.key),
            None => merged.push((binding.key.to_string(), binding, theme.say(&binding.help))),
        }
    }
    let widest = merged.iter().map(|(keys, ..)| format::width(keys)).max().unwrap_or(0);
    let mut lines: Vec<Line> = Vec::new();
    let mut group = |title: &str, wanted: fn(&Action) -> bool| {
        lines.push(Line::styled(theme.say(title), theme.strong()));
        let listed = || merged.iter().filter(|(_, b, _)| wanted(&b.action));
        // What a key gives stands in a column of its own where that has room.
        let cells = |of: fn(&(String, &Binding, String)) -> usize| listed().map(of).max();
        let column = cells(|(.., help)| format::width(help)).unwrap_or(0);
        let given = cells(|(_, binding, _)| format::width(line_of(binding))).unwrap_or(0);
        let whole = widest + column + given + 6;
        let column = if whole + 4 <= usize::from(area.width) { column } else { 0 };
        for (keys, binding, told) in listed() {
            let room = usize::from(area.width).saturating_sub(widest + 8);
            let mut help = format::wrap(told, room).into_iter();
            let mut spans = vec![
                Span::styled(format!("  {keys:<widest$}  "), theme.focus()),
                Span::raw(help.next().unwrap_or_default()),
            ];
            if let Action::Line(line) = &binding.action
                && column > 0
            {
                let gap = column.saturating_sub(format::width(told)) + 2;
                spans.push(Span::styled(format!("{:gap$}{line}", ""), theme.label()));
            }
            lines.push(Line::from(spans));
            lines.extend(help.map(|more| Line::raw(format!("  {:widest$}  {more}", ""))));
        }
    };
    if replays {
        group("the replay", Action::winds);
    }
    group("the screen", |action| !matches!(action, Action::Line(_)));
    if !replays {
        group("the region", |action| matches!(action, Action::Line(_)));
    }
    lines.push(Line::styled(theme.say("signs"), theme.strong()));
    lines.extend(signs(usize::from(area.width).saturating_sub(4), theme));
    // What limits all of it is read first.
    let limit = match (replays, view.drives) {
        (true, _) => "this is a replay of what happened: only `wind` commands do something",
        _ if shown => {
            "somebody else runs this region: what its file allows is done once its name was typed"
        }
        (false, false) => "you are observing: commands are not sent",
        (false, true) => "",
    };
    let room = usize::from(area.width).saturating_sub(4);
    let limit = theme.say(limit);
    let limit = format::wrap(&limit, room).into_iter().map(|l| Line::styled(l, theme.warn()));
    lines.splice(0..0, limit);
    scrolled(buf, area, Line::styled(theme.say(" keys "), theme.strong()), &lines, scroll, theme);
}

/// The line of the command language that a key gives, if it gives one.
fn line_of(binding: &Binding) -> &str {
    match &binding.action {
        Action::Line(line) => line,
        Action::Screen(_) | Action::Palette(_) => "",
    }
}

/// The glyphs and what they stand for.
fn signs(width: usize, theme: &Theme) -> Vec<Line<'static>> {
    use crate::region::status::NodeState as N;
    let states =
        [N::Up, N::Starting, N::JsOff, N::Leaving, N::Silent, N::Frozen, N::Dead, N::Stopped];
    let mut signs: Vec<(Span<'static>, String)> = states
        .into_iter()
        .map(|state| {
            let (glyph, style) = theme.node(state);
            (Span::styled(glyph, style), format!(" {}", theme.say(state.as_str())))
        })
        .collect();
    let leaders = signs.len();
    for (glyph, of) in [(theme.pick("★", "S"), "stream"), ("C", "consumer"), ("M", "meta group")]
    {
        signs.push((Span::raw(glyph), theme.say(&format!(" leads the {of}"))));
    }
    let mut lines: Vec<Line> = Vec::new();
    for (i, (glyph, word)) in signs.into_iter().enumerate() {
        let cells = 2 + glyph.width() + format::width(&word);
        match lines.last_mut().filter(|line| i != leaders && line.width() + cells <= width) {
            Some(line) => line.spans.push(Span::raw("  ")),
            None => lines.push(Line::raw("  ")),
        }
        if let Some(line) = lines.last_mut() {
            line.spans.extend([glyph, Span::raw(word)]);
        }
    }
    lines
}

fn scrolled(
    buf: &mut Buffer,
    area: Rect,
    title: Line<'_>,
    lines: &[Line<'_>],
    scroll: usize,
    theme: &Theme,
) {
    let width = lines.iter().map(Line::width).max().unwrap_or(0).max(24);
    let most = usize::from(area.height.saturating_sub(4)).max(1);
    let height = lines.len().min(most);
    let first = scroll.min(lines.len().saturating_sub(height));
    let right = if lines.len() > height {
        let arrows = theme.pick("↑↓", "up/down");
        format!(" {}-{} of {}  {arrows}  esc ", first + 1, first + height, lines.len())
    } else {
        " esc ".to_owned()
    };
    let inner = popup(
        buf,
        area,
        (width, height),
        theme,
        title,
        Line::styled(theme.say(&right), Style::new().patch(theme.label())),
    );
    put_lines(buf, inner, lines.get(first..).unwrap_or_default());
}
