//! Who gives a command on a region of others, a shell or a person at a screen: where what is told goes,
//! who is asked whether the region is meant, and what ends the command.

use std::{
    io::{BufRead, IsTerminal, Write},
    path::PathBuf,
};

use color_eyre::eyre::{self, OptionExt};

use super::line::Line;
use crate::{
    cli::{hurry::Hurry, output, words::OthersArgs},
    command::readable,
    region::Actor,
    room::external::{
        hook::{Audit, audit_file},
        session::Session,
    },
};

/// What somebody is asked to confirm, in words: to cut, and nothing is cut.
pub struct Intent {
    pub to: &'static str,
    pub done: &'static str,
}

/// Who gives a command, and what was said with it.
pub struct Caller {
    /// The program's folder.
    pub root: PathBuf,
    pub who: Actor,
    pub consent: OthersArgs,
    pub place: Place,
}

/// From where.
pub enum Place {
    Shell,
    Screen(Line),
}

impl Caller {
    /// Where what is done is recorded.
    pub fn audit(&self, region: &str) -> Audit {
        let (file, by) = (audit_file(&self.root, region), self.who.who.clone());
        Audit { file, region: region.to_owned(), by }
    }

    /// Tells a result.
    pub fn tell(&self, text: &str) {
        match &self.place {
            Place::Shell => output::tell(text),
            Place::Screen(line) => line.tell(text),
        }
    }

    /// Tells a result for a machine.
    pub fn data(&self, text: &str) {
        match &self.place {
            Place::Shell => output::print(text),
            Place::Screen(line) => line.tell(text),
        }
    }

    /// Tells what happens just now, which is a part of the result.
    pub fn news(&self, text: &str) {
        match &self.place {
            Place::Shell => output::tell(text),
            Place::Screen(line) => line.news(&self.who, text),
        }
    }

    /// Tells a step of a drill: a screen shows those itself.
    pub fn step(&self, text: &str) {
        match &self.place {
            Place::Shell => output::print(text),
            Place::Screen(line) => line.progress(text),
        }
    }

    /// Tells what a command came to, and where its evidence is. A screen's pane tells the findings.
    pub fn came_to(&self, text: &str, bundle: Option<&str>) {
        let headline = text.lines().next().unwrap_or_default();
        match (&self.place, bundle) {
            (Place::Screen(line), Some(bundle)) => {
                line.tell(headline);
                line.tell(&format!("evidence: {bundle}"));
            }
            _ => self.tell(&format!("\n{text}")),
        }
        if let Some(bundle) = bundle {
            let bundle = shell_words::quote(bundle);
            self.tell(&format!("`zonedrill verify {bundle}` checks it anywhere"));
        }
    }

    /// Shows what would be done; returns whether it is to be done.
    ///
    /// # Errors
    /// When nobody said that this region is meant.
    pub async fn means_it(&self, plan: &str, region: &str, what: &Intent) -> eyre::Result<bool> {
        let (dry, given) = (self.consent.dry, self.consent.confirm.clone());
        if dry || matches!(self.place, Place::Shell) {
            self.tell(plan);
        }
        if dry {
            return Ok(false);
        }
        let given = match (given, &self.place) {
            (Some(given), _) => given,
            (None, Place::Shell) => typed(region, what)?,
            (None, Place::Screen(line)) => line
                .ask(plan)
                .await
                .ok_or_eyre(format!("it was not confirmed: nothing is {}", what.done))?,
        };
        eyre::ensure!(
            given == region,
            "`{}` is not this region: it is `{region}`",
            readable(&given)
        );
        Ok(true)
    }

    /// From now on the command comes to its end in order, whatever ends it.
    ///
    /// # Errors
    /// When signals cannot be heard.
    pub fn hurry(&self) -> std::io::Result<Hurry> {
        match &self.place {
            Place::Shell => Hurry::new(),
            Place::Screen(line) => Ok(Hurry::told(line.hold())),
        }
    }

    /// It heals: leaving the screen does not break it off.
    pub fn holds(&self) {
        if let Place::Screen(line) = &self.place {
            line.hold();
        }
    }

    /// The room that works for the command, from now on until it [has ended](Self::follows_no_more).
    pub fn follows(&self, session: &Session) {
        if let Place::Screen(line) = &self.place {
            line.follow(session);
        }
    }

    /// The room has ended.
    pub fn follows_no_more(&self) {
        if let Place::Screen(line) = &self.place {
            line.follow_no_more();
        }
    }
}

/// Asks at the terminal.
fn typed(region: &str, what: &Intent) -> eyre::Result<String> {
    eyre::ensure!(
        std::io::stdin().is_terminal(),
        "nothing is {} without confirmation: add `--confirm {region}`",
        what.done
    );
    let _ = write!(std::io::stderr().lock(), "type the region's name to {}: ", what.to);
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim().to_owned())
}
