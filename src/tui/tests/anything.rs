//! Whatever a room may say, and whatever the terminal: it is drawn.

use proptest::prelude::*;

use super::*;
use crate::region::status::MarkKind;

prop_compose! {
    /// Regions with anything anywhere.
    fn any_region()(
        moment in proptest::sample::select(sample::moments().collect::<Vec<_>>()),
        numbers in proptest::collection::vec(any::<u64>(), 40),
        flags in proptest::collection::vec(any::<bool>(), 40),
        text in "\\PC{0,40}",
    ) -> Status {
        let mut status = sample::status(moment);
        let mut number = numbers.iter().copied().cycle();
        let mut flag = flags.iter().copied().cycle();
        let mut n = move || number.next().unwrap_or(0);
        let mut f = move || flag.next().unwrap_or(false);
        status.history_at_ms = n();
        status.started_at_ms = n();
        status.region.clone_from(&text);
        status.producer.rate = n() as f64;
        status.producer.running = vec![text.clone(); 5];
        for step in &mut status.steps {
            step.detail.clone_from(&text);
            step.took_ms = Some(n());
        }
        for conclusion in &mut status.conclusions {
            conclusion.evidence.clone_from(&text);
        }
        for mark in &mut status.marks {
            mark.at_ms = if f() { n() } else { status.history_at_ms.saturating_sub(n() % 300_000) };
        }
        for zone in &mut status.zones {
            zone.ledger.acked = n();
            zone.ledger.received = n();
            zone.ledger.lost = n();
            if let Some(stream) = &mut zone.stream {
                stream.first_seq = n();
                stream.last_seq = n();
                stream.bytes = n();
                stream.told_at_ms = n();
            }
            if let Some(mirror) = &mut zone.mirror {
                mirror.true_lag = f().then(&mut n);
                mirror.heard_at_ms = f().then(&mut n);
                mirror.error = f().then(|| text.clone());
            }
            if let Some(link) = &mut zone.link {
                link.state = if f() { LinkState::Cut } else { LinkState::Down };
                link.since_at_ms = n();
                link.heals_at_ms = Some(n());
                link.rtt_us = Some(n());
            }
            if f() { zone.nodes.clear(); }
            if f() { zone.mirror = None; }
            zone.lag_history = numbers.iter().zip(&flags).map(|(n, f)| f.then_some(*n)).collect();
        }
        if f() { status.zones.reverse(); }
        if let Some(drill) = &mut status.drill {
            let pauses = [None, Some(Pause::Predict), Some(Pause::Reveal), Some(Pause::GoOn)];
            drill.waits_for = pauses[usize::try_from(n() % 4).unwrap()];
            drill.presented = f();
            drill.ended_at_ms = f().then(&mut n);
            drill.began_at_ms = n();
            drill.scale = n();
            drill.sabotage = f().then(|| text.clone());
            drill.name.clone_from(&text);
            drill.evidence = text.repeat(4);
            drill.steps.truncate(usize::try_from(n() % 6).unwrap());
            for step in &mut drill.steps {
                step.title.clone_from(&text);
                step.detail.clone_from(&text);
                step.took_ms = f().then(&mut n);
            }
            for counter in &mut drill.counters {
                counter.label.clone_from(&text);
                counter.value.clone_from(&text);
            }
        }
        status
    }
}

#[test]
fn a_heal_before_its_cut_is_drawn() {
    let (mut status, view) = seen("healed");
    for mark in status.marks.iter_mut().filter(|mark| mark.kind == MarkKind::Heal) {
        mark.at_ms -= 20_000;
    }
    assert!(screen((120, 40), &status, &view).contains("heal b"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_region_is_drawn_at_any_size(
        status in any_region(), width in 0u16..210, height in 0u16..70, focus in 0usize..14,
        zoom: bool, overlay in 0u8..6, unicode: bool,
    ) {
        let mut view = view();
        view.focus = status.zones.get(focus).map(|zone| zone.name.clone());
        view.zoom = zoom;
        let key = ["", "?", ":", "/", "k", "q"][usize::from(overlay)];
        if !key.is_empty() {
            press(&mut view, &status, &[key]);
        }
        buffer((width, height), &status, &view, &Theme::new(Colours::Default, !unicode));
    }
}
