//! The socket: who attaches, what they may do, what they are sent.
//!
//! A reader that is slow gets the newest status when it is ready for one, never a queue.

mod caller;
mod connection;
mod seats;
mod wire;

use std::{
    collections::VecDeque,
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::net::UnixListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use connection::Connection;
pub use seats::{Seats, Shared};
pub use wire::{EventWire, Published};

/// How often the roles' clocks are looked at.
const ROLES_TICK: Duration = Duration::from_millis(500);
/// The most connections that have not greeted yet; the oldest gives way to a new one.
const MOST_UNGREETED: usize = 256;

/// The listening socket. Removed when dropped.
#[derive(Debug)]
pub struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Socket {
    /// Listens at `path`, for its owner only. The region's claim must be held: a socket that is
    /// there already is then a dead room's.
    ///
    /// # Errors
    /// When it cannot be bound.
    pub fn bind(path: &Path) -> io::Result<Self> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        Ok(Self { listener, path: path.to_owned() })
    }

    /// Serves until `closing`, then lets every connection send what it still has.
    pub async fn serve(self, shared: Arc<Shared>, closing: CancellationToken) {
        let tracker = TaskTracker::new();
        let mut next = 1_u64;
        let mut ungreeted = VecDeque::new();
        let mut tick = tokio::time::interval(ROLES_TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let stream = tokio::select! {
                () = closing.cancelled() => break,
                _ = tick.tick() => {
                    shared.tick();
                    continue;
                }
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        // Out of descriptors, most likely: let some connections end.
                        tracing::warn!("cannot accept a connection: {error}");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        continue;
                    }
                },
            };
            let (shared, closing) = (Arc::clone(&shared), closing.clone());
            shared.connections.send_modify(|n| *n += 1);
            let hurry = CancellationToken::new();
            ungreeted.push_back(hurry.clone());
            // For one that has greeted it means nothing.
            if ungreeted.len() > MOST_UNGREETED
                && let Some(oldest) = ungreeted.pop_front()
            {
                oldest.cancel();
            }
            tracker.spawn(async move {
                let number = next;
                if let Err(error) =
                    Connection::new(stream, number).run(&shared, closing, hurry).await
                {
                    tracing::debug!("connection {number}: {error}");
                }
                shared.connections.send_modify(|n| *n -= 1);
            });
            next += 1;
        }
        tracker.close();
        let _ = tokio::time::timeout(Duration::from_secs(2), tracker.wait()).await;
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
