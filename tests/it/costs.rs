//! What it costs to verify a bundle, beside what half or a quarter of it costs in the same run.

use crate::support::{
    forged::{Honest, LEDGER, bare, sealed},
    laws::Fault,
};

/// What it costs to verify a bundle grows with the evidence, and not with its square: four times as
/// much of one kind costs at most ten times as much (the square would cost sixteen times).
#[test]
fn what_verify_costs_grows_evenly_with_the_evidence() {
    type Lines = fn(u64) -> Vec<String>;
    crate::support::turns::watched();
    let honest = Honest::new("heal", Fault::None);
    let of_ledger: [(&str, u64, Lines); 4] = [
        ("producers", 2_000, |count| {
            let intend = |i| format!(r#"{{"k":"intend","p":{},"n":1,"c":1,"at":{NOW}}}"#, 500 + i);
            let acked = |i| {
                let (p, s) = (500 + i, 1_000_000 + 2 * i);
                format!(r#"{{"k":"acked","p":{p},"n":1,"c":1,"s":{s},"d":"zone-a","at":{NOW}}}"#)
            };
            (0..count).flat_map(|i| [intend(i), acked(i)]).collect()
        }),
        ("producers that a zone has received from", 1_000, |count| {
            let line = |i| {
                let (p, s) = (500 + i, 1_000_000 + 2 * i);
                format!(
                    r#"{{"k":"received","z":"b","p":{p},"n":1,"s":{s},"c":1,"r":1,"at":{NOW}}}"#
                )
            };
            (0..count).map(line).collect()
        }),
        ("receipts of sixty zones", 2_000, |count| {
            let line = |i| {
                let (z, p, s) = (zone(i % 60), 500 + i, 1_000_000 + 2 * i);
                format!(
                    r#"{{"k":"received","z":"{z}","p":{p},"n":1,"s":{s},"c":1,"r":1,"at":{NOW}}}"#
                )
            };
            (0..count).map(line).collect()
        }),
        ("zones that come and go", 1_000, |count| {
            let acked = |i| {
                let s = 1_000_000 + 2 * i;
                format!(r#"{{"k":"acked","p":500,"n":{},"c":1,"s":{s},"d":"a","at":{NOW}}}"#, 1 + i)
            };
            let came = |_| format!(r#"{{"k":"foreign","z":"y","s":7,"at":{NOW}}}"#);
            let gone = |_| format!(r#"{{"k":"zone-removed","z":"y","at":{NOW}}}"#);
            (0..count).map(acked).chain((0..count).flat_map(|i| [came(i), gone(i)])).collect()
        }),
    ];
    let cost = |lines: Vec<String>| {
        let mut all: Vec<String> = honest.lines(LEDGER).iter().map(|line| bare(line)).collect();
        all.splice(1..1, lines);
        let files = vec![(LEDGER.to_owned(), sealed(&all))];
        let once = || {
            let (verified, took) = honest.verify_with(&files);
            assert!(verified.is_ok_and(|verified| verified.exit_code() != 0));
            took
        };
        // The least of some: whoever else computes here takes caches away.
        (0..4).map(|_| once()).min().unwrap().saturating_sub(honest.took)
    };
    for (what, count, lines) in of_ledger {
        let (few, many) = (cost(lines(count)), cost(lines(4 * count)));
        println!("{what}: {count} cost {few:?}, four times as many {many:?}");
        assert!(many < 10 * few + honest.took, "{what}: {count} cost {few:?}, four times {many:?}");
    }
}

/// When the lines were written that somebody put into a ledger.
const NOW: u64 = 1;

/// The name of a zone by its number.
fn zone(number: u64) -> String {
    let letter = |n: u64| char::from(b'c' + u8::try_from(n).unwrap());
    format!("{}{}", letter(number / 20), letter(number % 20))
}
