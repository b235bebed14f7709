//! Texts fitted into cells; the region's figures as everywhere else.

use jiff::tz::TimeZone;

use crate::region::UnixMs;
pub use crate::region::format::*;

/// A moment where the person sits, in this form of `strftime`.
#[must_use]
pub fn local(at: UnixMs, zone: &TimeZone, form: &str) -> Option<String> {
    Some(timestamp(at)?.to_zoned(zone.clone()).strftime(form).to_string())
}

/// Cells a text takes on screen.
#[must_use]
pub fn width(text: &str) -> usize {
    unicode_width::UnicodeWidthStr::width(text)
}

/// A text at the left of so many cells.
#[must_use]
pub fn left(text: &str, cells: usize) -> String {
    format!("{text}{:1$}", "", cells.saturating_sub(width(text)))
}

/// A text at the right of so many cells.
#[must_use]
pub fn right(text: &str, cells: usize) -> String {
    format!("{:1$}{text}", "", cells.saturating_sub(width(text)))
}

/// Breaks a text into lines of at most `cells`, at spaces where it can.
#[must_use]
pub fn wrap(text: &str, cells: usize) -> Vec<String> {
    let cells = cells.max(1);
    let mut lines = Vec::new();
    for part in text.lines() {
        let mut line = String::new();
        let mut used = 0;
        for word in words(part) {
            if used > 0 && used + width(word.trim_end()) > cells {
                lines.push(std::mem::take(&mut line).trim_end().to_owned());
                used = 0;
            }
            for c in word.chars() {
                line.push(c);
                // A character can also widen the one before it.
                used = if c.is_ascii() { used + 1 } else { width(&line) };
                if used > cells {
                    line.pop();
                    if c != ' ' {
                        lines.push(std::mem::replace(&mut line, c.into()));
                    }
                    used = width(&line);
                }
            }
        }
        lines.push(line.trim_end().to_owned());
    }
    lines
}

/// A text's words, each with the space after it; a number and its unit are one, and so is every
/// character of a script that has no spaces, with the signs that belong to it.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let (mut start, mut end) = (0, 0);
    for word in text.split_inclusive(' ').flat_map(apart) {
        let before = &text[start..end];
        let number = before.trim_end().ends_with(|c: char| c.is_ascii_digit());
        let bound = (number && is_unit(word)) || !may_part(before, word);
        if start < end && !bound {
            words.push(before);
            start = end;
        }
        end += word.len();
    }
    words.push(&text[start..end]);
    words
}

/// Where a word could be broken: around each of its wide characters.
fn apart(word: &str) -> Vec<&str> {
    let is_wide = |c: char| unicode_width::UnicodeWidthChar::width(c) == Some(2);
    let mut parts = Vec::new();
    let mut start = 0;
    let mut before = None;
    for (at, c) in word.char_indices() {
        if c != ' ' && before.is_some_and(|before| is_wide(before) || is_wide(c)) {
            parts.push(&word[start..at]);
            start = at;
        }
        before = Some(c);
    }
    parts.push(&word[start..]);
    parts
}

/// Whether a line may end between these two: a sign that closes does not begin one, and a sign that
/// opens does not end one.
fn may_part(before: &str, after: &str) -> bool {
    const CLOSING: &str = "，。；：、！？）》」』”’…·,.;:!?)%";
    const OPENING: &str = "（《「『“‘(";
    before.ends_with(' ')
        || !(after.starts_with(|c| CLOSING.contains(c))
            || before.ends_with(|c| OPENING.contains(c)))
}

/// Whether a word is the unit of the number before it.
fn is_unit(word: &str) -> bool {
    const UNITS: [&str; 7] = ["ms", "s", "m", "h", "KiB", "MiB", "GiB"];
    UNITS.contains(&word.trim_matches(|c: char| !c.is_alphabetic()))
}

/// Breaks a text into at most `lines` lines; what has no room is told by `ellipsis`.
#[must_use]
pub fn wrap_at_most(text: &str, cells: usize, lines: usize, ellipsis: &str) -> Vec<String> {
    let mut wrapped = wrap(text, cells);
    if wrapped.len() > lines {
        wrapped.truncate(lines);
        if let Some(last) = wrapped.last_mut() {
            let room = cells.saturating_sub(width(ellipsis));
            *last = format!("{}{ellipsis}", clip(last, room, ""));
        }
    }
    wrapped
}

/// As many of `parts` as have room in one line, the first ones first: each whole or not at all.
#[must_use]
pub fn in_one_line(parts: &[impl AsRef<str>], cells: usize) -> String {
    let mut line = String::new();
    for part in parts.iter().map(AsRef::as_ref) {
        let gap = if line.is_empty() { "" } else { "  " };
        if width(&line) + width(gap) + width(part) <= cells {
            line.push_str(gap);
            line.push_str(part);
        }
    }
    line
}

/// Shortens a text to `cells`, saying so with `ellipsis`. A number is kept whole or left out: one
/// that is cut is another number.
#[must_use]
pub fn clip(text: &str, cells: usize, ellipsis: &str) -> String {
    if width(text) <= cells {
        return text.to_owned();
    }
    let room = cells.saturating_sub(width(ellipsis));
    let mut clipped = String::new();
    for c in text.chars() {
        clipped.push(c);
        // The whole, as a character can also widen the one before it.
        if width(&clipped) > room {
            clipped.pop();
            break;
        }
    }
    clipped.truncate(without_half_a_number(&clipped, text));
    if cells >= width(ellipsis) {
        clipped.push_str(ellipsis);
    }
    clipped
}

/// How much of `kept`, the beginning of `text`, ends before a number whose rest is cut off: its
/// figures, or its unit.
fn without_half_a_number(kept: &str, text: &str) -> usize {
    let is_figure = |c: char| c.is_ascii_digit() || matches!(c, ',' | '.');
    let next = text[kept.len()..].chars().next().unwrap_or(' ');
    let mut head = kept;
    let unit = kept.trim_end_matches(char::is_alphabetic);
    if (1..=2).contains(&(kept.len() - unit.len())) && next.is_alphanumeric() {
        // `12 m` of `12 ms` is another time.
        head = unit.trim_end();
    } else if is_unit(text[kept.len()..].split(' ').next().unwrap_or_default()) {
        head = kept.trim_end();
    }
    let name = head.trim_end_matches(is_figure);
    if name.len() == head.len() || !head.contains(|c: char| c.is_ascii_digit()) {
        return kept.len();
    }
    // The number of a name (`js2`) is no amount.
    let named = name.ends_with(|c: char| c.is_alphabetic() || matches!(c, '-' | '_'));
    let goes_on = head.len() == kept.len() && is_figure(next);
    if named && !goes_on {
        return kept.len();
    }
    // Nor does a sign stay that led to it.
    name.trim_end_matches([' ', '·', '|', ':', ';', ',', '(']).len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_number_keeps_its_unit() {
        assert_eq!(wrap("took 8.02 s (8.02 s)", 12), ["took 8.02 s", "(8.02 s)"]);
        assert_eq!(wrap("took 8.02 s (8.02 s)", 10), ["took", "8.02 s", "(8.02 s)"]);
        assert_eq!(wrap("12 m 30 s of 4", 5), ["12 m", "30 s", "of 4"]);
        assert_eq!(wrap("1 mirror", 5), ["1", "mirro", "r"]);
        assert_eq!(wrap("", 5).len(), 0);
    }

    #[test]
    fn texts_are_fitted() {
        assert_eq!(
            wrap("waiting for the consumer request", 12),
            ["waiting for", "the consumer", "request"]
        );
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(clip("abcdef", 4, "…"), "abc…");
        assert_eq!(clip("abc", 4, "…"), "abc");
        assert_eq!(clip("abc", 0, "…"), "");
    }

    #[test]
    fn a_number_that_is_cut_is_left_out() {
        assert_eq!(clip("acked 12,345 of 20", 11, "…"), "acked…");
        assert_eq!(clip("acked 12,345 of 20", 12, "…"), "acked…");
        assert_eq!(clip("acked 12,345 of 20", 14, "…"), "acked 12,345 …");
        assert_eq!(clip("took 12.5 ms or so", 11, "…"), "took…");
        assert_eq!(clip("took 12.5 ms or so", 13, "…"), "took 12.5 ms…");
        assert_eq!(clip("messages 101-200", 15, "…"), "messages 101-…");
        assert_eq!(clip("stopped 1 h 07 m", 14, ""), "stopped 1 h");
        assert_eq!(clip("1,234,567", 6, "…"), "…");
        // What names a thing is no amount.
        assert_eq!(clip("node js2 is dead", 9, "…"), "node js2…");
        assert_eq!(clip("node js12 is dead", 9, "…"), "node js…");
    }

    proptest! {
        #[test]
        fn fitted_texts_fit(text in "\\PC{0,60}", cells in 1usize..40) {
            prop_assert!(width(&clip(&text, cells, "…")) <= cells);
            for line in wrap(&text, cells.max(2)) {
                prop_assert!(width(&line) <= cells.max(2));
            }
        }

        /// Also those whose signs widen one another.
        #[test]
        fn signs_that_widen_others_fit(text in "[*#0®\u{fe0f}\u{200d}👩🏽 ]{0,40}", cells in 2usize..20) {
            prop_assert!(width(&clip(&text, cells, "…")) <= cells);
            for line in wrap(&text, cells) {
                prop_assert!(width(&line) <= cells, "{line:?}");
            }
        }
    }
}
