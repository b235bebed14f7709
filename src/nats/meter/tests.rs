use super::*;

fn zone(name: &str) -> ZoneName {
    name.parse().unwrap()
}

/// Waits until the meter's clock has moved on.
fn tick(meter: &Meter) {
    let then = meter.now();
    while meter.now() == then {
        std::hint::spin_loop();
    }
}

fn processed(meter: &Meter, name: &str, seq: u64) {
    let mut measured: Vec<Measured> = meter.measure(seq, true).into_iter().collect();
    meter.book(&zone(name), &mut measured);
    assert!(measured.is_empty());
}

/// Zone and phase; messages measured, of them ahead of the acknowledgement, missed, acked.
type Row = (String, String, u64, u64, u64, u64);

fn rows(readings: Vec<Reading>) -> Vec<Row> {
    let row = |r: Reading| {
        let (count, ahead) = (r.latency.count(), r.latency.ahead());
        (r.zone.to_string(), r.phase, count, ahead, r.missed, r.acked)
    };
    readings.into_iter().map(row).collect()
}

fn row(zone: &str, phase: &str, [n, ahead, missed, acked]: [u64; 4]) -> Row {
    (zone.to_owned(), phase.to_owned(), n, ahead, missed, acked)
}

#[test]
fn a_first_processing_is_measured_once_in_the_phase_of_its_acknowledgement() {
    let meter = Meter::default();
    meter.acked(1);
    processed(&meter, "a", 1);
    assert!(meter.stop().readings.is_empty(), "nothing records yet");
    meter.start(10);
    meter.acked(10);
    // Before the first phase nothing is noted.
    processed(&meter, "a", 11);
    tick(&meter);
    meter.phase("before");
    meter.acked(12);
    meter.acked(13);
    processed(&meter, "a", 10);
    processed(&meter, "a", 12);
    processed(&meter, "b", 14);
    tick(&meter);
    meter.phase("during");
    // Late, and a second time.
    processed(&meter, "a", 13);
    processed(&meter, "a", 13);
    meter.acked(15);
    // One round of the ring later the time of 12 is gone.
    meter.acked(12 + SLOTS as u64);
    processed(&meter, "b", 12);
    let Metered { readings, paces } = meter.stop();
    assert_eq!(
        rows(readings),
        [
            row("a", "before", [2, 0, 0, 2]),
            row("b", "before", [1, 1, 0, 2]),
            row("a", "during", [0, 0, 0, 2]),
            row("b", "during", [0, 0, 1, 2])
        ]
    );
    let paces: Vec<_> =
        paces.iter().map(|p| (p.zone.to_string(), p.phase.as_str(), p.processed)).collect();
    let pace = |zone: &str, phase, n| (zone.to_owned(), phase, n);
    assert_eq!(
        paces,
        [
            pace("a", "before", 1),
            pace("b", "before", 1),
            pace("a", "during", 1),
            pace("b", "during", 1)
        ]
    );
}

#[test]
fn a_pause_is_the_time_without_a_processing_since_the_phase_or_the_resumption_began() {
    let mut books =
        Books { phases: vec![(0, "before".into()), (1_000, "during".into())], ..Books::default() };
    let at = |seq, at| Measured { recording: 0, seq: Some(seq), at, acked: Acked::At(0) };
    let a = zone("a");
    for one in [at(1, 100), at(2, 150), at(3, 1_400), at(4, 1_500), at(5, 4_500)] {
        books.take(&a, one);
    }
    let pace = |phase: usize| {
        let pace = books.zones[&a].pace[&phase];
        (pace.processed, pace.began, pace.ended, pace.longest)
    };
    assert_eq!(pace(0), (2, Some(0), 150, 100));
    // From the phase's beginning, not from the message before it.
    assert_eq!(pace(1), (3, Some(1_000), 4_500, 3_000));
    let meter = Meter::default();
    meter.start(0);
    meter.phase("during");
    tick(&meter);
    meter.resumed(&a);
    let resumed = meter.books().zones[&a].last;
    processed(&meter, "a", 1);
    let books = meter.books();
    assert_eq!(books.zones[&a].pace[&0].began, Some(resumed));
}

/// A consumer that processes nothing more after its pause worked until the pause.
#[test]
fn a_pause_in_the_middle_of_a_phase_is_not_worked() {
    let meter = Meter::default();
    meter.start(0);
    meter.phase("during");
    tick(&meter);
    processed(&meter, "a", 1);
    let a = zone("a");
    let before = meter.books().zones[&a].pace[&0].worked_us();
    assert!(before > 0);
    tick(&meter);
    meter.resumed(&a);
    assert_eq!(meter.books().zones[&a].pace[&0].worked_us(), before, "the pause does not count");
    tick(&meter);
    processed(&meter, "a", 2);
    assert!(meter.books().zones[&a].pace[&0].worked_us() > before);
    assert_eq!(meter.stop().paces[0].processed, 2);
}

#[test]
fn what_is_booked_late_belongs_to_when_it_was_processed() {
    let meter = Meter::default();
    meter.start(0);
    meter.phase("before");
    meter.acked(1);
    let mut measured: Vec<Measured> = meter.measure(1, true).into_iter().collect();
    tick(&meter);
    meter.phase("during");
    measured.extend(meter.measure(2, true));
    let mut late = measured.clone();
    meter.book(&zone("a"), &mut measured);
    let expected = [row("a", "before", [1, 0, 0, 1]), row("a", "during", [1, 1, 0, 0])];
    assert_eq!(rows(meter.stop().readings), expected);
    // Of the recording that is over, nothing goes into the next one.
    tick(&meter);
    meter.start(0);
    meter.phase("before");
    meter.book(&zone("a"), &mut late);
    assert!(meter.stop().readings.is_empty());
}
