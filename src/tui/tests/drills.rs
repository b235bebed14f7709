//! A drill on the screen: while it runs, when it is presented, and what it came to.

use super::*;

#[test]
fn drill_running() {
    sizes!(
        "drill_running",
        &sample::drilling(),
        &view(),
        [80 x 24, 120 x 40, 200 x 60, 40 x 10, 200 x 24]
    );
}

#[test]
fn drill_begun() {
    sizes!("drill_begun", &sample::drill_begun(), &view(), [80 x 24, 120 x 40]);
}

#[test]
fn drill_large() {
    let status = sample::drilling();
    let mut view = view();
    press(&mut view, &status, &["d"]);
    sizes!("drill_large", &status, &view, [80 x 24, 120 x 40, 200 x 60]);
}

#[test]
fn drill_verdicts() {
    let view = view();
    sizes!("drill_proved", &sample::drilled(Verdict::Proved), &view, [80 x 24, 120 x 40, 200 x 60]);
    sizes!("drill_broken", &sample::drilled(Verdict::Broken), &view, [80 x 24, 120 x 40, 200 x 60]);
    sizes!("drill_void", &sample::drilled(Verdict::Void), &view, [80 x 24, 120 x 40, 200 x 60]);
}

#[test]
fn drill_sabotaged() {
    let mut view = view();
    view.focus = Some("b".parse().unwrap());
    sizes!("drill_sabotaged", &sample::sabotaged(), &view, [80 x 24, 120 x 40, 200 x 60]);
}

#[test]
fn drill_among_many_zones() {
    let mut status = sample::idle(10);
    sample::producing(&mut status);
    sample::cut_off(&mut status.zones[1], 12_000, 612);
    status.drill = sample::drilling().drill;
    sizes!("drill_ten_zones", &status, &view(), [80 x 24, 120 x 40]);
    let drill = status.drill.as_mut().unwrap();
    drill.presented = true;
    drill.waits_for = Some(Pause::Predict);
    sizes!("present_ten_zones", &status, &view(), [80 x 24, 120 x 40]);
}

#[test]
fn presenting() {
    let view = view();
    let at = |pause| sample::presented(pause);
    sizes!("present_predict", &at(Some(Pause::Predict)), &view, [80 x 24, 120 x 40, 200 x 60]);
    sizes!("present_running", &at(None), &view, [80 x 24, 120 x 40]);
    sizes!("present_reveal", &at(Some(Pause::Reveal)), &view, [80 x 24, 120 x 40]);
    sizes!(
        "present_revealed",
        &at(Some(Pause::GoOn)),
        &view,
        [80 x 24, 120 x 40, 200 x 60, 40 x 10]
    );
    let mut over = sample::drilled(Verdict::Proved);
    over.drill.as_mut().unwrap().presented = true;
    sizes!("present_over", &over, &view, [80 x 24, 120 x 40]);
}

#[test]
fn drill_in_plain_signs() {
    let theme = Theme::new(false, true);
    let mut shown = vec![sample::drilling(), sample::sabotaged()];
    shown.extend([Verdict::Proved, Verdict::Broken, Verdict::Void].map(sample::drilled));
    shown.extend([Pause::Predict, Pause::Reveal, Pause::GoOn].map(|p| sample::presented(Some(p))));
    for status in &shown {
        for size in [(80, 24), (120, 40), (200, 60)] {
            let buffer = buffer(size, status, &view(), &theme);
            let text = text(&buffer);
            let odd: String = text.chars().filter(|c| !c.is_ascii()).collect();
            assert_eq!(odd, "", "{text}");
            assert!(buffer.content.iter().all(|c| c.fg == Color::Reset && c.bg == Color::Reset));
        }
    }
    insta::assert_snapshot!(
        "drill_ascii_120x40",
        text(&buffer((120, 40), &shown[0], &view(), &theme))
    );
    insta::assert_snapshot!(
        "present_ascii_120x40",
        text(&buffer((120, 40), &shown[7], &view(), &theme))
    );
}

/// A number that moves on redraws itself, and shifts nothing beside it.
#[test]
fn a_drills_numbers_cost_a_few_cells() {
    let old = sample::drilling();
    let mut new = old.clone();
    let drill = new.drill.as_mut().unwrap();
    drill.counters[0].value = "62 of 62".into();
    drill.steps[2].detail = "162 of 200 acked".into();
    for size in [(80, 24), (120, 40), (200, 60)] {
        let theme = Theme::new(true, false);
        let before = buffer(size, &old, &view(), &theme);
        let after = buffer(size, &new, &view(), &theme);
        let cells = before.diff(&after).len();
        assert!((3..=6).contains(&cells), "{size:?}: {cells} cells");
    }
}

/// Whatever the size, an audience reads what was expected only once it is revealed.
#[test]
fn an_expectation_is_kept_until_it_is_revealed() {
    let expectation = "usual latency";
    for look in [DrillLook::Pane, DrillLook::Large] {
        for size in [(80, 24), (120, 40), (200, 60)] {
            let told = |pause| {
                let status = sample::presented(pause);
                let mut view = view();
                view.show_drill(&status, look);
                let text = screen(size, &status, &view);
                text.split_whitespace().collect::<Vec<_>>().join(" ").contains(expectation)
            };
            for pause in [None, Some(Pause::Predict), Some(Pause::Reveal)] {
                assert!(!told(pause), "{look:?} {size:?} {pause:?}");
            }
            if look == DrillLook::Large {
                // What comes next stays with the presenter while this step's is read.
                let mut status = sample::presented(Some(Pause::GoOn));
                let steps = &mut status.drill.as_mut().unwrap().steps;
                steps[3].expect = "a later expectation".into();
                let mut view = view();
                view.show_drill(&status, look);
                assert!(!screen(size, &status, &view).contains("a later"), "{size:?}");
            }
            if look == DrillLook::Pane {
                assert!(told(Some(Pause::GoOn)) || size.0 == 80, "{size:?}");
            }
        }
    }
}

#[test]
fn drills_have_keys() {
    let mut status = sample::idle(2);
    let mut view = view();
    let send = |line: &str, id| Effect::Send { id, line: line.into() };
    for (id, (key, line)) in (1..).zip([
        ("1", "drill run cut"),
        ("2", "drill run heal"),
        ("3", "drill run independent"),
        ("4", "drill run grow"),
    ]) {
        // They cut and produce: they ask.
        assert_eq!(press(&mut view, &status, &[key]), []);
        assert_eq!(press(&mut view, &status, &["y"]), [send(line, id)]);
    }
    assert_eq!(press(&mut view, &status, &["x"]), []);
    assert_eq!(view.toast.as_ref().unwrap().text, "no drill runs");
    assert_eq!(press(&mut view, &status, &["e"]), [send("report", 5)]);
    status = sample::drilling();
    assert_eq!(press(&mut view, &status, &["x", "y"]), [send("drill stop", 6)]);
    assert_eq!(press(&mut view, &status, &["space"]), [send("consumer pause a", 7)]);
    // A presenter's key never touches the region, whether the drill waits or not.
    for pause in [None, Some(Pause::Predict)] {
        status = sample::presented(pause);
        let id = view.next_id;
        assert_eq!(press(&mut view, &status, &["space"]), [send("drill next", id)]);
    }
    // With its verdict told and another drill to come it still waits for the presenter.
    status.drill.as_mut().unwrap().ended_at_ms = Some(NOW);
    let id = view.next_id;
    assert_eq!(press(&mut view, &status, &["space"]), [send("drill next", id)]);
    assert_eq!(press(&mut view, &status, &["x", "y"]), [send("drill stop", id + 1)]);
    // Pressed once more than there is to go on with, it closes the card.
    status.drill.as_mut().unwrap().waits_for = None;
    assert_eq!(press(&mut view, &status, &["space"]), []);
    assert_eq!(view.drill(&status), None);
    assert_eq!(press(&mut view, &status, &["space"]), [send("consumer pause a", id + 2)]);
}

/// The last step is revealed like the others, and its verdict stands until somebody goes on.
#[test]
fn a_presented_drill_ends_with_its_last_step_and_its_verdict() {
    let mut status = sample::presented(Some(Pause::GoOn));
    let drill = status.drill.as_mut().unwrap();
    drill.steps.truncate(3);
    let words = |status: &Status| {
        let text = screen((120, 40), status, &view());
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let shown = words(&status);
    assert!(shown.contains("SPACE goes on to the verdict"), "{shown}");
    status.drill.as_mut().unwrap().waits_for = None;
    let shown = words(&status);
    assert!(shown.contains("the streams are read, replica by replica"), "{shown}");
    assert!(shown.contains("WHAT HAPPENED") && !shown.contains("the step runs"), "{shown}");
    let mut over = sample::drilled(Verdict::Proved);
    let drill = over.drill.as_mut().unwrap();
    (drill.presented, drill.waits_for) = (true, Some(Pause::GoOn));
    drill.queue = vec!["heal".into()];
    let shown = words(&over);
    assert!(shown.contains("SPACE goes on to the drill heal"), "{shown}");
    over.drill.as_mut().unwrap().presented = false;
    let mut guest = view();
    guest.drives = false;
    let text = screen((120, 40), &over, &guest);
    assert!(text.contains("then: heal · the presenter goes on"), "{text}");
}

/// What is known stands before what later steps are to show, where not all has room.
#[test]
fn a_reveal_begins_with_what_is_known() {
    let mut status = sample::presented(Some(Pause::GoOn));
    let unknown = |n: usize| Counter { label: format!("later {n}"), value: "?".into(), good: None };
    let drill = status.drill.as_mut().unwrap();
    drill.counters = (0..12).map(unknown).collect();
    drill.counters.push(Counter {
        label: "received in a, b".into(),
        value: "50, 50".into(),
        good: None,
    });
    let text = screen((80, 24), &status, &view());
    assert!(text.contains("received in a, b"), "{text}");
}

#[test]
fn a_verdicts_reason_is_read_to_its_end() {
    let mut status = sample::drilled(Verdict::Proved);
    let drill = status.drill.as_mut().unwrap();
    drill.evidence =
        format!("{}(the limit is 500.0 ms)", "zone a processed 100 of 100; ".repeat(14));
    let claim: String = drill.claim.chars().take(40).collect();
    let text = screen((120, 40), &status, &view());
    assert!(text.contains("(the limit is 500.0 ms)") && text.contains(&claim), "{text}");
}

#[test]
fn a_silent_mirror_is_not_said_to_be_heard() {
    let mut status = sample::cut();
    let mirror = status.zones[1].mirror.as_mut().unwrap();
    mirror.state = MirrorState::Silent;
    mirror.heard_at_ms = Some(NOW - 1_200);
    let text = screen((120, 40), &status, &view());
    assert!(text.contains("silent") && text.contains("silence"), "{text}");
    assert!(!text.contains("heard"), "{text}");
}

#[test]
fn a_drill_is_shown_until_it_is_dismissed_or_replaced() {
    let mut view = view();
    let running = sample::drilling();
    let look = |view: &ViewState, status: &Status| view.drill(status).map(|(_, look)| look);
    assert_eq!(look(&view, &running), Some(DrillLook::Pane));
    // One that runs is hidden only on purpose.
    press(&mut view, &running, &["esc"]);
    assert_eq!(look(&view, &running), Some(DrillLook::Pane));
    press(&mut view, &running, &["d"]);
    assert_eq!(look(&view, &running), Some(DrillLook::Large));
    press(&mut view, &running, &["esc", "d", "d"]);
    assert_eq!(look(&view, &running), None);
    press(&mut view, &running, &["d"]);
    assert_eq!(look(&view, &running), Some(DrillLook::Pane));
    let mut over = sample::drilled(Verdict::Broken);
    press(&mut view, &over, &["esc"]);
    assert_eq!(look(&view, &over), None);
    over.drill.as_mut().unwrap().began_at_ms += 1;
    assert_eq!(look(&view, &over), Some(DrillLook::Pane));
}

#[test]
fn a_drills_numbers_wait_and_its_steps_do_not() {
    let mut view = view();
    let mut status = sample::drilling();
    let mut told = |new: &Status| {
        let message = Message::Status { status: Box::new(new.clone()) };
        update::message(&mut view, &mut status, message, NOW)
    };
    let mut new = sample::drilling();
    let drill = new.drill.as_mut().unwrap();
    drill.counters[0].value = "62 of 62".into();
    drill.evidence = "b got nothing new for 13 s".into();
    drill.steps[2].detail = "162 of 200 acked".into();
    new.conclusions[0].evidence = "b got nothing new for 13 s".into();
    assert!(!told(&new));
    new.drill.as_mut().unwrap().verdict = Verdict::Broken;
    assert!(told(&new));
    new.drill.as_mut().unwrap().waits_for = Some(Pause::Predict);
    assert!(told(&new));
    new.drill = None;
    assert!(told(&new));
    assert!(update::ages(
        &ViewState::new(Keymap::standard().unwrap(), TimeZone::UTC),
        &{
            let mut status = sample::idle(2);
            status.drill = sample::drilling().drill;
            status
        },
        NOW
    ));
}

#[test]
fn every_size_is_drawn() {
    let mut shown = vec![sample::drilling(), sample::sabotaged(), sample::drill_begun()];
    shown.push(sample::drilled(Verdict::Void));
    shown.extend([Pause::Predict, Pause::GoOn].map(|p| sample::presented(Some(p))));
    let mut many = sample::idle(10);
    many.drill = shown[0].drill.clone();
    shown.push(many);
    let large = |status: &Status| {
        let mut view = view();
        view.show_drill(status, DrillLook::Large);
        view
    };
    for status in &shown {
        for view in [view(), large(status)] {
            for width in (1..80).step_by(3).chain([80, 120, 200, 260]) {
                for height in (1..24).step_by(2).chain([24, 31, 40, 60, 90]) {
                    buffer((width, height), status, &view, &Theme::new(true, false));
                }
            }
        }
    }
}
