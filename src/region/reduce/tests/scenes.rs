//! One behaviour each.

use super::*;

#[test]
fn a_new_region_has_four_waiting_conclusions_and_nothing_else() {
    let state = State::new("drill", "local", 5);
    let picture = state.snapshot(9);
    assert_eq!(picture.at_ms, 9);
    assert_eq!(picture.conclusions.len(), 4);
    assert!(picture.conclusions.iter().all(|c| c.verdict == Verdict::Waiting));
    assert!(picture.zones.is_empty());
}

#[test]
fn numbers_come_from_the_leader_only() {
    let mut lab = Lab::new();
    let mut odd = lab.answer(&node("js2-zone-a"));
    odd.stream.as_mut().unwrap().last_seq = 7;
    lab.observe(Observation::Node { node: node("js2-zone-a"), report: Some(Box::new(odd)) });
    let a = lab.shown("a");
    assert_eq!(a.stream.as_ref().unwrap().last_seq, 100);
    assert_eq!(a.stream.as_ref().unwrap().replicas_current, Some(3));
    assert!(a.nodes[0].stream_leader && a.nodes[0].meta_leader && a.nodes[0].consumer_leader);
    assert!(!a.nodes[1].stream_leader);
    assert_eq!(a.consumer.unwrap().name, "consumer-a");
}

#[test]
fn a_leader_that_wakes_up_late_is_outvoted() {
    let mut lab = Lab::new();
    lab.process(&node("js1-zone-a"), ProcessTruth { state: ProcessState::Frozen, pid: Some(1) });
    assert_eq!(lab.shown("a").stream.unwrap().leader, None);
    assert!(lab.lines().contains(&"zone a: nobody leads the stream".to_owned()));
    lab.now += 5_000;
    lab.source_seq = 120;
    for number in [2, 3] {
        let name = node(&format!("js{number}-zone-a"));
        let mut report = lab.answer(&name);
        report.meta_leader = Some("js2-zone-a".into());
        let stream = report.stream.as_mut().unwrap();
        stream.leader = Some("js2-zone-a".into());
        stream.consumers[0].leader = Some("js2-zone-a".into());
        lab.observe(Observation::Node { node: name, report: Some(Box::new(report)) });
    }
    assert_eq!(lab.shown("a").stream.as_ref().unwrap().leader.as_deref(), Some("js2-zone-a"));
    // It wakes up and still takes itself for the leader of a shorter stream.
    lab.process(&node("js1-zone-a"), running(1));
    assert_eq!(lab.node_state("js1-zone-a"), NodeState::Silent);
    lab.source_seq = 100;
    let report = lab.answer(&node("js1-zone-a"));
    lab.observe(Observation::Node { node: node("js1-zone-a"), report: Some(Box::new(report)) });
    assert_eq!(lab.node_state("js1-zone-a"), NodeState::Up);
    let stream = lab.shown("a").stream.unwrap();
    assert_eq!(stream.leader.as_deref(), Some("js2-zone-a"));
    // js2 was elected before it told its own numbers in this scene's order; the stale ones stay
    // until it does, never those of the deposed leader.
    assert_ne!((stream.last_seq, stream.told_ms), (100, lab.now));
}

#[test]
fn node_states_follow_process_and_answers() {
    use NodeState::{Dead, Frozen, Silent, Starting, Stopped, Up};
    let name = node("js2-zone-b");
    let truth = |state| Observation::Process {
        node: node("js2-zone-b"),
        truth: ProcessTruth { state, pid: Some(9) },
    };
    let silence = Observation::Node { node: name.clone(), report: None };
    let mut lab = Lab::new();
    lab.process(&name, running(9));
    assert_eq!(lab.node_state("js2-zone-b"), Starting, "another process");
    let answer = |lab: &Lab| Observation::Node {
        node: node("js2-zone-b"),
        report: Some(Box::new(lab.answer(&node("js2-zone-b")))),
    };
    let steps = [
        ("asked too early", Some(silence.clone()), Starting),
        ("answers", None, Up),
        ("misses one", Some(silence.clone()), Silent),
        ("answers again", None, Up),
        ("frozen", Some(truth(ProcessState::Frozen)), Frozen),
        ("an answer on the way changes nothing", None, Frozen),
        ("silence is no news", Some(silence), Frozen),
        ("thawed", Some(truth(ProcessState::Running)), Silent),
        ("answers after the thaw", None, Up),
        ("dies", Some(truth(ProcessState::Dead)), Dead),
        ("restarts", Some(truth(ProcessState::Running)), Starting),
        ("answers", None, Up),
        ("stops", Some(truth(ProcessState::Stopped)), Stopped),
    ];
    for (what, observation, expected) in steps {
        lab.now += 10;
        let observation = observation.unwrap_or_else(|| answer(&lab));
        lab.observe(observation);
        assert_eq!(lab.node_state("js2-zone-b"), expected, "{what}");
    }
    let lines = lab.lines();
    assert!(lines.contains(&"js2-zone-b is dead (was up)".to_owned()), "{lines:?}");
    let marks: Vec<String> = lab.state.peek().marks.iter().map(|m| m.text.clone()).collect();
    assert_eq!(
        marks,
        [
            "js2-zone-b started",
            "js2-zone-b frozen",
            "js2-zone-b thawed",
            "js2-zone-b dead",
            "js2-zone-b started",
            "js2-zone-b stopped"
        ]
    );
}

#[test]
fn without_a_leader_nobody_knows_which_replicas_are_current() {
    let mut lab = Lab::new();
    let current = |lab: &Lab| lab.shown("a").stream.unwrap().replicas_current;
    assert_eq!(current(&lab), Some(3));
    lab.process(&node("js1-zone-a"), ProcessTruth { state: ProcessState::Dead, pid: None });
    assert_eq!(current(&lab), None);
    // A leader that does not tell any more knows no more either.
    let mut lab = Lab::new();
    lab.now += FRESH_MS;
    assert_eq!(current(&lab), None);
    lab.poll();
    assert_eq!(current(&lab), Some(3));
}

#[test]
fn a_replica_whose_server_has_ended_is_not_current_whatever_its_leader_says() {
    let mut lab = Lab::new();
    let current = |lab: &Lab| lab.shown("a").stream.unwrap().replicas_current;
    for (name, state, left) in [
        ("js2-zone-a", ProcessState::Frozen, 2),
        ("js2-zone-a", ProcessState::Dead, 2),
        ("js3-zone-a", ProcessState::Stopped, 1),
    ] {
        lab.process(&node(name), ProcessTruth { state, pid: None });
        assert_eq!(current(&lab), None, "the leader's word is from before");
        // The leader goes on calling both of them current.
        lab.half_second();
        assert_eq!(current(&lab), Some(left), "{name} {state:?}");
    }
    lab.process(&node("js2-zone-a"), running(9));
    lab.half_second();
    assert_eq!(current(&lab), Some(2));
}

#[test]
fn a_server_without_jetstream_is_not_up() {
    let mut lab = Lab::new();
    let name = node("js2-zone-b");
    let off = |lab: &mut Lab| {
        lab.now += 500;
        let mut report = lab.answer(&name);
        (report.jetstream_off, report.stream) = (true, None);
        lab.observe(Observation::Node { node: name.clone(), report: Some(Box::new(report)) });
        lab.node_state("js2-zone-b")
    };
    assert_eq!(off(&mut lab), NodeState::Up, "once, it may be on its way to an orderly end");
    assert_eq!(off(&mut lab), NodeState::JsOff);
    assert_eq!(lab.lines(), ["js2-zone-b is js-off (was up)"]);
    assert_eq!(lab.shown("b").link.unwrap().leafs_here, Some(3), "its leafnode is as good as any");
    lab.observe(Observation::Node { node: name.clone(), report: None });
    assert_eq!(lab.node_state("js2-zone-b"), NodeState::Silent);
    lab.poll();
    assert_eq!(lab.node_state("js2-zone-b"), NodeState::Up);
}

#[test]
fn a_node_off_the_network_has_no_link_whatever_its_server_lists() {
    let mut lab = Lab::new();
    let link = |lab: &Lab| lab.shown("b").link.unwrap();
    assert_eq!((link(&lab).state, link(&lab).leafs_here), (LinkState::Up, Some(3)));
    let off = |lab: &mut Lab, number: u8, off: bool| {
        let node = node(&format!("js{number}-zone-b"));
        lab.observe(Observation::Astray { node, off });
    };
    off(&mut lab, 1, true);
    assert_eq!((link(&lab).state, link(&lab).leafs_here), (LinkState::Up, Some(2)));
    assert_eq!(lab.state.astray_since(&zone("b")), Some(lab.now));
    off(&mut lab, 2, true);
    off(&mut lab, 3, true);
    lab.half_second();
    assert_eq!((link(&lab).state, link(&lab).leafs_here), (LinkState::Down, Some(0)));
    // Back on it, what was there before is dead until the pings would have found it out.
    for number in 1..=3 {
        off(&mut lab, number, false);
    }
    lab.half_second();
    assert_eq!(link(&lab).state, LinkState::Down, "a dead connection was taken for the link");
    assert_eq!(lab.state.astray_since(&zone("b")), None);
    lab.pass(CutKind::Unplug.notice_ms().unwrap() + 2_000);
    assert_eq!(link(&lab).state, LinkState::Up, "it has outlived its pings");
    let lines = lab.lines();
    assert!(lines.contains(&"js1-zone-b is on the WAN network again".to_owned()), "{lines:?}");
}

#[test]
fn a_node_that_is_not_heard_of_becomes_silent_by_the_tick() {
    let mut lab = Lab::new();
    lab.now += 2_001;
    lab.state.tick(lab.now);
    assert_eq!(lab.node_state("js1-zone-a"), NodeState::Silent);
    assert_eq!(lab.shown("a").stream.unwrap().last_seq, 100, "stale, never zeroed");
    assert_eq!(lab.shown("b").link.unwrap().leafs_here, None);
}

#[test]
fn a_cut_is_effective_only_by_proof_and_a_leak_takes_it_back() {
    let mut lab = Lab::new();
    let b = zone("b");
    assert_eq!(lab.shown("b").link.unwrap().state, LinkState::Up);
    let begun = lab.now;
    lab.state.cut_begun(begun, &b, CutKind::Refuse, Some(begun + 30_000));
    lab.half_second();
    let link = lab.shown("b").link.unwrap();
    assert_eq!((link.state, link.effective), (LinkState::Cut, false), "leafs are still there");
    assert!(!lab.state.seen_bare_since(&b, begun));
    lab.linked = false;
    lab.half_second();
    let link = lab.shown("b").link.unwrap();
    assert!(!link.effective, "seen is not proved");
    assert_eq!((link.leafs_here, link.leafs_there), (Some(0), Some(0)));
    assert!(lab.state.seen_bare_since(&b, begun));
    lab.events.clear();
    let events = lab.state.cut_proved(lab.now, &b, 40);
    assert_eq!(events, [EventKind::CutEffective { zone: b.clone(), after_ms: 40 }]);
    assert!(lab.state.cut_proved(lab.now, &b, 50).is_empty(), "once");
    lab.pass(2_000);
    assert!(lab.shown("b").link.unwrap().effective);
    assert!(!lab.lines().iter().any(|line| line.starts_with("link")));
    lab.linked = true;
    lab.half_second();
    let link = lab.shown("b").link.unwrap();
    assert_eq!((link.state, link.effective, link.proved_in_ms), (LinkState::Cut, false, None));
    let leaks = lab.lines().iter().filter(|line| line.contains("the cut leaks")).count();
    assert_eq!(leaks, 1);
}

#[test]
fn an_answer_from_before_the_proof_is_no_leak() {
    let mut lab = Lab::new();
    lab.cut(CutKind::Refuse);
    lab.linked = true;
    lab.poll_zone("a");
    assert!(lab.shown("b").link.unwrap().effective, "answered at the moment of the proof");
}

#[test]
fn frozen_and_silent_nodes_prove_nothing_dead_ones_do() {
    let mut lab = Lab::new();
    let begun = lab.now;
    lab.state.cut_begun(begun, &zone("b"), CutKind::Silent, None);
    lab.linked = false;
    let js3 = node("js3-zone-b");
    lab.process(&js3, ProcessTruth { state: ProcessState::Frozen, pid: Some(3) });
    lab.half_second();
    assert!(!lab.state.seen_bare_since(&zone("b"), begun));
    assert_eq!(lab.shown("b").link.unwrap().leafs_here, None);
    lab.process(&js3, ProcessTruth { state: ProcessState::Dead, pid: None });
    assert!(lab.state.seen_bare_since(&zone("b"), begun));
    assert_eq!(lab.shown("b").link.unwrap().leafs_here, Some(0));
}

#[test]
fn cut_and_heal_with_the_clock() {
    let mut lab = Lab::new();
    lab.pass(3_000);
    lab.cut(CutKind::Refuse);
    lab.source_seq = 300;
    lab.silent_ms = Some(1_000);
    lab.pass(1_000);
    assert_eq!(lab.mirror_state(), MirrorState::Silent);
    lab.silent_ms = Some(2_500);
    lab.pass(1_000);
    assert_eq!(lab.mirror_state(), MirrorState::Silent);
    assert_eq!(lab.shown("b").mirror.unwrap().true_lag, Some(200));
    assert_eq!(
        lab.lines(),
        [
            "link to b: severed 3 ms after the command",
            "link to b: the cut is effective, no leafnode at either end (500 ms after the command)",
            "mirror b is silent (was streaming)",
        ]
    );
    // Acknowledged since the source was last asked.
    lab.state.heal_begun(lab.now, &zone("b"), Some(310));
    assert_eq!(lab.shown("b").link.unwrap().state, LinkState::Down);
    assert_eq!(lab.shown("b").recovery.unwrap().behind, Some(210));
    lab.linked = true;
    lab.half_second();
    assert_eq!(lab.lines(), ["link to b is up"]);
    lab.silent_ms = Some(3_000);
    lab.pass(3_000);
    assert_eq!(lab.mirror_state(), MirrorState::Stalled);
    assert!(lab.shown("b").recovery.unwrap().stall.unwrap().contains("0.1 to 1.1 s"));
    assert_eq!(lab.lines(), ["mirror b is stalled (was silent)"]);
    lab.state.nudged(&zone("b"));
    lab.silent_ms = Some(0);
    lab.mirror_seq = 300;
    lab.half_second();
    let recovery = lab.shown("b").recovery.unwrap();
    assert_eq!(recovery.link_up_after_ms, Some(500));
    assert_eq!((recovery.moving_after_ms, recovery.caught_up_after_ms), (Some(4_000), Some(4_000)));
    assert_eq!((recovery.nudged, recovery.stall), (true, None));
    lab.pass(2_000);
    assert_eq!(
        lab.lines(),
        [
            "mirror b is streaming (was stalled)",
            "mirror b caught up 4.00 s after the heal (link up 0.50 s, moving 4.00 s)",
        ]
    );
    let marks: Vec<MarkKind> = lab.state.peek().marks.iter().map(|mark| mark.kind).collect();
    assert_eq!(marks, [MarkKind::Cut, MarkKind::Heal]);
}

#[test]
fn nothing_streams_through_an_effective_cut() {
    let mut lab = Lab::new();
    lab.pass(3_000);
    lab.silent_ms = Some(300);
    lab.cut(CutKind::Refuse);
    lab.half_second();
    assert!(lab.shown("b").link.unwrap().effective);
    assert_eq!(lab.mirror_state(), MirrorState::Silent);
    // One that leaks is not.
    lab.linked = true;
    lab.half_second();
    assert!(!lab.shown("b").link.unwrap().effective);
    assert_eq!(lab.mirror_state(), MirrorState::Streaming);
}

/// A ping that a silent cut held up comes back with the length of the cut.
#[test]
fn a_round_trip_that_began_in_the_cut_is_not_the_links() {
    let mut lab = Lab::new();
    lab.pass(3_000);
    lab.cut(CutKind::Silent);
    lab.linked = true;
    lab.pass(3_000);
    lab.state.heal_begun(lab.now, &zone("b"), None);
    lab.rtt_us = 2_200_000;
    lab.half_second();
    assert_eq!(lab.shown("b").link.unwrap().rtt_us, None);
    // Its server tells it until the next ping.
    lab.pass(4_000);
    assert_eq!(lab.shown("b").link.unwrap().rtt_us, None);
    lab.rtt_us = 310;
    lab.half_second();
    assert_eq!(lab.shown("b").link.unwrap().rtt_us, Some(310));
    // One that began afterwards counts, however long it took.
    lab.rtt_us = 1_500_000;
    lab.half_second();
    assert_eq!(lab.shown("b").link.unwrap().rtt_us, Some(1_500_000));
}

#[test]
fn a_cut_in_the_middle_of_a_recovery_ends_its_clock() {
    let mut lab = Lab::new();
    lab.cut(CutKind::Refuse);
    lab.state.heal_begun(lab.now, &zone("b"), None);
    lab.cut(CutKind::Refuse);
    assert_eq!(lab.shown("b").recovery, None);
    lab.state.cut_failed(lab.now, &zone("b"));
    lab.linked = true;
    lab.half_second();
    assert_eq!(lab.shown("b").link.unwrap().state, LinkState::Up);
    assert_eq!(lab.shown("b").recovery, None, "a cut that failed needs no recovery");
    assert!(lab.state.heal_begun(lab.now, &zone("b"), None).is_empty());
    assert_eq!(lab.shown("b").recovery, None, "nothing to heal");
}

#[test]
fn a_link_that_breaks_by_itself_is_down_and_comes_back() {
    let mut lab = Lab::new();
    lab.linked = false;
    lab.half_second();
    assert_eq!(lab.shown("b").link.unwrap().state, LinkState::Down);
    lab.linked = true;
    lab.half_second();
    assert_eq!(lab.lines(), ["link to b is down", "link to b is up"]);
}

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
    assert!(lab.shown("b").mirror.unwrap().heard_ms.is_some(), "an earlier leader heard it");

    let mut state = State::new("drill", "local", 0);
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
    let picture = state.snapshot(lab.now);
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
fn an_idle_region_makes_one_revision_a_second() {
    let mut lab = Lab::new();
    lab.half_second();
    lab.events.clear();
    let before = lab.state.revision();
    for _ in 0..50 {
        lab.now += 8;
        lab.silent_ms = Some(lab.now % 1_000);
        lab.poll();
    }
    assert_eq!(lab.state.revision(), before);
    lab.now += 600;
    lab.state.tick(lab.now);
    assert!(lab.state.changed_since(before));
    let ticked = lab.state.revision();
    lab.state.tick(lab.now + 1);
    assert_eq!(lab.state.revision(), ticked, "no sample is due, nothing moved");
    assert!(lab.lines().is_empty());
}

#[test]
fn the_history_keeps_gaps_and_its_length() {
    let mut lab = Lab::new();
    lab.pass(3_000);
    lab.now += 5_000;
    lab.state.tick(lab.now);
    let history = lab.shown("b").lag_history;
    assert_eq!(history, [Some(0), Some(0), Some(0), None, None, None, None, None]);
    assert!(lab.shown("a").lag_history.iter().all(Option::is_none));
    for _ in 0..300 {
        lab.now += 1_000;
        lab.state.tick(lab.now);
    }
    assert_eq!(lab.shown("b").lag_history.len(), crate::region::snapshot::HISTORY_LEN);
    assert_eq!(lab.state.peek().history_ms, lab.now);
}

#[test]
fn zones_come_in_order_and_go() {
    let mut lab = Lab::new();
    lab.state.zone_added(lab.now, &plan("d", 3));
    lab.state.zone_added(lab.now, &plan("c", 2));
    lab.state.zone_added(lab.now, &plan("c", 2));
    let names = |lab: &Lab| -> Vec<String> {
        lab.state.peek().zones.iter().map(|zone| zone.name.to_string()).collect()
    };
    assert_eq!(names(&lab), ["a", "b", "c", "d"]);
    lab.state.zone_ready(lab.now, &zone("c"));
    lab.state.zone_removing(&zone("b"));
    let dead = ProcessTruth { state: ProcessState::Stopped, pid: None };
    lab.process(&node("js1-zone-b"), dead);
    assert!(lab.lines().is_empty(), "a removal has its own line");
    lab.state.zone_removed(lab.now, &zone("b"));
    assert_eq!(names(&lab), ["a", "c", "d"]);
    let marks: Vec<&str> = lab.state.peek().marks.iter().map(|mark| mark.text.as_str()).collect();
    assert_eq!(marks, ["zone c joined", "zone b left"]);
    lab.process(&node("js1-zone-b"), dead);
}

#[test]
fn the_source_comes_first_whenever_it_is_added() {
    let mut state = State::new("drill", "local", 0);
    state.zone_added(0, &plan("b", 1));
    state.zone_added(0, &plan("a", 0));
    assert_eq!(state.peek().zones[0].name, zone("a"));
}

#[test]
fn steps_begin_anew_with_every_bring_up() {
    let mut state = State::new("drill", "local", 0);
    state.phase(Phase::Starting);
    state.step_started("start zone a");
    state.step_detail("start zone a", "3 of 3 nodes");
    assert_eq!(
        state.step_done("start zone a", 740),
        [EventKind::StepDone { title: "start zone a".into(), took_ms: 740 }]
    );
    state.step_started("stream");
    state.step_failed("stream", "no meta leader");
    assert_eq!(state.peek().steps.len(), 2);
    assert!(state.step_done("unknown", 1).is_empty());
    state.phase(Phase::Failed("no meta leader".into()));
    state.phase(Phase::Starting);
    assert!(state.peek().steps.is_empty());
}

#[test]
fn tasks_screens_and_marks() {
    let mut lab = Lab::new();
    let task = Task {
        id: 1,
        command: "produce --count 1000".into(),
        actor: crate::region::Actor::room(),
        since_ms: lab.now,
        progress: String::new(),
    };
    lab.state.task_started(task);
    lab.state.task_progress(1, "412 of 1000 acked");
    assert_eq!(lab.state.peek().tasks[0].progress, "412 of 1000 acked");
    lab.state.task_ended(1);
    assert!(lab.state.peek().tasks.is_empty());

    let screen =
        |id, name: &str| Screen { id, name: name.into(), drives: id == 1, ..Screen::default() };
    let came = lab.state.screens(vec![screen(1, "ann"), screen(2, "bo")]);
    assert_eq!(
        came.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["ann attached", "bo attached to observe"]
    );
    assert!(lab.state.screens(vec![screen(1, "ann"), screen(2, "bo")]).is_empty());
    assert_eq!(lab.state.screens(vec![screen(2, "bo")])[0].to_string(), "ann left");

    for n in 0..100 {
        lab.state.mark(lab.now + n, "look");
    }
    assert_eq!(lab.state.peek().marks.len(), MARKS);
}

#[test]
fn alarms_sound_when_a_bad_count_grows_and_not_too_often() {
    let mut lab = Lab::new();
    let b = zone("b");
    let account = |duplicates, acked| Ledger { acked, duplicates, ..Ledger::default() };
    let first = Offenders { duplicates: vec![17, 21], ..Offenders::default() };
    assert!(lab.state.ledger(lab.now, &b, account(0, 10), first.clone()).is_empty());
    let events = lab.state.ledger(lab.now, &b, account(2, 20), first.clone());
    assert_eq!(events[0].to_string(), "ledger b: 2 duplicate, first at sequence [17, 21]");
    assert!(lab.state.ledger(lab.now + 50, &b, account(2, 30), first.clone()).is_empty());
    assert!(lab.state.ledger(lab.now + 90, &b, account(5, 30), first.clone()).is_empty());
    let events = lab.state.tick(lab.now + 1_090);
    assert!(events.iter().any(|event| event.to_string().starts_with("ledger b: 5 duplicate")));
    let redelivered = Ledger { redelivered: 9, ..account(5, 30) };
    assert!(lab.state.ledger(lab.now + 9_000, &b, redelivered, first).is_empty(), "legal");
}

#[test]
fn producer_and_consumer_troubles_get_a_line() {
    let mut lab = Lab::new();
    let fine = Producer { active: true, acked_by: Some("zone-a".into()), ..Producer::default() };
    assert!(lab.state.producer(fine.clone()).is_empty());
    let before = lab.state.revision();
    lab.state.producer(Producer { rate: 49.9, ..fine.clone() });
    assert_eq!(lab.state.revision(), before, "a rate alone waits for the tick");
    let stuck = Producer { trouble: Some("no responders".into()), reconnects: 1, ..fine.clone() };
    let lines: Vec<String> = lab.state.producer(stuck).iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        ["the producer cannot go on: no responders", "the producer's connection was made anew"]
    );
    let strange = Producer { acked_by: Some("zone-b".into()), ..fine };
    let events = lab.state.producer(strange);
    assert_eq!(events.last().unwrap().severity(), Severity::Error);

    let work = Work { running: true, trouble: Some("no leader".into()), ..Work::default() };
    let events = lab.state.work(&zone("b"), work);
    assert_eq!(events[0].to_string(), "the consumer of zone b cannot go on: no leader");
    assert_eq!(lab.state.work(&zone("b"), Work::default()).len(), 1);
}

#[test]
fn a_conclusion_changes_by_name() {
    let mut lab = Lab::new();
    lab.state.conclude("heal", Verdict::Proved, "200 of 200");
    lab.state.conclude("nonsense", Verdict::Broken, "");
    assert_eq!(lab.state.peek().conclusions[1].verdict, Verdict::Proved);
    assert_eq!(lab.state.peek().conclusions.len(), 4);
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
