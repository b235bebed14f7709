//! What holds whatever happens, in whatever order.

use proptest::prelude::*;

use super::*;

/// One thing that may happen.
#[derive(Clone, Debug)]
enum Happening {
    Pass(u64),
    Report {
        node: NodeName,
        lead: u8,
        seq: u64,
        silent_ms: Option<u64>,
        leafs: bool,
        age: u64,
        created: u8,
    },
    Silence(NodeName),
    Process(NodeName, ProcessTruth),
    Pending(ZoneName, u64),
    Tick,
    Cut(ZoneName, CutKind),
    Severed(ZoneName),
    Proved(ZoneName),
    Heal(ZoneName),
    Nudge(ZoneName),
    Add(&'static str, u16),
    Ready(ZoneName),
    Remove(ZoneName),
    Ledger(ZoneName, u64),
}

fn any_zone() -> impl Strategy<Value = ZoneName> {
    prop::sample::select(vec![zone("a"), zone("b"), zone("c")])
}

fn any_node() -> impl Strategy<Value = NodeName> {
    (any_zone(), 1..=3_u8).prop_map(|(zone, number)| NodeName { zone, number })
}

fn happening() -> impl Strategy<Value = Happening> {
    let state = prop::sample::select(vec![
        ProcessState::Running,
        ProcessState::Frozen,
        ProcessState::Stopped,
        ProcessState::Dead,
    ]);
    prop_oneof![
        4 => (0..4_000_u64).prop_map(Happening::Pass),
        12 => (
            any_node(),
            1..=3_u8,
            prop_oneof![0..50_u64, Just(u64::MAX)],
            prop::option::of(0..5_000_u64),
            any::<bool>(),
            0..5_000_u64,
            0..2_u8,
        )
            .prop_map(|(node, lead, seq, silent_ms, leafs, age, created)| Happening::Report {
                node,
                lead,
                seq,
                silent_ms,
                leafs,
                age,
                created,
            }),
        1 => any_node().prop_map(Happening::Silence),
        2 => (any_node(), state, prop::option::of(1..4_u32))
            .prop_map(|(node, state, pid)| Happening::Process(node, ProcessTruth { state, pid })),
        1 => (any_zone(), any::<u64>()).prop_map(|(zone, n)| Happening::Pending(zone, n)),
        2 => Just(Happening::Tick),
        2 => (any_zone(), prop::sample::select(vec![CutKind::Refuse, CutKind::Silent]))
            .prop_map(|(zone, kind)| Happening::Cut(zone, kind)),
        1 => any_zone().prop_map(Happening::Severed),
        2 => any_zone().prop_map(Happening::Proved),
        2 => any_zone().prop_map(Happening::Heal),
        1 => any_zone().prop_map(Happening::Nudge),
        1 => prop::sample::select(vec![("a", 0), ("b", 1), ("c", 2)])
            .prop_map(|(name, slot)| Happening::Add(name, slot)),
        1 => any_zone().prop_map(Happening::Ready),
        1 => any_zone().prop_map(Happening::Remove),
        1 => (any_zone(), 0..9_u64).prop_map(|(zone, n)| Happening::Ledger(zone, n)),
    ]
}

fn apply(state: &mut State, now: &mut UnixMs, what: &Happening) {
    match what.clone() {
        Happening::Pass(ms) => *now += ms,
        Happening::Report { node, lead, seq, silent_ms, leafs, age, created } => {
            let lead = Some(format!("js{lead}-zone-{}", node.zone));
            let report = NodeReport {
                server_id: "x".into(),
                version: "2.15.1".into(),
                at_ms: (*now + 1_000).saturating_sub(age),
                meta_leader: lead.clone(),
                leafs: if leafs {
                    ["js1-zone-a", "js1-zone-b", "js2-zone-c", "odd"]
                        .map(|name| LeafReport { id: 1, name: name.into(), rtt_us: None })
                        .to_vec()
                } else {
                    Vec::new()
                },
                stream: Some(StreamReport {
                    last_seq: seq,
                    leader: lead.clone(),
                    created: created.to_string(),
                    mirror: Some(MirrorReport { lag: 0, silent_ms, error: None }),
                    consumers: vec![ConsumerReport {
                        name: format!("consumer-{}", node.zone),
                        leader: lead,
                        ..ConsumerReport::default()
                    }],
                    ..StreamReport::default()
                }),
                ..NodeReport::default()
            };
            state.observe(*now, Observation::Node { node, report: Some(Box::new(report)) });
        }
        Happening::Silence(node) => {
            state.observe(*now, Observation::Node { node, report: None });
        }
        Happening::Process(node, truth) => {
            state.observe(*now, Observation::Process { node, truth });
        }
        Happening::Pending(zone, pending) => {
            state.observe(*now, Observation::SourcePending { zone, pending });
        }
        Happening::Tick => {
            state.tick(*now);
        }
        Happening::Cut(zone, kind) => {
            state.cut_begun(*now, &zone, kind, None);
        }
        Happening::Severed(zone) => {
            state.severed(&zone, 1);
        }
        Happening::Proved(zone) => {
            state.cut_proved(*now, &zone, 2);
        }
        Happening::Heal(zone) => {
            state.heal_begun(*now, &zone, None);
        }
        Happening::Nudge(zone) => {
            state.nudged(&zone);
        }
        Happening::Add(name, slot) => {
            state.zone_added(*now, &plan(name, slot));
        }
        Happening::Ready(zone) => {
            state.zone_ready(*now, &zone);
        }
        Happening::Remove(zone) => {
            state.zone_removed(*now, &zone);
        }
        Happening::Ledger(zone, lost) => {
            let ledger = Ledger { lost, ..Ledger::default() };
            state.ledger(*now, &zone, ledger, Offenders::default());
        }
    }
}

fn begun() -> State {
    let mut state = State::new("drill", "local", 0);
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
        let mut proved: std::collections::BTreeSet<ZoneName> = std::collections::BTreeSet::new();
        for what in &story {
            let before = state.snapshot(now);
            let revision = state.revision();
            apply(&mut state, &mut now, what);
            match what {
                Happening::Proved(zone) => { proved.insert(zone.clone()); }
                Happening::Cut(zone, _) => { proved.remove(zone); }
                _ => {}
            }
            let picture = state.snapshot(now);
            let fresh = |stream: Option<&crate::region::snapshot::Stream>| {
                stream.is_some_and(|stream| now.saturating_sub(stream.told_ms) < FRESH_MS)
            };
            let source_fresh = fresh(picture.source().and_then(|zone| zone.stream.as_ref()));
            for zone in &picture.zones {
                prop_assert!(zone.lag_history.len() <= crate::region::snapshot::HISTORY_LEN);
                if let Some(mirror) = &zone.mirror && mirror.true_lag.is_some() {
                    prop_assert!(source_fresh && fresh(zone.stream.as_ref()));
                }
                if let Some(link) = &zone.link && link.effective {
                    prop_assert_eq!(link.state, LinkState::Cut);
                    prop_assert!(proved.contains(&zone.name), "effective without proof");
                }
                if let Some(clock) = &zone.recovery {
                    prop_assert!(clock.moving_after_ms.is_none_or(|ms| Some(ms) >= clock.link_up_after_ms));
                    prop_assert!(clock.caught_up_after_ms.is_none_or(|ms| Some(ms) >= clock.link_up_after_ms));
                }
                if zone.role == Role::Source {
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
fn timeless(mut picture: Snapshot) -> Snapshot {
    picture.at_ms = 0;
    for zone in &mut picture.zones {
        for node in &mut zone.nodes {
            node.answered_ms = None;
            node.rss_bytes = None;
            node.cpu_percent = None;
        }
        if let Some(stream) = &mut zone.stream {
            stream.told_ms = 0;
        }
        if let Some(consumer) = &mut zone.consumer {
            consumer.told_ms = 0;
        }
        if let Some(mirror) = &mut zone.mirror {
            mirror.told_ms = 0;
            mirror.heard_ms = None;
            mirror.true_lag = None;
        }
        if let Some(link) = &mut zone.link {
            link.rtt_us = None;
        }
    }
    picture
}
