//! What is told while a drill runs: never a proof, and each counter as it is by then.

use zonedrill::region::status::Counter;

use super::*;

#[test]
fn a_glance_never_proves() {
    crate::support::turns::watched();
    for drill in DRILLS {
        let mut run = Run::default();
        for entry in play(drill, Fault::None, 0, 0).entries {
            run.push(entry);
            let (verdict, why, _) = checks::live(&run);
            assert!(matches!(verdict, Verdict::Waiting | Verdict::Holding), "{drill}: {why}");
        }
        let (_, _, counters) = checks::live(&run);
        assert!(!counters.is_empty());
    }
    let mut run = Run::default();
    play("cut", Fault::Bypass, 0, 0).entries.into_iter().for_each(|entry| run.push(entry));
    assert_eq!(checks::live(&run).0, Verdict::Void);
    let mut run = Run::default();
    play("grow", Fault::Restart, 0, 0).entries.into_iter().for_each(|entry| run.push(entry));
    assert_eq!(checks::live(&run).0, Verdict::Broken);
}

/// A number of the live view.
fn counter(run: &Run, label: &str) -> Counter {
    let (_, _, counters) = checks::live(run);
    counters.into_iter().find(|counter| counter.label == label).unwrap()
}

#[test]
fn a_glance_counts_what_is_so_by_now() {
    crate::support::turns::watched();
    let entries = || play("cut", Fault::None, 0, 0).entries.into_iter();
    // What a running `produce` has got acknowledged counts before it has ended.
    let mut run = Run::default();
    let unanswered = entries().filter(|e| !matches!(e, Entry::Answered { .. }));
    unanswered.for_each(|entry| run.push(entry));
    assert_eq!(counter(&run, "acked in this drill").value, "225");
    assert_eq!(counter(&run, "received in a, b").value, "225, 225");
    // A message that was on its way when the drill began is not of the drill.
    let mut run = Run::default();
    for (nth, mut entry) in entries().enumerate() {
        if let Entry::Sample(sample) = &mut entry {
            let late = u64::from(nth < 10);
            sample.status.producer.acked += 7;
            sample.status.zones.iter_mut().for_each(|zone| zone.ledger.received += 7 - late);
        }
        run.push(entry);
    }
    assert_eq!(counter(&run, "acked in this drill").value, "225");
    assert_eq!(counter(&run, "received in a, b").value, "225, 225");
    // The cut is told once it is proved, and not before.
    let mut run = Run::default();
    let during = |e: &Entry| matches!(e, Entry::Phase { name, .. } if name == "during");
    for entry in entries().take_while(|entry| !during(entry)) {
        let cut = matches!(&entry, Entry::Sample(sample) if sample.status.zones[1].cut_effective());
        run.push(entry);
        let told = counter(&run, "effective at both ends");
        assert!(!cut || (told.value == "yes" && told.good == Some(true)), "{told:?}");
        assert_ne!(told.good, Some(false));
    }
    assert_eq!(counter(&run, "effective at both ends").value, "yes");
}
