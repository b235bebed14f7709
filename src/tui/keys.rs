//! From a terminal's keys to the keymap's, and from a binding to a line.

use termina::event::{KeyCode, KeyEvent, KeyEventKind, Modifiers};
use tui_logger::TuiWidgetEvent;

use crate::{
    command::{
        keys::{Code, Key, Named},
        wind::NOTHING_TO_WIND,
    },
    region::{
        Status,
        status::{LinkState, NodeState, Replay},
    },
    tui::state::ViewState,
};

/// The key of a terminal's key event; `None` for releases and keys no binding can name.
#[must_use]
pub fn from_terminal(event: KeyEvent) -> Option<Key> {
    if event.kind == KeyEventKind::Release {
        return None;
    }
    let code = match event.code {
        // Some terminals report the shifted letter as a letter with shift held.
        KeyCode::Char(c) if event.modifiers.contains(Modifiers::SHIFT) => {
            Code::Char(c.to_uppercase().next().unwrap_or(c))
        }
        KeyCode::Char(c) => Code::Char(c),
        KeyCode::Function(n) => Code::F(n),
        KeyCode::Tab if event.modifiers.contains(Modifiers::SHIFT) => Code::Named(Named::BackTab),
        other => Code::Named(match other {
            KeyCode::Enter => Named::Enter,
            KeyCode::Escape => Named::Esc,
            KeyCode::Tab => Named::Tab,
            KeyCode::BackTab => Named::BackTab,
            KeyCode::Backspace => Named::Backspace,
            KeyCode::Delete => Named::Delete,
            KeyCode::Up => Named::Up,
            KeyCode::Down => Named::Down,
            KeyCode::Left => Named::Left,
            KeyCode::Right => Named::Right,
            KeyCode::Home => Named::Home,
            KeyCode::End => Named::End,
            KeyCode::PageUp => Named::PageUp,
            KeyCode::PageDown => Named::PageDown,
            _ => return None,
        }),
    };
    Some(Key {
        ctrl: event.modifiers.contains(Modifiers::CONTROL),
        alt: event.modifiers.contains(Modifiers::ALT),
        code,
    })
}

/// Puts the focused zone, the selected node and what makes sense now into a binding's line.
///
/// # Errors
/// When the line needs a zone, a node or a replay and there is none.
pub fn fill(template: &str, view: &ViewState, status: &Status) -> Result<String, String> {
    let mut line = template.to_owned();
    let zone = view.focused(status);
    if line.contains("{zone}") || line.contains("{pause|resume}") {
        let zone = zone.ok_or("there is no zone yet")?;
        line = line
            .replace("{zone}", zone.name.as_str())
            .replace("{pause|resume}", if zone.paused() { "resume" } else { "pause" });
    }
    if line.contains("{cut|heal}") {
        let cut = zone.and_then(|zone| zone.link.as_ref());
        let cut = cut.is_some_and(|link| link.state == LinkState::Cut);
        line = line.replace("{cut|heal}", if cut { "heal" } else { "cut" });
    }
    if line.contains("{--zone}") {
        let mirror = zone.filter(|zone| !zone.is_hub());
        let words = mirror.map_or_else(String::new, |zone| format!("--zone {}", zone.name));
        let filled = line.replace("{--zone}", &words);
        filled.trim_end().clone_into(&mut line);
    }
    if line.contains("{node}") || line.contains("{freeze|thaw}") {
        let node = zone.and_then(|zone| view.selected(zone)).ok_or("there is no node yet")?;
        let frozen = node.state == NodeState::Frozen;
        line = line
            .replace("{node}", &node.name.to_string())
            .replace("{freeze|thaw}", if frozen { "thaw" } else { "freeze" });
    }
    if line.contains("{pause|on}") {
        let Replay { paused, .. } = status.replay.as_ref().ok_or(NOTHING_TO_WIND)?;
        line = line.replace("{pause|on}", if *paused { "on" } else { "pause" });
    }
    Ok(line)
}

/// The keys of tui-logger's own view; `None` closes it.
#[must_use]
pub fn for_tui_logger(key: Key) -> Option<TuiWidgetEvent> {
    Some(match key.code {
        Code::Named(Named::Up) => TuiWidgetEvent::UpKey,
        Code::Named(Named::Down) => TuiWidgetEvent::DownKey,
        Code::Named(Named::Left) => TuiWidgetEvent::LeftKey,
        Code::Named(Named::Right) => TuiWidgetEvent::RightKey,
        Code::Named(Named::PageUp) => TuiWidgetEvent::PrevPageKey,
        Code::Named(Named::PageDown) => TuiWidgetEvent::NextPageKey,
        Code::Named(Named::End) => TuiWidgetEvent::EscapeKey,
        Code::Char('+') => TuiWidgetEvent::PlusKey,
        Code::Char('-') => TuiWidgetEvent::MinusKey,
        Code::Char('h') => TuiWidgetEvent::HideKey,
        Code::Char('f') => TuiWidgetEvent::FocusKey,
        Code::Char(' ') => TuiWidgetEvent::SpaceKey,
        _ => return None,
    })
}
