//! What other clients do to streams and consumers on real servers: told at once with their hand,
//! seen as a difference, and repaired without losing or repeating a message.

use serde_json::{Value, json};
use tokio::sync::mpsc;
use zonedrill::{
    nats::{configuration::ConfigurationWatch, connect::jetstream, repair::Step, streams},
    region::{
        MirrorKind,
        access::USER,
        advisory::{Act, Advisory},
        configuration::{Difference, Kind, Limit, Subject},
        topology::STREAM,
    },
};

use crate::support::{
    hands::{A, B, PATIENCE, SOON, Scene, last_seq},
    nats::eventually,
};

/// The next foreign act that is told.
async fn next_act(told: &mut mpsc::Receiver<Advisory>) -> Advisory {
    let next = tokio::time::timeout(SOON, told.recv()).await;
    next.expect("the act is told").expect("a watch that runs")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_act_of_a_stranger_is_told_with_his_hand() {
    let scene = Scene::new(MirrorKind::Durable).await;
    let consumer = scene.readers[B].zone.consumer();
    let durable = scene.readers[B].zone.mirror_consumer();
    let (out, mut told) = mpsc::channel(64);
    let mut watches = Vec::new();
    for (reader, made) in scene.readers.iter().zip(&scene.made) {
        let watch = ConfigurationWatch::start(reader.clone(), made.clone(), out.clone());
        watches.push(watch.await.unwrap());
    }
    let (in_a, in_b) = (scene.stranger(A).await, scene.stranger(B).await);
    macro_rules! tells {
        ($act:expr, $zone:expr, $doing:expr) => {{
            $doing.await;
            let advisory = next_act(&mut told).await;
            eprintln!("{advisory}");
            assert_eq!(advisory.call.act, $act, "{advisory}");
            assert_eq!(advisory.zone, scene.readers[$zone].zone.name, "{advisory}");
            assert_eq!(
                (advisory.caller.name.as_str(), advisory.caller.user.as_str()),
                ("stranger", USER)
            );
            assert_eq!(advisory.caller.host, "127.0.0.1");
            assert!(advisory.refused.is_none(), "{advisory}");
            advisory
        }};
    }
    // Reads are told by nobody: the first thing told is the pause.
    in_b.stream_config().await;
    in_b.call("STREAM.NAMES".into(), Value::Null).await;
    in_b.consumer_config(&consumer).await;
    tells!(Act::ConsumerPause, B, in_b.pause_consumer(&consumer));
    let resume = in_b.call(format!("CONSUMER.PAUSE.{STREAM}.{consumer}"), json!({}));
    tells!(Act::ConsumerResume, B, resume);
    tells!(
        Act::ConsumerCreate,
        B,
        in_b.update_consumer(&consumer, |c| c["ack_wait"] = json!(7_000_000_000_u64))
    );
    tells!(Act::ConsumerDelete, B, in_b.delete_consumer(&consumer));
    let config = json!({"durable_name": consumer, "name": consumer, "ack_policy": "explicit"});
    tells!(Act::ConsumerCreate, B, in_b.put_consumer(&consumer, config));
    tells!(Act::ConsumerPause, A, in_a.pause_consumer(&durable));
    tells!(Act::StreamUpdate, A, in_a.update_stream(|config| config["max_msgs"] = json!(100_000)));
    in_a.call(format!("STREAM.INFO.{STREAM}"), Value::Null).await;
    jetstream(&scene.readers[A].here)
        .publish("EVENTS.REGION.x", "x".into())
        .await
        .unwrap()
        .await
        .unwrap();
    tells!(
        Act::MessageDelete,
        A,
        in_a.call(format!("STREAM.MSG.DELETE.{STREAM}"), json!({"seq": 1}))
    );
    tells!(Act::StreamPurge, A, in_a.call(format!("STREAM.PURGE.{STREAM}"), Value::Null));
    tells!(
        Act::StreamStepDown,
        B,
        in_b.call(format!("STREAM.LEADER.STEPDOWN.{STREAM}"), Value::Null)
    );
    tells!(
        Act::ConsumerStepDown,
        B,
        in_b.call(format!("CONSUMER.LEADER.STEPDOWN.{STREAM}.{consumer}"), Value::Null)
    );
    let other =
        in_a.call("STREAM.CREATE.OTHER".into(), json!({"name": "OTHER", "subjects": ["other"]}));
    assert!(!tells!(Act::StreamCreate, A, other).concerns_region());
    tells!(Act::StreamDelete, B, in_b.delete_stream());
    let refused = in_a.try_call(&format!("CONSUMER.DELETE.{STREAM}.nobody"), Value::Null).await;
    assert!(refused.get("error").is_some());
    let advisory = next_act(&mut told).await;
    assert_eq!(advisory.refused.as_deref(), Some("consumer not found (10014)"), "{advisory}");
    // The watch has seen what came of it.
    let lost = |found: &Option<Vec<Difference>>| {
        found.as_ref().is_some_and(|found| found.iter().any(|d| d.kind == Kind::Missing))
    };
    let found = tokio::time::timeout(SOON, watches[B].found.wait_for(lost)).await.is_ok();
    assert!(found, "{:?}", watches[B].found.borrow());
    // The room's own acts are not told.
    streams::drop_zone(&scene.readers[A].here, &scene.readers[B].zone).await.unwrap();
    tells!(Act::StreamPurge, A, in_a.call(format!("STREAM.PURGE.{STREAM}"), Value::Null));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_consumer_is_repaired_at_its_place() {
    let mut scene = Scene::new(MirrorKind::Durable).await;
    scene.flow(20).await;
    let name = scene.readers[B].zone.consumer();
    let stranger = scene.stranger(B).await;
    let consumer = Subject::Consumer;

    stranger.delete_consumer(&name).await;
    scene.sees(B, consumer, |kind| *kind == Kind::Missing).await;
    let steps = scene.repair(B).await;
    assert_eq!(steps, [Step::ConsumerCreated { from: 21, again: 0 }]);
    scene.flow(5).await;

    stranger.recreate_consumer(&name, |config| config["ack_policy"] = json!("none")).await;
    scene.sees(B, consumer, |kind| matches!(kind, Kind::AckPolicy { .. })).await;
    scene.repair(B).await;
    scene.flow(5).await;

    stranger
        .update_consumer(&name, |config| config["filter_subject"] = json!("EVENTS.REGION.other"))
        .await;
    scene.sees(B, consumer, |kind| matches!(kind, Kind::Filtered { .. })).await;
    scene.repair(B).await;
    scene.flow(5).await;

    stranger.pause_consumer(&name).await;
    scene.sees(B, consumer, |kind| matches!(kind, Kind::Paused { .. })).await;
    assert_eq!(scene.repair(B).await, [Step::Resumed(consumer)]);
    scene.flow(5).await;

    stranger.update_consumer(&name, |config| config["max_ack_pending"] = json!(1)).await;
    scene.sees(B, consumer, |kind| matches!(kind, Kind::Setting { .. })).await;
    assert_eq!(scene.repair(B).await, [Step::Restored(consumer)]);
    scene.flow(5).await;

    // Made anew at another place: it would skip what comes before it does.
    jetstream(&scene.readers[A].here)
        .publish("EVENTS.REGION.x", "x".into())
        .await
        .unwrap()
        .await
        .unwrap();
    let last = last_seq(&scene.readers[A]).await;
    eventually("mirrored", PATIENCE, async || {
        (last_seq(&scene.readers[B]).await == last).then_some(())
    })
    .await;
    stranger.recreate_consumer(&name, |config| config["deliver_policy"] = json!("new")).await;
    scene.sees(B, consumer, |kind| *kind == Kind::Recreated).await;
    assert_eq!(scene.repair(B).await, [Step::ConsumerCreated { from: last, again: 0 }]);
    scene.receive().await;

    // Set back at the server, of which no advisory tells.
    scene.made[B].raise_marks(&scene.readers[B].read().await);
    stranger.call(format!("CONSUMER.RESET.{STREAM}.{name}"), json!({"seq": 1})).await;
    scene.sees(B, consumer, |kind| *kind == Kind::Reset).await;
    scene.repair(B).await;
    scene.flow(5).await;
    scene.all_received_once(1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_lacks_messages_goes_on_at_the_first() {
    let mut scene = Scene::new(MirrorKind::Durable).await;
    scene.flow(20).await;
    // As if 7 and 9 had been fetched and acknowledged by somebody else; 7 was deleted since.
    scene.received[A].retain(|seq| *seq != 7 && *seq != 9);
    let stranger = scene.stranger(A).await;
    stranger.call(format!("STREAM.MSG.DELETE.{STREAM}"), json!({"seq": 7})).await;
    stranger.delete_consumer(&scene.readers[A].zone.consumer()).await;
    let steps = scene.repair(A).await;
    assert_eq!(steps, [Step::ConsumerCreated { from: 9, again: 11 }]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_mirror_is_repaired() {
    let mut scene = Scene::new(MirrorKind::Durable).await;
    scene.flow(20).await;
    let durable = scene.readers[B].zone.mirror_consumer();
    let (in_a, in_b) = (scene.stranger(A).await, scene.stranger(B).await);

    in_a.delete_consumer(&durable).await;
    scene.sees(B, Subject::Durable, |kind| *kind == Kind::Missing).await;
    assert_eq!(scene.repair(B).await, [Step::DurableCreated]);
    scene.flow(5).await;

    in_a.pause_consumer(&durable).await;
    scene.sees(B, Subject::Durable, |kind| matches!(kind, Kind::Paused { .. })).await;
    assert_eq!(scene.repair(B).await, [Step::Resumed(Subject::Durable)]);
    scene.flow(5).await;

    in_a.update_consumer(&durable, |config| {
        config["filter_subject"] = json!("EVENTS.REGION.other");
    })
    .await;
    scene.sees(B, Subject::Durable, |kind| matches!(kind, Kind::Filtered { .. })).await;
    assert!(matches!(scene.repair(B).await[0], Step::MirrorRebuilt { last_seq: 30, dropped: 0 }));
    scene.flow(5).await;

    in_b.update_stream(|config| {
        config.as_object_mut().unwrap().remove("mirror");
    })
    .await;
    scene.sees(B, Subject::Stream, |kind| *kind == Kind::Promoted).await;
    assert!(matches!(scene.repair(B).await[0], Step::MirrorRebuilt { .. }));
    scene.flow(5).await;

    in_b.recreate_stream(|config| {
        config.as_object_mut().unwrap().remove("mirror");
    })
    .await;
    scene.sees(B, Subject::Stream, |kind| *kind == Kind::Replaced).await;
    scene.repair(B).await;
    scene.flow(5).await;

    // Recreated over its old durable: it begins at that one's ack floor (nats-facts §B).
    in_b.recreate_stream(|_| {}).await;
    scene.sees(B, Subject::Stream, |kind| *kind == Kind::Recreated).await;
    scene.repair(B).await;
    scene.flow(5).await;

    in_b.delete_stream().await;
    scene.sees(B, Subject::Stream, |kind| *kind == Kind::Missing).await;
    scene.repair(B).await;
    scene.flow(5).await;

    in_b.update_stream(|config| config["num_replicas"] = json!(1)).await;
    scene
        .sees(B, Subject::Stream, |kind| matches!(kind, Kind::Replicas { made: 3, seen: 1 }))
        .await;
    scene.repair(B).await;
    scene.flow(5).await;
    scene.all_received_once(1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_source_is_repaired() {
    let mut scene = Scene::new(MirrorKind::Durable).await;
    scene.flow(20).await;
    let in_a = scene.stranger(A).await;
    for (name, value) in [
        ("num_replicas", json!(1)),
        ("duplicate_window", json!(200_000_000)),
        ("max_msgs", json!(1000)),
        ("max_age", json!(3_600_000_000_000_u64)),
        ("subjects", json!(["EVENTS.REGION.>", "MORE.>"])),
    ] {
        in_a.update_stream(|config| config[name] = value).await;
        scene
            .sees(A, Subject::Stream, |kind| {
                matches!(
                    (name, kind),
                    ("num_replicas", Kind::Replicas { made: 3, seen: 1 })
                        | ("duplicate_window", Kind::DuplicateWindow { seen: 200_000_000, .. })
                        | ("max_msgs", Kind::Limit { limit: Limit::MaxMsgs, made: -1, seen: 1000 })
                        | ("max_age", Kind::Limit { limit: Limit::MaxAge, made: -1, .. })
                        | ("subjects", Kind::Subjects { .. })
                )
            })
            .await;
        assert_eq!(scene.repair(A).await, [Step::Restored(Subject::Stream)], "{name}");
        scene.flow(2).await;
    }
    scene.all_received_once(1);

    // Recreated by a stranger: both zones begin anew.
    in_a.recreate_stream(|_| {}).await;
    scene.sees(A, Subject::Stream, |kind| *kind == Kind::Recreated).await;
    scene.sees(B, Subject::Stream, |kind| *kind == Kind::SourceRecreated).await;
    scene.sees(B, Subject::Durable, |kind| *kind == Kind::Missing).await;
    let steps = scene.repair(A).await;
    assert!(steps.contains(&Step::ConsumerCreated { from: 1, again: 0 }), "{steps:?}");
    let steps = scene.repair(B).await;
    assert!(matches!(steps[0], Step::MirrorRebuilt { last_seq: 0, dropped: 30 }), "{steps:?}");
    scene.received = Default::default();
    scene.flow(5).await;
    scene.all_received_once(1);

    in_a.delete_stream().await;
    scene.sees(A, Subject::Stream, |kind| *kind == Kind::Missing).await;
    let steps = scene.repair(A).await;
    assert_eq!(steps, [Step::StreamCreated, Step::ConsumerCreated { from: 1, again: 0 }]);
    scene.sees(B, Subject::Stream, |kind| *kind == Kind::SourceRecreated).await;
    scene.repair(B).await;
    scene.received = Default::default();
    scene.flow(5).await;
    scene.all_received_once(1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_classic_mirror_is_repaired() {
    let mut scene = Scene::new(MirrorKind::Classic).await;
    scene.flow(10).await;
    let stranger = scene.stranger(B).await;
    stranger
        .recreate_stream(|config| {
            config.as_object_mut().unwrap().remove("mirror");
        })
        .await;
    scene.sees(B, Subject::Stream, |kind| *kind == Kind::Replaced).await;
    let steps = scene.repair(B).await;
    assert!(
        matches!(
            steps[..],
            [Step::MirrorRebuilt { .. }, Step::ConsumerCreated { from: 11, again: 0 }]
        ),
        "{steps:?}"
    );
    scene.flow(5).await;
    scene.all_received_once(1);
}
