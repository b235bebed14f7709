//! The question whether a region that somebody else runs is meant: its name is the answer.

use super::Effect;
use crate::{
    command::keys::{Code, Key, Named},
    tui::{
        edit::LineEdit,
        state::{Overlay, Question, ViewState},
    },
};

/// A person is asked.
pub fn asks(view: &mut ViewState, id: u64, plan: String) {
    view.question = Some(Question { id, plan });
    lay(view);
}

/// Lays the question on top, once nothing else lies there: what was being typed is not taken for its
/// answer.
pub(super) fn lay(view: &mut ViewState) {
    if view.overlay.is_none() && view.question.is_some() {
        view.overlay = Some(Overlay::Named { edit: LineEdit::default(), scroll: 0 });
    }
}

/// The command has ended: it asks no more.
pub(super) fn is_over(view: &mut ViewState, id: u64) {
    if view.question.take_if(|question| question.id == id).is_some() {
        view.overlay.take_if(|overlay| matches!(overlay, Overlay::Named { .. }));
    }
}

/// A key while the question lies on top.
pub(super) fn key(
    view: &mut ViewState,
    mut edit: LineEdit,
    mut scroll: usize,
    key: Key,
) -> Vec<Effect> {
    let name = edit.text().trim().to_owned();
    let answer = match key.code {
        Code::Named(Named::Esc) => Some(None),
        Code::Named(Named::Enter) if !name.is_empty() => Some(Some(name)),
        _ => None,
    };
    if let Some(name) = answer {
        let asked = view.question.take();
        return asked.map(|asked| Effect::Confirmed { id: asked.id, name }).into_iter().collect();
    }
    match key.code {
        Code::Named(Named::Up) => scroll = scroll.saturating_sub(1),
        Code::Named(Named::Down) => scroll += 1,
        Code::Named(Named::PageUp) => scroll = scroll.saturating_sub(10),
        Code::Named(Named::PageDown) => scroll += 10,
        _ => _ = edit.key(key),
    }
    view.overlay = Some(Overlay::Named { edit, scroll });
    Vec::new()
}
