use super::*;

fn home(folder: &Path) -> Home {
    Home { region: "test".into(), folder: folder.join("test") }
}

#[test]
fn a_region_is_held_once_and_let_go() {
    let folder = tempfile::tempdir().unwrap();
    let home = home(folder.path());
    home.create().unwrap();
    let claim = home.claim().unwrap();
    let refused = home.claim().unwrap_err().to_string();
    assert!(refused.contains("zonedrill --region test attach"), "{refused}");
    assert!(refused.contains(&std::process::id().to_string()), "{refused}");
    drop(claim);
    // A child that another test is just starting may hold the file a moment longer.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);
    while let Err(error) = home.claim() {
        assert!(std::time::Instant::now() < deadline, "{error}");
        std::thread::yield_now();
    }
}

#[test]
fn looking_whether_a_folder_can_be_used_makes_none() {
    let folder = tempfile::tempdir().unwrap();
    let home = home(folder.path());
    assert_eq!(home.usable().unwrap(), folder.path());
    assert!(!home.folder.exists());
    home.create().unwrap();
    assert_eq!(home.usable().unwrap(), home.folder);
    fs::write(folder.path().join("file"), "").unwrap();
    let within = Home { region: "x".into(), folder: folder.path().join("file").join("x") };
    assert!(within.usable().unwrap_err().to_string().contains("cannot write in"));
}

#[test]
fn a_purge_leaves_no_folder_that_a_new_region_would_take_for_somebodys() {
    let folder = tempfile::tempdir().unwrap();
    let home = home(folder.path());
    home.create().unwrap();
    let claim = home.claim().unwrap();
    // Of a screen that was killed.
    fs::create_dir(home.folder.join("screens")).unwrap();
    fs::write(home.folder.join("screens").join("mira.1.json"), "").unwrap();
    home.purge().unwrap();
    drop(claim);
    home.remove().unwrap();
    assert!(!home.folder.exists());
}

#[test]
fn a_long_path_gets_a_short_socket() {
    let home = home(Path::new(&format!("/{}", "x".repeat(150))));
    assert!(home.socket().as_os_str().len() <= LONGEST_SOCKET_PATH);
}

#[test]
fn a_damaged_settings_file_is_named_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let home = home(folder.path());
    home.create().unwrap();
    fs::write(home.kept_file(), "[settings]\nregoin = 'x'\n").unwrap();
    let error = home.kept().unwrap_err().to_string();
    assert!(error.contains("region.toml") && error.contains("regoin"), "{error}");
}

#[test]
fn an_id_is_made_once_for_the_owners_eyes_and_taken_over_ones_are_kept() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let home = home(folder.path());
    assert_eq!(home.identity().unwrap().own(), None, "looking makes none");
    home.create().unwrap();
    let made = home.identify().unwrap();
    assert_eq!(home.identify().unwrap(), made);
    assert_eq!(home.identity().unwrap(), made);
    home.take_over("00c0ffee").unwrap();
    home.take_over("00c0ffee").unwrap();
    let both = home.identity().unwrap();
    assert_eq!((both.own(), both.ids.len()), (made.own(), 2));
    assert!(both.has("00c0ffee") && !both.has("unmarked"));
    let file = home.folder.join("region.id");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(home.is_ours());
    fs::write(&file, "me\n").unwrap();
    let refused = home.identity().unwrap_err().to_string();
    assert!(refused.contains("`me`") && refused.contains("region.id"), "{refused}");
    home.purge().unwrap();
    assert!(!file.exists());
}

#[test]
fn a_link_in_a_folders_place_is_refused_and_what_it_leads_to_keeps_its_mode() {
    use std::os::unix::fs::PermissionsExt;
    let base = tempfile::tempdir().unwrap();
    let (theirs, link) = (base.path().join("theirs"), base.path().join("zonedrill-0"));
    fs::create_dir(&theirs).unwrap();
    fs::set_permissions(&theirs, fs::Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::symlink(&theirs, &link).unwrap();
    let refused = private_folder(&link).unwrap_err();
    assert!(matches!(refused, HomeError::Link(_)), "{refused}");
    assert_eq!(fs::metadata(&theirs).unwrap().permissions().mode() & 0o777, 0o755);
    private_folder(&theirs).unwrap();
    assert_eq!(fs::metadata(&theirs).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_link_in_a_regions_place_is_neither_used_nor_emptied() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = folder.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::write(elsewhere.join("ledger.jsonl"), "theirs").unwrap();
    let home = home(folder.path());
    std::os::unix::fs::symlink(&elsewhere, &home.folder).unwrap();
    assert!(matches!(home.usable(), Err(HomeError::Link(_))));
    assert!(matches!(home.create(), Err(HomeError::Link(_))));
}

#[test]
fn a_folder_in_which_others_can_put_another_in_a_regions_place_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let home = home(folder.path());
    let with_mode = |mode| {
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
        home.create()
    };
    let refused = with_mode(0o777).unwrap_err().to_string();
    assert!(refused.contains("chmod go-w") && refused.contains("mode 777"), "{refused}");
    // As /tmp is, and as a group of one's own makes it.
    with_mode(0o1777).unwrap();
    with_mode(0o775).unwrap();
}
