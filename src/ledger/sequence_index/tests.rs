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
        1 => number.prop_map(|number| Step::Unset { number }),
    ]
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
    let late: Vec<u64> = model
        .iter()
        .filter(|(number, seq)| model.range(*number + 1..).any(|(_, higher)| higher < seq))
        .map(|(number, _)| *number)
        .collect();
    prop_assert_eq!(places.late().iter().collect::<Vec<_>>(), late);
    Ok(())
}

proptest! {
    #[test]
    fn it_is_a_map(steps in prop::collection::vec(step(), 1..40), tables in any::<bool>()) {
        let mut places = SequenceIndex::default();
        let mut model = BTreeMap::new();
        for step in steps {
            match step {
                Step::Set { number, seq, count } => for i in 0..count {
                    if places.get(number + i).is_none() && !model.values().any(|s| *s == seq + i) {
                        places.set(number + i, seq + i, 1);
                        model.insert(number + i, seq + i);
                        prop_assert_eq!(places.owner(seq + i), Some(number + i));
                    }
                },
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
        }
        check(&places, &model)?;
    }
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
