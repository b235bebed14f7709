//! The integration tests, one program: a module a subject, `support` for what they share.
//! `cargo test --test it region::` runs one module.

// A test that fails panics, and tells why.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::many_single_char_names,
    clippy::missing_panics_doc
)]

mod support;

mod access;
mod bring_up;
mod bundle;
mod compose;
mod copies;
mod costs;
mod crashes;
mod docker;
mod docker_engine;
mod docker_foreign;
mod docker_half;
mod docker_impaired;
mod docker_meddled;
mod documents;
mod drills;
mod edges;
mod examined;
mod fence;
mod floors;
mod flow;
mod frames;
mod fuzz;
mod identity;
mod impaired;
mod inspect;
mod interleavings;
mod languages;
mod laws;
mod ledger;
mod local_platform;
mod lost_source;
mod meddled;
mod nats_setup;
mod other_hands;
mod own_region;
mod promote;
mod record;
mod region;
mod remedies;
mod replay;
mod retention;
mod rolling;
mod sabotage;
mod screen;
mod screens;
mod search;
mod sharing;
mod shell;
mod ssh;
mod storm;
mod survives;
mod switchover;
mod tampering;
mod verdicts;
mod verify;
mod versions;
mod wire;
