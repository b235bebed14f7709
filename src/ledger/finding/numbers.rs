//! What is found by number: messages twice, out of order, or that nobody sent.

use crate::ledger::{
    Ledger,
    account::{FIRST_OFFENDERS, seqs},
    audit::StreamAudit,
    set::NumberSet,
    zone::Zone,
};

/// What is found by number: of what the consumer saw and of what the stream holds, together.
#[derive(Default)]
pub(super) struct Numbers {
    pub duplicates: u64,
    pub reordered: u64,
    pub reordered_seqs: Vec<u64>,
    pub late_by_resend: u64,
    pub unexpected: u64,
    pub unexpected_seqs: Vec<u64>,
    /// What would be unexpected or reordered, if lines of the ledger that may have told of it were
    /// not gone.
    pub unrecorded: u64,
}

impl Numbers {
    /// Counts what is found of every producer of the run.
    pub(super) fn gather(ledger: &Ledger, zone: &Zone, stream: Option<&StreamAudit>) -> Self {
        let mut all = Self::default();
        for (p, producer) in ledger.producers.iter().enumerate() {
            let (mut moved, mut late, mut here) =
                (producer.moved.clone(), NumberSet::default(), NumberSet::default());
            if let Some(receipts) = zone.producers.get(p) {
                moved = moved.with(&receipts.moved);
                late = receipts.received.common(producer.places.late());
                here = here.with(&receipts.received);
            }
            let held = stream.and_then(|stream| stream.producers.get(&producer.id));
            if let Some(held) = held {
                moved = moved.with(&held.moved);
                late = late.with(held.places.late());
                here = here.with(&held.numbers);
            }
            let mut reordered = late.without(&producer.resent);
            all.late_by_resend += late.len() - reordered.len();
            let refused = here.common(&producer.refused());
            let mut unexpected = here.without(&producer.intended).with(&refused);
            if ledger.gap.is_some() {
                all.unrecorded += reordered.len() + unexpected.len() - refused.len();
                (reordered, unexpected) = (NumberSet::default(), refused);
            }
            let place = |number: u64| {
                let held = held.and_then(|held| held.places.get(number));
                held.or_else(|| producer.places.get(number))
            };
            all.duplicates += moved.len();
            all.reordered += reordered.len();
            all.reordered_seqs.extend(seqs(&reordered, place));
            all.unexpected += unexpected.len();
            all.unexpected_seqs.extend(seqs(&unexpected, place));
        }
        // Producers of this run that the ledger has never heard of.
        for (id, held) in stream.iter().flat_map(|stream| &stream.producers) {
            if ledger.has_heard_of(*id) {
                continue;
            }
            if ledger.gap.is_some() {
                all.unrecorded += held.numbers.len();
            } else {
                all.unexpected += held.numbers.len();
                all.unexpected_seqs
                    .extend(held.places.runs().take(FIRST_OFFENDERS).map(|(_, seq, _)| seq));
            }
        }
        all
    }
}
