//! What ends a command before its end.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Somebody wants it to end: in a shell with ^C, by a signal, or by closing the terminal; on a screen by
/// a command, or by leaving it.
pub struct Hurry(Ways);

enum Ways {
    Signals([Signal; 3]),
    /// None once it was said.
    Told(Option<CancellationToken>),
}

impl Hurry {
    /// From now on, no signal that ends a program ends this one by itself.
    ///
    /// # Errors
    /// When signals cannot be heard.
    pub fn new() -> std::io::Result<Self> {
        let of = |kind| signal(kind);
        Ok(Self(Ways::Signals([
            of(SignalKind::interrupt())?,
            of(SignalKind::terminate())?,
            of(SignalKind::hangup())?,
        ])))
    }

    /// By a token, and by no signal.
    pub fn told(token: CancellationToken) -> Self {
        Self(Ways::Told(Some(token)))
    }

    /// Returns when somebody wants it to end; again only if somebody says so again.
    pub async fn asked(&mut self) {
        match &mut self.0 {
            Ways::Signals([interrupt, terminate, hangup]) => tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            },
            Ways::Told(told) => {
                match told {
                    Some(token) => token.cancelled().await,
                    None => std::future::pending().await,
                }
                *told = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn what_was_said_once_is_not_heard_twice() {
        let token = CancellationToken::new();
        let mut hurry = Hurry::told(token.clone());
        token.cancel();
        hurry.asked().await;
        let again = tokio::time::timeout(Duration::ZERO, hurry.asked()).await;
        assert!(again.is_err());
    }
}
