//! The colours that a screen can have, and what each stands for.

use ratatui::style::Color;

/// Which colours a screen has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Colours {
    /// The terminal's own sixteen.
    #[default]
    Default,
    /// Dark enough for a white background.
    Light,
    /// Bright on black, and nothing dimmed.
    HighContrast,
    /// Told apart with any kind of colour vision (the eight of Okabe and Ito).
    ColourBlind,
    /// None.
    Mono,
}

impl Colours {
    /// The one after it; after the last the first.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Default => Self::Light,
            Self::Light => Self::HighContrast,
            Self::HighContrast => Self::ColourBlind,
            Self::ColourBlind => Self::Mono,
            Self::Mono => Self::Default,
        }
    }

    /// As it is typed.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Light => "light",
            Self::HighContrast => "high-contrast",
            Self::ColourBlind => "colour-blind",
            Self::Mono => "mono",
        }
    }

    /// The colour of a meaning. Indexed ones are of the 256 that xterm has.
    pub(super) fn of(self, hue: Hue) -> Option<Color> {
        let at = |default, light, high, blind| match self {
            Self::Default => Some(default),
            Self::Light => Some(Color::Indexed(light)),
            Self::HighContrast => Some(high),
            Self::ColourBlind => Some(Color::Indexed(blind)),
            Self::Mono => None,
        };
        match hue {
            Hue::Good => at(Color::Green, 28, Color::LightGreen, 36),
            Hue::Warn => at(Color::Yellow, 130, Color::LightYellow, 220),
            Hue::Bad => at(Color::Red, 160, Color::LightRed, 166),
            Hue::Active => at(Color::Cyan, 31, Color::LightCyan, 74),
            Hue::Published => at(Color::Blue, 25, Color::LightBlue, 32),
            Hue::Slowest => at(Color::Magenta, 90, Color::LightMagenta, 175),
        }
    }
}

/// What a colour stands for.
#[derive(Clone, Copy)]
pub(super) enum Hue {
    Good,
    Warn,
    Bad,
    Active,
    Published,
    Slowest,
}
