//! What the reducer remembers of a zone besides what it shows.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::flow::Counted;
use crate::region::{
    UnixMs,
    condition::measured::{LinkCount, Seen},
    deliveries::Elsewhere,
    names::{NodeName, ZoneName},
    observation::{Deliveries, NodeReport, ProcessState, ProcessTruth},
    recovery::Clock,
    status::MirrorState,
    topology::ZonePlan,
};

/// How many words of a stream's leader are kept to compare the other end's with: at the fastest
/// poll (20 a second) still most of a second.
const WORDS: usize = 16;

/// The first offending stream sequences behind a zone's ledger counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offenders {
    pub lost: Vec<u64>,
    pub duplicates: Vec<u64>,
    pub reordered: Vec<u64>,
    pub corrupt: Vec<u64>,
    pub unexpected: Vec<u64>,
}

/// A zone's bookkeeping.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct ZoneBook {
    pub slot: u16,
    /// The zone's durable consumer.
    pub consumer: String,
    /// Its durable sourcing consumer at the source.
    pub mirror_consumer: String,
    pub nodes: Vec<NodeBook>,
    pub leader: Group,
    pub consumer_leader: Group,
    pub meta_leader: Group,
    /// The stream's creation time as its leader told it.
    pub created: Option<String>,
    /// A creation time told once that differs from `created`.
    pub created_anew: Option<String>,
    /// The stream's newest last sequences and when they were told, oldest first.
    pub words: VecDeque<(UnixMs, u64)>,
    /// Backlog the source counts for this zone.
    pub source_pending: Option<u64>,
    pub mirror: MirrorBook,
    /// Answers from before this moment (the last cut or heal) do not speak for the link.
    pub link_speaks_after: UnixMs,
    /// When the cut was proved effective.
    pub proved_ms: UnixMs,
    /// Connections of before an unplugging, at either end: (server, connection).
    pub dead_leafs: Vec<(String, u64)>,
    /// Whatever of them is still there at this moment has outlived its pings and is not dead.
    pub dead_until: UnixMs,
    pub clock: Option<Clock>,
    /// Messages the room's consumer has processed, and what it knows of the server's deliveries.
    pub processed: Option<u64>,
    pub came: Option<Deliveries>,
    /// Deliveries the consumer's leader counted.
    pub deliveries: Option<u64>,
    pub stored: Counted,
    pub consumed: Counted,
    /// The same also while it is paused.
    #[serde(default)]
    pub processed_each: Counted,
    /// Messages the consumer had received when the stream's leader last reported, and those of them
    /// that it received from a stream that is not there any more.
    pub received: u64,
    pub received_before: u64,
    pub offenders: Offenders,
    pub alarms: [Alarm; 5],
    pub elsewhere: Elsewhere,
    #[serde(default)]
    pub carried: Carried,
}

/// What is remembered of a link's traffic.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Carried {
    /// The last looks, oldest first.
    pub looks: VecDeque<Look>,
    /// When the condition was commanded, and when its carrier had it.
    pub asked_at_ms: UnixMs,
    pub in_effect_at_ms: Option<UnixMs>,
    /// The connections of before: (server, connection).
    pub before: Vec<(String, u64)>,
    pub seen: Seen,
    /// Since when the line to the zone is full but for short gaps, and what its servers had taken in
    /// then.
    pub full_since: Option<(UnixMs, u64)>,
    /// When it was last full.
    pub full_at_ms: Option<UnixMs>,
    /// The source's last sequence and bytes when the mirror last had everything.
    pub even: Option<(u64, u64)>,
    /// The last request over the link was not answered.
    pub unanswered: bool,
    /// How long the last answer took.
    pub last_echo_us: Option<u64>,
    /// When packets were last found to be too large for the path.
    pub hole_at_ms: Option<UnixMs>,
}

/// One look at a link's traffic.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Look {
    pub at_ms: UnixMs,
    pub count: LinkCount,
    /// The last sequences of the source's stream and the mirror's.
    pub source: Option<u64>,
    pub mirror: Option<u64>,
    /// Bytes that the zone's servers have taken in over the link; `None` if one did not say so after
    /// the look before.
    pub taken: Option<u64>,
    /// Bytes of the source's stream.
    #[serde(default)]
    pub bytes: Option<u64>,
    /// The line carried what it can: to the zone, from it.
    #[serde(default)]
    pub full: (bool, bool),
}

/// What is remembered of one node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct NodeBook {
    /// `None` where the platform knows nothing of processes.
    pub truth: Option<ProcessTruth>,
    /// Has answered since its process started.
    pub answered: bool,
    pub seen: Option<NodeSeen>,
    /// Since when it is off the network of the links, though nobody cut its zone.
    pub astray_ms: Option<UnixMs>,
    /// A round trip that began before the link was healed, in microseconds: its server tells it
    /// until the next ping.
    pub outlived_rtt: Option<u64>,
}

impl NodeBook {
    /// Its process runs, as far as anyone knows.
    pub fn runs(&self) -> bool {
        self.truth.is_none_or(|truth| truth.state == ProcessState::Running)
    }

    /// The round trip its server measured, unless that ping was under way before the heal: then it
    /// measured the cut.
    pub fn round_trip(&mut self, healed: Option<UnixMs>) -> Option<u64> {
        let seen = self.seen.as_ref()?;
        let rtt = seen.rtt_us?;
        if let Some(healed) = healed
            && (healed..healed.saturating_add(rtt / 1000)).contains(&seen.at_ms)
        {
            self.outlived_rtt = Some(rtt);
        }
        (self.outlived_rtt != Some(rtt)).then_some(rtt)
    }

    /// Its process has ended: it has no connections for certain.
    pub fn ended(&self) -> bool {
        self.truth
            .is_some_and(|truth| matches!(truth.state, ProcessState::Stopped | ProcessState::Dead))
    }
}

/// What a node last said, as far as it is needed again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct NodeSeen {
    pub at_ms: UnixMs,
    pub server_id: String,
    /// Its JetStream is off.
    pub js_off: bool,
    /// It holds a replica of the region's stream.
    pub has_stream: bool,
    pub leafs: u32,
    /// The connections, and the zones at their other ends.
    pub leafs_of: Vec<(u64, Option<ZoneName>)>,
    pub rtt_us: Option<u64>,
    /// Bytes that came over all of them.
    #[serde(default)]
    pub leaf_bytes: Option<u64>,
    /// Numbers of the nodes it takes for the leaders.
    pub leader: Option<u8>,
    pub consumer_leader: Option<u8>,
    pub meta_leader: Option<u8>,
}

impl NodeSeen {
    pub fn of(report: &NodeReport, zone: &ZoneName, consumer: &str, at_ms: UnixMs) -> Self {
        let number = |leader: &Option<String>| {
            let node: NodeName = leader.as_deref()?.parse().ok()?;
            (&node.zone == zone).then_some(node.number)
        };
        let zone_of = |name: &str| name.parse::<NodeName>().ok().map(|node| node.zone);
        let leafs_of = report.leafs.iter().map(|leaf| (leaf.id, zone_of(&leaf.name))).collect();
        let stream = report.stream.as_ref();
        Self {
            at_ms,
            server_id: report.server_id.clone(),
            js_off: report.jetstream_off,
            has_stream: report.stream.is_some(),
            leafs: u32::try_from(report.leafs.len()).unwrap_or(u32::MAX),
            leafs_of,
            rtt_us: report.leafs.iter().filter_map(|leaf| leaf.rtt_us).min(),
            leaf_bytes: report.leafs.iter().map(|leaf| leaf.in_bytes).sum(),
            leader: stream.and_then(|stream| number(&stream.leader)),
            consumer_leader: stream
                .and_then(|stream| stream.consumers.iter().find(|c| c.name == consumer))
                .and_then(|consumer| number(&consumer.leader)),
            meta_leader: number(&report.meta_leader),
        }
    }

    /// Connections from that zone, or all, but for the dead ones.
    pub fn living(&self, of: Option<&ZoneName>, dead: &[(String, u64)]) -> u32 {
        let lives = |id: &u64| !dead.iter().any(|(at, gone)| *at == self.server_id && gone == id);
        let of_it = |zone: &Option<ZoneName>| of.is_none() || zone.as_ref() == of;
        let count = self.leafs_of.iter().filter(|(id, zone)| of_it(zone) && lives(id)).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }
}

/// Who leads a raft group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Group {
    pub now: Option<u8>,
    /// It has had a leader before: only then is the next one news.
    pub ever: bool,
}

/// What is remembered of a mirror.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct MirrorBook {
    /// When its last sequence last grew.
    pub moved_ms: Option<UnixMs>,
    /// Since when it has been behind without a break.
    pub behind_since: Option<UnixMs>,
    /// Source words (their moments) that were newer than the mirror's and yet lower, at most two.
    pub ahead: u8,
    pub ahead_told: UnixMs,
    /// The source was created anew while the mirror kept its data.
    pub source_replaced: bool,
    /// The state last written to the log.
    pub announced: Option<MirrorState>,
    /// Since when it has been catching up without a break.
    pub catching_since: Option<UnixMs>,
}

/// What was last said about a count that must stay zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Alarm {
    pub count: u64,
    pub at_ms: UnixMs,
}

impl ZoneBook {
    pub fn new(plan: &ZonePlan) -> Self {
        Self {
            slot: plan.slot,
            consumer: plan.consumer(),
            mirror_consumer: plan.mirror_consumer(),
            nodes: vec![NodeBook::default(); plan.nodes.len()],
            ..Self::default()
        }
    }

    /// The stream's leader reported that many sequences. Whatever was received beyond them, and it
    /// is not because more has come since the last report, is of an earlier stream.
    pub fn receipts_fit(&mut self, received: u64, last_seq: u64, replaced: bool) {
        if replaced {
            self.received_before = received;
        } else if received == self.received {
            let here = received.saturating_sub(self.received_before);
            self.received_before += here.saturating_sub(last_seq);
        }
        self.received = received;
    }

    /// Remembers a word of the stream's leader.
    pub fn keep_word(&mut self, told: UnixMs, last_seq: u64) {
        if self.words.back().is_some_and(|(newest, _)| *newest >= told) {
            return;
        }
        self.words.push_back((told, last_seq));
        if self.words.len() > WORDS {
            self.words.pop_front();
        }
    }

    /// The last sequence as it was known at `moment`.
    pub fn word_at(&self, moment: UnixMs) -> Option<u64> {
        self.words.iter().rev().find(|(told, _)| *told <= moment).map(|(_, last_seq)| *last_seq)
    }

    /// The last sequence it had at `moment`, as far as the words around it tell: under load a word
    /// that is a second old is thousands of messages old.
    pub fn had_at(&self, moment: UnixMs) -> Option<u64> {
        let after = self.words.iter().position(|(told, _)| *told > moment);
        let before = after.unwrap_or(self.words.len()).checked_sub(1)?;
        let (from, low) = self.words[before];
        let Some(&(to, high)) = after.and_then(|after| self.words.get(after)) else {
            return Some(low);
        };
        let part = u128::from(high.saturating_sub(low)) * u128::from(moment - from)
            / u128::from((to - from).max(1));
        Some(low.saturating_add(u64::try_from(part).unwrap_or(u64::MAX)))
    }

    /// Its last two words were the same.
    pub fn stands_still(&self) -> bool {
        let mut newest = self.words.iter().rev().map(|(_, last_seq)| last_seq);
        newest.next().zip(newest.next()).is_some_and(|(last, before)| last == before)
    }

    /// Keeps the stream's creation time; true when the stream is another one than before. A change
    /// must be told twice before it counts: one odd answer must not declare a mirror diverged.
    pub fn created_told(&mut self, created: &str) -> bool {
        if created.is_empty() || self.created.as_deref() == Some(created) {
            self.created_anew = None;
            return false;
        }
        if self.created.is_none() {
            self.created = Some(created.to_owned());
            return false;
        }
        if self.created_anew.as_deref() != Some(created) {
            self.created_anew = Some(created.to_owned());
            return false;
        }
        self.created = self.created_anew.take();
        self.words.clear();
        self.mirror = MirrorBook { announced: self.mirror.announced, ..MirrorBook::default() };
        true
    }
}
