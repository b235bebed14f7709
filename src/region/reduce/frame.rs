//! One frame: the figures that stand beside each other, brought to one cut-off.
//!
//! Every figure is measured, but not at the same moment: leaders answer half a second apart, and
//! the ledger counts in between. Side by side such figures contradict each other while messages
//! flow (a mirror ahead of its source, more stored than published). A frame therefore never holds
//! the newest of everything. What one zone proves about another raises it: a mirror cannot hold
//! what the source never had. What nothing confirms yet is held back: the source's stream stands
//! where the slowest mirror in step with it stands, and nothing is stored that neither this
//! region's producers nor anybody else is known to have published.

use serde::{Deserialize, Serialize};

use super::{State, flow, fresh};
use crate::region::{
    UnixMs,
    status::{LinkState, MirrorState, Status, Stream, Zone},
    topology::Role,
};

/// Messages on the source's stream beyond those that the ledger knows of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Excess {
    /// The ledger has reported.
    pub accounted: bool,
    /// How many there are. They were on the stream a second before, so that no acknowledgement is
    /// still on its way.
    pub count: u64,
    /// The source's last sequence at the last tick.
    then: Option<u64>,
}

impl State {
    /// The status at `now`, brought to one cut-off. What has become too old since the last input
    /// is unknown: a lag, and what a silent leader thought of its replicas.
    #[must_use]
    pub fn status(&self, now: UnixMs) -> Status {
        let mut frame = self.status.clone();
        frame.at_ms = now;
        if frame.zones.iter().any(|zone| zone.recorded.is_some()) {
            return frame;
        }
        expire(&mut frame, now);
        for (zone, book) in frame.zones.iter_mut().zip(&self.books) {
            let consumer = zone.consumer.as_ref();
            let delivered =
                consumer.and_then(|consumer| consumer.delivered.max(consumer.ack_floor));
            let received = zone.ledger.received.saturating_sub(book.received_before);
            if let Some(stream) = &mut zone.stream {
                // A consumer gets nothing that its stream does not hold.
                raise(stream, received.max(delivered.unwrap_or(0)));
            }
        }
        if let Some(source) = self.source_index() {
            self.align(&mut frame, source, now);
        }
        for (zone, book) in frame.zones.iter_mut().zip(&self.books) {
            settle(zone, book.received_before);
        }
        frame
    }

    /// Brings the zones' streams to the source's, and the source's to what is published.
    fn align(&self, frame: &mut Status, source: usize, now: UnixMs) {
        let replaced = self.books[source].created_anew.is_some();
        let of_source = |i: usize, zone: &Zone| {
            zone.role == Role::Mirror && !replaced && self.books[i].mirror.follows()
        };
        let mirrors: Vec<usize> =
            (0..frame.zones.len()).filter(|i| of_source(*i, &frame.zones[*i])).collect();
        let held = mirrors.iter().filter_map(|i| in_step(&frame.zones[*i])).min();
        let most = mirrors.iter().filter_map(|i| frame.zones[*i].last_seq()).max();
        let last = frame.zones[source].last_seq().max(most).unwrap_or(0);
        // Before the ledger has reported, nothing on the stream is known to be this region's.
        let excess = if self.excess.accounted { self.excess.count } else { last };
        let producer = &mut frame.producer;
        let unknown = excess.min(producer.unknown);
        let ledger = &self.status.zones[source].ledger;
        // What was received was published, though its acknowledgement is still on its way.
        let received = self.status.zones.iter().map(|zone| zone.ledger.received).max().unwrap_or(0);
        producer.published = producer.acked.saturating_add(unknown).max(received);
        producer.foreign = (ledger.unexpected)
            .saturating_add(ledger.foreign)
            .saturating_add(producer.baseline)
            .saturating_add(excess - unknown);
        let known =
            (producer.published).saturating_add(producer.foreign).saturating_add(ledger.duplicates);
        let Some(stream) = &mut frame.zones[source].stream else { return };
        let reported = stream.last_seq;
        raise(stream, most.unwrap_or(0));
        if fresh(now, stream.told_at_ms) {
            hold(stream, held);
        }
        hold(stream, Some(known));
        let last = stream.last_seq;
        for i in mirrors {
            let zone = &mut frame.zones[i];
            let (Some(stream), Some(mirror)) = (&mut zone.stream, &mut zone.mirror) else {
                continue;
            };
            // How far a mirror is behind that has more than the source last reported is unknown,
            // unless it was in step.
            let known = stream.last_seq <= reported || mirror.true_lag == Some(0);
            hold(stream, Some(last));
            let lag = last - stream.last_seq;
            mirror.true_lag = mirror.true_lag.filter(|_| known).map(|_| lag);
        }
        if replaced {
            // The source may have been recreated: its next report tells.
            for mirror in frame.zones.iter_mut().filter_map(|zone| zone.mirror.as_mut()) {
                mirror.true_lag = None;
                if mirror.state != MirrorState::Diverged {
                    mirror.state = MirrorState::Unknown;
                }
            }
        }
    }

    /// Once a second: what has been on the source's stream for that long and is still not accounted
    /// for.
    pub(super) fn count_excess(&mut self, now: UnixMs) {
        let stream = self.source_index().and_then(|i| self.status.zones[i].stream.as_ref());
        let seen = stream.filter(|stream| fresh(now, stream.told_at_ms)).map(|s| s.last_seq);
        let then = self.excess.then;
        self.excess.then = seen.or(then);
        if let Some(then) = then {
            let count = then.saturating_sub(self.accounted());
            if self.excess.count != count {
                self.excess.count = count;
                self.touch();
            }
        }
    }

    /// The source's stream is seen for the first time: what the ledger does not know of it was
    /// there before.
    pub(super) fn first_seen(&mut self, last_seq: u64) {
        self.excess.then = Some(last_seq);
        self.excess.count = last_seq.saturating_sub(self.accounted());
    }

    /// The ledger reported: what it accounts for now is no excess.
    pub(super) fn explain_excess(&mut self) {
        if !std::mem::replace(&mut self.excess.accounted, true) {
            self.touch();
        }
        let Some(last) = self.source_index().and_then(|i| self.status.zones[i].last_seq()) else {
            return;
        };
        let most = last.saturating_sub(self.accounted());
        if self.excess.count > most {
            self.excess.count = most;
            self.touch();
        }
    }

    /// Messages on the source's stream that the ledger knows: acknowledged, there twice, foreign.
    fn accounted(&self) -> u64 {
        let ledger = self.source_index().map(|i| self.status.zones[i].ledger).unwrap_or_default();
        let acked = self.status.producer.acked;
        acked
            .saturating_add(ledger.duplicates)
            .saturating_add(ledger.unexpected)
            .saturating_add(ledger.foreign)
            .saturating_add(self.status.producer.baseline)
    }
}

/// Makes unknown what is too old to be relied upon.
fn expire(frame: &mut Status, now: UnixMs) {
    let reported = |zone: &Zone| zone.stream.as_ref().is_some_and(|s| fresh(now, s.told_at_ms));
    let source_fresh = frame.source().is_some_and(reported);
    for zone in &mut frame.zones {
        flow::expire(zone, now);
        let here_fresh = reported(zone);
        if let Some(stream) = zone.stream.as_mut().filter(|_| !here_fresh) {
            stream.replicas_current = None;
        }
        if let Some(mirror) = &mut zone.mirror
            && !(source_fresh && here_fresh)
        {
            mirror.true_lag = None;
        }
    }
}

/// The last sequence of a mirror that has everything its source had a moment before.
fn in_step(zone: &Zone) -> Option<u64> {
    let severed = zone.link.as_ref().is_some_and(|l| l.state == LinkState::Cut && l.effective);
    let in_step = zone.mirror.as_ref()?.true_lag == Some(0) && !severed;
    zone.last_seq().filter(|_| in_step)
}

/// The stream holds at least what reaches to `to`.
fn raise(stream: &mut Stream, to: u64) {
    let more = to.saturating_sub(stream.last_seq);
    stream.last_seq += more;
    stream.messages = stream.messages.saturating_add(more);
}

/// The stream as it was when it reached to `to`.
fn hold(stream: &mut Stream, to: Option<u64>) {
    let less = stream.last_seq.saturating_sub(to.unwrap_or(u64::MAX));
    stream.last_seq -= less;
    stream.messages = stream.messages.saturating_sub(less);
    stream.first_seq = stream.first_seq.min(stream.last_seq.saturating_add(1));
}

/// What a consumer reports, and what it has received, lies within the stream it consumes; `before`
/// messages it received from an earlier one. What the last audit found is part of the account.
fn settle(zone: &mut Zone, before: u64) {
    if let Some(stream) = &zone.stream {
        let most = stream.last_seq.saturating_add(before);
        let ledger = &mut zone.ledger;
        let ahead = ledger.received.saturating_sub(most);
        ledger.received -= ahead;
        ledger.behind += ahead.min(ledger.acked.saturating_sub(ledger.received));
    }
    if let Some(audit) = &zone.audit {
        zone.ledger.take(audit);
    }
    let (Some(stream), Some(consumer)) = (&zone.stream, &mut zone.consumer) else { return };
    let Some(delivered) = &mut consumer.delivered else { return };
    *delivered = stream.last_seq.min(*delivered);
    consumer.ack_floor = consumer.ack_floor.map(|floor| floor.min(*delivered));
    let left = stream.last_seq - *delivered;
    consumer.pending = consumer.pending.map(|pending| pending.min(left));
}
