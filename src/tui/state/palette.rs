//! The line that is typed in the palette, and what can stand in it.

use crate::{
    command::complete::{self, Around, Completions},
    region::{NodeName, Status, ZoneName, status::Zone},
    tui::edit::LineEdit,
};

/// The palette.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Palette {
    pub edit: LineEdit,
    /// What can stand at the cursor.
    pub completions: Completions,
    /// The candidate that stands in the line now, while Tab goes round.
    pub chosen: Option<usize>,
    /// The line as it was before Tab was pressed.
    typed: Option<LineEdit>,
    /// Where in the history; `None` for the line being typed.
    past: Option<usize>,
    /// Why the line cannot be given.
    pub error: Option<String>,
}

/// The zones' names, source first, and every node's name.
#[must_use]
pub fn names(status: &Status) -> (Vec<ZoneName>, Vec<NodeName>) {
    let mut zones: Vec<&Zone> = status.zones.iter().collect();
    zones.sort_by_key(|z| !z.is_hub());
    (
        zones.iter().map(|z| z.name.clone()).collect(),
        zones.iter().flat_map(|z| z.nodes.iter().map(|n| n.name.clone())).collect(),
    )
}

impl Palette {
    /// A palette with a line in it.
    #[must_use]
    pub fn new(text: &str, status: &Status) -> Self {
        let mut palette = Self { edit: LineEdit::new(text), ..Self::default() };
        palette.typed(status);
        palette
    }

    /// The line was edited: complete and check it anew.
    pub fn typed(&mut self, status: &Status) {
        let (zones, nodes) = names(status);
        let around = Around { zones: &zones, nodes: &nodes, replay: status.replay.is_some() };
        self.completions = complete::complete(self.edit.text(), self.edit.cursor(), around);
        self.chosen = None;
        self.typed = None;
        self.error = complete::hopeless(self.edit.text());
    }

    /// Puts the next (or previous) candidate into the line.
    pub fn cycle(&mut self, forward: bool, status: &Status) {
        let n = self.completions.candidates.len();
        if n == 0 {
            return;
        }
        let next = match (self.chosen, forward) {
            (None, true) => 0,
            (None, false) => n - 1,
            (Some(at), true) => (at + 1) % n,
            (Some(at), false) => (at + n - 1) % n,
        };
        let typed = self.typed.get_or_insert_with(|| self.edit.clone()).clone();
        self.edit = typed;
        if let Some(candidate) = self.completions.candidates.get(next) {
            self.edit.replace_from(self.completions.start, &candidate.text);
            self.chosen = Some(next);
            self.error = None;
        }
        if n == 1 {
            // Nothing to go round: go on to the next word.
            self.edit.insert(" ");
            self.typed(status);
        }
    }

    /// Goes back or on in the history.
    pub fn recall(&mut self, back: bool, history: &[String], status: &Status) {
        let next = match (self.past, back) {
            (None, true) => history.len().checked_sub(1),
            (None, false) => return,
            (Some(at), true) => Some(at.saturating_sub(1)),
            (Some(at), false) => Some(at + 1).filter(|at| *at < history.len()),
        };
        if back && next.is_none() {
            return;
        }
        self.past = next;
        let line = next.and_then(|at| history.get(at)).cloned().unwrap_or_default();
        self.edit = LineEdit::new(&line);
        self.typed(status);
    }
}
