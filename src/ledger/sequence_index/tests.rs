use super::{
    chunk::{Body, MOST_RUNS},
    *,
};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Set { number: u64, seq: u64, count: u64 },
    Unset { number: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let number = prop_oneof![8 => 0u64..300, 3 => 4000u64..4200, 1 => Just(u64::MAX - 40)];
    let seq = prop_oneof![8 => 1u64..900, 2 => Just(1u64 << 40), 1 => Just(u64::MAX - 40)];
    prop_oneof![
        9 => (number.clone(), seq, 1u64..40)
            .prop_map(|(number, seq, count)| Step::Set { number, seq, count }),
        3 => number.prop_map(|number| Step::Unset { number }),
    ]
}

/// The numbers that stand after a higher one.
fn late(model: &BTreeMap<u64, u64>) -> Vec<u64> {
    let late = model
        .iter()
        .filter(|(number, seq)| model.range(*number + 1..).any(|(_, higher)| higher < seq));
    late.map(|(number, _)| *number).collect()
}

fn check(places: &SequenceIndex, model: &BTreeMap<u64, u64>) -> Result<(), TestCaseError> {
    for (number, seq) in model {
        prop_assert_eq!(places.get(*number), Some(*seq));
    }
    let mut listed = BTreeMap::new();
    for (number, seq, count) in places.runs() {
        for i in 0..count {
            listed.insert(number + i, seq + i);
        }
    }
    prop_assert_eq!(&listed, model);
    // What is said of many is what is said of each, and no further stretch would do.
    for number in
        [0, 1, 7, 100, 290, 4000, 4090, 4095, 4096, 4180].into_iter().chain(model.keys().copied())
    {
        let most = 50.min(u64::MAX - number);
        let piece = places.piece(number, most);
        prop_assert_eq!(piece.seq, model.get(&number).copied());
        let fits = |i: u64| match piece.seq {
            Some(seq) => model.get(&(number + i)).copied() == Some(seq + i),
            None => !model.contains_key(&(number + i)),
        };
        prop_assert!((0..piece.count).all(fits));
        let ends = (number + piece.count).is_multiple_of(CHUNK);
        prop_assert!(piece.count == most || ends || !fits(piece.count), "{:?}", piece);
        if piece.count < most {
            prop_assert_eq!(places.piece(number, piece.count), piece);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn it_is_a_map(steps in prop::collection::vec(step(), 1..40), tables in any::<bool>()) {
        let mut places = SequenceIndex::default();
        let mut model = BTreeMap::new();
        for step in steps {
            match step {
                Step::Set { number, seq, count } => {
                    // As much of the run as is free.
                    let taken = |i: &u64, model: &BTreeMap<u64, u64>| {
                        model.contains_key(&(number + i)) || model.values().any(|s| *s == seq + i)
                    };
                    let free = (0..count).find(|i| taken(i, &model)).unwrap_or(count);
                    if free > 0 {
                        places.set(number, seq, free);
                    }
                    for i in 0..free {
                        model.insert(number + i, seq + i);
                        prop_assert_eq!(places.owner(seq + i), Some(number + i));
                    }
                }
                Step::Unset { number } => {
                    places.unset(number);
                    model.remove(&number);
                }
            }
            if tables {
                for chunk in &mut places.chunks {
                    chunk.become_table(&mut places.far);
                }
            }
            prop_assert_eq!(places.late().iter().collect::<Vec<_>>(), late(&model));
        }
        check(&places, &model)?;
    }
}

/// Numbers that come out of order, but stand in order, are no disorder: that is noticed without
/// looking at all of them. Else it is from then on.
#[test]
fn disorder_is_noticed_where_it_comes_in() {
    let places = |sets: &[(u64, u64, u64)], table: bool| {
        let mut places = SequenceIndex::default();
        for (number, seq, count) in sets {
            places.set(*number, *seq, *count);
            for chunk in places.chunks.iter_mut().filter(|_| table) {
                chunk.become_table(&mut places.far);
            }
        }
        (places.tangled, places.late().iter().collect::<Vec<_>>())
    };
    let far = 3 * CHUNK;
    for table in [false, true] {
        let in_order = [
            &[(10, 110, 5), (5, 105, 5), (1, 101, 4), (20, 120, 1), (15, 115, 5)][..],
            &[(10, 110, 5), (far + 5, 500, 5), (CHUNK, 300, 2), (far, 490, 3), (30, 130, 1)],
            &[(2 * CHUNK - 2, 100, 4), (2 * CHUNK - 4, 98, 2), (2 * CHUNK + 2, 104, 1)],
            &[(10, 110, 1), (8, 108, 1), (9, 109, 1)],
            &[(far, 100, 1), (far - 1, 99, 1), (far + 1, 101, 1), (0, 1, 1)],
        ];
        for sets in in_order {
            assert_eq!(places(sets, table), (false, vec![]), "{sets:?}");
        }
        let disorder = [
            (&[(10, 110, 5), (5, 200, 2)][..], vec![5, 6]),
            (&[(10, 110, 5), (5, 108, 2), (7, 107, 1)], vec![5, 6]),
            (&[(10, 110, 5), (20, 200, 5), (15, 198, 2), (17, 196, 2)], vec![15, 16]),
            (&[(0, 200, 1), (5, 300, 1), (3, 150, 1)], vec![0]),
            (&[(10, 110, 1), (11, 120, 9), (9, 115, 1)], vec![9]),
            (&[(10, 110, 1), (2 * CHUNK, 90, 1)], vec![10]),
            (&[(far, 500, 1), (10, 110, 9), (CHUNK + 1, 105, 2)], (10..19).collect()),
            (&[(far, 500, 1), (far + 9, 600, 1), (far + 5, 601, 1)], vec![far + 5]),
            (&[(far, 500, 3), (far - 1, 501 + 2, 1)], vec![far - 1]),
            (&[(0, 100, 1), (5, 104, 2), (3, 105 + 9, 1)], vec![3]),
        ];
        for (sets, expected) in disorder {
            assert_eq!(places(sets, table), (true, expected), "{sets:?}");
        }
    }
}

/// A number, or a sequence, that a run has left is no new one behind all others.
#[test]
fn what_comes_into_a_gap_of_a_run_is_compared_with_it() {
    for (number, seq, late) in [(2, 4, 2), (4, 2, 3)] {
        let mut places = SequenceIndex::default();
        places.set(1, 1, 3);
        places.unset(2);
        places.set(number, seq, 1);
        assert_eq!(places.late().iter().collect::<Vec<_>>(), [late], "{number} at {seq}");
    }
}

/// A table holds what is within two thousand million of its first place; what is not is kept apart.
#[test]
fn a_table_reaches_as_far_to_both_sides() {
    let (first, reach) = (1u64 << 40, 1u64 << 31);
    let mut places = SequenceIndex::default();
    places.set(0, first, 1);
    places.chunks[0].become_table(&mut places.far);
    places.set(1, first - reach, 1);
    places.set(2, first + reach - 3, 1);
    places.set(3, first + 7, 5);
    assert!(places.far.is_empty());
    places.set(10, first - reach - 2, 2);
    places.set(20, first + reach - 5, 2);
    places.set(22, first + reach - 2, 1);
    assert_eq!(places.far.keys().copied().collect::<Vec<_>>(), [10, 11, 22]);
    let placed = [1, 2, 7, 11, 22].map(|number| places.get(number));
    let expected =
        [first - reach, first + reach - 3, first + 11, first - reach - 1, first + reach - 2];
    assert_eq!(placed, expected.map(Some));
    places.unset(22);
    assert_eq!((places.far.len(), places.get(22)), (2, None));
    // Beside the beginning there is less room to one side.
    let mut low = SequenceIndex::default();
    low.set(0, 5, 1);
    low.chunks[0].become_table(&mut low.far);
    low.set(1, 1, 4);
    low.set(9, u64::from(u32::MAX) - 2, 1);
    assert!(low.far.is_empty());
    low.set(10, u64::from(u32::MAX) - 1, 1);
    assert_eq!(low.far.len(), 1);
}

/// A chunk with as many runs as may be is a list still.
#[test]
fn the_most_runs_of_a_list() {
    let mut places = SequenceIndex::default();
    for i in 0..MOST_RUNS as u64 {
        places.set(2 * i, 1 + 2 * i, 1);
    }
    assert!(matches!(&places.chunks[0].body, Body::Runs(runs) if runs.len() == MOST_RUNS));
    // One between two of them joins both.
    places.set(1, 2, 1);
    assert!(matches!(&places.chunks[0].body, Body::Runs(runs) if runs.len() == MOST_RUNS - 1));
    places.set(3000, 5000, 1);
    places.set(3002, 5002, 1);
    assert!(matches!(&places.chunks[0].body, Body::Table { .. }));
    assert_eq!((places.get(1), places.get(3002), places.parts()), (Some(2), Some(5002), 1));
    places.set(CHUNK, 9000, 1);
    assert_eq!(places.parts(), 2);
}

#[test]
fn alternating_producers_cost_four_bytes_a_message() {
    let mut places = SequenceIndex::default();
    for number in 0..100_000 {
        places.set(number, 1 + 2 * number, 1);
    }
    assert!(places.chunks.iter().all(|chunk| match &chunk.body {
        Body::Table { slots, .. } => slots.capacity() == CHUNK as usize,
        Body::Runs(runs) => runs.len() <= MOST_RUNS,
    }));
    assert_eq!(places.get(99_999), Some(199_999));
    assert_eq!(places.piece(5, 10), Piece { count: 1, seq: Some(11) });
    assert!(places.late().is_empty());
}

#[test]
fn a_lone_producer_costs_a_run_a_chunk() {
    let mut places = SequenceIndex::default();
    for number in (0..100_000).step_by(100) {
        places.set(number, 7 + number, 100);
    }
    assert!(places.chunks.iter().all(|c| matches!(&c.body, Body::Runs(r) if r.len() == 1)));
}
