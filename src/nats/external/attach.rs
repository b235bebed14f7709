//! A connection to somebody else's cluster, which knows what it was refused.
//!
//! A request that the caller may not make is answered by nobody: it looks like a time-out. Beside it
//! the server says "permissions violation" on the connection; that is read here and told.

use std::{fmt, time::Duration};

use async_nats::{Client, Event, ServerError};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::watch;

use super::login::{self, AttachError};
use crate::{
    nats::{
        api::{self, Failure},
        connect::settings,
    },
    region::{ZoneName, endpoint::Endpoint, file::Site},
};

/// How long a cluster far away may take for one answer.
pub const PATIENCE: Duration = Duration::from_secs(4);
/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// What the server refused to carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    Publish(String),
    Subscribe(String),
}

impl Violation {
    /// Reads what the server says of it: `Permissions Violation for Publish to "x"`.
    fn read(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("Permissions Violation for ")?;
        let subject = rest.split('"').nth(1)?.to_owned();
        if rest.starts_with("Publish") {
            Some(Self::Publish(subject))
        } else {
            rest.starts_with("Subscription").then_some(Self::Subscribe(subject))
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Publish(subject) => write!(f, "publish {subject}"),
            Self::Subscribe(subject) => write!(f, "subscribe to {subject}"),
        }
    }
}

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::nats) enum Unanswered {
    /// It may not be asked, or its answer may not be heard.
    Forbidden(Violation),
    Other(Failure),
}

impl Unanswered {
    /// The reason.
    pub(in crate::nats) fn words(&self) -> String {
        match self {
            Self::Forbidden(violation) => {
                format!("it is not permitted to {violation}; `doctor` says what is missing")
            }
            Self::Other(failure) => failure.words(),
        }
    }
}

/// A cluster that is attached to.
#[derive(Debug)]
pub struct Attached {
    pub zone: ZoneName,
    pub client: Client,
    /// The prefix of its JetStream's subjects.
    pub api: String,
    /// What inboxes begin with.
    pub inbox: String,
    refused: watch::Receiver<Vec<Violation>>,
}

/// Attaches to a zone of a region file.
///
/// # Errors
/// [`AttachError`] in plain words.
pub async fn attach(site: &Site, name: &str) -> Result<Attached, AttachError> {
    attach_to(&site.zone.name, &site.endpoint, name).await
}

/// Attaches to a cluster.
///
/// # Errors
/// [`AttachError`] in plain words.
pub async fn attach_to(
    zone: &ZoneName,
    endpoint: &Endpoint,
    name: &str,
) -> Result<Attached, AttachError> {
    let failed = |why| AttachError { zone: zone.clone(), why };
    let (tell, refused) = watch::channel(Vec::new());
    let options = login::options(endpoint, Timestamp::now()).map_err(failed)?;
    let options = settings(options, name)
        .connection_timeout(HANDSHAKE)
        .request_timeout(Some(PATIENCE))
        .event_callback(move |event| {
            if let Event::ServerError(ServerError::Other(text)) = &event
                && let Some(violation) = Violation::read(text)
            {
                tell.send_modify(|all| all.push(violation));
            }
            async {}
        });
    let client = options
        .connect(endpoint.urls.as_slice())
        .await
        .map_err(|error| failed(login::explain(&error, endpoint)))?;
    let inbox = endpoint.inbox_prefix.clone().unwrap_or_else(|| "_INBOX".into());
    Ok(Attached { zone: zone.clone(), client, api: endpoint.api.prefix(), inbox, refused })
}

impl Attached {
    /// Asks once. `body` `null` sends nothing.
    pub(in crate::nats) async fn ask<T: DeserializeOwned>(
        &self,
        subject: &str,
        body: &Value,
    ) -> Result<T, Unanswered> {
        let answer = api::once(&self.client, subject, body, PATIENCE);
        self.or_refused(subject, answer).await?.map_err(Unanswered::Other)
    }

    /// As [`Self::ask`], of its JetStream.
    pub(in crate::nats) async fn ask_api<T: DeserializeOwned>(
        &self,
        what: &str,
        body: &Value,
    ) -> Result<T, Unanswered> {
        self.ask(&format!("{}.{what}", self.api), body).await
    }

    /// What comes of something asked on a subject, unless the server refuses to carry it, or the
    /// answer.
    pub(in crate::nats) async fn or_refused<T>(
        &self,
        subject: &str,
        answer: impl Future<Output = T>,
    ) -> Result<T, Unanswered> {
        self.or_refused_since(self.refusals(), subject, answer).await
    }

    /// How often the server refused something so far.
    pub(in crate::nats) fn refusals(&self) -> usize {
        self.refused.borrow().len()
    }

    /// As [`Self::or_refused`], of what was asked when there were so many refusals.
    pub(in crate::nats) async fn or_refused_since<T>(
        &self,
        before: usize,
        subject: &str,
        answer: impl Future<Output = T>,
    ) -> Result<T, Unanswered> {
        let mut refused = self.refused.clone();
        let refusal = refused.wait_for(|all| self.concerns(all, before, subject).is_some());
        tokio::select! {
            answer = answer => Ok(answer),
            Ok(all) = refusal => match self.concerns(&all, before, subject) {
                Some(violation) => Err(Unanswered::Forbidden(violation.clone())),
                None => Err(Unanswered::Other(Failure::TimedOut)),
            },
        }
    }

    /// The refusal that keeps an answer on that subject away: of the question, since `before`, or of
    /// the inbox at any time.
    fn concerns<'a>(
        &self,
        all: &'a [Violation],
        before: usize,
        subject: &str,
    ) -> Option<&'a Violation> {
        let inbox = |violation: &&Violation| matches!(violation, Violation::Subscribe(of) if of.starts_with(&self.inbox));
        let asked =
            |violation: &&Violation| matches!(violation, Violation::Publish(of) if of == subject);
        all.iter().find(inbox).or_else(|| all[before..].iter().find(asked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_violation_is_read_from_the_servers_words() {
        let publish = "Permissions Violation for Publish to \"$JS.API.STREAM.INFO.S\"";
        let subscribe =
            "Permissions Violation for Subscription to \"_INBOX.a.*\" using queue \"q\"";
        assert_eq!(
            Violation::read(publish),
            Some(Violation::Publish("$JS.API.STREAM.INFO.S".into()))
        );
        assert_eq!(Violation::read(subscribe), Some(Violation::Subscribe("_INBOX.a.*".into())));
        assert_eq!(Violation::read("Unknown Protocol Operation"), None);
    }
}
