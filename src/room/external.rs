//! Drills on a region that somebody else runs: a room for as long as a command takes, with its state,
//! its ledger and its records, which attaches as a client and starts no servers.
//!
//! | file | inside |
//! |---|---|
//! | [`session`] | the room of one command, from its beginning to its end |
//! | [`parts`] | what that room is laid out with, and what is seen of it |
//! | [`platform`] | zones that are there already, and links that are cut as the region file says |
//! | [`ends`] | looks at both ends of a link, and what they show of a cut |
//! | [`cutter`] | one link's cut and heal, by pause or by hook |
//! | [`kept`] | how far a comparison has come |
//! | [`leftovers`] | what drills have left, and its removal |
//! | [`hook`] | the user's commands, the guard, and the record of what was done |

pub mod cutter;
pub mod ends;
pub mod hook;
pub mod kept;
pub mod leftovers;
pub mod parts;
pub mod platform;
pub mod session;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use serde_json::json;

use self::hook::{Audit, Deed};
use super::{drills::recorder::Recorder, failure::Failure, runtime::Runtime};
use crate::{
    command::{Command, Produce},
    drill::{checks::ReplicaAudit, record::Entry},
    nats::external::examine::Region,
    region::{file::Limits, observation::StreamReport, remedy::Remedy},
    room::clock::now_ms,
};

/// What a room knows of a region that somebody else runs.
#[derive(Debug)]
pub struct External {
    pub region: Arc<Region>,
    /// The region file.
    pub file: PathBuf,
    pub limits: Limits,
    pub audit: Audit,
    /// Where drill messages go.
    pub subject: String,
    /// The source's last sequence before the first of them; mirrors have the same.
    pub before: u64,
    /// Bytes that were asked for so far.
    used: AtomicU64,
}

impl External {
    /// What may be produced of what is asked for; it is recorded before it is done.
    ///
    /// # Errors
    /// When a limit is passed, or it cannot be recorded.
    pub fn admits(&self, asked: Produce) -> Result<Produce, Failure> {
        let held = asked.within(&self.limits, self.used.load(Ordering::Relaxed));
        let held = held.map_err(Failure::Refused)?;
        if held == Produce::Stop {
            return Ok(held);
        }
        let line = Command::Produce(held.clone()).to_string();
        let about = json!({"command": line, "subject": self.subject});
        self.audit.note(Deed::Produce, &about).map_err(Failure::Refused)?;
        self.used.fetch_add(held.bytes().unwrap_or(0), Ordering::Relaxed);
        Ok(held)
    }

    /// What became of a producer's messages whose outcome is unknown, in words: what the source's stream
    /// holds of them now.
    pub async fn became_of(
        &self,
        runtime: &Runtime,
        producer: u32,
        unknown: &[(u64, u64)],
    ) -> String {
        match self.region.drilled(0, (&runtime.run, &self.subject), self.before).await {
            Ok(audit) => {
                let all: u64 = unknown.iter().map(|(_, count)| count).sum();
                let stored = audit.holds(producer, unknown);
                format!(": {stored} of them stand on the stream now, {} do not", all - stored)
            }
            Err(why) => format!(": whether the stream holds them is not known ({why})"),
        }
    }

    /// Reads every zone's stream as far as it is the drill's, from its leader or by direct gets: the
    /// replicas of servers that are not seen cannot be told apart.
    pub async fn read(
        &self,
        runtime: &Runtime,
        recorder: &Recorder,
        write: impl Fn(&str, &ReplicaAudit) -> std::io::Result<()>,
    ) -> Vec<ReplicaAudit> {
        let mut streams = Vec::new();
        for (at, plan) in runtime.plans().into_iter().enumerate() {
            let Some(replica) = plan.name.nodes().next() else { continue };
            let zone = plan.name.clone();
            let read = self.region.drilled(at, (&runtime.run, &self.subject), self.before).await;
            let file = format!("stream-{zone}.jsonl");
            let kept = read.and_then(|audit| {
                let read = ReplicaAudit { replica: replica.clone(), audit };
                write(&file, &read).map_err(|error| format!("{file}: {error}"))?;
                Ok(read)
            });
            match kept {
                Ok(read) => {
                    let print = read.audit.fingerprint();
                    recorder.write(Entry::Stream {
                        zone,
                        replica,
                        file,
                        messages: print.messages(),
                        ends: print.first().map(|first| (first, print.last())),
                        through: None,
                        at: now_ms(),
                    });
                    streams.push(read);
                }
                Err(why) => recorder.write(Entry::Unread { zone, replica, why, at: now_ms() }),
            }
        }
        streams
    }
}

/// A zone's numbers as the drill counts: its own messages, and nobody else's.
pub(super) async fn as_the_drill_counts(
    runtime: &Runtime,
    mut report: StreamReport,
) -> Option<StreamReport> {
    runtime
        .ledger_query
        .ask(move |ledger| {
            report.last_seq = ledger.counted(report.last_seq);
            report.first_seq = u64::from(report.last_seq > 0);
            report.messages = report.last_seq;
            report.num_deleted = 0;
            for consumer in &mut report.consumers {
                consumer.delivered = ledger.counted(consumer.delivered);
                consumer.ack_floor = ledger.counted(consumer.ack_floor);
            }
            report
        })
        .await
}

/// What a command line needs to mean the region of that file.
#[must_use]
pub fn file_flag(file: &Path) -> String {
    format!(" --region-file {}", shell_words::quote(&file.to_string_lossy()))
}

/// A remedy for the region of that file, as it is typed: what heals there must be allowed.
fn told_with_file(remedy: &Remedy, file: &Path) -> String {
    let allow = if matches!(remedy, Remedy::Heal(_)) { " --allow cut" } else { "" };
    remedy.told_as(&format!("zonedrill{} {remedy}{allow}", file_flag(file)))
}

impl Runtime {
    /// What a command line needs to mean this region: nothing for the default one.
    #[must_use]
    pub fn flag(&self) -> String {
        self.external.as_ref().map_or_else(|| self.home.flag(), |one| file_flag(&one.file))
    }

    /// A remedy, as it is typed for this region.
    #[must_use]
    pub fn told(&self, remedy: &Remedy) -> String {
        match &self.external {
            Some(external) => told_with_file(remedy, &external.file),
            None => remedy.told(),
        }
    }

    /// The sequence of the source's stream at which the message stands that the status counts as this
    /// one.
    pub async fn sequence(&self, counted: u64) -> u64 {
        if self.external.is_none() {
            return counted;
        }
        self.ledger_query.ask(move |ledger| ledger.sequence(counted)).await.unwrap_or(counted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remedy_for_a_region_of_others_names_its_file_and_can_be_typed() {
        let file = Path::new("/home/mira/our regions/shop.toml");
        let told = told_with_file(&Remedy::Heal("b".parse().unwrap()), file);
        let line = told.split('`').nth(1).unwrap();
        let words = shell_words::split(line).unwrap();
        assert_eq!(words[..3], ["zonedrill", "--region-file", "/home/mira/our regions/shop.toml"]);
        assert_eq!(words[3..], ["heal", "b", "--allow", "cut"]);
        assert!(told.ends_with("` restores the link"), "{told}");
        let doctor = told_with_file(&Remedy::Doctor, Path::new("shop.toml"));
        assert_eq!(doctor, "`zonedrill --region-file shop.toml doctor` tells more");
    }
}
