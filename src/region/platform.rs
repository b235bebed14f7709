//! What a region runs on.

words! {
    /// Where a region's servers run.
    #[derive(Default, clap::ValueEnum)]
    pub enum PlatformKind {
        /// Processes of this machine.
        #[default]
        Local = "local",
        /// Containers.
        Docker = "docker",
        /// Wherever somebody else runs them.
        #[value(skip)]
        External = "external",
    }
}

words! {
    /// What carries the links of the local platform.
    #[derive(Default, clap::ValueEnum)]
    pub enum Network {
        /// Relays of TCP connections; everywhere.
        #[default]
        Relay = "relay",
        /// Packets between network namespaces; Linux, without root.
        Wire = "wire",
    }
}

impl Network {
    /// As the region's settings keep it: what is usual is not said.
    #[must_use]
    #[allow(clippy::trivially_copy_pass_by_ref)]
    pub fn is_relay(&self) -> bool {
        *self == Self::Relay
    }
}
