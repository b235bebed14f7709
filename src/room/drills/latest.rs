//! The newest record of every drill, for `report`: of each name without a fault, and with each
//! deliberate fault.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{BufRead, BufReader},
    path::Path,
};

use super::{RECORD, Recorded, pruning::number};
use crate::drill::{conclusions, record::Begin, record::Entry};

/// Of the records in the folder `drills`, the newest of each drill on the ledger's run `run`: the four
/// conclusions first, what was sabotaged after what it tests.
#[must_use]
pub fn of(drills: &Path, run: &str) -> Vec<Recorded> {
    let Ok(folders) = fs::read_dir(drills) else { return Vec::new() };
    let mut newest: BTreeMap<_, (u64, Recorded)> = BTreeMap::new();
    for entry in folders.flatten() {
        let folder = entry.path();
        // By the number of the folder: a clock that was set back makes no older run the newest.
        let Some(number) = number(&entry) else { continue };
        let Some(begin) = begin(&folder.join(RECORD)).filter(|begin| begin.run == run) else {
            continue;
        };
        let known = newest.entry((place(&begin), begin.sabotage));
        let recorded = (number, Recorded { drill: begin.drill, folder });
        known
            .and_modify(|known| {
                if known.0 < number {
                    known.clone_from(&recorded);
                }
            })
            .or_insert(recorded);
    }
    newest.into_values().map(|(_, recorded)| recorded).collect()
}

/// Those that test one of the conclusions stand in its place, all others behind.
fn place(begin: &Begin) -> (usize, String) {
    let known = conclusions::REQUIREMENTS.iter().position(|one| one.drill == begin.drill);
    known.map_or_else(|| (usize::MAX, begin.drill.clone()), |place| (place, String::new()))
}

fn begin(record: &Path) -> Option<Begin> {
    let mut line = String::new();
    BufReader::new(File::open(record).ok()?).read_line(&mut line).ok()?;
    match serde_json::from_str(&line) {
        Ok(Entry::Begin(begin)) => Some(*begin),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::region::UnixMs;

    #[test]
    fn the_newest_of_each_drill_and_of_each_fault_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let drills = folder.path();
        let record = |place: &str, run: &str, drill: &str, sabotage: Option<&str>, at: UnixMs| {
            let begin = serde_json::json!({
                "k": "begin", "format": 1, "zonedrill": "0", "drill": drill, "script": "",
                "scale": 1, "sabotage": sabotage, "run": run, "region": "r", "platform": "local",
                "server_version": "2", "mirror_kind": "durable", "source": "a", "mirror": "b",
                "new_zone": null, "actor": "mira", "at": at,
            });
            fs::create_dir_all(drills.join(place)).unwrap();
            fs::write(drills.join(place).join(RECORD), format!("{begin}\n")).unwrap();
        };
        let found = || -> Vec<String> {
            let name = |one: Recorded| one.folder.file_name().unwrap().to_string_lossy().into();
            of(drills, "r1").into_iter().map(name).collect()
        };
        assert!(found().is_empty());
        record("1-mine", "r1", "mine", None, 5);
        record("2-grow", "r1", "grow", None, 10);
        record("3-cut", "r1", "cut", None, 20);
        record("4-cut", "r1", "cut", Some("leak"), 30);
        // The clock was set back meanwhile.
        record("10-cut", "r1", "cut", None, 15);
        record("6-cut", "r1", "cut", Some("lose"), 45);
        record("7-cut", "r0", "cut", None, 99);
        fs::create_dir(drills.join("8-heal")).unwrap();
        fs::create_dir(drills.join("9-heal")).unwrap();
        fs::write(drills.join("9-heal").join(RECORD), "not a record\n").unwrap();
        assert_eq!(found(), ["10-cut", "4-cut", "6-cut", "2-grow", "1-mine"]);
    }
}
