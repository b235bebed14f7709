//! Why a command did not do what it should.

use super::{home::HomeError, protocol::Outcome};
use crate::{nats::NatsError, platform::PlatformError};

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
