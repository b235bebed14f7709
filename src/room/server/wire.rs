//! What is sent to those who are here: the newest status and the events.

use std::{
    collections::VecDeque,
    sync::{Mutex, OnceLock, PoisonError},
};

use tokio::sync::broadcast;

use crate::region::{Event, Status};

/// How many past events a newcomer is sent.
const PAST_EVENTS: usize = 500;

/// A status and, once somebody needed it, its line.
#[derive(Debug, Default)]
pub struct Published {
    pub status: Status,
    line: OnceLock<String>,
}

impl Published {
    /// Of this picture.
    #[must_use]
    pub fn new(status: Status) -> Self {
        Self { status, line: OnceLock::new() }
    }

    /// The message line, made once for all readers.
    pub(super) fn line(&self) -> &str {
        self.line.get_or_init(|| {
            // The message without copying the status into it.
            let body = serde_json::to_string(&self.status).unwrap_or_default();
            format!(r#"{{"type":"status","status":{body}}}"#)
        })
    }
}

/// The newest events, for newcomers, and the wire to those who are here.
#[derive(Debug)]
pub struct EventWire {
    past: Mutex<VecDeque<Event>>,
    wire: broadcast::Sender<Event>,
}

impl Default for EventWire {
    fn default() -> Self {
        Self { past: Mutex::default(), wire: broadcast::channel(1024).0 }
    }
}

impl EventWire {
    /// Sends an event to everyone and remembers it.
    pub fn send(&self, event: Event) {
        let mut past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        if past.len() == PAST_EVENTS {
            past.pop_front();
        }
        past.push_back(event.clone());
        let _ = self.wire.send(event);
    }

    /// What was, and what comes: nothing between is missed or doubled.
    pub(in crate::room) fn join(&self) -> (Vec<Event>, broadcast::Receiver<Event>) {
        let past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        (past.iter().cloned().collect(), self.wire.subscribe())
    }
}
