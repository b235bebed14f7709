//! The wall clock, in the one unit the region keeps time in.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::region::UnixMs;

/// Now.
#[must_use]
pub fn now_ms() -> UnixMs {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map(|since| since.as_millis() as UnixMs)
        .unwrap_or_default()
}
