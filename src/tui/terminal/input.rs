//! What the terminal sends: read by a thread of its own, and told apart.
//!
//! The thread never waits for the screen: it sees a terminal that is gone whatever is still to be
//! worked through.

use std::{
    collections::VecDeque,
    io::{self, PipeWriter},
    thread,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};
use termina::{
    Event, Parser,
    escape::csi::{Csi, Device},
    event::{MouseButton, MouseEventKind},
};
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    command::keys::Key,
    tui::{keys, update::Mouse},
};

/// How much is read at once, in bytes.
const CHUNK: usize = 4096;
/// How many chunks wait for the screen; more stay with the kernel.
const CHUNKS: usize = 8;
/// How long the rest of a sequence may take before an escape is a key of its own.
const ESCAPE: Duration = Duration::from_millis(40);
/// The longest paste that is taken, in bytes; the rest is dropped.
pub const LONGEST_PASTE: usize = 16 * 1024;
/// The longest sequence of a terminal, in bytes; a longer one is none.
const LONGEST_SEQUENCE: usize = 256;
const ESC: u8 = 0x1b;
const PASTE: &[u8] = b"\x1b[200~";
const PASTED: &[u8] = b"\x1b[201~";

/// One thing that a terminal sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    Key(Key),
    Paste(String),
    Mouse(Mouse),
    /// The answer to [`QUESTION`](super::line::QUESTION).
    Answer,
}

/// The keys of this process' terminal. Dropped, it leaves the rest to who reads next.
#[derive(Debug)]
pub struct Keyboard {
    chunks: mpsc::Receiver<Vec<u8>>,
    decoder: Decoder,
    ready: VecDeque<Input>,
    /// When what has come of a sequence is all there is.
    over: Option<Instant>,
    /// Closed, it ends the thread.
    _open: PipeWriter,
}

impl Keyboard {
    /// Reads standard input from now on; `lost` is cancelled when the terminal is gone.
    ///
    /// # Errors
    /// When the system has no thread or pipe left.
    pub fn new(lost: CancellationToken) -> io::Result<Self> {
        let (closed, open) = io::pipe()?;
        let (to_screen, chunks) = mpsc::channel(CHUNKS);
        thread::Builder::new().name("keyboard".into()).spawn(move || {
            if !read(&to_screen, &closed) {
                lost.cancel();
            }
        })?;
        let (decoder, ready) = (Decoder::default(), VecDeque::new());
        Ok(Self { chunks, decoder, ready, over: None, _open: open })
    }

    /// What comes next. Nothing is lost when it is not awaited to its end. Never returns once the
    /// terminal is gone.
    pub async fn next(&mut self) -> Input {
        loop {
            if let Some(input) = self.ready.pop_front() {
                return input;
            }
            let over = self.over;
            tokio::select! {
                chunk = self.chunks.recv() => match chunk {
                    Some(chunk) => self.ready.extend(self.decoder.take(&chunk)),
                    None => std::future::pending().await,
                },
                () = tokio::time::sleep_until(over.unwrap_or_else(Instant::now)), if over.is_some() => {
                    self.ready.extend(self.decoder.no_more());
                }
            }
            self.over = self.decoder.waits().then(|| Instant::now() + ESCAPE);
        }
    }
}

/// Reads until the screen has enough (`true`) or the terminal is gone.
fn read(to_screen: &mpsc::Sender<Vec<u8>>, closed: &io::PipeReader) -> bool {
    let stdin = rustix::stdio::stdin();
    // With no room for more, only the terminal's end is waited for, and room.
    let (pause, mut bytes) = (Timespec { tv_sec: 0, tv_nsec: 20_000_000 }, [0; CHUNK]);
    loop {
        let room = to_screen.capacity() > 0;
        let wanted = if room { PollFlags::IN } else { PollFlags::empty() };
        let mut fds = [PollFd::new(&stdin, wanted), PollFd::new(closed, PollFlags::IN)];
        match poll(&mut fds, (!room).then_some(&pause)) {
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(_) => return false,
        }
        let [terminal, closed] = fds.map(|fd| fd.revents());
        if !closed.is_empty() {
            return true;
        }
        // End-of-file is the end, whatever there is still to read.
        if terminal.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
            return false;
        }
        if !terminal.contains(PollFlags::IN) {
            continue;
        }
        match rustix::io::read(stdin, &mut bytes) {
            Ok(0) => return false,
            Ok(n) => {
                if to_screen.try_send(bytes[..n].to_vec()).is_err() && to_screen.is_closed() {
                    return true;
                }
            }
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(_) => return false,
        }
    }
}

/// Bytes to [`Input`]s. termina knows the sequences; pastes are collected here, where their length
/// is bounded.
#[derive(Debug, Default)]
struct Decoder {
    parser: Parser,
    /// How many bytes of a sequence the parser keeps.
    held: usize,
    /// They are an escape and nothing else.
    escape: bool,
    /// How many bytes of a paste's mark have come, while none is under way; of its end, otherwise.
    mark: usize,
    paste: Option<Vec<u8>>,
}

impl Decoder {
    fn take(&mut self, bytes: &[u8]) -> Vec<Input> {
        let mut found = Vec::new();
        for &byte in bytes {
            let mark = if self.paste.is_some() { PASTED } else { PASTE };
            self.mark = match self.mark {
                at if mark[at] == byte => at + 1,
                _ => usize::from(mark[0] == byte),
            };
            match &mut self.paste {
                Some(paste) => {
                    if paste.len() < LONGEST_PASTE + PASTED.len() {
                        paste.push(byte);
                    }
                    if self.mark == PASTED.len() {
                        found.extend(self.pasted());
                    }
                }
                None if self.mark == PASTE.len() => {
                    // The parser has seen its beginning, and waits for what follows.
                    self.forget();
                    self.paste = Some(Vec::new());
                    self.mark = 0;
                }
                None => self.parse(byte, &mut found),
            }
        }
        found
    }

    fn pasted(&mut self) -> Option<Input> {
        self.mark = 0;
        let mut paste = self.paste.take()?;
        if paste.ends_with(PASTED) {
            paste.truncate(paste.len() - PASTED.len());
        }
        paste.truncate(LONGEST_PASTE);
        Some(Input::Paste(String::from_utf8_lossy(&paste).into_owned()))
    }

    fn parse(&mut self, byte: u8, found: &mut Vec<Input>) {
        if self.escape && byte == ESC {
            // The first is a key. The parser would take both for it, and the rest of what the second
            // begins for keys: an answer of the terminal has digits in it that run drills.
            let mark = self.mark;
            found.extend(self.no_more());
            self.mark = mark;
        }
        self.parser.parse(&[byte], true);
        self.escape = self.held == 0 && byte == ESC;
        self.held += 1;
        while let Some(event) = self.parser.pop() {
            self.held = 0;
            self.escape = false;
            found.extend(input(&event));
        }
        if self.held > LONGEST_SEQUENCE {
            self.forget();
        }
    }

    fn forget(&mut self) {
        self.parser = Parser::default();
        self.held = 0;
        self.escape = false;
    }

    /// Whether a sequence has begun that may go on.
    fn waits(&self) -> bool {
        self.held > 0 && self.paste.is_none()
    }

    /// Nothing more has come for a while.
    fn no_more(&mut self) -> Vec<Input> {
        self.parser.parse(&[], false);
        let mut found = Vec::new();
        while let Some(event) = self.parser.pop() {
            found.extend(input(&event));
        }
        self.forget();
        self.mark = 0;
        found
    }
}

fn input(event: &Event) -> Option<Input> {
    Some(match event {
        Event::Key(key) => Input::Key(keys::from_terminal(*key)?),
        Event::Mouse(mouse) => Input::Mouse(match mouse.kind {
            MouseEventKind::Down(MouseButton::Left) => {
                Mouse::Click { x: mouse.column, y: mouse.row }
            }
            MouseEventKind::ScrollUp => Mouse::WheelUp,
            MouseEventKind::ScrollDown => Mouse::WheelDown,
            _ => return None,
        }),
        Event::Csi(Csi::Device(Device::DeviceAttributes(()))) => Input::Answer,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys(words: &str) -> Vec<Input> {
        words.split_whitespace().map(|word| Input::Key(word.parse().unwrap())).collect()
    }

    #[test]
    fn keys_answers_and_pastes_are_told_apart_however_they_are_split() {
        let bytes =
            "x\x1b[A\x1b[?62;22c\x1b[200~cut \x1b[b\ny\x1b[201~ü\x1bOP\r\x1b[1;5D\x03".as_bytes();
        let mut wanted = keys("x up");
        wanted.extend([Input::Answer, Input::Paste("cut \x1b[b\ny".into())]);
        wanted.extend(keys("ü f1 enter ctrl-left ctrl-c"));
        for size in 1..bytes.len() {
            let mut decoder = Decoder::default();
            let found: Vec<Input> =
                bytes.chunks(size).flat_map(|part| decoder.take(part)).collect();
            assert_eq!(found, wanted, "{size}");
            assert!(!decoder.waits());
        }
    }

    #[test]
    fn an_escape_alone_is_a_key_once_nothing_follows() {
        let mut decoder = Decoder::default();
        assert_eq!(decoder.take(b"\x1b"), []);
        assert!(decoder.waits());
        assert_eq!(decoder.no_more(), keys("esc"));
        assert_eq!(decoder.take(b"q"), keys("q"));
        assert!(!decoder.waits());
    }

    #[test]
    fn an_escape_takes_nothing_from_what_follows_it() {
        for (bytes, follows) in [
            (&b"\x1b\x1b[?62;22c"[..], vec![Input::Answer]),
            (b"\x1b\x1b[A", keys("up")),
            (b"\x1b\x1b[200~2\x1b[201~", vec![Input::Paste("2".into())]),
            (b"\x1b\x1b", keys("esc")),
        ] {
            let wanted = [keys("esc"), follows].concat();
            for size in 1..=bytes.len() {
                let mut decoder = Decoder::default();
                let mut found: Vec<Input> =
                    bytes.chunks(size).flat_map(|part| decoder.take(part)).collect();
                found.extend(decoder.no_more());
                assert_eq!(found, wanted, "{bytes:?} {size}");
            }
        }
    }

    #[test]
    fn a_paste_and_a_sequence_without_an_end_are_bounded() {
        let mut decoder = Decoder::default();
        decoder.take(PASTE);
        for _ in 0..100 {
            assert_eq!(decoder.take(&[b'x'; 4096]), []);
        }
        assert!(decoder.paste.as_ref().unwrap().len() < LONGEST_PASTE + 100);
        let found = decoder.take(b"\x1b[201~q");
        assert_eq!(found[0], Input::Paste("x".repeat(LONGEST_PASTE)));
        assert_eq!(found[1..], keys("q"));
        decoder.take(b"\x1b[?");
        for _ in 0..100 {
            decoder.take(b"1;1;1;1;1;1;1;1;1;1;");
        }
        decoder.no_more();
        assert_eq!(decoder.take(b"q"), keys("q"));
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_much(bytes in proptest::collection::vec(
            prop_oneof![any::<u8>(), Just(0x1b), Just(b'['), Just(b'<'), Just(b'?'), Just(b'M'), Just(b';')], 0..200)) {
            let mut decoder = Decoder::default();
            decoder.take(&bytes);
            decoder.no_more();
            decoder.take(&[PASTED, b"\x1b[A"].concat());
        }
    }
}
