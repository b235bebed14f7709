//! What is true of a region, as plain data, and how it changes.
//!
//! Pure: no I/O, no clock (times are handed in), no knowledge of a screen. Everything that
//! crosses the room's socket, and everything a screen draws, is defined here.

#[macro_use]
pub(crate) mod word;

pub mod access;
pub mod actor;
pub mod advisory;
pub mod condition;
pub mod configuration;
pub mod copy;
pub mod deliveries;
pub mod endpoint;
pub mod event;
pub mod external;
pub mod file;
pub mod format;
pub mod history;
pub mod input;
pub mod keeping;
pub mod names;
pub mod nats_context;
pub mod observation;
pub mod past;
pub mod platform;
pub mod recovery;
pub mod reduce;
pub mod remedy;
pub mod renumbering;
pub mod rights;
pub mod role;
pub mod status;
pub mod storm;
pub mod topology;

pub use actor::{Actor, Person};
pub use event::{Event, EventKind, Severity};
pub use input::Input;
pub use names::{NodeName, ZoneName};
pub use status::Status;
pub use topology::{CopyKind, MirrorKind, PlatformKind, Role, Settings, ZonePlan};

/// Milliseconds since the Unix epoch, as every timestamp of a status and an event is kept.
pub type UnixMs = u64;
