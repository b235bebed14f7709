//! What a terminal is told beside the picture: its title, a bell and a notice at a verdict, and what
//! is put into its clipboard.

use std::fmt::Write;

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::region::{Status, UnixMs};

/// What the terminal was told last.
#[derive(Debug, Default)]
pub(super) struct Told {
    bell: bool,
    title: String,
    /// When the drill ended whose verdict was told, 0 if none had; nothing before the first status.
    verdict: Option<UnixMs>,
}

impl Told {
    /// Nothing yet; with a bell at a verdict, if that is wanted.
    pub(super) fn new(bell: bool) -> Self {
        Self { bell, ..Self::default() }
    }

    /// What is to be told of this status, if anything is new.
    pub(super) fn tell(&mut self, status: &Status) -> Option<Vec<u8>> {
        if status.region.is_empty() {
            return None;
        }
        let mut signs = String::new();
        let title = format!("zonedrill {}: {}", status.region, Status::word(&status.alarms()));
        if title != self.title {
            signs = format!("\x1b]2;{}\x07", plain(&title));
            self.title = title;
        }
        let ended = status.drill.as_ref().and_then(|drill| drill.ended_at_ms).unwrap_or(0);
        // What was over before this screen came is no news.
        let news = self.verdict.is_some_and(|told| told != ended);
        if let (true, true, Some(drill)) = (news && ended > 0, self.bell, &status.drill) {
            let notice = format!("{}: {}", drill.name, drill.verdict.as_str());
            let _ = write!(signs, "\x07\x1b]9;{}\x1b\\", plain(&notice));
        }
        self.verdict = Some(ended);
        (!signs.is_empty()).then(|| signs.into_bytes())
    }
}

/// What ends a sequence early has no place in it.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

/// The sequence that puts a text into the terminal's clipboard (OSC 52).
pub(super) fn clipboard(text: &str) -> Vec<u8> {
    format!("\x1b]52;c;{}\x07", STANDARD.encode(text)).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::sample;

    #[test]
    fn a_verdict_rings_once_and_an_old_one_never() {
        let text = |told: &mut Told, status: &Status| {
            told.tell(status).map(|signs| String::from_utf8(signs).unwrap()).unwrap_or_default()
        };
        let (running, done) = (sample::status("drill running"), sample::status("drill proved"));
        let mut told = Told::new(true);
        assert!(text(&mut told, &running).starts_with("\x1b]2;zonedrill demo: "));
        assert_eq!(text(&mut told, &running), "");
        let rings = text(&mut told, &done);
        assert!(rings.contains('\x07') && rings.contains("]9;") && rings.contains("proved"));
        assert!(!text(&mut told, &done).contains("]9;"));
        assert!(!text(&mut Told::new(true), &done).contains("]9;"), "it was over before");
        let mut quiet = Told::new(false);
        text(&mut quiet, &running);
        assert!(!text(&mut quiet, &done).contains("]9;"));
        assert_eq!(clipboard("ab"), b"\x1b]52;c;YWI=\x07");
    }
}
