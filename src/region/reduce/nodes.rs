//! Nodes: what their processes do, what they answer, and whom they take for leaders.

use super::{SILENT_MS, State, book::NodeSeen, set, set_quietly};
use crate::region::{
    UnixMs,
    event::EventKind,
    names::NodeName,
    observation::{NodeReport, ProcessState, ProcessTruth},
    status::{Container, MarkKind, Mirror, NodeState},
};

words! {
    /// The raft groups whose leaders are followed.
    enum RaftGroup {
        Stream = "stream",
        Consumer = "consumer",
        Meta = "meta",
    }
}

impl RaftGroup {
    fn vote(self, seen: &NodeSeen) -> Option<u8> {
        match self {
            Self::Stream => seen.leader,
            Self::Consumer => seen.consumer_leader,
            Self::Meta => seen.meta_leader,
        }
    }
}

impl State {
    /// Zone and place of a node.
    fn place(&self, node: &NodeName) -> Option<(usize, usize)> {
        let i = self.index(&node.zone)?;
        let n = self.status.zones[i].nodes.iter().position(|known| &known.name == node)?;
        Some((i, n))
    }

    /// What the platform knows of a process outranks what the node says.
    pub(super) fn process(
        &mut self,
        now: UnixMs,
        node: &NodeName,
        truth: ProcessTruth,
        events: &mut Vec<EventKind>,
    ) {
        let Some((i, n)) = self.place(node) else { return };
        let before = self.books[i].nodes[n].truth.replace(truth);
        let shown = &mut self.status.zones[i].nodes[n];
        let book = &mut self.books[i].nodes[n];
        let replaced = matches!(
            (before.and_then(|truth| truth.pid), truth.pid),
            (Some(old), Some(new)) if old != new
        );
        let state = match truth.state {
            ProcessState::Frozen => NodeState::Frozen,
            ProcessState::Stopped => NodeState::Stopped,
            ProcessState::Dead => NodeState::Dead,
            ProcessState::Running => match shown.state {
                NodeState::Stopped | NodeState::Dead => NodeState::Starting,
                _ if replaced => NodeState::Starting,
                NodeState::Frozen if book.answered => NodeState::Silent,
                NodeState::Frozen => NodeState::Starting,
                state => state,
            },
        };
        let mut change = set(&mut shown.pid, truth.pid);
        if !book.runs()
            && let Some(stream) = &mut self.status.zones[i].stream
        {
            // The leader notices seconds later, or never if it is alone; until its next word, which
            // is then read with this node in mind, nobody knows.
            change = change.max(set(&mut stream.replicas_current, None));
        }
        let shown = &mut self.status.zones[i].nodes[n];
        if book.ended() || state == NodeState::Starting && replaced {
            book.answered = false;
            book.seen = None;
            change = change.max(set(&mut shown.leafs, None));
            change = change.max(set_quietly(&mut shown.rss_bytes, None));
            change = change.max(set_quietly(&mut shown.cpu_percent, None));
        }
        self.changed(change);
        if self.books[i].nodes[n].ended() {
            self.foreign(now, node, Vec::new(), events);
        }
        self.node_state(now, i, n, state, events);
        self.elect(i, events);
    }

    /// What the engine tells of a node's container. Its measures move all the time.
    pub(super) fn container(&mut self, node: &NodeName, told: Container) {
        let Some((i, n)) = self.place(node) else { return };
        let shown = &mut self.status.zones[i].nodes[n].container;
        let same = |old: &Container| {
            let Container { name, id, state, health, restarts, .. } = &told;
            (&old.name, &old.id, &old.state, &old.health, &old.restarts)
                == (name, id, state, health, restarts)
        };
        let change = if shown.as_ref().is_some_and(same) {
            set_quietly(shown, Some(told))
        } else {
            set(shown, Some(told))
        };
        self.changed(change);
    }

    /// A node did not answer within its deadline.
    pub(super) fn silence(&mut self, now: UnixMs, node: &NodeName, events: &mut Vec<EventKind>) {
        let Some((i, n)) = self.place(node) else { return };
        if self.status.zones[i].nodes[n].state.answers() && !self.has_just_been_late(now) {
            self.node_state(now, i, n, NodeState::Silent, events);
            self.elect(i, events);
        }
    }

    /// A node said that it is leaving. It answers for some seconds more, and is not up again but as
    /// another server.
    pub(super) fn leaving(&mut self, now: UnixMs, node: &NodeName, events: &mut Vec<EventKind>) {
        let Some((i, n)) = self.place(node) else { return };
        if self.books[i].nodes[n].runs() {
            self.node_state(now, i, n, NodeState::Leaving, events);
            self.elect(i, events);
        }
    }

    /// Nodes that have not answered for too long, whether or not a watcher said so.
    pub(super) fn age_nodes(&mut self, now: UnixMs, events: &mut Vec<EventKind>) {
        if self.has_just_been_late(now) {
            return;
        }
        for i in 0..self.books.len() {
            for n in 0..self.books[i].nodes.len() {
                let node = &self.status.zones[i].nodes[n];
                let old = node.answered_at_ms.is_none_or(|at| now.saturating_sub(at) > SILENT_MS);
                if node.state.answers() && old {
                    self.node_state(now, i, n, NodeState::Silent, events);
                    self.elect(i, events);
                }
            }
        }
    }

    /// A node answered.
    pub(super) fn report(
        &mut self,
        now: UnixMs,
        node: &NodeName,
        report: NodeReport,
        events: &mut Vec<EventKind>,
    ) {
        let Some((i, n)) = self.place(node) else { return };
        // A watcher's clock may be ahead of the owner's by a hair; a fact is never from later.
        let at_ms = report.at_ms.min(now);
        let book = &mut self.books[i];
        let older = book.nodes[n]
            .seen
            .as_ref()
            .is_some_and(|seen| seen.at_ms > at_ms && seen.server_id == report.server_id);
        if !book.nodes[n].runs() || older {
            return;
        }
        let seen = NodeSeen::of(&report, &node.zone, &book.consumer, at_ms);
        let before = book.nodes[n].seen.as_ref();
        let before = before.filter(|before| before.server_id == seen.server_id);
        // Said once, it may be a server that is ending in order.
        let js_off = seen.js_off && before.is_some_and(|before| before.js_off);
        let leaves = before.is_some() && self.status.zones[i].nodes[n].state == NodeState::Leaving;
        let shown = &mut self.status.zones[i].nodes[n];
        let mut change = set(&mut shown.leafs, Some(seen.leafs));
        change = change.max(set_quietly(&mut shown.rss_bytes, report.rss_bytes));
        change = change.max(set_quietly(&mut shown.cpu_percent, report.cpu_percent));
        change = change.max(set_quietly(&mut shown.answered_at_ms, Some(at_ms)));
        book.nodes[n].seen = Some(seen);
        book.nodes[n].answered = true;
        self.changed(change);
        if now.saturating_sub(at_ms) <= SILENT_MS && !leaves {
            let state = if js_off { NodeState::JsOff } else { NodeState::Up };
            self.node_state(now, i, n, state, events);
        }
        if let Some(foreign) = report.foreign {
            self.foreign(now, node, foreign, events);
        }
        if report.foreign_unlisted > 0 {
            self.strangers.leave_out(now, report.foreign_unlisted);
        }
        self.elect(i, events);
        let leads = self.books[i].leader.now == Some(node.number);
        if self.status.server_version.is_none() || leads && self.status.zones[i].is_hub() {
            self.server_version(report.version);
        }
        match &report.stream {
            Some(stream) => self.stream_told(now, (i, Some(n)), at_ms, stream),
            None => self.stream_missing(i),
        }
    }

    /// Most of a zone's nodes answer and none of them has the stream: it is gone, and its numbers
    /// are those of nothing.
    fn stream_missing(&mut self, i: usize) {
        let zone = &mut self.status.zones[i];
        let answers: Vec<bool> = (zone.nodes.iter().zip(&self.books[i].nodes))
            .filter(|(node, _)| node.state == NodeState::Up)
            .filter_map(|(_, book)| Some(book.seen.as_ref()?.has_stream))
            .collect();
        let most = answers.len() * 2 > zone.nodes.len();
        if !most || answers.contains(&true) || zone.stream.take().is_none() {
            return;
        }
        if let Some(consumer) = &mut zone.consumer {
            consumer.forget_numbers();
        }
        if let Some(mirror) = &mut zone.mirror {
            *mirror = Mirror { heard_at_ms: mirror.heard_at_ms, ..Mirror::default() };
        }
        self.books[i].words.clear();
        self.touch();
    }

    fn node_state(
        &mut self,
        now: UnixMs,
        i: usize,
        n: usize,
        to: NodeState,
        events: &mut Vec<EventKind>,
    ) {
        let node = &mut self.status.zones[i].nodes[n];
        let from = std::mem::replace(&mut node.state, to);
        if from == to {
            return;
        }
        node.since_at_ms = now;
        let name = node.name.clone();
        self.touch();
        if self.hushed(i) {
            return;
        }
        // Silence is noticed, not done to a node; and `up` follows `starting` by itself.
        let done_to_it = match (from, to) {
            (_, NodeState::Frozen | NodeState::Stopped | NodeState::Dead) => Some(to.as_str()),
            (_, NodeState::Starting) => Some("started"),
            (NodeState::Frozen, _) => Some("thawed"),
            _ => None,
        };
        if let Some(word) = done_to_it {
            let zone = name.zone.clone();
            self.push_mark(now, MarkKind::Node, Some(zone), format!("{name} {word}"));
        }
        events.push(EventKind::NodeChanged { node: name, from, to });
    }

    /// Finds the zone's leaders: whom most of the nodes that answer take for it, unless it is
    /// known to be ended or suspended. A node's view of itself alone is not enough: a leader that
    /// was suspended still takes itself for one when it wakes up.
    fn elect(&mut self, i: usize, events: &mut Vec<EventKind>) {
        for &group in RaftGroup::ALL {
            let leader = self.tally(i, group);
            let book = &mut self.books[i];
            let known = match group {
                RaftGroup::Stream => &mut book.leader,
                RaftGroup::Consumer => &mut book.consumer_leader,
                RaftGroup::Meta => &mut book.meta_leader,
            };
            let news = known.now != leader;
            known.now = leader;
            let announce = news && known.ever;
            known.ever |= leader.is_some();
            if !news {
                continue;
            }
            let zone = &mut self.status.zones[i];
            let mut name = None;
            for node in &mut zone.nodes {
                let leads = leader == Some(node.name.number);
                match group {
                    RaftGroup::Stream => node.leader = leads,
                    RaftGroup::Consumer => node.consumer_leader = leads,
                    RaftGroup::Meta => node.meta_leader = leads,
                }
                if leads {
                    name = Some(node.name.to_string());
                }
            }
            match group {
                RaftGroup::Stream => {
                    if let Some(stream) = &mut zone.stream {
                        stream.leader.clone_from(&name);
                        // Only a leader knows, and this one has not told yet.
                        stream.replicas_current = None;
                    }
                }
                RaftGroup::Consumer => {
                    if let Some(consumer) = &mut zone.consumer {
                        consumer.leader.clone_from(&name);
                    }
                }
                RaftGroup::Meta => {}
            }
            let zone = zone.name.clone();
            self.touch();
            if announce && !self.hushed(i) {
                let group = group.as_str().to_owned();
                events.push(EventKind::LeaderChanged { zone, group, leader: name });
            }
        }
    }

    /// The outcome of a vote. While nobody can be asked, the last known leader counts on unless it
    /// has ended. One that gave up JetStream leads nothing, though the others take seconds to vote
    /// again.
    fn tally(&self, i: usize, group: RaftGroup) -> Option<u8> {
        let zone = &self.status.zones[i];
        let book = &self.books[i];
        let can_lead = |number: u8| {
            zone.nodes.iter().any(|node| {
                node.name.number == number
                    && !matches!(
                        node.state,
                        NodeState::Dead
                            | NodeState::Stopped
                            | NodeState::Frozen
                            | NodeState::JsOff
                            | NodeState::Leaving
                    )
            })
        };
        let mut voters = 0;
        let mut votes: Vec<(u8, u32)> = Vec::new();
        for (node, known) in zone.nodes.iter().zip(&book.nodes) {
            let Some(seen) = known.seen.as_ref().filter(|_| node.state == NodeState::Up) else {
                continue;
            };
            voters += 1;
            let Some(number) = group.vote(seen).filter(|number| can_lead(*number)) else {
                continue;
            };
            match votes.iter_mut().find(|(candidate, _)| *candidate == number) {
                Some((_, count)) => *count += 1,
                None => votes.push((number, 1)),
            }
        }
        let known = match group {
            RaftGroup::Stream => book.leader,
            RaftGroup::Consumer => book.consumer_leader,
            RaftGroup::Meta => book.meta_leader,
        };
        if voters == 0 {
            return known.now.filter(|number| can_lead(*number));
        }
        votes
            .iter()
            .max_by_key(|(number, count)| (*count, known.now == Some(*number)))
            .map(|(number, _)| *number)
    }
}
