//! The region's word, its alarms, and the reasons of the verdicts.

use super::*;
use crate::region::{
    Status,
    reduce::FRESH_MS,
    remedy::Remedy,
    status::{MirrorState, NodeState, Phase},
};

#[test]
fn the_word_is_that_of_the_worst_alarm_and_ok_only_of_what_is_known() {
    let well = || sample::idle(2);
    let word = |status: &Status| Status::word(&status.alarms());
    assert_eq!(word(&well()), "OK");
    let cut = sample::cut();
    assert_eq!(word(&cut), "CUT b");
    assert_eq!(cut.alarms()[0].remedy, Some(Remedy::Heal("b".parse().unwrap())));

    let changed = |change: fn(&mut Status)| {
        let mut status = well();
        change(&mut status);
        word(&status)
    };
    let old = |status: &mut Status| status.at_ms += FRESH_MS + 300;
    let stalled = |status: &mut Status| {
        status.zones[1].mirror.as_mut().unwrap().state = MirrorState::Stalled;
    };
    assert_eq!(changed(|status| status.zones[0].ledger.lost = 1), "LOSS");
    assert_eq!(changed(|status| status.zones[1].ledger.unexpected = 1), "LOSS");
    assert_eq!(changed(|status| status.zones[0].nodes[1].state = NodeState::Dead), "DEGRADED");
    assert_eq!(changed(stalled), "BEHIND b");
    assert_eq!(changed(|status| status.zones[1].stream = None), "UNKNOWN");
    assert_eq!(changed(old), "UNKNOWN", "what was true some seconds ago");
    assert_eq!(changed(|status| status.producer.trouble = Some("refused".into())), "TROUBLE");
    // OK claims that the mirror streams, that both are heard of, and that the ledger can tell.
    let silent = |status: &mut Status| {
        status.zones[1].mirror.as_mut().unwrap().state = MirrorState::Silent;
    };
    assert_eq!(changed(silent), "BEHIND b", "half a link that is up");
    assert_eq!(changed(|status| status.zones[0].consumer = None), "UNKNOWN");
    assert_eq!(changed(|status| status.zones[1].ledger.unrecorded = 1), "UNKNOWN");
    let mut both = cut;
    both.zones[0].ledger.duplicates = 2;
    let kinds: Vec<&str> = both.alarms().iter().map(|alarm| alarm.kind.as_str()).collect();
    assert_eq!(kinds, ["LOSS", "CUT"]);
    // While it is not up there is no word: its phase says more.
    both.phase = Phase::Starting;
    assert_eq!(both.alarms(), []);
}

#[test]
fn alarms_and_reasons_are_read_whole_with_what_to_do() {
    let status = sample::troubled();
    let mut view = view();
    press(&mut view, &status, &["!"]);
    let shown = screen((80, 24), &status, &view);
    for alarm in status.alarms().iter().take(2) {
        assert!(shown.contains(alarm.kind.as_str()), "{} in {shown}", alarm.kind);
    }
    let (first, second) = (&status.alarms()[0], &status.alarms()[1]);
    press(&mut view, &status, &["down"]);
    let shown = screen((80, 24), &status, &view);
    assert!(shown.contains("2 of ") && !shown.contains("1 of "), "{shown}");
    assert!(!shown.contains(&first.cause[..20.min(first.cause.len())]), "{shown}");
    press(&mut view, &status, &["enter"]);
    let Some(Overlay::Palette(palette)) = &view.overlay else { panic!("{:?}", view.overlay) };
    assert_eq!(palette.edit.text(), second.remedy.as_ref().unwrap().to_string());
    press(&mut view, &status, &["esc", "w"]);
    let shown = screen((120, 40), &status, &view);
    for conclusion in &status.conclusions {
        let start: String = conclusion.evidence.chars().take(60).collect();
        assert!(shown.contains(&start), "{start} in {shown}");
    }
    assert!(
        sample::troubled()
            .alarms()
            .iter()
            .any(|alarm| matches!(alarm.remedy, Some(Remedy::StartNode(_))))
    );
}
