//! The line to the terminal: frames go out by a thread of their own, which may be held up for as
//! long as the line likes, and the terminal is asked whether it has them.
//!
//! At most one frame is under way: the next is drawn when the terminal has answered for the last,
//! so that what is seen is never older than the line is slow.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::Duration,
};

use rustix::io::Errno;
use tokio::{sync::watch, time::Instant};

use super::{is_taken, with_output};

/// Primary device attributes: every terminal answers it, once it has drawn what came before.
pub const QUESTION: &[u8] = b"\x1b[c";
/// Bytes written at once: few, so that little is under way when the screen ends.
const PART: usize = 512;
/// How long a terminal may take for its first answer before it is taken for one that gives none.
const FIRST_ANSWER: Duration = Duration::from_millis(500);
/// After so long without an answer it is asked once more: one may have been lost.
const ASK_AGAIN: Duration = Duration::from_secs(5);
/// A terminal that has shown no sign for so long is not there.
const SILENT: Duration = Duration::from_secs(10);
/// Where nothing is drawn it is asked this often: a dead line is noticed within 15 s.
const IDLE: Duration = Duration::from_secs(4);
/// An answer that takes longer than this is worth a word.
const SLOW: Duration = Duration::from_secs(1);

/// How far the writing is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Parts that the terminal has taken.
    pub parts: u64,
    /// Whole frames it has taken.
    pub frames: u64,
    /// It takes nothing more.
    pub lost: bool,
}

/// The way to the terminal; what is written at once goes out as a whole. Never waits.
#[derive(Clone, Debug)]
pub struct Line {
    /// What is to be written, and whether it counts as handed over.
    frames: mpsc::Sender<(Vec<u8>, bool)>,
    /// How many were handed over, and whether each ends with [`QUESTION`].
    handed: Arc<Mutex<(u64, bool)>>,
}

impl Line {
    /// Writes to standard output from now on.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn new() -> io::Result<(Self, watch::Receiver<Progress>)> {
        let (frames, to_write) = mpsc::channel::<(Vec<u8>, bool)>();
        let (progress, seen) = watch::channel(Progress::default());
        thread::Builder::new().name("frames".into()).spawn(move || {
            for (frame, counts) in to_write {
                let whole = frame.chunks(PART).all(|part| {
                    let written = write(part);
                    progress.send_modify(|progress| {
                        progress.parts += 1;
                        progress.lost |= written.is_err();
                    });
                    written.is_ok()
                });
                progress.send_modify(|progress| progress.frames += u64::from(whole && counts));
            }
        })?;
        Ok((Self { frames, handed: Arc::default() }, seen))
    }

    /// Asks, without a frame.
    pub fn ask(&self) {
        self.hand_over(QUESTION.to_vec());
    }

    /// Sends what is no part of a picture, behind what was drawn: nothing waits for it.
    pub fn tell(&self, signs: Vec<u8>) {
        let _ = self.frames.send((signs, false));
    }

    fn state(&self) -> MutexGuard<'_, (u64, bool)> {
        self.handed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hand_over(&self, frame: Vec<u8>) {
        self.state().0 += 1;
        // The thread lives as long as there is somebody to hand anything over.
        let _ = self.frames.send((frame, true));
    }
}

impl Write for Line {
    fn write(&mut self, frame: &[u8]) -> io::Result<usize> {
        let mut whole = frame.to_vec();
        if self.state().1 {
            whole.extend_from_slice(QUESTION);
        }
        self.hand_over(whole);
        Ok(frame.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes a part, unless the terminal is ours no longer.
fn write(mut part: &[u8]) -> Result<(), Errno> {
    with_output(|| {
        while !part.is_empty() && is_taken() {
            match rustix::io::write(rustix::stdio::stdout(), part) {
                Ok(n) => part = &part[n..],
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => thread::sleep(Duration::from_millis(5)),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    })
}

/// Whether the terminal answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answers {
    /// It was asked at this moment for the first time.
    NotYet(Instant),
    Yes,
    /// It has never answered.
    Never,
}

/// When the next frame may be drawn, and whether the terminal is there.
#[derive(Debug)]
pub struct Pace {
    line: Line,
    answers: Answers,
    /// Frames and questions that were handed over, as far as is known here.
    handed: u64,
    progress: Progress,
    /// Questions without an answer, and since when.
    open: u32,
    asked: Instant,
    /// It was asked again since its last answer.
    again: bool,
    /// The last sign of the terminal.
    heard: Instant,
    /// When the last frame was handed over, while it is under way.
    drawn: Option<Instant>,
    /// How long the last frame took that has arrived.
    pub took: Duration,
    silent: bool,
}

impl Pace {
    /// Of a line that was just opened; asks.
    #[must_use]
    pub fn new(line: Line, now: Instant) -> Self {
        line.state().1 = true;
        line.ask();
        let handed = line.state().0;
        Self {
            line,
            handed,
            answers: Answers::NotYet(now),
            progress: Progress::default(),
            open: 1,
            asked: now,
            again: false,
            heard: now,
            drawn: None,
            took: Duration::ZERO,
            silent: false,
        }
    }

    /// Whether a frame drawn now would be the only one under way.
    #[must_use]
    pub fn is_free(&self) -> bool {
        match self.answers {
            // The first one is not waited with.
            Answers::NotYet(_) => self.drawn.is_none(),
            Answers::Yes => self.open == 0,
            Answers::Never => self.progress.frames >= self.handed,
        }
    }

    /// Something was drawn; perhaps nothing had changed, and nothing was sent.
    pub fn drew(&mut self, now: Instant) {
        let handed = self.line.state().0;
        if handed > self.handed {
            self.handed = handed;
            self.drawn = Some(now);
            if self.answers != Answers::Never {
                self.asks(now);
            }
        }
    }

    fn asks(&mut self, now: Instant) {
        if self.open == 0 {
            self.asked = now;
        }
        self.open += 1;
    }

    /// The terminal has taken something.
    pub fn wrote(&mut self, progress: Progress, now: Instant) {
        self.progress = progress;
        // A kernel takes a repeated question for a dead line as well.
        if !self.again {
            self.heard = now;
        }
        if self.answers == Answers::Never && progress.frames >= self.handed {
            self.arrived(now);
        }
    }

    fn arrived(&mut self, now: Instant) {
        if let Some(drawn) = self.drawn.take() {
            self.took = now.duration_since(drawn);
        }
    }

    /// The terminal has answered.
    pub fn answered(&mut self, now: Instant) {
        self.answers = Answers::Yes;
        self.line.state().1 = true;
        self.open = self.open.saturating_sub(1);
        self.asked = now;
        if self.open == 0 {
            self.arrived(now);
        }
        self.sign(now);
    }

    /// Something came from the terminal.
    pub fn sign(&mut self, now: Instant) {
        self.heard = now;
        self.again = false;
        self.silent = false;
    }

    /// Time passes: asks, if it is time to.
    pub fn tick(&mut self, now: Instant) {
        match self.answers {
            Answers::NotYet(since) if now.duration_since(since) >= FIRST_ANSWER => {
                self.answers = Answers::Never;
                self.line.state().1 = false;
                self.open = 0;
                if self.progress.frames >= self.handed {
                    self.arrived(now);
                }
            }
            Answers::Yes if self.open == 0 && now.duration_since(self.heard) >= IDLE => {
                self.question(now);
            }
            // All that was under way is written, or nothing is taken any more: one answer is
            // enough then.
            Answers::Yes
                if self.open > 0
                    && self.progress.frames >= self.handed
                    && now.duration_since(self.asked) >= ASK_AGAIN =>
            {
                self.open = 0;
                self.again = true;
                self.question(now);
            }
            _ => {}
        }
        let waits = match self.answers {
            Answers::Yes => self.open > 0,
            _ => self.progress.frames < self.handed,
        };
        self.silent |= waits && now.duration_since(self.heard) >= SILENT;
    }

    fn question(&mut self, now: Instant) {
        self.line.ask();
        self.handed = self.line.state().0;
        self.asks(now);
    }

    /// When [`tick`](Self::tick) is needed sooner than each second.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        match self.answers {
            Answers::NotYet(since) => Some(since + FIRST_ANSWER),
            _ => None,
        }
    }

    /// Whether the terminal shows no sign any more.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.silent
    }

    /// Whether an answer is still to come.
    #[must_use]
    pub fn owes(&self) -> bool {
        self.answers == Answers::Yes && self.open > 0
    }

    /// How old a picture is when it is seen, if that is worth a word.
    #[must_use]
    pub fn slow(&self, now: Instant) -> Option<Duration> {
        let waits = self.drawn.map_or(Duration::ZERO, |drawn| now.duration_since(drawn));
        Some(waits.max(self.took)).filter(|took| *took >= SLOW)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace() -> (Pace, Line, mpsc::Receiver<(Vec<u8>, bool)>, Instant) {
        let (frames, written) = mpsc::channel();
        let line = Line { frames, handed: Arc::default() };
        let now = Instant::now();
        (Pace::new(line.clone(), now), line, written, now)
    }

    fn draw(pace: &mut Pace, line: &mut Line, now: Instant) {
        assert!(pace.is_free());
        line.write_all(b"frame").unwrap();
        pace.drew(now);
    }

    fn after(now: Instant, ms: u64) -> Instant {
        now + Duration::from_millis(ms)
    }

    #[test]
    fn one_frame_is_under_way_and_the_next_waits_for_the_answer() {
        let (mut pace, mut line, written, now) = pace();
        draw(&mut pace, &mut line, now);
        assert!(!pace.is_free());
        pace.answered(after(now, 20));
        assert!(!pace.is_free(), "the frame's own answer is still to come");
        pace.answered(after(now, 40));
        draw(&mut pace, &mut line, after(now, 50));
        assert!(!pace.is_free() && pace.owes());
        assert_eq!(pace.slow(after(now, 900)), None);
        assert_eq!(pace.slow(after(now, 1550)), Some(Duration::from_millis(1500)));
        pace.answered(after(now, 1550));
        assert!(pace.is_free() && !pace.owes());
        assert_eq!(pace.slow(after(now, 1560)), Some(Duration::from_millis(1500)));
        let frames: Vec<Vec<u8>> = written.try_iter().map(|(frame, _)| frame).collect();
        assert_eq!(frames, [&b"\x1b[c"[..], b"frame\x1b[c", b"frame\x1b[c"]);
    }

    #[test]
    fn a_terminal_that_never_answers_is_not_waited_for() {
        let (mut pace, mut line, written, now) = pace();
        draw(&mut pace, &mut line, now);
        pace.tick(after(now, 400));
        assert!(!pace.is_free());
        pace.tick(after(now, 500));
        let progress = Progress { parts: 2, frames: 2, lost: false };
        pace.wrote(progress, after(now, 510));
        draw(&mut pace, &mut line, after(now, 520));
        assert!(!pace.is_free(), "it is not written yet");
        pace.tick(after(now, 9000));
        assert!(!pace.is_silent());
        pace.tick(after(now, 10_600));
        assert!(pace.is_silent(), "nothing was taken for 10 s");
        assert_eq!(written.try_iter().last().unwrap().0, b"frame");
        // A late first answer is one.
        pace.answered(after(now, 11_000));
        assert!(!pace.is_silent() && pace.is_free());
    }

    #[test]
    fn a_dead_line_is_noticed_within_15_s_and_a_lost_answer_is_none() {
        let (mut pace, _line, written, now) = pace();
        pace.answered(after(now, 10));
        let mut at = now;
        while !pace.is_silent() {
            at += Duration::from_secs(1);
            pace.tick(at);
            // The kernel takes everything, as it does for a dead line for a while.
            let frames = pace.line.state().0;
            if frames > pace.progress.frames {
                pace.wrote(Progress { parts: frames, frames, lost: false }, at);
            }
        }
        assert!(at.duration_since(now) <= Duration::from_secs(15), "{:?}", at - now);
        assert!(!pace.is_free());
        assert!(written.try_iter().count() >= 3, "it was asked again");
        pace.answered(at);
        assert!(!pace.is_silent() && pace.is_free());
    }
}
