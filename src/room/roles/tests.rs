use proptest::prelude::*;

use super::*;

fn person(name: &str) -> Newcomer {
    Newcomer { name: name.into(), token: format!("secret of {name}"), ..Newcomer::default() }
}

fn guest(name: &str) -> Newcomer {
    Newcomer { guest: true, from: Some("192.0.2.7".into()), ..person(name) }
}

fn said(roles: &mut Roles) -> Vec<String> {
    roles.said().iter().map(ToString::to_string).collect()
}

/// mira drives, tom observes.
fn two() -> (Roles, u64, u64) {
    let mut roles = Roles::default();
    let mira = roles.attach(0, 1, person("mira")).seat;
    let tom = roles.attach(0, 2, person("tom")).seat;
    (roles, mira, tom)
}

#[test]
fn the_first_drives_and_hands_over() {
    let (mut roles, mira, tom) = two();
    assert!(roles.drives(mira) && !roles.drives(tom));
    assert!(roles.grant(0, mira).unwrap_err().contains("nobody asks"));
    roles.ask(0, tom).unwrap();
    assert_eq!(roles.screens()[&tom].ask_ends_at_ms, Some(ASK_MS));
    assert!(!roles.drives(tom));
    assert!(roles.grant(1, tom).unwrap_err().contains("do not drive"));
    roles.grant(1, mira).unwrap();
    assert!(roles.drives(tom) && !roles.drives(mira));
    assert_eq!(said(&mut roles), ["tom asks for control", "mira gave control to tom"]);
    roles.release(2, tom).unwrap();
    assert_eq!(roles.driver(), None);
    roles.ask(3, mira).unwrap();
    assert!(roles.drives(mira));
}

#[test]
fn the_owner_has_control_whoever_drives() {
    let mut roles = Roles::default();
    let tom = roles.attach(0, 1, guest("tom")).seat;
    let mira = roles.attach(0, 2, person("mira")).seat;
    let (owner, stranger) = (person("mira").person(), guest("tom").person());
    assert!(roles.drives(tom));
    // A guest who does not answer loses control to one who is none, and to no other guest.
    roles.ask(0, mira).unwrap();
    roles.tick(ASK_MS);
    assert!(roles.drives(mira));
    assert!(roles.decided().pop().unwrap().answer.unwrap().contains("did not answer"));
    assert!(said(&mut roles).contains(&"mira drives after tom (guest, from 192.0.2.7)".into()));
    roles.release(ASK_MS, mira).unwrap();
    roles.ask(ASK_MS, tom).unwrap();
    let eve = roles.attach(ASK_MS, 3, guest("eve")).seat;
    roles.ask(ASK_MS, eve).unwrap();
    roles.tick(2 * ASK_MS);
    assert!(roles.drives(tom));
    let now = 2 * ASK_MS;
    // Without asking, and against every guest.
    assert!(roles.take(now, Some(tom), &stranger, false).is_err());
    roles.take(now, Some(mira), &owner, true).unwrap();
    assert!(roles.drives(mira));
    assert!(roles.ask(now, tom).unwrap_err().contains("mira holds control"));
    roles.release(now, mira).unwrap();
    roles.ask(now, tom).unwrap();
    assert!(roles.drives(tom));
    // From a shell: nobody drives then.
    roles.take(now, None, &owner, true).unwrap();
    assert_eq!(roles.driver(), None);
    assert!(roles.ask(now, eve).is_err());
    roles.free(&owner).unwrap();
    roles.ask(now, eve).unwrap();
    assert!(roles.drives(eve));
    // Out of the room.
    assert!(roles.kick(now, &stranger, "mira").is_err());
    assert!(roles.kick(now, &owner, "bob").unwrap_err().contains("tom"));
    roles.kick(now, &owner, "eve").unwrap();
    assert_eq!((roles.driver(), roles.removed()), (None, vec![3]));
    assert!(roles.check(now, &guest("eve")).unwrap_err().contains("10 min"));
    assert_eq!(roles.check(now, &guest("tom")), Ok(()));
    assert_eq!(roles.check(now + BARRED_MS, &guest("eve")), Ok(()));
}

#[test]
fn a_terminal_that_does_not_answer_does_not_keep_control() {
    let (mut roles, mira, tom) = two();
    roles.silent(mira, true);
    assert!(roles.drives(mira), "nobody asked");
    roles.ask(0, tom).unwrap();
    assert!(roles.drives(tom));
    roles.silent(mira, false);
    roles.ask(1, mira).unwrap();
    roles.silent(tom, true);
    assert!(roles.drives(mira));
    assert!(said(&mut roles).contains(&"tom: the terminal does not answer".into()));
}

#[test]
fn a_room_has_so_many_screens_and_the_owner_finds_a_place() {
    let mut roles = Roles::default();
    let mut come = |n: usize, who: Newcomer| {
        roles.check(0, &who)?;
        roles.attach(0, n as u64, who);
        Ok::<_, String>(())
    };
    for n in 0..MOST_SCREENS {
        assert_eq!(come(n, guest(&format!("g{n}"))).is_ok(), n < MOST_GUESTS, "{n}");
    }
    for n in MOST_GUESTS..MOST_SCREENS {
        come(n, person(&format!("p{n}"))).unwrap();
    }
    let why = come(99, person("late")).unwrap_err();
    assert!(why.contains("a room takes 64"), "{why}");
}

#[test]
fn no_answer_is_a_refusal() {
    let (mut roles, mira, tom) = two();
    roles.ask(0, tom).unwrap();
    roles.tick(ASK_MS - 1);
    assert!(roles.screens()[&tom].ask_ends_at_ms.is_some());
    roles.tick(ASK_MS);
    assert!(roles.screens()[&tom].ask_ends_at_ms.is_none());
    assert!(roles.drives(mira));
    assert!(roles.grant(ASK_MS, mira).is_err());
    roles.ask(ASK_MS, tom).unwrap();
    roles.refuse(ASK_MS, mira).unwrap();
    assert!(roles.drives(mira));
}

#[test]
fn who_asked_hears_at_once_what_came_of_it() {
    let (mut roles, mira, tom) = two();
    let mut now = 0;
    let heard = |roles: &mut Roles| {
        let decided = roles.decided();
        assert!(decided.iter().all(|decision| decision.seat == tom), "{decided:?}");
        decided.into_iter().map(|decision| decision.answer).collect::<Vec<_>>()
    };
    let mut asked = |roles: &mut Roles| {
        now += 1;
        assert!(matches!(roles.ask(now, tom), Ok(Asked::Waits(_))));
        now
    };
    let now = asked(&mut roles);
    assert_eq!(heard(&mut roles), []);
    roles.refuse(now, mira).unwrap();
    assert_eq!(heard(&mut roles), [Err("mira keeps control: you were refused".into())]);
    let now = asked(&mut roles);
    let again = roles.ask(now + 20_000, tom);
    assert_eq!(
        again,
        Ok(Asked::Waits("mira was asked already, and has 10 s left to answer".into()))
    );
    roles.tick(now + ASK_MS);
    assert_eq!(heard(&mut roles), [Err("mira keeps control: no answer within 30 s".into())]);
    let now = asked(&mut roles);
    roles.grant(now, mira).unwrap();
    assert_eq!(heard(&mut roles), [Ok("you drive: mira gave you control".into())]);

    let (mut roles, mira, _) = two();
    let now = asked(&mut roles);
    roles.release(now, mira).unwrap();
    assert_eq!(heard(&mut roles), [Ok("you drive: mira drives no longer".into())]);

    let (mut roles, mira, _) = two();
    let now = asked(&mut roles);
    roles.lost(now, mira, 1);
    assert_eq!(heard(&mut roles), [Ok("you drive: mira is gone".into())]);

    // Nobody is left to hear it.
    let (mut roles, _, tom) = two();
    asked(&mut roles);
    roles.left(tom, 2);
    assert!(!roles.asks(tom));
    assert_eq!(heard(&mut roles), []);
}

#[test]
fn a_lost_driver_keeps_the_place_for_a_minute_unless_asked() {
    let (mut roles, mira, tom) = two();
    roles.lost(0, mira, 1);
    assert!(roles.drives(mira));
    let back = roles.attach(KEEP_MS - 1, 3, person("mira"));
    assert_eq!(back, Seated { seat: mira, returned: true });
    assert!(roles.drives(mira) && roles.screens()[&mira].place_ends_at_ms.is_none());
    // What the old connection's end says later concerns nobody.
    roles.lost(KEEP_MS, mira, 1);
    assert!(roles.screens()[&mira].place_ends_at_ms.is_none());
    roles.lost(KEEP_MS, mira, 3);
    roles.ask(KEEP_MS + 1, tom).unwrap();
    assert!(roles.drives(tom));
    assert!(roles.attach(KEEP_MS + 2, 4, person("mira")).returned);
    assert!(!roles.drives(mira));
}

#[test]
fn a_place_needs_its_name_and_token_and_is_not_kept_for_ever() {
    let (mut roles, mira, _) = two();
    roles.lost(0, mira, 1);
    let stranger = Newcomer { token: "guessed".into(), ..person("mira") };
    let seat = roles.attach(1, 3, stranger);
    assert!(!seat.returned && !roles.drives(seat.seat));
    let renamed = Newcomer { name: "eve".into(), ..person("mira") };
    assert!(!roles.attach(1, 4, renamed).returned);
    roles.tick(KEEP_MS);
    assert_eq!(roles.driver(), None);
    assert!(!roles.attach(KEEP_MS, 5, person("mira")).returned);
    assert_eq!(roles.driver().as_deref(), Some("mira"));
}

#[test]
fn who_only_observes_never_drives() {
    let mut roles = Roles::default();
    let look = Newcomer { observes: true, ..person("tom") };
    let tom = roles.attach(0, 1, look.clone()).seat;
    let tape = roles.attach(0, 2, Newcomer { records: true, ..person("tape") }).seat;
    assert_eq!(roles.driver(), None);
    assert!(roles.ask(0, tom).unwrap_err().contains("--observe"));
    assert!(roles.ask(0, tape).is_err());
    let mira = roles.attach(0, 3, person("mira")).seat;
    assert!(roles.drives(mira));
    // Nothing of a recorder is kept.
    roles.lost(0, tape, 2);
    assert!(!roles.screens().contains_key(&tape));
    roles.left(mira, 3);
    assert_eq!(roles.driver(), None);
}

#[derive(Clone, Debug)]
enum Act {
    Attach(usize, bool, bool),
    Lost(usize),
    Left(usize),
    Ask(usize),
    Grant(usize),
    Refuse(usize),
    Release(usize),
    Wait(UnixMs),
}

fn act() -> impl Strategy<Value = Act> {
    let who = 0usize..5;
    prop_oneof![
        (who.clone(), any::<bool>(), any::<bool>()).prop_map(|(n, o, r)| Act::Attach(n, o, r)),
        who.clone().prop_map(Act::Lost),
        who.clone().prop_map(Act::Left),
        who.clone().prop_map(Act::Ask),
        who.clone().prop_map(Act::Grant),
        who.clone().prop_map(Act::Refuse),
        who.prop_map(Act::Release),
        (0..KEEP_MS).prop_map(Act::Wait),
    ]
}

proptest! {
    #[test]
    fn at_most_one_drives_and_it_is_never_an_observer(acts in proptest::collection::vec(act(), 0..60)) {
        let mut roles = Roles::default();
        let (mut now, mut connection) = (0, 0);
        // Seat and connection of each person, while they are here.
        let mut here: [Option<(u64, u64)>; 5] = [None; 5];
        for act in acts {
            match act {
                Act::Attach(n, observes, records) if here[n].is_none() => {
                    connection += 1;
                    let who = Newcomer { observes, records, ..person(&format!("p{n}")) };
                    here[n] = Some((roles.attach(now, connection, who).seat, connection));
                }
                Act::Attach(..) => {}
                Act::Lost(n) => if let Some((seat, c)) = here[n].take() { roles.lost(now, seat, c) },
                Act::Left(n) => if let Some((seat, c)) = here[n].take() { roles.left(seat, c) },
                Act::Ask(n) => if let Some((seat, _)) = here[n] { let _ = roles.ask(now, seat); },
                Act::Grant(n) => if let Some((seat, _)) = here[n] {
                    let drove = roles.drives(seat);
                    prop_assert!(roles.grant(now, seat).is_err() || drove);
                },
                Act::Refuse(n) => if let Some((seat, _)) = here[n] { let _ = roles.refuse(now, seat); },
                Act::Release(n) => if let Some((seat, _)) = here[n] { let _ = roles.release(now, seat); },
                Act::Wait(ms) => { now += ms; roles.tick(now); }
            }
            for decision in roles.decided() {
                prop_assert!(!roles.asks(decision.seat));
                // Granted is driving, unless given away again at once: no act here does both.
                prop_assert_eq!(decision.answer.is_ok(), roles.drives(decision.seat));
            }
            let screens = roles.screens();
            prop_assert!(screens.values().filter(|s| s.drives).count() <= 1);
            prop_assert_eq!(screens.values().any(|s| s.drives), roles.driver().is_some());
            let mut asking = 0;
            for screen in screens.values() {
                prop_assert!(!screen.drives || !(screen.observes || screen.records));
                if screen.ask_ends_at_ms.is_some() {
                    asking += 1;
                    prop_assert!(!screen.drives && screen.place_ends_at_ms.is_none());
                    // There is always somebody to answer.
                    prop_assert!(screens.values().any(|s| s.drives && s.place_ends_at_ms.is_none()));
                }
                prop_assert!(screen.place_ends_at_ms.is_none_or(|until| until > now));
            }
            prop_assert!(asking <= 1);
            for (seat, _) in here.iter().flatten() {
                prop_assert!(screens.contains_key(seat));
            }
        }
    }
}
