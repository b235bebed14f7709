//! Where there are no network namespaces there is no wire: nothing here can ever be called.

use std::{convert::Infallible, net::Ipv4Addr, path::Path, sync::Arc};

use tokio::sync::mpsc::UnboundedSender;

use super::launch::Namespaces;
use crate::{
    platform::{Common, LinkStats, PlatformError, PlatformEvent},
    region::{
        ZonePlan,
        condition::{Feature, LinkCondition},
        topology::{CutKind, NodePlan},
    },
};

/// None.
pub const FEATURES: [Feature; 0] = [];
/// None.
pub const CUTS: [CutKind; 0] = [];

/// Nowhere.
pub fn address(_: &ZonePlan, _: &NodePlan) -> Ipv4Addr {
    Ipv4Addr::LOCALHOST
}

/// The wire that cannot be.
pub struct Wire(Infallible);
/// A zone's place on it.
pub struct Site(Infallible);

impl Wire {
    /// Says why there is none.
    pub fn start(
        _: &Path,
        _: &Common,
        _: UnboundedSender<PlatformEvent>,
    ) -> Result<Arc<Self>, PlatformError> {
        Err(PlatformError::Engine(
            "the network wire needs Linux: `zonedrill up --network relay` runs everywhere".into(),
        ))
    }

    /// Never called, as everything below.
    #[allow(clippy::unused_async)]
    pub async fn add(self: Arc<Self>, _: &ZonePlan) -> Result<Site, PlatformError> {
        match self.0 {}
    }
}

#[allow(clippy::unused_async)]
impl Site {
    /// Never called.
    pub fn namespaces(&self) -> Namespaces {
        match self.0 {}
    }

    /// Never called.
    pub async fn close(&self) {
        match self.0 {}
    }

    /// Never called.
    pub fn cut(&self, _: CutKind) {
        match self.0 {}
    }

    /// Never called.
    pub async fn impair(&self, _: LinkCondition) {
        match self.0 {}
    }

    /// Never called.
    pub fn heal(&self) {
        match self.0 {}
    }

    /// Never called.
    pub async fn stats(&self) -> Option<LinkStats> {
        match self.0 {}
    }
}
