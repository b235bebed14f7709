//! Why a command did not do what it should.

use super::{home::HomeError, protocol::Outcome};
use crate::{
    nats::NatsError,
    platform::{PlatformError, version_at_least},
};

/// Why a command did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Not possible; nothing was changed.
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    Broken(String),
    #[error("{0}")]
    Home(#[from] HomeError),
    #[error("{0}")]
    Platform(#[from] PlatformError),
    #[error("{0}")]
    Nats(#[from] NatsError),
}

impl Failure {
    /// The same of a region that came up in vain, with what is known of servers before 2.11: on a busy
    /// machine 3 of 8 tries began without one node of a zone's JetStream group.
    #[must_use]
    pub fn with_servers(self, version: Option<&str>) -> Self {
        match (self, version) {
            (Self::Nats(error), Some(version)) if !version_at_least(version, (2, 11, 0)) => {
                Self::Broken(format!(
                    "{error}. Servers before 2.11 (these are {version}) sometimes begin without one \
                     node of a zone's JetStream group: try again, or take a newer version"
                ))
            }
            (failure, _) => failure,
        }
    }

    /// Was it not possible (nothing changed), or was it tried in vain?
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Refused(_)
            | Self::Platform(
                PlatformError::NodeState { .. }
                | PlatformError::NoZone(_)
                | PlatformError::NoLink(_)
                | PlatformError::Foreign(_),
            ) => Outcome::Refused,
            Self::Broken(_) | Self::Home(_) | Self::Platform(_) | Self::Nats(_) => Outcome::Broken,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_that_are_known_to_begin_in_parts_are_told() {
        let failed = |version: Option<&str>| {
            let error = NatsError::NoLeader {
                whom: "zone-a".into(),
                group: "meta group".into(),
                other: false,
                waited: std::time::Duration::from_secs(40),
            };
            Failure::from(error).with_servers(version).to_string()
        };
        assert!(failed(Some("2.10.26")).contains("before 2.11 (these are 2.10.26)"));
        assert!(!failed(Some("2.15.1")).contains("before 2.11"));
        assert_eq!(failed(None), failed(Some("2.11.0")));
    }
}
