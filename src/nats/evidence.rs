//! The way evidence takes: from producer and consumers to the one keeper that writes it down.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::meter::Meter;
use crate::ledger::record::Record;

/// Records that belong together, and whom to tell once they are on disk.
#[derive(Debug)]
pub struct Batch {
    pub records: Vec<Record>,
    /// A producer that has ended, however: what it has left open by now is unknown.
    pub gone: Option<u32>,
    /// Answered once they are written; `Err` carries why they could not be.
    pub written: Option<oneshot::Sender<Result<(), String>>>,
}

/// Said when the keeper has gone.
const CLOSING: &str = "the ledger's keeper has ended (with the room, or its log says why)";

/// The keeper's inbox. Bounded, so that a slow disk slows the drill down instead of losing
/// evidence.
#[derive(Clone, Debug)]
pub struct Evidence {
    keeper: mpsc::Sender<Batch>,
    meter: Arc<Meter>,
}

/// Evidence could not be written; whoever produced it must stop.
#[derive(Debug, thiserror::Error)]
#[error("evidence cannot be written: {0}")]
pub struct EvidenceLost(pub String);

impl EvidenceLost {
    /// The keeper has gone: there is no use in trying again.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.0 == CLOSING
    }
}

impl Evidence {
    /// A new way and its inbox.
    #[must_use]
    pub fn channel() -> (Self, mpsc::Receiver<Batch>) {
        let (sender, inbox) = mpsc::channel(256);
        (Self { keeper: sender, meter: Arc::default() }, inbox)
    }

    /// The clock between the producer's acknowledgements and the consumers' processing.
    #[must_use]
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Hands records over and waits until they are written.
    ///
    /// # Errors
    /// When they could not be written, or the keeper has gone.
    pub async fn write(&self, records: Vec<Record>) -> Result<(), EvidenceLost> {
        let (written, answer) = oneshot::channel();
        self.keeper
            .send(Batch { records, gone: None, written: Some(written) })
            .await
            .map_err(|_| EvidenceLost(CLOSING.into()))?;
        answer.await.map_err(|_| EvidenceLost(CLOSING.into()))?.map_err(EvidenceLost)
    }

    /// Hands records over without waiting for the disk (but for room in the inbox).
    ///
    /// # Errors
    /// When the keeper has gone.
    pub async fn send(&self, records: Vec<Record>) -> Result<(), EvidenceLost> {
        self.keeper
            .send(Batch { records, gone: None, written: None })
            .await
            .map_err(|_| EvidenceLost(CLOSING.into()))
    }

    /// Says that a producer has ended, and waits until the ledger knows: whatever it announced and
    /// has left open is unknown from then on.
    pub async fn gone(&self, producer: u32) {
        let (written, answer) = oneshot::channel();
        let batch = Batch { records: Vec::new(), gone: Some(producer), written: Some(written) };
        // Without a keeper there is nobody to tell; the next room's finds out by itself.
        if self.keeper.send(batch).await.is_ok() {
            let _ = answer.await;
        }
    }
}
