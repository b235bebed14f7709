//! Links: what both ends show, and the life of a cut.

use super::{State, note, set, set_quietly};
use crate::region::{
    UnixMs,
    event::{EventKind, Severity},
    names::{NodeName, ZoneName},
    recovery,
    status::{LinkState, MarkKind, NodeState},
    topology::CutKind,
};

/// Pings come a little late on a busy machine.
const NOTICE_MARGIN_MS: u64 = 1_500;

/// When the servers' pings must have found out what was unplugged at `since`.
fn found_out(since: UnixMs) -> UnixMs {
    since + CutKind::Unplug.notice_ms().unwrap_or_default() + NOTICE_MARGIN_MS
}

/// Leafnode connections at one end of a link.
#[derive(Clone, Copy, Debug, Default)]
struct End {
    /// At least so many, by the answers that count.
    seen: u32,
    /// Exactly so many; `None` while a node that may have some has not answered.
    all: Option<u32>,
}

impl State {
    /// A cut was commanded; the relay has not confirmed it yet.
    pub(super) fn cut_begun(
        &mut self,
        now: UnixMs,
        zone: &ZoneName,
        kind: CutKind,
        heals_at_ms: Option<UnixMs>,
    ) -> Vec<EventKind> {
        let Some(i) = self.index(zone) else { return Vec::new() };
        let target = &mut self.status.zones[i];
        let Some(link) = &mut target.link else { return Vec::new() };
        link.state = LinkState::Cut;
        // A cut takes the place of whatever was asked of the link.
        link.condition = None;
        link.stuck = None;
        link.kind = Some(kind);
        link.effective = false;
        link.severed_in_ms = None;
        link.proved_in_ms = None;
        link.shown_by = None;
        link.since_at_ms = now;
        link.heals_at_ms = heals_at_ms;
        // The clock of the last heal says nothing about this cut, and one that still runs has no
        // end to be timed.
        target.recovery = None;
        let book = &mut self.books[i];
        book.clock = None;
        book.link_speaks_after = now;
        book.proved_ms = now;
        book.carried = super::book::Carried::default();
        self.push_mark(now, MarkKind::Cut, Some(zone.clone()), format!("cut {zone}"));
        Vec::new()
    }

    /// The relay has stopped carrying traffic, that long after the command.
    pub(super) fn severed(&mut self, zone: &ZoneName, after_ms: u64) -> Vec<EventKind> {
        let Some(i) = self.index(zone) else { return Vec::new() };
        let Some(link) = &mut self.status.zones[i].link else { return Vec::new() };
        if link.state != LinkState::Cut || link.severed_in_ms.is_some() {
            return Vec::new();
        }
        link.severed_in_ms = Some(after_ms);
        self.touch();
        vec![EventKind::LinkSevered { zone: zone.clone(), after_ms }]
    }

    /// Both ends were seen without a leafnode connection, that long after the command. A leafnode
    /// that shows up in a later answer takes the proof back.
    pub(super) fn cut_proved(
        &mut self,
        now: UnixMs,
        zone: &ZoneName,
        after_ms: u64,
    ) -> Vec<EventKind> {
        let Some(i) = self.index(zone) else { return Vec::new() };
        let Some(link) = &mut self.status.zones[i].link else { return Vec::new() };
        if link.state != LinkState::Cut || link.effective {
            return Vec::new();
        }
        link.effective = true;
        link.proved_in_ms = Some(after_ms);
        self.books[i].proved_ms = now;
        self.touch();
        let mut events = vec![EventKind::CutEffective { zone: zone.clone(), after_ms }];
        // A picture of a proved cut does not list the connections of before it.
        self.judge_link(now, i, &mut events);
        events
    }

    /// The cut could not be made: the link is again what the nodes show.
    pub(super) fn cut_failed(&mut self, now: UnixMs, zone: &ZoneName) -> Vec<EventKind> {
        self.end_cut(now, zone);
        let mut events = Vec::new();
        self.judge(now, &mut events);
        events
    }

    /// A heal was commanded: the cut is over, the recovery clock runs. `acked` is the highest
    /// sequence the source has acknowledged: the leaders' last answers may be a moment older.
    pub(super) fn heal_begun(
        &mut self,
        now: UnixMs,
        zone: &ZoneName,
        acked: Option<u64>,
    ) -> Vec<EventKind> {
        // Of a cut of others that nothing showed there is nothing to recover from.
        let shown = self.index(zone).map(|i| &self.status.zones[i]).is_some_and(|zone| {
            !zone.nodes.is_empty() || zone.link.as_ref().is_some_and(|link| link.effective)
        });
        let impaired = self.index(zone).is_some_and(|i| self.end_condition(now, i));
        if !self.end_cut(now, zone) && !impaired {
            return Vec::new();
        }
        if let Some(i) = self.index(zone).filter(|_| shown) {
            let target = &mut self.status.zones[i];
            let last_seq = target
                .stream
                .as_ref()
                .filter(|stream| super::fresh(now, stream.told_at_ms))
                .map(|stream| stream.last_seq);
            let told = target.mirror.as_ref().and_then(|mirror| mirror.true_lag);
            let missed = acked.zip(last_seq).map(|(acked, last)| acked.saturating_sub(last));
            let behind = told.map(|told| told.max(missed.unwrap_or(0)));
            let (shown, clock) = recovery::begin(now, last_seq, behind);
            target.recovery = Some(shown);
            self.books[i].clock = Some(clock);
        }
        self.push_mark(now, MarkKind::Heal, Some(zone.clone()), format!("heal {zone}"));
        Vec::new()
    }

    /// The heal could not be made: the link is cut again, which nobody has proved.
    pub(super) fn heal_failed(
        &mut self,
        now: UnixMs,
        zone: &ZoneName,
        kind: CutKind,
    ) -> Vec<EventKind> {
        self.cut_begun(now, zone, kind, None);
        vec![note(
            Severity::Warn,
            format!("zone {zone} could not be healed and stays cut: `heal {zone}` tries again"),
        )]
    }

    /// A node was taken off the network of the links by somebody, or is on it again. What its server
    /// still lists as connections carries nothing, and never will.
    pub(super) fn went_astray(
        &mut self,
        now: UnixMs,
        node: &NodeName,
        off: bool,
        events: &mut Vec<EventKind>,
    ) {
        let Some(i) = self.index(&node.zone) else { return };
        let nodes = &self.status.zones[i].nodes;
        let Some(n) = nodes.iter().position(|known| &known.name == node) else { return };
        let book = &mut self.books[i];
        let known = &mut book.nodes[n];
        match (off, known.astray_ms) {
            (true, None) => known.astray_ms = Some(now),
            (false, Some(since)) => {
                known.astray_ms = None;
                if let Some(seen) = &known.seen {
                    let ids = seen.leafs_of.iter().map(|(id, _)| (seen.server_id.clone(), *id));
                    book.dead_leafs.extend(ids);
                    book.dead_until = book.dead_until.max(found_out(since));
                }
                if known.runs() {
                    let text = format!("{node} is on the WAN network again");
                    events.push(note(Severity::Info, text));
                }
            }
            _ => return,
        }
        self.touch();
    }

    /// Since when nodes of the zone are off the network of the links, though nobody cut it: since
    /// the first of them is.
    #[must_use]
    pub fn astray_since(&self, zone: &ZoneName) -> Option<UnixMs> {
        self.books[self.index(zone)?].nodes.iter().filter_map(|node| node.astray_ms).min()
    }

    /// The mirror's leader was asked to step down to hurry it.
    pub(super) fn nudged(&mut self, zone: &ZoneName) -> Vec<EventKind> {
        if let Some(i) = self.index(zone)
            && let Some(recovery) = &mut self.status.zones[i].recovery
            && recovery.caught_up_after_ms.is_none()
        {
            let change = set(&mut recovery.nudged, true);
            self.changed(change);
        }
        Vec::new()
    }

    /// Takes the link out of the cut: down, until answers from after this moment show it up.
    fn end_cut(&mut self, now: UnixMs, zone: &ZoneName) -> bool {
        let Some(i) = self.index(zone) else { return false };
        let unplugged = self.status.zones[i]
            .link
            .as_ref()
            .filter(|link| link.kind == Some(CutKind::Unplug))
            .map(|link| link.since_at_ms);
        if let Some(since) = unplugged {
            // Servers list them until their pings find them out; they carry nothing any more.
            self.books[i].dead_leafs = self.leafs_between(i);
            self.books[i].dead_until = found_out(since);
        }
        let Some(link) = &mut self.status.zones[i].link else { return false };
        if link.state != LinkState::Cut {
            return false;
        }
        link.state = LinkState::Down;
        link.kind = None;
        link.shown_by = None;
        link.effective = false;
        link.severed_in_ms = None;
        link.proved_in_ms = None;
        link.heals_at_ms = None;
        link.since_at_ms = now;
        self.books[i].link_speaks_after = now;
        self.touch();
        true
    }

    /// The connections of a zone's link that its nodes and the source's last listed.
    fn leafs_between(&self, i: usize) -> Vec<(String, u64)> {
        let zone = &self.status.zones[i].name;
        let here = self.books[i].nodes.iter().map(|node| (node, false));
        let there = self.source_index().into_iter().flat_map(|s| &self.books[s].nodes);
        here.chain(there.map(|node| (node, true)))
            .filter_map(|(node, theirs)| Some((node.seen.as_ref()?, theirs)))
            .flat_map(|(seen, theirs)| {
                let mine = move |of: &Option<ZoneName>| !theirs || of.as_ref() == Some(zone);
                let ids = seen.leafs_of.iter().filter(move |(_, of)| mine(of));
                ids.map(|(id, _)| (seen.server_id.clone(), *id))
            })
            .collect()
    }

    /// One end of a link: the zone's own connections, or those of `of` at the source, but for the
    /// dead ones. Only answers from after `since` are seen; with a `proof` of that moment that there
    /// are none, older ones count for nothing.
    fn end(
        &self,
        place: usize,
        of: Option<&ZoneName>,
        (since, proof): (UnixMs, bool),
        dead: &[(String, u64)],
    ) -> End {
        let mut end = End { seen: 0, all: Some(0) };
        for (node, book) in self.status.zones[place].nodes.iter().zip(&self.books[place].nodes) {
            let leafs = match (&book.seen, node.state) {
                (_, NodeState::Dead | NodeState::Stopped) => Some(0),
                _ if book.astray_ms.is_some() => Some(0),
                (Some(seen), _) if proof && seen.at_ms <= since => Some(0),
                (Some(seen), state) if state.answers() => {
                    let count = seen.living(of, dead);
                    if seen.at_ms > since {
                        end.seen = end.seen.saturating_add(count);
                    }
                    Some(count)
                }
                _ => None,
            };
            end.all = end.all.zip(leafs).map(|(sum, leafs)| sum.saturating_add(leafs));
        }
        end
    }

    pub(super) fn judge_link(&mut self, now: UnixMs, i: usize, events: &mut Vec<EventKind>) {
        let zone = &self.status.zones[i];
        let (Some(old), Some(source)) = (&zone.link, self.source_index()) else { return };
        // Of servers that are not seen, the ends are told otherwise.
        if zone.nodes.is_empty() {
            return;
        }
        let name = zone.name.clone();
        let cut = old.state == LinkState::Cut;
        let book = &self.books[i];
        let since = if cut { book.proved_ms } else { book.link_speaks_after };
        let dead: &[_] = if now < book.dead_until && !cut { &book.dead_leafs } else { &[] };
        let since = (since, cut && old.effective);
        let here = self.end(i, None, since, dead);
        let there = self.end(source, Some(&name), since, dead);
        let healed = zone.recovery.as_ref().map(|recovery| recovery.healed_at_ms);
        let up_here: Vec<bool> = zone.nodes.iter().map(|n| n.state == NodeState::Up).collect();
        let nodes = self.books[i].nodes.iter_mut().zip(up_here).filter(|(_, up)| *up);
        let rtt = nodes.filter_map(|(node, _)| node.round_trip(healed)).min();
        let up = here.seen > 0 && there.seen > 0;
        let down = here.all == Some(0) || there.all == Some(0);
        let hushed = self.hushed(i);
        let stuck = if up && !cut { self.stuck(now, i) } else { None };
        let mut change = self.note_stuck(i, stuck, events);

        let Some(link) = &mut self.status.zones[i].link else { return };
        change = change.max(set(&mut link.leafs_here, here.all));
        change = change.max(set(&mut link.leafs_there, there.all));
        change = change.max(set_quietly(&mut link.rtt_us, rtt));
        if cut {
            if link.effective && (here.seen > 0 || there.seen > 0) {
                link.effective = false;
                link.proved_in_ms = None;
                change = super::Change::Real;
                events.push(note(
                    Severity::Error,
                    format!(
                        "link to {name}: the cut leaks, {} leafnode connection(s) in zone {name} and {} at the source",
                        here.seen, there.seen
                    ),
                ));
            }
        } else {
            let state = match (up, down) {
                (true, _) if stuck.is_some() => LinkState::Stuck,
                (true, _) if link.condition.is_some() => LinkState::Impaired,
                (true, _) => LinkState::Up,
                (false, true) => LinkState::Down,
                (false, false) => link.state,
            };
            if link.state != state {
                link.state = state;
                link.since_at_ms = now;
                change = super::Change::Real;
                if !hushed {
                    events.push(EventKind::LinkChanged { zone: name, to: state });
                }
            }
        }
        self.changed(change);
    }
}
