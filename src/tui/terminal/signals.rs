//! Signals that end a process: the terminal is given back first, whatever the screen is doing.

use std::{
    io, process,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use futures::future::select_all;
use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{is_there, restore_now};
use crate::tui::Unfinished;

/// All that end a process unless it takes them, but those that say that it is broken.
const ENDING: [Signal; 11] = [
    Signal::TERM,
    Signal::INT,
    Signal::HUP,
    Signal::QUIT,
    Signal::USR1,
    Signal::USR2,
    Signal::ALARM,
    Signal::VTALARM,
    Signal::PROF,
    Signal::XCPU,
    Signal::IO,
];
/// How long a screen may take to see that its terminal is gone.
const GOOD_BYE: Duration = Duration::from_secs(2);
/// They are taken; once in a process.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// From now on, to the end of the process, a signal gives the terminal back and ends the process
/// with 128+n. A hang-up whose terminal is gone only cancels `lost`: there is nothing to give back.
/// What is unfinished comes to its end before.
///
/// On a thread with a runtime of its own: the screen's may be held up.
///
/// # Errors
/// When the system has no thread or descriptor left.
pub fn end_on_signals(lost: CancellationToken, unfinished: Option<Unfinished>) -> io::Result<()> {
    if TAKEN.swap(true, Ordering::SeqCst) {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut taken = Vec::new();
    {
        let _within = runtime.enter();
        for ending in ENDING {
            taken.push((ending, signal(SignalKind::from_raw(ending.as_raw()))?));
        }
    }
    let finish = async move {
        if let Some(unfinished) = unfinished {
            unfinished.end().await;
        }
    };
    let wait = async move {
        let next = taken.iter_mut().map(|(ending, signal)| {
            Box::pin(async move {
                signal.recv().await;
                *ending
            })
        });
        let (ending, ..) = select_all(next).await;
        if ending == Signal::HUP && !is_there() {
            lost.cancel();
            tokio::time::sleep(GOOD_BYE).await;
            finish.await;
            process::exit(0);
        }
        restore_now();
        finish.await;
        process::exit(128 + ending.as_raw());
    };
    thread::Builder::new().name("signals".into()).spawn(move || runtime.block_on(wait))?;
    Ok(())
}
