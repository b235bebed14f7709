//! Recordings, read as a player does.

use std::{fs, path::Path};

use serde_json::Value;

use super::screen::cells;

/// A cast, checked line by line against the format's description.
pub struct Cast {
    pub header: Value,
    pub events: Vec<(f64, String, String)>,
}

impl Cast {
    pub fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        assert!(text.ends_with('\n'), "the last line is whole");
        let mut lines = text.lines();
        let header: Value = serde_json::from_str(lines.next().unwrap()).unwrap();
        let version = header["version"].as_u64().unwrap();
        let mut last = 0.0;
        let events = lines
            .map(|line| {
                let event: Value = serde_json::from_str(line).unwrap();
                let parts = event.as_array().unwrap();
                assert_eq!(parts.len(), 3, "{line}");
                let time = parts[0].as_f64().unwrap();
                let at = if version == 3 { last + time } else { time };
                assert!(time >= 0.0 && at >= last, "{line}");
                last = at;
                let code = parts[1].as_str().unwrap().to_owned();
                let known: &[&str] =
                    if version == 3 { &["o", "r", "m", "x"] } else { &["o", "r", "m"] };
                assert!(known.contains(&code.as_str()), "{line}");
                (at, code, parts[2].as_str().unwrap().to_owned())
            })
            .collect();
        Self { header, events }
    }

    pub fn size(&self) -> (u16, u16) {
        let term = &self.header["term"];
        let of = |new: &str, old: &str| {
            let n = term[new].as_u64().or(self.header[old].as_u64()).unwrap();
            u16::try_from(n).unwrap()
        };
        (of("cols", "width"), of("rows", "height"))
    }

    pub fn markers(&self) -> Vec<&str> {
        let marker = |(_, code, text): &'_ (f64, String, String)| code == "m" && !text.is_empty();
        self.events.iter().filter(|e| marker(e)).map(|(_, _, text)| text.as_str()).collect()
    }

    /// How long the last frame is seen, in seconds.
    pub fn held(&self) -> f64 {
        let frames = self.events.iter().filter(|(_, code, _)| code == "o").map(|(at, ..)| at);
        let last: Vec<&f64> = frames.rev().take(2).collect();
        last[0] - last[1]
    }

    /// What a player's terminal shows at the end.
    pub fn played(&self) -> vt100::Parser {
        let (columns, rows) = self.size();
        let mut terminal = vt100::Parser::new(cells(rows), cells(columns), 0);
        for (_, code, text) in &self.events {
            match code.as_str() {
                "o" => terminal.process(text.as_bytes()),
                "r" => {
                    let (columns, rows) = text.split_once('x').unwrap();
                    let (columns, rows) = (columns.parse().unwrap(), rows.parse().unwrap());
                    terminal.screen_mut().set_size(cells(rows), cells(columns));
                }
                _ => {}
            }
        }
        terminal
    }
}
