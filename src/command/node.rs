//! What can be done to a node, and the raft groups that it is part of.

use crate::region::word::words;

words! {
    /// What can be done to a node.
    pub enum NodeAct {
        /// End it without warning (SIGKILL).
        Kill = "kill",
        /// Suspend it (SIGSTOP): its connections stay open, nothing answers.
        Freeze = "freeze",
        /// Resume it.
        Thaw = "thaw",
        /// End it in order (SIGTERM).
        Stop = "stop",
        /// Tell it to leave (lame-duck mode, SIGUSR2): it gives up what it leads, sends its clients
        /// away one by one, and ends.
        Drain = "drain",
        /// End it without warning, and remove what it stored, as where a disk is lost.
        Wipe = "wipe",
        /// Start it; one that was wiped is empty.
        Start = "start",
    }
}

impl NodeAct {
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

words! {
    /// Raft groups of a zone.
    #[derive(clap::ValueEnum)]
    pub enum Group {
        /// The source's stream.
        Stream = "stream",
        /// A mirror zone's stream.
        Mirror = "mirror",
        /// The zone's durable consumer.
        Consumer = "consumer",
        /// The zone's meta group.
        Meta = "meta",
    }
}
