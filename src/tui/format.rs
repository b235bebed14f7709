//! Numbers, ages and sizes as a person reads them. An unknown number is `?`, never zero.

use crate::region::{UnixMs, figures::thousands};

/// `12,345`.
#[must_use]
pub fn count(n: u64) -> String {
    thousands(n, ',')
}

/// `12,345`, or `?` for a number nobody knows.
#[must_use]
pub fn maybe(n: Option<u64>) -> String {
    n.map_or_else(|| "?".into(), count)
}

/// A number in at most five cells: `9,999`, `12.3k`, `1.2M`.
#[must_use]
pub fn short(n: u64) -> String {
    match n {
        0..10_000 => count(n),
        10_000..100_000 => format!("{}.{}k", n / 1000, n % 1000 / 100),
        100_000..1_000_000 => format!("{}k", n / 1000),
        1_000_000..100_000_000 => format!("{}.{}M", n / 1_000_000, n % 1_000_000 / 100_000),
        100_000_000..1_000_000_000 => format!("{}M", n / 1_000_000),
        _ => format!("{}G", n / 1_000_000_000),
    }
}

/// Bytes: `512 B`, `4.1 MiB`.
#[must_use]
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if n < 1024 {
        return format!("{n} B");
    }
    let mut value = n as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if value < 100.0 {
        format!("{value:.1} {}", UNITS[unit])
    } else {
        format!("{value:.0} {}", UNITS[unit])
    }
}

/// An age that need not tick: `0.4 s`, `12 s`, `3 m 05 s`, `2 h 07 m`.
#[must_use]
pub fn span(ms: u64) -> String {
    let s = ms / 1000;
    match s {
        0..10 => format!("{s}.{} s", ms % 1000 / 100),
        10..60 => format!("{s} s"),
        60..3600 => format!("{} m {:02} s", s / 60, s % 60),
        _ => format!("{} h {:02} m", s / 3600, s % 3600 / 60),
    }
}

/// An age in whole seconds: `0 s`, `12 s`, `3 m 05 s`, `2 h 07 m`.
#[must_use]
pub fn age(since: UnixMs, now: UnixMs) -> String {
    let ms = now.saturating_sub(since);
    if ms < 10_000 { format!("{} s", ms / 1000) } else { span(ms) }
}

/// How far into something: `0:07`, `12:40`, `1:02:40`.
#[must_use]
pub fn clock(ms: u64) -> String {
    let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// An uptime that changes once a minute only: `< 1 m`, `12 m`, `3 h 07 m`, `2 d 03 h`.
#[must_use]
pub fn uptime(ms: u64) -> String {
    let minutes = ms / 60_000;
    match minutes {
        0 => "< 1 m".into(),
        1..60 => format!("{minutes} m"),
        60..1440 => format!("{} h {:02} m", minutes / 60, minutes % 60),
        _ => format!("{} d {:02} h", minutes / 1440, minutes % 1440 / 60),
    }
}

/// Messages a second: `0/s`, `4.5/s`, `120/s`, `12.3k/s`.
#[must_use]
pub fn rate(per_second: f64) -> String {
    if !per_second.is_finite() || per_second < 0.0 {
        return "?/s".into();
    }
    if per_second < 0.05 {
        "0/s".into()
    } else if per_second < 10.0 && (per_second - per_second.round()).abs() >= 0.05 {
        format!("{per_second:.1}/s")
    } else {
        format!("{}/s", short(per_second.round() as u64))
    }
}

/// A round trip: `0.31 ms`, `12 ms`, `1.2 s`.
#[must_use]
pub fn round_trip(us: u64) -> String {
    match us {
        0..1000 => format!("0.{:02} ms", us / 10),
        1000..10_000 => format!("{}.{} ms", us / 1000, us % 1000 / 100),
        10_000..1_000_000 => format!("{} ms", us / 1000),
        _ => format!("{}.{} s", us / 1_000_000, us % 1_000_000 / 100_000),
    }
}

/// Cells a text takes on screen.
#[must_use]
pub fn width(text: &str) -> usize {
    unicode_width::UnicodeWidthStr::width(text)
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
                let w = unicode_width::UnicodeWidthChar::width(c).unwrap_or(0);
                if used + w > cells {
                    if c == ' ' {
                        continue;
                    }
                    lines.push(std::mem::take(&mut line));
                    used = 0;
                }
                line.push(c);
                used += w;
            }
        }
        lines.push(line.trim_end().to_owned());
    }
    lines
}

/// A text's words, each with the space after it; a number and its unit are one.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let (mut start, mut end) = (0, 0);
    for word in text.split_inclusive(' ') {
        let number = text[start..end].trim_end().ends_with(|c: char| c.is_ascii_digit());
        if start < end && !(number && is_unit(word)) {
            words.push(&text[start..end]);
            start = end;
        }
        end += word.len();
    }
    words.push(&text[start..end]);
    words
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
pub fn in_one_line(parts: &[&str], cells: usize) -> String {
    let mut line = String::new();
    for part in parts {
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
    let mut used = 0;
    for c in text.chars() {
        let w = unicode_width::UnicodeWidthChar::width(c).unwrap_or(0);
        if used + w > room {
            break;
        }
        clipped.push(c);
        used += w;
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

/// A number in at most `cells` cells (three at least): exact, else ever rougher.
#[must_use]
pub fn within(n: u64, cells: usize) -> String {
    let rough = match n {
        0..1000 => n.to_string(),
        1000..1_000_000 => format!("{}k", n / 1000),
        1_000_000..1_000_000_000 => format!("{}M", n / 1_000_000),
        _ => format!("{}G", n / 1_000_000_000),
    };
    let forms = [count(n), short(n), rough];
    // Only a rough form is ever too long, from a hundred thousand on.
    forms.into_iter().find(|form| width(form) <= cells).unwrap_or_else(|| ">99k".into())
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
    fn numbers_read_well() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(maybe(None), "?");
        assert_eq!(short(9_999), "9,999");
        assert_eq!(short(12_345), "12.3k");
        assert_eq!(short(123_456), "123k");
        assert_eq!(short(1_234_567), "1.2M");
        assert_eq!(bytes(512), "512 B");
        assert_eq!(bytes(4_300_000), "4.1 MiB");
        assert_eq!(bytes(1023 * 1024), "1.0 MiB");
        assert_eq!(rate(49.97), "50/s");
        assert_eq!(rate(4.5), "4.5/s");
        assert_eq!(rate(0.0), "0/s");
        assert_eq!(round_trip(310), "0.31 ms");
    }

    #[test]
    fn ages_read_well() {
        assert_eq!(span(432), "0.4 s");
        assert_eq!(span(12_900), "12 s");
        assert_eq!(span(185_000), "3 m 05 s");
        assert_eq!(age(1000, 4999), "3 s");
        assert_eq!(age(5000, 1000), "0 s");
        assert_eq!(uptime(59_000), "< 1 m");
        assert_eq!(uptime(7_620_000), "2 h 07 m");
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

    #[test]
    fn a_number_fits_its_cells_or_says_that_it_is_larger() {
        assert_eq!(within(1_234, 5), "1,234");
        assert_eq!(within(12_345, 5), "12.3k");
        assert_eq!(within(12_345, 4), "12k");
        assert_eq!(within(1_234, 3), "1k");
        assert_eq!(within(123_456, 3), ">99k");
        for n in (0..60).map(|bit| 1 << bit) {
            assert!(width(&within(n, 4)) <= 4, "{n}");
        }
    }

    proptest! {
        #[test]
        fn fitted_texts_fit(text in "\\PC{0,60}", cells in 1usize..40) {
            prop_assert!(width(&clip(&text, cells, "…")) <= cells);
            for line in wrap(&text, cells.max(2)) {
                prop_assert!(width(&line) <= cells.max(2));
            }
        }
    }
}
