//! Commands as the state actor takes them: who does it, and what is said when it ends. Whether it can be
//! done at all is for `possible`.

use std::{sync::Arc, time::Instant};

use tokio_util::sync::CancellationToken;

use super::{End, Running, StateActor, moving};
use crate::{
    command::{Command, Drill, Rate, Record, wind::NOTHING_TO_WIND},
    platform::choose_cut,
    region::{
        Actor, EventKind, Input, UnixMs, ZoneName, ZonePlan,
        actor::Via,
        status::{self, Phase, Task},
        topology::CutKind,
    },
    room::{
        bringup,
        clock::now_ms,
        configuration, doctor, drills, impair, inspect, links,
        mailbox::CommandRequest,
        nodes, produce,
        protocol::{Message, Outcome},
        repair,
        task::{self, CommandCtx},
        upgrade, verify, work, zones,
    },
};

impl StateActor {
    pub(super) fn given(&mut self, given: CommandRequest) -> Option<End> {
        let line = given.command.shown();
        if !given.command.is_harmless() {
            let told = EventKind::CommandGiven { command: line.clone() };
            self.apply_by(&given.actor, Input::Said(vec![told]));
        }
        if let Err(why) = self.possible(&given.command) {
            self.refuse(&given, &why);
            return None;
        }
        match given.command.clone() {
            Command::Down { purge } => {
                return Some(End { purge, asked: Some(given), began: Instant::now() });
            }
            Command::Status { schema: true, .. } => {
                answer(&given, Outcome::Done, &format!("{:#}", status::schema().as_value()), None);
            }
            Command::Status { json, .. } => {
                let status = self.state.status(now_ms());
                let data = status.document();
                let text = if json { format!("{data:#}") } else { status::render(&status) };
                answer(&given, Outcome::Done, &text, Some(data));
            }
            Command::Mark { text } => {
                self.apply_by(&given.actor, Input::Mark { text });
                answer(&given, Outcome::Done, "marked", None);
            }
            Command::Drill(Drill::Stop) => {
                let why = format!("ended by {} with `drill stop`", given.actor);
                match self.runtime.active_drill.end(&why) {
                    Some(what) => {
                        let said =
                            format!("`{what}` ends: what it cut is healed, its verdict is void");
                        self.done(&given, Outcome::Done, &said, None, 0);
                    }
                    None => self.refuse(&given, "no drill runs: there is nothing to stop"),
                }
            }
            Command::Drill(Drill::Next) => match self.waiting_drill() {
                Ok(()) => self.done(&given, Outcome::Done, "the drill goes on", None, 0),
                Err(why) => self.refuse(&given, &why),
            },
            // The recorders have seen the command itself, and end.
            Command::Record(Record::Stop) => {
                match self.screens.borrow().values().filter(|screen| screen.records).count() {
                    0 => answer(
                        &given,
                        Outcome::Refused,
                        "nothing is being recorded by `record start FILE` in a shell; what a screen records of itself ends there, with `r`",
                        None,
                    ),
                    1 => answer(&given, Outcome::Done, "the recording ends", None),
                    n => answer(&given, Outcome::Done, &format!("{n} recordings end"), None),
                }
            }
            Command::Record(Record::Start { .. }) => answer(
                &given,
                Outcome::Refused,
                &format!(
                    "a room records nothing: `r` in a screen records that screen, `zonedrill{} record start FILE` in a shell one without a terminal",
                    self.runtime.flag()
                ),
                None,
            ),
            Command::Control(_) => {
                answer(&given, Outcome::Refused, "only a screen has control", None);
            }
            Command::Wind(_) => answer(&given, Outcome::Refused, NOTHING_TO_WIND, None),
            command => self.start(given, command),
        }
        None
    }

    fn start(&mut self, given: CommandRequest, command: Command) {
        if matches!(command, Command::Up) && self.state.peek().phase == Phase::Up {
            let (outcome, text) = configuration::up_already(&self.runtime);
            answer(&given, outcome, &text, None);
            return;
        }
        let zone_plan = match &command {
            Command::ZoneAdd { zone } => {
                match zones::plan(&self.runtime, zone.clone(), self.port_base) {
                    Ok(plan) => Some(plan),
                    Err(failure) => return self.refuse(&given, &failure.to_string()),
                }
            }
            _ => None,
        };
        let claims = match self.claims(&command, zone_plan.as_ref().map(|plan| &plan.name)) {
            Ok(claims) => claims,
            Err(failure) => return self.refuse(&given, &failure.to_string()),
        };
        let mine = !matches!(command, Command::Up);
        if matches!(command, Command::Heal { .. }) {
            // A cut that is still being proved is over now; its proof must not hold the heal up.
            for other in self.running.values_mut() {
                let cut = matches!(other.given.command, Command::Cut { .. });
                if cut && other.claims.iter().any(|theirs| claims.contains(theirs)) {
                    other.stop.cancel();
                    other.claims.clear();
                }
            }
        }
        let collision = self.running.values().find(|other| {
            other.claims.iter().any(|theirs| claims.iter().any(|ours| ours.collides(theirs)))
        });
        if let Some(other) = collision {
            let why = format!(
                "`{}` (by {}, {} s ago) is still under way there: wait for it",
                other.given.command,
                other.given.actor,
                other.began.elapsed().as_secs()
            );
            return self.refuse(&given, &why);
        }
        if let Err(why) = self.sensible(&command) {
            return self.refuse(&given, &why);
        }
        if !matches!(given.actor.via, Via::Drill | Via::Room) {
            self.runtime.active_drill.disturbed(&command, &given.actor.who);
        }
        let task = self.next_task;
        self.next_task += 1;
        self.runtime.active_drill.given(task, &command);
        let stop =
            given.stop.as_ref().map_or_else(CancellationToken::new, CancellationToken::child_token);
        let cx = CommandCtx {
            runtime: Arc::clone(&self.runtime),
            task,
            stop: stop.clone(),
            id: given.id,
            answers: given.answers.clone(),
        };
        if mine {
            self.apply(Input::TaskStarted(Task {
                id: task,
                command: command.shown(),
                by: given.actor.who.clone(),
                since_at_ms: now_ms(),
                progress: String::new(),
            }));
        }
        let began = Instant::now();
        let actor = given.actor.clone();
        self.running.insert(task, Running { given, began, claims, stop });
        self.spawn(cx, command, zone_plan, began, &actor);
    }

    fn spawn(
        &self,
        cx: CommandCtx,
        command: Command,
        plan: Option<ZonePlan>,
        given: Instant,
        actor: &Actor,
    ) {
        let line = command.shown();
        let statuses = self.publish.subscribe();
        match command {
            Command::Up => {
                task::spawn(cx, |cx| bringup::up(cx, statuses));
            }
            Command::Doctor => {
                task::spawn(cx, |cx| doctor::in_room(cx, statuses));
            }
            Command::Produce(what) => task::spawn(cx, |cx| produce::produce(cx, what)),
            Command::Cut { zone, kind, heal_after } => {
                // `sensible` has refused what the platform does not have.
                let Ok(kind) = choose_cut(&*self.runtime.platform, kind) else { return };
                let cut = links::Cut { zone, kind, heal_after, statuses, given };
                task::spawn(cx, |cx| links::cut(cx, cut));
            }
            Command::Impair { zone, what, heal_after } => {
                // `sensible` has refused what cannot be.
                let before = self.asked_of(&zone);
                let condition = impair::check(&self.runtime, &what, before.unwrap_or_default());
                let Ok(condition) = condition else { return };
                let asked = impair::Impair { zone, condition, before, heal_after, given };
                task::spawn(cx, |cx| impair::impair(cx, asked));
            }
            Command::Heal { zone } => {
                let zones = zone.map_or_else(|| self.cut_zones(), |zone| vec![zone]);
                let heal = |zone| links::Heal {
                    unplugged_ms: self.unplugged_ms(&zone),
                    cut: self.state.peek().zone(&zone).and_then(|zone| zone.link.as_ref()?.kind),
                    zone,
                };
                let zones = zones.into_iter().map(heal).collect();
                task::spawn(cx, |cx| links::heal(cx, zones, statuses));
            }
            Command::ZoneAdd { .. } => {
                if let Some(plan) = plan {
                    task::spawn(cx, |cx| zones::add(cx, plan));
                }
            }
            Command::ZoneRemove { zone, force } => {
                task::spawn(cx, move |cx| zones::remove(cx, zone, force, statuses));
            }
            Command::Node { act, node } => task::spawn(cx, move |cx| nodes::act(cx, act, node)),
            Command::ConsumerPause { zone } => {
                task::spawn(cx, |cx| work::hold(cx, zone, |held| held.paused = true));
            }
            Command::ConsumerResume { zone } => {
                task::spawn(cx, |cx| work::hold(cx, zone, |held| held.paused = false));
            }
            Command::ConsumerRate { zone, rate } => {
                task::spawn(cx, move |cx| {
                    work::hold(cx, zone, move |held| held.limit = rate.map(Rate::per_second))
                });
            }
            Command::Stepdown { zone, group } => {
                task::spawn(cx, move |cx| nodes::stepdown(cx, zone, group));
            }
            Command::Upgrade { version } => task::spawn(cx, |cx| upgrade::upgrade(cx, version)),
            Command::Nudge { zone } => task::spawn(cx, |cx| nodes::nudge(cx, zone)),
            Command::Repair { zone, force } => {
                let asked = repair::Asked { zone, force, cut: self.cut_zones() };
                task::spawn(cx, |cx| repair::repair(cx, asked, statuses));
            }
            Command::ProducerMove { .. }
            | Command::Promote { .. }
            | Command::Fence { .. }
            | Command::Salvage { .. }
            | Command::Failback { .. }
            | Command::Switchover { .. }
            | Command::Stream(_) => moving::spawn(cx, command, statuses),
            Command::Verify { zone, json, .. } => {
                task::spawn(cx, move |cx| verify::verify(cx, zone, json, statuses));
            }
            Command::Inspect(what) => {
                task::spawn(cx, move |cx| inspect::inspect(cx, what, statuses));
            }
            Command::Drill(Drill::Run(asked)) => {
                let who = actor.who.clone();
                task::spawn(cx, |cx| drills::run(cx, asked, who, statuses, line));
            }
            Command::Drill(Drill::Begin { name }) => {
                let who = actor.who.clone();
                task::spawn(cx, |cx| drills::by_hand::begin(cx, name, who, statuses, line));
            }
            Command::Drill(Drill::End) => task::spawn(cx, drills::by_hand::end),
            Command::Drill(Drill::List) => task::spawn(cx, |_| async { drills::choice::list() }),
            Command::Report { folder } => {
                task::spawn(cx, |cx| drills::bundle::report(cx, folder));
            }
            // Answered before it came here.
            Command::Down { .. }
            | Command::Status { .. }
            | Command::Mark { .. }
            | Command::Record(_)
            | Command::Control(_)
            | Command::Kick { .. }
            | Command::Wind(_)
            | Command::Drill(
                Drill::Stop
                | Drill::Next
                | Drill::Sabotage { .. }
                | Drill::Matrix(_)
                | Drill::Search(_),
            ) => {}
        }
    }

    /// Lets a presented drill that waits go on.
    fn waiting_drill(&self) -> Result<(), String> {
        let drill = self.state.peek().drill.as_ref();
        if self.runtime.active_drill.running().is_some()
            && drill.is_none_or(|drill| drill.waits_for.is_none())
        {
            return Err("the drill does not wait: it goes on by itself".into());
        }
        self.runtime.active_drill.next()
    }

    pub(super) fn ended(
        &mut self,
        task: u64,
        outcome: Outcome,
        said: &str,
        data: Option<serde_json::Value>,
    ) {
        self.apply(Input::TaskEnded { id: task });
        let Some(running) = self.running.remove(&task) else { return };
        self.tell_producer();
        // Who takes this for the beginning of a phase looks at what is so by then.
        self.publish_news();
        self.runtime.active_drill.answered(task, outcome, said, data.as_ref());
        let took = running.began.elapsed().as_millis() as u64;
        self.done(&running.given, outcome, said, data, took);
    }

    fn refuse(&mut self, given: &CommandRequest, why: &str) {
        self.done(given, Outcome::Refused, why, None, 0);
    }

    fn done(
        &mut self,
        given: &CommandRequest,
        outcome: Outcome,
        said: &str,
        data: Option<serde_json::Value>,
        took_ms: u64,
    ) {
        let command = given.command.shown();
        let first = said.lines().next().unwrap_or_default().to_owned();
        let event = match outcome {
            Outcome::Done => EventKind::CommandDone { command, said: first, took_ms },
            _ => EventKind::CommandFailed { command, why: first },
        };
        if !given.command.is_harmless() || outcome == Outcome::Broken {
            self.apply_by(&given.actor, Input::Said(vec![event]));
        }
        answer(given, outcome, said, data);
    }

    /// Tells the giver of `down` how it went.
    pub fn answer_down(&mut self, end: End, result: Result<(), String>) {
        let Some(given) = end.asked else { return };
        let took = end.began.elapsed().as_millis() as u64;
        let (outcome, said) = match result {
            Ok(()) if end.purge => {
                (Outcome::Done, "the region is down and its data is removed".to_owned())
            }
            Ok(()) => (
                Outcome::Done,
                "the region is down; its data is kept (`up` brings it back)".to_owned(),
            ),
            Err(why) => (Outcome::Broken, why),
        };
        // After a purge there is no log to write to.
        if end.purge {
            answer(&given, outcome, &said, None);
        } else {
            self.done(&given, outcome, &said, None, took);
        }
    }

    /// Since when containers of a zone are off the network, if any is: by a cut, or by somebody
    /// else's hand.
    fn unplugged_ms(&self, zone: &ZoneName) -> Option<UnixMs> {
        let link = self.state.peek().zone(zone)?.link.as_ref()?;
        let cut = (link.kind == Some(CutKind::Unplug)).then_some(link.since_at_ms);
        cut.or_else(|| self.state.astray_since(zone))
    }
}

/// Answers whoever gave a command, if somebody waits.
pub(super) fn answer(
    given: &CommandRequest,
    outcome: Outcome,
    text: &str,
    data: Option<serde_json::Value>,
) {
    if let Some(answers) = &given.answers {
        let _ =
            answers.send(Message::Answer { id: given.id, outcome, text: text.to_owned(), data });
    }
}
