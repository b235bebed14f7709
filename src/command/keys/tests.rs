use super::*;

fn overlay(text: &str) -> Result<Keymap, KeymapError> {
    let mut map = Keymap::standard()?;
    map.overlay("keys.toml", text)?;
    Ok(map)
}

fn error(text: &str) -> String {
    overlay(text).unwrap_err().to_string()
}

#[test]
fn the_standard_bindings_are_sound() {
    let map = Keymap::standard().unwrap();
    let kill = map.get("K".parse().unwrap()).unwrap();
    assert!(kill.confirm);
    assert!(!map.get("f".parse().unwrap()).unwrap().confirm);
    assert_eq!(map.get("c".parse().unwrap()).unwrap().when, When::Mirror);
    assert!(map.bindings().iter().all(|b| !b.help.is_empty()));
}

#[test]
fn keys_round_trip() {
    for text in ["c", "C", "?", "-", "ctrl-c", "ctrl-alt-x", "space", "shift-tab", "f12", "alt--"] {
        assert_eq!(text.parse::<Key>().unwrap().to_string(), text);
    }
    for bad in ["", "ctl-c", "f13", "f0", "escape", "ctrl-", "  "] {
        assert!(bad.parse::<Key>().is_err(), "{bad}");
    }
}

#[test]
fn a_users_file_replaces_adds_and_removes() {
    let map = overlay(
        "[[bind]]\nkey = \"c\"\ndo = \"cut {zone} --for 30s\"\n[[bind]]\nkey = \"p\"\ndo = \"none\"\n[[bind]]\nkey = \"f5\"\ndo = \"zone remove c\"\n",
    )
    .unwrap();
    let cut = map.get(Key::char('c')).unwrap();
    assert_eq!(cut.action, Action::Line("cut {zone} --for 30s".into()));
    assert_eq!(cut.help, "cut {zone} --for 30s");
    assert!(map.get(Key::char('p')).is_none());
    assert!(map.get("f5".parse().unwrap()).unwrap().confirm);
}

#[test]
fn a_presented_drill_has_its_own_keys() {
    let map = Keymap::standard().unwrap();
    let space: Key = "space".parse().unwrap();
    let line = |b: &Binding| b.action.clone();
    assert_eq!(
        line(map.get(space).unwrap()),
        Action::Line("consumer {pause|resume} {zone}".into())
    );
    assert_eq!(line(map.get_presented(space).unwrap()), Action::Line("drill next".into()));
    assert_eq!(map.get_presented(Key::char('c')), map.get(Key::char('c')));
    assert_eq!(map.key_for("drill next"), Some(space));
    assert_eq!(map.key_for("drill list"), None);
    // Each of the two is replaced by its own.
    let text = "[[bind]]\nkey = \"space\"\nwhen = \"presented\"\ndo = \"none\"\n";
    let map = overlay(text).unwrap();
    assert_eq!(map.get_presented(space), map.get(space));
    assert!(map.get(space).is_some());
}

#[test]
fn a_replay_has_its_own_keys() {
    let map = Keymap::standard().unwrap();
    let space: Key = "space".parse().unwrap();
    let pause = Action::Line("wind {pause|on}".into());
    assert_eq!(map.get_replaying(space).unwrap().action, pause);
    assert_ne!(map.get(space).unwrap().action, pause);
    assert_ne!(map.get_presented(space).unwrap().action, pause);
    assert_eq!(map.get_replaying(Key::char('l')), map.get(Key::char('l')));
    for line in ["next", "back", "faster", "slower", "start", "end"] {
        let action = Action::Line(format!("wind {line}"));
        assert!(map.bindings().iter().any(|b| b.action == action), "{line}");
    }
    let winding = map.bindings().iter().filter(|b| b.action.winds());
    assert!(winding.clone().count() > 6);
    assert!(winding.clone().all(|b| b.when == When::Replay));
}

#[test]
fn mistakes_are_named_with_their_place() {
    let unknown_key = error("\n[[bind]]\nkey = \"ctl-x\"\ndo = \"doctor\"\n");
    assert!(unknown_key.starts_with("keys.toml:3: `ctl-x` is not a key"), "{unknown_key}");
    let unknown = error("[[bind]]\nkey = \"x\"\ndo = \"explode\"\n");
    assert!(unknown.starts_with("keys.toml:3: `explode` is not a command"), "{unknown}");
    let screen = error("[[bind]]\nkey = \"x\"\ndo = \"screen dance\"\n");
    assert!(screen.contains("cannot `dance`") && screen.contains("zoom"), "{screen}");
    let run_on = error("[[bind]]\nkey = \"x\"\ndo = \"screenhelp\"\n");
    assert!(run_on.contains("`screenhelp` is not a command"), "{run_on}");
    let run_on = error("[[bind]]\nkey = \"x\"\ndo = \"screen palettecut\"\n");
    assert!(run_on.contains("cannot `palettecut`"), "{run_on}");
    let placeholder = error("[[bind]]\nkey = \"x\"\ndo = \"cut {zoen}\"\n");
    assert!(placeholder.contains("{zone}"), "{placeholder}");
    let twice =
        error("[[bind]]\nkey = \"x\"\ndo = \"doctor\"\n[[bind]]\nkey = \"x\"\ndo = \"up\"\n");
    assert!(twice.starts_with("keys.toml:5: `x` is bound on line 2 already"), "{twice}");
    let field = error("[[bind]]\nkey = \"x\"\ndo = \"up\"\nconfrim = true\n");
    assert!(field.starts_with("keys.toml:4: ") && field.contains("confirm"), "{field}");
    assert!(error("[[bind]\n").starts_with("keys.toml:1: "));
}
