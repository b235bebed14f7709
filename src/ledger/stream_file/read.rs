//! Lines on their way out of a file: each must be one that a stream can have.

use super::{FORMAT, MAGIC};
use crate::{
    ledger::{
        audit::{Held, StreamAudit},
        fingerprint::Fingerprint,
        message::RunId,
    },
    region::ZoneName,
};

#[derive(Default)]
pub(super) struct Reader {
    head: Option<Head>,
    blocks: Vec<(u64, u64, u64)>,
    /// Likewise, without what repeats an id.
    once: Vec<(u64, u64, u64)>,
    /// Messages in the blocks: nothing that follows can be more.
    messages: u64,
    audit: Option<StreamAudit>,
    producer: Option<u32>,
    /// What follows the last run: (number, sequence), and the messages of all runs.
    next: (u64, u64),
    placed: u64,
}

impl Reader {
    /// Takes the next line, without its end.
    pub(super) fn line(&mut self, line: &str) -> Result<(), String> {
        const STRANGE: &str = "is not of this format";
        let parts: Vec<&str> = line.split(' ').collect();
        let number = |text: &str| text.parse::<u64>().map_err(|_| STRANGE.to_owned());
        if self.head.is_none() {
            let [MAGIC, format, zone, run, first, last] = parts[..] else {
                return Err("does not begin a stream's file".into());
            };
            if format != FORMAT {
                return Err(format!("says format {format}; this program reads {FORMAT}"));
            }
            let zone = zone.parse().map_err(|_| STRANGE.to_owned())?;
            let run = run.parse().map_err(|_| STRANGE.to_owned())?;
            let ends = match (first, last) {
                ("-", "-") => None,
                _ => Some((number(first)?, number(last)?)),
            };
            self.head = Some(Head { zone, run, ends });
            return Ok(());
        }
        match parts[..] {
            ["b", index, digest, messages] if self.audit.is_none() => {
                let digest = u64::from_str_radix(digest, 16).map_err(|_| STRANGE.to_owned())?;
                let messages = number(messages)?;
                self.messages = self.messages.saturating_add(messages);
                self.blocks.push((number(index)?, digest, messages));
                Ok(())
            }
            ["p", id] => {
                let id = id.parse().map_err(|_| STRANGE.to_owned())?;
                let audit = self.audit()?;
                if audit.producers.keys().next_back().is_some_and(|last| *last >= id) {
                    return Err("names a producer out of order".into());
                }
                audit.producers.insert(id, Held::default());
                (self.producer, self.next) = (Some(id), (0, 0));
                Ok(())
            }
            ["r", numbers, seqs, count] => {
                self.runs(number(numbers)?, seqs.parse().map_err(|_| STRANGE)?, number(count)?, 1)
            }
            ["r", numbers, seqs, count, times] => self.runs(
                number(numbers)?,
                seqs.parse().map_err(|_| STRANGE)?,
                number(count)?,
                number(times)?,
            ),
            ["d", index, digest, messages] => {
                let digest = u64::from_str_radix(digest, 16).map_err(|_| STRANGE.to_owned())?;
                self.once.push((number(index)?, digest, number(messages)?));
                Ok(())
            }
            ["l", last] => {
                let (last, once) = (number(last)?, std::mem::take(&mut self.once));
                let audit = self.audit()?;
                let ends = audit.fingerprint.first().map(|first| (first, last));
                let once = Fingerprint::rebuild(&once, ends)
                    .ok_or("follows blocks that cannot be a stream's")?;
                audit.once = Some(once);
                Ok(())
            }
            [word @ ("m" | "c" | "f" | "o" | "s" | "i"), first, count] => {
                let (first, count) = (number(first)?, number(count)?);
                let fits = (1..=self.messages).contains(&count);
                if !fits || first.checked_add(count).is_none() {
                    return Err("counts more than the stream holds".into());
                }
                let producer = self.producer;
                let audit = self.audit()?;
                let set = match word {
                    "c" => &mut audit.corrupt,
                    "f" => &mut audit.foreign,
                    "o" => &mut audit.plain,
                    "s" => &mut audit.second,
                    "i" => &mut audit.repeated,
                    _ => {
                        let held = producer.and_then(|id| audit.producers.get_mut(&id));
                        &mut held.ok_or("belongs to no producer")?.moved
                    }
                };
                set.insert(first, count);
                Ok(())
            }
            _ => Err(STRANGE.into()),
        }
    }

    /// The audit, begun with the fingerprint once all blocks are read.
    fn audit(&mut self) -> Result<&mut StreamAudit, String> {
        if self.audit.is_none() {
            let Head { zone, run, ends } = self.head.clone().ok_or("comes before the beginning")?;
            let mut audit = StreamAudit::new(zone, run);
            audit.fingerprint = Fingerprint::rebuild(&self.blocks, ends)
                .ok_or("follows blocks that cannot be a stream's")?;
            self.audit = Some(audit);
        }
        self.audit.as_mut().ok_or_else(|| "comes before the beginning".into())
    }

    fn runs(&mut self, numbers: u64, seqs: i128, count: u64, times: u64) -> Result<(), String> {
        let total = count.checked_mul(times).and_then(|total| total.checked_add(self.placed));
        self.placed = total
            .filter(|total| count > 0 && times > 0 && *total <= self.messages)
            .ok_or("counts more than the stream holds")?;
        let (producer, mut next) = (self.producer, self.next);
        let audit = self.audit()?;
        let held =
            producer.and_then(|id| audit.producers.get_mut(&id)).ok_or("belongs to no producer")?;
        for _ in 0..times {
            let number = next.0.checked_add(numbers);
            let seq = u64::try_from(i128::from(next.1).saturating_add(seqs)).ok();
            let run = number.zip(seq).and_then(|(number, seq)| {
                Some((number, seq, number.checked_add(count)?, seq.checked_add(count)?))
            });
            let Some((number, seq, next_number, next_seq)) = run else {
                return Err("goes past the end of numbers".into());
            };
            if seq == 0 {
                return Err("names sequence 0".into());
            }
            held.places.set(number, seq, count);
            held.numbers.insert(number, count);
            next = (next_number, next_seq);
        }
        self.next = next;
        Ok(())
    }

    /// What the lines were of.
    pub(super) fn finish(mut self) -> Result<StreamAudit, String> {
        self.audit()?;
        self.audit.ok_or_else(|| "comes before the beginning".into())
    }
}

/// The first line.
#[derive(Clone)]
struct Head {
    zone: ZoneName,
    run: RunId,
    ends: Option<(u64, u64)>,
}
