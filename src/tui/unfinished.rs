//! Work that must come to its end in order before the process ends, whatever ends it.

use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Tasks that are told to end, and waited for, when a screen is left.
#[derive(Clone, Debug, Default)]
pub struct Unfinished {
    asked: CancellationToken,
    tasks: TaskTracker,
}

impl Unfinished {
    /// Says when a task is to end; ends that one alone if it is cancelled itself.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.asked.child_token()
    }

    /// Everything is to end.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.asked.is_cancelled()
    }

    /// Begins a task that will be waited for.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Ends everything, and returns when it has ended.
    pub async fn end(&self) {
        self.asked.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[tokio::test]
    async fn what_runs_is_told_to_end_and_waited_for() {
        let unfinished = Unfinished::default();
        let (stop, other) = (unfinished.token(), unfinished.token());
        let ended = std::sync::Arc::new(AtomicBool::new(false));
        let seen = std::sync::Arc::clone(&ended);
        unfinished.spawn(async move {
            stop.cancelled().await;
            tokio::task::yield_now().await;
            seen.store(true, Ordering::SeqCst);
        });
        other.cancel();
        assert!(!unfinished.is_asked());
        unfinished.end().await;
        assert!(ended.load(Ordering::SeqCst) && unfinished.is_asked());
        unfinished.end().await;
    }
}
