//! What may happen to a region, and what the room would tell its state of it.

use super::*;

/// One thing that may happen.
#[derive(Clone, Debug)]
pub(super) enum Happening {
    Pass(u64),
    Report {
        node: NodeName,
        lead: u8,
        seq: u64,
        silent_ms: Option<u64>,
        leafs: bool,
        age: u64,
        created: u8,
        delivered: Option<u64>,
    },
    Consumes {
        zone: ZoneName,
        works: bool,
        processed: u64,
        came: Option<(u64, u64)>,
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
    Ledger(ZoneName, u64, u64),
    Audited(ZoneName, u64),
    Produced {
        acked: u64,
        unknown: u64,
    },
}

pub(super) fn any_zone() -> impl Strategy<Value = ZoneName> {
    prop::sample::select(vec![zone("a"), zone("b"), zone("c")])
}

pub(super) fn any_node() -> impl Strategy<Value = NodeName> {
    (any_zone(), 1..=3_u8).prop_map(|(zone, number)| NodeName { zone, number })
}

pub(super) fn happening() -> impl Strategy<Value = Happening> {
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
            prop_oneof![9 => Just(0_u8), 1 => Just(1_u8)],
            prop::option::of(0..60_u64),
        )
            .prop_map(|(node, lead, seq, silent_ms, leafs, age, created, delivered)| Happening::Report {
                node,
                lead,
                seq,
                silent_ms,
                leafs,
                age,
                created,
                delivered,
            }),
        4 => (any_zone(), prop::bool::weighted(0.8), 0..90_u64, prop::option::of((1..60_u64, 0..9_u64)))
            .prop_map(|(zone, works, processed, came)| Happening::Consumes {
                zone,
                works,
                processed,
                came,
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
        3 => (any_zone(), 0..9_u64, 0..60_u64)
            .prop_map(|(zone, n, received)| Happening::Ledger(zone, n, received)),
        1 => (any_zone(), 0..9_u64).prop_map(|(zone, n)| Happening::Audited(zone, n)),
        3 => (0..50_u64, 0..5_u64)
            .prop_map(|(acked, unknown)| Happening::Produced { acked, unknown }),
    ]
}

pub(super) fn apply(state: &mut State, now: &mut UnixMs, what: &Happening) {
    match input(&state.peek().producer, *now, what) {
        Some(input) => drop(state.apply(*now, input)),
        None => {
            if let Happening::Pass(ms) = what {
                *now += ms;
            }
        }
    }
}

/// What the room would tell its state; nothing where only time passes.
pub(super) fn input(producer: &Producer, now: UnixMs, what: &Happening) -> Option<Input> {
    Some(match what.clone() {
        Happening::Pass(_) => return None,
        Happening::Report { node, lead, seq, silent_ms, leafs, age, created, delivered } => {
            let lead = Some(format!("js{lead}-zone-{}", node.zone));
            let report = NodeReport {
                server_id: "x".into(),
                version: "2.15.1".into(),
                at_ms: (now + 1_000).saturating_sub(age),
                meta_leader: lead.clone(),
                leafs: if leafs {
                    ["js1-zone-a", "js1-zone-b", "js2-zone-c", "odd"]
                        .map(|name| LeafReport {
                            id: 1,
                            name: name.into(),
                            ..LeafReport::default()
                        })
                        .to_vec()
                } else {
                    Vec::new()
                },
                stream: Some(StreamReport {
                    last_seq: seq,
                    leader: lead.clone(),
                    created: created.to_string(),
                    mirror: Some(MirrorReport { lag: 0, silent_ms, error: None }),
                    messages: seq,
                    consumers: delivered
                        .map(|delivered| ConsumerReport {
                            name: format!("consumer-{}", node.zone),
                            leader: lead,
                            delivered,
                            deliveries: delivered + delivered / 5,
                            ack_floor: delivered / 2,
                            pending: seq.saturating_sub(delivered),
                            ..ConsumerReport::default()
                        })
                        .into_iter()
                        .collect(),
                    ..StreamReport::default()
                }),
                ..NodeReport::default()
            };
            Input::Observed(Observation::Node { node, report: Some(Box::new(report)) })
        }
        Happening::Consumes { zone, works, processed, came } => {
            let deliveries = came.map(|(count, gaps)| Deliveries {
                count,
                here: count.saturating_sub(gaps),
                at_ms: now,
            });
            let latency =
                (processed > 0).then(|| Latency { messages: processed, ..Latency::default() });
            let does = Consuming {
                running: works || processed > 45,
                paused: !works,
                processed,
                latency,
                deliveries,
                ..Consuming::default()
            };
            Input::Consuming { zone, does }
        }
        Happening::Silence(node) => Input::Observed(Observation::Node { node, report: None }),
        Happening::Process(node, truth) => Input::Observed(Observation::Process { node, truth }),
        Happening::Pending(zone, pending) => {
            Input::Observed(Observation::SourcePending { zone, pending })
        }
        Happening::Tick => Input::Tick,
        Happening::Cut(zone, kind) => Input::CutBegun { zone, kind, heals_after_ms: None },
        Happening::Severed(zone) => Input::Severed { zone, after_ms: 1 },
        Happening::Proved(zone) => Input::CutProved { zone, after_ms: 2 },
        Happening::Heal(zone) => Input::HealBegun { zone, acked: None },
        Happening::Nudge(zone) => Input::Nudged { zone },
        Happening::Add(name, slot) => Input::ZoneAdded(plan(name, slot)),
        Happening::Ready(zone) => Input::ZoneReady(zone),
        Happening::Remove(zone) => Input::ZoneRemoved(zone),
        Happening::Produced { acked, unknown } => {
            let produced = Produced { acked, unknown, ..Produced::default() };
            Input::Accounts { produced, zones: Vec::new() }
        }
        Happening::Audited(zone, lost) => {
            let audit = Audit { at_ms: now, lost, ..Audit::default() };
            Input::Audited { zone, audit }
        }
        Happening::Ledger(zone, lost, received) => {
            let (duplicates, unexpected) = (lost / 3, lost / 4);
            let ledger = Ledger { received, lost, duplicates, unexpected, ..Ledger::default() };
            let account = ZoneAccount { zone, ledger, offenders: Offenders::default() };
            let Producer { acked, failed, unknown, .. } = *producer;
            let produced = Produced { acked, failed, unknown, ..Produced::default() };
            Input::Accounts { produced, zones: vec![account] }
        }
    })
}
