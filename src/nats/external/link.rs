//! A link between clusters of others, looked at from both ends, and the pause of a copy's durable.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::StreamExt;
use jiff::Timestamp;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use super::{
    attach::{Attached, attach_to},
    examine::{NAME, Region, Zone},
    watch::report,
};
use crate::{
    nats::wire::now_ms,
    region::{
        ZoneName,
        external::{
            Cluster,
            cutting::{Ends, Look},
        },
        rights::STATZ,
    },
};

/// Asks every server of a cluster for its leafnode connections, over the system account.
const LEAFZ: &str = "$SYS.REQ.SERVER.PING.LEAFZ";
/// How long answers are gathered: nobody knows how many servers there are.
const GATHERED: Duration = Duration::from_millis(700);

/// One end of a link.
#[derive(Debug)]
struct End {
    region: Arc<Region>,
    /// Which of its zones.
    at: usize,
    /// The way into the system account.
    system: Option<Attached>,
    /// The servers that ever answered: fewer of them tell nothing of their sum.
    servers: BTreeSet<String>,
}

/// The link of a copy's zone.
#[derive(Debug)]
pub struct ExternalLink {
    source: End,
    copy: End,
    /// The copy's durable at the source.
    pub durable: Option<String>,
}

#[derive(Deserialize)]
struct Answer<T> {
    server: Server,
    data: T,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Server {
    id: String,
    name: String,
    cluster: String,
    domain: String,
}

#[derive(Deserialize)]
struct Statz {
    #[serde(default)]
    account_statz: Vec<Account>,
}

#[derive(Deserialize)]
struct Account {
    #[serde(default)]
    leafnodes: u64,
}

#[derive(Deserialize)]
struct Leafz {
    leafs: Option<Vec<Leaf>>,
}

#[derive(Deserialize)]
struct Leaf {
    #[serde(default)]
    name: String,
}

impl Region {
    /// The link of a copy's zone; `None` for a zone that is none, or whose copy is not understood.
    pub async fn link(self: &Arc<Self>, name: &ZoneName) -> Option<ExternalLink> {
        let at = self.zones.iter().skip(1).position(|zone| zone.site.zone.name == *name)? + 1;
        let (_, from) = self.zones[at].copied.as_ref()?;
        let durable = from.consumer.as_ref().map(|consumer| consumer.name.clone());
        let (source, copy) = tokio::join!(End::of(self, 0), End::of(self, at));
        Some(ExternalLink { source, copy, durable })
    }
}

impl End {
    async fn of(region: &Arc<Region>, at: usize) -> Self {
        let zone = &region.zones[at];
        let mut system = None;
        if let Some(endpoint) = &zone.site.system {
            match attach_to(&zone.to.zone, endpoint, NAME).await {
                Ok(attached) => system = Some(attached),
                Err(error) => tracing::warn!(%error, "the system account is not asked"),
            }
        }
        Self { region: Arc::clone(region), at, system, servers: BTreeSet::new() }
    }

    fn zone(&self) -> &Zone {
        &self.region.zones[self.at]
    }

    /// The answers of the servers of this end, and whether the other's answered.
    async fn asked<T: DeserializeOwned>(
        &self,
        to: &Attached,
        subject: &'static str,
        other: &Cluster,
    ) -> Option<(Vec<Answer<T>>, bool)> {
        let answers = to.or_refused(subject, gathered::<T>(to, subject)).await.ok()??;
        let of = |answer: &Answer<T>| Cluster {
            server_id: answer.server.id.clone(),
            name: answer.server.cluster.clone(),
            domain: answer.server.domain.clone(),
            ..Cluster::default()
        };
        let crossed = answers.iter().any(|answer| other.is(&of(answer)));
        let own = &self.zone().presence.cluster;
        let answers: Vec<_> = answers.into_iter().filter(|answer| own.is(&of(answer))).collect();
        // Whoever is not heard by its own servers is cut off itself.
        (!answers.is_empty()).then_some((answers, crossed))
    }

    /// What the servers here tell of the account, and whether the other end answered.
    async fn statz(&self, other: &Cluster) -> Option<(Vec<Answer<Statz>>, bool)> {
        self.asked(&self.zone().to, STATZ, other).await
    }

    /// What they tell the system account of their leafnode connections.
    async fn leafz(&self, other: &Cluster) -> Option<Vec<Answer<Leafz>>> {
        Some(self.asked(self.system.as_ref()?, LEAFZ, other).await?.0)
    }

    /// How many leafnode connections the account has here.
    fn counted(&mut self, answers: &[Answer<Statz>]) -> Option<u64> {
        let here: BTreeSet<&str> =
            answers.iter().map(|answer| answer.server.name.as_str()).collect();
        let whole = self.servers.iter().all(|known| here.contains(known.as_str()));
        self.servers.extend(here.into_iter().map(str::to_owned));
        let accounts = answers.iter().flat_map(|answer| &answer.data.account_statz);
        whole.then(|| accounts.map(|account| account.leafnodes).sum())
    }

    /// How many connections to the other end's servers are listed here.
    fn listed(&self, answers: &[Answer<Leafz>], other: &Self) -> Option<u64> {
        let whole = answers.len() >= self.servers.len() && !other.servers.is_empty();
        let leafs = answers.iter().flat_map(|answer| answer.data.leafs.iter().flatten());
        whole.then(|| leafs.filter(|leaf| other.servers.contains(&leaf.name)).count() as u64)
    }
}

/// What comes in answer within [`GATHERED`].
async fn gathered<T: DeserializeOwned>(to: &Attached, subject: &str) -> Option<Vec<Answer<T>>> {
    let inbox = to.client.new_inbox();
    let mut answers = to.client.subscribe(inbox.clone()).await.ok()?;
    to.client.publish_with_reply(subject.to_owned(), inbox, Bytes::new()).await.ok()?;
    let until = Instant::now() + GATHERED;
    let mut told = Vec::new();
    while let Ok(Some(message)) = timeout_at(until, answers.next()).await {
        told.extend(serde_json::from_slice::<Answer<T>>(&message.payload).ok());
    }
    Some(told)
}

impl ExternalLink {
    /// What both ends tell now. It changes nothing.
    pub async fn look(&mut self) -> Look {
        let region = Arc::clone(&self.source.region);
        let (source_zone, copy_zone) = (&region.zones[self.source.at], &region.zones[self.copy.at]);
        let (here, there) = (&source_zone.presence.cluster, &copy_zone.presence.cluster);
        // Side by side: each waits for the last answer, and a short cut has few looks.
        let (source, copy, listed_source, listed_copy, origin, held, paused) = tokio::join!(
            self.source.statz(there),
            self.copy.statz(here),
            self.source.leafz(there),
            self.copy.leafz(here),
            report(source_zone),
            report(copy_zone),
            is_paused(source_zone, self.durable.as_deref()),
        );
        let counted = Ends {
            source: source.as_ref().and_then(|(told, _)| self.source.counted(told)),
            copy: copy.as_ref().and_then(|(told, _)| self.copy.counted(told)),
        };
        let listed = Ends {
            source: listed_source.and_then(|told| self.source.listed(&told, &self.copy)),
            copy: listed_copy.and_then(|told| self.copy.listed(&told, &self.source)),
        };
        let crossed = match (source.map(|told| told.1), copy.map(|told| told.1)) {
            (Some(one), Some(other)) => Some(one || other),
            // Of an end that does not hear its own servers it is not known what it would hear.
            (one, other) => one.or(other).filter(|crossed| *crossed),
        };
        Look {
            at_ms: now_ms(),
            listed,
            counted,
            crossed,
            origin: origin.ok().map(|report| report.last_seq),
            copy: held.ok().map(|report| report.last_seq),
            paused,
        }
    }

    /// What is asked to pause or resume the durable, and its body.
    #[must_use]
    pub fn pause(&self, until: Option<Timestamp>) -> Option<(String, Value)> {
        let (stream, durable) = (&self.source.zone().site.zone.stream, self.durable.as_ref()?);
        let body = until.map_or(json!({}), |until| json!({"pause_until": until}));
        Some((format!("{}.CONSUMER.PAUSE.{stream}.{durable}", self.source.zone().to.api), body))
    }

    /// Pauses the durable until then, or resumes it; whether it is paused now, as the server says.
    ///
    /// # Errors
    /// Why not, in words.
    pub async fn set_pause(&self, until: Option<Timestamp>) -> Result<bool, String> {
        #[derive(Deserialize)]
        struct Paused {
            #[serde(default)]
            paused: bool,
        }
        let (subject, body) = self.pause(until).ok_or("it copies over no durable")?;
        let told = self.source.zone().to.ask::<Paused>(&subject, &body).await;
        told.map(|told| told.paused).map_err(|unanswered| unanswered.words())
    }
}

async fn is_paused(source: &Zone, durable: Option<&str>) -> Option<bool> {
    #[derive(Deserialize)]
    struct Info {
        #[serde(default)]
        paused: bool,
    }
    let asked = format!("CONSUMER.INFO.{}.{}", source.site.zone.stream, durable?);
    Some(source.to.ask_api::<Info>(&asked, &Value::Null).await.ok()?.paused)
}
