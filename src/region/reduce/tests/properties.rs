//! What holds whatever happens, in whatever order.

use proptest::prelude::*;

use super::*;
use crate::region::{
    PlatformKind,
    history::{self, Begin, Line},
    input::{Input, Moment, Produced, ZoneAccount},
};

mod happening;

use happening::{Happening, any_node, apply, happening, input};

/// What holds between the figures of one frame.
fn agrees_with_itself(frame: &Status) -> Result<(), TestCaseError> {
    let source = frame.source().and_then(|zone| Some((zone, zone.stream.as_ref()?)));
    if let Some((zone, stream)) = source {
        let Producer { acked, published, foreign, .. } = frame.producer;
        prop_assert!(published >= acked);
        for zone in &frame.zones {
            prop_assert!(zone.ledger.received <= published, "{published}: {:?}", zone.ledger);
        }
        let known = published.saturating_add(foreign).saturating_add(zone.ledger.duplicates);
        prop_assert!(stream.last_seq <= known, "{} stored of {known}", stream.last_seq);
    }
    for zone in &frame.zones {
        let Some(stream) = &zone.stream else { continue };
        prop_assert!(stream.messages <= stream.last_seq);
        if let Some(consumer) = &zone.consumer {
            prop_assert!(consumer.delivered.is_none_or(|n| n <= stream.last_seq));
            prop_assert!(consumer.ack_floor <= consumer.delivered);
            let left = stream.last_seq - consumer.delivered.unwrap_or(0);
            prop_assert!(consumer.pending.is_none_or(|n| n <= left));
        }
        let (Some(mirror), Some((_, source))) = (&zone.mirror, source) else { continue };
        if !matches!(mirror.state, MirrorState::Diverged | MirrorState::Unknown) {
            prop_assert!(stream.last_seq <= source.last_seq);
        }
        if let Some(lag) = mirror.true_lag {
            prop_assert_eq!(lag, source.last_seq - stream.last_seq);
        }
    }
    Ok(())
}

fn begun() -> State {
    let mut state = State::new("drill", PlatformKind::Local, 0);
    for (name, slot) in [("a", 0), ("b", 1), ("c", 2)] {
        state.zone_added(0, &plan(name, slot));
        state.zone_ready(0, &zone(name));
    }
    state.phase(Phase::Up);
    state
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_picture_is_honest(
        story in prop::collection::vec(happening(), 0..120),
    ) {
        let mut state = begun();
        let mut now = 1_000_000;
        let mut proved: BTreeSet<ZoneName> = BTreeSet::new();
        for what in &story {
            let before = state.status(now);
            let revision = state.revision();
            apply(&mut state, &mut now, what);
            match what {
                Happening::Proved(zone) => { proved.insert(zone.clone()); }
                Happening::Cut(zone, _) => { proved.remove(zone); }
                _ => {}
            }
            let picture = state.status(now);
            agrees_with_itself(&picture)?;
            for (zone, book) in picture.zones.iter().zip(&state.books) {
                if let Some(stream) = &zone.stream {
                    let received = zone.ledger.received.saturating_sub(book.received_before);
                    prop_assert!(received <= stream.last_seq, "{received} of {stream:?}");
                }
                let audited = zone.audit.map_or(0, |audit| audit.lost);
                prop_assert!(zone.ledger.lost >= audited);
            }
            let fresh = |stream: Option<&crate::region::status::Stream>| {
                stream.is_some_and(|stream| now.saturating_sub(stream.told_at_ms) < FRESH_MS)
            };
            let source_fresh = fresh(picture.source().and_then(|zone| zone.stream.as_ref()));
            for zone in &picture.zones {
                prop_assert!(zone.lag_history.len() <= crate::region::status::HISTORY_LEN);
                if let Some(mirror) = &zone.mirror && mirror.true_lag.is_some() {
                    prop_assert!(source_fresh && fresh(zone.stream.as_ref()));
                }
                let consumer = zone.consumer.clone().unwrap_or_default();
                prop_assert!(consumer.deliveries_here <= consumer.deliveries);
                let flow = zone.flow;
                if consumer.paused || !consumer.running || consumer.told_at_ms.is_none() {
                    prop_assert!(flow.consume_rate.is_none() && flow.latency.is_none());
                }
                prop_assert!(flow.publish_rate.is_none() || fresh(zone.stream.as_ref()));
                for rate in [flow.publish_rate, flow.consume_rate].into_iter().flatten() {
                    prop_assert!(rate.is_finite() && rate >= 0.0);
                }
                if let Some(link) = &zone.link && link.effective {
                    prop_assert_eq!(link.state, LinkState::Cut);
                    prop_assert!(proved.contains(&zone.name), "effective without proof");
                }
                if let Some(clock) = &zone.recovery {
                    prop_assert!(clock.moving_after_ms.is_none_or(|ms| Some(ms) >= clock.link_up_after_ms));
                    prop_assert!(clock.caught_up_after_ms.is_none_or(|ms| Some(ms) >= clock.link_up_after_ms));
                }
                if zone.is_hub() {
                    prop_assert!(zone.mirror.is_none() && zone.link.is_none());
                }
            }
            // What is shown never changes in substance without a revision.
            if !state.changed_since(revision) && !matches!(what, Happening::Pass(_)) {
                prop_assert_eq!(timeless(before), timeless(picture.clone()));
            }
            let _ = crate::region::status::render(&picture);
        }
    }

    /// A history, written down and read again, gives the frames that were drawn live.
    #[test]
    fn a_replay_shows_the_frames_that_were_drawn(
        story in prop::collection::vec(happening(), 1..120),
        late in 0..5_000_u64,
    ) {
        let mut state = begun();
        let mut now = 1_000_000;
        let first = Line::Begin(Box::new(Begin::with(now, state.clone())));
        let mut text = serde_json::to_string(&first).unwrap() + "\n";
        let mut frames = Vec::new();
        for what in &story {
            let told = input(&state.peek().producer, now, what);
            apply(&mut state, &mut now, what);
            if let Some(input) = told {
                let line = Line::Input(Box::new(Moment { at: now, by: None, input }));
                text += &(serde_json::to_string(&line).unwrap() + "\n");
                frames.push((state.status(now), state.status(now + late)));
            }
        }
        let mut lines = history::read(&text).unwrap().into_iter();
        let Some(Line::Begin(begin)) = lines.next() else { panic!("it begins with a state") };
        let mut again = begin.state;
        for (line, (live, aged)) in lines.zip(frames) {
            let Line::Input(moment) = line else { panic!("an input") };
            again.apply(moment.at, moment.input);
            prop_assert_eq!(&again.status(moment.at), &live);
            prop_assert_eq!(&again.status(moment.at + late), &aged);
        }
        prop_assert_eq!(again, state);
    }

    #[test]
    fn idle_answers_make_no_revision(
        moments in prop::collection::vec((0..400_u64, any_node(), 0..900_u64), 1..60),
    ) {
        let mut lab = Lab::new();
        lab.half_second();
        lab.events.clear();
        let revision = lab.state.revision();
        for (pause, node, silent) in moments {
            if node.zone == zone("c") {
                continue;
            }
            lab.now += pause % 30;
            lab.silent_ms = Some(silent);
            let report = Some(Box::new(lab.answer(&node)));
            lab.observe(Observation::Node { node, report });
        }
        prop_assert_eq!(lab.state.revision(), revision);
        prop_assert!(lab.events.is_empty());
    }
}

/// A picture without what changes quietly.
fn timeless(mut picture: Status) -> Status {
    picture.at_ms = 0;
    for zone in &mut picture.zones {
        for node in &mut zone.nodes {
            node.answered_at_ms = None;
            node.rss_bytes = None;
            node.cpu_percent = None;
        }
        if let Some(stream) = &mut zone.stream {
            stream.told_at_ms = 0;
        }
        zone.flow = Flow::default();
        if let Some(consumer) = &mut zone.consumer {
            consumer.told_at_ms = None;
            (consumer.deliveries, consumer.deliveries_here) = (None, None);
        }
        if let Some(mirror) = &mut zone.mirror {
            mirror.told_at_ms = None;
            mirror.heard_at_ms = None;
            mirror.true_lag = None;
        }
        if let Some(link) = &mut zone.link {
            link.rtt_us = None;
        }
    }
    picture
}
