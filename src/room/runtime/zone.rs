//! What runs of one zone.

use std::sync::Mutex;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{
    nats::{
        configuration::{ConfigurationWatch, Reader},
        consumer::{ConsumerReport, ConsumerTask, Control},
        renumbering::RenumberingWatch,
    },
    region::ZonePlan,
};

/// A zone at work.
pub struct ZoneRuntime {
    pub plan: ZonePlan,
    /// The drill's own connection to it.
    pub client: async_nats::Client,
    /// How its consumer is held.
    pub control: watch::Sender<Control>,
    /// What its consumer does.
    pub report: watch::Receiver<ConsumerReport>,
    /// How its streams and consumers are read.
    pub reader: Reader,
    /// What was made, and in what the zone differs from it now.
    pub configuration: ConfigurationWatch,
    /// Its consumer; taken when the zone goes.
    pub consumer: Mutex<Option<ConsumerTask>>,
    /// Looks up where a copy by `sources` counts otherwise than the source.
    pub renumbering: Option<RenumberingWatch>,
    /// Ends what was started for the zone.
    pub stop: CancellationToken,
}
