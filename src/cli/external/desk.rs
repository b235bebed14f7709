//! The desk of a screen on a region of others: takes the lines that are given there, carries out one at a
//! time as a shell would, and lets it come to its end when the screen is left.

use std::sync::{Arc, Mutex, PoisonError, atomic::AtomicBool};

use color_eyre::eyre;
use tokio::sync::mpsc;

use super::{
    caller::{Caller, Place},
    examined,
    line::{Line, Run, Running},
    perform, picture,
    picture::Told,
};
use crate::{
    cli::{observed, screen},
    command::{Command, Drill, Produce},
    nats::external::examine::Region,
    region::{Actor, actor::Via, status::Task},
    room::{
        clock::now_ms,
        mailbox::CommandRequest,
        protocol::{Message, Outcome},
        region_file::Opened,
    },
    tui::{self, Feed, FromRoom, Leave, Left, ScreenOptions, ToRoom, Unfinished},
};

/// Why there is nothing to end.
const NOTHING_RUNS: &str = "nothing runs here that could be ended or go on";

/// What becomes of a line.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// It is carried out.
    Begin(Command),
    /// What runs is to end.
    End,
    /// The drill that runs goes on.
    GoOn,
    /// The picture is told.
    Status { json: bool },
    /// Nothing, for this reason.
    Refuse(String),
}

/// What becomes of a line while another one runs, or none.
fn decided(line: &str, running: Option<(&str, &Command)>) -> Next {
    let command = match line.parse::<Command>() {
        Ok(command) => command,
        Err(error) => return Next::Refuse(error.to_string()),
    };
    if let Err(why) = command.check_for_others() {
        return Next::Refuse(why);
    }
    match (&command, running) {
        (Command::Status { json, .. }, _) => Next::Status { json: *json },
        (Command::Drill(Drill::Next), Some((_, Command::Drill(_)))) => Next::GoOn,
        (Command::Drill(Drill::Stop) | Command::Produce(Produce::Stop), Some(_)) => Next::End,
        (Command::Heal { zone }, Some((_, Command::Cut { zone: cut, .. })))
            if zone.as_ref() == Some(cut) =>
        {
            Next::End
        }
        (
            Command::Drill(Drill::Stop | Drill::Next) | Command::Produce(Produce::Stop),
            None | Some(_),
        ) => Next::Refuse(NOTHING_RUNS.into()),
        (_, Some((runs, _))) => {
            Next::Refuse(format!("`{runs}` runs: wait for its end, or `drill stop` ends it"))
        }
        (_, None) => Next::Begin(command),
    }
}

/// Who takes what is given.
struct Desk {
    opened: Arc<Opened>,
    caller: Caller,
    to: mpsc::UnboundedSender<Told>,
    running: Running,
    unfinished: Unfinished,
    /// What the command came to that the screen's end has ended.
    ended: Arc<Mutex<Option<Outcome>>>,
}

impl Desk {
    fn take(&self, id: u64, line: String) {
        let next = {
            let running = self.running.now();
            decided(&line, running.as_ref().map(|run| (run.line.as_str(), &run.command)))
        };
        match next {
            Next::Status { json } => drop(self.to.send(Told::Status { id, json })),
            Next::Refuse(why) => self.answer(id, Outcome::Refused, why),
            Next::End => {
                let running = self.running.now();
                // It may have come to its end just now.
                let Some(run) = running.as_ref() else {
                    return self.answer(id, Outcome::Refused, NOTHING_RUNS.into());
                };
                run.stop.cancel();
                self.answer(id, Outcome::Done, format!("`{}` ends now", run.line));
            }
            Next::GoOn => self.go_on(id),
            Next::Begin(command) => self.begin(id, line, command),
        }
    }

    fn answer(&self, id: u64, outcome: Outcome, text: String) {
        let answer = Message::Answer { id, outcome, text, data: None };
        let _ = self.to.send(Told::Screen(FromRoom::Message(answer)));
    }

    /// What somebody says to a question.
    fn confirmed(&self, id: u64, name: Option<String>) {
        let mut running = self.running.now();
        let asked = running.as_mut().filter(|run| run.id == id).and_then(|run| run.question.take());
        if let Some(asked) = asked {
            // A command that has ended asks no more.
            let _ = asked.send(name);
        }
    }

    /// A presented drill goes on; its room answers.
    fn go_on(&self, id: u64) {
        let room = self.running.now().as_ref().and_then(|run| run.room.clone());
        let Some(room) = room else {
            return self.answer(id, Outcome::Refused, "its room is not there yet".into());
        };
        let (answers, mut heard) = mpsc::unbounded_channel();
        let (actor, command) = (self.who(), Command::Drill(Drill::Next));
        let given = CommandRequest { actor, command, id, answers: Some(answers), stop: None };
        if let Err(closing) = room.give(given) {
            return self.answer(id, Outcome::Refused, closing.to_string());
        }
        let to = self.to.clone();
        tokio::spawn(async move {
            while let Some(message) = heard.recv().await {
                let _ = to.send(Told::Screen(FromRoom::Message(message)));
            }
        });
    }

    fn who(&self) -> Actor {
        Actor { via: Via::Screen, ..self.caller.who.clone() }
    }

    /// Carries a line out, as a shell would.
    fn begin(&self, id: u64, text: String, command: Command) {
        let stop = self.unfinished.token();
        let _ = self.to.send(Told::Runs(Some(Task {
            id,
            command: text.clone(),
            by: self.caller.who.who.clone(),
            since_at_ms: now_ms(),
            progress: String::new(),
        })));
        *self.running.now() = Some(Run {
            id,
            line: text,
            command: command.clone(),
            stop: stop.clone(),
            question: None,
            room: None,
        });
        let line = Line {
            id,
            to: self.to.clone(),
            stop,
            running: self.running.clone(),
            unfinished: self.unfinished.clone(),
            held: AtomicBool::new(false),
            told: Mutex::default(),
        };
        let caller = Caller {
            root: self.caller.root.clone(),
            who: self.who(),
            consent: self.caller.consent.clone(),
            place: Place::Screen(line),
        };
        let (opened, ended) = (Arc::clone(&self.opened), Arc::clone(&self.ended));
        self.unfinished.spawn(carry_out(command, opened, caller, ended));
    }
}

/// One command from its beginning to its answer.
async fn carry_out(
    command: Command,
    opened: Arc<Opened>,
    caller: Caller,
    ended: Arc<Mutex<Option<Outcome>>>,
) {
    let Place::Screen(line) = &caller.place else { return };
    let work = async {
        let region = examined(&opened, Some(&command)).await?;
        perform(command.clone(), region, &opened, &caller).await
    };
    let done = tokio::select! {
        done = work => done,
        () = line.can_be_dropped() => Err(eyre::eyre!("it was ended before it began")),
    };
    *line.running.now() = None;
    let _ = line.to.send(Told::Runs(None));
    let outcome = match done {
        Ok(outcome) if line.is_left() => {
            *ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
            return;
        }
        // What was not begun need not be told to who has left.
        Err(_) if line.is_left() => return,
        Ok(outcome) => outcome,
        Err(error) => {
            line.tell(&error.to_string());
            Outcome::Refused
        }
    };
    let answer = Message::Answer { id: line.id, outcome, text: line.result(), data: None };
    let _ = line.to.send(Told::Screen(FromRoom::Message(answer)));
}

/// Opens a screen on it. What runs when it is left comes to its end first; its exit code is that.
///
/// # Errors
/// When there is no terminal.
pub async fn on_a_screen(
    region: Region,
    opened: Opened,
    mut options: ScreenOptions,
    caller: Caller,
) -> eyre::Result<u8> {
    let seen = observed::told(Arc::new(region), &opened);
    let (to_screen, from_room) = mpsc::channel(256);
    let (to_room, mut asked) = mpsc::channel(64);
    let (to, told) = mpsc::unbounded_channel();
    to_screen.send(FromRoom::Message(Message::without_a_room(true))).await?;
    let unfinished = Unfinished::default();
    options.unfinished = Some(unfinished.clone());
    options.named = caller.consent.confirm.is_some();
    let (running, ended) = (Running::default(), Arc::default());
    let desk = Desk {
        opened: Arc::new(opened),
        caller,
        to,
        running: running.clone(),
        unfinished: unfinished.clone(),
        ended: Arc::clone(&ended),
    };
    let showing = tokio::spawn(picture::show(seen, told, to_screen));
    let taking = tokio::spawn(async move {
        while let Some(asked) = asked.recv().await {
            match asked {
                // The screen is being left: nothing begins any more.
                _ if desk.unfinished.is_asked() => return,
                ToRoom::Command { id, line } => desk.take(id, line),
                ToRoom::Confirmed { id, name } => desk.confirmed(id, name),
                ToRoom::Wind(_)
                | ToRoom::BrokenOff(_)
                | ToRoom::Silent(_)
                | ToRoom::Regions { .. } => {}
            }
        }
    });
    let left = tui::run(Feed { from_room, to_room }, options).await;
    unfinished.end().await;
    taking.abort();
    showing.abort();
    let Left { leave, recorded } = left?;
    if leave == Leave::TerminalLost {
        return Ok(0);
    }
    screen::tell_recorded(recorded)?;
    let ended = ended.lock().unwrap_or_else(PoisonError::into_inner).take();
    Ok(ended.unwrap_or(Outcome::Done).exit_code())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_is_done_at_a_time_and_what_runs_can_be_ended() {
        let heal: Command = "drill run heal".parse().unwrap();
        let cut: Command = "cut b --for 30s".parse().unwrap();
        let running = |line: &str| decided(line, Some(("drill run heal", &heal)));
        let cutting = |line: &str| decided(line, Some(("cut b --for 30s", &cut)));
        for line in ["drill run cut", "cut b --for 30s", "verify", "doctor", "down", "heal b"] {
            assert_eq!(decided(line, None), Next::Begin(line.parse().unwrap()), "{line}");
            let Next::Refuse(why) = running(line) else { panic!("{line}") };
            assert!(why.contains("`drill run heal` runs"), "{why}");
        }
        assert_eq!(running("drill stop"), Next::End);
        assert_eq!(running("drill next"), Next::GoOn);
        assert_eq!(running("status --json"), Next::Status { json: true });
        assert_eq!((cutting("heal b"), cutting("drill stop")), (Next::End, Next::End));
        for (line, why) in [
            ("heal c", "`cut b --for 30s` runs"),
            ("drill next", "nothing runs here"),
            ("nudge b", "somebody else runs this region"),
            ("down --purge", "what can be is `drill run"),
            ("cut", "<ZONE>"),
        ] {
            let Next::Refuse(told) = cutting(line) else { panic!("{line}") };
            assert!(told.contains(why), "{told}");
        }
        assert!(matches!(decided("drill stop", None), Next::Refuse(_)));
    }
}
