//! A region's history: its inputs in order, one JSON object a line, and the state they begin with.
//!
//! Whoever applies the inputs to that state has every picture that was drawn.

use serde::{Deserialize, Serialize};

use super::{UnixMs, input::Moment, reduce::State};

/// The version of this format.
pub const FORMAT: u32 = 1;

/// The end of the year 9999: no room writes a later moment, and sums of it stay far from what 64
/// bits hold.
const LATEST: UnixMs = 253_402_300_799_999;

/// A line of a history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "k", rename_all = "kebab-case")]
pub enum Line {
    /// What is true from here on, whatever was before: the first line, and again where a room began
    /// or the file was begun anew.
    Begin(Box<Begin>),
    Input(Box<Moment>),
}

/// A state to begin with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Begin {
    pub format: u32,
    /// The version that wrote it.
    pub zonedrill: String,
    pub at: UnixMs,
    pub state: State,
}

impl Begin {
    /// Begins with `state`, in this version's words.
    #[must_use]
    pub fn with(at: UnixMs, state: State) -> Self {
        Self { format: FORMAT, zonedrill: env!("CARGO_PKG_VERSION").into(), at, state }
    }
}

impl Line {
    /// When it was.
    #[must_use]
    pub fn at(&self) -> UnixMs {
        match self {
            Self::Begin(begin) => begin.at,
            Self::Input(moment) => moment.at,
        }
    }
}

/// Why a history cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    #[error("line {line} is damaged ({why})")]
    Damaged { line: usize, why: String },
    #[error(
        "line {line} is of format {format}, this version reads format {FORMAT}: play it with the version that wrote it"
    )]
    Format { line: usize, format: u64 },
    #[error("it is empty, or its first line is not a beginning")]
    NoBeginning,
}

/// Reads a history. A line that was cut off (its room was killed) is left out: the last one, and the
/// one before a beginning.
///
/// # Errors
/// When a line is damaged or of another format, or it does not begin with a state.
pub fn read(text: &str) -> Result<Vec<Line>, HistoryError> {
    let mut lines = Vec::new();
    let mut damaged = None;
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    for (number, line) in (1..).zip(whole.split('\n')).filter(|(_, line)| !line.is_empty()) {
        let line = one(number, line);
        if let Some(before) = damaged.take()
            && !matches!(line, Ok(Line::Begin(_)))
        {
            return Err(before);
        }
        match line {
            Ok(line) => lines.push(line),
            Err(format @ HistoryError::Format { .. }) => return Err(format),
            Err(error) => damaged = Some(error),
        }
    }
    match (damaged, lines.first()) {
        (Some(damaged), _) => Err(damaged),
        (None, Some(Line::Begin(_))) => Ok(lines),
        (None, _) => Err(HistoryError::NoBeginning),
    }
}

fn one(number: usize, text: &str) -> Result<Line, HistoryError> {
    /// Of another format nothing else is expected to be readable.
    #[derive(Deserialize)]
    struct Head {
        format: u64,
    }
    if let Ok(Head { format }) = serde_json::from_str(text)
        && format != u64::from(FORMAT)
    {
        return Err(HistoryError::Format { line: number, format });
    }
    let damaged = |why: String| HistoryError::Damaged { line: number, why };
    let line: Line = serde_json::from_str(text).map_err(|error| damaged(error.to_string()))?;
    if line.at() > LATEST {
        return Err(damaged("its time is none".into()));
    }
    match &line {
        Line::Begin(begin) if !begin.state.is_coherent() => {
            Err(damaged("its state contradicts itself".into()))
        }
        _ => Ok(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::region::{Input, PlatformKind};

    #[test]
    fn what_is_damaged_or_of_another_format_is_named() {
        let line = |line: &Line| serde_json::to_string(line).unwrap() + "\n";
        let state = State::new("region", PlatformKind::Local, 5);
        let begin = line(&Line::Begin(Box::new(Begin::with(5, state))));
        let tick = Moment { at: 6, by: None, input: Input::Tick };
        let tick = line(&Line::Input(Box::new(tick)));
        let why = |text: &str| read(text).unwrap_err().to_string();

        let whole = format!("{begin}{tick}");
        assert_eq!(read(&whole).unwrap().len(), 2);
        assert_eq!(read(&format!("{whole}{}", &tick[..9])).unwrap().len(), 2, "a torn end");
        let damaged = why(&format!("{whole}{}", tick.replace("\"at\"", "\"a\"")));
        assert!(damaged.starts_with("line 3 is damaged (missing field `at`"), "{damaged}");
        let other = why(&begin.replace("\"format\":1", "\"format\":9"));
        assert_eq!(
            other,
            "line 1 is of format 9, this version reads format 1: play it with the version that wrote it"
        );
        let foreign = why(&begin.replace("\"books\":[]", "\"books\":[{}]"));
        assert!(foreign.starts_with("line 1 is damaged"), "{foreign}");
        let late = why(&format!("{whole}{}{tick}", tick.replace(":6", ":18446744073709551615")));
        assert!(late.starts_with("line 3 is damaged (its time"), "{late}");
        let torn = format!("{whole}{}\n{begin}{tick}", &tick[..9]);
        assert_eq!(read(&torn).unwrap().len(), 4, "a room was killed there, and another began");
        for text in ["", &tick, "\n"] {
            assert!(why(text).contains("not a beginning"), "{text}");
        }
    }
}
