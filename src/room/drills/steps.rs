//! The play: a script's steps one after the other, their commands and their waits.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{
    DrillCtx,
    issuer::{Answer, CommandIssuer, Pending},
    recorder::Recorder,
    sabotage::Saboteur,
};
use crate::{
    command::{Command, DrillOptions, Sabotage},
    drill::{
        condition::Condition,
        record::Entry,
        script::{Action, Script, Step},
    },
    nats::facts,
    region::{
        EventKind, Input, ZoneName,
        format::seconds,
        status::{DrillStep, Pause, StepState},
    },
    room::{clock::now_ms, protocol::Outcome},
};

/// The pause between two looks at a condition, if nothing changes.
const LOOK: Duration = Duration::from_millis(100);
/// How long what the drill started may take to end once it is told to.
const LET_GO: Duration = Duration::from_secs(20);

/// How a script is run.
#[derive(Clone, Debug)]
pub struct How {
    /// The mirror zone that is meant, if one is.
    pub zone: Option<ZoneName>,
    /// How many times the original plan's numbers.
    pub scale: u64,
    pub sabotage: Option<Sabotage>,
    /// It is put in only once this held.
    pub when: Option<String>,
    pub options: DrillOptions,
    /// The pause between steps.
    pub pace: Option<Duration>,
    /// Steps wait for `drill next`.
    pub present: bool,
    /// What comes after it.
    pub queue: Vec<String>,
}

/// Why a script did not come to its end.
pub enum Halt {
    /// A step failed; the record says why.
    Failed,
    Ended,
}

/// A script on its way.
pub struct StepRunner<'a> {
    pub ctx: &'a DrillCtx,
    /// How it is run.
    pub how: &'a How,
    pub recorder: Arc<Recorder>,
    pub hand: CommandIssuer,
    /// Puts its deliberate fault in.
    pub saboteur: Saboteur,
    /// What runs in the background.
    pub pending: Vec<(String, Pending)>,
    /// The state at the beginning, for conditions about what is new.
    pub start: Value,
    /// What it is called.
    pub drill: String,
}

impl StepRunner<'_> {
    fn stop(&self) -> &CancellationToken {
        &self.ctx.cx.stop
    }

    /// Asks the servers about themselves, for the record.
    pub async fn servers(&self) {
        let nodes = facts::servers(&self.ctx.cx.runtime.plans()).await;
        self.recorder.write(Entry::Servers { nodes, at: now_ms() });
    }

    /// Plays every step.
    ///
    /// # Errors
    /// When a step fails, or the drill is ended before its time.
    pub async fn all(&mut self, script: &Script) -> Result<(), Halt> {
        let count = script.steps.len();
        for (index, step) in script.steps.iter().enumerate() {
            if self.how.present {
                self.pause(Pause::Predict).await?;
            }
            let began = self.begin(index, count, step);
            let result = self.act(step).await;
            self.done(index, began, &result);
            if let Err(why) = result {
                let ended = self.stop().is_cancelled();
                let why = if ended { self.ctx.why_ended() } else { why };
                self.ctx.cx.tell(format!("  {}: {why}", if ended { "ended" } else { "failed" }));
                return Err(if ended { Halt::Ended } else { Halt::Failed });
            }
            if self.how.present {
                self.pause(Pause::Reveal).await?;
                self.pause(Pause::GoOn).await?;
            } else if let Some(pace) = self.how.pace
                && index + 1 < count
            {
                tokio::select! {
                    () = tokio::time::sleep(pace) => {}
                    () = self.ctx.cx.stop.cancelled() => return Err(Halt::Ended),
                }
            }
        }
        // What runs in the background belongs to the last step.
        self.all_over().await.map_err(|_| Halt::Failed)
    }

    fn begin(&self, index: usize, count: usize, step: &Step) -> Instant {
        let title = step.title.clone();
        if let Some(phase) = &step.phase {
            // What was done before must not count as done in this phase.
            self.recorder.sample(&self.ctx.cx.runtime, &self.ctx.statuses);
            self.ctx.cx.runtime.evidence.meter().phase(phase);
            self.recorder.write(Entry::Phase { name: phase.clone(), at: now_ms() });
        }
        let at = now_ms();
        self.recorder.write(Entry::Step { index, title: title.clone(), at });
        self.recorder.view(|view| {
            if let Some(step) = view.steps.get_mut(index) {
                step.state = Some(StepState::Running);
                step.began_at_ms = Some(at);
            }
        });
        self.ctx.cx.progress(format!("{} {}/{count}: {title}", self.drill, index + 1));
        let drill = self.drill.clone();
        self.ctx.cx.bus().tell(Input::Said(vec![EventKind::DrillStep {
            drill,
            number: index + 1,
            title,
        }]));
        Instant::now()
    }

    fn done(&self, index: usize, began: Instant, result: &Result<(), String>) {
        let took = began.elapsed().as_millis() as u64;
        let why = result.as_ref().err().cloned();
        self.recorder.write(Entry::StepDone {
            index,
            ok: why.is_none(),
            why: why.clone(),
            at: now_ms(),
        });
        let presented = self.how.present;
        self.recorder.view(|view| {
            if let Some(step) = view.steps.get_mut(index) {
                step.state = Some(if why.is_none() { StepState::Done } else { StepState::Failed });
                step.took_ms = Some(took);
                step.detail = why.clone().unwrap_or_default();
            }
            // In the same breath, lest what was expected be seen for a moment.
            if presented && why.is_none() {
                view.waits_for = Some(Pause::Reveal);
            }
        });
    }

    /// A presented drill waits; the world runs on.
    async fn pause(&self, pause: Pause) -> Result<(), Halt> {
        self.recorder.view(|view| view.waits_for = Some(pause));
        self.ctx.cx.progress(format!("{}: waits for `drill next`", self.drill));
        let ended = tokio::select! {
            () = self.ctx.next.notified() => false,
            () = self.stop().cancelled() => true,
        };
        self.recorder.view(|view| view.waits_for = None);
        if ended { Err(Halt::Ended) } else { Ok(()) }
    }

    async fn act(&mut self, step: &Step) -> Result<(), String> {
        for action in &step.actions {
            if self.stop().is_cancelled() {
                return Err(self.ctx.why_ended());
            }
            if let Some(why) = self.recorder.trouble() {
                return Err(format!("the drill's record cannot be written: {why}"));
            }
            match action {
                Action::Run { line, background } => self.command(line, *background).await?,
                Action::Wait { condition, within } => self.wait(condition, *within).await?,
                Action::WaitFor { command } => self.over(command).await?,
            }
        }
        self.saboteur.settle().await
    }

    async fn command(&mut self, line: &str, background: bool) -> Result<(), String> {
        let command: Command = line.parse().map_err(|error| format!("`{line}`: {error}"))?;
        if !self.saboteur.before(&command) {
            return Ok(());
        }
        self.detail(line);
        let joins = matches!(command, Command::ZoneAdd { .. });
        if joins {
            self.servers().await;
        }
        let mut pending = self.hand.give(command);
        if background {
            self.pending.push((line.to_owned(), pending));
            return Ok(());
        }
        let answer = tokio::select! {
            answer = pending.end() => answer,
            () = self.ctx.cx.stop.cancelled() => {
                let _ = pending.within(LET_GO).await;
                return Err(self.ctx.why_ended());
            }
        };
        if joins {
            self.servers().await;
        }
        good(line, &answer)
    }

    /// Waits until the background commands that begin with this word have ended.
    async fn over(&mut self, word: &str) -> Result<(), String> {
        let (wanted, rest) = std::mem::take(&mut self.pending)
            .into_iter()
            .partition(|(line, _)| line.split_whitespace().next() == Some(word));
        self.pending = rest;
        self.ends_of(wanted).await
    }

    /// Waits until everything in the background has ended.
    async fn all_over(&mut self) -> Result<(), String> {
        let all = std::mem::take(&mut self.pending);
        self.ends_of(all).await
    }

    async fn ends_of(&self, commands: Vec<(String, Pending)>) -> Result<(), String> {
        let mut result = Ok(());
        for (line, mut pending) in commands {
            let answer = tokio::select! {
                answer = pending.end() => answer,
                () = self.ctx.cx.stop.cancelled() => {
                    let _ = pending.within(LET_GO).await;
                    return Err(self.ctx.why_ended());
                }
            };
            result = result.and(good(&line, &answer));
        }
        result
    }

    async fn wait(&mut self, condition: &Condition, within: Duration) -> Result<(), String> {
        let within = self.saboteur.patience(within);
        let mut statuses = self.ctx.statuses.clone();
        let began = Instant::now();
        self.detail(&format!("waits for {condition}"));
        loop {
            let now = statuses.borrow_and_update().status.document();
            let held = condition.holds(&now, &self.start);
            let over = began.elapsed() >= within || self.stop().is_cancelled();
            if held.met || over {
                self.recorder.write(Entry::Waited {
                    condition: condition.to_string(),
                    met: held.met,
                    seen: held.seen.clone(),
                    took_ms: began.elapsed().as_millis() as u64,
                    at: now_ms(),
                });
                return match held.met {
                    true => Ok(()),
                    false if self.stop().is_cancelled() => Err(self.ctx.why_ended()),
                    false => Err(format!(
                        "`{condition}` did not come true within {}: {}",
                        seconds(within.as_millis() as u64),
                        held.seen
                    )),
                };
            }
            tokio::select! {
                () = self.ctx.cx.stop.cancelled() => {}
                () = tokio::time::sleep(LOOK) => {}
                changed = statuses.changed() => if changed.is_err() {
                    return Err("the room is closing".into());
                }
            }
        }
    }

    /// What the running step does now.
    fn detail(&self, text: &str) {
        self.recorder.view(|view| {
            let running = |step: &&mut DrillStep| step.state == Some(StepState::Running);
            if let Some(step) = view.steps.iter_mut().find(running) {
                text.clone_into(&mut step.detail);
            }
        });
    }

    /// Ends what the drill started and undoes what it did.
    pub async fn clear_away(&mut self) {
        self.hand.cancel.cancel();
        for (_, pending) in std::mem::take(&mut self.pending) {
            let _ = pending.within(LET_GO).await;
        }
        self.saboteur.clear();
        self.hand.undo().await;
    }
}

/// A command must do what it says.
fn good(line: &str, answer: &Answer) -> Result<(), String> {
    if answer.outcome == Outcome::Done {
        return Ok(());
    }
    let first = answer.text.lines().next().unwrap_or_default();
    Err(format!("`{line}`: {first}"))
}
