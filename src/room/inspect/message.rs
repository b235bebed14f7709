//! Messages: the list of those that something is wrong with, and one of them, zone by zone.

use std::fmt::Write;

use async_nats::jetstream::message::StreamMessage;

use super::{Statuses, ago};
use crate::{
    command::inspect::Which,
    ledger::{
        Ledger,
        account::Account,
        message::{Fault, MessageId, decode},
    },
    nats,
    region::{ZoneName, format::count},
    room::{
        failure::Failure,
        task::{CommandCtx, Completion, Result},
    },
};

/// Bytes of a payload that are shown, and how many in a row.
const SHOWN: usize = 512;
const ROW: usize = 16;

/// The first messages of each kind of fault, by zone.
pub(super) async fn faults(cx: &CommandCtx, only: Option<ZoneName>, statuses: &Statuses) -> Result {
    let zones: Vec<(ZoneName, Option<u64>)> = {
        let status = &statuses.borrow().status;
        let zones = status.zones.iter().map(|zone| (zone.name.clone(), zone.passed_over()));
        zones.filter(|(name, _)| only.as_ref().is_none_or(|only| only == name)).collect()
    };
    if let Some(name) = only.filter(|_| zones.is_empty()) {
        return Err(Failure::Refused(format!("there is no zone {name}: `status` lists them")));
    }
    let asked = cx.runtime.ledger_query.ask(move |ledger| {
        zones.iter().map(|(zone, floor)| list(ledger, zone, *floor)).collect::<String>()
    });
    let text = asked.await.ok_or_else(|| Failure::Broken("the ledger does not answer".into()))?;
    Ok(Completion::done(text))
}

/// A zone's account, as far as something is wrong in it.
fn list(ledger: &Ledger, zone: &ZoneName, floor: Option<u64>) -> String {
    let account = ledger.account(zone, floor);
    let mut text = format!("zone {zone}, by what its consumer received up to now:\n");
    if let Some(damage) = ledger.damage() {
        let _ = writeln!(text, "  {damage}");
    }
    let Account { lost, duplicates, reordered, corrupt, unexpected, mismatched, .. } = account;
    let first = &account.first;
    let kinds = [
        ("lost", lost, &first.lost),
        ("duplicated", duplicates, &first.duplicates),
        ("out of order", reordered, &first.reordered),
        ("damaged", corrupt, &first.corrupt),
        ("unexpected", unexpected, &first.unexpected),
        ("another message than acknowledged", mismatched, &first.mismatched),
        ("still to come", account.behind, &first.behind),
    ];
    for (kind, number, sequences) in kinds.into_iter().filter(|(_, number, _)| *number > 0) {
        let _ = writeln!(text, "  {} {kind}", count(number));
        for sequence in sequences {
            let id = ledger.message_at(*sequence).map_or_else(
                || "no message of ours".into(),
                |(producer, number)| {
                    MessageId { run: ledger.run().clone(), producer, number }.to_string()
                },
            );
            let _ = writeln!(text, "    {id}: `inspect message {sequence}`");
        }
        let more = number.saturating_sub(sequences.len() as u64);
        if more > 0 {
            let _ = writeln!(text, "    and {} more", count(more));
        }
    }
    if ledger.damage().is_none() && kinds.iter().all(|(_, number, _)| *number == 0) {
        let _ =
            writeln!(text, "  nothing is wrong; `verify {zone}` reads the stream itself as well");
    }
    text
}

/// One message: what the ledger knows of it, and what each zone holds at its sequence.
pub(super) async fn message(cx: &CommandCtx, which: Which) -> Result {
    let zones = cx.runtime.zones();
    let names: Vec<ZoneName> = zones.iter().map(|zone| zone.plan.name.clone()).collect();
    let asked = which.clone();
    let known = cx.runtime.ledger_query.ask(move |ledger| known(ledger, &asked, &names)).await;
    let (sequence, mut text) =
        known.ok_or_else(|| Failure::Broken("the ledger does not answer".into()))?;
    let Some(sequence) = sequence else {
        return Err(Failure::Refused(format!(
            "the ledger knows no sequence of {which}: it was never acknowledged, or is another region's"
        )));
    };
    let asked = zones.iter().map(|zone| nats::inspect::message(&zone.client, &zone.plan, sequence));
    let mut shown: Option<StreamMessage> = None;
    for (zone, told) in zones.iter().zip(futures::future::join_all(asked).await) {
        let name = &zone.plan.name;
        let line = match told {
            Err(error) => format!("unknown: {error}"),
            Ok(None) => format!("holds no message at sequence {sequence}"),
            Ok(Some(message)) => {
                let same = shown.as_ref().is_none_or(|first| {
                    (&first.subject, &first.payload, &first.headers)
                        == (&message.subject, &message.payload, &message.headers)
                });
                let stored = message.time.unix_timestamp_nanos() / 1_000_000;
                let ago = ago(u64::try_from(stored).unwrap_or(0));
                let bytes = count(message.payload.len() as u64);
                let what = what(&message);
                let line = format!("sequence {sequence}, {bytes} bytes, stored {ago}: {what}");
                shown.get_or_insert(message);
                if same { line } else { format!("{line}; NOT what the zone before holds") }
            }
        };
        let _ = writeln!(text, "zone {name}: {line}");
    }
    if let Some(message) = shown {
        content(&message, &mut text);
    }
    Ok(Completion::done(text))
}

/// The sequence that is meant, and what the ledger knows of it.
fn known(ledger: &Ledger, which: &Which, zones: &[ZoneName]) -> (Option<u64>, String) {
    let sequence = match which {
        Which::Sequence(sequence) => Some(*sequence),
        Which::Id(id) if id.run == *ledger.run() => ledger.place_of(id.producer, id.number),
        Which::Id(_) => None,
    };
    let mut text = String::new();
    let Some(at) = sequence else { return (None, text) };
    match ledger.message_at(at) {
        Some((producer, number)) => {
            let id = MessageId { run: ledger.run().clone(), producer, number };
            let _ = writeln!(text, "ledger: {id} stands at sequence {at}");
        }
        None => {
            let _ = writeln!(text, "ledger: no message of ours is known at sequence {at}");
        }
    }
    for zone in zones {
        let word = match ledger.has_received(zone, at) {
            Some(true) => "processed it",
            Some(false) => "has not processed it",
            None => "has processed nothing yet",
        };
        let _ = writeln!(text, "ledger: the consumer of zone {zone} {word}");
    }
    (sequence, text)
}

fn what(message: &StreamMessage) -> String {
    match decode(&message.payload) {
        Ok(decoded) => format!("{}, whole", decoded.id),
        Err(Fault::Foreign) => "no drill message".into(),
        Err(Fault::Damaged(why)) => format!("DAMAGED: {why}"),
    }
}

/// Subject, headers, and the payload as text and in hexadecimal.
fn content(message: &StreamMessage, text: &mut String) {
    let _ = writeln!(text, "\nsubject  {}", printable(message.subject.as_bytes()));
    for (name, values) in message.headers.iter() {
        for value in values {
            let (name, value) = (name.to_string(), value.as_str());
            let (name, value) = (printable(name.as_bytes()), printable(value.as_bytes()));
            let _ = writeln!(text, "header   {name}: {value}");
        }
    }
    let payload = &message.payload[..message.payload.len().min(SHOWN)];
    for (at, row) in payload.chunks(ROW).enumerate() {
        let hex: Vec<String> = row.iter().map(|byte| format!("{byte:02x}")).collect();
        let _ = writeln!(text, "{:06x}  {:<47}  {}", at * ROW, hex.join(" "), printable(row));
    }
    let more = message.payload.len() - payload.len();
    if more > 0 {
        let _ = writeln!(text, "and {} bytes more", count(more as u64));
    }
}

/// What can be written to a terminal; a dot for all else.
fn printable(bytes: &[u8]) -> String {
    let char = |byte: &u8| if (b' '..=b'~').contains(byte) { char::from(*byte) } else { '.' };
    bytes.iter().map(char).collect()
}
