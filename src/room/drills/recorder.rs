//! The recorder: a drill's record on disk as it happens, and its picture on every screen.

use std::{
    collections::BTreeMap,
    fs::File,
    io::Write,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{Statuses, by_hand::ByHand};
use crate::{
    drill::{
        checks,
        record::{Begin, Entry, Sample},
        run::Run,
    },
    region::{
        Input, Severity, ZoneName,
        deliveries::fetched_elsewhere,
        status::{Drill, Verdict},
    },
    room::{
        clock::now_ms,
        mailbox::{Mail, Mailbox},
        runtime::Runtime,
    },
};

/// Samples are taken at most this often.
const SAMPLE_EVERY: Duration = Duration::from_millis(100);
/// And at least this often.
const SAMPLE_ANYWAY: Duration = Duration::from_millis(250);
/// Samples change the picture at most this often: its counters are for people, and are counted over
/// all of the run. The record has every sample.
const GLANCE_EVERY: Duration = Duration::from_millis(200);

/// The name of a drill's history, beside its record.
const HISTORY: &str = "history.jsonl";

/// The recorder of one run.
pub struct Recorder {
    bus: Mailbox,
    book: Mutex<Book>,
}

struct Book {
    file: File,
    run: Run,
    view: Drill,
    /// When the record began: the zero of its monotonic clock.
    began: Instant,
    /// When it was last glanced at.
    glanced: Instant,
    /// Why the record cannot be written, if it cannot.
    trouble: Option<String>,
}

impl Recorder {
    /// Begins a record in `folder`, which is there.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn begin(bus: Mailbox, folder: &Path, begin: Begin, view: Drill) -> std::io::Result<Self> {
        let file = File::create(folder.join(super::RECORD))?;
        let begin = Entry::Begin(Box::new(begin));
        let run = Run::from_entries([begin.clone()]);
        let now = Instant::now();
        let mut book = Book { file, run, view, began: now, glanced: now, trouble: None };
        book.line(&begin);
        let recorder = Self { bus, book: Mutex::new(book) };
        match recorder.trouble() {
            Some(why) => Err(std::io::Error::other(why)),
            None => Ok(recorder),
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a line of the record.
    pub fn write(&self, entry: Entry) {
        let book = self.book();
        self.put(book, entry);
    }

    /// Takes a look and writes it, with nothing between: what is looked at after a phase was written
    /// belongs to it, however long its writer was kept waiting.
    fn write_look(&self, look: impl FnOnce() -> Sample) {
        let book = self.book();
        let mut sample = look();
        // Two take samples: dated here, the later line is never the earlier moment.
        sample.at = now_ms();
        sample.mono_ms = Some(book.began.elapsed().as_millis() as u64);
        self.put(book, Entry::Sample(Box::new(sample)));
    }

    fn put(&self, mut book: MutexGuard<'_, Book>, entry: Entry) {
        book.line(&entry);
        let is_sample = matches!(entry, Entry::Sample(_));
        book.run.push(entry);
        if is_sample && book.glanced.elapsed() < GLANCE_EVERY {
            return;
        }
        book.glance();
        let view = book.view.clone();
        drop(book);
        self.show(view);
    }

    /// Changes the picture.
    pub fn view(&self, change: impl FnOnce(&mut Drill)) {
        let mut book = self.book();
        change(&mut book.view);
        let view = book.view.clone();
        drop(book);
        self.show(view);
    }

    fn show(&self, view: Drill) {
        self.bus.tell(Input::Drill(Box::new(view)));
    }

    /// Keeps the room's inputs beside the record, from now on.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn keep_history(&self, folder: &Path) -> std::io::Result<()> {
        self.ask(|done| Mail::KeepHistory { path: folder.join(HISTORY), done }).await
    }

    /// Ends it; what could not be written is told in the log: without it the drill cannot be played
    /// again, its verdict needs only the record.
    pub async fn end_history(&self, folder: &Path) {
        if let Err(error) =
            self.ask(|done| Mail::EndHistory { path: folder.join(HISTORY), done }).await
        {
            self.bus
                .note(Severity::Error, format!("the drill's history cannot be replayed: {error}"));
        }
    }

    async fn ask(
        &self,
        mail: impl FnOnce(oneshot::Sender<std::io::Result<()>>) -> Mail,
    ) -> std::io::Result<()> {
        let (done, answer) = oneshot::channel();
        self.bus.send(mail(done)).map_err(std::io::Error::other)?;
        answer.await.map_err(std::io::Error::other)?
    }

    /// Why the record cannot be written, if it cannot.
    pub fn trouble(&self) -> Option<String> {
        self.book().trouble.clone()
    }

    /// The run so far.
    pub fn run(&self) -> Run {
        self.book().run.clone()
    }

    /// Takes samples until `stop`: whenever the picture changed, and once a second anyway.
    pub fn sample_until(
        self: &Arc<Self>,
        runtime: Arc<Runtime>,
        mut statuses: Statuses,
        by_hand: Option<Arc<ByHand>>,
        stop: CancellationToken,
    ) -> tokio::task::JoinHandle<()> {
        let recorder = Arc::clone(self);
        tokio::spawn(async move {
            let mut last = Sample::default();
            let mut elsewhere = elsewhere(&statuses);
            let mut written = Instant::now();
            loop {
                let mut now = look(&runtime, &statuses);
                now.at = last.at;
                recorder.note_elsewhere(&runtime, &statuses, &mut elsewhere);
                if now != last || written.elapsed() >= SAMPLE_ANYWAY {
                    written = Instant::now();
                    if let Some(by_hand) = &by_hand {
                        by_hand.look(&now);
                    }
                    last = now;
                    recorder.write_look(|| look(&runtime, &statuses));
                }
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(SAMPLE_EVERY) => {}
                }
                let rest = SAMPLE_ANYWAY.saturating_sub(written.elapsed());
                tokio::select! {
                    () = stop.cancelled() => return,
                    changed = statuses.changed() => if changed.is_err() { return },
                    () = tokio::time::sleep(rest) => {}
                }
            }
        })
    }

    /// Ends the drill once somebody else has fetched messages of a consumer: which, it will not get.
    fn note_elsewhere(
        &self,
        runtime: &Runtime,
        statuses: &Statuses,
        known: &mut BTreeMap<ZoneName, u64>,
    ) {
        for (zone, total) in elsewhere(statuses) {
            let before = known.insert(zone.clone(), total).unwrap_or(total);
            let count = total.saturating_sub(before);
            if count > 0 {
                let why = fetched_elsewhere(&zone, count);
                self.write(Entry::Elsewhere { zone, count });
                runtime.active_drill.end(&why);
            }
        }
    }

    /// Takes a sample now.
    pub fn sample(&self, runtime: &Runtime, statuses: &Statuses) {
        self.write_look(|| look(runtime, statuses));
    }
}

/// What is known now; of its connection the producer is asked itself.
fn look(runtime: &Runtime, statuses: &Statuses) -> Sample {
    let mut sample = Sample::of(&statuses.borrow().status);
    if let Ok(producer) = runtime.producer() {
        producer.connection().put(&mut sample.status.producer);
    }
    sample
}

/// How many deliveries of each zone's consumer came to somebody else so far.
fn elsewhere(statuses: &Statuses) -> BTreeMap<ZoneName, u64> {
    let published = statuses.borrow();
    let zones = published.status.zones.iter();
    zones.filter_map(|z| Some((z.name.clone(), z.consumer.as_ref()?.elsewhere))).collect()
}

impl Book {
    fn line(&mut self, entry: &Entry) {
        let written =
            serde_json::to_vec(entry).map_err(std::io::Error::from).and_then(|mut line| {
                line.push(b'\n');
                self.file.write_all(&line)
            });
        if let Err(error) = written {
            self.trouble.get_or_insert_with(|| error.to_string());
        }
    }

    /// What the record adds up to so far. A verdict that stands is not looked at again.
    fn glance(&mut self) {
        self.glanced = Instant::now();
        if self.view.ended_at_ms.is_some() {
            return;
        }
        let (verdict, evidence, counters) = checks::live(&self.run);
        // Only the end can prove anything.
        self.view.verdict = if verdict == Verdict::Proved { Verdict::Holding } else { verdict };
        self.view.evidence = evidence;
        self.view.counters = counters;
    }
}
