//! What one screen remembers: focus, overlays, the line being typed. Nothing here is true of the
//! region, and nothing here leaves the screen.

mod palette;

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use jiff::tz::TimeZone;

pub use self::palette::{Palette, names};
use super::{edit::LineEdit, graphs::Span, log::Log, pattern::Reading};
use crate::{
    command::keys::Keymap,
    region::{
        Status, UnixMs, ZoneName,
        status::{Drill, Node, Zone},
    },
    room::protocol::Outcome,
};

/// How long a one-line answer stays at the foot of the screen.
pub const TOAST_MS: u64 = 6000;
/// An answer and the picture that shows what it says come no further apart than this.
const NEWS_TOGETHER_MS: u64 = 500;
/// How many lines the palette remembers.
const HISTORY: usize = 100;

/// One screen's own state.
#[derive(Debug)]
pub struct ViewState {
    pub name: String,
    /// This screen's number in [`Status::screens`], once the room has said it.
    pub me: Option<u64>,
    pub drives: bool,
    /// Came in as a guest: reaches no file, and does not end the region.
    pub guest: bool,
    /// The name of a region of others was given when the screen was opened.
    pub named: bool,
    /// This screen is being recorded.
    pub recording: bool,
    /// How old a picture is when it is seen here, if the line to the terminal is slow.
    pub slow_line: Option<Duration>,
    /// The connection to the room.
    pub connection: Connection,
    /// The zone with the focus; the source while none was chosen.
    pub focus: Option<ZoneName>,
    /// The selected node of each zone where one was chosen, 1 to 3.
    pub selected: BTreeMap<ZoneName, u8>,
    /// The focused zone fills the screen.
    pub zoom: bool,
    /// How a drill is shown here, and when the drill began that this was said of: another drill
    /// is shown in its pane again.
    pub drill: Option<(UnixMs, DrillLook)>,
    pub overlay: Option<Overlay>,
    /// What a person is asked until they answer.
    pub question: Option<Question>,
    /// How the text on top is read.
    pub reading: Reading,
    /// The number of the question that brings a newer text of what is looked at.
    pub asked: Option<u64>,
    /// How far back the graphs go.
    pub span: Span,
    pub toast: Option<Toast>,
    /// Lines given in the palette, oldest first.
    pub history: Vec<String>,
    /// The command given last in the palette, until it is answered.
    pub from_palette: Option<u64>,
    pub log: Log,
    /// Commands sent and not answered yet.
    pub pending: HashMap<u64, String>,
    /// The number of the next command.
    pub next_id: u64,
    /// Where the person sits, for times of day.
    pub zone: TimeZone,
    pub keymap: Keymap,
    /// Cells of the terminal.
    pub size: (u16, u16),
}

/// How a drill is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DrillLook {
    /// In its pane below the zones; a presented one as the presenter's card.
    #[default]
    Pane,
    /// Over the whole screen.
    Large,
    Hidden,
}

/// The connection to the room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Connection {
    /// No picture has come yet.
    Waiting,
    Live,
    /// The way is broken; the shell side tries again.
    Lost {
        why: String,
        since_at_ms: UnixMs,
    },
}

/// What lies on top of the panes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Overlay {
    Help {
        scroll: usize,
    },
    Palette(Palette),
    /// The log's filter being typed.
    Filter {
        edit: LineEdit,
        /// Over the large log.
        large: bool,
    },
    /// A destructive command waits for a yes.
    Confirm {
        line: String,
    },
    /// The [question](Question) whether this region is meant.
    Named {
        edit: LineEdit,
        scroll: usize,
    },
    /// What becomes of the region?
    Leave,
    /// It is to end, with its data removed (`true`) or kept: only `y` does it.
    TearDown(bool),
    /// An answer of several lines.
    Answer {
        /// The command it answers.
        title: String,
        outcome: Outcome,
        text: String,
        scroll: usize,
    },
    /// What is wrong with the region now.
    Alarms {
        scroll: usize,
    },
    /// Why the verdicts are what they are.
    Why {
        scroll: usize,
    },
    /// What each figure of the focused zone is.
    Figures {
        scroll: usize,
    },
    /// The graphs over the whole screen.
    Graphs(Cursor),
    /// The log large, with tui-logger's own selection of targets.
    Log,
}

/// Before a command is carried out: is this region meant?
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The command's number.
    pub id: u64,
    /// What would be done.
    pub plan: String,
}

/// How the large graphs are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The moment whose values are told.
    pub at_ms: Option<UnixMs>,
    /// On a logarithmic scale.
    pub log: bool,
}

impl Overlay {
    /// Where a text that is longer than the screen stands.
    pub fn scroll(&mut self) -> Option<&mut usize> {
        match self {
            Self::Help { scroll }
            | Self::Alarms { scroll }
            | Self::Why { scroll }
            | Self::Figures { scroll }
            | Self::Answer { scroll, .. } => Some(scroll),
            _ => None,
        }
    }
}

/// A short answer at the foot of the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toast {
    pub text: String,
    /// How it ended; `None` while it goes on, and for the screen's own hints.
    pub outcome: Option<Outcome>,
    pub at_ms: UnixMs,
    /// It says who drives, and is true only as long as that stays.
    pub of_driving: bool,
}

impl ViewState {
    /// A screen that has seen nothing yet.
    #[must_use]
    pub fn new(keymap: Keymap, zone: TimeZone) -> Self {
        Self {
            name: String::new(),
            me: None,
            drives: false,
            guest: false,
            named: false,
            recording: false,
            slow_line: None,
            connection: Connection::Waiting,
            focus: None,
            selected: BTreeMap::new(),
            zoom: false,
            drill: None,
            overlay: None,
            question: None,
            reading: Reading::default(),
            asked: None,
            span: Span::default(),
            toast: None,
            history: Vec::new(),
            from_palette: None,
            log: Log::default(),
            pending: HashMap::new(),
            next_id: 1,
            zone,
            keymap,
            size: (80, 24),
        }
    }

    /// Where the focus is among the status's zones.
    #[must_use]
    pub fn focus_index(&self, status: &Status) -> Option<usize> {
        if status.zones.is_empty() {
            return None;
        }
        let chosen =
            self.focus.as_ref().and_then(|f| status.zones.iter().position(|z| z.name == *f));
        Some(chosen.unwrap_or(0))
    }

    /// The zone with the focus.
    #[must_use]
    pub fn focused<'a>(&self, status: &'a Status) -> Option<&'a Zone> {
        status.zones.get(self.focus_index(status)?)
    }

    /// The node of a zone that is selected: the chosen one, or the first.
    #[must_use]
    pub fn selected<'a>(&self, zone: &'a Zone) -> Option<&'a Node> {
        let number = self.selected.get(&zone.name).copied().unwrap_or(1);
        zone.nodes.iter().find(|n| n.name.number == number).or_else(|| zone.nodes.first())
    }

    /// The drill to show, and how: the one that runs, or the last one until it is dismissed.
    #[must_use]
    pub fn drill<'a>(&self, status: &'a Status) -> Option<(&'a Drill, DrillLook)> {
        let drill = status.drill.as_ref()?;
        let said = self.drill.filter(|(began, _)| *began == drill.began_at_ms);
        let look = said.map_or(DrillLook::Pane, |(_, look)| look);
        (look != DrillLook::Hidden).then_some((drill, look))
    }

    /// Whether the verdict of a presented drill still stands there.
    #[must_use]
    pub fn verdict_card(&self, status: &Status) -> bool {
        self.drill(status).is_some_and(|(drill, _)| drill.presented && drill.ended_at_ms.is_some())
    }

    /// Says how the drill is to be shown from now on.
    pub fn show_drill(&mut self, status: &Status, look: DrillLook) {
        self.drill = status.drill.as_ref().map(|drill| (drill.began_at_ms, look));
    }

    /// Moves the focus by `step` zones, round the end.
    pub fn move_focus(&mut self, status: &Status, forward: bool) {
        let (Some(at), n) = (self.focus_index(status), status.zones.len()) else { return };
        let next = if forward { (at + 1) % n } else { (at + n - 1) % n };
        self.focus = status.zones.get(next).map(|z| z.name.clone());
    }

    /// Moves the selection in the focused zone, round the end.
    pub fn move_node(&mut self, status: &Status, forward: bool) {
        let Some(zone) = self.focused(status) else { return };
        let n = zone.nodes.len();
        let Some(selected) = self.selected(zone) else { return };
        let at = zone.nodes.iter().position(|node| node.name == selected.name).unwrap_or(0);
        let next = if forward { (at + 1) % n } else { (at + n - 1) % n };
        if let Some(node) = zone.nodes.get(next) {
            self.selected.insert(zone.name.clone(), node.name.number);
        }
    }

    /// Says something at the foot of the screen.
    pub fn say(&mut self, text: impl Into<String>, outcome: Option<Outcome>, now: UnixMs) {
        self.toast = Some(Toast { text: text.into(), outcome, at_ms: now, of_driving: false });
    }

    /// Says something about who drives; it goes when that changes.
    pub fn say_who_drives(
        &mut self,
        text: impl Into<String>,
        outcome: Option<Outcome>,
        now: UnixMs,
    ) {
        self.toast = Some(Toast { text: text.into(), outcome, at_ms: now, of_driving: true });
    }

    /// Who drives has changed: what was said of it before is true no longer. The answer that brings
    /// the news and the picture that shows it come in either order, so the newest words stay.
    pub fn driver_changed(&mut self, now: UnixMs) {
        self.toast.take_if(|toast| {
            toast.of_driving && now.saturating_sub(toast.at_ms) >= NEWS_TOGETHER_MS
        });
    }

    /// Keeps a line for the palette's history.
    pub fn remember(&mut self, line: &str) {
        self.history.retain(|old| old != line);
        self.history.push(line.to_owned());
        if self.history.len() > HISTORY {
            self.history.remove(0);
        }
    }
}
