//! Mirrors: streaming, silent, diverged, and how far behind.

use super::*;

#[test]
fn a_loaded_mirror_that_keeps_step_is_streaming() {
    let mut lab = Lab::new();
    lab.pass(1_000);
    lab.events.clear();
    for _ in 0..40 {
        // Zone b is asked a moment before zone a, and 250 messages have passed in between.
        lab.now += 500;
        lab.source_seq += 5_000;
        lab.mirror_seq = lab.source_seq - 250;
        lab.poll_zone("b");
        lab.poll_zone("a");
        assert_eq!(lab.mirror_state(), MirrorState::Streaming);
    }
    assert!(lab.lines().is_empty());
}

/// The source's word before is a second old: a mirror that is beyond it may still be far behind.
#[test]
fn a_loaded_mirror_that_is_seconds_behind_is_not_said_to_have_everything() {
    let mut lab = Lab::new();
    lab.pass(1_000);
    for round in 0..5 {
        lab.now += 1_000;
        lab.source_seq += 15_000;
        lab.mirror_seq = lab.source_seq - 13_000;
        for asked in ["b", "a"] {
            lab.poll_zone(asked);
            // That the source has begun to move is known once it has been asked.
            let known = round > 0 || asked == "a";
            assert!(!known || lab.shown("b").mirror.unwrap().true_lag != Some(0), "{asked}");
        }
        assert_eq!(lab.shown("b").mirror.unwrap().true_lag, Some(13_000));
        assert_eq!(lab.mirror_state(), MirrorState::CatchingUp);
    }
}

#[test]
fn a_mirror_ahead_of_its_source_is_diverged_after_two_words() {
    let mut lab = Lab::new();
    lab.source_seq = 3;
    lab.half_second();
    assert_ne!(lab.mirror_state(), MirrorState::Diverged);
    lab.half_second();
    assert_eq!(lab.mirror_state(), MirrorState::Diverged);
    assert!(lab.lines().contains(&"mirror b is diverged (was streaming)".to_owned()));
}

#[test]
fn a_mirror_asked_later_under_load_is_not_diverged() {
    let mut lab = Lab::new();
    for _ in 0..20 {
        // The mirror's numbers are from a little later than the source's, which answers last.
        lab.now += 500;
        lab.source_seq += 5_000;
        lab.mirror_seq = lab.source_seq + 60;
        lab.poll_zone("b");
        lab.now += 3;
        lab.poll_zone("a");
        assert_eq!(lab.mirror_state(), MirrorState::Streaming);
    }
}

#[test]
fn a_source_made_anew_leaves_its_mirror_diverged_even_when_it_has_grown() {
    let mut lab = Lab::new();
    lab.source_created = "2026-01-02T00:00:00Z";
    lab.source_seq = 500;
    lab.half_second();
    lab.mirror_seq = 500;
    lab.pass(2_000);
    assert_eq!(lab.mirror_state(), MirrorState::Diverged);
}

#[test]
fn a_mirror_that_has_never_heard_says_so_until_it_has() {
    let mut lab = Lab::new();
    let mut c = lab.answer(&node("js1-zone-b"));
    c.stream.as_mut().unwrap().mirror.as_mut().unwrap().silent_ms = None;
    lab.now += 100;
    c.at_ms = lab.now;
    lab.observe(Observation::Node { node: node("js1-zone-b"), report: Some(Box::new(c)) });
    assert!(lab.shown("b").mirror.unwrap().heard_at_ms.is_some(), "an earlier leader heard it");

    let mut state = State::new("drill", PlatformKind::Local, 0);
    state.zone_added(0, &plan("a", 0));
    state.zone_added(0, &plan("b", 1));
    for name in ["js1-zone-a", "js1-zone-b"] {
        let mut report = lab.answer(&node(name));
        if let Some(mirror) = &mut report.stream.as_mut().unwrap().mirror {
            mirror.silent_ms = None;
        }
        state.observe(
            lab.now,
            Observation::Node { node: node(name), report: Some(Box::new(report)) },
        );
    }
    let picture = state.status(lab.now);
    assert_eq!(
        picture.zone(&zone("b")).unwrap().mirror.as_ref().unwrap().state,
        MirrorState::NeverLinked
    );
}

#[test]
fn a_lag_between_stale_words_is_unknown() {
    let mut lab = Lab::new();
    assert_eq!(lab.shown("b").mirror.unwrap().true_lag, Some(0));
    lab.now += 2_999;
    assert_eq!(lab.shown("b").mirror.unwrap().true_lag, Some(0));
    lab.now += 1;
    assert_eq!(lab.shown("b").mirror.unwrap().true_lag, None);
    lab.poll_zone("b");
    assert_eq!(lab.shown("b").mirror.unwrap().true_lag, None, "the source's word is stale");
    assert_eq!(lab.mirror_state(), MirrorState::Unknown);
}

#[test]
fn the_source_counts_the_backlog_of_durable_mirrors() {
    let mut lab = Lab::new();
    lab.observe(Observation::SourcePending { zone: zone("b"), pending: 12 });
    assert_eq!(lab.shown("b").mirror.unwrap().source_pending, Some(12));
    let mut report = lab.answer(&node("js1-zone-a"));
    report.stream.as_mut().unwrap().consumers.push(ConsumerReport {
        name: "MIRROR_zone-b".into(),
        pending: 34,
        leader: Some("js1-zone-a".into()),
        ..ConsumerReport::default()
    });
    lab.observe(Observation::Node { node: node("js1-zone-a"), report: Some(Box::new(report)) });
    assert_eq!(lab.shown("b").mirror.unwrap().source_pending, Some(34));
}

#[test]
fn a_mirror_that_outran_the_sources_last_word_is_not_said_to_have_everything() {
    let mut lab = Lab::new();
    lab.mirror_seq = 150;
    lab.now += 500;
    lab.poll_zone("b");
    assert_eq!(lab.shown("b").mirror.unwrap().true_lag, Some(0), "asked half a second apart");
    lab.now += 1_000;
    lab.poll_zone("b");
    assert_eq!(lab.shown("b").mirror.unwrap().true_lag, None, "the source has been silent");
    lab.source_seq = 160;
    lab.pass(1_000);
    assert_eq!(lab.shown("b").mirror.unwrap().true_lag, Some(10));
}

/// What a consumer that is gone had passed over says nothing of the one that begins.
#[test]
fn a_zone_that_begins_anew_is_known_by_nothing_that_was_told_before() {
    let mut lab = Lab::new();
    lab.pass(1_000);
    let before = lab.shown("b");
    assert!(before.passed_over().is_some() && before.stream.is_some());
    lab.state.begun_anew(&zone("b"));
    let anew = lab.shown("b");
    assert_eq!((anew.passed_over(), anew.stream, anew.audit), (None, None, None));
    assert_eq!(anew.consumer.map(|consumer| consumer.name), before.consumer.map(|c| c.name));
    lab.half_second();
    assert!(lab.shown("b").passed_over().is_some(), "it is told again");
}
