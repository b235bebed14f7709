//! What can be done to a node, and the raft groups that it is part of.

/// What can be done to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeAct {
    /// End it without warning (SIGKILL).
    Kill,
    /// Suspend it (SIGSTOP): its connections stay open, nothing answers.
    Freeze,
    /// Resume it.
    Thaw,
    /// End it in order (SIGTERM).
    Stop,
    /// Tell it to leave (lame-duck mode, SIGUSR2): it gives up what it leads, sends its clients away one
    /// by one, and ends.
    Drain,
    /// End it without warning, and remove what it stored, as where a disk is lost.
    Wipe,
    /// Start it; one that was wiped is empty.
    Start,
}

impl NodeAct {
    /// The word of the command language.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Freeze => "freeze",
            Self::Thaw => "thaw",
            Self::Stop => "stop",
            Self::Drain => "drain",
            Self::Wipe => "wipe",
            Self::Start => "start",
        }
    }

    /// What brings a node back that this was done to; `None` of what brings one back itself.
    #[must_use]
    pub fn undone_by(self) -> Option<Self> {
        match self {
            Self::Freeze => Some(Self::Thaw),
            Self::Kill | Self::Stop | Self::Drain | Self::Wipe => Some(Self::Start),
            Self::Thaw | Self::Start => None,
        }
    }
}

/// Raft groups of a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Group {
    /// The source's stream.
    Stream,
    /// A mirror zone's stream.
    Mirror,
    /// The zone's durable consumer.
    Consumer,
    /// The zone's meta group.
    Meta,
}

impl Group {
    /// The word of the command language.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Mirror => "mirror",
            Self::Consumer => "consumer",
            Self::Meta => "meta",
        }
    }
}
