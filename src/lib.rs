//! zonedrill: a terminal control room for drills on a NATS JetStream region.
//!
//! The house has floors; a module uses only its own floor and those below it
//! (`tests/it/floors.rs` reads this table and sees to that).
//!
//! | floor | rooms | what is inside |
//! |---|---|---|
//! | 6 | [`cli`] | parse the shell, start or find the room, print, exit codes |
//! | 5 | [`tui`], [`record`] | the screen: app loop, view state, theme, layout, one file per pane; what it draws, as an asciicast |
//! | 4 | [`room`] | the state actor, its watchers, the socket, the evidence on disk |
//! | 3 | [`drill`], [`nats`], [`platform`] | scripts, verdicts, bundles; streams, consumers, producer, observation; processes and links |
//! | 2 | [`command`] | what can be done, its grammar, the keymap |
//! | 1 | [`region`], [`ledger`], [`lang`] | what is true, what became of every message, and how it is said in another language: pure |

pub mod cli;
pub mod command;
pub mod drill;
pub mod lang;
pub mod ledger;
pub mod nats;
pub mod platform;
pub mod record;
pub mod region;
pub mod room;
pub mod tui;
