//! Who is at the other end of a connection, and what it may do.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc;

use super::seats::{Place, Shared};
use crate::{
    command::{Command, Drill},
    drill::library,
    region::{Actor, Person, Severity},
    room::{
        mailbox::CommandRequest,
        protocol::{ClientKind, Message, Outcome},
    },
};

/// The most shells and watchers at a time. Screens have their own bound.
pub(super) const MOST_VISITORS: usize = 128;
/// The longest path or reason that is passed on, in characters.
const LONGEST_WORDS: usize = 300;

/// Who is at the other end.
pub(super) struct Caller {
    pub actor: Actor,
    /// A guest: no file, and neither the beginning nor the end of the region.
    pub person: Person,
    pub kind: ClientKind,
    pub observe: bool,
    pub token: String,
}

impl Caller {
    /// Has a place among the screens.
    pub fn sits(&self) -> bool {
        matches!(self.kind, ClientKind::Screen | ClientKind::Recorder)
    }

    /// Whether it may act now, and if not, why.
    pub fn may_act(&self, place: Option<&Place<'_>>) -> Result<(), String> {
        match place {
            _ if self.observe => Err("you are here to observe".into()),
            // A shell has the account that owns the region; only its words are named.
            None => Ok(()),
            Some(place) => place.may_act(),
        }
    }
}

/// Counts a shell or a watcher while it is here.
pub(super) struct Visitor<'a>(Option<&'a AtomicUsize>);

impl<'a> Visitor<'a> {
    /// `None` when there are too many. Who has a place among the screens is counted there.
    pub fn come(shared: &'a Shared, caller: &Caller) -> Option<Self> {
        if caller.sits() {
            return Some(Self(None));
        }
        let counted = Self(Some(&shared.visitors));
        (shared.visitors.fetch_add(1, Ordering::SeqCst) < MOST_VISITORS).then_some(counted)
    }
}

impl Drop for Visitor<'_> {
    fn drop(&mut self) {
        if let Some(visitors) = self.0 {
            visitors.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

/// Puts a line on the bus; the answer comes through `answers`.
pub(super) fn give(
    shared: &Shared,
    caller: &Caller,
    place: Option<&Place<'_>>,
    id: u64,
    line: &str,
    answers: &mpsc::UnboundedSender<Message>,
) {
    let refuse = |text: String| {
        let outcome = Outcome::Refused;
        let _ = answers.send(Message::Answer { id, outcome, text, data: None });
    };
    let command = match line.parse::<Command>() {
        Ok(command) => command,
        Err(error) => return refuse(error.to_string()),
    };
    // Enforced here, where a screen cannot talk its way around it.
    if caller.person.guest
        && let Err(why) = for_guests(&command)
    {
        return refuse(format!("`{command}` is not for guests: {why}"));
    }
    let reply = |answered: Result<String, String>| {
        let (outcome, text) = match answered {
            Ok(text) => (Outcome::Done, text),
            Err(text) => (Outcome::Refused, text),
        };
        let _ = answers.send(Message::Answer { id, outcome, text, data: None });
    };
    match (&command, place) {
        (Command::Control(control), Some(place)) => {
            return place.hand_over(*control, &caller.person, id, answers);
        }
        (Command::Control(control), None) => {
            return reply(shared.control_of_a_shell(*control, &caller.person));
        }
        (Command::Kick { .. }, _) if caller.observe => {
            return refuse("you are here to observe".into());
        }
        (Command::Kick { name }, _) => return reply(shared.kick(&caller.person, name)),
        _ => {}
    }
    if !command.is_harmless()
        && let Err(why) = caller.may_act(place)
    {
        return refuse(format!("`{command}` is for who drives: {why}"));
    }
    if caller.person.guest
        && let Err(why) = shared.guests_add(command.disk_bytes())
    {
        return refuse(format!("`{command}` is not carried out: {why}"));
    }
    let given = CommandRequest {
        actor: caller.actor.clone(),
        command,
        id,
        answers: Some(answers.clone()),
        stop: None,
    };
    if shared.bus.give(given).is_err() {
        refuse("the room is closing".into());
    }
}

/// What a guest may give: of drills, those that come with the program and give nothing else; another
/// may do anything.
fn for_guests(command: &Command) -> Result<(), &'static str> {
    command.check_for_guests()?;
    let Command::Drill(Drill::Run(run)) = command else { return Ok(()) };
    for name in run.names.iter().filter(|name| *name != "all") {
        let script = library::named(name).ok_or(
            "guests run the drills that come with zonedrill, and no script of the owner's",
        )?;
        // A drill ends what it lets produce.
        let mut given = script.commands().filter(|one| !matches!(one, Command::Produce(_)));
        given.try_for_each(|one| one.check_for_guests())?;
    }
    Ok(())
}

/// A screen's recording ended by itself: whoever relied on it must know.
pub(super) fn broken_off(shared: &Shared, caller: &Caller, path: &str, why: &str) {
    // Who records nothing has nothing to tell.
    if !caller.sits() || caller.person.guest {
        return;
    }
    let short = |text: &str| text.chars().take(LONGEST_WORDS).collect::<String>();
    let who = &caller.actor.who;
    let text = format!(
        "{who}'s recording has ended early: {} {}; what was recorded until then plays",
        short(path),
        short(why)
    );
    shared.note(Severity::Error, text);
}
