//! Two streams that are read at the same time, side by side.

use serde::{Deserialize, Serialize};

use crate::{
    ledger::copies::{Comparison, Item, Next},
    nats::external::read::{Lots, ReadError},
};

/// How far both streams have been compared: the first sequences that were not, each by its own count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    pub origin: u64,
    pub copy: u64,
}

/// Why not everything was compared.
#[derive(Clone, Debug)]
pub struct Stopped {
    /// It is the origin that could not be read, else the copy.
    pub at_origin: bool,
    pub error: ReadError,
    pub reached: Reached,
}

/// What of both streams is compared.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// Where both are read from.
    pub from: Reached,
    /// The origin's last sequence of it.
    pub last: u64,
    /// A copy with other messages as well is read to its end; not for a sample.
    pub to_the_end: bool,
}

/// Feeds both streams into the comparison, side by side. What is told comes once a lot.
pub async fn merge(
    found: &mut Comparison,
    mut origin: Lots,
    mut copy: Lots,
    part: Part,
    mut tell: impl FnMut(&Comparison, Reached),
) -> Result<(), Stopped> {
    let (mut ours, mut theirs) = (Queue::from(part.from.origin), Queue::from(part.from.copy));
    let last = part.last;
    let mut seen = (0, 0);
    loop {
        if let Err(error) = ours.fill(&mut origin).await {
            return Err(Stopped { at_origin: true, error, reached: reached(&ours, &theirs) });
        }
        if let Err(error) = theirs.fill(&mut copy).await {
            return Err(Stopped { at_origin: false, error, reached: reached(&ours, &theirs) });
        }
        // A copy with other messages as well is read to its end, which may be beyond the range.
        while theirs.front().is_some_and(|item| item.origin > last) {
            if !part.to_the_end {
                theirs.end();
                break;
            }
            theirs.pop();
            if let Err(error) = theirs.fill(&mut copy).await {
                return Err(Stopped { at_origin: false, error, reached: reached(&ours, &theirs) });
            }
        }
        let (our, their) = (ours.front(), theirs.front());
        if our.is_none() && their.is_none() {
            return Ok(());
        }
        if seen != (ours.lots, theirs.lots) {
            seen = (ours.lots, theirs.lots);
            tell(found, reached(&ours, &theirs));
        }
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

fn reached(ours: &Queue, theirs: &Queue) -> Reached {
    Reached { origin: ours.next, copy: theirs.next }
}

/// The lot that is being compared.
struct Queue {
    items: std::vec::IntoIter<Item>,
    front: Option<Item>,
    ended: bool,
    /// The first sequence that was not compared, by its own count.
    next: u64,
    /// Lots taken so far.
    lots: u64,
}

impl Queue {
    fn from(next: u64) -> Self {
        Self { items: Vec::new().into_iter(), front: None, ended: false, next, lots: 0 }
    }

    /// The rest is of no interest.
    fn end(&mut self) {
        (self.front, self.ended) = (None, true);
    }

    fn front(&self) -> Option<&Item> {
        self.front.as_ref()
    }

    fn pop(&mut self) {
        if let Some(front) = &self.front {
            self.next = front.seq + 1;
        }
        self.front = self.items.next();
    }

    /// Makes sure of a first message, unless there is none any more.
    async fn fill(&mut self, lots: &mut Lots) -> Result<(), ReadError> {
        while self.front.is_none() && !self.ended {
            match lots.recv().await {
                Some(lot) => {
                    self.items = lot?.into_iter();
                    self.lots += 1;
                    self.front = self.items.next();
                }
                None => self.ended = true,
            }
        }
        Ok(())
    }
}
