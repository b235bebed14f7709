//! What is searched for: a regular expression, and how a text is read with one.

use std::ops::Range;

use regex::{Regex, RegexBuilder};

use super::edit::LineEdit;
use crate::region::word::{next_of, words};

/// As much memory as a pattern may take, in bytes: a guest types them as well.
const LARGEST: usize = 1 << 20;

/// A regular expression as it was typed. Without capital letters it finds both.
#[derive(Clone, Debug, Default)]
pub struct Pattern {
    text: String,
    read: Option<Regex>,
    wrong: Option<String>,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl Pattern {
    /// Reads a pattern. One that cannot be read finds nothing and says why.
    #[must_use]
    pub fn new(text: &str) -> Self {
        if text.is_empty() {
            return Self::default();
        }
        let read = RegexBuilder::new(text)
            .case_insensitive(!text.chars().any(char::is_uppercase))
            .size_limit(LARGEST)
            .build();
        let (read, wrong) = match read {
            Ok(read) => (Some(read), None),
            Err(error) => (None, Some(in_words(&error))),
        };
        Self { text: text.to_owned(), read, wrong }
    }

    /// As it was typed.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Nothing is searched for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Why it cannot be read.
    #[must_use]
    pub fn wrong(&self) -> Option<&str> {
        self.wrong.as_deref()
    }

    /// Whether a text has a hit. Everything passes while there is no pattern that can be read.
    #[must_use]
    pub fn passes(&self, text: &str) -> bool {
        self.read.as_ref().is_none_or(|read| read.is_match(text))
    }

    /// The hits in a text, as byte ranges; one that takes no character is none.
    pub fn hits<'a>(&'a self, text: &'a str) -> impl Iterator<Item = Range<usize>> + 'a {
        let all = self.read.iter().flat_map(move |read| read.find_iter(text));
        all.map(|hit| hit.range()).filter(|range| !range.is_empty())
    }
}

/// The reason alone: the rest of the crate's message repeats the pattern over several lines.
fn in_words(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
        error => {
            let text = error.to_string();
            let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
            last.trim().trim_start_matches("error: ").to_owned()
        }
    }
}

words! {
    /// Which lines of a server's log are shown.
    #[derive(Default)]
    pub enum Level {
        #[default]
        All = "all levels",
        Warnings = "warnings and errors",
        Errors = "errors only",
    }
}

impl Level {
    /// The next, and from the last to the first.
    #[must_use]
    pub fn next(self) -> Self {
        next_of(Self::ALL, self)
    }

    /// Whether a line is shown: each that is no line of a log is.
    fn shows(self, line: &str) -> bool {
        let has = |marks: &[&str]| marks.iter().any(|mark| line.contains(mark));
        let least = match self {
            Self::All => return true,
            Self::Warnings => has(&["[WRN]", "[ERR]", "[FTL]"]),
            Self::Errors => has(&["[ERR]", "[FTL]"]),
        };
        least || !has(&["[INF]", "[DBG]", "[TRC]", "[WRN]"])
    }
}

/// How the text on top is read: what is searched for in it, and which lines are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    pub pattern: Pattern,
    /// The pattern while it is being typed.
    pub typing: Option<LineEdit>,
    /// The hit that was gone to, counted from 0.
    pub at: usize,
    pub level: Level,
    /// Only lines with a hit are shown.
    pub only: bool,
}

impl Reading {
    /// Whether a line of the text is shown.
    #[must_use]
    pub fn shows(&self, line: &str) -> bool {
        self.level.shows(line) && (!self.only || self.pattern.passes(line))
    }

    /// What is typed is what is searched for.
    pub fn typed(&mut self) {
        if let Some(edit) = self.typing.as_ref().filter(|edit| edit.text() != self.pattern.text()) {
            self.pattern = Pattern::new(edit.text());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_finds_both_cases_unless_it_has_a_capital() {
        let hits = |pattern: &str, text: &str| Pattern::new(pattern).hits(text).count();
        assert_eq!(hits("cut", "Cut cut CUT"), 3);
        assert_eq!(hits("Cut", "Cut cut CUT"), 1);
        assert_eq!(hits("z.ne (a|b)", "zone a, zone c, zone b"), 2);
        assert_eq!(hits("x*", "abc"), 0, "nothing is no hit");
        assert_eq!(hits("", "abc"), 0);
    }

    #[test]
    fn what_is_wrong_is_told_in_words_and_hides_nothing() {
        for (text, why) in [
            ("(", "unclosed group"),
            ("a**(", "unclosed group"),
            ("[z-a]", "invalid character class range"),
            ("(?:a{1000}){1000}", "it is too large"),
        ] {
            let pattern = Pattern::new(text);
            let told = pattern.wrong().unwrap();
            assert!(told.contains(why) && !told.contains('\n'), "{text}: {told}");
            assert!(pattern.passes("anything") && pattern.hits("anything").count() == 0);
        }
    }

    #[test]
    fn levels_leave_out_lines_of_logs_only() {
        let lines = ["[1] [INF] a", "[1] [WRN] b", "[1] [ERR] c", "  port: 4222"];
        let shown = |level: Level| lines.iter().filter(|line| level.shows(line)).count();
        let counts: Vec<usize> = Level::ALL.iter().copied().map(shown).collect();
        assert_eq!(counts, [4, 3, 2]);
    }
}
