//! A zone as it is seen: where it is in its life, and what its stream and its consumer hold.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Audit, Foreign, Ledger, Link, LinkState, Mirror, Node, NodeState, Recovery};
use crate::region::{
    NodeName, UnixMs,
    configuration::{Differing, Kind, Subject},
    external::cutting::ShownBy,
    keeping::Keeping,
    names::ZoneName,
    past::Past,
    topology::Role,
};

/// A zone as it is seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Zone {
    pub name: ZoneName,
    pub role: Role,
    /// Being added, serving, being removed.
    pub state: ZoneState,
    /// Its nodes, in order.
    pub nodes: Vec<Node>,
    /// The stream, as its leader last reported; `null` until it has, and when it is gone.
    pub stream: Option<Stream>,
    /// How long a stream that takes messages keeps them, as `stream` has set it.
    #[serde(default)]
    pub keeping: Keeping,
    /// The zone's durable consumer.
    pub consumer: Option<Consumer>,
    /// The mirror; `null` at the source.
    pub mirror: Option<Mirror>,
    /// The link to the source; `null` at the source.
    pub link: Option<Link>,
    /// The clock of the last heal; `null` before the first.
    pub recovery: Option<Recovery>,
    /// How fast messages come and are processed.
    #[serde(default)]
    pub flow: Flow,
    /// The account of messages: what the consumer's receipts show, and what the last audit found.
    pub ledger: Ledger,
    /// In what its stream and consumers differ from how they were made.
    #[serde(default)]
    pub differences: Vec<Differing>,
    /// Connections to its servers that are nobody's of the region.
    #[serde(default)]
    pub foreign: Vec<Foreign>,
    /// The last audit; `null` before the first.
    #[serde(default)]
    pub audit: Option<Audit>,
    /// The highest true lag of each second, oldest first, `null` where it was unknown.
    #[serde(default)]
    pub lag_history: Vec<Option<u64>>,
    /// What its other figures were, and all of them for longer.
    #[serde(default)]
    pub past: Past,
    /// In a replay of a bundle of format 1: all that is known of the zone's nodes and stream.
    /// `nodes` is empty then, `stream` is `null`, and of `ledger` only `acked` and `received` say
    /// something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded: Option<Recorded>,
}

impl Zone {
    /// The node that leads the zone's stream.
    #[must_use]
    pub fn stream_leader(&self) -> Option<NodeName> {
        self.nodes.iter().find(|node| node.leader).map(|node| node.name.clone())
    }

    /// Somebody else runs it: its servers are nobody's of the room, which consumes nothing there.
    #[must_use]
    pub fn of_others(&self) -> bool {
        self.nodes.is_empty() && self.recorded.is_none()
    }

    /// All links lead to it: it was the source to begin with, whatever it is now.
    #[must_use]
    pub fn is_hub(&self) -> bool {
        self.role == Role::Source || self.role == Role::Fenced && self.link.is_none()
    }

    /// How many messages its stream holds, if that is told.
    #[must_use]
    pub fn messages(&self) -> Option<u64> {
        self.stream.as_ref().map(|stream| stream.messages)
    }

    /// Enough of its servers are up to elect leaders.
    #[must_use]
    pub fn has_majority(&self) -> bool {
        let up = self.nodes.iter().filter(|node| node.state == NodeState::Up).count();
        2 * up > self.nodes.len()
    }

    /// It was seen that the zone has no stream any more.
    #[must_use]
    pub fn lacks_its_stream(&self) -> bool {
        self.differences.iter().any(|one| {
            (one.difference.subject, &one.difference.kind) == (Subject::Stream, &Kind::Missing)
        })
    }

    /// Every stream sequence up to here is acknowledged by its consumer.
    #[must_use]
    pub fn ack_floor(&self) -> Option<u64> {
        self.consumer.as_ref()?.ack_floor
    }

    /// Nothing up to here will come to its consumer any more: it is acknowledged, or no longer on
    /// the zone's stream. A mirror can begin behind messages that its source still holds.
    #[must_use]
    pub fn passed_over(&self) -> Option<u64> {
        let gone = self.stream.as_ref().map(|stream| stream.first_seq.saturating_sub(1));
        self.ack_floor().map(|floor| floor.max(gone.unwrap_or(0)))
    }

    /// Nothing is known of it yet.
    #[must_use]
    pub fn new(name: ZoneName, role: Role) -> Self {
        Self {
            differences: Vec::new(),
            foreign: Vec::new(),
            name,
            role,
            state: ZoneState::Starting,
            nodes: Vec::new(),
            stream: None,
            keeping: Keeping::default(),
            consumer: None,
            mirror: None,
            link: None,
            recovery: None,
            flow: Flow::default(),
            ledger: Ledger::default(),
            audit: None,
            lag_history: Vec::new(),
            past: Past::default(),
            recorded: None,
        }
    }

    /// The last stream sequence delivered to its consumer.
    #[must_use]
    pub fn delivered(&self) -> Option<u64> {
        self.consumer.as_ref()?.delivered
    }

    /// Source last sequence minus mirror last sequence.
    #[must_use]
    pub fn true_lag(&self) -> Option<u64> {
        self.mirror.as_ref()?.true_lag
    }

    /// What its link to the source is doing.
    #[must_use]
    pub fn link_state(&self) -> Option<LinkState> {
        Some(self.link.as_ref()?.state)
    }

    /// Its link carries connections, as far as anybody knows.
    #[must_use]
    pub fn is_linked(&self) -> bool {
        self.link_state().is_some_and(LinkState::connected)
    }

    /// Its link is cut, and both ends were seen without a leafnode connection.
    #[must_use]
    pub fn cut_effective(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.state == LinkState::Cut && link.effective)
    }

    /// What shows the cut of a link that somebody else runs.
    #[must_use]
    pub fn cut_shown_by(&self) -> Option<ShownBy> {
        self.link.as_ref().and_then(|link| link.shown_by)
    }

    /// When both ends of a link that somebody else runs were asked last.
    #[must_use]
    pub fn ends_asked_at(&self) -> Option<UnixMs> {
        self.link.as_ref().and_then(|link| link.asked_at_ms)
    }

    /// Leafnode connections its nodes have, and the source's from it.
    #[must_use]
    pub fn leafs(&self) -> (Option<u32>, Option<u32>) {
        self.link.as_ref().map_or((None, None), |link| (link.leafs_here, link.leafs_there))
    }

    /// Its consumer was paused by a command.
    #[must_use]
    pub fn paused(&self) -> bool {
        self.consumer.as_ref().is_some_and(|consumer| consumer.paused)
    }

    /// The last sequence of its stream.
    #[must_use]
    pub fn last_seq(&self) -> Option<u64> {
        Some(self.stream.as_ref()?.last_seq)
    }

    /// What its stream reaches to, and what of it was delivered, as the zone itself counts.
    #[must_use]
    pub fn own_counts(&self) -> Option<(u64, Option<u64>)> {
        let own = self.stream.as_ref()?.own_last_seq?;
        Some((own, self.consumer.as_ref().and_then(|consumer| consumer.own_delivered)))
    }
}

words! {
    /// Where a zone is in its life.
    pub enum ZoneState {
        Starting = "starting",
        Ready = "ready",
        Removing = "removing",
    }
}

/// A stream as its leader last reported.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stream {
    pub messages: u64,
    pub bytes: u64,
    pub first_seq: u64,
    pub last_seq: u64,
    pub num_deleted: u64,
    /// The last sequence as the zone itself counts, as its leader told it: unlike `last_seq` neither
    /// read as the source's (a copy by sources counts by itself) nor held to what is known of the
    /// other zones by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_last_seq: Option<u64>,
    /// The leader's server name; `null` while nobody leads.
    pub leader: Option<String>,
    /// Replicas, the leader included.
    pub replicas: u32,
    /// Replicas that are current, as the leader sees it (leader included); `null` while
    /// nobody leads, or the leader has not reported for a while.
    pub replicas_current: Option<u32>,
    /// When the leader reported.
    #[serde(default)]
    pub told_at_ms: UnixMs,
}

/// A zone's durable consumer: what its leader last reported, and what the room does with it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Consumer {
    pub name: String,
    /// Last stream sequence delivered; like `ack_floor`, `pending`, `unacked`
    /// and `redelivered` `null` until its leader has
    /// reported, and when the consumer is gone.
    pub delivered: Option<u64>,
    /// The same as the zone itself counts (see the stream's `own_last_seq`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_delivered: Option<u64>,
    /// Every stream sequence up to here is acknowledged.
    pub ack_floor: Option<u64>,
    /// Deliveries by the server's own count since it made this consumer, repeated ones included;
    /// `null` while nothing of this consumer is known.
    #[serde(default)]
    pub deliveries: Option<u64>,
    /// Of them, those that came to the room; a difference that stays is somebody else's fetch, or
    /// was lost with a connection. Deliveries before the room's first one count as the room's;
    /// `null` before that one, and when another consumer has this one's name.
    #[serde(default)]
    pub deliveries_here: Option<u64>,
    /// Messages not delivered yet.
    pub pending: Option<u64>,
    /// Delivered and not acknowledged.
    pub unacked: Option<u64>,
    /// Waiting messages that were delivered more than once, as the server counts.
    pub redelivered: Option<u64>,
    /// Deliveries that came to somebody else, and not to the room that consumes here.
    #[serde(default)]
    pub elsewhere: u64,
    /// The room consumes in this zone.
    #[serde(default)]
    pub running: bool,
    /// Paused by a command.
    pub paused: bool,
    /// Messages a second it is held to; `null` for no limit.
    pub limit: Option<f64>,
    /// Messages a second it processes now.
    pub rate: f64,
    /// Why it cannot consume just now; `null` when it can.
    pub trouble: Option<String>,
    /// The leader's server name.
    pub leader: Option<String>,
    /// When the leader reported; `null` before it has.
    pub told_at_ms: Option<UnixMs>,
}

impl Consumer {
    /// Forgets what its leader reported: the consumer is gone, or another one has its name.
    pub fn forget_numbers(&mut self) {
        let Self { name, elsewhere, running, paused, limit, rate, trouble, .. } =
            std::mem::take(self);
        *self = Self { name, elsewhere, running, paused, limit, rate, trouble, ..Self::default() };
    }
}

/// How fast messages come to a zone and are processed there, over the last 10 s at most.
///
/// A rate is `null` until the counts of a second are known. What a consumer does is `null` while it
/// is paused or gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Flow {
    /// Messages a second that came onto the zone's stream, whoever published them (at a mirror:
    /// that it copied), as the stream's leader counts them; `null` when it has not reported for a
    /// while.
    pub publish_rate: Option<f64>,
    /// Messages a second that the room's consumer processed, repeated ones included.
    pub consume_rate: Option<f64>,
    /// `null` when no message was processed for the first time.
    pub latency: Option<Latency>,
}

/// From the moment the room's producer sent a message to the zone's consumer processing it for the
/// first time, by one clock that is never set. Three significant digits: never less than it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Latency {
    /// Messages measured: those that this room published.
    pub messages: u64,
    /// Microseconds that half of them took at most.
    pub p50_us: u64,
    pub p99_us: u64,
    pub max_us: u64,
}

/// What a drill's record of format 1 holds of a zone at one moment. `null` is unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Recorded {
    pub nodes_up: u32,
    /// First sequence the stream held.
    pub first_seq: Option<u64>,
    pub last_seq: Option<u64>,
    /// Messages the stream held.
    pub messages: Option<u64>,
    /// Messages acknowledged and not processed.
    #[serde(default)]
    pub behind: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a mirror stood whose consumer was never given ten messages, and whose server knew of no lag.
    #[test]
    fn what_lies_before_a_stream_is_passed_over() {
        let mut zone = Zone::new("b".parse().unwrap(), Role::Mirror);
        let stream = Stream { first_seq: 11, last_seq: 10, ..Stream::default() };
        zone.stream = Some(stream);
        assert_eq!(zone.passed_over(), None, "its consumer is not known");
        zone.consumer = Some(Consumer { ack_floor: Some(0), ..Consumer::default() });
        assert_eq!(zone.passed_over(), Some(10));
        zone.consumer = Some(Consumer { ack_floor: Some(12), ..Consumer::default() });
        assert_eq!(zone.passed_over(), Some(12));
    }
}
