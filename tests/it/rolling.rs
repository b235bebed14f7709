//! Conclusion 6: the region can be maintained under load. A real run is proved, and its record is not
//! once any fact is taken from it that the check goes by. And a zone is rebuilt that lost its stores.

use std::fs;

use zonedrill::{
    drill::{checks::judge, record::Entry, run::Run},
    ledger::{Ledger, message::RunId},
    region::status::{NodeState, Verdict},
};

use crate::support::{
    calm::calmly,
    region::{Region, SOON},
};

/// What is changed in a record.
type Change<'a> = Box<dyn Fn(&mut Vec<Entry>) + 'a>;

/// What the check says of a record: its verdict, if all its findings have one, and its words.
fn restarted(entries: &[Entry]) -> (Option<Verdict>, String) {
    let run: RunId = "k3f9q2".parse().unwrap();
    let ledger = Ledger::new(run, "east");
    let findings = judge(&Run::from_entries(entries.to_vec()), &ledger, &[]);
    let ours: Vec<_> = findings.iter().filter(|found| found.check == "restarted").collect();
    let texts: Vec<&str> = ours.iter().map(|found| found.text.as_str()).collect();
    let worst = ours.iter().map(|found| found.verdict).find(|one| *one != Verdict::Proved);
    (worst.or_else(|| ours.first().map(|found| found.verdict)), texts.join("\n"))
}

/// Where a phase's entries are.
fn phase(entries: &[Entry], wanted: &str) -> std::ops::Range<usize> {
    let begins = |entry: &Entry| matches!(entry, Entry::Phase { name, .. } if name == wanted);
    let from = entries.iter().position(begins).unwrap();
    let next = |entry: &Entry| matches!(entry, Entry::Phase { .. });
    from..entries[from + 1..].iter().position(next).map_or(entries.len(), |to| from + 1 + to)
}

/// A zone whose every store is lost copies everything again, and no fault in that is proved.
#[test]
fn a_zone_that_lost_every_store_is_rebuilt() {
    let region = Region::new("rebuild");
    region.start(&["--copy", "sources"]).expect_code(0);
    region.proved(&["drill", "run", "rebuild"]);
    let region = Region::up("rebuilt");
    region.proved(&["drill", "run", "rebuild"]);
    // One server of three: the other two have the same.
    region.ok("node wipe js2-zone-b");
    region.ok("node start js2-zone-b");
    region.wait_zone("b", "every replica is current", SOON, |b| {
        b["stream"]["replicas_current"] == 3 && b["mirror"]["state"] == "streaming"
    });
    for sabotage in ["lose", "nothing"] {
        let ran = region.run(&["drill", "run", "rebuild", "--sabotage", sabotage]);
        assert_ne!(ran.code, 0, "{}", ran.out);
    }
}

#[test]
fn servers_are_restarted_under_load_and_whatever_is_not_so_is_not_proved() {
    for copy in ["sources", "mirror"] {
        let region = Region::new(&format!("rolling-{copy}"));
        region.start(&["--copy", copy]).expect_code(0);
        let ran = calmly(|| {
            let _ = fs::remove_dir_all(region.home.path().join("proof"));
            let proof = region.home.path().join("proof");
            let (proof, to) = (proof.to_str().unwrap(), other_version(&region));
            let mut given = vec!["drill", "run", "rolling", "--report", proof];
            // The way back, too, where it is tried again.
            given.extend((copy == "mirror").then_some(["--to-version", to]).into_iter().flatten());
            region.run(&given)
        });
        let out = ran.expect_code(0).out;
        assert!(out.contains("messages were acknowledged meanwhile"), "{out}");
        if copy == "mirror" {
            nothing_less_is_proved(&region);
            version_stays(&region);
        }
    }
}

/// The one of two versions that a region's servers are not.
fn other_version(region: &Region) -> &'static str {
    if region.status()["server_version"] == "2.15.1" { "2.15.0" } else { "2.15.1" }
}

/// The region comes up again as what it was made by then.
fn version_stays(region: &Region) {
    let version = region.status()["server_version"].clone();
    assert_ne!(version.as_str().unwrap(), other_version(region));
    let told = region.ok("upgrade");
    assert!(told.contains(&format!("nats-server {}", version.as_str().unwrap())), "{told}");
    // The first way back goes over versions without durable copies.
    let refused = region.run(&["upgrade", "2.14.6"]).expect_code(3);
    assert!(refused.err.contains("nothing was changed"), "{}", refused.err);
}

fn nothing_less_is_proved(region: &Region) {
    let file = region.home.path().join("proof/runs/1-rolling/drill.jsonl");
    let text = fs::read_to_string(file).unwrap();
    let whole: Vec<Entry> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (verdict, said) = restarted(&whole);
    assert_eq!(verdict, Some(Verdict::Proved), "{said}");

    let (mirror, source) = (phase(&whole, "rolling-mirror"), phase(&whole, "rolling-source"));
    let without = |what: &dyn Fn(&mut Vec<Entry>)| {
        let mut entries = whole.clone();
        what(&mut entries);
        restarted(&entries)
    };
    let ids = |entries: &mut Vec<Entry>, act: &dyn Fn(&mut Vec<Entry>, usize)| {
        let looks = |entry: &Entry| matches!(entry, Entry::Servers { .. });
        let last = entries.iter().rposition(looks).unwrap();
        act(entries, last);
    };
    let first = whole.iter().find_map(|entry| match entry {
        Entry::Servers { nodes, .. } => Some(nodes.clone()),
        _ => None,
    });
    let first = first.unwrap();
    let Some(Entry::Begin(begin)) = whole.first() else { panic!("{:?}", whole.first()) };
    let to = begin.options.to_version.clone().unwrap();
    let cases: [(&str, Change<'_>); 9] = [
        (
            "js2-zone-a is nats-server 2.14.6 at the end, and was to be",
            Box::new(|entries| {
                ids(entries, &|entries, last| {
                    let Entry::Servers { nodes, .. } = &mut entries[last] else { return };
                    let other = nodes.iter_mut().filter(|node| node.node == "js2-zone-a");
                    other.for_each(|node| node.version = "2.14.6".into());
                });
            }),
        ),
        (
            "nothing was upgraded",
            Box::new(|entries| {
                for entry in entries {
                    let Entry::Servers { nodes, .. } = entry else { continue };
                    for node in nodes {
                        node.version.clone_from(&to);
                    }
                }
            }),
        ),
        (
            "js2-zone-b is the server that it was",
            Box::new(|entries| {
                ids(entries, &|entries, last| {
                    let Entry::Servers { nodes, .. } = &mut entries[last] else { return };
                    let before = first.iter().find(|node| node.node == "js2-zone-b").unwrap();
                    nodes.iter_mut().filter(|node| node.node == before.node).for_each(|node| {
                        node.server_id.clone_from(&before.server_id);
                    });
                });
            }),
        ),
        (
            "zone a",
            Box::new(|entries| {
                ids(entries, &|entries, last| {
                    let Entry::Servers { nodes, .. } = &mut entries[last] else { return };
                    nodes.retain(|node| node.node != "js3-zone-a");
                });
            }),
        ),
        (
            "were away at once",
            Box::new(|entries| {
                let mut done = false;
                for entry in &mut entries[mirror.clone()] {
                    let Entry::Sample(sample) = entry else { continue };
                    let zones = &mut sample.status.zones;
                    let away = |state| state == NodeState::Stopped;
                    if !done && zones[1].nodes.iter().any(|node| away(node.state)) {
                        (zones[0].nodes[0].state, done) = (NodeState::Dead, true);
                    }
                }
            }),
        ),
        (
            "nothing was produced throughout",
            Box::new(|entries| {
                for entry in &mut entries[source.clone()] {
                    if let Entry::Sample(sample) = entry {
                        sample.status.producer.acked = 7;
                    }
                }
            }),
        ),
        (
            "nothing was produced throughout",
            Box::new(|entries| {
                let sample = entries[source.clone()].iter_mut().find_map(|entry| match entry {
                    Entry::Sample(sample) => Some(sample),
                    _ => None,
                });
                sample.unwrap().status.producer.active = false;
            }),
        ),
        (
            "looked",
            Box::new(|entries| {
                let mut at = 0;
                entries.retain(|entry| {
                    at += 1;
                    !(source.contains(&(at - 1)) && matches!(entry, Entry::Sample(_)))
                });
            }),
        ),
        (
            "there was no phase `rolling-source`",
            Box::new(|entries| drop(entries.remove(source.start))),
        ),
    ];
    for (why, what) in &cases {
        let (verdict, said) = without(what);
        assert_eq!(verdict, Some(Verdict::Void), "{why}: {said}");
        assert!(said.contains(why), "{why}: {said}");
    }
}
