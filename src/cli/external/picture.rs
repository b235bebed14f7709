//! What a screen on a region of others shows: what the onlooker sees, and while a command has a room of
//! its own, that. What a drill came to stays after its room has ended.

use std::sync::Arc;

use tokio::sync::{broadcast::error::RecvError, mpsc};

use crate::{
    region::{
        Actor, Event, EventKind, Severity, Status, UnixMs,
        status::{Conclusion, Drill, Mark, Phase, Task, Verdict, render},
    },
    room::{
        clock::now_ms,
        external::parts::Looks,
        protocol::{Message, Outcome},
        server::Published,
    },
    tui::FromRoom,
};

/// How many marks are kept for the timeline.
const MARKS: usize = 100;

/// What comes from the desk and from commands.
pub enum Told {
    /// As it is.
    Screen(FromRoom),
    /// A line for the log.
    Note { who: Actor, text: String },
    /// Somebody asks for the picture in words, or as JSON.
    Status { id: u64, json: bool },
    /// This is carried out, or nothing is.
    Runs(Option<Task>),
    /// A command has a room from now on.
    Began(Looks),
    /// It has ended.
    Ended,
}

/// What is shown, and what of it stays.
#[derive(Default)]
struct Picture {
    events: u64,
    latest: Status,
    drill: Option<Drill>,
    conclusions: Vec<Conclusion>,
    marks: Vec<Mark>,
    runs: Option<Task>,
    since_ms: Option<UnixMs>,
}

impl Picture {
    /// What the onlooker sees, with what the last drill came to.
    fn seen(&mut self, mut status: Status) -> Message {
        self.since_ms.get_or_insert(status.started_at_ms);
        status.drill.clone_from(&self.drill);
        status.conclusions.clone_from(&self.conclusions);
        status.marks.extend(self.marks.iter().cloned());
        status.tasks.extend(self.runs.clone());
        self.show(status)
    }

    /// What the room of a command shows. The region itself is up, whatever that room does.
    fn worked(&mut self, mut status: Status) -> Message {
        status.phase = Phase::Up;
        if let Some(since) = self.since_ms {
            status.started_at_ms = since;
        }
        if status.conclusions.is_empty() {
            status.conclusions.clone_from(&self.conclusions);
        }
        for known in &self.conclusions {
            let own = status.conclusions.iter_mut().find(|one| one.name == known.name);
            if let Some(own) = own.filter(|own| own.verdict == Verdict::Waiting) {
                own.clone_from(known);
            }
        }
        if status.drill.is_none() {
            status.drill.clone_from(&self.drill);
        }
        self.show(status)
    }

    /// The room has ended: what its last picture shows of drills stays.
    fn keep(&mut self) {
        self.drill.clone_from(&self.latest.drill);
        self.conclusions.clone_from(&self.latest.conclusions);
        self.marks.append(&mut self.latest.marks);
        let surplus = self.marks.len().saturating_sub(MARKS);
        self.marks.drain(..surplus);
    }

    fn show(&mut self, status: Status) -> Message {
        self.latest.clone_from(&status);
        Message::Status { status: Box::new(status) }
    }

    /// An event, counted anew: several rooms have numbers of their own.
    fn event(&mut self, mut event: Event) -> Message {
        self.events += 1;
        event.id = self.events;
        Message::Event { event }
    }

    fn note(&mut self, who: Actor, text: String) -> Message {
        let kind = EventKind::Note { severity: Severity::Info, text };
        self.event(Event { id: 0, at_ms: now_ms(), actor: who, kind })
    }

    fn told(&self, id: u64, json: bool) -> Message {
        let status = &self.latest;
        let text = if json { status.document().to_string() } else { render(status) };
        Message::Answer { id, outcome: Outcome::Done, text, data: None }
    }
}

/// Shows it to a screen until that has gone.
pub async fn show(
    mut seen: mpsc::Receiver<FromRoom>,
    mut told: mpsc::UnboundedReceiver<Told>,
    screen: mpsc::Sender<FromRoom>,
) {
    let mut picture = Picture::default();
    let mut room: Option<Looks> = None;
    loop {
        let mut shown = Vec::new();
        tokio::select! {
            one = seen.recv() => match one {
                Some(FromRoom::Message(Message::Status { status })) => {
                    if room.is_none() {
                        shown.push(picture.seen(*status));
                    }
                }
                // The room of a command tells the same.
                Some(FromRoom::Message(Message::Event { event })) => {
                    if room.is_none() {
                        shown.push(picture.event(event));
                    }
                }
                Some(_) => {}
                None => return,
            },
            one = told.recv() => match one {
                Some(Told::Screen(message)) => {
                    if screen.send(message).await.is_err() {
                        return;
                    }
                }
                Some(Told::Note { who, text }) => shown.push(picture.note(who, text)),
                Some(Told::Status { id, json }) => shown.push(picture.told(id, json)),
                Some(Told::Runs(task)) => picture.runs = task,
                Some(Told::Began(mut looks)) => {
                    let past = std::mem::take(&mut looks.past);
                    shown.extend(past.into_iter().map(|event| picture.event(event)));
                    shown.extend(news(&mut picture, &mut looks));
                    room = Some(looks);
                }
                Some(Told::Ended) => {
                    if let Some(mut looks) = room.take() {
                        while let Ok(event) = looks.events.try_recv() {
                            shown.push(picture.event(event));
                        }
                        shown.extend(news(&mut picture, &mut looks));
                        picture.keep();
                    }
                }
                None => return,
            },
            event = next(&mut room) => match event {
                Some(event) => shown.push(picture.event(event)),
                None => shown.extend(room.as_mut().and_then(|looks| news(&mut picture, looks))),
            },
        }
        for message in shown {
            if screen.send(FromRoom::Message(message)).await.is_err() {
                return;
            }
        }
    }
}

/// The next event of a command's room; none says that its picture is another one.
async fn next(room: &mut Option<Looks>) -> Option<Event> {
    let Some(looks) = room else { return std::future::pending().await };
    loop {
        tokio::select! {
            changed = looks.statuses.changed() => match changed {
                Ok(()) => return None,
                // It has ended; that is told by the desk.
                Err(_) => return std::future::pending().await,
            },
            event = looks.events.recv() => match event {
                Ok(event) => return Some(event),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return std::future::pending().await,
            },
        }
    }
}

/// The newest picture of a command's room, once its zones are there.
fn news(picture: &mut Picture, looks: &mut Looks) -> Option<Message> {
    let published: Arc<Published> = Arc::clone(&looks.statuses.borrow_and_update());
    let status = published.status.clone();
    (!status.zones.is_empty()).then(|| picture.worked(status))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::region::{PlatformKind, reduce::State};

    fn status(at_ms: UnixMs) -> Status {
        State::new("shop", PlatformKind::External, at_ms).status(at_ms)
    }

    fn shown(message: Message) -> Status {
        match message {
            Message::Status { status } => *status,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_a_drill_came_to_stays_when_its_room_has_ended() {
        let mut picture = Picture::default();
        assert_eq!(shown(picture.seen(status(100))).drill, None);
        let proved = |name: &str, verdict| Conclusion {
            name: name.into(),
            verdict,
            evidence: "100 messages".into(),
        };
        let mut room = status(500);
        room.phase = Phase::Stopping;
        room.drill = Some(Drill::beginning("heal", "mira", 600));
        room.conclusions = vec![proved("cut", Verdict::Waiting), proved("heal", Verdict::Proved)];
        let now = shown(picture.worked(room.clone()));
        assert_eq!((now.phase, now.started_at_ms), (Phase::Up, 100));
        picture.keep();
        let after = shown(picture.seen(status(100)));
        assert_eq!((&after.drill, &after.conclusions), (&room.drill, &room.conclusions));
        // The next room knows of its own drill alone.
        let mut next = status(900);
        next.conclusions = vec![proved("cut", Verdict::Proved), proved("heal", Verdict::Waiting)];
        let next = shown(picture.worked(next));
        assert!(next.conclusions.iter().all(|one| one.verdict == Verdict::Proved), "{next:?}");
    }

    #[test]
    fn events_of_several_rooms_have_one_count() {
        let mut picture = Picture::default();
        let ids = (0..3).map(|_| match picture.note(Actor::room(), "here".into()) {
            Message::Event { event } => event.id,
            other => panic!("{other:?}"),
        });
        assert_eq!(ids.collect::<Vec<_>>(), [1, 2, 3]);
    }
}
