//! The colours that a screen can have, and what each stands for.

use ratatui::style::Color;

use crate::region::word::{next_of, words};

words! {
    /// Which colours a screen has.
    #[derive(Default, clap::ValueEnum)]
    pub enum Colours {
        /// The terminal's own sixteen.
        #[default]
        Default = "default",
        /// Dark enough for a white background.
        Light = "light",
        /// Bright on black, and nothing dimmed.
        HighContrast = "high-contrast",
        /// Told apart with any kind of colour vision (the eight of Okabe and Ito).
        ColourBlind = "colour-blind",
        /// None.
        Mono = "mono",
    }
}

impl Colours {
    /// The one after it; after the last the first.
    #[must_use]
    pub fn next(self) -> Self {
        next_of(Self::ALL, self)
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
