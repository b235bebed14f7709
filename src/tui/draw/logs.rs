//! The log pane, and the large view with tui-logger's selection of targets.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    text::Span,
    widgets::{Block, Clear, Widget},
};
use tui_logger::{TuiLoggerTargetWidget, TuiLoggerWidget};

use super::{
    Scene,
    canvas::{put, put_lines, rule},
    written::highlight,
};
use crate::tui::{format, log::Look};

pub fn draw(buf: &mut Buffer, area: Rect, scene: Scene<'_>) {
    let Scene { view, theme, .. } = scene;
    if area.height < 2 {
        return;
    }
    let log = &view.log;
    let mut title = vec![Span::styled(theme.say("log"), theme.strong())];
    if let Some(zone) = &log.only {
        let only = theme.say(&format!(" zone {zone} only"));
        title.push(Span::styled(only, theme.active()));
    }
    if !log.filter.is_empty() {
        let lines = match (log.filter.wrong(), log.hits()) {
            (Some(why), _) => format!("not a pattern: {why}"),
            (None, 1) => "1 line".to_owned(),
            (None, lines) => format!("{lines} lines"),
        };
        title.push(Span::styled(format!(" /{}  {lines}", log.filter.text()), theme.active()));
    }
    let right = if log.is_scrolled() { "scrolled back: esc follows" } else { "" };
    rule(buf, area, theme, &title, right);

    let inner = Rect {
        x: area.x + 1,
        y: area.y + 1,
        width: area.width.saturating_sub(2),
        height: area.height - 1,
    };
    let look = Look { theme: theme.clone(), zone: view.zone.clone() };
    if let Some(state) = log.pane() {
        TuiLoggerWidget::default().formatter(Box::new(look)).state(state).render(inner, buf);
        return;
    }
    let lines = log.lines(usize::from(inner.width), usize::from(inner.height), &look);
    if lines.is_empty() && !log.filter.is_empty() {
        let none = theme.say("no line holds that text");
        put(buf, inner, 0, 0, &none, theme.label());
    }
    put_lines(buf, inner, &lines);
    let current = if log.is_scrolled() { lines.len().checked_sub(1) } else { None };
    highlight(buf, inner, &log.filter, None, theme);
    if let Some(mark) =
        current.and_then(|last| buf.cell_mut((area.x, inner.y + u16::try_from(last).ok()?)))
    {
        mark.set_symbol(theme.pick("▸", ">")).set_style(theme.focus());
    }
}

/// tui-logger's own view: every target with its level.
pub fn large(buf: &mut Buffer, area: Rect, scene: Scene<'_>) {
    let Scene { view, theme, .. } = scene;
    let Some(state) = view.log.large() else { return };
    let area = area.intersection(buf.area);
    Clear.render(area, buf);
    if !view.log.filter.is_empty() {
        // tui-logger knows no pattern: with one, the room's own lines are shown.
        let lines = Rect { height: area.height.saturating_sub(1), ..area };
        draw(buf, lines, scene);
        let keys = ["esc shows all", "/ another pattern", "n older", "N newer", "q back"];
        let foot = Rect { y: area.bottom().saturating_sub(1), height: 1.min(area.height), ..area };
        put(buf, foot, 1, 0, &keys.join("  "), theme.label());
        return;
    }
    let foot = Rect { y: area.bottom().saturating_sub(1), height: 1.min(area.height), ..area };
    let area = Rect { height: area.height.saturating_sub(1), ..area };
    let sources = Rect { width: (area.width / 3).min(32), ..area };
    let lines = Rect { x: area.x + sources.width, width: area.width - sources.width, ..area };
    TuiLoggerTargetWidget::default()
        .block(block(scene, " sources "))
        .highlight_style(theme.chosen())
        .state(state)
        .render(sources, buf);
    let look = Look { theme: theme.clone(), zone: view.zone.clone() };
    TuiLoggerWidget::default()
        .block(block(scene, " log "))
        .formatter(Box::new(look))
        .state(state)
        .render(lines, buf);
    let keys = [
        "esc back",
        "arrows choose source and level",
        "page-up/page-down scroll",
        "f only this source",
        "h hide sources",
        "/ search",
    ];
    let keys = keys.map(|key| theme.say(key));
    let keys = format::in_one_line(&keys, usize::from(foot.width.saturating_sub(1)));
    put(buf, foot, 1, 0, &keys, theme.label());
}

fn block(scene: Scene<'_>, title: &str) -> Block<'static> {
    Block::bordered()
        .border_set(scene.theme.frame(false))
        .border_style(scene.theme.border())
        .title(scene.theme.say(title))
}
