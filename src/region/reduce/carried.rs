//! What a link carries: what its carrier counts, what its ends see, what that proves of its
//! condition, and whether anything moves that should.

mod looks;

use std::collections::BTreeSet;

use super::{
    Change, State,
    book::{Carried, Look},
    fresh, note, set, set_quietly,
};
use crate::region::{
    UnixMs,
    condition::{
        LinkCondition,
        measured::{self, Echo, LinkCount, Stuck, StuckCause},
    },
    event::{EventKind, Severity},
    format::seconds,
    names::ZoneName,
    status::{Link, LinkState, MarkKind, NodeState},
};

/// Two looks that are closer to each other say nothing about a rate.
const APART_MS: u64 = 400;
/// Traffic that should move, and has not for so long, makes a link stuck. With the looks' own time
/// it is found within 3 s.
const STUCK_MS: u64 = 2_000;
/// Fewer bytes a second than this are the servers' own pings.
const TRICKLE: u64 = 100;

impl State {
    /// A condition was commanded; its carrier has not confirmed it.
    pub(super) fn impair_begun(
        &mut self,
        now: UnixMs,
        zone: &ZoneName,
        condition: LinkCondition,
        heals_at_ms: Option<UnixMs>,
    ) -> Vec<EventKind> {
        let Some(i) = self.index(zone) else { return Vec::new() };
        let seen = self.books[i].nodes.iter().filter_map(|node| node.seen.as_ref());
        let before = seen
            .flat_map(|seen| seen.leafs_of.iter().map(|(id, _)| (seen.server_id.clone(), *id)))
            .collect();
        let Some(link) = &mut self.status.zones[i].link else { return Vec::new() };
        if link.state == LinkState::Cut {
            return Vec::new();
        }
        link.condition = Some(condition);
        link.effective = false;
        link.proved_in_ms = None;
        link.heals_at_ms = heals_at_ms;
        link.since_at_ms = now;
        link.stuck = None;
        if link.state.connected() {
            link.state = LinkState::Impaired;
        }
        // What the mirror had, it has under whatever condition.
        let even = self.books[i].carried.even;
        self.books[i].carried = Carried { asked_at_ms: now, before, even, ..Carried::default() };
        let text = format!("impair {zone}");
        self.push_mark(now, MarkKind::Cut, Some(zone.clone()), text);
        vec![note(Severity::Warn, format!("link to {zone}: {condition}, not measured yet"))]
    }

    /// The carrier has it so, that long after the command.
    pub(super) fn impaired(&mut self, now: UnixMs, zone: &ZoneName) -> Vec<EventKind> {
        if let Some(i) = self.index(zone) {
            self.books[i].carried.in_effect_at_ms = Some(now);
        }
        Vec::new()
    }

    /// The carrier could not: the link is what it was.
    pub(super) fn impair_failed(
        &mut self,
        now: UnixMs,
        zone: &ZoneName,
        condition: Option<LinkCondition>,
    ) -> Vec<EventKind> {
        let Some(i) = self.index(zone) else { return Vec::new() };
        self.end_condition(now, i);
        if let Some(link) = &mut self.status.zones[i].link {
            link.condition = condition;
        }
        self.books[i].carried.in_effect_at_ms = condition.map(|_| now);
        let mut events = Vec::new();
        self.judge(now, &mut events);
        events
    }

    /// Nothing is asked of the link any more. Was something?
    pub(super) fn end_condition(&mut self, now: UnixMs, i: usize) -> bool {
        let Some(link) = &mut self.status.zones[i].link else { return false };
        let was = link.condition.take().is_some();
        if was && link.state != LinkState::Cut {
            link.effective = false;
            link.proved_in_ms = None;
            link.heals_at_ms = None;
            link.since_at_ms = now;
        }
        link.stuck = None;
        // What was counted under it says nothing of the link from now on.
        link.measured = link.measured.take().filter(|_| !was);
        let even = self.books[i].carried.even;
        self.books[i].carried = Carried { even, ..Carried::default() };
        self.touch();
        was
    }

    /// What the carrier counted, and whether a request over the link was answered.
    pub(super) fn carried(
        &mut self,
        now: UnixMs,
        zone: &ZoneName,
        count: Option<&LinkCount>,
        echo: Option<Echo>,
        events: &mut Vec<EventKind>,
    ) {
        let Some(i) = self.index(zone) else { return };
        let told = |place: usize| {
            let stream = self.status.zones[place].stream.as_ref()?;
            fresh(now, stream.told_at_ms).then_some((stream.last_seq, stream.bytes))
        };
        let (source, mirror) = (self.source_index().and_then(told), told(i));
        let (source, bytes) = (source.map(|told| told.0), source.map(|told| told.1));
        let mirror = mirror.map(|told| told.0);
        let taken = self.books[i]
            .nodes
            .iter()
            .map(|node| node.seen.as_ref().filter(|seen| fresh(now, seen.at_ms))?.leaf_bytes);
        let taken = taken.sum();
        let look = count.map(|count| Look {
            at_ms: now,
            count: *count,
            source,
            mirror,
            bytes,
            taken,
            full: (false, false),
        });
        let book = &mut self.books[i];
        let carried = &mut book.carried;
        let Some(link) = &mut self.status.zones[i].link else { return };
        if let Some(echo) = echo {
            carried.echoed(&echo);
        }
        let Some(look) = look else { return };
        carried.looked(look, link.condition.as_ref());
        // Only answers from after the command say which connections are gone.
        let began = carried.asked_at_ms;
        let told: Vec<_> = book.nodes.iter().filter_map(|node| node.seen.as_ref()).collect();
        let lives = |(server, id): &(String, u64)| {
            told.iter().any(|seen| {
                seen.server_id == *server && seen.leafs_of.iter().any(|(known, _)| known == id)
            })
        };
        let reconnected = !told.is_empty()
            && told.iter().all(|seen| seen.at_ms > began)
            && !carried.before.is_empty()
            && !carried.before.iter().any(lives);
        carried.seen.reconnected |= reconnected;
        let mut change =
            set_quietly(&mut link.measured, Some(carried.measured(now, link.condition.is_some())));
        if let Some(asked) = link.condition.filter(|_| link.state != LinkState::Cut) {
            let proof = measured::prove(&asked, &carried.seen);
            let proved = carried.in_effect_at_ms.is_some() && proof.unproved.is_empty();
            if let Some(measured) = &mut link.measured {
                measured.unproved.clone_from(&proof.unproved);
            }
            if proved && !link.effective {
                let after_ms = now.saturating_sub(carried.asked_at_ms);
                link.proved_in_ms = Some(after_ms);
                events.push(note(
                    Severity::Warn,
                    format!(
                        "link to {zone}: {asked}, seen by its carrier and at both ends ({} after the command)",
                        seconds(after_ms)
                    ),
                ));
            } else if !proved && link.effective {
                let what: Vec<&str> = proof.refuted.iter().map(|one| one.as_str()).collect();
                events.push(note(
                    Severity::Error,
                    format!("link to {zone}: not as asked any more ({})", what.join(", ")),
                ));
            }
            if !proved {
                link.proved_in_ms = None;
            }
            change = change.max(set(&mut link.effective, proved));
        }
        self.changed(change);
    }

    /// The zones over whose links requests are to be sent.
    #[must_use]
    pub fn probed(&self, now: UnixMs) -> BTreeSet<ZoneName> {
        let all = self.status.zones.iter().zip(&self.books);
        let suspect = all.filter(|(zone, book)| {
            let link = zone.link.as_ref().filter(|link| link.state.connected());
            let since =
                book.mirror.behind_since.map(|since| since.max(book.mirror.moved_ms.unwrap_or(0)));
            let waits = since.is_some_and(|since| now.saturating_sub(since) > APART_MS);
            link.is_some_and(|link| link.condition.is_some() || waits)
        });
        suspect.map(|(zone, _)| zone.name.clone()).collect()
    }

    /// Why nothing moves over the link of zone `i`, if that is so.
    pub(super) fn stuck(&self, now: UnixMs, i: usize) -> Option<Stuck> {
        let (zone, book) = (&self.status.zones[i], &self.books[i]);
        let link = zone.link.as_ref()?;
        let behind = zone.mirror.as_ref()?.true_lag.filter(|lag| *lag > 0)?;
        let source = self.source_index()?;
        let whole = |zone: usize| {
            self.status.zones[zone].nodes.iter().all(|node| node.state == NodeState::Up)
        };
        // A mirror waits for many reasons; a node that is away, and a heal, explain it otherwise.
        let healing =
            zone.recovery.as_ref().is_some_and(|clock| clock.caught_up_after_ms.is_none());
        if !whole(i) || !whole(source) || healing {
            return None;
        }
        let since = book.mirror.behind_since?.max(book.mirror.moved_ms.unwrap_or(0));
        if now.saturating_sub(since) < STUCK_MS {
            return None;
        }
        let asked = link.condition.unwrap_or_default();
        let queued_bytes = book.carried.looks.back().map_or(0, |look| look.count.to_zone.queued);
        let passes = link.measured.as_ref().and_then(|m| m.to_zone.bytes_per_s).unwrap_or(0);
        let cause = if asked.to_zone.silent || asked.from_zone.silent {
            StuckCause::OneWay
        } else if book.carried.holes(since) {
            StuckCause::Mtu
        } else if queued_bytes > 0 && asked.to_zone.rate_bps.is_some() {
            StuckCause::Rate
        } else if queued_bytes > 0 && passes < TRICKLE {
            StuckCause::Receiver
        } else if book.carried.unanswered {
            StuckCause::Unknown
        } else {
            // Requests pass over it and come back: the link moves, and the mirror does not.
            return None;
        };
        Some(Stuck { cause, behind, since_at_ms: since, queued_bytes })
    }

    /// Takes over whether the link is stuck, and tells it.
    pub(super) fn note_stuck(
        &mut self,
        i: usize,
        stuck: Option<Stuck>,
        events: &mut Vec<EventKind>,
    ) -> Change {
        let hushed = self.hushed(i);
        let zone = self.status.zones[i].name.clone();
        let Some(link) = &mut self.status.zones[i].link else { return Change::None };
        if let (None, Some(stuck), false) = (&link.stuck, &stuck, hushed) {
            let text = format!(
                "link to {zone} is connected and nothing moves: {}",
                Link { stuck: Some(*stuck), ..link.clone() }.why_stuck().unwrap_or_default()
            );
            events.push(note(Severity::Error, text));
        }
        set(&mut link.stuck, stuck)
    }
}
