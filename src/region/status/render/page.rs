//! Lines of a page, filled with facts.

/// No line is longer.
const WIDTH: usize = 80;
/// Labels and their indent.
const LABEL: usize = 14;
/// Between two facts on a line.
pub(super) const GAP: &str = "   ";

/// Lines of at most [`WIDTH`] columns.
#[derive(Default)]
pub(super) struct Page {
    pub text: String,
}

impl Page {
    pub fn blank(&mut self) {
        self.text.push('\n');
    }

    pub fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// A labelled row of facts.
    pub fn row(&mut self, label: &str, facts: &[String]) {
        self.flow(&format!("  {label}"), facts, GAP);
    }

    /// A labelled sentence.
    pub fn prose(&mut self, label: &str, sentence: &str) {
        let words: Vec<String> = sentence.split_whitespace().map(str::to_owned).collect();
        self.flow(if label.is_empty() { "  " } else { label }, &words, " ");
    }

    /// Fills lines with pieces, never breaking one that fits a line; a longer one is broken at
    /// its spaces, and a word that fits no line stands alone.
    pub fn flow(&mut self, label: &str, pieces: &[String], gap: &str) {
        let indent = if label.is_empty() { 0 } else { LABEL };
        let mut line = format!("{label:<indent$}");
        let mut empty = true;
        for piece in pieces {
            let fits = indent + piece.chars().count() <= WIDTH;
            let parts: Vec<&str> =
                if fits { vec![piece.as_str()] } else { piece.split_whitespace().collect() };
            for (n, part) in parts.into_iter().enumerate() {
                let gap = if n == 0 { gap } else { " " };
                let room = WIDTH.saturating_sub(line.chars().count() + gap.len());
                if !empty && part.chars().count() > room {
                    self.line(&line);
                    line = format!("{:indent$}", "");
                    empty = true;
                }
                if !empty {
                    line.push_str(gap);
                }
                line.push_str(part);
                empty = false;
            }
        }
        self.line(&line);
    }
}
