//! The loop: receive, update, draw if something changed.

mod acting;
mod drawing;
mod held;
mod recording;
mod telling;

use std::{io, time::Duration};

use color_eyre::eyre::WrapErr;
use jiff::tz::TimeZone;
use ratatui::{Terminal, backend::CrosstermBackend};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use self::{drawing::drawing, held::Held, telling::Told};
use super::{
    Feed, FromRoom, Leave, Left, ScreenOptions, ToRoom,
    saved_view::SavedView,
    state::{Connection, ViewState},
    terminal::{
        self, Frames, Taken,
        frames::Mute,
        input::{Input, Keyboard},
        line::{Line, Pace, Progress},
        signals,
    },
    theme::Theme,
    update::{self, Effect},
};
use crate::{
    command::ScreenSize,
    record::Tap,
    region::Status,
    room::{
        clock::now_ms as now,
        protocol::{Message, Outcome},
    },
};

/// At most 20 frames a second: nobody sees more, and a thin line carries no more.
pub(super) const SOON: Duration = Duration::from_millis(50);
/// Numbers alone are drawn so often: they are read, not watched.
pub(super) const NUMBERS: Duration = Duration::from_millis(500);
/// Over a line that may be thin, both come half as often: each frame costs somebody's line.
const THIN: u32 = 2;
/// How long an answer of the terminal is waited for on leaving: it would land in the shell.
const LAST_ANSWER: Duration = Duration::from_millis(300);
/// Uptime is shown in minutes.
const MINUTE: Duration = Duration::from_secs(60);

/// One thing that happened to the screen, in the order it happened.
#[derive(Debug)]
enum Event {
    Input(Input),
    Room(FromRoom),
    RoomEnded,
    Second,
    Resized,
    Written(Progress),
    Stopped,
    Continued,
    TerminalLost,
}

/// When the next frame is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Not,
    Numbers,
    /// Something a person waits for changed.
    Soon,
}

/// A running screen.
struct Screen {
    terminal: Terminal<CrosstermBackend<Frames<Line>>>,
    /// Keeps `terminal` from writing anything more.
    mute: Mute,
    line: Line,
    pace: Pace,
    size: ScreenSize,
    taken: Taken,
    status: Status,
    view: ViewState,
    theme: Theme,
    to_room: mpsc::Sender<ToRoom>,
    due: Due,
    drawn: Instant,
    held: Held,
    tap: Tap,
    saved: Option<SavedView>,
    /// By how much frames come less often.
    slower: u32,
    /// How many rows of the picture are drawn so far.
    rows: u16,
    refresh: Duration,
    /// The room was told that the terminal does not answer.
    silent: bool,
    told: Told,
}

/// What a screen hears, besides its room.
struct Ears {
    keyboard: Keyboard,
    progress: watch::Receiver<Progress>,
    resized: Signal,
    stopped: Signal,
    continued: Signal,
    /// Cancelled when the terminal is gone.
    lost: CancellationToken,
}

/// Shows a room on this process' terminal until the person leaves, the room ends, or the terminal
/// is gone. A signal that ends a process gives the terminal back and ends it with 128+n, a panic of
/// any thread or task does so with 101; SIGTSTP gives it back until SIGCONT.
///
/// # Errors
/// When stdout is no terminal.
pub async fn run(feed: Feed, mut options: ScreenOptions) -> color_eyre::Result<Left> {
    let Feed { mut from_room, to_room } = feed;
    let lost = CancellationToken::new();
    signals::end_on_signals(lost.clone(), options.unfinished.take())?;
    let taken = Taken::new(options.mouse, options.stderr_log.as_deref())
        .wrap_err("the screen needs a terminal: `zonedrill status` prints without one")?;
    let (line, progress) = Line::new()?;
    let ears = Ears {
        keyboard: Keyboard::new(lost.clone())?,
        progress,
        resized: signal(SignalKind::window_change())?,
        stopped: signal(SignalKind::from_raw(rustix::process::Signal::TSTP.as_raw()))?,
        continued: signal(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))?,
        lost,
    };
    let theme = options.look();
    let mut view = ViewState::new(options.keymap, TimeZone::system());
    view.name = options.name;
    view.guest = options.guest;
    view.named = options.named;
    view.span = options.span;
    if let Some(saved) = &mut options.saved {
        view.focus.clone_from(&saved.view.focus);
        view.zoom = saved.view.zoom;
        saved.write();
    }
    // tui-logger's buffer cannot be wound back.
    if !options.replay {
        view.log.through_tui_logger();
    }
    let tap = Tap::default();
    let (_, size) = terminal::size()?;
    let (terminal, mute) = drawing(&line, &tap, size)?;
    let mut screen = Screen {
        terminal,
        mute,
        pace: Pace::new(line.clone(), Instant::now()),
        line,
        size,
        taken,
        status: Status::default(),
        view,
        theme,
        to_room,
        due: Due::Soon,
        drawn: Instant::now() - NUMBERS,
        held: Held::default(),
        tap,
        saved: options.saved,
        slower: if options.thin { THIN } else { 1 },
        rows: 0,
        refresh: options.refresh,
        silent: false,
        told: Told::new(options.bell && !options.replay),
    };
    screen.say_if_clamped();
    if let Some((path, format)) = options.record {
        // Told by the shell, before there is a screen to tell it on.
        if let Err(error) = screen.record(&path, format) {
            terminal::restore();
            return Err(error.into());
        }
    }
    let left = screen.show(&mut from_room, ears).await;
    let recorded = screen.end_recording();
    let leave = match left {
        Err(e) if is_gone(&e) || !terminal::is_there() => Leave::TerminalLost,
        other => other?,
    };
    if let Some(saved) = &screen.saved
        && leave != Leave::TerminalLost
    {
        saved.remove();
    }
    Ok(Left { leave, recorded })
}

/// Whether an error says that there is no terminal any more.
fn is_gone(error: &io::Error) -> bool {
    let gone = [rustix::io::Errno::IO, rustix::io::Errno::PIPE, rustix::io::Errno::NXIO];
    gone.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

impl Screen {
    /// Runs the screen, and gives the terminal back.
    async fn show(
        &mut self,
        from_room: &mut mpsc::Receiver<FromRoom>,
        mut ears: Ears,
    ) -> io::Result<Leave> {
        let left = self.events(from_room, &mut ears).await;
        self.mute.mute();
        if !ears.lost.is_cancelled() && self.pace.owes() {
            let answer = async { while ears.keyboard.next().await != Input::Answer {} };
            let _ = timeout(LAST_ANSWER, answer).await;
        }
        terminal::restore();
        left
    }

    async fn events(
        &mut self,
        from_room: &mut mpsc::Receiver<FromRoom>,
        ears: &mut Ears,
    ) -> io::Result<Leave> {
        let mut second = tokio::time::interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let frame = self.frame_at();
            let asked = self.pace.due();
            let event = tokio::select! {
                // Keys before the room: a flood of pictures must not keep a person out.
                biased;
                () = ears.lost.cancelled() => Event::TerminalLost,
                _ = ears.continued.recv() => Event::Continued,
                // By a signal, as the key does it: the shell must not find a terminal that is ours.
                _ = ears.stopped.recv() => Event::Stopped,
                _ = ears.resized.recv() => Event::Resized,
                written = ears.progress.changed() => match written {
                    Ok(()) => Event::Written(*ears.progress.borrow_and_update()),
                    Err(_) => Event::TerminalLost,
                },
                () = sleep_until(frame.unwrap_or_else(Instant::now)), if frame.is_some() => {
                    self.draw()?;
                    continue;
                }
                input = ears.keyboard.next() => Event::Input(input),
                message = from_room.recv() => message.map_or(Event::RoomEnded, Event::Room),
                _ = second.tick() => Event::Second,
                () = sleep_until(asked.unwrap_or_else(Instant::now)), if asked.is_some() => {
                    self.pace.tick(Instant::now());
                    continue;
                }
            };
            for effect in self.take(event)? {
                if let Some(leave) = self.act(effect)? {
                    return Ok(leave);
                }
            }
            self.tell_if_silent();
            if let Some(saved) = &mut self.saved {
                saved.keep(&self.view);
            }
            if let Some(broken) = self.broken_off() {
                self.view.say(broken.to_string(), Some(Outcome::Broken), now());
                self.due = Due::Soon;
            }
        }
    }

    /// Tells the room whether the terminal answers: nobody may sit there any more.
    fn tell_if_silent(&mut self) {
        let silent = self.pace.is_silent();
        if silent != self.silent && self.to_room.try_send(ToRoom::Silent(silent)).is_ok() {
            self.silent = silent;
        }
    }

    fn take(&mut self, event: Event) -> io::Result<Vec<Effect>> {
        let mut effects = Vec::new();
        let mut due = Due::Soon;
        match event {
            Event::Input(Input::Answer) => {
                self.pace.answered(Instant::now());
                due = Due::Not;
            }
            Event::Input(input) => {
                self.pace.sign(Instant::now());
                let (did, more) = self.input(input);
                effects = more;
                if !did {
                    due = Due::Not;
                }
            }
            Event::Room(FromRoom::Message(Message::Removed)) => {
                effects.push(Effect::Leave(Leave::Removed));
            }
            Event::Room(FromRoom::Message(message)) => {
                if let Message::Event { event } = &message {
                    self.tap.happened(event);
                }
                let view = &mut self.view;
                if !update::message(view, &mut self.status, message, now()) {
                    due = Due::Numbers;
                }
            }
            Event::Room(FromRoom::Lost { why }) => {
                self.view.say(format!("connection to the room lost: {why}"), None, now());
                self.view.pending.clear();
                self.view.connection = Connection::Lost { why, since_at_ms: now() };
            }
            Event::Room(FromRoom::GoTo { region }) => {
                effects.push(Effect::Leave(Leave::GoTo { region }));
            }
            Event::Room(FromRoom::Asks { id, plan }) => update::asks(&mut self.view, id, plan),
            Event::Room(FromRoom::Wound { events }) => self.view.log.wound(&events),
            Event::RoomEnded => effects.push(Effect::Leave(Leave::RoomEnded)),
            Event::Resized => self.resized()?,
            Event::Written(Progress { lost: true, .. }) => {
                effects.push(Effect::Leave(Leave::TerminalLost));
            }
            Event::Written(progress) => {
                self.pace.wrote(progress, Instant::now());
                due = Due::Not;
            }
            Event::Second => {
                self.pace.tick(Instant::now());
                let changed = update::tick(&mut self.view, now());
                effects.extend(update::again(&mut self.view));
                let old = self.drawn.elapsed() >= MINUTE;
                if !changed && !old {
                    let ages = update::ages(&self.view, &self.status, now());
                    due = if ages { Due::Numbers } else { Due::Not };
                }
            }
            Event::Stopped => effects.push(Effect::Suspend),
            Event::Continued => {
                terminal::restore();
                self.taken.enter()?;
                self.resized()?;
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
            Input::Key(key) => (true, update::key(&mut self.view, &self.status, key, now())),
            Input::Paste(text) => {
                update::paste(&mut self.view, &self.status, &text);
                (true, none)
            }
            Input::Mouse(mouse) => update::mouse(&mut self.view, &self.status, mouse, now()),
            Input::Answer => (false, none),
        }
    }
}
