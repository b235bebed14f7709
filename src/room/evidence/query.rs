//! Questions to the ledger, answered in the ledger writer's thread.

use tokio::sync::{mpsc, oneshot};

use crate::ledger::{Ledger, damage::Damage};

/// What the ledger writer can be asked.
pub(super) enum Asked {
    /// Answered from the ledger itself.
    Question(Box<dyn FnOnce(&Ledger) + Send>),
    /// Is the file still what was written? Answered when the ledger knows.
    Inspect(oneshot::Sender<Option<Damage>>),
}

/// Asks the ledger.
#[derive(Clone, Debug)]
pub struct LedgerQuery(pub(super) mpsc::UnboundedSender<Asked>);

impl LedgerQuery {
    /// Runs `question` on the ledger, in the ledger writer's thread. `None` when the ledger writer
    /// has gone, or the question crashed.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Ledger) -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, wait) = oneshot::channel();
        let question = Box::new(move |ledger: &Ledger| {
            let _ = answer.send(question(ledger));
        });
        self.0.send(Asked::Question(question)).ok()?;
        wait.await.ok()
    }

    /// The same, once the file was compared with what was written to it.
    pub async fn ask_inspected<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Ledger) -> T + Send + 'static,
    ) -> Option<T> {
        self.inspect().await;
        self.ask(question).await
    }

    /// Reads the ledger's file once more and compares it with what was written to it. Returns what
    /// somebody else has done to it; the ledger says it too from then on.
    pub async fn inspect(&self) -> Option<Damage> {
        let (answer, wait) = oneshot::channel();
        self.0.send(Asked::Inspect(answer)).ok()?;
        wait.await.ok()?
    }
}
