//! Times and numbers as people read them.

use crate::region::{UnixMs, figures::thousands};

/// `2026-11-24 17:05:12.250 UTC`.
#[must_use]
pub fn moment(at: UnixMs) -> String {
    i64::try_from(at).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok()).map_or_else(
        || format!("{at} ms"),
        |at| at.strftime("%Y-%m-%d %H:%M:%S%.3f UTC").to_string(),
    )
}

/// Seconds since another moment: `+12.3 s`.
#[must_use]
pub fn after(at: UnixMs, start: UnixMs) -> String {
    if at < start { format!("−{}", span(start - at)) } else { format!("+{}", span(at - start)) }
}

/// A span of milliseconds: `850 ms`, `12.3 s`, `2 min 5 s`.
#[must_use]
pub fn span(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..120_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        _ => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1000),
    }
}

/// A span that may not be known.
#[must_use]
pub fn maybe_span(ms: Option<u64>) -> String {
    ms.map_or_else(|| UNKNOWN.into(), span)
}

/// What stands where a number is not known.
pub const UNKNOWN: &str = "unknown";

/// Microseconds: `850 µs`, `12.3 ms`, `1.2 s`.
#[must_use]
pub fn micros(us: u64) -> String {
    match us {
        0 => "under 1 µs".into(),
        1..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{}.{} ms", us / 1000, us % 1000 / 100),
        _ => format!("{}.{} s", us / 1_000_000, us % 1_000_000 / 100_000),
    }
}

/// The same, if known.
#[must_use]
pub fn maybe_micros(us: Option<u64>) -> String {
    us.map_or_else(|| UNKNOWN.into(), micros)
}

/// `10 000 000`, with spaces that do not break.
#[must_use]
pub fn number(value: u64) -> String {
    thousands(value, '\u{a0}')
}

/// The same, if known.
#[must_use]
pub fn maybe_number(value: Option<u64>) -> String {
    value.map_or_else(|| UNKNOWN.into(), number)
}

/// Text for XML and HTML, in elements and in quoted attributes. Characters that XML 1.0 does not
/// know become replacement characters.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            '\u{0}'..='\u{1f}' | '\u{7f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_by_people() {
        assert_eq!(moment(1_790_000_000_250), "2026-09-21 14:13:20.250 UTC");
        assert_eq!([span(850), span(12_345), span(125_000)], ["850 ms", "12.3 s", "2 min 5 s"]);
        assert_eq!([micros(85), micros(1_250), micros(1_250_000)], ["85 µs", "1.2 ms", "1.2 s"]);
        assert_eq!(
            [number(7), number(1000), number(10_000_000)],
            ["7", "1\u{a0}000", "10\u{a0}000\u{a0}000"]
        );
        assert_eq!([after(1500, 1000), after(500, 1000)], ["+500 ms", "−500 ms"]);
        assert_eq!(escape("<a b='&\u{1b}'>"), "&lt;a b=&#39;&amp;\u{fffd}&#39;&gt;");
    }
}
