//! What tests share: real servers and regions, models of them, terminals, and the turns they take.

pub mod bundle;
pub mod caller;
pub mod calm;
pub mod cast;
pub mod docker;
pub mod engine_road;
pub mod flow;
pub mod forged;
pub mod hands;
pub mod laws;
pub mod ledger;
pub mod model;
pub mod nats;
pub mod one_run;
pub mod others;
pub mod region;
pub mod screen;
pub mod server;
pub mod turns;
pub mod weave;
