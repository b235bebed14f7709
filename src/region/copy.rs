//! What the other zones hold of the source's stream, and how they pull it.

words! {
    /// How mirrors pull from the source.
    #[derive(clap::ValueEnum)]
    pub enum MirrorKind {
        /// Over a durable consumer at the source (nats-server 2.15 and later).
        Durable = "durable",
        /// Over the server's hidden, unreplicated consumer: every version.
        Classic = "classic",
    }
}

words! {
    /// What the other zones hold of the source's stream.
    #[derive(Default, clap::ValueEnum)]
    pub enum CopyKind {
        /// An exact copy with the same sequences: JetStream's `mirror`.
        #[default]
        Mirror = "mirror",
        /// A stream that takes messages from the source and remembers their ids: JetStream's
        /// `sources`.
        Sources = "sources",
    }
}

impl CopyKind {
    /// The kind that files of before there were others mean, and that is left out of new ones.
    #[must_use]
    #[allow(clippy::trivially_copy_pass_by_ref)] // serde hands a reference
    pub fn is_mirror(&self) -> bool {
        *self == Self::Mirror
    }

    /// All of them in words: `durable mirrors`, `classic sources copies`.
    #[must_use]
    pub fn several(self, via: Option<MirrorKind>) -> String {
        let of = match self {
            Self::Mirror => "mirrors",
            Self::Sources => "sources copies",
        };
        format!("{} {of}", via.map_or("?", MirrorKind::as_str))
    }

    /// One of them in words: `durable mirror`, `classic sources copy`.
    #[must_use]
    pub fn one(self, via: MirrorKind) -> String {
        let of = match self {
            Self::Mirror => "mirror",
            Self::Sources => "sources copy",
        };
        format!("{via} {of}")
    }
}
