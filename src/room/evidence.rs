//! The ledger writer of evidence: one thread that writes every record down, keeps the ledger, and tells
//! the state actor what the ledger says.
//!
//! Records reach the disk (the kernel, not the platters: no drill here claims to survive a power
//! loss) before the consumer acknowledges and before the producer sends. Beside the ledger lies its
//! length, written after each record and before anybody acts on it: so a ledger that was cut short
//! is told from one whose last record was under way when the room was killed.

mod file;
mod logs;
mod opening;
pub mod query;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::OpenOptions,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    time::Duration,
};

use tokio::{
    sync::{mpsc, watch},
    time::MissedTickBehavior,
};

use self::{
    file::LedgerFile,
    logs::ConsumerLogs,
    opening::{load, missing_end, note_of_length},
    query::{Asked, LedgerQuery},
};
use super::{clock::now_ms, home::Home};
use crate::{
    ledger::{
        Ledger,
        account::{Account, Totals},
        damage::Damage,
        message::RunId,
        record::Record,
    },
    nats::evidence::{Batch, Evidence},
    region::{UnixMs, ZoneName},
};

/// How far producers' numbers move on when lines of the ledger are gone.
const FORGOTTEN_PRODUCERS: u32 = 1000;
/// How often the ledger's figures are told at most.
const TELL_EVERY: Duration = Duration::from_millis(100);
/// How often it is looked whether the ledger's file is still the one that was written.
const GLANCE_EVERY: Duration = Duration::from_millis(500);

/// What the ledger says.
#[derive(Clone, Debug, Default)]
pub struct LedgerStats {
    /// Of every zone that has an account.
    pub zones: BTreeMap<ZoneName, Account>,
    /// Of all producers together.
    pub totals: Totals,
    /// Why evidence cannot be written just now, if it cannot.
    pub trouble: Option<String>,
    /// What of the evidence is gone or altered.
    pub damage: Option<Damage>,
}

/// What the ledger writer must know from the state actor: each zone's acknowledgement floor.
pub type AckFloors = BTreeMap<ZoneName, u64>;

/// The ledger writer, as the rest of the room sees it.
#[derive(Debug)]
pub struct LedgerWriter {
    pub evidence: Evidence,
    /// The run every message belongs to.
    pub run: RunId,
    /// The highest producer used so far.
    pub last_producer: u32,
    /// The highest message number used so far.
    pub last_number: u64,
    /// A torn last line was found and cut off: the room was killed while writing it, and nobody
    /// had acted on it.
    pub mended: bool,
    /// What of the evidence was gone when it was opened.
    pub damage: Option<Damage>,
    /// What the ledger says, at most every 100 ms.
    pub figures: watch::Receiver<LedgerStats>,
    /// Tells the ledger writer the floors.
    pub floors: watch::Sender<AckFloors>,
    questions: mpsc::UnboundedSender<Asked>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// The evidence of a region cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("the evidence in {} cannot be used: {why}\n  Keep a copy if it matters; `zonedrill{flag} down --purge` starts a new region and a new ledger", path.display())]
pub struct KeeperError {
    /// What a command line needs to mean this region.
    flag: String,
    path: PathBuf,
    why: String,
}

impl LedgerWriter {
    /// Opens the region's ledger, or begins one.
    ///
    /// # Errors
    /// When the file cannot be read or written, or is damaged other than at its very end.
    pub fn open(home: &Home, now: UnixMs) -> Result<Self, KeeperError> {
        let path = home.ledger();
        let fail = |why: String| KeeperError { flag: home.flag(), path: path.clone(), why };
        let mut file = OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .open(&path)
            .map_err(|error| fail(error.to_string()))?;
        let (length, noted) = note_of_length(home).map_err(|error| fail(error.to_string()))?;
        let (ledger, read) = load(&mut file).map_err(&fail)?;
        let mut files = LedgerFile::new(file, length, &read, home.clone());
        let mut mended = false;
        let ledger = if let Some(mut ledger) = ledger {
            if read.torn_tail {
                files.cut_tail().map_err(|error| fail(error.to_string()))?;
            }
            if let Some(gap) = missing_end(read, noted) {
                files.write(std::slice::from_ref(&gap)).map_err(|error| fail(error.to_string()))?;
                ledger.apply(&gap);
            } else {
                mended = read.torn_tail;
                files.note();
            }
            ledger
        } else if let Some(noted) = noted.filter(|noted| *noted > 0) {
            return Err(fail(format!("it is empty, and {noted} bytes had been written to it")));
        } else {
            let run = RunId::from_number(now ^ u64::from(std::process::id()) << 40);
            let first = Record::Run { run: run.to_string(), region: home.region.clone(), at: now };
            files.write(std::slice::from_ref(&first)).map_err(|error| fail(error.to_string()))?;
            Ledger::new(run, home.region.clone())
        };
        let (evidence, inbox) = Evidence::channel();
        let (tell, figures) = watch::channel(LedgerStats::default());
        let (floors, floors_seen) = watch::channel(AckFloors::new());
        let (questions, asked) = mpsc::unbounded_channel();
        let damage = ledger.damage().cloned();
        // A producer that is not in the ledger any more may have used the next numbers; the server
        // would take another's message of the same id for a copy of it.
        let forgotten = if damage.is_some() { FORGOTTEN_PRODUCERS } else { 0 };
        let (run, last_producer, last_number) = (
            ledger.run().clone(),
            ledger.last_producer() + forgotten,
            ledger.last_number().unwrap_or(0),
        );
        let keeping = Keeping {
            // Whoever produced when an earlier room ended is gone.
            gone: ledger.unsettled_producers().into_iter().collect(),
            logs: ConsumerLogs::new(home.clone()),
            ledger,
            files,
            tell,
            floors: floors_seen,
            trouble: None,
            file_damaged: false,
            told: true,
        };
        let thread = std::thread::Builder::new()
            .name("evidence".into())
            .spawn(move || keeping.run(inbox, asked))
            .map_err(|error| fail(error.to_string()))?;
        Ok(Self {
            evidence,
            run,
            last_producer,
            last_number,
            mended,
            damage,
            figures,
            floors,
            questions,
            thread: Some(thread),
        })
    }

    /// A way to ask the ledger that can be handed on.
    #[must_use]
    pub fn ledger_query(&self) -> LedgerQuery {
        LedgerQuery(self.questions.clone())
    }

    /// Waits until everything handed over is written. Every other holder of [`Evidence`] must
    /// have let go.
    pub fn close(self) {
        let Self { evidence, questions, thread, .. } = self;
        drop(evidence);
        drop(questions);
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

struct Keeping {
    ledger: Ledger,
    files: LedgerFile,
    logs: ConsumerLogs,
    /// Producers that have ended, and of which it is not written down yet that what they left
    /// open is unknown. (A full disk is waited for.)
    gone: BTreeSet<u32>,
    tell: watch::Sender<LedgerStats>,
    floors: watch::Receiver<AckFloors>,
    trouble: Option<String>,
    /// The ledger knows that its file was damaged while the room ran.
    file_damaged: bool,
    /// The trouble has been told; until then it is kept, however short it was.
    told: bool,
}

impl Keeping {
    fn run(mut self, mut inbox: mpsc::Receiver<Batch>, mut asked: mpsc::UnboundedReceiver<Asked>) {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_time().build()
        else {
            return;
        };
        self.settle();
        runtime.block_on(async {
            let mut dirty = true;
            let mut next_tell = tokio::time::Instant::now();
            let mut glances = tokio::time::interval(GLANCE_EVERY);
            glances.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    biased;
                    _ = glances.tick() => {
                        let damage = self.files.glance().cloned();
                        self.damaged(damage);
                        dirty |= self.damage_is_new();
                    }
                    question = asked.recv() => match question {
                        Some(asked) => {
                            self.answer(asked);
                            dirty |= self.damage_is_new();
                        }
                        None => break,
                    },
                    batch = inbox.recv() => match batch {
                        Some(batch) => {
                            self.take(batch);
                            while let Ok(batch) = inbox.try_recv() {
                                self.take(batch);
                            }
                            dirty = true;
                        }
                        None => break,
                    },
                    changed = self.floors.changed() => {
                        if changed.is_err() { break }
                        dirty = true;
                    }
                    () = tokio::time::sleep_until(next_tell), if dirty || !self.gone.is_empty() => {
                        self.settle();
                        self.tell_figures();
                        dirty = false;
                        next_tell = tokio::time::Instant::now() + TELL_EVERY;
                    }
                }
            }
            while let Some(batch) = inbox.recv().await {
                self.take(batch);
            }
        });
        self.tell_figures();
        self.files.sync();
    }

    fn take(&mut self, batch: Batch) {
        let result = self.write(&batch.records);
        if let Some(producer) = batch.gone {
            self.gone.insert(producer);
            self.settle();
        }
        if let Some(written) = batch.written {
            let _ = written.send(result.map_err(|error| error.to_string()));
        }
    }

    fn write(&mut self, records: &[Record]) -> std::io::Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.files.write(records) {
            self.told = false;
            self.trouble = Some(format!("{}: {error}", self.files.path().display()));
            return Err(error);
        }
        for record in records {
            self.ledger.apply(record);
        }
        // Not evidence, only a convenience: its failure is told, and stops nothing.
        if let Err(error) = self.logs.write(records) {
            self.trouble = Some(format!("a consumer's log: {error}"));
            self.told = false;
        } else if self.told {
            self.trouble = None;
        }
        Ok(())
    }

    /// Writes down that what producers left open that are gone is unknown.
    fn settle(&mut self) {
        for producer in std::mem::take(&mut self.gone) {
            let unknown = self.ledger.unsettled(producer, now_ms());
            if self.write(&unknown).is_err() {
                self.gone.insert(producer);
            }
        }
    }

    fn answer(&mut self, asked: Asked) {
        match asked {
            Asked::Question(question) => {
                let ledger = &self.ledger;
                // It only reads: if it crashes, only its asker goes without an answer.
                if catch_unwind(AssertUnwindSafe(move || question(ledger))).is_err() {
                    tracing::error!("a question to the ledger crashed");
                }
            }
            Asked::Inspect(answer) => {
                let damage = self.files.inspect().cloned();
                self.damaged(damage.clone());
                let _ = answer.send(damage);
            }
        }
    }

    /// The file is not what was written: nothing is proved by this ledger any more.
    fn damaged(&mut self, damage: Option<Damage>) {
        if let Some(damage) = damage
            && !self.file_damaged
        {
            self.file_damaged = true;
            tracing::error!("{damage}");
            self.ledger.damaged(damage);
        }
    }

    fn damage_is_new(&self) -> bool {
        self.ledger.damage() != self.tell.borrow().damage.as_ref()
    }

    fn tell_figures(&mut self) {
        let floors = self.floors.borrow_and_update().clone();
        let zones = floors
            .iter()
            // A zone the ledger does not know has received nothing, or has just been removed; a
            // floor says nothing about it.
            .map(|(zone, floor)| {
                let known = self.ledger.zones().any(|known| known == zone);
                (zone.clone(), self.ledger.account(zone, known.then_some(*floor)))
            })
            .collect();
        self.told = true;
        self.tell.send_replace(LedgerStats {
            zones,
            totals: self.ledger.totals(),
            trouble: self.trouble.clone(),
            damage: self.ledger.damage().cloned(),
        });
    }
}
