//! A room that was late says so, and calls nobody silent that it did not listen to.

use super::*;
use crate::region::input::Input;

#[test]
fn a_room_that_was_late_calls_nobody_silent_until_it_has_listened() {
    let mut lab = Lab::new();
    let begun = lab.now;
    lab.state.apply(begun, Input::Tick);
    let silence = Input::Observed(Observation::Node { node: node("js2-zone-b"), report: None });
    lab.now += 6_000;
    let said = lab.state.apply(lab.now, silence.clone());
    assert!(said[0].to_string().contains("the room was late"), "{said:?}");
    lab.state.apply(lab.now, Input::Tick);
    let late = lab.state.peek().late.unwrap();
    assert_eq!((late.at_ms, late.for_ms), (lab.now, 6_000));
    assert_eq!(lab.node_state("js2-zone-b"), NodeState::Up);
    // It has listened for long enough now, and is told once more.
    lab.now += SILENT_MS;
    lab.state.apply(lab.now, silence);
    assert_eq!(lab.node_state("js2-zone-b"), NodeState::Silent);
    assert_eq!(lab.state.peek().late, Some(late));
}

#[test]
fn a_second_that_came_a_little_late_is_none() {
    let mut lab = Lab::new();
    lab.state.apply(lab.now, Input::Tick);
    let before = lab.state.peek().late;
    lab.now += super::super::late::LATE_MS;
    lab.state.apply(lab.now, Input::Tick);
    assert_eq!(lab.state.peek().late, before);
}
