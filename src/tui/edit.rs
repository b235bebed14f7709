//! A line being typed.

use crate::command::keys::{Code, Key, Named};

/// The longest line that can be typed, in bytes: no command is near it.
const LONGEST: usize = 1000;

/// A text and the cursor in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineEdit {
    text: String,
    cursor: usize,
}

impl LineEdit {
    /// A text with the cursor at its end.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self { text: text.to_owned(), cursor: text.len() }
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The cursor, as a byte offset on a character boundary.
    #[must_use]
    pub fn cursor(&self) -> usize {
        self.cursor
    }

    /// Inserts what was typed or pasted; control characters are left out.
    pub fn insert(&mut self, text: &str) {
        for c in text.chars().filter(|c| !c.is_control()) {
            if self.text.len() + c.len_utf8() > LONGEST {
                break;
            }
            self.text.insert(self.cursor, c);
            self.cursor += c.len_utf8();
        }
    }

    /// Replaces the text from `start` to the cursor.
    pub fn replace_from(&mut self, start: usize, text: &str) {
        if start <= self.cursor && self.text.is_char_boundary(start) {
            self.text.replace_range(start..self.cursor, text);
            self.cursor = start + text.len();
        }
    }

    /// Handles an editing key; `false` when the key is not one.
    pub fn key(&mut self, key: Key) -> bool {
        match (key.ctrl, key.alt, key.code) {
            (false, false, Code::Char(c)) => self.insert(c.encode_utf8(&mut [0; 4])),
            (false, false, Code::Named(Named::Backspace)) | (true, false, Code::Char('h')) => {
                let start = self.before();
                self.replace_from(start, "");
            }
            (false, false, Code::Named(Named::Delete)) | (true, false, Code::Char('d')) => {
                let end = self.after();
                self.text.replace_range(self.cursor..end, "");
            }
            (false, false, Code::Named(Named::Left)) | (true, false, Code::Char('b')) => {
                self.cursor = self.before();
            }
            (false, false, Code::Named(Named::Right)) | (true, false, Code::Char('f')) => {
                self.cursor = self.after();
            }
            (_, false, Code::Named(Named::Home)) | (true, false, Code::Char('a')) => {
                self.cursor = 0;
            }
            (_, false, Code::Named(Named::End)) | (true, false, Code::Char('e')) => {
                self.cursor = self.text.len();
            }
            (true, false, Code::Char('u')) => self.replace_from(0, ""),
            (true, false, Code::Char('k')) => self.text.truncate(self.cursor),
            (true, false, Code::Char('w')) => {
                let before = self.text[..self.cursor].trim_end();
                let start = before.rfind(' ').map_or(0, |at| at + 1);
                self.replace_from(start, "");
            }
            _ => return false,
        }
        true
    }

    fn before(&self) -> usize {
        self.text[..self.cursor].char_indices().next_back().map_or(0, |(at, _)| at)
    }

    fn after(&self) -> usize {
        self.text[self.cursor..].chars().next().map_or(self.cursor, |c| self.cursor + c.len_utf8())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn typed(keys: &[&str]) -> LineEdit {
        let mut edit = LineEdit::default();
        for key in keys {
            edit.key(key.parse().unwrap());
        }
        edit
    }

    #[test]
    fn lines_are_edited_as_in_a_shell() {
        assert_eq!(
            typed(&["c", "u", "t", "space", "ü", "left", "backspace", "end"]).text(),
            "cutü"
        );
        assert_eq!(typed(&["a", "space", "b", "ctrl-w"]).text(), "a ");
        assert_eq!(typed(&["a", "b", "home", "delete"]).text(), "b");
        assert_eq!(typed(&["a", "b", "left", "ctrl-k"]).text(), "a");
        assert_eq!(typed(&["a", "b", "ctrl-u"]).text(), "");
        let mut edit = LineEdit::new("cut b");
        edit.replace_from(4, "west");
        assert_eq!((edit.text(), edit.cursor()), ("cut west", 8));
    }

    proptest! {
        #[test]
        fn the_cursor_stays_in_the_text(keys in proptest::collection::vec(
            prop_oneof!["[a-zäö漢]", Just("left".to_owned()), Just("right".into()), Just("backspace".into()),
                Just("delete".into()), Just("ctrl-w".into()), Just("home".into()), Just("space".into())], 0..40)) {
            let mut edit = LineEdit::default();
            for key in keys {
                edit.key(key.parse().unwrap());
                prop_assert!(edit.text().is_char_boundary(edit.cursor()));
            }
        }
    }
}
