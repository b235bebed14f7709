//! What is true of a region, as plain data, and how it changes.
//!
//! Pure: no I/O, no clock (times are handed in), no knowledge of a screen. Everything that
//! crosses the room's socket, and everything a screen draws, is defined here.

pub mod actor;
pub mod event;
pub mod figures;
pub mod history;
pub mod names;
pub mod observation;
pub mod recovery;
pub mod reduce;
pub mod snapshot;
pub mod status;
pub mod topology;

pub use actor::Actor;
pub use event::{Event, EventKind, Severity};
pub use names::{NodeName, ZoneName};
pub use snapshot::Snapshot;
pub use topology::{MirrorKind, Role, Settings, ZonePlan};

/// Milliseconds since the Unix epoch, as every timestamp of a snapshot and an event is kept.
pub type UnixMs = u64;
