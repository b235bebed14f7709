//! Bundles that were tampered with: what was altered is named, and nothing is proved by it.

use super::*;

#[test]
fn a_file_more_or_less_is_noticed() {
    crate::support::turns::watched();
    let case = Case::new(Kind::default());
    case.put("note.txt", "mine");
    assert_eq!(altered(&case.verify()), ["note.txt"]);
    fs::remove_file(case.folder().join("note.txt")).unwrap();
    for file in
        ["events.jsonl", "ledger.jsonl", "report.json", "runs/1-own/drill.jsonl", "junit.xml"]
    {
        let text = case.text(file);
        fs::remove_file(case.folder().join(file)).unwrap();
        let verification = case.verify();
        assert_eq!((altered(&verification), verification.exit_code()), (vec![file], 1));
        // Behind a link lies whatever its maker wants, at whatever moment.
        let elsewhere = case.home.path().join("elsewhere");
        fs::write(&elsewhere, &text).unwrap();
        std::os::unix::fs::symlink(&elsewhere, case.folder().join(file)).unwrap();
        assert_eq!(altered(&case.verify()), [file]);
        fs::remove_file(case.folder().join(file)).unwrap();
        case.put(file, &text);
    }
    assert_eq!(case.verify().exit_code(), 0);
}

#[test]
fn a_folder_behind_a_link_is_noticed() {
    crate::support::turns::watched();
    let case = Case::new(Kind::default());
    fs::rename(case.folder().join("runs"), case.home.path().join("elsewhere")).unwrap();
    std::os::unix::fs::symlink(case.home.path().join("elsewhere"), case.folder().join("runs"))
        .unwrap();
    assert!(altered(&case.verify()).contains(&"runs"));
}

#[test]
fn altered_evidence_gives_no_verdict() {
    crate::support::turns::watched();
    let case = Case::new(Kind { loses: true, ..Kind::default() });
    case.put("runs/1-own/js1-zone-b.stream", "1..200\n");
    let verification = case.verify();
    assert_eq!((verification.verdict, verification.exit_code()), (None, 1));
}

#[test]
fn a_forged_verdict_is_computed_anew() {
    crate::support::turns::watched();
    let case = Case::new(Kind { loses: true, ..Kind::default() });
    case.put("report.json", &case.text("report.json").replace("broken", "proved"));
    case.forge();
    let verification = case.verify();
    assert_eq!(verification.verdict, Some(Verdict::Broken));
    let told = verification.to_string();
    assert!(told.contains("says proved of own; computed anew it is broken"), "{told}");
    assert_eq!(verification.exit_code(), 1);
}

/// What another version wrote was not compared: that is not untouched.
#[test]
fn another_versions_reports_are_not_called_untouched() {
    crate::support::turns::watched();
    let case = Case::new(Kind::default());
    case.put("report.html", "<p>anything</p>");
    case.forge();
    let (mut manifest, _) = Manifest::read(&case.folder()).unwrap();
    manifest.version = "0.0.9".into();
    manifest.digest = manifest.own_digest();
    case.put("manifest.json", &manifest.text());
    let verification = case.verify();
    assert_eq!((verification.altered.len(), verification.exit_code()), (0, 2), "{verification}");
    let said = verification.to_string();
    assert!(said.contains("not wholly compared") && !said.contains("untouched"), "{said}");
    // The record names the version as well.
    assert!(said.contains("its record is of version"), "{said}");
}

/// A conclusion is this version's: of a script that it does not have it says so.
#[test]
fn an_unknown_script_of_a_conclusion_is_never_exit_0() {
    crate::support::turns::watched();
    let case = Case::new(Kind::default());
    let heal = zonedrill::drill::library::builtin().remove(1).text;
    let place = "runs/1-own/drill.jsonl";
    let record = case.text(place);
    let mut begin: serde_json::Value =
        serde_json::from_str(record.lines().next().unwrap()).unwrap();
    begin["script"] = heal.replace("within = \"30s\"", "within = \"31s\"").into();
    let rest = record.split_once('\n').unwrap().1;
    case.put(place, &format!("{begin}\n{rest}"));
    case.forge();
    let said = case.verify();
    assert!(
        said.exit_code() != 0 && said.to_string().contains("not one that this version has"),
        "{said}"
    );
}

#[test]
fn a_forged_page_is_written_anew() {
    crate::support::turns::watched();
    for file in ["report.html", "report.md", "junit.xml", "report.json"] {
        let case = Case::new(Kind { loses: true, ..Kind::default() });
        case.put(file, &case.text(file).replace("lacks", "holds"));
        case.forge();
        let verification = case.verify();
        assert_eq!((altered(&verification), verification.exit_code()), (vec![file], 1));
    }
}

#[test]
fn damaged_evidence_under_a_forged_manifest_is_refused_by_name() {
    crate::support::turns::watched();
    for (file, spoil) in [
        ("runs/1-own/drill.jsonl", "{\"k\":\"end\",\"at\":1}\n"),
        ("runs/1-own/drill.jsonl", ""),
        ("runs/1-own/drill.jsonl", "not json\n"),
        ("ledger.jsonl", ""),
        (
            "ledger.jsonl",
            "{\"k\":\"run\",\"run\":\"k3f9q2\",\"region\":\"x\",\"at\":1}\n{\"k\":\"ac",
        ),
        ("ledger.jsonl", "{\"k\":\"run\",\"run\":\"another\",\"region\":\"x\",\"at\":1}\n"),
        ("ledger.jsonl", "{\"k\":\"run\",\"run\":\"other1\",\"region\":\"x\",\"at\":1}\n"),
    ] {
        let case = Case::new(Kind::default());
        case.put(file, spoil);
        case.forge();
        let verification = case.verify();
        assert_eq!((verification.verdict, verification.exit_code()), (None, 1), "{file} {spoil}");
        assert!(verification.altered[0].what.contains("cannot be used"), "{verification}");
    }
}

#[test]
fn a_truncated_record_proves_nothing() {
    crate::support::turns::watched();
    let case = Case::new(Kind::default());
    let record = case.text("runs/1-own/drill.jsonl");
    let lines: Vec<&str> = record.lines().collect();
    case.put("runs/1-own/drill.jsonl", &(lines[..lines.len() - 1].join("\n") + "\n"));
    case.forge();
    let verification = case.verify();
    assert_eq!(verification.verdict, Some(Verdict::Void));
    assert!(verification.to_string().contains("says proved of own"), "{verification}");
}

#[test]
fn a_stream_file_outside_the_bundle_is_not_read() {
    crate::support::turns::watched();
    let case = Case::new(Kind::default());
    for name in ["../../../secret", "/etc/passwd", "other.stream"] {
        let record = case.text("runs/1-own/drill.jsonl");
        let line = record.lines().find(|line| line.contains("\"file\"")).unwrap();
        let mut value: serde_json::Value = serde_json::from_str(line).unwrap();
        value["file"] = name.into();
        case.put("runs/1-own/drill.jsonl", &record.replace(line, &value.to_string()));
        case.forge();
        let verification = case.verify();
        assert_eq!((verification.verdict, verification.exit_code()), (None, 1), "{name}");
        assert!(verification.to_string().contains("names the stream file"), "{verification}");
    }
}

#[test]
fn a_manifest_that_leads_out_is_refused() {
    crate::support::turns::watched();
    for bad in ["../secret", "/etc/passwd", "a/../../b"] {
        let case = Case::new(Kind::default());
        case.put("manifest.json", &case.text("manifest.json").replace("events.jsonl", bad));
        let error = bundle::verify_with(&case.folder(), &law).unwrap_err();
        assert!(matches!(error, BundleError::NotABundle { .. }));
        assert!(
            error.to_string().contains(bad) && error.to_string().contains("leads out"),
            "{error}"
        );
    }
}
