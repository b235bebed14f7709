//! Evidence bundles: written, read back, tampered with.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::bundle::{Kind, law, parts};
use proptest::prelude::*;
use zonedrill::{
    drill::bundle::{self, BundleError, Verification, manifest::Manifest},
    region::status::Verdict,
};

mod tampered;

struct Case {
    home: tempfile::TempDir,
}

impl Case {
    fn new(kind: Kind) -> Self {
        let case = Self { home: tempfile::tempdir().unwrap() };
        bundle::write_with(&case.folder(), &parts(case.home.path(), kind), &law).unwrap();
        case
    }

    fn folder(&self) -> PathBuf {
        self.home.path().join("bundle")
    }

    fn text(&self, file: &str) -> String {
        fs::read_to_string(self.folder().join(file)).unwrap()
    }

    fn put(&self, file: &str, text: &str) {
        fs::write(self.folder().join(file), text).unwrap();
    }

    fn verify(&self) -> Verification {
        bundle::verify_with(&self.folder(), &law).unwrap()
    }

    /// What somebody would do who alters files and knows how the manifest is made.
    fn forge(&self) {
        let (old, _) = Manifest::read(&self.folder()).unwrap();
        let mut files = old.files;
        for (name, digest) in &mut files {
            (digest.bytes, digest.sha256) =
                bundle::files::digest(&self.folder().join(name)).unwrap();
        }
        self.put("manifest.json", &Manifest::new(old.written_ms, old.runs, files).text());
    }
}

fn altered(verification: &Verification) -> Vec<&str> {
    verification.altered.iter().map(|a| a.file.as_str()).collect()
}

/// A proof that does not speak of a replica which was not read is one, and is not all there was.
#[test]
fn a_proof_with_a_replica_unread_is_not_wholly_compared() {
    crate::support::turns::watched();
    let case = Case::new(Kind { unread: true, ..Kind::default() });
    let verification = case.verify();
    assert_eq!((verification.verdict, verification.exit_code()), (Some(Verdict::Proved), 2));
    let why = ["runs/1-own: the replica of js2-zone-b was not read: no answer in 5 s"];
    assert_eq!(verification.uncompared, why);
    assert!(case.text("report.html").contains("not read:</strong> no answer in 5 s"));
    // Somebody strikes the line out.
    let record = case.text("runs/1-own/drill.jsonl");
    let lines: String = record
        .lines()
        .filter(|line| !line.contains("\"unread\""))
        .map(|line| line.to_owned() + "\n")
        .collect();
    case.put("runs/1-own/drill.jsonl", &lines);
    case.forge();
    let verification = case.verify();
    assert_ne!(verification.exit_code(), 0);
    let why = "runs/1-own: there is nothing of the replica of js2-zone-b";
    assert!(verification.uncompared.iter().any(|one| one == why), "{verification}");
}

const KINDS: [(&str, Kind, Verdict, u8); 5] = {
    const PLAIN: Kind =
        Kind { loses: false, empty: false, sabotaged: false, interrupted: false, unread: false };
    [
        ("proved", PLAIN, Verdict::Proved, 0),
        ("broken", Kind { loses: true, ..PLAIN }, Verdict::Broken, 1),
        ("void", Kind { empty: true, ..PLAIN }, Verdict::Void, 2),
        ("sabotaged", Kind { sabotaged: true, ..PLAIN }, Verdict::Broken, 1),
        ("interrupted", Kind { interrupted: true, ..PLAIN }, Verdict::Void, 2),
    ]
};

#[test]
fn what_is_written_is_verified() {
    crate::support::turns::watched();
    for (name, kind, verdict, code) in KINDS {
        let case = Case::new(kind);
        let verification = case.verify();
        assert_eq!(verification.altered, [], "{name}");
        assert_eq!(
            (verification.verdict, verification.exit_code()),
            (Some(verdict), code),
            "{name}"
        );
    }
}

#[test]
fn the_reports_are_as_reviewed() {
    crate::support::turns::watched();
    for (name, kind, ..) in KINDS {
        let case = Case::new(kind);
        for file in ["report.md", "report.html", "report.json", "junit.xml"] {
            // The long ones once; of the others what the eye checks first.
            if file == "report.md" || file == "junit.xml" || name == "proved" {
                insta::assert_snapshot!(format!("{name}_{file}"), case.text(file));
            }
        }
    }
}

#[test]
fn the_houses_laws_prove_nothing_by_streams_they_cannot_read() {
    crate::support::turns::watched();
    let home = tempfile::tempdir().unwrap();
    let parts = parts(home.path(), Kind::default());
    // The hand-made stream files are in no format of the house.
    let error = bundle::write(&home.path().join("bundle"), &parts).unwrap_err();
    assert!(error.to_string().contains("js1-zone-a.stream"), "{error}");
    let case = Case::new(Kind::default());
    let verification = bundle::verify(&case.folder()).unwrap();
    assert_eq!((verification.verdict, verification.exit_code()), (None, 1));
}

#[test]
fn passwords_stay_at_home() {
    crate::support::turns::watched();
    let case = Case::new(Kind::default());
    assert_eq!(case.text("servers/js1-zone-a.conf"), "{user: \"admin\", password: \"***\"}\n");
    assert!(!case.text("report.html").contains("hush"));
}

#[test]
fn the_page_needs_nothing_from_elsewhere() {
    crate::support::turns::watched();
    for (_, kind, ..) in KINDS {
        let page = Case::new(kind).text("report.html");
        for outside in ["http:", "https:", "src=", "url(", "@import", "<link", "<script", "<iframe"]
        {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(page.contains("Cut &lt;b&gt;") && !page.contains("Cut <b>"), "escaped");
    }
}

#[test]
fn a_sabotaged_run_is_loud_everywhere() {
    crate::support::turns::watched();
    let case = Case::new(Kind { sabotaged: true, ..Kind::default() });
    assert!(case.text("report.html").contains("⚠ This run was sabotaged on purpose: lose."));
    assert!(case.text("report.md").contains("⚠ SABOTAGED: lose"));
    assert!(case.text("junit.xml").contains("[sabotage: lose]"));
    assert!(case.text("report.json").contains("\"sabotage\": \"lose\""));
    assert!(case.verify().to_string().contains("[sabotage: lose]"));
}

/// A deliberate fault tests the checks: it does not spoil the verdict of the run beside it, and one
/// that was not found in the way it must is told as such.
#[test]
fn a_fault_stands_beside_what_it_tests() {
    crate::support::turns::watched();
    let (home, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut both = parts(home.path(), Kind::default());
    let fault = Kind { sabotaged: true, loses: true, ..Kind::default() };
    both.runs.extend(parts(other.path(), fault).runs);
    let folder = home.path().join("bundle");
    bundle::write_with(&folder, &both, &law).unwrap();
    let text = |file: &str| fs::read_to_string(folder.join(file)).unwrap();

    let verified = bundle::verify_with(&folder, &law).unwrap();
    assert_eq!((verified.verdict, verified.exit_code()), (Some(Verdict::Proved), 0));
    let page = text("report.html");
    assert!(page.contains("<h1><span class=\"badge proved\">"));
    // This law gives no typed reason, so the verdict did not turn for the reason that it must.
    assert!(page.contains("0 of 1 deliberate fault came to the verdict that it must."), "{page}");
    assert!(page.contains("✗ not found") && !page.contains("✓ found"));
    assert!(text("report.md").contains("| ✗ **no** | own | lose | broken: "));
    assert!(text("junit.xml").contains("failures=\"1\""), "{}", text("junit.xml"));
    let report: serde_json::Value = serde_json::from_str(&text("report.json")).unwrap();
    assert_eq!(report["runs"][1]["as_it_must"], false);
    assert!(report["runs"][0].get("as_it_must").is_none());
}

#[test]
fn the_page_names_no_verdict_it_has_not() {
    crate::support::turns::watched();
    for (_, kind, verdict, _) in KINDS {
        let page = Case::new(kind).text("report.html");
        let heading = format!("<h1><span class=\"badge {}\">", verdict.as_str());
        assert!(page.contains(&heading), "{heading}");
        // It claims none of the four, and says so.
        let count = match verdict {
            _ if kind.sabotaged => "No drill was run without a deliberate fault. ",
            Verdict::Proved => "1 of 1 drill proved. ",
            _ => "0 of 1 drill proved; ",
        };
        let untried = "Not tested: conclusions 1 (cut), 2 (heal), 3 (independent), 4 (grow).";
        assert!(page.contains(count) && page.contains(untried), "{page}");
    }
}

#[test]
fn what_is_no_bundle_is_said_to_be_none() {
    crate::support::turns::watched();
    let home = tempfile::tempdir().unwrap();
    let refused = |why: &str| {
        let error = bundle::verify(home.path()).unwrap_err();
        assert!(matches!(error, BundleError::NotABundle { .. }));
        assert!(error.to_string().contains(why), "{error}");
    };
    refused("No such file");
    for (text, why) in [
        ("", "is damaged"),
        ("[1, 2]", "that of something else"),
        ("{\"name\": \"an app\"}", "that of something else"),
        ("{\"kind\": \"zonedrill evidence bundle\", \"format\": 2}", "does not know"),
        ("{\"kind\": \"zonedrill evidence bundle\", \"format\": 1}", "is damaged"),
    ] {
        fs::write(home.path().join("manifest.json"), text).unwrap();
        refused(why);
    }
    fs::write(home.path().join("manifest.json"), vec![b' '; 9 << 20]).unwrap();
    refused("larger than 8 MiB");
    fs::remove_file(home.path().join("manifest.json")).unwrap();
    fs::create_dir(home.path().join("manifest.json")).unwrap();
    refused("not a regular file");
}

#[test]
fn a_folder_in_use_is_left_alone() {
    crate::support::turns::watched();
    let home = tempfile::tempdir().unwrap();
    let parts = parts(home.path(), Kind::default());
    let folder = home.path().join("mine");
    fs::create_dir(&folder).unwrap();
    bundle::write_with(&folder, &parts, &law).unwrap();
    bundle::write_with(&folder, &parts, &law).unwrap();
    fs::write(folder.join("note.txt"), "mine").unwrap();
    let error = bundle::write_with(&folder, &parts, &law).unwrap_err();
    assert!(matches!(error, BundleError::Occupied { .. }), "{error}");
    assert_eq!(fs::read_to_string(folder.join("note.txt")).unwrap(), "mine");
}

#[test]
fn a_failed_write_leaves_nothing() {
    crate::support::turns::watched();
    let home = tempfile::tempdir().unwrap();
    let mut parts = parts(home.path(), Kind::default());
    let before = names(home.path());
    parts.server_logs.push(home.path().join("not-there.log"));
    bundle::write_with(&home.path().join("bundle"), &parts, &law).unwrap_err();
    parts.server_logs.pop();
    let failing = |_: &bundle::judge::RunFiles<'_>| Err("the stream is damaged".to_owned());
    bundle::write_with(&home.path().join("bundle"), &parts, &failing).unwrap_err();
    assert_eq!(names(home.path()), before);
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|item| item.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn a_file_still_written_to_is_copied_up_to_its_last_whole_line() {
    crate::support::turns::watched();
    let home = tempfile::tempdir().unwrap();
    let parts = parts(home.path(), Kind::default());
    let whole = fs::read_to_string(&parts.ledger).unwrap();
    fs::write(&parts.ledger, format!("{whole}{{\"k\":\"int")).unwrap();
    let folder = home.path().join("bundle");
    bundle::write_with(&folder, &parts, &law).unwrap();
    assert_eq!(fs::read_to_string(folder.join("ledger.jsonl")).unwrap(), whole);
}

#[test]
fn the_shell_says_it_by_the_exit_code() {
    crate::support::turns::watched();
    let case = Case::new(Kind::default());
    let run = |folder: &Path, more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zonedrill"));
        let output = command.arg("verify").arg(folder).args(more).output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr),
        )
    };
    case.put("events.jsonl", "{}\n");
    let (code, text) = run(&case.folder(), &[]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("altered  \"events.jsonl\""), "{text}");
    let (code, text) = run(&case.folder(), &["--json"]);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &value["altered"][0]["file"]), (Some(1), &"events.jsonl".into()));
    let (code, text) = run(case.home.path(), &[]);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("is not an evidence bundle"), "{text}");
}

#[test]
fn junit_is_well_formed() {
    crate::support::turns::watched();
    for (name, kind, verdict, _) in KINDS {
        let text = Case::new(kind).text("junit.xml");
        let mut open = Vec::new();
        for tag in text.split('<').skip(2).filter_map(|piece| piece.split('>').next()) {
            let element = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
            if tag.starts_with('/') {
                assert_eq!(open.pop(), Some(element), "{name}");
            } else if !tag.ends_with('/') {
                open.push(element);
            }
        }
        assert_eq!(open, Vec::<&str>::new(), "{name}");
        let counts = match verdict {
            Verdict::Proved => "failures=\"0\" errors=\"0\"",
            Verdict::Broken => "failures=\"",
            _ => "failures=\"0\" errors=\"",
        };
        assert!(text.contains(counts), "{text}");
        assert_eq!(text.contains("<failure"), verdict == Verdict::Broken, "{name}");
        assert_eq!(text.contains("<error"), verdict == Verdict::Void, "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]
    #[test]
    fn a_flipped_bit_anywhere_is_noticed(file in any::<prop::sample::Index>(), place in any::<prop::sample::Index>(), bit in 0u8..8) {
        use std::sync::LazyLock;
        static FILES: LazyLock<Vec<(PathBuf, Vec<u8>)>> = LazyLock::new(|| {
            let case = Case::new(Kind::default());
            let (manifest, _) = Manifest::read(&case.folder()).unwrap();
            manifest.files.into_keys().chain(["manifest.json".to_owned()])
                .map(|name| { let bytes = fs::read(case.folder().join(&name)).unwrap(); (name.into(), bytes) })
                .collect()
        });
        let home = tempfile::tempdir().unwrap();
        let spoiled = file.index(FILES.len());
        for (index, (name, bytes)) in FILES.iter().enumerate() {
            let mut bytes = bytes.clone();
            if index == spoiled {
                let at = place.index(bytes.len());
                bytes[at] ^= 1 << bit;
            }
            let path = home.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        match bundle::verify_with(home.path(), &law) {
            Ok(verification) => {
                prop_assert!(!verification.altered.is_empty());
                prop_assert_eq!(verification.exit_code(), 1);
            }
            Err(BundleError::NotABundle { .. }) => prop_assert_eq!(&FILES[spoiled].0, Path::new("manifest.json")),
            Err(error) => prop_assert!(false, "{}", error),
        }
    }
}
