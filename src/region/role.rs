//! How a zone takes part in the region. Roles move (`promote`, `fence`); the links stay as they are.

words! {
    /// How a zone takes part in the region.
    pub enum Role {
        /// Holds the stream that producers write to.
        Source = "source",
        /// Holds a copy of it.
        Mirror = "mirror",
        /// Held a copy, which was made a stream of its own that producers can write to.
        Promoted = "promoted",
        /// Held a stream that producers wrote to, which was made to refuse them.
        Fenced = "fenced",
    }
}

impl Role {
    /// Producers can write to its stream.
    #[must_use]
    pub fn takes_messages(self) -> bool {
        matches!(self, Self::Source | Self::Promoted)
    }
}
