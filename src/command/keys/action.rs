//! What a key leads to: a movement of the screen, or a line of the command language.

use crate::{command::Command, region::word::words};

/// What a key leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// The screen does it.
    Screen(ScreenAction),
    /// Opens the palette, with these words in it.
    Palette(String),
    /// The room does it: a line of the command language with placeholders.
    Line(String),
}

impl Action {
    /// Gives that line, whatever zone has the focus.
    #[must_use]
    pub fn gives(&self, line: &str) -> bool {
        matches!(self, Self::Line(own) if own.strip_suffix(" {--zone}").unwrap_or(own) == line)
    }

    /// Winds a replay, and does nothing anywhere else.
    #[must_use]
    pub fn winds(&self) -> bool {
        matches!(self, Self::Line(line) if after(line, "wind").is_some())
    }

    /// Does something where nothing can be commanded.
    #[must_use]
    pub fn only_shows(&self) -> bool {
        match self {
            Self::Screen(action) => *action != ScreenAction::Drill && self.replays(),
            Self::Palette(_) => self.replays(),
            Self::Line(_) => false,
        }
    }

    /// Does something in a replay.
    #[must_use]
    pub fn replays(&self) -> bool {
        match self {
            Self::Palette(words) => words.is_empty(),
            Self::Screen(action) => *action != ScreenAction::Control,
            Self::Line(_) => self.winds(),
        }
    }
}

words! {
    /// What a screen does by itself, without the room; the word after `screen`.
    pub enum ScreenAction {
        Help = "help",
        /// What is wrong with the region now, and what to do.
        Alarms = "alarms",
        /// The verdicts' reasons, whole, and what to do next.
        Why = "why",
        /// What each figure of the focused zone is, where it comes from, how it is checked.
        Figures = "figures",
        Filter = "filter",
        /// Show the graphs over the whole screen.
        Graphs = "graphs",
        /// Let the graphs go back further, and from the longest span to the shortest.
        Span = "span",
        /// Focus the next zone.
        Next = "next",
        /// Focus the previous zone.
        Previous = "previous",
        /// Show everything about the focused zone.
        Zoom = "zoom",
        /// Close what lies on top.
        Back = "back",
        Quit = "quit",
        /// Select the next node.
        NodeNext = "node-next",
        /// Select the previous node.
        NodePrevious = "node-previous",
        /// Scroll the log back.
        LogUp = "log-up",
        /// Scroll the log on.
        LogDown = "log-down",
        /// Limit the log to the focused zone, or show all again.
        LogZone = "log-zone",
        /// Show the log large.
        Log = "log",
        /// Show the drill large, then not at all, then in its pane again.
        Drill = "drill",
        Redraw = "redraw",
        /// Stop the process until the shell brings it back.
        Suspend = "suspend",
        /// Begin to record this screen, or end it.
        Record = "record",
        /// Ask for control; grant it when asked; give it up.
        Control = "control",
        /// Put what is looked at into the terminal's clipboard.
        Copy = "copy",
        /// The next theme's colours.
        Theme = "theme",
    }
}

impl ScreenAction {
    /// What a word typed in the palette means to the screen: one of those that a key can be bound
    /// to, or what people type elsewhere.
    #[must_use]
    pub fn typed(word: &str) -> Option<Self> {
        let word = match word {
            "q" | "q!" | "exit" | "wq" => "quit",
            "h" | "?" => "help",
            "logs" => "log",
            word => word,
        };
        Self::named(word)
    }

    fn named(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|action| action.as_str() == word)
    }
}

/// The placeholders of a line, each with a word that stands for it while the line is checked.
const PLACEHOLDERS: [(&str, &str); 7] = [
    ("{zone}", "b"),
    ("{--zone}", "--zone b"),
    ("{node}", "js1-zone-b"),
    ("{pause|resume}", "pause"),
    ("{freeze|thaw}", "freeze"),
    ("{cut|heal}", "cut"),
    ("{pause|on}", "pause"),
];

/// Reads a binding's words; the flag says whether they take something away.
pub(super) fn action(words: &str) -> Result<(Action, bool), String> {
    if let Some(rest) = after(words, "screen") {
        if let Some(text) = after(rest, "palette") {
            let text = if text.is_empty() { String::new() } else { format!("{text} ") };
            return Ok((Action::Palette(text), false));
        }
        return match ScreenAction::named(rest) {
            Some(action) => Ok((Action::Screen(action), false)),
            None => Err(format!(
                "the screen cannot `{rest}`; it can: palette, {}",
                ScreenAction::ALL
                    .iter()
                    .map(|action| action.as_str())
                    .collect::<Vec<_>>()
                    .join(", ")
            )),
        };
    }
    let mut sample = words.to_owned();
    for (placeholder, word) in PLACEHOLDERS {
        sample = sample.replace(placeholder, word);
    }
    if sample.contains(['{', '}']) {
        return Err(format!(
            "unknown placeholder in `{words}`; there are: {}",
            PLACEHOLDERS.map(|(name, _)| name).join(", ")
        ));
    }
    match sample.parse::<Command>() {
        Ok(command) => Ok((Action::Line(words.to_owned()), command.is_destructive())),
        Err(e) => Err(format!("`{words}` is not a command: {e}")),
    }
}

/// What follows a word at the beginning of a line.
fn after<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    let (first, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    (first == word).then(|| rest.trim())
}
