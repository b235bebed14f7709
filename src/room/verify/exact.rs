//! Where two streams differ, to the sequence: what was only condensed is read again where it first
//! differs.

use async_nats::Client;

use crate::{
    ledger::{
        audit::StreamAudit,
        fingerprint::{Fidelity, Print, compare},
    },
    nats::audit::{AuditError, read_from},
};

/// A stream, how to read it again, and from which of its replicas (any, if none is named).
pub(super) struct Side<'a> {
    pub(super) audit: &'a StreamAudit,
    pub(super) client: &'a Client,
    pub(super) replica: Option<&'a str>,
}

/// Compares a stream with what it should be; the first differences by their sequences, if that part
/// of both can still be read as it was.
pub(super) async fn compare_exactly(source: Side<'_>, mirror: Side<'_>) -> Fidelity {
    let (ours, theirs) = (source.audit.fingerprint(), mirror.audit.fingerprint());
    let mut fidelity = compare(ours, theirs);
    let Some(block) = fidelity.first_block() else { return fidelity };
    let read = async |side: &Side<'_>| -> Result<Vec<Print>, AuditError> {
        let last = side.audit.fingerprint().last();
        let mut prints = Vec::new();
        if *block.start() <= last {
            let range = *block.start()..=last.min(*block.end());
            let sink = |entry: &crate::ledger::audit::Entry<'_>| prints.push(entry.print());
            read_from(side.client, side.replica, range, sink, |_| {}).await?;
        }
        Ok(prints)
    };
    match (read(&source).await, read(&mirror).await) {
        (Ok(one), Ok(other)) => fidelity.narrow((ours, &one), (theirs, &other)),
        (Err(error), _) | (_, Err(error)) => {
            tracing::info!("where exactly two streams differ is not known: {error}");
        }
    }
    fidelity
}
