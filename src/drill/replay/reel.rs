//! The pictures of a story, moment by moment.

use std::sync::Arc;

use super::{Story, apply};
use crate::region::{Event, Status, UnixMs, reduce::State};

/// A story wound on to some moment.
#[derive(Clone, Debug)]
pub struct Reel {
    story: Arc<Story>,
    /// The next line to apply.
    next: usize,
    at: UnixMs,
    state: State,
}

impl Reel {
    /// Before the beginning: what happens in its first moment comes with the first winding.
    #[must_use]
    pub fn new(story: Arc<Story>) -> Self {
        Self::at_key(story, 0)
    }

    fn at_key(story: Arc<Story>, key: usize) -> Self {
        let (next, state) = story.keys[key].clone();
        let at = story.from();
        Self { story, next, at, state }
    }

    /// The story.
    #[must_use]
    pub fn story(&self) -> &Arc<Story> {
        &self.story
    }

    /// Where it stands.
    #[must_use]
    pub fn at(&self) -> UnixMs {
        self.at
    }

    /// Winds on to a moment (never back) and returns what happened on the way.
    pub fn wind(&mut self, to: UnixMs) -> Vec<Event> {
        let story = Arc::clone(&self.story);
        let before = self.events();
        while let Some(line) = story.lines.get(self.next).filter(|line| line.at <= to) {
            self.next += 1;
            apply(&mut self.state, &line.line, &mut Vec::new());
        }
        self.at = self.at.max(to.min(story.to()));
        story.events[before..self.events()].to_vec()
    }

    /// A reel at a moment, before or after this one, and everything that had happened by then.
    #[must_use]
    pub fn sought(&self, to: UnixMs) -> (Self, Vec<Event>) {
        let story = &self.story;
        let to = to.max(story.from());
        let reached = story.lines.partition_point(|line| line.at <= to);
        let key = story.keys.partition_point(|(lines, _)| *lines <= reached).saturating_sub(1);
        let mut reel = Self::at_key(Arc::clone(story), key);
        reel.wind(to);
        let events = story.events[..reel.events()].to_vec();
        (reel, events)
    }

    /// How many events there have been.
    fn events(&self) -> usize {
        self.next.checked_sub(1).map_or(0, |last| self.story.lines[last].events)
    }

    /// The picture of this moment. Nobody who looked then is here now.
    #[must_use]
    pub fn status(&self) -> Status {
        let last = self.next.checked_sub(1).and_then(|last| self.story.lines.get(last));
        let now = last.map_or(self.at, |line| line.line.at() + (self.at - line.at));
        let mut status = self.state.status(now);
        status.region = format!("replay of {}", status.region);
        status.screens.clear();
        status
    }
}
