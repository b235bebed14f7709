//! What a consumer's task reports of its work.

use crate::region::{UnixMs, observation::Deliveries, status::Latency};

/// What a consumer does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConsumerReport {
    /// Messages processed, redelivered ones included.
    pub processed: u64,
    /// Messages a second, over the last half second or more.
    pub rate: f64,
    /// Messages that came again.
    pub redelivered: u64,
    pub corrupt: u64,
    /// Ones that are not of this run.
    pub foreign: u64,
    /// The stream sequence processed last.
    pub last_seq: u64,
    /// How often its first delivery came again: somebody has set it back at the server, or a server was
    /// lost before it had told another one of those that were made.
    pub set_back: u64,
    /// When the delivery before the latest of these came.
    pub set_back_after: UnixMs,
    /// Of the messages of the last 10 s.
    pub latency: Option<Latency>,
    /// The server's count of deliveries, as those that came here tell it.
    pub deliveries: Option<Deliveries>,
    /// How often it has connected, or begun anew: what was under way then is lost.
    pub connections: u64,
    /// The pause is complete: nothing is under way.
    pub paused: bool,
    /// Why it cannot consume just now.
    pub trouble: Option<String>,
}
