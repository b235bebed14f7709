//! What other systems have in the place of the wire, and what uses it: compiled here as well, lest it go
//! stale where nobody sees it.
#![allow(dead_code)]

use super::{launch, relay};

#[path = "wire_elsewhere.rs"]
mod wire;
#[path = "zone.rs"]
#[allow(clippy::duplicate_mod)]
mod zone;
