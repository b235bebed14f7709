//! How long a message without a clear answer is sent again.

use std::time::Duration;

use super::PATIENCE;

/// The longest that an unknown message is sent again.
pub const GIVE_UP: Duration = Duration::from_secs(300);

/// How long after its first sending a message may be sent again, to a stream that remembers ids for so
/// long: later it could be stored twice. What is sent may take a while to arrive, so a quarter of the
/// window is left.
#[must_use]
pub fn sent_again_for(remembered: Duration) -> Duration {
    remembered.saturating_sub((remembered / 4).max(2 * PATIENCE)).min(GIVE_UP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_sent_again_to_a_stream_that_may_have_forgotten_its_id() {
        let secs = Duration::from_secs;
        for (remembered, again) in [(600, 300), (120, 90), (20, 15), (6, 2), (4, 0), (0, 0)] {
            assert_eq!(sent_again_for(secs(remembered)), secs(again), "{remembered} s");
        }
    }
}
