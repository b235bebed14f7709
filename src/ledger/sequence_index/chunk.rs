//! The places of a few thousand numbers: runs as long as there are few, a table otherwise.

use std::collections::BTreeMap;

use super::Piece;

/// Numbers in a chunk.
pub(super) const CHUNK: u64 = 4096;
/// Runs a chunk may have before it becomes a table (a quarter of the table's size).
pub(super) const MOST_RUNS: usize = 256;
/// A table's mark for "no place".
const NOWHERE: u32 = 0;
/// A table's mark for "too far from the table's base to be written here".
const FAR: u32 = u32::MAX;

#[derive(Clone, Debug)]
pub(super) struct Chunk {
    /// The chunk holds the numbers `index * CHUNK ..`.
    pub(super) index: u64,
    /// No sequence of the chunk is outside `low..=high`.
    pub(super) low: u64,
    pub(super) high: u64,
    pub(super) body: Body,
}

#[derive(Clone, Debug)]
pub(super) enum Body {
    /// Ascending by `at`, not overlapping.
    Runs(Vec<Run>),
    /// By offset: `NOWHERE`, `FAR`, or sequence - base + 1. May end early.
    Table { base: u64, slots: Vec<u32> },
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) at: u16,
    pub(super) count: u16,
    pub(super) seq: u64,
}

impl Run {
    fn end(self) -> u64 {
        u64::from(self.at) + u64::from(self.count)
    }

    /// Do the numbers and the sequences of the other go on where its own end?
    fn goes_on_in(self, other: Self) -> bool {
        self.end() == u64::from(other.at)
            && self.seq.checked_add(u64::from(self.count)) == Some(other.seq)
    }
}

impl Chunk {
    /// A chunk without any place, of which the first will be `seq`.
    pub(super) fn new(index: u64, seq: u64) -> Self {
        Self { index, low: seq, high: seq, body: Body::Runs(Vec::new()) }
    }

    /// What is said of the numbers from `offset` on.
    pub(super) fn piece(&self, offset: u64, at_most: u64, far: &BTreeMap<u64, u64>) -> Piece {
        match &self.body {
            Body::Runs(runs) => {
                let next = runs.partition_point(|run| u64::from(run.at) <= offset);
                if let Some(run) = runs[..next].last()
                    && offset < run.end()
                {
                    let seq = run.seq + (offset - u64::from(run.at));
                    return Piece { count: at_most.min(run.end() - offset), seq: Some(seq) };
                }
                let free = runs.get(next).map_or(CHUNK, |run| u64::from(run.at)) - offset;
                Piece { count: at_most.min(free), seq: None }
            }
            Body::Table { .. } => {
                let seq = self.slot(offset, far);
                let follows = |i: u64| match seq {
                    Some(seq) => self.slot(offset + i, far) == seq.checked_add(i),
                    None => self.slot(offset + i, far).is_none(),
                };
                let count = (1..at_most).find(|i| !follows(*i)).unwrap_or(at_most);
                Piece { count, seq }
            }
        }
    }

    /// A table's place at an offset.
    fn slot(&self, offset: u64, far: &BTreeMap<u64, u64>) -> Option<u64> {
        let Body::Table { base, slots } = &self.body else { return None };
        match slots.get(offset as usize).copied().unwrap_or(NOWHERE) {
            NOWHERE => None,
            FAR => far.get(&(self.index * CHUNK + offset)).copied(),
            slot => Some(base + u64::from(slot - 1)),
        }
    }

    pub(super) fn set(&mut self, offset: u64, seq: u64, count: u64, far: &mut BTreeMap<u64, u64>) {
        self.low = self.low.min(seq);
        self.high = self.high.max(seq + (count - 1));
        match &mut self.body {
            Body::Runs(runs) => {
                insert_run(runs, Run { at: offset as u16, count: count as u16, seq });
                if runs.len() > MOST_RUNS {
                    self.become_table(far);
                }
            }
            Body::Table { base, slots } => {
                slots.resize(slots.len().max((offset + count) as usize), NOWHERE);
                for i in 0..count {
                    let seq = seq + i;
                    let slot = seq
                        .checked_sub(*base)
                        .and_then(|distance| u32::try_from(distance.checked_add(1)?).ok())
                        .filter(|slot| *slot != FAR);
                    if slot.is_none() {
                        far.insert(self.index * CHUNK + offset + i, seq);
                    }
                    slots[(offset + i) as usize] = slot.unwrap_or(FAR);
                }
            }
        }
    }

    pub(super) fn become_table(&mut self, far: &mut BTreeMap<u64, u64>) {
        let Body::Runs(runs) = &mut self.body else { return };
        let runs = std::mem::take(runs);
        // In the middle, so that there is room on both sides.
        let base = runs.first().map(|run| run.seq).unwrap_or_default().saturating_sub(1 << 31);
        self.body = Body::Table { base, slots: Vec::with_capacity(CHUNK as usize) };
        for run in runs {
            self.set(u64::from(run.at), run.seq, u64::from(run.count), far);
        }
    }

    pub(super) fn unset(&mut self, offset: u64) {
        match &mut self.body {
            Body::Runs(runs) => {
                let Some(at) =
                    runs.iter().position(|r| (u64::from(r.at)..r.end()).contains(&offset))
                else {
                    return;
                };
                let run = runs.remove(at);
                let before = offset as u16 - run.at;
                let after = run.count - before - 1;
                if after > 0 {
                    let seq = run.seq + u64::from(before) + 1;
                    runs.insert(at, Run { at: offset as u16 + 1, count: after, seq });
                }
                if before > 0 {
                    runs.insert(at, Run { count: before, ..run });
                }
            }
            Body::Table { slots, .. } => {
                if let Some(slot) = slots.get_mut(offset as usize) {
                    *slot = NOWHERE;
                }
            }
        }
    }

    pub(super) fn owner(&self, seq: u64, far: &BTreeMap<u64, u64>) -> Option<u64> {
        let offset = match &self.body {
            Body::Runs(runs) => runs.iter().find_map(|run| {
                let distance = seq.checked_sub(run.seq)?;
                (distance < u64::from(run.count)).then(|| u64::from(run.at) + distance)
            }),
            Body::Table { slots, .. } => {
                (0..slots.len() as u64).find(|offset| self.slot(*offset, far) == Some(seq))
            }
        };
        offset.map(|offset| self.index * CHUNK + offset)
    }

    /// A place of the run of the last number below `limit`.
    pub(super) fn before(&self, limit: u64, far: &BTreeMap<u64, u64>) -> Option<u64> {
        match &self.body {
            Body::Runs(runs) => {
                let end = runs.partition_point(|run| u64::from(run.at) < limit);
                runs[..end].last().map(|run| run.seq)
            }
            Body::Table { slots, .. } => {
                (0..limit.min(slots.len() as u64)).rev().find_map(|offset| self.slot(offset, far))
            }
        }
    }

    /// A place of the run of the first number from `from` on.
    pub(super) fn after(&self, from: u64, far: &BTreeMap<u64, u64>) -> Option<u64> {
        match &self.body {
            Body::Runs(runs) => runs.iter().find(|run| run.end() > from).map(|run| run.seq),
            Body::Table { slots, .. } => {
                (from..slots.len() as u64).find_map(|offset| self.slot(offset, far))
            }
        }
    }

    pub(super) fn runs(&self, far: &BTreeMap<u64, u64>) -> Vec<Run> {
        match &self.body {
            Body::Runs(runs) => runs.clone(),
            Body::Table { slots, .. } => {
                let mut runs: Vec<Run> = Vec::new();
                for offset in 0..slots.len() as u64 {
                    if let Some(seq) = self.slot(offset, far) {
                        insert_run(&mut runs, Run { at: offset as u16, count: 1, seq });
                    }
                }
                runs
            }
        }
    }
}

/// Puts a run where it belongs, joined with its neighbours where it continues them.
fn insert_run(runs: &mut Vec<Run>, run: Run) {
    let at = runs.binary_search_by_key(&run.at, |other| other.at).unwrap_or_else(|at| at);
    let before = at.checked_sub(1).filter(|before| runs[*before].goes_on_in(run));
    let next = runs.get(at).copied().filter(|next| run.goes_on_in(*next));
    match (before, next) {
        (Some(before), Some(next)) => {
            runs[before].count += run.count + next.count;
            runs.remove(at);
        }
        (Some(before), None) => runs[before].count += run.count,
        (None, Some(next)) => runs[at] = Run { count: run.count + next.count, ..run },
        (None, None) => runs.insert(at, run),
    }
}
