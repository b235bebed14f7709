//! Findings as a table for people: plain text, 80 columns.

use std::fmt::Write;

use super::finding::{Judgement, Trouble, ZoneFinding, fault::Kind};

/// Columns a terminal has at least.
const WIDTH: usize = 80;

/// What the words mean, told only when they come up.
const MEANINGS: [(Kind, &str); 7] = [
    (Kind::Lost, "acknowledged by the source, and not on this zone's stream"),
    (Kind::NotReceived, "acknowledged, and passed over by the zone's consumer"),
    (Kind::Duplicates, "one message at two stream sequences (a redelivery is not one)"),
    (Kind::Reordered, "behind a higher number of its producer, though not sent again"),
    (Kind::Corrupt, "checksum, id or subject are not those it was sent with"),
    (Kind::Unexpected, "never sent by this region's producers, or refused"),
    (Kind::Mismatched, "not the message that was acknowledged at that sequence"),
];

/// Prints what was found, one line a zone, then what is wrong and where to look.
#[must_use]
pub fn render(findings: &[ZoneFinding]) -> String {
    let mut text = table(findings);
    for finding in findings {
        match &finding.judgement {
            Judgement::Whole => {}
            Judgement::Nothing => {
                let _ = writeln!(
                    text,
                    "\nzone {}: no message was acknowledged, so nothing was tested; `produce --count 100` sends some",
                    finding.zone
                );
            }
            Judgement::NotYet { .. } | Judgement::NotRead { .. } | Judgement::Void { .. } => {
                text.push('\n');
                wrap(&mut text, "", &format!("zone {}: {}", finding.zone, finding.judgement));
            }
            Judgement::Broken { faults } => {
                let _ = writeln!(text, "\nzone {}:", finding.zone);
                for fault in faults {
                    wrap(&mut text, "  - ", &fault.to_string());
                }
                for trouble in &finding.troubles {
                    wrap(&mut text, "    ", &offenders(trouble));
                }
            }
        }
    }
    let mut note = |words: &str| {
        text.push('\n');
        wrap(&mut text, "", words);
    };
    let counted = |count: fn(&ZoneFinding) -> u64| {
        let some = findings.iter().filter(|finding| count(finding) > 0);
        let some = some.map(|finding| format!("{} in zone {}", count(finding), finding.zone));
        Some(some.collect::<Vec<_>>().join(", ")).filter(|all| !all.is_empty())
    };
    // These two are the region's, and the same in every zone.
    let unknown = findings.iter().map(|finding| finding.unknown).max().unwrap_or_default();
    let baseline = findings.iter().map(|finding| finding.baseline).max().unwrap_or_default();
    if unknown > 0 {
        note(&format!(
            "announced, and neither acknowledged nor refused (unknown, no fault): {unknown}"
        ));
    }
    if let Some(recovered) = counted(|finding| finding.recovered) {
        note(&format!("sent, never acknowledged, and received (no fault): {recovered}"));
    }
    if baseline > 0 {
        note(&format!("sequences up to {baseline} are from before this ledger began (not judged)"));
    }
    if let Some(foreign) = counted(|finding| finding.foreign) {
        note(&format!("published by somebody else (not judged): {foreign}"));
    }
    let comes_up = |kind: Kind| {
        findings.iter().flat_map(|finding| &finding.troubles).any(|trouble| trouble.kind == kind)
    };
    let meanings: Vec<_> = MEANINGS.iter().filter(|(kind, _)| comes_up(*kind)).collect();
    if !meanings.is_empty() {
        text.push('\n');
        for (kind, meaning) in meanings {
            let _ = writeln!(text, "{:<13} {meaning}", kind.as_str());
        }
    }
    text
}

fn table(findings: &[ZoneFinding]) -> String {
    let heads = [
        "zone", "verdict", "acked", "stream", "received", "redel", "lost", "dup", "order", "corr",
        "unexp",
    ];
    let rows = findings.iter().map(|f| {
        [
            f.zone.to_string(),
            f.judgement.as_str().into(),
            f.acked.to_string(),
            f.on_stream.map_or_else(|| "?".into(), |count| count.to_string()),
            f.received.to_string(),
            f.redelivered.to_string(),
            match f.lost.total().max(f.not_received.total()) {
                0 if f.unrecorded > 0 => "?".into(),
                lost => lost.to_string(),
            },
            f.duplicates.to_string(),
            f.reordered.to_string(),
            f.corrupt.to_string(),
            (f.unexpected + f.mismatched).to_string(),
        ]
    });
    let rows: Vec<[String; 11]> = std::iter::once(heads.map(String::from)).chain(rows).collect();
    let widths: [usize; 11] =
        std::array::from_fn(|i| rows.iter().map(|row| row[i].len()).max().unwrap_or_default());
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (i, (cell, width)) in row.iter().zip(widths).enumerate() {
            // Words to the left, numbers to the right.
            let _ = if i < 2 {
                write!(line, "{cell:<width$}  ")
            } else {
                write!(line, "{cell:>width$}  ")
            };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn offenders(trouble: &Trouble) -> String {
    let kind = trouble.kind.as_str();
    let named: Vec<String> = trouble
        .first
        .iter()
        .map(|offender| match &offender.message {
            Some(message) => format!("{} ({message})", offender.seq),
            None => offender.seq.to_string(),
        })
        .collect();
    let more = if trouble.count > trouble.first.len() as u64 { ", …" } else { "" };
    if named.is_empty() {
        return format!("{kind}: {} without a sequence of their own", trouble.count);
    }
    format!("{kind} at sequence {}{more}", named.join(", "))
}

/// Writes words after a mark, further lines below the first.
fn wrap(text: &mut String, mark: &str, words: &str) {
    let mut line = mark.to_owned();
    let mut blank = "";
    for word in words.split(' ') {
        if !blank.is_empty() && line.chars().count() + 1 + word.chars().count() > WIDTH {
            text.push_str(&line);
            text.push('\n');
            (line, blank) = (" ".repeat(mark.len()), "");
        }
        line.push_str(blank);
        line.push_str(word);
        blank = " ";
    }
    text.push_str(&line);
    text.push('\n');
}

#[cfg(test)]
mod tests;
