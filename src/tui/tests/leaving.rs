//! Leaving a screen, and what becomes of the region then.

use super::*;

fn leaves(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::Leave(_)))
}

#[test]
fn leaving_asks_and_keeps_the_region_by_default() {
    let status = sample::status("idle");
    let leave = |keys: &[&str]| press(&mut view(), &status, keys);
    assert_eq!(leave(&["q"]), []);
    assert_eq!(leave(&["q", "esc"]), []);
    assert_eq!(leave(&["q", "enter"]), [Effect::Leave(Leave::Detach)]);
    assert_eq!(leave(&["ctrl-c", "ctrl-c"]), [Effect::Leave(Leave::Detach)]);
    assert_eq!(leave(&["q", "t", "y"]), [Effect::Leave(Leave::TearDown { purge: false })]);
    assert_eq!(leave(&["q", "p", "y"]), [Effect::Leave(Leave::TearDown { purge: true })]);
    // What is typed for a shell destroys nothing: `ps`, `tail`, and an enter.
    assert!(!leaves(&leave(&["q", "p", "s", "enter"])));
    assert!(!leaves(&leave(&["q", "t", "a", "i", "l", "enter"])));
    assert_eq!(leave(&["q", "p", "enter"]), []);
    // Out of anything else as well.
    assert_eq!(leave(&[":", "x", "ctrl-c", "ctrl-c"]), [Effect::Leave(Leave::Detach)]);
}

/// Who lost control while the question stood does not answer it any more.
#[test]
fn only_who_drives_tears_down() {
    let status = sample::status("idle");
    let mut view = view();
    assert_eq!(press(&mut view, &status, &["q", "p"]), []);
    view.drives = false;
    assert_eq!(press(&mut view, &status, &["y"]), []);
    assert_eq!(view.overlay, None);
}
