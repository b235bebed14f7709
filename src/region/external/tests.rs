use super::*;
use crate::region::configuration::{External, Transform};

fn cluster(domain: &str) -> Cluster {
    let name = format!("cluster-{domain}");
    Cluster { server_id: domain.into(), name, domain: domain.into(), ..Cluster::default() }
}

fn origin(name: &str, domain: &str) -> Origin {
    let external = External { api: format!("$JS.{domain}.API"), deliver: String::new() };
    Origin { name: name.into(), external: Some(external), ..Origin::default() }
}

fn stream(name: &str) -> StreamConfig {
    StreamConfig { name: name.into(), ..StreamConfig::default() }
}

#[test]
fn a_copy_is_told_from_a_copy_of_something_else() {
    let source = cluster("eu");
    let mirror = |of: Origin| StreamConfig { mirror: Some(of), ..stream("ORDERS") };
    let good = mirror(origin("ORDERS", "eu"));
    assert_eq!(copy_of(&good, "ORDERS", &source).unwrap().0, Copied::Mirror);
    for (bad, told) in [
        (mirror(origin("ORDERS", "us")), "`ORDERS` of domain us"),
        (mirror(origin("AUDIT", "eu")), "`AUDIT` of domain eu"),
        (
            mirror(Origin { external: None, ..origin("ORDERS", "eu") }),
            "`ORDERS` of its own cluster",
        ),
    ] {
        assert_eq!(copy_of(&bad, "ORDERS", &source).unwrap_err(), [told]);
    }
    assert!(copy_of(&stream("ORDERS"), "ORDERS", &source).unwrap_err().is_empty());
    let sources = vec![origin("OTHER", "us"), origin("ORDERS", "eu")];
    let sources = StreamConfig { sources, ..stream("ALL") };
    assert_eq!(copy_of(&sources, "ORDERS", &source).unwrap().0, Copied::Sources);
}

#[test]
fn a_loop_is_two_streams_that_source_each_other_with_filters_that_meet() {
    let (a, b) = (cluster("a"), cluster("b"));
    let from = |name: &str, domain: &str, filter: &str| StreamConfig {
        sources: vec![Origin { filter_subject: filter.into(), ..origin(name, domain) }],
        ..stream("S")
    };
    let pair = |one: &str, other: &str| {
        let (at_a, at_b) = (from("S", "b", one), from("S", "a", other));
        is_loop((&at_a, &a), (&at_b, &b))
    };
    assert_eq!(pair("", ""), Some(false));
    assert_eq!(pair("R.b.>", ""), Some(false));
    assert_eq!(pair("R.b.>", "R.a.>"), None);
    assert_eq!(pair("R.>", "R.a.>"), Some(true));
    assert_eq!(is_loop((&stream("S"), &a), (&from("S", "a", ""), &b)), None);
    let transforms = vec![Transform { src: "R.a.>".into(), dest: "X.>".into() }];
    let mut at_b = from("S", "a", "");
    at_b.sources[0].subject_transforms = transforms;
    assert_eq!(is_loop((&from("S", "b", "R.b.>"), &a), (&at_b, &b)), None);
}

#[test]
fn one_cluster_is_known_by_its_server_or_its_name() {
    assert!(cluster("a").is(&cluster("a")) && !cluster("a").is(&cluster("b")));
    let other_node = Cluster { server_id: "n2".into(), ..cluster("a") };
    assert!(cluster("a").is(&other_node));
    let alone = Cluster { name: String::new(), ..cluster("a") };
    assert!(!alone.is(&Cluster { server_id: "n2".into(), ..alone.clone() }));
}

#[test]
fn a_clock_is_off_when_it_is_certainly_off_by_minutes() {
    let clock = Clock::measured(1_000_000, 1_000_020, 1_000_040);
    assert_eq!((clock.ahead_ms, clock.within_ms, clock.is_off()), (0, 21, false));
    assert!(Clock::measured(0, -180_000, 10).is_off());
    assert!(Clock::measured(0, 180_000, 10).is_off());
    // The answer took too long to know.
    assert!(!Clock::measured(0, 70_000, 30_000).is_off());
    let problem = Problem::ClockOff { zone: "b".parse().unwrap(), ahead_ms: -180_000 };
    assert!(problem.to_string().contains("180 s behind this machine's"), "{problem}");
}

#[test]
fn limits_take_the_oldest_or_any() {
    let of = |config: StreamConfig| (losses(&config).oldest, losses(&config).any);
    assert_eq!(of(stream("S")), (false, false));
    assert_eq!(of(StreamConfig { max_age: 5, ..stream("S") }), (true, false));
    assert_eq!(of(StreamConfig { max_msgs: 5, ..stream("S") }), (true, false));
    assert_eq!(of(StreamConfig { max_msgs_per_subject: 5, ..stream("S") }), (true, true));
    assert_eq!(of(StreamConfig { retention: "interest".into(), ..stream("S") }), (true, true));
}

#[test]
fn versions_compare_by_number() {
    let of = |version: &str| Cluster { version: version.into(), ..Cluster::default() };
    assert!(of("2.11.0").is_at_least(2, 11) && of("2.15.1-dev").is_at_least(2, 11));
    assert!(!of("2.9.10").is_at_least(2, 11) && !of("").is_at_least(2, 11));
}
