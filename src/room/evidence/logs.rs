//! The original plan's `consumer-a.log`, for people with `tail -f` and `grep`. The evidence is the
//! ledger.
//!
//! A log is of one zone's life. That of a zone that was removed is put aside under a number
//! (`consumer-c.1.log`), so that the lines of `consumer-c.log` are what the zone c of now received.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{ErrorKind, Write},
};

use crate::{
    ledger::record::Record,
    region::{UnixMs, ZoneName, topology::consumer_name},
    room::home::Home,
};

/// The logs of all zones' consumers.
pub(super) struct ConsumerLogs {
    home: Home,
    open: BTreeMap<ZoneName, File>,
    line: Vec<u8>,
}

impl ConsumerLogs {
    /// None is open yet.
    pub(super) fn new(home: Home) -> Self {
        Self { home, open: BTreeMap::new(), line: Vec::new() }
    }

    /// Writes what consumers did.
    pub(super) fn write(&mut self, records: &[Record]) -> std::io::Result<()> {
        let mut at = records.iter().peekable();
        while let Some(record) = at.peek() {
            if let Record::ZoneRemoved { z, .. } = record {
                self.put_aside(z)?;
                at.next();
                continue;
            }
            let zone = log_zone(record);
            self.line.clear();
            while let Some(record) = at.next_if(|record| {
                log_zone(record) == zone && !matches!(record, Record::ZoneRemoved { .. })
            }) {
                log_lines(&mut self.line, record)?;
            }
            let Some(zone) = zone.filter(|_| !self.line.is_empty()) else { continue };
            if !self.open.contains_key(zone) {
                let path = self.home.consumer_log(&consumer_name(zone));
                let file = OpenOptions::new().create(true).append(true).open(path)?;
                self.open.insert(zone.clone(), file);
            }
            if let Some(file) = self.open.get_mut(zone) {
                file.write_all(&self.line)?;
            }
        }
        Ok(())
    }

    /// Ends the log of a zone that was removed, if it has one.
    fn put_aside(&mut self, zone: &ZoneName) -> std::io::Result<()> {
        self.open.remove(zone);
        let name = consumer_name(zone);
        let aside = (1..=u32::MAX)
            .map(|number| self.home.consumer_log(&format!("{name}.{number}")))
            .find(|path| !path.exists());
        let Some(aside) = aside else { return Ok(()) };
        match std::fs::rename(self.home.consumer_log(&name), aside) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

fn log_zone(record: &Record) -> Option<&ZoneName> {
    match record {
        Record::Received { z, .. } | Record::Corrupt { z, .. } | Record::Foreign { z, .. } => {
            Some(z)
        }
        _ => None,
    }
}

fn log_lines(out: &mut Vec<u8>, record: &Record) -> std::io::Result<()> {
    let time = |at: UnixMs| {
        jiff::Timestamp::from_millisecond(at.cast_signed()).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    };
    match record {
        Record::Received { z, p, n, s, c, r, at } => {
            let time = format!("{:.3}", time(*at));
            for i in 0..*c {
                writeln!(
                    out,
                    "{time} consumer-{z} seq={} number={} producer=p{p} delivered={r}",
                    s + i,
                    n + i
                )?;
            }
            Ok(())
        }
        Record::Corrupt { z, s, why, at } => {
            writeln!(out, "{:.3} consumer-{z} seq={s} corrupt: {why}", time(*at))
        }
        Record::Foreign { z, s, at, .. } => {
            writeln!(out, "{:.3} consumer-{z} seq={s} not a drill message", time(*at))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> ZoneName {
        name.parse().unwrap()
    }

    fn received(z: &str, n: u64, c: u64) -> Record {
        Record::Received { z: zone(z), p: 1, n, s: n, c, r: 1, at: 7 }
    }

    #[test]
    fn a_removed_zones_log_is_not_gone_on_with_by_the_next_of_that_name() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home { region: "test".into(), folder: folder.path().to_owned() };
        let lines = |name: &str| {
            std::fs::read_to_string(home.consumer_log(name)).map(|text| text.lines().count()).ok()
        };
        let removed = |name: &str| Record::ZoneRemoved { z: zone(name), at: 8 };
        let mut logs = ConsumerLogs::new(home.clone());
        // A zone that never had a log is nothing to put aside.
        logs.write(&[removed("d"), received("b", 1, 2), received("c", 1, 3)]).unwrap();
        logs.write(&[received("c", 4, 1), removed("c"), received("c", 1, 2)]).unwrap();
        assert_eq!((lines("consumer-c.1"), lines("consumer-c")), (Some(4), Some(2)));

        // Nor by another room, whose log is not open yet.
        let mut logs = ConsumerLogs::new(home.clone());
        logs.write(&[removed("c")]).unwrap();
        logs.write(&[received("c", 1, 7), received("b", 3, 1)]).unwrap();
        assert_eq!((lines("consumer-c.1"), lines("consumer-c.2")), (Some(4), Some(2)));
        assert_eq!((lines("consumer-c"), lines("consumer-b")), (Some(7), Some(3)));
        assert_eq!(lines("consumer-d"), None);
    }
}
