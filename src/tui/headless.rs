//! A screen without a terminal: a fixed size, nobody who presses keys, drawn into a recording.

use std::io;

use jiff::tz::TimeZone;
use ratatui::{
    Terminal, TerminalOptions, Viewport,
    backend::{CrosstermBackend, TestBackend},
    buffer::Buffer,
    layout::Rect,
};
use tokio::time::{Duration, Instant, MissedTickBehavior};

use super::{
    Feed, FromRoom, ScreenOptions, ToRoom,
    app::{NUMBERS, SOON},
    draw,
    state::{Connection, ViewState},
    terminal::Frames,
    update,
};
use crate::{
    command::{Command, Record, ScreenSize},
    record::{Recorded, Tap},
    region::{Event, EventKind, Status, status::Phase},
    room::{clock::now_ms as now, protocol::Message},
};

/// How long a room that was killed is waited for: who brings it back goes on in the same recording.
const COMES_BACK: Duration = Duration::from_secs(60);
/// How long the last picture is waited for once the end was asked for.
const LAST_PICTURE: Duration = Duration::from_millis(400);

/// What was drawn.
#[derive(Debug)]
pub struct Drawn {
    pub last: Buffer,
    pub recorded: Recorded,
}

/// Draws one picture of a room: of its first status with the log it greets with.
///
/// # Errors
/// When the room ends before.
pub async fn picture(feed: Feed, options: &ScreenOptions, size: ScreenSize) -> io::Result<Buffer> {
    let Feed { mut from_room, .. } = feed;
    let theme = options.look();
    let mut view = ViewState::new(options.keymap.clone(), TimeZone::system());
    view.name.clone_from(&options.name);
    view.size = (size.columns, size.rows);
    let mut status = Status::default();
    loop {
        let Some(FromRoom::Message(message)) = from_room.recv().await else {
            return Err(io::Error::other("the room ended before it could be drawn"));
        };
        let is_status = matches!(message, Message::Status { .. });
        update::message(&mut view, &mut status, message, now());
        if is_status {
            break;
        }
    }
    let backend = TestBackend::new(size.columns, size.rows);
    let mut terminal = Terminal::new(backend).map_err(io::Error::other)?;
    let drawn = terminal.draw(|frame| draw::render(frame, &status, &view, &theme, now()));
    Ok(drawn.map_err(io::Error::other)?.buffer.clone())
}

/// Draws a room into `tap`, which is open, until the room or the recording ends: `record stop` in
/// the room's log, the connection's end, or `stop`. Then closes the tap.
///
/// # Errors
/// When the recording's file cannot be written on; the room is told.
pub async fn run(
    feed: Feed,
    options: &ScreenOptions,
    size: ScreenSize,
    tap: &Tap,
    stop: impl Future<Output = ()>,
) -> io::Result<Drawn> {
    let Feed { mut from_room, to_room } = feed;
    let broken_off = || {
        let broken = tap.fault()?;
        // A way that is blocked: there is nobody to tell.
        let _ = to_room.try_send(ToRoom::BrokenOff(broken.clone()));
        Some(io::Error::other(broken))
    };
    let viewport = Viewport::Fixed(Rect::new(0, 0, size.columns, size.rows));
    let backend = CrosstermBackend::new(Frames::tapped(io::sink(), tap.clone()));
    let mut terminal = Terminal::with_options(backend, TerminalOptions { viewport })?;
    let theme = options.look();
    let mut view = ViewState::new(options.keymap.clone(), TimeZone::system());
    view.name.clone_from(&options.name);
    view.size = (size.columns, size.rows);
    let mut status = Status::default();
    let mut second = tokio::time::interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut frame = Some(Instant::now());
    let mut drawn = Instant::now();
    let (mut end, mut lost) = (None, None);
    tokio::pin!(stop);
    loop {
        let soon = |wait: Duration, frame: Option<Instant>| {
            let at = drawn + wait;
            Some(frame.map_or(at, |other| other.min(at)))
        };
        tokio::select! {
            biased;
            () = tokio::time::sleep_until(frame.unwrap_or_else(Instant::now)), if frame.is_some() => {
                terminal.draw(|frame| draw::render(frame, &status, &view, &theme, now()))?;
                drawn = Instant::now();
                frame = None;
            }
            () = &mut stop, if end.is_none() => end = Some(Instant::now() + LAST_PICTURE),
            () = tokio::time::sleep_until(end.unwrap_or_else(Instant::now)), if end.is_some() => break,
            () = tokio::time::sleep_until(lost.unwrap_or_else(Instant::now)), if lost.is_some() => break,
            message = from_room.recv() => match message {
                Some(FromRoom::Message(message)) => {
                    if matches!(message, Message::Hello { .. }) {
                        lost = None;
                    }
                    if let Message::Event { event } = &message {
                        tap.happened(event);
                        // Of a replay, it is told of another recording.
                        if !options.replay && ends(event) {
                            break;
                        }
                    }
                    let urgent = update::message(&mut view, &mut status, message, now());
                    frame = soon(if urgent { SOON } else { NUMBERS }, frame);
                }
                Some(FromRoom::Wound { events }) => {
                    view.log.wound(&events);
                    frame = soon(SOON, frame);
                }
                Some(FromRoom::GoTo { .. } | FromRoom::Asks { .. }) => {}
                // A room that ends in order says so before, and none comes back to a replay.
                Some(FromRoom::Lost { why }) if !options.replay && status.phase == Phase::Up => {
                    lost = Some(Instant::now() + COMES_BACK);
                    view.connection = Connection::Lost { why, since_at_ms: now() };
                    frame = soon(SOON, frame);
                }
                Some(FromRoom::Lost { .. }) | None => break,
            },
            _ = second.tick() => {
                if update::tick(&mut view, now()) | update::ages(&view, &status, now()) {
                    frame = soon(SOON, frame);
                }
            }
        }
        if let Some(broken) = broken_off() {
            return Err(broken);
        }
    }
    let last = terminal.draw(|frame| draw::render(frame, &status, &view, &theme, now()))?;
    let last = last.buffer.clone();
    match tap.stop() {
        Some(recorded) => Ok(Drawn { last, recorded }),
        None => Err(broken_off().unwrap_or_else(|| io::Error::other("nothing was recorded"))),
    }
}

/// Whether somebody ends every recording.
fn ends(event: &Event) -> bool {
    matches!(&event.kind, EventKind::CommandGiven { command }
        if matches!(command.parse(), Ok(Command::Record(Record::Stop))))
}
