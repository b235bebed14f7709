use super::{
    measured::{Seen, WayCount, prove},
    *,
};

fn delayed(ms: u32) -> Way {
    Way { delay_ms: ms, ..Way::default() }
}

fn both(way: Way) -> LinkCondition {
    LinkCondition::default().with(way, Direction::Both)
}

#[test]
fn what_cannot_be_is_refused_with_what_is_wrong() {
    let jitter = Way { jitter_ms: 5, ..delayed(2) };
    let rate = |bits| Way { rate_bps: Some(BitRate(bits)), ..Way::default() };
    let silent = Way { silent: true, ..Way::default() };
    for (condition, part) in [
        (LinkCondition::default(), "nothing is asked"),
        (both(jitter), "jitter of 5ms needs a delay"),
        (both(delayed(10_001)), "longer than 10s"),
        (both(rate(LEAST_RATE - 1)), "less than a packet a second"),
        (both(silent), "is a cut"),
        (
            LinkCondition::default().with(Way { silent: true, ..delayed(5) }, Direction::To),
            "delay says nothing",
        ),
        (both(Way { loss: Some(Share(1000)), ..Way::default() }), "100%"),
        (both(Way { mtu: Some(575), ..Way::default() }), "an mtu of 575"),
        (
            LinkCondition { flap: Some(Flap { up_ms: 5000, down_ms: 0 }), ..both(delayed(1)) },
            "0s is not between",
        ),
        (
            LinkCondition {
                flap: Some(Flap { up_ms: 5000, down_ms: 2000 }),
                reset_every_ms: Some(500),
                ..LinkCondition::default()
            },
            "leave --reset out",
        ),
    ] {
        let why = condition.check().unwrap_err().to_string();
        assert!(why.contains(part), "{condition}: {why}");
    }
    assert_eq!(both(rate(LEAST_RATE)).check(), Ok(()));
}

#[test]
fn rates_shares_and_flaps_are_read_as_they_are_written() {
    for (text, bits) in [
        ("12kbit", 12_000),
        ("1mbit", 1_000_000),
        ("1.5Mbit/s", 1_500_000),
        ("0.5gbit", 500_000_000),
        ("999bit", 999),
    ] {
        let rate: BitRate = text.parse().unwrap();
        assert_eq!(rate.0, bits, "{text}");
        assert_eq!(rate.to_string().parse(), Ok(rate));
    }
    for bad in [
        "", "1", "1m", "1mb", "0mbit", "-1mbit", ".5mbit", "1.mbit", "1e3bit", "1.5bit", "101gbit",
        "٣mbit",
    ] {
        assert!(bad.parse::<BitRate>().is_err(), "{bad}");
    }
    assert_eq!("0.5%".parse(), Ok(Share(5)));
    assert_eq!(Share(5).to_string(), "0.5%");
    for bad in ["5", "%", "100.1%", "-1%", "0.05%"] {
        assert!(bad.parse::<Share>().is_err(), "{bad}");
    }
    let flap: Flap = "5s/200ms".parse().unwrap();
    assert_eq!((flap.up_ms, flap.down_ms, flap.to_string().as_str()), (5000, 200, "5s/200ms"));
    assert!("5s".parse::<Flap>().is_err() && "5s/".parse::<Flap>().is_err());
}

#[test]
fn presets_are_conditions_that_can_be_and_a_users_own_replace_them() {
    let builtin = presets::read(presets::BUILTIN).unwrap();
    let names: Vec<&str> = builtin.iter().map(|preset| preset.name.as_str()).collect();
    let known = ["blackhole", "flapping", "halfopen", "lossy", "satellite", "thin", "transpacific"];
    assert_eq!(names, known);
    let own = "[thin]\nabout = \"thinner\"\nboth = { rate = \"64kbit\" }\n";
    let all = presets::all(Some(own)).unwrap();
    let thin = all.iter().find(|preset| preset.name == "thin").unwrap();
    assert_eq!(thin.condition.to_zone.rate_bps, Some(BitRate(64_000)));
    assert_eq!(all.len(), known.len());
    for (wrong, part) in [
        ("[x]\nabout = \"\"\nboth = { rate = \"8kbit\" }", "preset `x`: a rate of 8kbit"),
        ("[x]\nabout = \"\"\nboth = { speed = \"8kbit\" }", "speed"),
        ("[X]\nabout = \"\"\nflap = \"5s/2s\"", "not a preset's name"),
        ("[x]\nabout = \"\"", "nothing is asked"),
    ] {
        let why = presets::all(Some(wrong)).unwrap_err();
        assert!(why.contains(part), "{wrong}: {why}");
    }
}

#[test]
fn one_direction_leaves_the_other_as_it_was() {
    let flaps =
        LinkCondition { flap: Some(Flap { up_ms: 5000, down_ms: 2000 }), ..both(delayed(7)) };
    let changed = flaps.with(delayed(50), Direction::To);
    assert_eq!((changed.to_zone, changed.from_zone), (delayed(50), delayed(7)));
    assert!(changed.flap.is_some());
    assert_eq!(changed.with(delayed(1), Direction::Both), both(delayed(1)));
}

fn counted(asked: LinkCondition, least_us: u64) -> Seen {
    let way = WayCount { held: 3, least_us: Some(least_us), since: 10, ..WayCount::default() };
    let count = measured::LinkCount {
        condition: asked,
        to_zone: way,
        from_zone: way,
        ..measured::LinkCount::default()
    };
    Seen { count, ..Seen::default() }
}

#[test]
fn a_delay_is_proved_by_the_carrier_and_the_ends_together() {
    let asked = both(delayed(50));
    let carrier = counted(asked, 50_000);
    assert_eq!(prove(&asked, &carrier).unproved, [Feature::Delay], "the ends have not said so");
    let seen = Seen { round_trip_us: Some(100_400), ..carrier };
    assert_eq!(prove(&asked, &seen), measured::Proof::default());
    // The ends measured less: it walked around.
    let around = Seen { round_trip_us: Some(60_000), ..carrier };
    assert_eq!(prove(&asked, &around).refuted, [Feature::Delay]);
    // The carrier let something through early.
    let early = Seen { round_trip_us: Some(100_400), ..counted(asked, 20_000) };
    assert_eq!(prove(&asked, &early).refuted, [Feature::Delay]);
    // What was counted under another condition says nothing.
    let mut other = seen;
    other.count.condition = both(delayed(49));
    assert_eq!(prove(&asked, &other).unproved, [Feature::Delay]);
}

#[test]
fn a_jitter_is_proved_only_by_times_that_differ() {
    let asked = both(Way { jitter_ms: 20, ..delayed(50) });
    let mut seen =
        Seen { round_trip_us: Some(70_000), slowest_us: Some(90_000), ..counted(asked, 32_000) };
    assert_eq!(prove(&asked, &seen).unproved, [Feature::Jitter], "the line held all alike");
    (seen.count.to_zone.most_us, seen.count.from_zone.most_us) = (60_000, 60_000);
    assert_eq!(prove(&asked, &seen), measured::Proof::default());
    seen.slowest_us = Some(72_000);
    assert_eq!(prove(&asked, &seen).unproved, [Feature::Jitter], "the ends saw no difference");
}

#[test]
fn a_rate_is_proved_only_while_more_waits_than_passes() {
    let way = Way { rate_bps: Some(BitRate(800_000)), ..Way::default() };
    let asked = LinkCondition::default().with(way, Direction::To);
    let idle = counted(asked, 0);
    assert_eq!(prove(&asked, &idle).unproved, [Feature::Rate], "nothing was held back");
    let full = Seen { full_bps: (Some(99_000), None), taken_bps: Some(97_000), ..idle };
    assert_eq!(prove(&asked, &full), measured::Proof::default());
    let fast = Seen { full_bps: (Some(130_000), None), ..full };
    assert_eq!(prove(&asked, &fast).refuted, [Feature::Rate]);
    // The line is held to its rate, and ten times as much arrives: the servers compress.
    let squeezed = Seen { taken_bps: Some(990_000), ..full };
    assert_eq!(prove(&asked, &squeezed).refuted, [Feature::Rate]);
}

#[test]
fn a_silence_is_proved_by_what_waits_and_by_nobody_answering() {
    let silent = Way { silent: true, ..Way::default() };
    let asked = LinkCondition::default().with(silent, Direction::From);
    let mut seen = Seen::default();
    seen.count.condition = asked;
    assert_eq!(prove(&asked, &seen).unproved, [Feature::Silence]);
    seen.count.from_zone.queued = 40;
    assert_eq!(prove(&asked, &seen).unproved, [Feature::Silence]);
    seen.unanswered = 1;
    assert_eq!(prove(&asked, &seen), measured::Proof::default());
    seen.count.from_zone.since = 1;
    assert_eq!(prove(&asked, &seen).refuted, [Feature::Silence]);
    seen.count.from_zone.since = 0;
    seen.round_trip_us = Some(900);
    assert_eq!(prove(&asked, &seen).refuted, [Feature::Silence]);
}

#[test]
fn a_flap_is_proved_by_connections_that_are_not_those_of_before() {
    let flap = Some(Flap { up_ms: 5000, down_ms: 2000 });
    let asked = LinkCondition { flap, ..LinkCondition::default() };
    let mut seen = Seen::default();
    seen.count.condition = asked;
    seen.count.resets = 1;
    assert_eq!(prove(&asked, &seen).unproved, [Feature::Flap]);
    seen.reconnected = true;
    assert_eq!(prove(&asked, &seen), measured::Proof::default());
}

#[test]
fn a_loss_is_proved_by_the_wires_count_and_by_an_end_that_sent_again() {
    let lossy = Way { loss: Some(Share(50)), ..Way::default() };
    let asked = LinkCondition::default().with(lossy, Direction::To);
    let mut seen = Seen::default();
    seen.count.condition = asked;
    let end = measured::EndCount::default();
    (seen.count.source_end, seen.count.zone_end) = (Some(end), Some(end));
    assert_eq!(prove(&asked, &seen).unproved, [Feature::Loss]);
    (seen.count.to_zone.packets.came, seen.count.to_zone.packets.lost) = (1_000, 48);
    assert_eq!(prove(&asked, &seen).unproved, [Feature::Loss], "no end has noticed");
    // What the zone sent again says nothing about what the source did.
    seen.count.zone_end = Some(measured::EndCount { retransmitted: 9, ..end });
    assert_eq!(prove(&asked, &seen).unproved, [Feature::Loss]);
    seen.count.source_end = Some(measured::EndCount { retransmitted: 40, ..end });
    assert_eq!(prove(&asked, &seen), measured::Proof::default());
    seen.count.to_zone.packets.lost = 9;
    assert_eq!(prove(&asked, &seen).refuted, [Feature::Loss], "far too few");
    seen.count.to_zone.packets.lost = 400;
    assert_eq!(prove(&asked, &seen).refuted, [Feature::Loss], "far too many");
    // A kernel that cannot be asked proves nothing; the other end's is not needed.
    (seen.count.to_zone.packets.lost, seen.count.zone_end) = (48, None);
    assert_eq!(prove(&asked, &seen), measured::Proof::default());
    seen.count.source_end = None;
    assert_eq!(prove(&asked, &seen).unproved, [Feature::Loss]);
}

/// What is asked, and what then happens to be seen.
type Fault = (Feature, Way, fn(&mut Seen));

#[test]
fn each_fault_of_packets_is_seen_at_the_end_that_it_meets() {
    let end = measured::EndCount::default();
    let share = Some(Share(100));
    let faults: [Fault; 4] = [
        (Feature::Mtu, Way { mtu: Some(900), ..Way::default() }, |seen| {
            seen.count.to_zone.packets.too_large = 3;
            seen.count.source_end =
                Some(measured::EndCount { retransmitted: 2, ..Default::default() });
        }),
        (Feature::Corrupt, Way { corrupt: share, ..Way::default() }, |seen| {
            seen.count.to_zone.packets.spoiled = 10;
            seen.count.zone_end = Some(measured::EndCount { spoiled: 2, ..Default::default() });
        }),
        (Feature::Duplicate, Way { duplicate: share, ..Way::default() }, |seen| {
            seen.count.to_zone.packets.doubled = 10;
            seen.count.zone_end = Some(measured::EndCount { repeated: 2, ..Default::default() });
        }),
        (Feature::Reorder, Way { reorder: share, ..Way::default() }, |seen| {
            seen.count.to_zone.packets.held_back = 10;
            seen.count.zone_end =
                Some(measured::EndCount { out_of_order: 2, ..Default::default() });
        }),
    ];
    for (feature, way, happens) in faults {
        let asked = LinkCondition::default().with(way, Direction::To);
        let mut seen = Seen::default();
        seen.count.condition = asked;
        seen.count.to_zone.packets.came = 100;
        (seen.count.source_end, seen.count.zone_end) = (Some(end), Some(end));
        happens(&mut seen);
        assert_eq!(prove(&asked, &seen), measured::Proof::default(), "{feature}");
        (seen.count.source_end, seen.count.zone_end) = (Some(end), Some(end));
        assert_eq!(prove(&asked, &seen).unproved, [feature], "no end has noticed");
        happens(&mut seen);
        seen.count.to_zone.packets = measured::PacketCount { came: 100, ..Default::default() };
        assert_eq!(prove(&asked, &seen).unproved, [feature], "the wire has not done it");
    }
}

#[test]
fn a_condition_is_read_back_as_it_was_kept() {
    let all = presets::all(None).unwrap();
    for preset in all {
        let text = serde_json::to_string(&preset.condition).unwrap();
        let read: LinkCondition = serde_json::from_str(&text).unwrap();
        assert_eq!(read, preset.condition);
    }
    assert_eq!(serde_json::from_str::<LinkCondition>("{}").unwrap(), LinkCondition::default());
    let thin = presets::all(None).unwrap().into_iter().find(|p| p.name == "thin").unwrap();
    assert_eq!(thin.condition.to_string(), "20ms 1mbit/s each way");
    let halfopen = presets::all(None).unwrap().into_iter().find(|p| p.name == "halfopen").unwrap();
    assert_eq!(halfopen.condition.to_string(), "from the zone silent");
}
