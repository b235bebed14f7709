//! Two streams that are read at the same time, side by side.

use crate::{
    ledger::copies::{Comparison, Item, Next},
    nats::external::read::{Lots, ReadError},
};

/// Feeds both streams into the comparison, side by side. The error says of which stream it is: of the
/// origin if `true`.
pub async fn merge(
    found: &mut Comparison,
    mut origin: Lots,
    mut copy: Lots,
    last: u64,
    mut tell: impl FnMut(u64, u64),
) -> Result<(), (bool, ReadError)> {
    let (mut ours, mut theirs) = (Queue::default(), Queue::default());
    loop {
        ours.fill(&mut origin).await.map_err(|error| (true, error))?;
        theirs.fill(&mut copy).await.map_err(|error| (false, error))?;
        // A copy with other messages as well is read to its end, which may be beyond the range.
        while theirs.front().is_some_and(|item| item.origin > last) {
            theirs.pop();
            theirs.fill(&mut copy).await.map_err(|error| (false, error))?;
        }
        let (our, their) = (ours.front(), theirs.front());
        let Some(at) = our.or(their).map(|item| item.origin) else { return Ok(()) };
        tell(at, found.compared);
        match found.step(our, their) {
            Next::Origin => ours.pop(),
            Next::Copy => theirs.pop(),
            Next::Both => {
                ours.pop();
                theirs.pop();
            }
        }
    }
}

/// The lot that is being compared.
#[derive(Default)]
struct Queue {
    items: std::vec::IntoIter<Item>,
    front: Option<Item>,
    ended: bool,
}

impl Queue {
    fn front(&self) -> Option<&Item> {
        self.front.as_ref()
    }

    fn pop(&mut self) {
        self.front = self.items.next();
    }

    /// Makes sure of a first message, unless there is none any more.
    async fn fill(&mut self, lots: &mut Lots) -> Result<(), ReadError> {
        while self.front.is_none() && !self.ended {
            match lots.recv().await {
                Some(lot) => {
                    self.items = lot?.into_iter();
                    self.front = self.items.next();
                }
                None => self.ended = true,
            }
        }
        Ok(())
    }
}
