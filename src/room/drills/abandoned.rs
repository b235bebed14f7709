//! What an earlier room left of its drills. Those it went away from while they ran (killed, or a
//! crash) are ended in their own records by the region's next room, and told as void.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::Path,
};

use super::{Ended, RECORD};
use crate::{
    drill::record::{Begin, Entry},
    region::{EventKind, Input, UnixMs, input::Concluded, status::Verdict},
    room::mailbox::Mailbox,
};

/// Why such a drill is void.
const WHY: &str = "its room was killed or crashed while it ran";

/// Ends the records of the ledger's run `run` that have no end. What cannot be read or written is
/// left as it is: it is nobody's evidence yet.
///
/// Returns the drills that were ended so, in the order in which they ran.
#[must_use]
pub fn end_all(drills: &Path, run: &str) -> Vec<Ended> {
    let Ok(folders) = fs::read_dir(drills) else { return Vec::new() };
    let mut ended: Vec<(UnixMs, Ended)> = folders
        .flatten()
        .filter_map(|folder| {
            let folder = folder.path();
            let (begin, last) = end(&folder.join(RECORD), run)
                .inspect_err(|error| tracing::warn!("{}: {error}", folder.display()))
                .ok()??;
            let ended = Ended {
                drill: begin.drill,
                sabotage: begin.sabotage,
                verdict: Verdict::Void,
                evidence: format!("the drill was interrupted: {WHY}"),
                findings: Vec::new(),
                took_ms: last.saturating_sub(begin.at),
                folder,
                untried: false,
                off_script: begin.sabotage.map(|_| WHY.to_owned()),
                as_it_must: false,
            };
            Some((begin.at, ended))
        })
        .collect();
    ended.sort_by_key(|(began, _)| *began);
    ended.into_iter().map(|(_, ended)| ended).collect()
}

/// Ends a record that has no end, at the moment of its last line. Returns how it begins, and that
/// moment.
fn end(path: &Path, run: &str) -> io::Result<Option<(Begin, UnixMs)>> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        text => text?,
    };
    // The last line may be torn: the room was killed while it wrote it.
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    let mut lines = text[..whole].lines();
    let begin = match lines.next().map(serde_json::from_str) {
        Some(Ok(Entry::Begin(begin))) if begin.run == run => *begin,
        _ => return Ok(None),
    };
    let mut last = begin.at;
    for line in lines.rev() {
        match serde_json::from_str(line) {
            Ok(Entry::End { .. }) => return Ok(None),
            Ok(entry) => {
                if let Some(at) = entry.at() {
                    last = at;
                    break;
                }
            }
            Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
        }
    }
    let mut file = OpenOptions::new().append(true).open(path)?;
    file.set_len(whole as u64)?;
    for entry in [Entry::Interrupted { why: WHY.into(), at: last }, Entry::End { at: last }] {
        let mut line = serde_json::to_vec(&entry)?;
        line.push(b'\n');
        file.write_all(&line)?;
    }
    Ok(Some((begin, last)))
}

/// Tells them: in the log, and in the strip of the conclusions.
pub fn tell(bus: &Mailbox, ended: Vec<Ended>) {
    for Ended { drill: name, verdict, evidence, .. } in ended {
        let told = format!("{evidence}; `report` writes what there is of it");
        let drill = name.clone();
        bus.tell(Input::Concluded(Concluded { name, verdict, evidence }));
        bus.tell(Input::Said(vec![EventKind::DrillEnded { drill, verdict, evidence: told }]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(entry: &Entry) -> String {
        serde_json::to_string(entry).unwrap() + "\n"
    }

    fn begin(run: &str, at: UnixMs) -> Entry {
        let begin = serde_json::json!({
            "k": "begin", "format": 1, "zonedrill": "0", "drill": "heal", "script": "", "scale": 1,
            "sabotage": null, "run": run, "region": "r", "platform": "local",
            "server_version": "2", "mirror_kind": "durable", "source": "a", "mirror": "b",
            "new_zone": null, "actor": "mira", "at": at,
        });
        serde_json::from_value(begin).unwrap()
    }

    fn step(at: UnixMs) -> Entry {
        Entry::Step { index: 0, title: "linked".into(), at }
    }

    fn record(drills: &Path, name: &str, text: &str) -> std::path::PathBuf {
        let folder = drills.join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(RECORD), text).unwrap();
        folder.join(RECORD)
    }

    #[test]
    fn what_has_no_end_gets_one_once_and_a_torn_line_goes() {
        let folder = tempfile::tempdir().unwrap();
        let drills = folder.path();
        let whole = line(&begin("r1", 50)) + &line(&step(60)) + &line(&Entry::End { at: 70 });
        let ended = record(drills, "1-heal", &whole);
        let killed = line(&begin("r1", 100)) + &line(&step(130));
        let killed = record(drills, "2-heal", &format!("{killed}{{\"k\":\"ste"));
        let older = record(drills, "3-heal", &line(&begin("r0", 10)));
        fs::create_dir(drills.join("4-heal")).unwrap();

        let found = end_all(drills, "r1");
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].verdict, found[0].took_ms), (Verdict::Void, 30));
        assert_eq!(fs::read_to_string(ended).unwrap(), whole);
        assert_eq!(fs::read_to_string(older).unwrap(), line(&begin("r0", 10)));
        let text = fs::read_to_string(killed).unwrap();
        let entries: Vec<Entry> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(matches!(
            entries.as_slice(),
            [
                Entry::Begin(_),
                Entry::Step { .. },
                Entry::Interrupted { at: 130, .. },
                Entry::End { at: 130 }
            ]
        ));
        assert!(end_all(drills, "r1").is_empty());
    }

    #[test]
    fn a_damaged_record_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let text = line(&begin("r1", 1)) + "not a record\n";
        let path = record(folder.path(), "1-heal", &text);
        assert!(end_all(folder.path(), "r1").is_empty());
        assert_eq!(fs::read_to_string(path).unwrap(), text);
    }
}
