//! The language that a person reads.
//!
//! The program speaks English everywhere: in what a room sends, writes down and answers, whoever
//! looks. Whoever draws or prints for a person puts it into that person's language last, with
//! [`Lang::say`]. So two people look at one room in two languages, a document for machines cannot
//! hold anything but English, and a record of an earlier version is read in Chinese as well.
//!
//! The catalogue's keys are the English sentences as they stand in the source, with their
//! placeholders (`config/lang/`). A sentence that it does not have stays English; a number is never
//! lost on the way.

mod catalogue;
mod template;

use std::borrow::Cow;

use crate::region::word::words;

words! {
    /// A language that the program can be read in.
    #[derive(Default)]
    pub enum Lang {
        #[default]
        English = "en",
        /// Simplified.
        Chinese = "zh",
    }
}

impl Lang {
    /// The language of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|lang| lang.as_str() == name)
    }

    /// The language that a locale asks for.
    #[must_use]
    pub fn of_locale(locale: &str) -> Self {
        if locale.to_ascii_lowercase().starts_with("zh") { Self::Chinese } else { Self::English }
    }

    /// An English text in this language; as it is where the catalogue does not have it.
    #[must_use]
    pub fn say(self, english: &str) -> Cow<'_, str> {
        match self {
            Self::English => Cow::Borrowed(english),
            Self::Chinese => catalogue::chinese().say(english),
        }
    }
}

/// The catalogue's entries: the file, the English text, the Chinese one. For tests.
pub fn entries() -> impl Iterator<Item = (&'static str, String, String)> {
    catalogue::entries()
}
