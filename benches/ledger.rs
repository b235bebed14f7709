//! How many messages a second the ledger takes, and how much memory ten million of them need.
//!
//! Each message is intended, acknowledged, and received in two zones; an item is one message with
//! all of that. The peer is the obvious ledger: hash maps from number to sequence, an entry a
//! message. The column `max alloc` is what the ledger held in the end.
//!
//! ```sh
//! cargo bench --bench ledger
//! ```

use std::collections::HashMap;

use divan::{AllocProfiler, Bencher, black_box, counter::ItemsCount};
use zonedrill::{
    ledger::{Ledger, message::RunId, record::Record},
    region::ZoneName,
};

#[global_allocator]
static MEMORY: AllocProfiler = AllocProfiler::system();

const MILLION: u64 = 1_000_000;
/// Consumers are this many messages behind the acknowledgements.
const WINDOW: u64 = 1000;

/// (messages in a record, producers that take turns)
const SHAPES: [(u64, u32); 3] = [(1000, 1), (1, 1), (1, 2)];

fn main() {
    divan::main();
}

fn zone(name: &str) -> ZoneName {
    name.parse().unwrap_or_else(|_| unreachable!("a good name"))
}

/// Hands the records of a drill to `apply`, each made by changing the one before, so that making
/// them costs nothing.
fn drill(messages: u64, (run, producers): (u64, u32), mut apply: impl FnMut(&Record)) {
    let mut intend = Record::Intend { p: 1, n: 0, c: WINDOW, at: 1 };
    let mut ack = Record::Acked { p: 1, n: 0, c: run, s: 1, d: "zone-a".into(), dup: false, at: 1 };
    let mut receipts =
        ["a", "b"].map(|z| Record::Received { z: zone(z), p: 1, n: 0, s: 1, c: run, r: 1, at: 1 });
    let turns = u64::from(producers);
    let place = |i: u64| ((i % turns) as u32 + 1, i / turns);
    for window in (0..messages).step_by(WINDOW as usize) {
        for producer in 1..=producers {
            if let Record::Intend { p, n, c, .. } = &mut intend {
                (*p, *n, *c) = (producer, window / turns, WINDOW / turns);
            }
            apply(&intend);
        }
        for i in (window..window + WINDOW).step_by(run as usize) {
            if let Record::Acked { p, n, s, .. } = &mut ack {
                ((*p, *n), *s) = (place(i), i + 1);
            }
            apply(&ack);
        }
        for receipt in &mut receipts {
            for i in (window..window + WINDOW).step_by(run as usize) {
                if let Record::Received { p, n, s, .. } = &mut *receipt {
                    ((*p, *n), *s) = (place(i), i + 1);
                }
                apply(receipt);
            }
        }
    }
}

fn kept(messages: u64, shape: (u64, u32)) -> Ledger {
    let mut ledger = Ledger::new(RunId::from_number(1), "bench");
    drill(messages, shape, |record| ledger.apply(record));
    ledger
}

#[divan::bench(args = SHAPES, sample_count = 10)]
fn apply_a_million(bencher: Bencher, shape: (u64, u32)) {
    bencher.counter(ItemsCount::new(MILLION)).bench(|| kept(MILLION, shape));
}

#[divan::bench(args = SHAPES, sample_count = 5)]
fn peer_hash_maps_a_million(bencher: Bencher, shape: (u64, u32)) {
    bencher.counter(ItemsCount::new(MILLION)).bench(|| {
        let mut acked: HashMap<(u32, u64), u64> = HashMap::new();
        let mut received: HashMap<ZoneName, HashMap<(u32, u64), u64>> = HashMap::new();
        drill(MILLION, shape, |record| match record {
            Record::Acked { p, n, s, c, .. } => {
                acked.extend((0..*c).map(|i| ((*p, n + i), s + i)));
            }
            Record::Received { z, p, n, s, c, .. } => {
                if !received.contains_key(z) {
                    received.insert(z.clone(), HashMap::new());
                }
                if let Some(zone) = received.get_mut(z) {
                    zone.extend((0..*c).map(|i| ((*p, n + i), s + i)));
                }
            }
            _ => {}
        });
        (acked, received)
    });
}

/// Memory above all; held against 64 MiB.
#[divan::bench(args = SHAPES, sample_count = 1)]
fn ten_million(bencher: Bencher, shape: (u64, u32)) {
    bencher.counter(ItemsCount::new(10 * MILLION)).bench(|| kept(10 * MILLION, shape));
}

/// What a screen asks ten times a second, while a zone is half a million messages behind.
#[divan::bench]
fn account_of_ten_million(bencher: Bencher) {
    let mut ledger = kept(10 * MILLION, (1000, 1));
    ledger.apply(&Record::Acked {
        p: 1,
        n: 10 * MILLION,
        c: MILLION / 2,
        s: 10 * MILLION + 1,
        d: "zone-a".into(),
        dup: false,
        at: 1,
    });
    let b = zone("b");
    bencher.bench_local(|| black_box(ledger.account(&b, Some(10 * MILLION))));
}
