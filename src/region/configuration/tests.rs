use super::*;

fn zone_b() -> Configuration {
    let consumer = |delivered| {
        Seen::There(Consumer {
            config: ConsumerConfig { num_replicas: 3, ..ConsumerConfig::default() },
            created: "t1".into(),
            delivered,
            ..Consumer::default()
        })
    };
    Configuration {
        stream: Seen::There(Stream {
            config: StreamConfig {
                num_replicas: 3,
                mirror: Some(Origin { name: "S".into(), ..Origin::default() }),
                ..StreamConfig::default()
            },
            created: "t1".into(),
            last_seq: 50,
            ..Stream::default()
        }),
        consumer: consumer(50),
        durable: Some(consumer(50)),
        source_created: Some("t0".into()),
    }
}

fn source() -> Configuration {
    let mut made = zone_b();
    made.durable = None;
    made.source_created = None;
    let config = &mut stream(&mut made).config;
    config.mirror = None;
    config.subjects = vec!["S.>".into()];
    config.duplicate_window = 600_000_000_000;
    made
}

fn stream(of: &mut Configuration) -> &mut Stream {
    of.stream.there_mut().unwrap()
}

fn consumer(of: &mut Configuration) -> &mut Consumer {
    of.consumer.there_mut().unwrap()
}

fn durable(of: &mut Configuration) -> &mut Consumer {
    of.durable.as_mut().unwrap().there_mut().unwrap()
}

/// The differences after a change, as `subject kind`, each with a sentence and a remedy.
#[track_caller]
fn after(made: &Configuration, change: impl FnOnce(&mut Configuration)) -> Vec<(Subject, Kind)> {
    let mut seen = made.clone();
    change(&mut seen);
    let zone = "b".parse().unwrap();
    let found = differences(made, &seen);
    for difference in &found {
        let sentence = difference.describe(&zone);
        assert!(sentence.contains("zone") || sentence.contains("consumer-b"), "{sentence}");
        // A sentence, not the type's own spelling.
        assert!(!sentence.contains("as it was made ("), "{sentence}");
        assert_eq!(difference.remedy(&zone).to_string(), "repair b");
    }
    found.into_iter().map(|difference| (difference.subject, difference.kind)).collect()
}

#[test]
fn what_is_as_it_was_made_differs_in_nothing() {
    for made in [zone_b(), source()] {
        assert_eq!(after(&made, |_| {}), []);
        assert_eq!(
            after(&made, |seen| {
                stream(seen).last_seq = 60;
                consumer(seen).delivered = 70;
            }),
            []
        );
    }
    // A mirror resets its durable whenever it connects again.
    assert_eq!(after(&zone_b(), |seen| durable(seen).delivered = 0), []);
}

#[test]
fn what_is_not_known_differs_in_nothing() {
    let unknown = Configuration { durable: Some(Seen::Unknown), ..Configuration::default() };
    assert!(!unknown.is_known() && zone_b().is_known());
    assert_eq!(differences(&zone_b(), &unknown), []);
    assert_eq!(differences(&unknown, &zone_b()), []);
}

#[test]
fn every_damage_to_a_mirror_has_its_own_name() {
    let made = zone_b();
    let plain = |seen: &mut Configuration| stream(seen).config.mirror = None;
    assert_eq!(after(&made, plain), [(Subject::Stream, Kind::Promoted)]);
    assert_eq!(
        after(&made, |seen| {
            plain(seen);
            stream(seen).created = "t2".into();
        }),
        [(Subject::Stream, Kind::Replaced)]
    );
    assert_eq!(
        after(&made, |seen| stream(seen).created = "t2".into()),
        [(Subject::Stream, Kind::Recreated)]
    );
    assert_eq!(
        after(&made, |seen| seen.source_created = Some("t2".into())),
        [(Subject::Stream, Kind::SourceRecreated)]
    );
    assert_eq!(after(&made, |seen| seen.source_created = None), []);
    assert_eq!(
        after(&made, |seen| stream(seen).last_seq = 3),
        [(Subject::Stream, Kind::Emptied { had: 50, has: 3 })]
    );
    assert_eq!(
        after(&made, |seen| {
            stream(seen).config.mirror = Some(Origin::default());
        }),
        [(Subject::Stream, Kind::OtherOrigin)]
    );
    // Its consumer went with it: one act, told once.
    assert_eq!(
        after(&made, |seen| {
            seen.stream = Seen::Missing;
            seen.consumer = Seen::Missing;
        }),
        [(Subject::Stream, Kind::Missing)]
    );
}

#[test]
fn every_damage_to_a_stream_has_its_own_name() {
    let made = source();
    let one = |change: &dyn Fn(&mut StreamConfig)| {
        let mut kinds = after(&made, |seen| change(&mut stream(seen).config));
        assert_eq!(kinds.len(), 1, "{kinds:?}");
        kinds.remove(0).1
    };
    assert_eq!(one(&|c| c.num_replicas = 1), Kind::Replicas { made: 3, seen: 1 });
    let limited = Kind::Limit { limit: Limit::MaxMsgs, made: -1, seen: 10 };
    assert_eq!(one(&|c| c.max_msgs = 10), limited);
    assert!(matches!(one(&|c| c.max_bytes = 9), Kind::Limit { limit: Limit::MaxBytes, .. }));
    assert!(matches!(one(&|c| c.max_age = 9), Kind::Limit { limit: Limit::MaxAge, .. }));
    assert!(matches!(one(&|c| c.duplicate_window = 9), Kind::DuplicateWindow { seen: 9, .. }));
    assert!(matches!(one(&|c| c.retention = "interest".into()), Kind::Retention { .. }));
    assert!(matches!(one(&|c| c.subjects = vec!["x".into()]), Kind::Subjects { .. }));
    assert_eq!(one(&|c| c.sealed = true), Kind::Sealed);
    assert!(matches!(one(&|c| c.discard = "new".into()), Kind::Setting { .. }));
    assert!(matches!(
        one(&|c| c.sources = vec![Origin { name: "X".into(), ..Origin::default() }]),
        Kind::Setting { .. }
    ));
    // "No limit" is 0 or −1.
    assert_eq!(after(&made, |seen| stream(seen).config.max_bytes = 0), []);
}

#[test]
fn every_damage_to_a_consumer_has_its_own_name() {
    let made = zone_b();
    let until = "2030-01-01T00:00:00Z".to_owned();
    let both = |change: &dyn Fn(&mut Consumer)| {
        let of_consumer = after(&made, |seen| change(consumer(seen)));
        let of_durable = after(&made, |seen| change(durable(seen)));
        assert_eq!(of_consumer.len(), 1, "{of_consumer:?}");
        assert_eq!(of_durable, [(Subject::Durable, of_consumer[0].1.clone())]);
        of_consumer[0].1.clone()
    };
    assert_eq!(both(&|c| c.created = "t2".into()), Kind::Recreated);
    assert_eq!(
        both(&|c| c.paused_until = Some(until.clone())),
        Kind::Paused { until: until.clone() }
    );
    assert!(matches!(both(&|c| c.config.filter_subject = "x".into()), Kind::Filtered { .. }));
    assert!(matches!(both(&|c| c.config.num_replicas = 1), Kind::Replicas { .. }));
    assert!(matches!(both(&|c| c.config.ack_wait = 1), Kind::Setting { .. }));
    assert_eq!(
        after(&made, |seen| consumer(seen).config.ack_policy = "none".into()),
        [(Subject::Consumer, Kind::AckPolicy { made: "explicit".into(), seen: "none".into() })]
    );
    assert_eq!(
        after(&made, |seen| consumer(seen).delivered = 3),
        [(Subject::Consumer, Kind::Reset)]
    );
    assert_eq!(
        after(&made, |seen| seen.consumer = Seen::Missing),
        [(Subject::Consumer, Kind::Missing)]
    );
    assert_eq!(
        after(&made, |seen| seen.durable = Some(Seen::Missing)),
        [(Subject::Durable, Kind::Missing)]
    );
    // A repair chooses where a consumer begins.
    assert_eq!(
        after(&made, |seen| {
            let config = &mut consumer(seen).config;
            config.deliver_policy = "by_start_sequence".into();
            config.opt_start_seq = 51;
        }),
        []
    );
}

#[test]
fn marks_rise_and_never_fall() {
    let mut made = zone_b();
    let mut seen = zone_b();
    stream(&mut seen).last_seq = 70;
    consumer(&mut seen).delivered = 20;
    made.raise_marks(&seen);
    assert_eq!((stream(&mut made).last_seq, consumer(&mut made).delivered), (70, 50));
}

/// As nats-server 2.15.1 prints them in `STREAM.INFO` and `CONSUMER.INFO`.
#[test]
fn servers_configurations_are_read_and_written() {
    let config: StreamConfig = serde_json::from_str(
        r#"{"name":"EVENTS_REGION","retention":"limits","max_consumers":-1,"max_msgs":-1,
        "max_bytes":-1,"max_age":0,"max_msgs_per_subject":-1,"max_msg_size":-1,"discard":"old",
        "storage":"file","num_replicas":3,"mirror":{"name":"EVENTS_REGION","external":
        {"api":"$JS.zone-a.API","deliver":""},"consumer":{"name":"MIRROR_zone-b",
        "deliver_subject":"$JS.M.zone-b"}},"compression":"none","allow_direct":true,
        "mirror_direct":false,"sealed":false,"consumer_limits":{},"metadata":{"_nats.ver":"2.15.1"}}"#,
    )
    .unwrap();
    let origin = config.mirror.as_ref().unwrap();
    assert_eq!(origin.external.as_ref().unwrap().api, "$JS.zone-a.API");
    assert_eq!(origin.consumer.as_ref().unwrap().name, "MIRROR_zone-b");
    let written = serde_json::to_value(&config).unwrap();
    assert!(written.get("subjects").is_none() && written.get("duplicate_window").is_none());
    assert_eq!(serde_json::from_value::<StreamConfig>(written).unwrap(), config);
    let config: ConsumerConfig = serde_json::from_str(
        r#"{"durable_name":"consumer-b","name":"consumer-b","deliver_policy":"all",
        "ack_policy":"explicit","ack_wait":5000000000,"max_deliver":-1,"replay_policy":"instant",
        "max_waiting":512,"max_ack_pending":20000,"num_replicas":3}"#,
    )
    .unwrap();
    assert_eq!((config.ack_wait, config.max_deliver), (5_000_000_000, -1));
    assert_eq!(config.filters().count(), 0);
}

/// Zone b with a copy by `sources` in place of the mirror.
fn copy() -> Configuration {
    let mut made = zone_b();
    let config = &mut stream(&mut made).config;
    config.sources = config.mirror.take().into_iter().collect();
    config.duplicate_window = 600_000_000_000;
    made
}

#[test]
fn every_damage_to_a_copy_by_sources_has_its_own_name() {
    let made = copy();
    assert_eq!(after(&made, |_| ()), []);
    let one = |change: &dyn Fn(&mut StreamConfig)| {
        let mut kinds = after(&made, |seen| change(&mut stream(seen).config));
        assert_eq!(kinds.len(), 1, "{kinds:?}");
        kinds.remove(0).1
    };
    assert_eq!(
        one(&|c| {
            c.sources.clear();
            c.subjects = vec!["x".into()];
        }),
        Kind::Promoted
    );
    assert_eq!(one(&|c| c.sources[0].filter_subject = "x".into()), Kind::OtherOrigin);
    assert_eq!(one(&|c| c.sources.push(Origin::default())), Kind::OtherOrigin);
    assert_eq!(one(&|c| c.mirror = c.sources.pop()), Kind::OtherOrigin);
    // A shorter window keeps what a longer one would drop.
    assert!(matches!(one(&|c| c.duplicate_window = 9), Kind::DuplicateWindow { seen: 9, .. }));
    assert!(matches!(one(&|c| c.subjects = vec!["x".into()]), Kind::Subjects { .. }));
}
