//! Which drill runs, and how others speak to it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::by_hand::ByHand;
use crate::{
    command::Command,
    region::UnixMs,
    room::{clock::now_ms, protocol::Outcome},
};

/// A drill, or several in a row, that run.
#[derive(Debug)]
pub struct Active {
    /// The command, in the words of the command language.
    pub command: String,
    pub stop: CancellationToken,
    began: UnixMs,
    next: Arc<Notify>,
    /// Why it is to end, or is worth nothing any more.
    why: Option<String>,
    /// One of several has its verdict, and the next has not begun.
    between: bool,
    /// What is done by hand is recorded.
    by_hand: Option<Arc<ByHand>>,
}

/// What is known of drills beside the state.
#[derive(Debug, Default)]
pub struct ActiveDrill {
    active: Mutex<Option<Active>>,
}

impl ActiveDrill {
    fn active(&self) -> MutexGuard<'_, Option<Active>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the place of the one drill that may run.
    ///
    /// # Errors
    /// When one runs; names it.
    pub fn occupy(&self, command: &str, stop: CancellationToken) -> Result<Arc<Notify>, String> {
        let mut active = self.active();
        if let Some(other) = &*active {
            return Err(format!(
                "`{}` runs: wait for its verdict, or end it with `drill stop`",
                other.command
            ));
        }
        let next = Arc::new(Notify::new());
        *active = Some(Active {
            command: command.to_owned(),
            stop,
            began: now_ms(),
            next: Arc::clone(&next),
            why: None,
            between: false,
            by_hand: None,
        });
        Ok(next)
    }

    /// The place is free again.
    pub fn leave(&self) {
        *self.active() = None;
    }

    /// What runs, in the words of the command language.
    #[must_use]
    pub fn running(&self) -> Option<String> {
        self.active().as_ref().map(|active| active.command.clone())
    }

    /// When what runs began.
    #[must_use]
    pub fn began(&self) -> Option<UnixMs> {
        self.active().as_ref().map(|active| active.began)
    }

    /// Ends what runs, for that reason. Returns what it was.
    pub fn end(&self, why: &str) -> Option<String> {
        let mut active = self.active();
        let active = active.as_mut()?;
        active.why.get_or_insert_with(|| why.to_owned());
        active.stop.cancel();
        Some(active.command.clone())
    }

    /// Somebody else's command changes what the drill tests: it is carried out, and the drill ends
    /// void, as its verdict could say nothing any more.
    ///
    /// Between two drills there is nothing to disturb: what then stands in the next one's way is
    /// said before it begins.
    pub fn disturbed(&self, command: &Command, by: &str) {
        // What is done by hand disturbs nothing: it is what is recorded.
        let spared = |active: &Active| active.between || active.by_hand.is_some();
        let spared = self.active().as_ref().is_some_and(spared);
        if !spared && command.disturbs() {
            self.end(&format!("{by} gave `{command}` while the drill ran"));
        }
    }

    /// Says whether one of several drills is over and the next has not begun.
    pub fn between(&self, between: bool) {
        if let Some(active) = &mut *self.active() {
            active.between = between;
        }
    }

    /// A presented drill goes on.
    ///
    /// # Errors
    /// When none runs.
    pub fn next(&self) -> Result<(), String> {
        let active = self.active();
        let active = active.as_ref().ok_or("no drill runs: `drill run all` begins")?;
        active.next.notify_one();
        Ok(())
    }

    /// Why it was ended.
    #[must_use]
    pub fn why(&self) -> Option<String> {
        self.active().as_ref().and_then(|active| active.why.clone())
    }

    /// What is done by hand is recorded from now on.
    pub fn by_hand_began(&self, by_hand: Arc<ByHand>) {
        if let Some(active) = &mut *self.active() {
            active.by_hand = Some(by_hand);
        }
    }

    /// It is recorded no more.
    pub fn by_hand_over(&self) {
        if let Some(active) = &mut *self.active() {
            active.by_hand = None;
        }
    }

    /// The run by hand that goes on.
    #[must_use]
    pub fn by_hand(&self) -> Option<Arc<ByHand>> {
        self.active().as_ref()?.by_hand.clone()
    }

    /// A command of anybody's was taken up as that task.
    pub fn given(&self, task: u64, command: &Command) {
        if let Some(by_hand) = self.by_hand() {
            by_hand.given(task, command);
        }
    }

    /// A task has ended.
    pub fn answered(
        &self,
        task: u64,
        outcome: Outcome,
        text: &str,
        data: Option<&serde_json::Value>,
    ) {
        if let Some(by_hand) = self.by_hand() {
            by_hand.answered(task, outcome, text, data);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_and_whoever_meddles_ends_it() {
        let desk = ActiveDrill::default();
        assert!(desk.next().is_err() && desk.end("x").is_none());
        let stop = CancellationToken::new();
        desk.occupy("drill run cut", stop.clone()).unwrap();
        let refused = desk.occupy("drill run heal", CancellationToken::new()).unwrap_err();
        assert!(refused.contains("`drill run cut` runs"), "{refused}");
        desk.disturbed(&"verify".parse().unwrap(), "eve");
        desk.disturbed(&"mark here".parse().unwrap(), "eve");
        assert!(!stop.is_cancelled());
        for line in ["heal b", "nudge b", "produce 1 5", "produce --rate 5/s", "produce stop"] {
            assert!(line.parse::<Command>().unwrap().disturbs(), "{line}");
        }
        desk.between(true);
        desk.disturbed(&"heal b".parse().unwrap(), "tom");
        assert!(!stop.is_cancelled() && desk.why().is_none());
        desk.between(false);
        desk.disturbed(&"heal b".parse().unwrap(), "eve");
        desk.end("drill stop");
        assert!(stop.is_cancelled());
        assert_eq!(desk.why().as_deref(), Some("eve gave `heal b` while the drill ran"));
        desk.leave();
        assert_eq!(desk.running(), None);
    }
}
