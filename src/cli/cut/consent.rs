//! What a person says before a cut, and to end it.

use std::io::{BufRead, IsTerminal, Write};

use color_eyre::eyre;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::{cli::words::OthersArgs, command::readable};

/// What somebody is asked to confirm, in words: to cut, and nothing is cut.
pub struct Intent {
    pub to: &'static str,
    pub done: &'static str,
}

/// A cut.
pub const TO_CUT: Intent = Intent { to: "cut", done: "cut" };

/// A confirmation that names the region: typed, or given with the command.
pub fn confirmed(name: &str, consent: &OthersArgs, what: &Intent) -> eyre::Result<()> {
    let given = match &consent.confirm {
        Some(given) => given.clone(),
        None if std::io::stdin().is_terminal() => {
            let _ = write!(std::io::stderr().lock(), "type the region's name to {}: ", what.to);
            let mut line = String::new();
            std::io::stdin().lock().read_line(&mut line)?;
            line.trim().to_owned()
        }
        None => eyre::bail!("nothing is {} without a word: add `--confirm {name}`", what.done),
    };
    eyre::ensure!(given == name, "`{}` is not this region: it is `{name}`", readable(&given));
    Ok(())
}

/// Somebody wants it to end: with ^C, by a signal, or by closing the terminal.
pub struct Hurry([Signal; 3]);

impl Hurry {
    /// From now on, none of these ends the program by itself.
    ///
    /// # Errors
    /// When signals cannot be heard.
    pub fn new() -> std::io::Result<Self> {
        let of = |kind| signal(kind);
        Ok(Self([
            of(SignalKind::interrupt())?,
            of(SignalKind::terminate())?,
            of(SignalKind::hangup())?,
        ]))
    }

    /// Returns when somebody wants it to end.
    pub async fn asked(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
