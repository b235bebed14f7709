//! Cuts a link of others as its region file says, and heals it. What shows the cut is looked at
//! elsewhere: that a command ended well proves nothing.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tokio::{task::spawn_blocking, time::sleep};

use super::hook::{Audit, Deed, Healer, Hook};
use crate::{
    nats::external::link::ExternalLink,
    region::{UnixMs, ZoneName, file::Cut},
};

/// The pause between two heals, and how many are tried before it is left to the guard.
const AGAIN: Duration = Duration::from_secs(1);
const TRIES: usize = 3;

/// A link that may be cut: everything that was asked for is there.
#[derive(Debug)]
pub struct Cutter {
    pub zone: ZoneName,
    pub how: Cut,
    pub link: ExternalLink,
    pub audit: Audit,
}

/// Where what commands say goes.
pub type Say<'a> = &'a (dyn Fn(&str) + Send + Sync);

impl Cutter {
    /// A command of the user's.
    #[must_use]
    pub fn hook(&self, line: &str) -> Hook {
        Hook { line: line.into(), zone: self.zone.to_string(), audit: self.audit.clone() }
    }

    /// Begins the cut; with a guard where the servers do not end it themselves. What a command did that
    /// failed is healed at once.
    ///
    /// # Errors
    /// Why it is not cut, or may be and is to be ended, in words.
    pub async fn begin(&self, until_ms: UnixMs, say: Say<'_>) -> Result<Option<Healer>, String> {
        let (line, heal) = match &self.how {
            Cut::Pause => {
                let until = until_ms.try_into().ok();
                let until = until.and_then(|ms| Timestamp::from_millisecond(ms).ok());
                let until = until.ok_or("the time at which it is to end is no date")?;
                self.asked(Deed::Pause, Some(until))?;
                let paused = self.link.set_pause(Some(until)).await;
                // It is asked: what came of it is told, recorded or not.
                let _ = self.audit.note(Deed::Pause, &json!({"answer": paused}));
                let paused = paused.map_err(|why| {
                    format!("{why}; if it is paused all the same, the server ends that at the time that was set")
                })?;
                if !paused {
                    return Err("the source took the pause, and says that the durable is not paused: is its clock right?".into());
                }
                return Ok(None);
            }
            Cut::Hook { cut, heal, .. } => (cut, heal),
        };
        let mut healer = Healer::start(self.hook(line), self.hook(heal), until_ms)
            .map_err(|why| format!("no guard could be started, so nothing is cut: {why}"))?;
        // If this is dropped, the guard sees its pipe closed.
        let (healer, ran) = spawn_blocking(move || {
            let ran = healer.cut();
            (healer, ran)
        })
        .await
        .map_err(|error| error.to_string())?;
        match ran {
            Ok(text) if text.is_empty() => {}
            Ok(text) => say(&format!("the cut command says: {text}")),
            Err(why) => {
                // It may have done half of it. Where it is not healed here, the guard goes on.
                let undone = match self.end(say).await {
                    Ok(()) => {
                        let _ = spawn_blocking(move || healer.dismiss()).await;
                        "it was healed".to_owned()
                    }
                    Err(still) => format!("it may be cut: {still}"),
                };
                return Err(format!("the cut command: {why}; {undone}"));
            }
        }
        Ok(Some(healer))
    }

    /// What the user's own command says of the link: it is told, and proves nothing.
    pub async fn ask_status(&self, say: Say<'_>) {
        let Cut::Hook { status: Some(status), .. } = &self.how else { return };
        let hook = self.hook(status);
        match spawn_blocking(move || hook.run(Deed::Status)).await {
            Ok(Ok(text)) if text.is_empty() => {}
            Ok(Ok(text)) => say(&format!("the status command says: {text}")),
            Ok(Err(why)) => say(&format!("the status command: {why}")),
            Err(_) => {}
        }
    }

    /// Heals.
    ///
    /// # Errors
    /// Why it may still be cut, in words.
    pub async fn end(&self, say: Say<'_>) -> Result<(), String> {
        let mut why = String::new();
        for _ in 0..TRIES {
            let done = match &self.how {
                Cut::Pause => {
                    self.asked(Deed::Resume, None)?;
                    match self.link.set_pause(None).await {
                        Ok(false) => Ok(String::new()),
                        Ok(true) => Err("the source says that the durable is still paused".into()),
                        Err(why) => {
                            Err(format!("{why}; the server resumes it at the time that was set"))
                        }
                    }
                }
                Cut::Hook { heal, .. } => {
                    let hook = self.hook(heal);
                    let ran = spawn_blocking(move || hook.run(Deed::Heal)).await;
                    ran.unwrap_or_else(|error| Err(error.to_string()))
                        .map_err(|why| format!("{why}; the guard goes on trying for ten minutes"))
                }
            };
            match done {
                Ok(text) => {
                    if !text.is_empty() {
                        say(&format!("the heal command says: {text}"));
                    }
                    return Ok(());
                }
                Err(error) => why = error,
            }
            sleep(AGAIN).await;
        }
        Err(why)
    }

    fn asked(&self, deed: Deed, until: Option<Timestamp>) -> Result<(), String> {
        let request = self.link.pause(until);
        self.audit.note(deed, &json!({"request": request}))
    }
}
