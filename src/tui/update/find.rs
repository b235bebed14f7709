//! Searching in what lies on top and in the log: `/`, `n`, `N`.

use super::{Effect, overlay};
use crate::{
    command::keys::{Code, Key, Named},
    region::{Status, UnixMs},
    tui::{
        draw::written,
        edit::LineEdit,
        pattern::{Pattern, Reading},
        state::{Overlay, ViewState},
    },
};

/// Where a search goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum To {
    /// The first hit from what is shown on.
    Here,
    Next,
    Previous,
}

/// A key while something lies on top. The overlay was taken out; it is put back unless the key
/// closes it.
pub(super) fn key(
    view: &mut ViewState,
    status: &Status,
    mut overlay: Overlay,
    key: Key,
    now: UnixMs,
) -> Vec<Effect> {
    if overlay.scroll().is_none() {
        return overlay::key(view, status, overlay, key, now);
    }
    if let Some(edit) = &mut view.reading.typing {
        let wrong = view.reading.pattern.wrong().is_some();
        match key.code {
            Code::Named(Named::Esc) => clear(&mut view.reading),
            Code::Named(Named::Enter) if !wrong => view.reading.typing = None,
            _ => {
                edit.key(key);
                view.reading.typed();
                go(view, status, &mut overlay, To::Here, now);
            }
        }
        view.overlay = Some(overlay);
        return Vec::new();
    }
    let searched = !view.reading.pattern.is_empty();
    let answer = matches!(overlay, Overlay::Answer { .. });
    match key.code {
        _ if key.ctrl || key.alt => return overlay::key(view, status, overlay, key, now),
        Code::Char('/') => {
            view.reading.typing = Some(LineEdit::new(view.reading.pattern.text()));
        }
        Code::Char('n') if searched => go(view, status, &mut overlay, To::Next, now),
        Code::Char('N') if searched => go(view, status, &mut overlay, To::Previous, now),
        Code::Char('f') if searched && answer => {
            view.reading.only = !view.reading.only;
            go(view, status, &mut overlay, To::Here, now);
        }
        Code::Char('L') if answer => view.reading.level = view.reading.level.next(),
        Code::Named(Named::Esc) if searched => clear(&mut view.reading),
        _ => return overlay::key(view, status, overlay, key, now),
    }
    view.overlay = Some(overlay);
    Vec::new()
}

fn clear(reading: &mut Reading) {
    reading.typing = None;
    reading.pattern = Pattern::default();
    reading.only = false;
}

/// Goes to a hit and brings it into sight.
fn go(view: &mut ViewState, status: &Status, overlay: &mut Overlay, to: To, now: UnixMs) {
    let hits = written::find(&view.reading.pattern, overlay, status, view, now);
    let (count, shown) = (hits.at.len(), hits.shown);
    let last = hits.rows.saturating_sub(shown);
    let listed = matches!(overlay, Overlay::Alarms { .. });
    let Some(scroll) = overlay.scroll().filter(|_| count > 0) else {
        view.reading.at = 0;
        return;
    };
    let at = view.reading.at.min(count - 1);
    // A list goes from entry to entry, a text may be scrolled further than its last page.
    let first = if listed { *scroll } else { (*scroll).min(last) };
    view.reading.at = match to {
        To::Here => hits.at.iter().position(|row| *row >= first).unwrap_or(0),
        To::Next => (at + 1) % count,
        To::Previous => (at + count - 1) % count,
    };
    let row = hits.at.get(view.reading.at).copied().unwrap_or(0);
    if listed {
        *scroll = row;
    } else if row < first || row >= first + shown {
        *scroll = row.saturating_sub(shown / 3).min(last);
    }
}

/// `n` and `N` in a log that is searched; says whether the key was one of these.
pub(super) fn in_the_log(view: &mut ViewState, key: Key, now: UnixMs) -> bool {
    let older = match key.code {
        Code::Char('n') => true,
        Code::Char('N') => false,
        _ => return false,
    };
    if view.log.filter.is_empty() || key.ctrl || key.alt {
        return false;
    }
    let hits = view.log.hits();
    let told = match hits {
        0 => "no line holds that text".to_owned(),
        _ => format!("line {} of {hits} from the newest", view.log.go(older)),
    };
    view.say(told, None, now);
    true
}
