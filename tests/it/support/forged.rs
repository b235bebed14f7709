//! Bundles of drills that were played through the model, and what somebody who knows how a bundle
//! is made can do to one: every digest is computed anew.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use zonedrill::{
    drill::bundle::{self, BundleError, Parts, RunFolder, Verification, manifest::Manifest},
    ledger::{chain::Chain, record::Record},
    region::status::Verdict,
};

use super::laws::{Fault, play, run_id};

/// The ledger's file in a bundle.
pub const LEDGER: &str = "ledger.jsonl";

/// An honest bundle on disk, and its files as they are.
pub struct Honest {
    folder: tempfile::TempDir,
    pub files: BTreeMap<String, Vec<u8>>,
    pub verdict: Verdict,
    pub took: Duration,
    pub name: String,
}

/// What the work of this thread costs: its processor time, which a busy machine does not lengthen.
/// Where the kernel does not tell it, the time that passes.
struct Cost {
    began: Instant,
    spent: Option<Duration>,
}

impl Cost {
    fn begin() -> Self {
        Self { began: Instant::now(), spent: Self::spent() }
    }

    fn so_far(&self) -> Duration {
        let spent = self.spent.zip(Self::spent());
        spent.map_or_else(|| self.began.elapsed(), |(before, now)| now.saturating_sub(before))
    }

    fn spent() -> Option<Duration> {
        let told = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        told.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
    }
}

/// Records as a ledger's lines, each with its running digest.
pub fn sealed(lines: &[String]) -> Vec<u8> {
    let (mut out, mut chain) = (Vec::new(), Chain::default());
    for line in lines {
        let start = out.len();
        out.extend_from_slice(bare(line).as_bytes());
        chain.seal(&mut out, start);
        out.push(b'\n');
    }
    out
}

/// A line without its running digest.
pub fn bare(line: &str) -> String {
    match line.rfind(",\"h\":\"") {
        Some(at) => line[..at].to_owned() + "}",
        None => line.to_owned(),
    }
}

/// The stream's file with a last line that fits.
pub fn counted(lines: &[String]) -> Vec<u8> {
    let text: String = lines.iter().map(|line| line.clone() + "\n").collect();
    let crc = crc32fast::hash(text.as_bytes());
    format!("{text}end {} {crc:08x}\n", lines.len()).into_bytes()
}

impl Honest {
    pub fn new(drill: &str, fault: Fault) -> Self {
        let home = tempfile::tempdir().unwrap();
        let played = play(drill, fault, 17, 1);
        let run = home.path().join("run");
        fs::create_dir(&run).unwrap();
        let first = Record::Run { run: run_id().to_string(), region: "east".into(), at: 1 };
        let records = std::iter::once(&first).chain(&played.records);
        let lines: Vec<String> =
            records.map(|record| serde_json::to_string(record).unwrap()).collect();
        let at = |name: &str| home.path().join(name);
        fs::write(at(LEDGER), sealed(&lines)).unwrap();
        fs::write(at("events.jsonl"), "{}\n").unwrap();
        let entries: String = played
            .entries
            .iter()
            .map(|entry| serde_json::to_string(entry).unwrap() + "\n")
            .collect();
        fs::write(run.join("drill.jsonl"), entries).unwrap();
        for stream in &played.streams {
            let file = fs::File::create(run.join(format!("stream-{}.txt", stream.replica)));
            stream.audit.write_lines(file.unwrap()).unwrap();
        }
        let parts = Parts {
            runs: vec![RunFolder { folder: run }],
            ledger: at(LEDGER),
            events: at("events.jsonl"),
            at: 9_000_000,
            ..Parts::default()
        };
        let folder = tempfile::tempdir().unwrap();
        bundle::write(folder.path(), &parts).unwrap();
        let mut files = BTreeMap::new();
        read(folder.path(), folder.path(), &mut files);
        let mut honest = Self {
            folder,
            files,
            verdict: Verdict::Void,
            took: Duration::ZERO,
            name: format!("{drill}/{fault:?}"),
        };
        let (verified, took) = honest.verify_with(&[]);
        let verified = verified.unwrap();
        assert_eq!(verified.altered, []);
        (honest.verdict, honest.took) = (verified.verdict.unwrap(), took);
        honest
    }

    /// The text of a file, by lines.
    pub fn lines(&self, file: &str) -> Vec<String> {
        String::from_utf8_lossy(&self.files[file]).lines().map(str::to_owned).collect()
    }

    /// The files of a kind.
    pub fn named(&self, part: &str) -> Vec<String> {
        self.files.keys().filter(|name| name.contains(part)).cloned().collect()
    }

    /// Verifies the bundle with other files in it, and puts the honest ones back.
    pub fn verify_with(
        &self,
        changed: &[(String, Vec<u8>)],
    ) -> (Result<Verification, BundleError>, Duration) {
        let at = |name: &str| -> PathBuf { self.folder.path().join(name) };
        for (name, bytes) in changed {
            fs::write(at(name), bytes).unwrap();
        }
        self.reseal();
        let began = Cost::begin();
        let verified = bundle::verify(self.folder.path());
        let took = began.so_far();
        for (name, _) in changed {
            fs::write(at(name), &self.files[name]).unwrap();
        }
        (verified, took)
    }

    /// What somebody would do who alters files and knows how the manifest is made.
    fn reseal(&self) {
        let honest: serde_json::Value =
            serde_json::from_slice(&self.files["manifest.json"]).unwrap();
        let manifest: Manifest = serde_json::from_value(honest).unwrap();
        let mut files = manifest.files;
        for (name, digest) in &mut files {
            (digest.bytes, digest.sha256) =
                bundle::files::digest(&self.folder.path().join(name)).unwrap();
        }
        let resealed = Manifest::new(manifest.written_ms, manifest.runs, files);
        fs::write(self.folder.path().join("manifest.json"), resealed.text()).unwrap();
    }
}

fn read(root: &Path, at: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for item in fs::read_dir(at).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() {
            read(root, &path, files);
        } else {
            let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            files.insert(name, fs::read(&path).unwrap());
        }
    }
}
