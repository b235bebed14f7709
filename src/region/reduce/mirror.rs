//! Mirrors: the true lag, the state word that both ends add up to, and the recovery clock.
//!
//! The server's own `lag` and `error` stay at "all is well" in every failure that was tried
//! (nats-facts §D), so the state is computed from both ends' sequences and the silence.

use super::{Change, State, book::MirrorBook, fresh, set};
use crate::region::{
    UnixMs,
    configuration::{Differing, Kind, Subject},
    event::EventKind,
    recovery::{self, STANDS_STILL_MS, Sight},
    status::{LinkState, MirrorState},
};

/// A mirror that has not heard for longer is silent; the source's heartbeat comes every second.
const SILENT_MS: u64 = 2_000;
/// Catching up is worth a line only when it lasts longer.
const CATCHING_MS: u64 = 1_000;
/// Two ends are asked at nearly the same moment, and under load even the milliseconds between two
/// answers hold messages. One end's word says something about the other's only if it is older by
/// this much.
const SKEW_MS: u64 = 250;

/// So much older than the mirror's may the source's word be, and still say how far a mirror is that
/// has more: both are asked several times a second.
const OUTRUN_MS: u64 = 1_000;

/// What the state word is made of.
#[derive(Clone, Copy, Debug)]
struct View {
    now: UnixMs,
    /// The mirror leader's word is fresh.
    mirror_fresh: bool,
    /// How long it had not heard when its leader told; `None` for never heard.
    silent_ms: Option<u64>,
    /// Messages it misses of those the source had shortly before the mirror's leader told; `None`
    /// while either end is stale. Not the shown lag: that compares the newest words, which differ
    /// under load even when the mirror is perfectly in step.
    behind: Option<u64>,
    link_up: bool,
    /// Proved to be without a link: cut, and seen so at both ends.
    severed: bool,
    link_since: UnixMs,
}

/// The word for a mirror that is not what was made, whatever its numbers say.
fn altered(differences: &[Differing]) -> Option<MirrorState> {
    let of = |one: &Differing| match (one.difference.subject, &one.difference.kind) {
        (Subject::Stream, Kind::Missing) => Some(MirrorState::Missing),
        (Subject::Stream, Kind::Promoted) => Some(MirrorState::Promoted),
        (Subject::Stream, Kind::Replaced | Kind::OtherOrigin) => Some(MirrorState::Replaced),
        (Subject::Stream, Kind::SourceRecreated) => Some(MirrorState::SourceRecreated),
        (Subject::Durable, Kind::Missing) => Some(MirrorState::DurableMissing),
        (Subject::Durable, Kind::Paused { .. }) => Some(MirrorState::DurablePaused),
        _ => None,
    };
    // What became of the mirror itself is told first.
    differences.iter().find_map(of)
}

impl State {
    pub(super) fn judge_mirror(&mut self, now: UnixMs, i: usize, events: &mut Vec<EventKind>) {
        let Some(source) = self.source_index().filter(|source| *source != i) else { return };
        let told = |place: usize| {
            let stream = self.status.zones[place].stream.as_ref()?;
            fresh(now, stream.told_at_ms).then_some((stream.told_at_ms, stream.last_seq))
        };
        let (there, here) = (told(source), told(i));
        let zone = &self.status.zones[i];
        let Some(mirror) = &zone.mirror else { return };
        let ends = there.zip(here);
        let true_lag = ends.map(|((_, source), (_, mirror))| source.saturating_sub(mirror));
        let behind = ends.map(|((there, newest), (here, mirror))| {
            let (source, own) = (&self.books[source], &self.books[i]);
            // The last moment of which both have told. A source that stands still has no more by
            // the time of the mirror's word.
            let moment = if source.stands_still() { here } else { here.min(there) };
            let had = if moment == here { None } else { own.had_at(moment) };
            let then = source.had_at(moment.saturating_sub(SKEW_MS));
            then.unwrap_or(newest).saturating_sub(had.unwrap_or(mirror))
        });
        // Samples of two ends a few milliseconds apart differ by what flows in between. A mirror
        // that has everything the source had a moment before is in step.
        // One whose word is newer than the source's may have passed that and be behind all the same.
        let true_lag = match behind {
            Some(0) => Some(0),
            _ => true_lag.max(behind),
        };
        // A mirror that has more than the source was last heard to have: how much the source has
        // by now is not known (its stream may be electing a leader).
        let outrun = ends.is_some_and(|((there, source), (here, mirror))| {
            mirror > source && here.saturating_sub(there) > OUTRUN_MS
                // And the other way round: it was in step, and whether it still is nobody said.
                || mirror < source && there.saturating_sub(here) > OUTRUN_MS && behind == Some(0)
        });
        let true_lag = true_lag.filter(|_| !outrun);
        let silent_ms = (mirror.heard_at_ms.zip(mirror.told_at_ms))
            .map(|(heard, told)| told.saturating_sub(heard));
        // Of a link that nobody sees, the source's heartbeat is all that is known.
        let hears = silent_ms.is_some_and(|silent| silent <= SILENT_MS);
        let view = View {
            now,
            mirror_fresh: mirror.told_at_ms.is_some_and(|told| fresh(now, told)),
            silent_ms,
            behind,
            link_up: zone.link.as_ref().map_or(hears, |link| link.state.connected()),
            severed: zone.link.as_ref().is_some_and(|l| l.state == LinkState::Cut && l.effective),
            link_since: zone.link.as_ref().map_or(0, |link| link.since_at_ms),
        };
        let book = &mut self.books[i];
        let followed = book.mirror.follows();
        if let Some((told, last_seq)) = there {
            let had = book.word_at(told.saturating_sub(SKEW_MS));
            book.mirror.compare(told, last_seq, had);
        }
        let altered = altered(&zone.differences);
        let state = altered.unwrap_or_else(|| book.mirror.state(&view));
        let turned = followed != book.mirror.follows();
        // Two different streams: the difference of their numbers means nothing.
        let apart = matches!(
            state,
            MirrorState::Diverged
                | MirrorState::Promoted
                | MirrorState::Missing
                | MirrorState::Replaced
                | MirrorState::SourceRecreated
        );
        let true_lag = true_lag.filter(|_| !apart);
        let pending = book.source_pending.filter(|_| there.is_some());
        let zone = &mut self.status.zones[i];
        self.peaks.saw(&zone.name, true_lag);
        let Some(mirror) = &mut zone.mirror else { return };
        let change = set(&mut mirror.true_lag, true_lag)
            .max(set(&mut mirror.source_pending, pending))
            .max(set(&mut mirror.state, state))
            .max(if turned { Change::Real } else { Change::None });
        self.changed(change);
        self.announce(&view, i, state, events);
    }

    /// Writes a change of state to the log, unless it is the coming and going of a mirror that is
    /// a little behind now and then.
    fn announce(&mut self, view: &View, i: usize, to: MirrorState, events: &mut Vec<EventKind>) {
        let hushed = self.hushed(i);
        let book = &mut self.books[i].mirror;
        if to == MirrorState::CatchingUp {
            book.catching_since.get_or_insert(view.now);
        } else {
            book.catching_since = None;
        }
        let from = book.announced.unwrap_or(MirrorState::Unknown);
        if from == to {
            return;
        }
        if to == MirrorState::CatchingUp && from == MirrorState::Streaming {
            let lasts = book
                .catching_since
                .is_some_and(|since| view.now.saturating_sub(since) > CATCHING_MS);
            // Without a link it will be silent in a moment; that is the line to write.
            if !lasts || !view.link_up {
                return;
            }
        }
        book.announced = Some(to);
        if !hushed {
            let zone = self.status.zones[i].name.clone();
            events.push(EventKind::MirrorChanged { zone, from, to });
        }
    }

    pub(super) fn judge_recovery(&mut self, now: UnixMs, i: usize, events: &mut Vec<EventKind>) {
        let source_told_ms = self
            .source_index()
            .and_then(|source| self.status.zones[source].stream.as_ref())
            .map(|stream| stream.told_at_ms)
            .filter(|told| fresh(now, *told));
        let version = self.status.server_version.as_deref();
        let kind = self.status.mirror_kind;
        let zone = &mut self.status.zones[i];
        let book = &mut self.books[i];
        let (Some(shown), Some(clock)) = (&mut zone.recovery, &mut book.clock) else { return };
        let sight = Sight {
            now,
            zone: &zone.name,
            link_up: zone.link.as_ref().is_some_and(|link| link.state.connected()),
            mirror: zone
                .stream
                .as_ref()
                .filter(|stream| fresh(now, stream.told_at_ms))
                .map(|stream| (stream.last_seq, stream.told_at_ms)),
            source_told_ms,
            true_lag: zone.mirror.as_ref().and_then(|mirror| mirror.true_lag),
            heard_at_ms: zone.mirror.as_ref().and_then(|mirror| mirror.heard_at_ms),
            moved_ms: book.mirror.moved_ms,
            kind,
            version,
            ours: !zone.nodes.is_empty(),
        };
        let before = shown.clone();
        let caught_up = recovery::advance(shown, clock, &sight);
        if caught_up {
            events.push(EventKind::Recovered {
                zone: zone.name.clone(),
                link_up_ms: shown.link_up_after_ms.unwrap_or_default(),
                moving_ms: shown.moving_after_ms,
                caught_up_ms: shown.caught_up_after_ms.unwrap_or_default(),
            });
            book.clock = None;
        }
        if before != *shown {
            self.touch();
        }
    }
}

impl MirrorBook {
    /// Nothing contradicts that all it holds came from the source as it is now.
    pub(super) fn follows(&self) -> bool {
        !self.source_replaced && self.ahead < 2
    }

    /// Takes note of whether the mirror had more (`had`, told well before) than the source has: it
    /// takes two words of the source to say so, one to take it back.
    fn compare(&mut self, source_told: UnixMs, source: u64, had: Option<u64>) {
        let Some(had) = had else { return };
        if had <= source {
            self.ahead = 0;
        } else if self.ahead_told != source_told {
            self.ahead = self.ahead.saturating_add(1).min(2);
            self.ahead_told = source_told;
        }
    }

    fn state(&mut self, view: &View) -> MirrorState {
        match view.behind {
            Some(0) => self.behind_since = None,
            Some(_) => {
                self.behind_since.get_or_insert(view.now);
            }
            None => {}
        }
        if view.mirror_fresh && !self.follows() {
            return MirrorState::Diverged;
        }
        let Some(silent_ms) = view.silent_ms else {
            return if view.mirror_fresh { MirrorState::NeverLinked } else { MirrorState::Unknown };
        };
        let stands_still = self.behind_since.is_some_and(|since| {
            let since = since.max(view.link_since).max(self.moved_ms.unwrap_or(0));
            view.now.saturating_sub(since) > STANDS_STILL_MS
        });
        let behind = view.behind.is_some_and(|behind| behind > 0);
        if !view.mirror_fresh {
            MirrorState::Unknown
        } else if view.link_up && behind && stands_still {
            MirrorState::Stalled
        } else if silent_ms > SILENT_MS {
            MirrorState::Silent
        } else {
            match view.behind {
                None => MirrorState::Unknown,
                // Nothing streams through a proved cut: it has only not been silent for long yet.
                Some(_) if view.severed => MirrorState::Silent,
                Some(0) => MirrorState::Streaming,
                // Without a link nothing catches up.
                Some(_) if !view.link_up => MirrorState::Silent,
                Some(_) => MirrorState::CatchingUp,
            }
        }
    }
}
