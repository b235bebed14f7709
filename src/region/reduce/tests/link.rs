//! Links: cut, leaking, healed, broken by themselves.

use super::*;

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
    assert_ne!(lab.leafs(), (Some(0), Some(0)));
    lab.linked = false;
    lab.half_second();
    let link = lab.shown("b").link.unwrap();
    assert!(!link.effective, "seen is not proved");
    assert_eq!(lab.leafs(), (Some(0), Some(0)));
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
    assert_eq!(lab.leafs(), (None, Some(0)));
    lab.process(&js3, ProcessTruth { state: ProcessState::Dead, pid: None });
    assert_eq!(lab.leafs(), (Some(0), Some(0)));
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

/// The room proves a cut by its own look at both ends; the nodes' last answers are older than that.
#[test]
fn a_picture_of_a_proved_cut_lists_no_connection_of_before() {
    let mut lab = Lab::new();
    let linked = lab.leafs();
    assert_ne!(linked, (Some(0), Some(0)));
    lab.state.cut_begun(lab.now, &zone("b"), CutKind::Refuse, None);
    lab.now += 5;
    lab.state.cut_proved(lab.now, &zone("b"), 5);
    assert!(lab.shown("b").cut_effective());
    assert_eq!(lab.leafs(), (Some(0), Some(0)));
    // What they answer from then on counts.
    lab.linked = true;
    lab.half_second();
    assert_eq!((lab.shown("b").cut_effective(), lab.leafs()), (false, linked));
}
