//! Where two streams differ, to the sequence: what was only condensed is read again where it
//! differs first.

use std::{ops::RangeInclusive, sync::Arc};

use async_nats::Client;

use crate::{
    ledger::{
        audit::{StreamAudit, compare_copy},
        fingerprint::{Fidelity, Fingerprint, Print, compare_through},
    },
    nats::audit::{AuditError, Numbers, read_from},
    region::{NodeName, ZonePlan},
};

/// A stream as it was read from one of its replicas.
#[derive(Clone)]
pub(super) struct Read {
    pub(super) audit: Arc<StreamAudit>,
    /// The last sequence that it has ever had, as far as it was read: the message may be deleted.
    pub(super) through: u64,
    pub(super) replica: NodeName,
}

/// It, and how to read it again.
pub(super) struct Side<'a> {
    read: &'a Read,
    client: &'a Client,
    numbers: Numbers,
}

impl Read {
    /// With its zone's connection.
    pub(super) fn side<'a>(&'a self, client: &'a Client, zone: &ZonePlan) -> Side<'a> {
        Side { read: self, client, numbers: Numbers::of(zone) }
    }

    fn whole(&self) -> (&StreamAudit, u64) {
        (&self.audit, self.through)
    }

    /// What it is compared by.
    pub(super) fn condensed(&self) -> (&Fingerprint, u64) {
        (self.audit.fingerprint(), self.through)
    }
}

/// Compares a stream with what it should be; the first differences by their sequences, if that part
/// of both can still be read as it was.
pub(super) async fn compare_exactly(source: Side<'_>, mirror: Side<'_>) -> Fidelity {
    let (ours, theirs) = (source.read.audit.fingerprint(), mirror.read.audit.fingerprint());
    let drops_ids = mirror.numbers == Numbers::Source && source.numbers == Numbers::Own;
    let mut fidelity = if drops_ids {
        compare_copy(source.read.whole(), mirror.read.whole())
    } else {
        compare_through(source.read.condensed(), mirror.read.condensed())
    };
    for block in fidelity.blocks() {
        match (source.prints(&block).await, mirror.prints(&block).await) {
            (Ok(one), Ok(other)) => fidelity.narrow(&block, (ours, &one), (theirs, &other)),
            (Err(error), _) | (_, Err(error)) => {
                tracing::info!("where exactly two streams differ is not known: {error}");
                break;
            }
        }
    }
    fidelity
}

impl Side<'_> {
    async fn prints(&self, block: &RangeInclusive<u64>) -> Result<Vec<Print>, AuditError> {
        let last = self.read.audit.fingerprint().last();
        let mut prints = Vec::new();
        if *block.start() <= last {
            let range = *block.start()..=last.min(*block.end());
            let sink = |entry: &crate::ledger::audit::Entry<'_>| prints.push(entry.print());
            let replica = self.read.replica.to_string();
            read_from(self.client, Some(&replica), self.numbers, range, sink, |_| {}).await?;
        }
        Ok(prints)
    }
}
