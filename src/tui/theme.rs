//! Colours and glyphs, in one place. Few colours, chosen by what they mean, and none carries meaning
//! alone.

mod colours;

use ratatui::{
    style::{Modifier, Style},
    symbols::border,
};

pub use self::colours::Colours;
use self::colours::Hue;
use crate::{
    lang::Lang,
    region::status::{LinkState, MarkKind, MirrorState, NodeState, StepState, Verdict},
    room::protocol::Outcome,
    tui::graphs::Figure,
};

/// How things look on this screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Theme {
    pub colours: Colours,
    /// Use no character outside ASCII.
    pub ascii: bool,
    lang: Lang,
}

impl Theme {
    /// The theme of a screen.
    #[must_use]
    pub fn new(colours: Colours, ascii: bool) -> Self {
        Self { colours, ascii, lang: Lang::default() }
    }

    /// The same, for a person who reads this language. Plain ASCII has English only.
    #[must_use]
    pub fn in_language(self, lang: Lang) -> Self {
        Self { lang: if self.ascii { Lang::English } else { lang }, ..self }
    }

    /// What the person reads.
    #[must_use]
    pub fn lang(&self) -> Lang {
        self.lang
    }

    /// An English text in the language of who looks.
    #[must_use]
    pub fn say(&self, english: &str) -> String {
        self.lang.say(english).into_owned()
    }

    fn fg(&self, hue: Hue) -> Style {
        self.colours.of(hue).map_or_else(Style::new, |color| Style::new().fg(color))
    }

    fn dim(&self) -> Style {
        if self.colours == Colours::HighContrast {
            Style::new()
        } else {
            Style::new().add_modifier(Modifier::DIM)
        }
    }

    /// Names of things.
    #[must_use]
    pub fn label(&self) -> Style {
        self.dim()
    }

    /// Values of things: the terminal's own colour.
    #[must_use]
    pub fn value(&self) -> Style {
        Style::new()
    }

    /// What matters most in a pane.
    #[must_use]
    pub fn strong(&self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// What nobody has confirmed for a while.
    #[must_use]
    pub fn stale(&self) -> Style {
        self.dim()
    }

    /// All is well.
    #[must_use]
    pub fn good(&self) -> Style {
        self.fg(Hue::Good)
    }

    /// Look here.
    #[must_use]
    pub fn warn(&self) -> Style {
        self.fg(Hue::Warn)
    }

    /// Something is wrong.
    #[must_use]
    pub fn bad(&self) -> Style {
        self.fg(Hue::Bad).add_modifier(Modifier::BOLD)
    }

    /// Under way.
    #[must_use]
    pub fn active(&self) -> Style {
        self.fg(Hue::Active)
    }

    /// The border of what has the focus, and keys.
    #[must_use]
    pub fn focus(&self) -> Style {
        self.fg(Hue::Active).add_modifier(Modifier::BOLD)
    }

    /// The border of everything else.
    #[must_use]
    pub fn border(&self) -> Style {
        self.dim()
    }

    /// The chosen line of a list.
    #[must_use]
    pub fn chosen(&self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// The header.
    #[must_use]
    pub fn bar(&self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// The lines around a pane; the focused one is drawn heavier, not only brighter.
    #[must_use]
    pub fn frame(&self, focused: bool) -> border::Set<'static> {
        match (self.ascii, focused) {
            (true, false) => ascii_frame("+", "|", "-"),
            (true, true) => ascii_frame("#", "#", "="),
            (false, false) => border::ROUNDED,
            (false, true) => border::THICK,
        }
    }

    /// One glyph or another.
    #[must_use]
    pub fn pick<'a>(&self, unicode: &'a str, ascii: &'a str) -> &'a str {
        if self.ascii { ascii } else { unicode }
    }

    /// Between two facts on one line.
    #[must_use]
    pub fn dot(&self) -> &'static str {
        self.pick(" · ", " | ")
    }

    /// In place of what had no room.
    #[must_use]
    pub fn ellipsis(&self) -> &'static str {
        self.pick("…", "~")
    }

    /// From one sequence to another.
    #[must_use]
    pub fn to(&self) -> &'static str {
        self.pick("–", "-")
    }

    /// How a command came out; `None` while it runs.
    #[must_use]
    pub fn outcome(&self, outcome: Option<Outcome>) -> (&'static str, Style) {
        match outcome {
            None => (self.pick("▸", ">"), self.active()),
            Some(Outcome::Done) => (self.pick("✓", "+"), self.good()),
            Some(Outcome::Broken) => (self.pick("✗", "x"), self.bad()),
            Some(Outcome::Void) => (self.pick("∅", "0"), self.warn()),
            Some(Outcome::Refused) => (self.pick("▲", "!"), self.warn()),
        }
    }

    /// A node's state as a glyph and its style.
    #[must_use]
    pub fn node(&self, state: NodeState) -> (&'static str, Style) {
        match state {
            NodeState::Starting => (self.pick("◌", "~"), self.active()),
            NodeState::Up => (self.pick("●", "o"), self.good()),
            NodeState::JsOff => ("!", self.bad()),
            NodeState::Leaving => (self.pick("↓", "v"), self.warn()),
            NodeState::Silent => ("?", self.warn()),
            NodeState::Frozen => (self.pick("‖", "="), self.warn()),
            NodeState::Dead => (self.pick("✗", "x"), self.bad()),
            NodeState::Stopped => (self.pick("○", "-"), self.warn()),
        }
    }

    /// How a mirror's state word looks.
    #[must_use]
    pub fn mirror(&self, state: MirrorState) -> Style {
        match state {
            MirrorState::Streaming => self.good(),
            MirrorState::CatchingUp => self.active(),
            MirrorState::Diverged
            | MirrorState::Promoted
            | MirrorState::Missing
            | MirrorState::Replaced
            | MirrorState::SourceRecreated
            | MirrorState::DurableMissing => self.bad(),
            MirrorState::NeverLinked
            | MirrorState::Silent
            | MirrorState::Stalled
            | MirrorState::DurablePaused => self.warn(),
            MirrorState::Unknown => self.stale(),
        }
    }

    /// How a link's state looks.
    #[must_use]
    pub fn link(&self, state: LinkState) -> Style {
        match state {
            LinkState::Up => self.good(),
            LinkState::Cut | LinkState::Stuck => self.bad(),
            LinkState::Down | LinkState::Impaired => self.warn(),
        }
    }

    /// A verdict's glyph, word and style. Green is for what was shown, and nothing else.
    #[must_use]
    pub fn verdict(&self, verdict: Verdict) -> (&'static str, String, Style) {
        let (glyph, word, style) = match verdict {
            Verdict::Waiting => (self.pick("○", "."), "waiting", self.label()),
            Verdict::Holding => (self.pick("◐", "~"), "holding", self.active()),
            Verdict::Proved => (self.pick("✓", "+"), "proved", self.good()),
            Verdict::Broken => (self.pick("✗", "x"), "BROKEN", self.bad()),
            Verdict::Void => (self.pick("∅", "0"), "void", self.warn()),
        };
        (glyph, self.say(word), style)
    }

    /// A step's glyph and style.
    #[must_use]
    pub fn step(&self, state: StepState) -> (&'static str, Style) {
        match state {
            StepState::Running => (self.pick("▸", ">"), self.active()),
            StepState::Done => (self.pick("✓", "+"), self.good()),
            StepState::Failed => (self.pick("✗", "x"), self.bad()),
        }
    }

    /// A deciding number's glyph and style: as it must be, as it must not be, undecided.
    #[must_use]
    pub fn counter(&self, good: Option<bool>) -> (&'static str, Style) {
        match good {
            Some(true) => (self.pick("✓", "+"), self.good()),
            Some(false) => (self.pick("✗", "x"), self.bad()),
            None => (self.pick("○", "."), self.value()),
        }
    }

    /// What must not be overlooked.
    #[must_use]
    pub fn alarm(&self) -> Style {
        self.bad().add_modifier(Modifier::REVERSED)
    }

    /// A timeline mark's glyph and style.
    #[must_use]
    pub fn mark(&self, kind: MarkKind) -> (&'static str, Style) {
        match kind {
            MarkKind::Cut => (self.pick("╳", "X"), self.bad()),
            MarkKind::Heal => (self.pick("✓", "+"), self.good()),
            MarkKind::Node => (self.pick("•", "*"), self.warn()),
            MarkKind::Zone => (self.pick("◇", "o"), self.active()),
            MarkKind::Note => (self.pick("▾", "v"), self.strong()),
        }
    }

    /// A figure's graph: not in the colours of states, lag excepted.
    #[must_use]
    pub fn figure(&self, figure: Figure) -> Style {
        match figure {
            Figure::Published => self.fg(Hue::Published),
            Figure::Consumed => self.fg(Hue::Active),
            Figure::P99 => self.fg(Hue::Slowest),
            Figure::Lag => self.warn(),
        }
    }

    /// The columns of a graph in which the zone was cut.
    #[must_use]
    pub fn cut_band(&self) -> Style {
        self.fg(Hue::Bad).add_modifier(Modifier::DIM)
    }

    /// Bars of rising height, the first for the smallest value above none.
    #[must_use]
    pub fn bars(&self) -> &'static [&'static str] {
        if self.ascii {
            &["_", ".", ":", "|", "#"]
        } else {
            &["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
        }
    }
}

const fn ascii_frame(
    corner: &'static str,
    upright: &'static str,
    level: &'static str,
) -> border::Set<'static> {
    border::Set {
        top_left: corner,
        top_right: corner,
        bottom_left: corner,
        bottom_right: corner,
        vertical_left: upright,
        vertical_right: upright,
        horizontal_top: level,
        horizontal_bottom: level,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_theme_tells_good_from_bad_and_one_follows_the_other_round() {
        let mut colours = Colours::default();
        for _ in 0..5 {
            let theme = Theme::new(colours, false);
            assert_ne!(theme.good(), theme.bad(), "{}", colours.as_str());
            if colours != Colours::Mono {
                let hues = [Hue::Good, Hue::Warn, Hue::Bad, Hue::Active].map(|hue| colours.of(hue));
                let mut told: Vec<_> = hues.iter().collect();
                told.dedup();
                assert_eq!(told.len(), 4, "{}", colours.as_str());
            }
            colours = colours.next();
        }
        assert_eq!(colours, Colours::default());
    }
}
