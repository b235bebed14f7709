//! asciicast, version 2 and 3: a header line, then a line for each event.
//!
//! Version 2 counts from the beginning, version 3 from the event before. Both are rounded to
//! milliseconds; version 3 so that the sum of all intervals is the rounded time of the last event,
//! however many there are.

use std::time::Duration;

use serde_json::json;

use crate::command::{CastFormat, ScreenSize};

/// The terminal type a recording names: what our drawing needs.
const TERM: &str = "xterm-256color";
/// Colours a player shows ours in, so that a recording looks alike everywhere.
const FOREGROUND: &str = "#d8dee9";
const BACKGROUND: &str = "#14181f";
/// The sixteen colours, darkest red to white.
const PALETTE: &str = "#2b323d:#e06c75:#98c379:#e5c07b:#61afef:#c678dd:#56b6c2:#c8ccd4:#5c6370:#ef7f88:#a9d88a:#f0cf8f:#7bbdf5:#d391e6:#6cc7d3:#ffffff";
/// Players shorten waits longer than this, in seconds.
const IDLE_LIMIT: f64 = 2.0;

/// What a recording begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub size: ScreenSize,
    /// What it is of.
    pub title: String,
    /// When it began, in seconds since 1970.
    pub timestamp: u64,
}

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What<'a> {
    Output(&'a str),
    /// The screen has another size.
    Resize(ScreenSize),
    Marker(&'a str),
    /// The recording was ended in order.
    Exit,
}

/// Makes the lines of one recording.
#[derive(Clone, Debug)]
pub struct Lines {
    format: CastFormat,
    /// Milliseconds of the event before.
    last: u128,
}

impl Lines {
    /// Of a recording in this form.
    #[must_use]
    pub fn new(format: CastFormat) -> Self {
        Self { format, last: 0 }
    }

    /// The first line.
    #[must_use]
    pub fn header(&self, header: &Header) -> String {
        let Header { size: ScreenSize { columns, rows }, title, timestamp } = header;
        let theme = json!({ "fg": FOREGROUND, "bg": BACKGROUND, "palette": PALETTE });
        let line = match self.format {
            CastFormat::V2 => json!({
                "version": 2,
                "width": columns,
                "height": rows,
                "timestamp": timestamp,
                "idle_time_limit": IDLE_LIMIT,
                "title": title,
                "env": { "TERM": TERM },
                "theme": theme,
            }),
            CastFormat::V3 => json!({
                "version": 3,
                "term": { "cols": columns, "rows": rows, "type": TERM, "theme": theme },
                "timestamp": timestamp,
                "idle_time_limit": IDLE_LIMIT,
                "title": title,
            }),
        };
        format!("{line}\n")
    }

    /// The line of what happened `at` after the beginning; `None` where the form has none for it.
    pub fn event(&mut self, at: Duration, what: What<'_>) -> Option<String> {
        // Never back: a clock that is read in two places may be.
        let at = ((at.as_nanos() + 500_000) / 1_000_000).max(self.last);
        let (code, data) = match what {
            What::Output(text) => ("o", text.to_owned()),
            What::Resize(size) => ("r", size.to_string()),
            What::Marker(text) => ("m", text.to_owned()),
            What::Exit if self.format == CastFormat::V2 => return None,
            What::Exit => ("x", "0".to_owned()),
        };
        let ms = match self.format {
            CastFormat::V2 => at,
            CastFormat::V3 => at - self.last,
        };
        self.last = at;
        Some(format!("[{}.{:03}, \"{code}\", {}]\n", ms / 1000, ms % 1000, json!(data)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn header() -> Header {
        let size = ScreenSize { columns: 120, rows: 36 };
        Header { size, title: "zonedrill: \"demo\"".into(), timestamp: 1_700_000_000 }
    }

    #[test]
    fn headers_have_what_players_need() {
        let two: Value =
            serde_json::from_str(&Lines::new(CastFormat::V2).header(&header())).unwrap();
        assert_eq!(
            (&two["version"], &two["width"], &two["height"]),
            (&json!(2), &json!(120), &json!(36))
        );
        assert_eq!(two["title"], "zonedrill: \"demo\"");
        assert_eq!(two["env"], json!({ "TERM": "xterm-256color" }));
        let colours = two["theme"]["palette"].as_str().unwrap();
        assert_eq!(colours.split(':').count(), 16);
        assert!(colours.split(':').all(|c| c.len() == 7 && c.starts_with('#')));
        let three: Value =
            serde_json::from_str(&Lines::new(CastFormat::V3).header(&header())).unwrap();
        assert_eq!((&three["version"], &three["term"]["cols"]), (&json!(3), &json!(120)));
        assert_eq!(three["width"], Value::Null);
    }

    #[test]
    fn lines_are_those_of_the_description() {
        let mut lines = Lines::new(CastFormat::V2);
        let at = Duration::from_micros(1_234_567);
        assert_eq!(
            lines.event(at, What::Output("\x1b[1mü\"\r\n")).unwrap(),
            "[1.235, \"o\", \"\\u001b[1mü\\\"\\r\\n\"]\n"
        );
        let size = ScreenSize { columns: 80, rows: 24 };
        assert_eq!(lines.event(at, What::Resize(size)).unwrap(), "[1.235, \"r\", \"80x24\"]\n");
        assert_eq!(lines.event(at, What::Exit), None);
        let mut lines = Lines::new(CastFormat::V3);
        assert_eq!(lines.event(at, What::Marker("cut b")).unwrap(), "[1.235, \"m\", \"cut b\"]\n");
        assert_eq!(lines.event(at, What::Exit).unwrap(), "[0.000, \"x\", \"0\"]\n");
    }

    proptest! {
        #[test]
        fn intervals_do_not_drift(micros in proptest::collection::vec(0u64..3000, 1..400)) {
            let mut lines = Lines::new(CastFormat::V3);
            let (mut at, mut sum) = (Duration::ZERO, 0.0);
            for step in micros {
                at += Duration::from_micros(step);
                let line = lines.event(at, What::Output("x")).unwrap();
                let value: Value = serde_json::from_str(&line).unwrap();
                sum += value[0].as_f64().unwrap();
            }
            prop_assert!((sum - at.as_secs_f64()).abs() < 0.000_6, "{sum} {at:?}");
        }

        #[test]
        fn any_text_survives(text in "\\PC{0,40}[\\x00-\\x1f]{0,4}") {
            for format in [CastFormat::V2, CastFormat::V3] {
                let line = Lines::new(format).event(Duration::ZERO, What::Output(&text)).unwrap();
                prop_assert_eq!(line.lines().count(), 1);
                let value: Value = serde_json::from_str(&line).unwrap();
                prop_assert_eq!(value[2].as_str().unwrap(), &text);
            }
        }
    }
}
