//! Everything that speaks NATS: streams, mirrors, consumers, the producer, observation, probes.
//!
//! Knows servers by their addresses only; how they are run is `platform`'s affair.

pub mod advisories;
mod api;
pub mod audit;
pub mod configuration;
pub mod connect;
pub mod consumer;
pub mod echo;
pub mod error;
pub mod evidence;
pub mod external;
pub mod facts;
mod foreign;
pub mod inspect;
pub mod leaders;
pub mod links;
pub mod meter;
pub mod observe;
mod pace;
pub mod preflight;
pub mod producer;
pub mod promote;
pub mod renumbering;
pub mod repair;
pub mod replicas;
pub mod salvage;
pub mod streams;
mod system;
mod wire;

pub use error::NatsError;
