//! The region's word, its alarms, and the reasons of the verdicts.

use super::*;
use crate::region::{
    Status,
    input::Producing,
    observation::{Observation, ProcessState, ProcessTruth},
    reduce::FRESH_MS,
    remedy::Remedy,
    status::{MirrorState, Node, Phase},
};

#[test]
fn the_word_is_that_of_the_worst_alarm_and_ok_only_of_what_is_known() {
    let word = |status: &Status| Status::word(&status.alarms());
    assert_eq!(word(&sample::status("idle")), "OK");
    let cut = sample::status("cut");
    assert_eq!(word(&cut), "CUT b");
    assert_eq!(cut.alarms()[0].remedy, Some(Remedy::Heal("b".parse().unwrap())));

    assert_eq!(word(&counted("idle", 0, |ledger| ledger.lost = 1)), "LOSS");
    assert_eq!(word(&counted("idle", 1, |ledger| ledger.unexpected = 1)), "LOSS");
    assert_eq!(word(&counted("idle", 1, |ledger| ledger.unrecorded = 1)), "UNKNOWN");
    let idle = || sample::at("idle");
    let told = |input| word(&idle().then(input).status());
    let truth = ProcessTruth { state: ProcessState::Dead, pid: None };
    let leads = |node: &&Node| u8::from(node.leader) * 2 + u8::from(node.consumer_leader);
    let node = idle().status().zones[0].nodes.iter().min_by_key(leads).unwrap().name.clone();
    assert_eq!(told(Input::Observed(Observation::Process { node, truth })), "DEGRADED");
    let producing = Producing { trouble: Some("refused".into()), ..Producing::default() };
    assert_eq!(told(Input::Producing(producing)), "TROUBLE");
    assert_eq!(word(&sample::status("recovering")), "BEHIND b");
    let old = idle().later(FRESH_MS + 300).status();
    assert_eq!(word(&old), "UNKNOWN", "what was true some seconds ago");
    // OK claims that the mirror streams, that both are heard of, and that the ledger can tell. No
    // single input takes one of these away and leaves the others.
    let changed = |change: fn(&mut Status)| {
        let mut status = idle().status();
        change(&mut status);
        word(&status)
    };
    assert_eq!(changed(|status| status.zones[1].stream = None), "UNKNOWN");
    let silent = |status: &mut Status| {
        status.zones[1].mirror.as_mut().unwrap().state = MirrorState::Silent;
    };
    assert_eq!(changed(silent), "BEHIND b", "half a link that is up");
    assert_eq!(changed(|status| status.zones[0].consumer = None), "UNKNOWN");
    let both = counted("cut", 0, |ledger| ledger.duplicates = 2);
    let kinds: Vec<&str> = both.alarms().iter().map(|alarm| alarm.kind.as_str()).collect();
    assert_eq!(kinds, ["LOSS", "CUT"]);
    // While it is not up there is no word: its phase says more.
    assert_eq!(idle().then(Input::Phase(Phase::Starting)).status().alarms(), []);
}

#[test]
fn alarms_and_reasons_are_read_whole_with_what_to_do() {
    let status = sample::status("troubled");
    let mut view = view();
    press(&mut view, &status, &["!"]);
    let shown = screen((80, 24), &status, &view);
    for alarm in status.alarms().iter().take(2) {
        assert!(shown.contains(alarm.kind.as_str()), "{} in {shown}", alarm.kind);
    }
    let (below, remedy) = (1..)
        .zip(&status.alarms()[1..])
        .find_map(|(n, alarm)| Some((n, alarm.remedy.clone()?)))
        .unwrap();
    press(&mut view, &status, &vec!["down"; below]);
    let shown = screen((80, 24), &status, &view);
    assert!(shown.contains(&format!(" {} of ", below + 1)), "{shown}");
    assert!(!shown.contains(&format!(" {below} of ")), "{shown}");
    press(&mut view, &status, &["enter"]);
    let Some(Overlay::Palette(palette)) = &view.overlay else { panic!("{:?}", view.overlay) };
    assert_eq!(palette.edit.text(), remedy.to_string());
    press(&mut view, &status, &["esc", "w"]);
    let shown = screen((120, 40), &status, &view);
    for conclusion in &status.conclusions {
        let start: String = conclusion.evidence.chars().take(60).collect();
        assert!(shown.contains(&start), "{start} in {shown}");
    }
    assert!(status.alarms().iter().any(|alarm| matches!(alarm.remedy, Some(Remedy::StartNode(_)))));
}
