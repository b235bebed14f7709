//! The words a script names laws with.

/// A law, as a script names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Check {
    /// The cut was effective at both ends for its whole phase, and nothing passed it.
    Severed,
    /// Consumers made progress before and after.
    Progress,
    /// Both zones consumed during the cut: the source everything, the mirror its backlog.
    InZone,
    /// The source zone's latency was not disturbed by the cut.
    Latency,
    /// Nothing lost, duplicated, reordered, corrupt, unexpected, in any zone.
    Whole,
    /// Every replica of every zone holds the same, sequence by sequence.
    Faithful,
    /// The three recovery times after the heal.
    Recovery,
    /// The pause paused, the other zone went on, floors moved apart and met.
    Apart,
    /// Both zones consumed at different speeds.
    Speeds,
    /// The producer was not touched.
    Producer,
    /// The source zone's servers were neither restarted nor reloaded.
    Servers,
    /// The new zone holds everything from the first message, and its consumer received it.
    Backfill,
}

impl Check {
    /// All of them, in the order they are judged.
    pub const ALL: [Self; 12] = [
        Self::Severed,
        Self::InZone,
        Self::Latency,
        Self::Apart,
        Self::Speeds,
        Self::Producer,
        Self::Servers,
        Self::Backfill,
        Self::Recovery,
        Self::Progress,
        Self::Whole,
        Self::Faithful,
    ];

    /// The word of a script.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Severed => "severed",
            Self::Progress => "progress",
            Self::InZone => "in-zone",
            Self::Latency => "latency",
            Self::Whole => "whole",
            Self::Faithful => "faithful",
            Self::Recovery => "recovery",
            Self::Apart => "apart",
            Self::Speeds => "speeds",
            Self::Producer => "producer",
            Self::Servers => "servers",
            Self::Backfill => "backfill",
        }
    }

    /// The law of that word.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|check| check.as_str() == word)
    }
}
