use super::*;
use crate::region::status::Node;

/// A zone with so many of three nodes up.
fn zone(name: &str, role: Role, up: usize) -> Zone {
    let name: ZoneName = name.parse().unwrap();
    let node = |(at, name)| Node {
        container: None,
        name,
        state: if at < up { NodeState::Up } else { NodeState::Dead },
        since_at_ms: 0,
        url: String::new(),
        pid: None,
        meta_leader: false,
        leader: false,
        consumer_leader: false,
        leafs: None,
        rss_bytes: None,
        cpu_percent: None,
        answered_at_ms: None,
    };
    let nodes = name.nodes().enumerate().map(node).collect();
    let link = (name.as_str() != "a").then(Link::default);
    Zone { nodes, link, state: ZoneState::Ready, ..Zone::new(name, role) }
}

fn alarms(zones: [Zone; 3], producer: &str) -> Vec<(AlarmKind, String, Option<Remedy>)> {
    let mut status = Status { phase: Phase::Up, zones: zones.into(), ..Status::default() };
    status.producer.zone = producer.parse().ok();
    let told = status.alarms().into_iter();
    told.map(|alarm| {
        (alarm.kind, alarm.zone.map(|zone| zone.to_string()).unwrap_or_default(), alarm.remedy)
    })
    .filter(|(kind, ..)| {
        matches!(kind, AlarmKind::SplitBrain | AlarmKind::Split | AlarmKind::Fenced)
    })
    .collect()
}

fn named(name: &str) -> ZoneName {
    name.parse().unwrap()
}

#[test]
fn of_two_zones_that_take_messages_the_one_without_the_producer_is_to_be_fenced() {
    let both = || {
        let c = zone("c", Role::Fenced, 3);
        [zone("a", Role::Source, 3), zone("b", Role::Promoted, 3), c]
    };
    for (producer, goes) in [("a", "b"), ("b", "a")] {
        let split = (AlarmKind::SplitBrain, goes.to_owned(), Some(Remedy::Fence(named(goes))));
        let fenced = (AlarmKind::Fenced, "c".to_owned(), Some(Remedy::Salvage(named("c"))));
        assert_eq!(alarms(both(), producer), [split, fenced]);
    }
    // One without a majority takes nothing.
    let mut lost = both();
    lost[0] = zone("a", Role::Source, 1);
    assert!(alarms(lost, "b").iter().all(|(kind, ..)| *kind == AlarmKind::Fenced));
}

/// Of a third zone that was promoted, too, the counts would be of another pair.
#[test]
fn how_far_two_zones_have_parted_is_told_of_those_two_alone() {
    let cause = |others: [Option<Apart>; 2]| {
        let mut zones =
            [zone("a", Role::Source, 3), zone("b", Role::Promoted, 3), zone("c", Role::Fenced, 3)];
        (zones[1].ledger.apart, zones[2].ledger.apart) = (others[0], others[1]);
        let status = Status { phase: Phase::Up, zones: zones.into(), ..Status::default() };
        status.alarms()[0].cause.clone()
    };
    let apart = Some(Apart { alone: 30, lacks: 10 });
    let told = cause([apart, None]);
    assert!(told.contains("zone a has 10 acknowledged ones"), "{told}");
    assert!(told.contains("zone b 30 that zone a lacks"), "{told}");
    for told in [cause([apart, apart]), cause([None, None])] {
        assert!(told.contains("each has what the other lacks"), "{told}");
    }
}

#[test]
fn a_copy_of_a_zone_that_takes_no_messages_is_told() {
    let region = |a, b| [a, b, zone("c", Role::Mirror, 3)];
    let orphan = (AlarmKind::Split, "c".to_owned(), None);
    let fenced = region(zone("a", Role::Fenced, 3), zone("b", Role::Promoted, 3));
    assert_eq!(alarms(fenced, "b")[0], orphan);
    let lost = region(zone("a", Role::Source, 0), zone("b", Role::Promoted, 3));
    assert_eq!(alarms(lost, "b"), [orphan]);
    let whole = region(zone("a", Role::Source, 3), zone("b", Role::Mirror, 3));
    assert_eq!(alarms(whole, "a"), []);
    // While nobody takes messages there is nothing to miss.
    let nobody = region(zone("a", Role::Fenced, 3), zone("b", Role::Promoted, 1));
    assert!(alarms(nobody, "b").iter().all(|(kind, ..)| *kind == AlarmKind::Fenced));
}
