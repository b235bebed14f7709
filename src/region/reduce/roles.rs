//! A zone takes part otherwise, or holds another stream.

use super::{State, book::MirrorBook};
use crate::region::{
    event::EventKind,
    names::ZoneName,
    status::{Consumer, Mirror},
    topology::Role,
};

impl State {
    /// A zone takes part otherwise.
    pub(super) fn role_taken(&mut self, zone: &ZoneName, role: Role) -> Vec<EventKind> {
        let Some(i) = self.index(zone) else { return Vec::new() };
        let zone = &mut self.status.zones[i];
        zone.role = role;
        zone.mirror = (role == Role::Mirror).then(Mirror::default);
        zone.recovery = None;
        let book = &mut self.books[i];
        (book.clock, book.source_pending, book.mirror) = (None, None, MirrorBook::default());
        // What it was told to hold before is of another stream.
        book.words.clear();
        self.touch();
        Vec::new()
    }

    /// What is known of a zone's stream and consumer is of others.
    pub(super) fn begun_anew(&mut self, zone: &ZoneName) -> Vec<EventKind> {
        let Some(i) = self.index(zone) else { return Vec::new() };
        let zone = &mut self.status.zones[i];
        (zone.stream, zone.audit) = (None, None);
        if let Some(consumer) = &mut zone.consumer {
            let Consumer { name, running, paused, limit, .. } = consumer.clone();
            *consumer = Consumer { name, running, paused, limit, ..Consumer::default() };
        }
        self.books[i].words.clear();
        self.touch();
        Vec::new()
    }
}
