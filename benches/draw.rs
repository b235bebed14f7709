//! What a frame costs: time to draw it, and bytes written to the terminal.

#![allow(clippy::expect_used, reason = "a benchmark may end with a message")]

use std::{
    cell::Cell,
    io::{self, Write},
    rc::Rc,
};

use divan::{Bencher, counter::BytesCount};
use jiff::tz::TimeZone;
use ratatui::{Terminal, TerminalOptions, Viewport, backend::CrosstermBackend, layout::Rect};
use zonedrill::{
    command::keys::Keymap,
    region::{Event, EventKind, Severity, Status, actor::Actor},
    tui::{
        draw, sample,
        state::{Connection, ViewState},
        terminal::Frames,
        theme::{Colours, Theme},
    },
};

fn main() {
    report();
    divan::main();
}

/// Counts what is written.
#[derive(Clone, Default)]
struct Counter(Rc<Cell<usize>>);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.set(self.0.get() + bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Screen {
    terminal: Terminal<CrosstermBackend<Frames<Counter>>>,
    counter: Counter,
    view: ViewState,
    theme: Theme,
}

impl Screen {
    fn new(width: u16, height: u16) -> Self {
        let counter = Counter::default();
        let viewport = Viewport::Fixed(Rect::new(0, 0, width, height));
        let backend = CrosstermBackend::new(Frames::new(counter.clone()));
        let terminal =
            Terminal::with_options(backend, TerminalOptions { viewport }).expect("a counter");
        let keymap = Keymap::standard().expect("the standard keymap");
        let mut view = ViewState::new(keymap, TimeZone::UTC);
        view.connection = Connection::Live;
        view.drives = true;
        view.me = Some(1);
        view.size = (width, height);
        Self { terminal, counter, view, theme: Theme::new(Colours::Default, false) }
    }

    /// Draws a frame and returns the bytes it took.
    fn draw(&mut self, status: &Status, now: u64) -> usize {
        let before = self.counter.0.get();
        let Self { terminal, view, theme, .. } = self;
        terminal.draw(|frame| draw::render(frame, status, view, theme, now)).expect("a counter");
        self.counter.0.get() - before
    }

    fn log(&mut self, id: u64, at_ms: u64) {
        let text = format!("message {id}: something happened that takes a line of the log");
        let kind = EventKind::Note { severity: Severity::Info, text };
        self.view.log.push(&Event { id, at_ms, actor: Actor::room(), kind });
    }
}

/// Bytes a second at 120x40, drawn as the screen draws: four frames of numbers a second, one
/// second of ages when at rest, and at most twenty when things happen.
fn report() {
    let seconds = 60;
    let rate = |name: &str, frames: u64, messages: u64, lines: u64| {
        let mut screen = Screen::new(120, 40);
        let mut region = sample::at(if messages > 0 { "producing" } else { "idle" });
        let status = region.status();
        for id in 1..20 {
            screen.log(id, status.at_ms);
        }
        let first = screen.draw(&status, status.at_ms);
        let mut total = 0;
        for frame in 0..seconds * frames {
            let now = region.status().at_ms + 1000 / frames;
            region.go_on(messages / frames, now);
            let status = region.status();
            for line in 0..lines / frames {
                screen.log(100 + frame * 100 + line, status.at_ms);
            }
            total += screen.draw(&status, status.at_ms) as u64;
        }
        let mut out = io::stdout().lock();
        let _ = writeln!(
            out,
            "120x40 {name:<34} first frame {first:>5} B, then {:>6} B/s",
            total / seconds
        );
    };
    rate("at rest, a frame a second", 1, 0, 0);
    rate("50 msg/s, 4 frames a second", 4, 50, 0);
    rate("busy: 1000 msg/s, 20 log lines/s", 20, 1000, 20);
}

#[divan::bench]
fn frame_200x60_ten_zones(bencher: Bencher) {
    let mut screen = Screen::new(200, 60);
    let now = sample::status("ten cut").at_ms;
    for id in 1..200 {
        screen.log(id, now);
    }
    let bencher = bencher.counter(BytesCount::new(200_usize * 60));
    frames(bencher, "ten cut", screen);
}

#[divan::bench]
fn frame_120x40_two_zones(bencher: Bencher) {
    frames(bencher, "cut", Screen::new(120, 40));
}

/// The region goes on between two frames; only drawing is measured.
fn frames(bencher: Bencher, moment: &str, mut screen: Screen) {
    let mut region = sample::at(moment);
    let mut now = region.status().at_ms;
    let next = || {
        now += 50;
        region.go_on(13, now);
        region.status()
    };
    bencher.with_inputs(next).bench_local_values(|status| screen.draw(&status, status.at_ms));
}
