//! The loop: receive, update, draw if something changed.

use std::{
    io::{self, Stdout},
    process,
    time::Duration,
};

use color_eyre::eyre::WrapErr;
use crossterm::event::{Event as Input, EventStream, MouseButton, MouseEventKind};
use futures::StreamExt;
use jiff::tz::TimeZone;
use ratatui::{Terminal, backend::CrosstermBackend};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
    time::{Instant, MissedTickBehavior},
};

use super::{
    Feed, FromRoom, Leave, Left, ScreenOptions, ToRoom, draw, keys, layout,
    place::Place,
    state::{Connection, ViewState},
    terminal::{self, Frames, Taken},
    theme::Theme,
    update::{self, Effect, Mouse},
};
use crate::{
    command::{CastFormat, ScreenSize},
    record::{BrokenOff, RecordError, Recorded, Tap},
    region::Snapshot,
    room::{
        clock::now_ms as now,
        protocol::{Message, Outcome},
    },
};

/// At most 20 frames a second: nobody sees more, and a thin line carries no more.
pub(super) const SOON: Duration = Duration::from_millis(50);
/// Numbers alone are drawn four times a second: they are read, not watched.
pub(super) const NUMBERS: Duration = Duration::from_millis(250);
/// Over a line that may be thin, both come half as often: a frame that waits in the line's buffers
/// is a frame that lies by the time it is seen.
const THIN: u32 = 2;
/// Uptime is shown in minutes.
const MINUTE: Duration = Duration::from_secs(60);

/// One thing that happened to the screen, in the order it happened.
#[derive(Debug)]
enum Event {
    Input(Input),
    Room(FromRoom),
    RoomEnded,
    Second,
    Stopped,
    Continued,
    TerminalLost,
}

/// When the next frame is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// Nothing changed.
    Not,
    /// Numbers changed.
    Numbers,
    /// Something a person waits for changed.
    Soon,
}

/// A running screen.
struct Screen {
    terminal: Terminal<CrosstermBackend<Frames<Stdout>>>,
    taken: Taken,
    snapshot: Snapshot,
    view: ViewState,
    theme: Theme,
    to_room: mpsc::Sender<ToRoom>,
    due: Due,
    drawn: Instant,
    tap: Tap,
    place: Option<Place>,
    /// By how much frames come less often.
    slower: u32,
}

/// Shows a room on this process' terminal until the person leaves, the room ends, or the terminal
/// is gone. SIGTERM, SIGINT, SIGHUP and SIGQUIT give the terminal back and end the process with
/// 128+n; SIGTSTP gives it back until SIGCONT.
///
/// To be awaited where the runtime was entered (`block_on`), so that it stays on one thread: a
/// panic of that thread gives the terminal back, a panic of any other leaves the screen up.
///
/// # Errors
/// When stdout is no terminal, or writing to it fails for another reason than that it is gone.
pub async fn run(feed: Feed, mut options: ScreenOptions) -> color_eyre::Result<Left> {
    let Feed { mut from_room, to_room } = feed;
    let _end_on_signal = EndOnSignal::new()?;
    let job_control =
        |wanted: rustix::process::Signal| signal(SignalKind::from_raw(wanted.as_raw()));
    let mut stopped = job_control(rustix::process::Signal::TSTP)?;
    let mut continued = job_control(rustix::process::Signal::CONT)?;
    let taken = Taken::new(options.mouse, options.stderr_log.as_deref())
        .wrap_err("the screen needs a terminal: `zonedrill status` prints without one")?;
    let mut view = ViewState::new(options.keymap, TimeZone::system());
    view.name = options.name;
    view.guest = options.guest;
    if let Some(place) = &mut options.place {
        view.focus.clone_from(&place.view.focus);
        view.zoom = place.view.zoom;
        place.write();
    }
    // tui-logger's buffer cannot be wound back.
    if !options.replay {
        view.log.through_tui_logger();
    }
    let tap = Tap::default();
    let frames = Frames::tapped(io::stdout(), tap.clone());
    let mut screen = Screen {
        terminal: Terminal::new(CrosstermBackend::new(frames))?,
        taken,
        snapshot: Snapshot::default(),
        view,
        theme: Theme::new(!options.no_color, options.ascii),
        to_room,
        due: Due::Soon,
        drawn: Instant::now() - NUMBERS,
        tap,
        place: options.place,
        slower: if options.thin { THIN } else { 1 },
    };
    if let Some((path, format)) = options.record {
        // Told by the shell, before there is a screen to tell it on.
        if let Err(error) = screen.record(&path, format) {
            terminal::restore();
            return Err(error.into());
        }
    }
    let left = screen.events(&mut from_room, &mut stopped, &mut continued).await;
    let recorded = screen.end_recording();
    terminal::restore();
    let leave = match left {
        Err(e) if is_gone(&e) || !terminal::is_there() => Leave::TerminalLost,
        other => {
            if let Some(place) = &screen.place
                && !matches!(other, Ok(Leave::TerminalLost))
            {
                place.remove();
            }
            other?
        }
    };
    Ok(Left { leave, recorded })
}

/// Whether an error says that there is no terminal any more.
fn is_gone(error: &io::Error) -> bool {
    let gone = [rustix::io::Errno::IO, rustix::io::Errno::PIPE, rustix::io::Errno::NXIO];
    gone.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// The task that ends the process on a signal, while the screen is up. A task of its own: the
/// screen may be stuck writing to a terminal that takes nothing.
struct EndOnSignal(tokio::task::JoinHandle<()>);

impl EndOnSignal {
    fn new() -> io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hangup = signal(SignalKind::hangup())?;
        let mut quit = signal(SignalKind::quit())?;
        Ok(Self(tokio::spawn(async move {
            let kind = tokio::select! {
                _ = terminate.recv() => SignalKind::terminate(),
                _ = interrupt.recv() => SignalKind::interrupt(),
                _ = hangup.recv() => SignalKind::hangup(),
                _ = quit.recv() => SignalKind::quit(),
            };
            terminal::restore_now();
            process::exit(128 + kind.as_raw_value());
        })))
    }
}

impl Drop for EndOnSignal {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Screen {
    async fn events(
        &mut self,
        from_room: &mut mpsc::Receiver<FromRoom>,
        stopped: &mut Signal,
        continued: &mut Signal,
    ) -> io::Result<Leave> {
        let mut input = EventStream::new();
        let mut second = tokio::time::interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let frame = self.frame_at();
            let event = tokio::select! {
                // Keys before the room: a flood of pictures must not keep a person out.
                biased;
                _ = continued.recv() => Event::Continued,
                // By a signal, as the key does it: the shell must not find a terminal that is ours.
                _ = stopped.recv() => Event::Stopped,
                event = input.next() => match event {
                    Some(Ok(event)) => Event::Input(event),
                    Some(Err(_)) | None => Event::TerminalLost,
                },
                () = tokio::time::sleep_until(frame.unwrap_or_else(Instant::now)),
                    if frame.is_some() => {
                    self.draw()?;
                    continue;
                }
                message = from_room.recv() => message.map_or(Event::RoomEnded, Event::Room),
                _ = second.tick() => Event::Second,
            };
            for effect in self.take(event)? {
                match effect {
                    Effect::Leave(leave) => return Ok(leave),
                    Effect::Send { id, line } => self.send(id, line),
                    Effect::Wind(wind) => {
                        // A full way: so many keys at once are not all meant.
                        let _ = self.to_room.try_send(ToRoom::Wind(wind));
                    }
                    Effect::Redraw => self.redraw()?,
                    Effect::Suspend => self.suspend()?,
                    Effect::Record { file, format } => self.start_recording(file, format)?,
                    Effect::StopRecording => self.stop_recording(),
                }
            }
            if let Some(place) = &mut self.place {
                place.keep(&self.view);
            }
            if let Some(broken) = self.broken_off() {
                self.view.say(broken.to_string(), Some(Outcome::Broken), now());
                self.due = Due::Soon;
            }
        }
    }

    /// Opens the tap; what is on the screen already is drawn anew into it.
    fn record(&mut self, path: &std::path::Path, format: CastFormat) -> Result<(), RecordError> {
        let size =
            self.terminal.size().map_err(|why| RecordError::Io { path: path.to_owned(), why })?;
        let size = ScreenSize { columns: size.width, rows: size.height };
        let region = &self.snapshot.region;
        let title =
            if region.is_empty() { "zonedrill".into() } else { format!("zonedrill: {region}") };
        self.tap.start(path, format, size, &title)?;
        self.view.recording = true;
        Ok(())
    }

    fn start_recording(
        &mut self,
        file: Option<std::path::PathBuf>,
        format: CastFormat,
    ) -> io::Result<()> {
        let path = file.unwrap_or_else(|| {
            let at = jiff::Zoned::now().strftime("%Y%m%d-%H%M%S");
            format!("zonedrill-{}-{at}.cast", self.snapshot.region).into()
        });
        match self.record(&path, format) {
            Ok(()) => {
                self.view.say(format!("recording into {}", path.display()), None, now());
                self.redraw()
            }
            Err(error) => {
                self.view.say(error.to_string(), Some(Outcome::Refused), now());
                Ok(())
            }
        }
    }

    fn stop_recording(&mut self) {
        let (text, outcome) = match self.end_recording() {
            Some(Ok(recorded)) => (recorded.to_string(), Outcome::Done),
            Some(Err(broken)) => (broken.to_string(), Outcome::Broken),
            None => ("this screen is not being recorded".into(), Outcome::Refused),
        };
        self.view.say(text, Some(outcome), now());
    }

    /// Closes the tap; `None` if it was closed.
    fn end_recording(&mut self) -> Option<Result<Recorded, BrokenOff>> {
        self.view.recording = false;
        let recorded = self.tap.stop();
        recorded.map(Ok).or_else(|| self.broken_off().map(Err))
    }

    /// Why the recording ended by itself, if it just did; told to the room as well, for all who
    /// rely on it.
    fn broken_off(&mut self) -> Option<BrokenOff> {
        let broken = self.tap.fault()?;
        self.view.recording = false;
        // A way that is blocked: there is nobody to tell.
        let _ = self.to_room.try_send(ToRoom::BrokenOff(broken.clone()));
        Some(broken)
    }

    /// When the next frame is drawn, if one is due.
    fn frame_at(&self) -> Option<Instant> {
        match self.due {
            Due::Not => None,
            Due::Numbers => Some(self.drawn + NUMBERS * self.slower),
            Due::Soon => Some(self.drawn + SOON * self.slower),
        }
    }

    fn draw(&mut self) -> io::Result<()> {
        // Suspended (the process stands still a moment later): the terminal is the shell's.
        if !terminal::is_taken() {
            return Ok(());
        }
        let Self { terminal, snapshot, view, theme, .. } = self;
        terminal.draw(|frame| {
            view.size = (frame.area().width, frame.area().height);
            draw::render(frame, snapshot, view, theme, now());
        })?;
        self.due = Due::Not;
        self.drawn = Instant::now();
        Ok(())
    }

    /// Forgets what is on the terminal and draws everything.
    fn redraw(&mut self) -> io::Result<()> {
        let size = self.terminal.size()?;
        self.terminal.resize(layout::screen((size.width, size.height)))?;
        self.due = Due::Soon;
        Ok(())
    }

    fn suspend(&mut self) -> io::Result<()> {
        terminal::restore();
        if !terminal::suspend() {
            self.taken.enter()?;
            self.view.say("no shell here could bring a suspended screen back", None, now());
            return self.redraw();
        }
        // The process stands still until SIGCONT, which arrives as an event of its own.
        Ok(())
    }

    fn send(&mut self, id: u64, line: String) {
        // The way is bounded; a full one means that nobody reads it, and waiting would freeze
        // the screen.
        if self.to_room.try_send(ToRoom::Command { id, line }).is_err() {
            let line = self.view.pending.remove(&id).unwrap_or_default();
            let why = format!("`{line}` was not sent: the way to the room is blocked");
            self.view.say(why, Some(Outcome::Refused), now());
        }
    }

    fn take(&mut self, event: Event) -> io::Result<Vec<Effect>> {
        let mut effects = Vec::new();
        let mut due = Due::Soon;
        match event {
            Event::Input(input) => {
                let (did, more) = self.input(input);
                effects = more;
                if !did {
                    due = Due::Not;
                }
            }
            Event::Room(FromRoom::Message(message)) => {
                if let Message::Event { event } = &message {
                    self.tap.happened(event);
                }
                let view = &mut self.view;
                if !update::message(view, &mut self.snapshot, message, now()) {
                    due = Due::Numbers;
                }
            }
            Event::Room(FromRoom::Lost { why }) => {
                self.view.say(format!("the way to the room is lost: {why}"), None, now());
                self.view.pending.clear();
                self.view.connection = Connection::Lost { why, since_ms: now() };
            }
            Event::Room(FromRoom::Wound { events }) => self.view.log.wound(&events),
            Event::RoomEnded => effects.push(Effect::Leave(Leave::RoomEnded)),
            Event::Second => {
                let changed = update::tick(&mut self.view, now());
                let old = self.drawn.elapsed() >= MINUTE;
                if !changed && !old && !update::ages(&self.view, &self.snapshot, now()) {
                    due = Due::Not;
                }
            }
            Event::Stopped => effects.push(Effect::Suspend),
            Event::Continued => {
                terminal::restore();
                self.taken.enter()?;
                self.redraw()?;
            }
            Event::TerminalLost => effects.push(Effect::Leave(Leave::TerminalLost)),
        }
        self.due = self.due.max(due);
        Ok(effects)
    }

    /// Takes what the person did; the flag says whether it changed anything.
    fn input(&mut self, input: Input) -> (bool, Vec<Effect>) {
        let none = Vec::new();
        match input {
            Input::Key(event) => match keys::from_terminal(event) {
                Some(key) => (true, update::key(&mut self.view, &self.snapshot, key, now())),
                None => (false, none),
            },
            Input::Paste(text) => {
                update::paste(&mut self.view, &self.snapshot, &text);
                (true, none)
            }
            Input::Mouse(event) => {
                let mouse = match event.kind {
                    MouseEventKind::Down(MouseButton::Left) => {
                        Mouse::Click { x: event.column, y: event.row }
                    }
                    MouseEventKind::ScrollUp => Mouse::WheelUp,
                    MouseEventKind::ScrollDown => Mouse::WheelDown,
                    _ => return (false, none),
                };
                (update::mouse(&mut self.view, &self.snapshot, mouse), none)
            }
            Input::Resize(columns, rows) => {
                self.tap.resized(ScreenSize { columns, rows });
                (true, none)
            }
            Input::FocusGained | Input::FocusLost => (false, none),
        }
    }
}
