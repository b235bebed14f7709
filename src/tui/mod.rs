//! The screen: a pure function of a [`Status`](crate::region::Status), and what a person does
//! to it.
//!
//! | file | what is inside |
//! |---|---|
//! | [`app`] | the loop: receive, update, draw if something changed |
//! | [`headless`] | the same without a terminal: a screen that is only recorded |
//! | [`terminal`] | modes, and giving the terminal back on every way out |
//! | [`player`] | a past drill, as if it were a room |
//! | [`unfinished`] | what must come to its end before the process does |
//! | [`saved_view`] | what a screen that loses its connection comes back to |
//! | [`state`], [`update`] | what a screen remembers, and what an event does to it (pure) |
//! | [`layout`], [`draw`] | where things go, and one file per pane (pure) |
//! | [`log`] | the room's events, in a ring and in tui-logger's buffer |
//! | [`edit`], [`keys`], [`mod@format`], [`theme`] | typing, keys, numbers, looks |
//!
//! A screen is its own process, attached to the room by [`Feed`]: its size, focus and overlays are
//! its own, and no bug here can touch a drill.

pub mod app;
pub mod draw;
pub mod edit;
pub mod format;
pub mod graphs;
pub mod headless;
pub mod keys;
pub mod layout;
pub mod log;
pub mod pattern;
pub mod player;
#[doc(hidden)]
pub mod sample;
pub mod saved_view;
pub mod state;
pub mod terminal;
pub mod theme;
pub mod unfinished;
pub mod update;

#[cfg(test)]
mod tests;

use std::{path::PathBuf, time::Duration};

use tokio::sync::mpsc;

use crate::{
    command::{CastFormat, keys::Keymap, wind::Wind},
    lang::Lang,
    record::{BrokenOff, Recorded},
    region::Event,
    room::protocol::Message,
};

pub use app::run;
pub use unfinished::Unfinished;

/// A value nobody has confirmed for this long is shown as stale, with its age.
pub const STALE_MS: u64 = 3000;

/// The two ways between a screen and its room.
#[derive(Debug)]
pub struct Feed {
    /// What the room says. When it ends, the room has ended.
    pub from_room: mpsc::Receiver<FromRoom>,
    /// What the person wants.
    pub to_room: mpsc::Sender<ToRoom>,
}

/// From the side that holds the socket.
#[derive(Clone, Debug, PartialEq)]
pub enum FromRoom {
    /// A line of the room.
    Message(Message),
    /// The connection is lost; the other side of the feed tries again, and a new
    /// [`Message::Hello`] says that it succeeded.
    Lost { why: String },
    /// The region asked for has a room: the screen ends, and one on that region begins.
    GoTo { region: String },
    /// Before a command is carried out: is this region meant? Its name is the answer.
    Asks {
        /// Of the command.
        id: u64,
        /// What would be done.
        plan: String,
    },
    /// A replay was wound to another moment: the log is what had happened by then.
    Wound {
        /// All of it, oldest first.
        events: Vec<Event>,
    },
}

/// To the side that holds the socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToRoom {
    /// A line of the command language.
    Command {
        /// The answer will carry it.
        id: u64,
        line: String,
    },
    /// What a person typed in answer to [`FromRoom::Asks`]; none if they typed nothing.
    Confirmed {
        /// Of the command.
        id: u64,
        name: Option<String>,
    },
    /// A replay is wound. No room takes it.
    Wind(Wind),
    /// This screen's recording ended by itself.
    BrokenOff(BrokenOff),
    /// The terminal does not answer any more, or (`false`) does again.
    Silent(bool),
    /// Which regions this account has; or is there one of that name that a screen can go to?
    Regions {
        /// The answer will carry it.
        id: u64,
        name: Option<String>,
    },
}

/// How a screen ended.
#[derive(Clone, Debug)]
pub struct Left {
    pub leave: Leave,
    /// What was recorded to the end, if it was.
    pub recorded: Option<Result<Recorded, BrokenOff>>,
}

/// How a person left the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leave {
    /// The region runs on.
    Detach,
    /// The region is to end.
    TearDown {
        /// Its data as well.
        purge: bool,
    },
    /// The room ended first.
    RoomEnded,
    /// The owner has removed this screen from the room.
    Removed,
    /// Another region is looked at next.
    GoTo { region: String },
    /// The terminal is gone: end without a word, as there is nobody to read it.
    TerminalLost,
}

/// What a screen is started with.
#[derive(Clone, Debug)]
pub struct ScreenOptions {
    /// Use no character outside ASCII.
    pub ascii: bool,
    /// What the person reads.
    pub lang: Lang,
    pub colours: theme::Colours,
    pub keymap: Keymap,
    /// Who sits here, as the room is told.
    pub name: String,
    /// Take mouse events. Modes that are on when a connection drops stay on in the person's
    /// terminal, so this is off over SSH by default.
    pub mouse: bool,
    /// Ring, and send a notice (OSC 9), when a drill has its verdict.
    pub bell: bool,
    /// The line to the terminal may be thin (SSH): draw less often.
    pub thin: bool,
    /// The least time between two frames that show nothing but other numbers.
    pub refresh: Duration,
    /// How far back the graphs go at first.
    pub span: graphs::Span,
    /// Came in as a guest: no file is reached from this screen.
    pub guest: bool,
    /// What is shown is no room but a past drill.
    pub replay: bool,
    /// Record from the beginning, into this file.
    pub record: Option<(PathBuf, CastFormat)>,
    /// Where this screen's view is kept, and the view to come back to.
    pub saved: Option<saved_view::SavedView>,
    /// The name of a region of others was given already: nothing asks for it any more.
    pub named: bool,
    /// What must come to its end before this process does, by a signal too.
    pub unfinished: Option<Unfinished>,
    /// Where anything written to stderr goes while the screen is up; nowhere if `None`. A stray
    /// line would scroll the screen.
    pub stderr_log: Option<PathBuf>,
}

impl ScreenOptions {
    /// How things look on the screen.
    #[must_use]
    pub fn look(&self) -> theme::Theme {
        theme::Theme::new(self.colours, self.ascii).in_language(self.lang)
    }

    /// What the environment asks for: `NO_COLOR`, the locale, `SSH_CONNECTION`.
    #[must_use]
    pub fn from_environment(keymap: Keymap, name: String) -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        // POSIX: the first of these that is set decides.
        let locale = |of: &str| {
            let mut names = ["LC_ALL", of, "LANG"].into_iter();
            names.find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        };
        Self {
            ascii: locale("LC_CTYPE").is_some_and(|locale| !is_utf8(&locale)),
            lang: locale("LC_MESSAGES").map_or_else(Lang::default, |name| Lang::of_locale(&name)),
            colours: if set("NO_COLOR") || std::env::var("TERM").is_ok_and(|term| term == "dumb") {
                theme::Colours::Mono
            } else {
                theme::Colours::Default
            },
            keymap,
            name,
            mouse: !set("SSH_CONNECTION"),
            bell: true,
            thin: set("SSH_CONNECTION"),
            refresh: app::NUMBERS,
            span: graphs::Span::default(),
            guest: false,
            replay: false,
            record: None,
            saved: None,
            named: false,
            unfinished: None,
            stderr_log: None,
        }
    }
}

/// Whether a locale's name says UTF-8.
fn is_utf8(locale: &str) -> bool {
    let locale = locale.to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}
