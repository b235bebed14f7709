//! What has little room: shortened by design, or left out, and never cut so that it says another
//! thing. And what comes and goes without moving the rest.

use super::*;
use crate::region::{observation::Observation, reduce::SILENT_MS};
use crate::tui::{
    layout::{Plan, screen as whole},
    sample::Played,
};

/// A region whose leaders and numbers are as long as they get: no recording is.
fn long() -> Status {
    let mut status = sample::status("cut");
    for zone in &mut status.zones {
        for node in &mut zone.nodes {
            let first = node.name.number == 1;
            node.leader = first;
            node.consumer_leader = first;
            node.meta_leader = first;
        }
        if let Some(stream) = &mut zone.stream {
            (stream.first_seq, stream.last_seq) = (1_234_567, 23_456_789);
        }
        if let Some(mirror) = &mut zone.mirror {
            mirror.reported_lag = Some(12_345);
            mirror.source_pending = Some(1_234_567);
            mirror.told_at_ms = Some(status.at_ms - 75_000);
        }
        zone.ledger.lost = 1_234_567;
        zone.ledger.duplicates = 12_345;
    }
    status
}

#[test]
fn long_values() {
    sizes!("long", &long(), &view(), [80 x 24, 60 x 20, 40 x 14]);
}

#[test]
fn who_leads_is_told_in_the_narrowest_pane() {
    let mut view = view();
    for zone in ["a", "b"] {
        view.focus = Some(zone.parse().unwrap());
        for size in [(40, 10), (60, 20), (80, 24), (100, 30)] {
            let shown = screen(size, &long(), &view);
            let told = shown.matches("★CM").count();
            let panes = shown.matches(" zone a ·").count() + shown.matches(" zone b ·").count();
            assert_eq!(told, panes, "{size:?}\n{shown}");
        }
    }
}

#[test]
fn a_state_is_told_in_whole_words() {
    let node = "js3-zone-a".parse().unwrap();
    let silence = Input::Observed(Observation::Node { node, report: None });
    let status = sample::at("troubled").later(SILENT_MS).then(silence).status();
    for size in [(40, 10), (60, 20), (80, 24), (90, 24)] {
        let shown = screen(size, &status, &view());
        for word in ["dead", "frozen", "silent"] {
            assert!(shown.contains(word), "{word} at {size:?}\n{shown}");
        }
    }
}

#[test]
fn a_table_tells_a_nodes_age_whole() {
    let status = sample::at("troubled").later(4_052_000).status();
    let mut view = view();
    view.zoom = true;
    let shown = screen((120, 40), &status, &view);
    assert!(shown.contains("frozen 1 h 0"), "{shown}");
}

#[test]
fn a_zone_that_joins_moves_nothing() {
    let view = view();
    for size in [(80, 24), (100, 30), (120, 40), (132, 43), (200, 60)] {
        let plan = |played: &Played| Plan::new(whole(size), &played.status(), &view);
        let title = || "start zone c".to_owned();
        let before = sample::at("idle");
        let running = before.clone().then(Input::StepStarted { title: title() });
        let done = running.clone().then(Input::StepDone { title: title(), took_ms: 9 });
        assert_eq!(plan(&done), plan(&before), "{size:?}");
        let mut during = plan(&running);
        std::mem::swap(&mut during.steps, &mut during.graphs);
        assert_eq!(during, plan(&before), "{size:?}");
    }
}

#[test]
fn who_only_looks_is_offered_nothing_that_is_not_sent() {
    let mut view = view();
    view.drives = false;
    view.me = Some(2);
    let status = sample::status("present revealed");
    let foot = |status: &Status, view: &ViewState| {
        screen((160, 40), status, view).lines().last().unwrap_or_default().to_owned()
    };
    let told = foot(&status, &view);
    for word in ["x end drill", "space next", "s stop", "p burst", "c cut", "a add zone"] {
        assert!(!told.contains(word), "{told}");
    }
    assert!(told.contains("o control") && told.contains("v verify"), "{told}");
    let observing = attended("present revealed", |screens| screens[1].observes = true);
    assert!(!foot(&observing, &view).contains("control"));
    let recording = attended("present revealed", |screens| screens[1].records = true);
    assert!(!foot(&recording, &view).contains("help"));
    view.drives = true;
    view.me = Some(1);
    assert!(foot(&status, &view).contains("x end drill  space next"));
}

#[test]
fn questions_are_read_whole_on_the_smallest_screen() {
    let status = sample::status("idle");
    let mut view = view();
    press(&mut view, &status, &["q"]);
    let shown = screen((40, 12), &status, &view);
    for words in ["leave; the region runs on", "tear down, keep the data", "purge the data"] {
        assert!(shown.contains(words), "{shown}");
    }
    let line = "drill run independent --scale 1000 --pace 3s";
    view.overlay = Some(Overlay::Confirm { line: line.into() });
    let shown = screen((40, 12), &status, &view);
    assert!(shown.contains("1000") && shown.contains("3s`?"), "{shown}");
}

#[test]
fn keys_are_read_whole_on_a_narrow_screen() {
    let mut view = view();
    press(&mut view, &sample::status("idle"), &["?"]);
    sizes!("help", &sample::status("idle"), &view, [60 x 60, 40 x 10]);
    view.drives = false;
    let shown = screen((60, 20), &sample::status("idle"), &view);
    assert!(shown.contains("you are observing"), "{shown}");
}

#[test]
fn a_presented_drill_says_how_it_goes_on_in_one_line() {
    let shown = screen((40, 10), &sample::status("present revealed"), &view());
    assert!(shown.contains("SPACE goes on"), "{shown}");
}

#[test]
fn the_ledger_a_step_asks_to_watch_is_on_the_screen() {
    let shown = screen((120, 40), &sample::status("present predict"), &view());
    assert!(shown.contains(" ledger "), "{shown}");
    let shown = screen((120, 40), &sample::status("present revealed"), &view());
    for counter in sample::status("present revealed").drill.unwrap().counters {
        assert!(shown.contains(&counter.label), "{}\n{shown}", counter.label);
    }
}

#[test]
fn why_something_was_refused_is_read_to_its_end() {
    let status = sample::status("idle");
    let mut view = view();
    view.say(
        "no zone is called `q`: the zones are a, b; `zone add q` adds it, and it gets 12,345",
        Some(Outcome::Refused),
        status.at_ms,
    );
    for size in [(40, 10), (60, 20), (80, 24), (120, 40)] {
        let shown = screen(size, &status, &view);
        assert!(shown.contains("12,345\n"), "{size:?}\n{shown}");
        assert_eq!(shown.matches(" ▲ no zone is called").count(), 1, "{size:?}\n{shown}");
    }
}

#[test]
fn hints_are_whole_or_not_there() {
    let status = sample::status("idle");
    let mut view = view();
    press(&mut view, &status, &[":"]);
    let shown = screen((40, 10), &status, &view);
    assert!(shown.contains("   tab completes  enter gives\n"), "{shown}");
}

#[test]
fn a_deliberate_fault_is_told_in_whole_words() {
    let status = drilled("drill sabotaged", |drill| drill.presented = true);
    let shown = screen((60, 24), &status, &view());
    assert!(shown.contains("SABOTAGE lose: this must not end proved"), "{shown}");
}

#[test]
fn a_recovery_that_is_cut_short_says_so() {
    let mut status = sample::status("drill proved");
    // As long as it gets; how long it took there is another time with every recording.
    let recovery = status.zones[1].recovery.as_mut().unwrap();
    recovery.caught_up_after_ms = Some(12_550);
    let mut view = view();
    view.focus = Some("b".parse().unwrap());
    let mut cut = 0;
    for size in [60, 64, 72, 80, 92].into_iter().flat_map(|w| (10..40).map(move |h| (w, h))) {
        let shown = screen(size, &status, &view);
        let clock = shown.lines().find(|line| line.contains("link 0."));
        let Some(line) = clock.filter(|_| !shown.contains("12.5 s")) else { continue };
        assert!(line.contains('…'), "{size:?}\n{shown}");
        cut += 1;
    }
    assert!(cut > 0);
}
