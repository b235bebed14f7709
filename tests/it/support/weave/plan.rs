//! What is to happen in a run.

use std::collections::{BTreeMap, BTreeSet};

/// Messages of which one thing happens to one.
pub const SLOT: u64 = 3;
/// Fewer messages during a cut test nothing.
const PROGRESS: u64 = 5;

/// What happens to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// On one replica of a zone.
    Replica { zone: usize, replica: usize, harm: Harm },
    /// A zone's consumer never gets it.
    Skipped { zone: usize },
    /// A zone's consumer gets it damaged.
    Garbled { zone: usize },
    /// It is stored a second time, without an id.
    Twice,
    /// The one before it is stored after it.
    Overtaken,
    /// Legal: delivered again.
    Redelivered { zone: usize },
    /// Legal: the first delivery never arrived, the second did.
    OnlyRedelivered { zone: usize },
    /// Legal: stored, the answer lost, sent again, known to the server.
    LostAnswer,
    /// Legal: lost on its way, sent again, stored after later ones.
    Late,
}

/// What a replica can do to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    Gone,
    Altered,
}

/// A run to be woven.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How many zones: a is the source, b is what the drill is about.
    pub zones: usize,
    /// Triples of messages of each burst.
    pub triples: Vec<u64>,
    /// Zone b is cut from the first of these bursts to the last.
    pub cut: Option<(usize, usize)>,
    /// What happens to the middle message of a triple, counted over all bursts.
    pub at: BTreeMap<usize, Fault>,
    /// Whose turn it is, among those who can do something; then the first who can.
    pub turns: Vec<u16>,
    /// Nothing is sent, whatever is commanded.
    pub silent: bool,
}

impl Plan {
    pub fn slots(&self) -> usize {
        self.triples.iter().sum::<u64>() as usize
    }

    pub fn faults(&self) -> impl Iterator<Item = Fault> {
        self.at.values().copied().filter(|_| !self.silent)
    }

    pub fn zone(&self, zone: usize) -> String {
        assert!(zone < self.zones);
        char::from(b'a' + zone as u8).to_string()
    }

    pub fn node(&self, zone: usize, replica: usize) -> String {
        format!("js{}-zone-{}", replica + 1, self.zone(zone))
    }

    /// A cut during which hardly anything was sent is no test of it.
    pub fn tests_too_little(&self) -> bool {
        self.cut
            .is_some_and(|(from, to)| self.triples[from..=to].iter().sum::<u64>() * SLOT < PROGRESS)
    }

    /// No replica of the source is whole.
    pub fn source_is_hurt_everywhere(&self) -> bool {
        let hurt = self.faults().filter_map(|fault| match fault {
            Fault::Replica { zone: 0, replica, .. } => Some(replica),
            _ => None,
        });
        hurt.collect::<BTreeSet<_>>().len() == 3
    }

    /// What happens to a message, and whether it is the one it happens to.
    pub fn fault(&self, (p, n): Message) -> Option<Fault> {
        let before: u64 = self.triples[..p as usize - 1].iter().sum();
        let middle = n % SLOT == 2;
        self.at.get(&((before + (n - 1) / SLOT) as usize)).copied().filter(|_| middle)
    }

    /// Is this what a zone's consumer gets, once, as it is?
    pub fn is_plain(&self, zone: usize, message: Message) -> bool {
        !matches!(self.fault(message),
            Some(Fault::Skipped { zone: z }
                | Fault::Garbled { zone: z }
                | Fault::Redelivered { zone: z }
                | Fault::OnlyRedelivered { zone: z }) if z == zone)
    }
}

/// Producer and number.
pub type Message = (u32, u64);
