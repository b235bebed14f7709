use proptest::prelude::*;

use super::*;

fn item(seq: u64) -> Item {
    Item::new(seq, seq, "S.x", Some(&format!("id-{seq}")), format!("body {seq}").as_bytes())
}

fn in_copy(seq: u64, origin: u64) -> Item {
    Item { seq, ..item(origin) }
}

fn run(expected: Expectation, origin: &[Item], copy: &[Item]) -> Comparison {
    let mut found = Comparison::new(expected);
    let (mut i, mut j) = (0, 0);
    while i < origin.len() || j < copy.len() {
        match found.step(origin.get(i), copy.get(j)) {
            Next::Origin => i += 1,
            Next::Copy => j += 1,
            Next::Both => (i, j) = (i + 1, j + 1),
        }
    }
    found
}

fn plain(origin: &[Item], copy: &[Item]) -> Comparison {
    let origin_last = origin.last().map_or(0, |item| item.seq);
    run(Expectation { origin_last, ..Expectation::default() }, origin, copy)
}

#[track_caller]
fn one(found: &Comparison) -> (Fault, u64, u64) {
    assert_eq!(found.differences.len(), 1, "{:?}", found.differences);
    let one = &found.differences[0];
    (one.fault, one.first, one.last)
}

#[test]
fn equal_streams_are_identical_holes_included() {
    let origin: Vec<Item> = [1, 2, 5, 6].map(item).to_vec();
    let found = plain(&origin, &origin);
    assert_eq!((found.compared, found.differing), (4, 0));
    // Renumbered, as a sourced copy is.
    let copy: Vec<Item> = [(1, 1), (2, 2), (3, 5), (4, 6)].map(|(a, b)| in_copy(a, b)).to_vec();
    assert_eq!(plain(&origin, &copy).differing, 0);
}

#[test]
fn each_fault_is_found_where_it_is() {
    let origin: Vec<Item> = (1..=6).map(item).collect();
    let mut copy = origin.clone();
    copy.drain(2..4);
    let found = plain(&origin, &copy);
    assert_eq!(one(&found), (Fault::Missing, 3, 4));
    assert_eq!(found.differences[0].id.as_deref(), Some("id-3"));
    let changed = |of: &dyn Fn(&mut Item)| {
        let mut copy = origin.clone();
        of(&mut copy[2]);
        one(&plain(&origin, &copy))
    };
    let other = |payload: &[u8]| Item::new(3, 3, "S.x", Some("id-3"), payload);
    assert_eq!(changed(&|item| *item = other(b"other")), (Fault::OtherPayload, 3, 3));
    assert_eq!(changed(&|item| item.id = None), (Fault::OtherId, 3, 3));
    let subject = |item: &mut Item| *item = Item::new(3, 3, "S.y", Some("id-3"), b"body 3");
    assert_eq!(changed(&subject), (Fault::OtherSubject, 3, 3));
    let twice = [in_copy(1, 1), in_copy(2, 2), in_copy(3, 2), in_copy(4, 3)];
    assert_eq!(one(&plain(&origin[..3], &twice)), (Fault::Twice, 2, 2));
    let late = [in_copy(1, 1), in_copy(2, 3), in_copy(3, 2)];
    let found = plain(&origin[..3], &late);
    let faults: Vec<Fault> = found.differences.iter().map(|one| one.fault).collect();
    assert_eq!(faults, [Fault::Missing, Fault::OutOfOrder]);
    // A copy that goes on where the origin was made anew.
    let found = plain(&origin[..2], &origin[..3]);
    assert_eq!(one(&found), (Fault::Beyond, 3, 3));
}

#[test]
fn what_is_as_it_should_be_is_explained_and_no_difference() {
    let origin: Vec<Item> = (1..=6).map(item).collect();
    let gone = plain(&origin[3..], &origin);
    assert_eq!((gone.differing, &gone.explained[..]), (0, &[(Explained::GoneAtOrigin, 3)][..]));
    let kept = Expectation { origin_keeps_all: true, origin_last: 6, ..Expectation::default() };
    let lost = run(kept, &origin[3..], &origin);
    assert_eq!((lost.differing, &lost.explained[..]), (3, &[][..]));
    assert!(lost.differences.iter().all(|one| one.fault == Fault::LostAtOrigin));
    for (limited, late, why) in
        [(true, false, Explained::CopyLimits), (false, true, Explained::CopyStart)]
    {
        let expected = Expectation {
            copy_is_limited: limited,
            copy_starts_late: late,
            origin_last: 6,
            copy_begins: 3,
            ..Expectation::default()
        };
        let found = run(expected.clone(), &origin, &origin[2..]);
        assert_eq!((found.differing, &found.explained[..]), (0, &[(why, 2)][..]));
        // A hole inside is none of it.
        let mut copy = origin[2..].to_vec();
        copy.remove(1);
        assert_eq!(one(&run(expected, &origin, &copy)), (Fault::Missing, 4, 4));
    }
    // Nor is one at the beginning of what is compared, if the copy begins before that.
    let inside = Expectation {
        copy_is_limited: true,
        origin_last: 6,
        copy_begins: 1,
        ..Expectation::default()
    };
    assert_eq!(one(&run(inside, &origin[2..], &origin[3..])), (Fault::Missing, 3, 3));
    // Where limits may take any message, nobody can tell.
    let anywhere = Expectation {
        copy_is_limited: true,
        copy_is_limited_inside: true,
        origin_last: 6,
        copy_begins: 1,
        ..Expectation::default()
    };
    let holed = [origin[0].clone(), origin[2].clone(), origin[5].clone()];
    let found = run(anywhere, &origin, &holed);
    assert_eq!((found.differing, &found.explained[..]), (0, &[(Explained::LimitsOrLoss, 3)][..]));
    // Without a limit a late beginning is a loss (nats-facts §B).
    assert_eq!(one(&plain(&origin, &origin[2..])), (Fault::Missing, 1, 2));
}

#[test]
fn what_is_not_expected_explains_nothing() {
    let origin: Vec<Item> = (1..=6).map(item).collect();
    // A copy that drops ids has lost what the origin has once.
    let drops = Expectation { copy_drops_ids: true, origin_last: 6, ..Expectation::default() };
    assert_eq!(one(&run(drops, &origin, &origin[..5])), (Fault::Missing, 6, 6));
    // One without limits, which was not told to begin late, has lost its beginning.
    let begins = Expectation { copy_begins: 3, origin_last: 6, ..Expectation::default() };
    assert_eq!(one(&run(begins, &origin, &origin[2..])), (Fault::Missing, 1, 2));
    // The origin's last message may be deleted there.
    let gone = Expectation { origin_last: 6, ..Expectation::default() };
    let found = run(gone.clone(), &origin[..5], &origin);
    assert_eq!((found.differing, &found.explained[..]), (0, &[(Explained::GoneAtOrigin, 1)][..]));
    let beyond = Expectation { origin_last: 5, ..gone };
    assert_eq!(one(&run(beyond, &origin[..5], &origin)), (Fault::Beyond, 6, 6));
}

#[test]
fn what_goes_by_the_copys_limits_while_it_is_read_is_no_loss() {
    let origin: Vec<Item> = (1..=6).map(item).collect();
    let mut copy = origin.clone();
    copy[3].payload ^= 1;
    copy.remove(4);
    copy.drain(..2);
    let mut found = plain(&origin, &copy);
    assert_eq!(found.differing, 4);
    found.gone_from_copy(2);
    assert_eq!((found.differing, &found.explained[..]), (4, &[][..]), "they end at 2");
    found.gone_from_copy(5);
    assert_eq!((found.differing, &found.explained[..]), (2, &[(Explained::CopyLimits, 2)][..]));
    let faults: Vec<Fault> = found.differences.iter().map(|one| one.fault).collect();
    assert_eq!(faults, [Fault::OtherPayload, Fault::Missing]);
}

#[test]
fn so_many_differences_are_named_and_all_are_counted() {
    let origin: Vec<Item> = (1..=3000).map(item).collect();
    let copy: Vec<Item> = (2..=3000).step_by(2).map(item).collect();
    let found = plain(&origin, &copy);
    assert_eq!((found.differing, found.differences.len()), (1500, MOST_NAMED));
}

#[test]
fn an_id_that_the_origin_has_twice_is_swallowed_by_a_copy_that_drops_ids() {
    let mut origin: Vec<Item> = (1..=4).map(item).collect();
    origin[2].id = Some("id-1".into());
    let copy = [origin[0].clone(), origin[1].clone(), Item { seq: 3, ..origin[3].clone() }];
    let expected = Expectation { copy_drops_ids: true, origin_last: 4, ..Expectation::default() };
    let found = run(expected, &origin, &copy);
    assert_eq!((found.differing, &found.explained[..]), (0, &[(Explained::Swallowed, 1)][..]));
    assert_eq!(one(&plain(&origin, &copy)), (Fault::Missing, 3, 3));
}

#[test]
fn what_a_second_look_finds_is_compared_after_all() {
    let origin: Vec<Item> = (1..=6).map(item).collect();
    let copy = [origin[0].clone(), origin[2].clone(), origin[3].clone()];
    let mut found = plain(&origin, &copy);
    assert_eq!(found.differing, 3);
    found.found_late(&origin[1], &origin[1]);
    // It is no part of what is missing together with others.
    found.found_late(&origin[4], &origin[4]);
    assert_eq!((found.differing, found.compared), (2, 4));
    // There, and not the same.
    let mut other = plain(&origin, &copy);
    other.found_late(&origin[1], &Item::new(2, 2, "S.x", Some("id-2"), b"other"));
    let faults: Vec<Fault> = other.differences.iter().map(|one| one.fault).collect();
    assert_eq!((other.differing, &faults[..]), (3, &[Fault::Missing, Fault::OtherPayload][..]));
    found.gone_from_copy(7);
    assert_eq!((found.differing, &found.explained[..]), (0, &[(Explained::CopyLimits, 2)][..]));
}

proptest! {
    /// Whatever is taken out of a copy or changed in it is found, and nothing else.
    #[test]
    fn faults_are_found_and_no_others(
        held in proptest::collection::vec(0..4_u8, 1..80),
    ) {
        let mut origin: Vec<Item> = Vec::new();
        let mut copy: Vec<Item> = Vec::new();
        let (mut missing, mut changed) = (0, 0);
        for (i, what) in held.iter().enumerate() {
            let seq = 2 * i as u64 + 1;
            origin.push(item(seq));
            match what {
                0 => missing += 1,
                1 => {
                    changed += 1;
                    copy.push(Item::new(seq, seq, "S.x", Some(&format!("id-{seq}")), b"other"));
                }
                _ => copy.push(item(seq)),
            }
        }
        let found = plain(&origin, &copy);
        prop_assert_eq!(found.differing, missing + changed);
        prop_assert_eq!(found.compared, copy.len() as u64);
        let named: u64 = found.differences.iter().map(|one| one.messages).sum();
        prop_assert_eq!(named, found.differing);
    }
}
