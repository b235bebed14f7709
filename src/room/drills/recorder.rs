//! The recorder: a drill's record on disk as it happens, and its picture on every screen.

use std::{
    fs::File,
    io::Write,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use super::{Snapshots, sample};
use crate::{
    drill::{
        law,
        record::{Begin, Entry, Sample},
        run::Run,
    },
    region::snapshot::{Drill, Verdict},
    room::{bus::Bus, clock::now_ms, engine::Engine},
};

/// Samples are taken at most this often.
const SAMPLE_EVERY: Duration = Duration::from_millis(50);
/// And at least this often.
const SAMPLE_ANYWAY: Duration = Duration::from_secs(1);
/// Samples change the picture at most this often: its counters are for people, and are counted over
/// all of the run. The record has every sample.
const GLANCE_EVERY: Duration = Duration::from_millis(200);

/// The recorder of one run.
pub struct Recorder {
    bus: Bus,
    book: Mutex<Book>,
}

struct Book {
    file: File,
    run: Run,
    view: Drill,
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
    pub fn begin(bus: Bus, folder: &Path, begin: Begin, view: Drill) -> std::io::Result<Self> {
        let file = File::create(folder.join(super::RECORD))?;
        let begin = Entry::Begin(Box::new(begin));
        let run = Run::from_entries([begin.clone()]);
        let mut book = Book { file, run, view, glanced: Instant::now(), trouble: None };
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
    pub fn write(&self, mut entry: Entry) {
        let mut book = self.book();
        // Two take samples: dated here, the later line is never the earlier moment.
        let is_sample = if let Entry::Sample(sample) = &mut entry {
            sample.at = now_ms();
            true
        } else {
            false
        };
        book.line(&entry);
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
        self.bus.change(move |state, _| {
            let name = view.name.clone();
            let conclude = view.conclusion.is_some();
            let (verdict, evidence) = (view.verdict, view.evidence.clone());
            let mut events = state.drill(Some(view));
            if conclude {
                events.extend(state.conclude(&name, verdict, &evidence));
            }
            events
        });
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
        engine: Arc<Engine>,
        mut snapshots: Snapshots,
        stop: CancellationToken,
    ) -> tokio::task::JoinHandle<()> {
        let recorder = Arc::clone(self);
        tokio::spawn(async move {
            let mut last = Sample::default();
            let mut written = Instant::now();
            loop {
                let mut now = recorder.take(&engine, &snapshots);
                now.at = last.at;
                if now != last || written.elapsed() >= SAMPLE_ANYWAY {
                    last = now.clone();
                    written = Instant::now();
                    recorder.write(Entry::Sample(Box::new(now)));
                }
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(SAMPLE_EVERY) => {}
                }
                let rest = SAMPLE_ANYWAY.saturating_sub(written.elapsed());
                tokio::select! {
                    () = stop.cancelled() => return,
                    changed = snapshots.changed() => if changed.is_err() { return },
                    () = tokio::time::sleep(rest) => {}
                }
            }
        })
    }

    /// Takes a sample now.
    pub fn sample(&self, engine: &Engine, snapshots: &Snapshots) {
        let now = self.take(engine, snapshots);
        self.write(Entry::Sample(Box::new(now)));
    }

    #[allow(clippy::unused_self)]
    fn take(&self, engine: &Engine, snapshots: &Snapshots) -> Sample {
        let producer = engine.producer().ok();
        sample::of(&snapshots.borrow().snapshot, producer.as_deref())
    }
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
        if self.view.ended_ms.is_some() {
            return;
        }
        let (verdict, evidence, counters) = law::glance(&self.run);
        // Only the end can prove anything.
        self.view.verdict = if verdict == Verdict::Proved { Verdict::Holding } else { verdict };
        self.view.evidence = evidence;
        self.view.counters = counters;
    }
}
