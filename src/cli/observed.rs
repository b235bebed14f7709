//! A region of others as it is seen: a screen, one picture, or what happens as lines. There is no room:
//! the watchers' inputs make the status here, and nothing is sent but questions.

use std::{io::Write, sync::Arc, time::Duration};

use color_eyre::eyre;
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

use super::output::judge;
use crate::{
    nats::external::{
        examine::Region,
        watch::{EVERY, watch},
    },
    region::{
        Actor, Event, EventKind, PlatformKind, Role, Status, UnixMs,
        input::Input,
        reduce::State,
        status::{Phase, render},
        topology::ZonePlan,
    },
    room::{
        clock::now_ms,
        protocol::{Message, Outcome},
        region_file::Opened,
    },
    tui::FromRoom,
};

/// How long a first picture waits for every zone's first answer.
const FIRST: Duration = Duration::from_secs(5);
/// The least time between two pictures that show nothing but other numbers.
const NUMBERS: Duration = Duration::from_millis(100);

/// What is seen, and what is worth a line.
struct Onlooker {
    state: State,
    told: u64,
    events: u64,
}

impl Onlooker {
    fn new(opened: &Opened) -> Self {
        let mut onlooker = Self {
            state: State::new(&opened.file.name, PlatformKind::External, now_ms()),
            told: 0,
            events: 0,
        };
        for (slot, zone) in (0..).zip(&opened.file.zones) {
            let role = if slot == 0 { Role::Source } else { Role::Mirror };
            let name = zone.name.clone();
            let plan = ZonePlan { nodes: Vec::new(), ..ZonePlan::new(name.clone(), role, slot, 0) };
            onlooker.take(Input::ZoneAdded(plan));
            onlooker.take(Input::ZoneReady(name));
        }
        onlooker.take(Input::Phase(Phase::Up));
        onlooker
    }

    /// What an input is worth in the log.
    fn take(&mut self, input: Input) -> Vec<Event> {
        let at_ms: UnixMs = now_ms();
        let kinds = self.state.apply(at_ms, input);
        kinds.into_iter().map(|kind| self.event(at_ms, kind)).collect()
    }

    fn event(&mut self, at_ms: UnixMs, kind: EventKind) -> Event {
        self.events += 1;
        Event { id: self.events, at_ms, actor: Actor::room(), kind }
    }

    /// The picture, if it is another one.
    fn news(&mut self) -> Option<Status> {
        let revision = self.state.revision();
        if revision == std::mem::replace(&mut self.told, revision) {
            return None;
        }
        Some(self.state.status(now_ms()))
    }
}

/// Looks until nobody takes what is told.
async fn look(region: Arc<Region>, mut onlooker: Onlooker, to: mpsc::Sender<FromRoom>) {
    let (inputs, mut heard) = mpsc::channel(64);
    let watching = tokio::spawn(watch(region, EVERY, inputs));
    let mut second = interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut drawn = Instant::now();
    loop {
        let events = tokio::select! {
            input = heard.recv() => match input {
                Some(input) => onlooker.take(input),
                None => break,
            },
            _ = second.tick() => onlooker.take(Input::Tick),
        };
        let mut messages: Vec<Message> =
            events.into_iter().map(|event| Message::Event { event }).collect();
        if !messages.is_empty() || drawn.elapsed() >= NUMBERS {
            let status = onlooker.news().map(|status| Message::Status { status: Box::new(status) });
            drawn = Instant::now();
            messages.extend(status);
        }
        for message in messages {
            if to.send(FromRoom::Message(message)).await.is_err() {
                watching.abort();
                return;
            }
        }
    }
}

/// What is seen of it, from now on; nobody looks any more once that is dropped.
pub fn told(region: Arc<Region>, opened: &Opened) -> mpsc::Receiver<FromRoom> {
    let (to, heard) = mpsc::channel(64);
    tokio::spawn(look(region, Onlooker::new(opened), to));
    heard
}

/// Prints the picture: one as soon as every zone has told, or (`again`) each that is another one.
///
/// # Errors
/// When it cannot be written as JSON.
pub async fn print_it(
    region: Arc<Region>,
    opened: &Opened,
    json: bool,
    again: bool,
) -> eyre::Result<u8> {
    let mut status = Onlooker::new(opened).state.status(now_ms());
    let mut heard = told(region, opened);
    let until = Instant::now() + FIRST;
    let whole = |status: &Status| status.zones.iter().all(|zone| zone.stream.is_some());
    while !whole(&status) {
        tokio::select! {
            told = heard.recv() => match told {
                Some(FromRoom::Message(Message::Status { status: told })) => status = *told,
                Some(_) => {}
                None => break,
            },
            () = sleep_until(until) => break,
        }
    }
    let write = |status: &Status| -> eyre::Result<bool> {
        let text = if json { status.document().to_string() } else { render(status) };
        Ok(judge(writeln!(std::io::stdout().lock(), "{text}")))
    };
    let listens = write(&status)?;
    let outcome = if whole(&status) { Outcome::Done } else { Outcome::Void };
    if again && listens {
        loop {
            tokio::select! {
                told = heard.recv() => match told {
                    Some(FromRoom::Message(Message::Status { status })) => {
                        if !write(&status)? {
                            break;
                        }
                    }
                    Some(_) => {}
                    None => break,
                },
                interrupt = tokio::signal::ctrl_c() => {
                    interrupt?;
                    break;
                }
            }
        }
    }
    Ok(outcome.exit_code())
}
