//! What is known of nodes: whose word counts, and what silence means.

use super::*;

#[test]
fn numbers_come_from_the_leader_only() {
    let mut lab = Lab::new();
    let mut odd = lab.answer(&node("js2-zone-a"));
    odd.stream.as_mut().unwrap().last_seq = 7;
    lab.observe(Observation::Node { node: node("js2-zone-a"), report: Some(Box::new(odd)) });
    let a = lab.shown("a");
    assert_eq!(a.stream.as_ref().unwrap().last_seq, 100);
    assert_eq!(a.stream.as_ref().unwrap().replicas_current, Some(3));
    assert!(a.nodes[0].leader && a.nodes[0].meta_leader && a.nodes[0].consumer_leader);
    assert!(!a.nodes[1].leader);
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
    assert_ne!((stream.last_seq, stream.told_at_ms), (100, lab.now));
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
fn a_server_that_leaves_stays_so_until_it_is_another() {
    let mut lab = Lab::new();
    let name = node("js1-zone-b");
    lab.observe(Observation::Leaving { node: name.clone() });
    let lines = lab.lines();
    assert_eq!(lines[..2], ["js1-zone-b is leaving (was up)", "zone b: nobody leads the stream"]);
    lab.half_second();
    lab.observe(Observation::Node { node: name.clone(), report: None });
    assert_eq!(lab.node_state("js1-zone-b"), NodeState::Leaving, "whatever it answers, or not");
    lab.process(&name, ProcessTruth { state: ProcessState::Dead, pid: None });
    assert_eq!(lab.node_state("js1-zone-b"), NodeState::Dead);
    // Too late a word of one that has ended.
    lab.observe(Observation::Leaving { node: name.clone() });
    assert_eq!(lab.node_state("js1-zone-b"), NodeState::Dead);
    lab.process(&name, running(9));
    lab.half_second();
    assert_eq!(lab.node_state("js1-zone-b"), NodeState::Up);
}

#[test]
fn a_server_without_jetstream_leads_nothing() {
    let mut lab = Lab::new();
    let leader = |lab: &Lab| lab.shown("b").stream.and_then(|stream| stream.leader);
    let name = node("js1-zone-b");
    assert_eq!(leader(&lab), Some(name.to_string()));
    for _ in 0..2 {
        lab.now += 500;
        let mut report = lab.answer(&name);
        (report.jetstream_off, report.stream) = (true, None);
        lab.observe(Observation::Node { node: name.clone(), report: Some(Box::new(report)) });
    }
    assert_eq!(lab.node_state("js1-zone-b"), NodeState::JsOff);
    // The others still name it.
    assert_eq!(leader(&lab), None);
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
