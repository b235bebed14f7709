//! A drill on the screen: while it runs, when it is presented, and what it came to.

use super::*;

#[test]
fn drill_running() {
    let (status, view) = seen("drill running");
    sizes!("drill_running", &status, &view, [80 x 24, 120 x 40, 200 x 60, 40 x 10, 200 x 24]);
}

#[test]
fn drill_begun() {
    let (status, view) = seen("drill begun");
    sizes!("drill_begun", &status, &view, [80 x 24, 120 x 40]);
}

#[test]
fn drill_large() {
    let (status, mut view) = seen("drill running");
    press(&mut view, &status, &["d"]);
    sizes!("drill_large", &status, &view, [80 x 24, 120 x 40, 200 x 60]);
}

#[test]
fn drill_verdicts() {
    let (status, view) = seen("drill proved");
    sizes!("drill_proved", &status, &view, [80 x 24, 120 x 40, 200 x 60]);
    let (status, view) = seen("drill broken");
    sizes!("drill_broken", &status, &view, [80 x 24, 120 x 40, 200 x 60]);
    let (status, view) = seen("drill void");
    sizes!("drill_void", &status, &view, [80 x 24, 120 x 40, 200 x 60]);
}

#[test]
fn drill_sabotaged() {
    let (status, view) = on_b("drill sabotaged");
    sizes!("drill_sabotaged", &status, &view, [80 x 24, 120 x 40, 200 x 60]);
    let (status, view) = on_b("drill caught");
    sizes!("drill_caught", &status, &view, [80 x 24, 120 x 40, 200 x 60]);
}

#[test]
fn drill_among_many_zones() {
    let among = |moment| {
        let drill = sample::status(moment).drill.unwrap();
        sample::at("ten cut").then(Input::Drill(Box::new(drill))).status()
    };
    let (_, view) = seen("ten cut");
    sizes!("drill_ten_zones", &among("drill running"), &view, [80 x 24, 120 x 40]);
    sizes!("present_ten_zones", &among("present predict"), &view, [80 x 24, 120 x 40]);
}

#[test]
fn presenting() {
    let (status, view) = seen("present predict");
    sizes!("present_predict", &status, &view, [80 x 24, 120 x 40, 200 x 60]);
    let (status, view) = seen("present running");
    sizes!("present_running", &status, &view, [80 x 24, 120 x 40]);
    let (status, view) = seen("present reveal");
    sizes!("present_reveal", &status, &view, [80 x 24, 120 x 40]);
    let (status, view) = seen("present revealed");
    sizes!("present_revealed", &status, &view, [80 x 24, 120 x 40, 200 x 60, 40 x 10]);
    let (status, view) = seen("present over");
    sizes!("present_over", &status, &view, [80 x 24, 120 x 40]);
}

#[test]
fn drill_in_plain_signs() {
    let theme = Theme::new(Colours::Mono, true);
    let (status, view) = seen("drill running");
    insta::assert_snapshot!("drill_ascii_120x40", text(&buffer((120, 40), &status, &view, &theme)));
    let (status, view) = seen("present revealed");
    insta::assert_snapshot!(
        "present_ascii_120x40",
        text(&buffer((120, 40), &status, &view, &theme))
    );
}

/// A number that moves on redraws itself, and shifts nothing beside it.
#[test]
fn a_drills_numbers_cost_a_few_cells() {
    let moved = |by: u64| {
        drilled("drill running", |drill| {
            drill.counters[0].value = format!("{} of {}", 61 + by, 61 + by);
            drill.steps[3].detail = format!("{} of 200 acked", 161 + by);
        })
    };
    let (old, new) = (moved(0), moved(1));
    for size in [(80, 24), (120, 40), (200, 60)] {
        let theme = Theme::new(Colours::Default, false);
        let before = buffer(size, &old, &view(), &theme);
        let after = buffer(size, &new, &view(), &theme);
        let cells = before.diff(&after).len();
        assert!((3..=6).contains(&cells), "{size:?}: {cells} cells");
    }
}

/// Whatever the size, an audience reads what was expected only once it is revealed.
#[test]
fn an_expectation_is_kept_until_it_is_revealed() {
    let expectation = "as fast as before";
    for look in [DrillLook::Pane, DrillLook::Large] {
        for size in [(80, 24), (120, 40), (200, 60)] {
            let told = |moment| {
                let status = sample::status(moment);
                let mut view = view();
                view.show_drill(&status, look);
                let text = screen(size, &status, &view);
                text.split_whitespace().collect::<Vec<_>>().join(" ").contains(expectation)
            };
            for moment in ["present running", "present predict", "present reveal"] {
                assert!(!told(moment), "{look:?} {size:?} {moment}");
            }
            if look == DrillLook::Large {
                // What comes next stays with the presenter while this step's is read.
                let status = drilled("present revealed", |drill| {
                    drill.steps[4].expect = "a later expectation".into();
                });
                let mut view = view();
                view.show_drill(&status, look);
                assert!(!screen(size, &status, &view).contains("a later"), "{size:?}");
            }
            if look == DrillLook::Pane {
                assert!(told("present revealed") || size.0 == 80, "{size:?}");
            }
        }
    }
}

#[test]
fn drills_have_keys() {
    let mut status = sample::status("idle");
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
    status = sample::status("drill running");
    assert_eq!(press(&mut view, &status, &["x", "y"]), [send("drill stop", 6)]);
    assert_eq!(press(&mut view, &status, &["space"]), [send("consumer pause a", 7)]);
    // A presenter's key never touches the region, whether the drill waits or not.
    for moment in ["present running", "present predict"] {
        status = sample::status(moment);
        let id = view.next_id;
        assert_eq!(press(&mut view, &status, &["space"]), [send("drill next", id)]);
    }
    // With its verdict told and another drill to come it still waits for the presenter.
    status = sample::status("present over");
    let id = view.next_id;
    assert_eq!(press(&mut view, &status, &["space"]), [send("drill next", id)]);
    assert_eq!(press(&mut view, &status, &["x", "y"]), [send("drill stop", id + 1)]);
    // Pressed once more than there is to go on with, it closes the card.
    status = drilled("present over", |drill| drill.waits_for = None);
    assert_eq!(press(&mut view, &status, &["space"]), []);
    assert_eq!(view.drill(&status), None);
    assert_eq!(press(&mut view, &status, &["space"]), [send("consumer pause a", id + 2)]);
}

/// The last step is revealed like the others, and its verdict stands until somebody goes on.
#[test]
fn a_presented_drill_ends_with_its_last_step_and_its_verdict() {
    let last = |pause| {
        drilled("present revealed", |drill| {
            drill.steps.truncate(4);
            drill.waits_for = pause;
        })
    };
    let words = |status: &Status| {
        let text = screen((120, 40), status, &view());
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let shown = words(&last(Some(Pause::GoOn)));
    assert!(shown.contains("SPACE goes on to the verdict"), "{shown}");
    let shown = words(&last(None));
    assert!(shown.contains("the streams are read, replica by replica"), "{shown}");
    assert!(shown.contains("WHAT HAPPENED") && !shown.contains("the step runs"), "{shown}");
    let shown = words(&sample::status("present over"));
    assert!(shown.contains("SPACE goes on to the drill heal"), "{shown}");
    let over = drilled("present over", |drill| drill.presented = false);
    let mut guest = view();
    guest.drives = false;
    let text = screen((120, 40), &over, &guest);
    assert!(text.contains("then: heal · the presenter goes on"), "{text}");
}

/// What is known stands before what later steps are to show, where not all has room.
#[test]
fn a_reveal_begins_with_what_is_known() {
    let unknown = |n: usize| Counter { label: format!("later {n}"), value: "?".into(), good: None };
    let (label, value) = ("received in a, b".into(), "50, 50".into());
    let status = drilled("present revealed", |drill| {
        drill.counters = (0..12).map(unknown).collect();
        drill.counters.push(Counter { label, value, good: None });
    });
    let text = screen((80, 24), &status, &view());
    assert!(text.contains("received in a, b"), "{text}");
}

#[test]
fn a_verdicts_reason_is_read_to_its_end() {
    let status = drilled("drill proved", |drill| {
        drill.evidence =
            format!("{}(the limit is 500.0 ms)", "zone a processed 100 of 100; ".repeat(14));
    });
    let claim: String = status.drill.as_ref().unwrap().claim.chars().take(40).collect();
    let text = screen((120, 40), &status, &view());
    assert!(text.contains("(the limit is 500.0 ms)") && text.contains(&claim), "{text}");
}

#[test]
fn a_silent_mirror_is_not_said_to_be_heard() {
    let status = sample::status("cut");
    let text = screen((120, 40), &status, &view());
    assert!(text.contains("silent") && text.contains("silence"), "{text}");
    assert!(!text.contains("heard"), "{text}");
}

#[test]
fn a_drill_is_shown_until_it_is_dismissed_or_replaced() {
    let mut view = view();
    let running = sample::status("drill running");
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
    let over = sample::status("drill broken");
    press(&mut view, &over, &["esc"]);
    assert_eq!(look(&view, &over), None);
    let over = drilled("drill broken", |drill| drill.began_at_ms += 1);
    assert_eq!(look(&view, &over), Some(DrillLook::Pane));
}

#[test]
fn a_drills_numbers_wait_and_its_steps_do_not() {
    let mut view = view();
    let mut status = sample::status("drill running");
    let mut told = |new: Status| {
        let now = new.at_ms;
        update::message(&mut view, &mut status, Message::Status { status: Box::new(new) }, now)
    };
    let numbers = |drill: &mut Drill| {
        drill.counters[0].value = "62 of 62".into();
        drill.evidence = "b got nothing new for 13 s".into();
        drill.steps[3].detail = "162 of 200 acked".into();
    };
    assert!(!told(drilled("drill running", numbers)));
    assert!(told(drilled("drill running", |drill| drill.verdict = Verdict::Broken)));
    assert!(told(drilled("drill running", |drill| drill.waits_for = Some(Pause::Predict))));
    assert!(told(sample::status("timed cut")), "no drill");
    let begun = sample::status("drill begun");
    assert!(update::ages(
        &ViewState::new(Keymap::standard().unwrap(), TimeZone::UTC),
        &begun,
        begun.at_ms
    ));
}

#[test]
fn every_size_is_drawn() {
    let drill = sample::status("drill running").drill.unwrap();
    let mut shown = vec![sample::at("ten").then(Input::Drill(Box::new(drill))).status()];
    let moments = ["drill running", "drill sabotaged", "drill begun", "drill void"];
    shown.extend(moments.map(sample::status));
    shown.extend(["present predict", "present revealed"].map(sample::status));
    let large = |status: &Status| {
        let mut view = view();
        view.show_drill(status, DrillLook::Large);
        view
    };
    for status in &shown {
        for view in [view(), large(status)] {
            for width in (1..80).step_by(3).chain([80, 120, 200, 260]) {
                for height in (1..24).step_by(2).chain([24, 31, 40, 60, 90]) {
                    buffer((width, height), status, &view, &Theme::new(Colours::Default, false));
                }
            }
        }
    }
}

/// Who is given a recording does not learn where things lie on the machine that made it.
#[test]
fn a_recording_shows_no_path() {
    let look = |status: &Status, view: &ViewState| screen((120, 40), status, view);
    let path = "/home/mira/.local/state/zonedrill/demo/reports/";
    let (status, mut view) = seen("drill proved");
    assert!(look(&status, &view).contains(path));
    view.recording = true;
    let recorded = look(&status, &view);
    assert!(!recorded.contains("/home/"), "{recorded}");
    assert!(recorded.contains("evidence: 20261129-"), "{recorded}");
    // Somebody else's recorder sees the same room.
    view.recording = false;
    let status = attended("drill proved", |screens| screens[0].records = true);
    assert!(!look(&status, &view).contains("/home/"));
}
