//! A region of others as a drill uses it: who takes part, what stood there before, and what its streams
//! hold of the drill in the end.

use std::time::Duration;

use async_nats::Client;
use tokio::sync::mpsc;

use super::{
    attach::attach_to,
    examine::{Region, Zone},
    look,
    read::Source,
};
use crate::{
    ledger::{
        audit::{Entry, StreamAudit},
        message::RunId,
    },
    region::{
        ZoneName,
        external::{StreamSeen, losses},
        file::Copied,
        rights::meets,
        topology::{CopyKind, MirrorKind},
    },
};

/// Messages that are under way from the reading to the looking, in lots.
const LOTS: usize = 4;

impl Region {
    /// Watches this consumer in every zone from now on, and no other.
    pub fn watches(&mut self, consumer: &str) {
        for zone in &mut self.zones {
            zone.site.zone.consumers = vec![consumer.to_owned()];
        }
    }

    /// The prefix of a zone's JetStream API, and the name of its stream.
    #[must_use]
    pub fn stream_of(&self, at: usize) -> (&str, &str) {
        (&self.zones[at].to.api, &self.zones[at].site.zone.stream)
    }

    /// The version of the source's servers, and how a copy is made.
    #[must_use]
    pub fn kinds(&self, zone: &ZoneName) -> Option<(String, CopyKind, MirrorKind)> {
        let (source, copies) = self.zones.split_first()?;
        let copy = copies.iter().find(|copy| copy.to.zone == *zone)?;
        let (copied, from) = copy.copied.as_ref()?;
        let kind = match copied {
            Copied::Mirror => CopyKind::Mirror,
            Copied::Sources => CopyKind::Sources,
        };
        let via = if from.consumer.is_some() { MirrorKind::Durable } else { MirrorKind::Classic };
        Some((source.presence.cluster.version.clone(), kind, via))
    }

    /// The last sequence of a zone's stream now, by its own count.
    ///
    /// # Errors
    /// When it is not told.
    pub async fn last_seq(&self, at: usize) -> Result<u64, String> {
        self.described(at).await.map(|seen| seen.state.last_seq)
    }

    /// How long the source's stream remembers ids, as its servers tell now.
    ///
    /// # Errors
    /// When it is not told.
    pub async fn remembered(&self) -> Result<Duration, String> {
        let seen = self.described(0).await?;
        Ok(Duration::from_nanos(seen.config.duplicate_window))
    }

    async fn described(&self, at: usize) -> Result<StreamSeen, String> {
        let zone = &self.zones[at];
        match look::stream(&zone.to, &zone.site.zone.stream).await {
            Ok(seen) => Ok(seen),
            Err(Ok(violation)) => {
                Err(format!("zone {}: not permitted to {violation}", zone.to.zone))
            }
            Err(Err(problem)) => Err(problem.to_string()),
        }
    }

    /// A connection of its own to a zone.
    ///
    /// # Errors
    /// When the zone does not let it in.
    pub async fn connection(&self, at: usize, name: &str) -> Result<Client, String> {
        let zone = &self.zones[at];
        let attached = attach_to(&zone.to.zone, &zone.site.endpoint, name).await;
        attached.map(|attached| attached.client).map_err(|error| error.to_string())
    }

    /// Why no drill can be judged on these streams, whatever it does.
    #[must_use]
    pub fn cannot_be_drilled(&self, subject: &str) -> Option<String> {
        let source = self.zones.first()?;
        let config = &source.seen.as_ref()?.config;
        if !config.subjects.iter().any(|one| meets(one, subject)) {
            return Some(format!(
                "`subject = \"{subject}\"` is none that stream {} takes, which are {}: messages would go nowhere",
                config.name,
                config.subjects.join(", ")
            ));
        }
        self.zones.iter().find_map(|zone| {
            let (config, name) = (&zone.seen.as_ref()?.config, &zone.to.zone);
            let stream = &zone.site.zone.stream;
            if zone.reading.is_none() {
                return Some(format!("zone {name}: its messages may not be read, and a drill compares them; `doctor` says what is missing"));
            }
            if losses(config).any {
                return Some(format!("zone {name}: stream {stream} removes messages by subject, by their own time or once they are consumed, so that a lost one could not be told from a removed one"));
            }
            match &zone.copied {
                Some((Copied::Sources, _)) => Some(format!("zone {name}: stream {stream} sources the other and counts by itself; this version drills mirrors of others alone")),
                Some((Copied::Mirror, from)) if !from.subject_transforms.is_empty() || !from.filter_subject.is_empty() => {
                    Some(format!("zone {name}: stream {stream} mirrors some subjects alone, or under other names; this version drills whole mirrors alone"))
                }
                _ => None,
            }
        })
    }

    /// Reads what a zone's stream holds on the drill's subject, from the sequence after `after` to its
    /// end, over the stream's leader or by direct gets. Everything is read, so that somebody else's
    /// message on that subject is found; what is on others is nobody's business here.
    ///
    /// # Errors
    /// When it cannot be read to its end.
    pub async fn drilled(
        &self,
        at: usize,
        (run, subject): (&RunId, &str),
        after: u64,
    ) -> Result<StreamAudit, String> {
        let zone = &self.zones[at];
        let last = self.last_seq(at).await?;
        let mut audit = StreamAudit::new(zone.to.zone.clone(), run.clone());
        let source =
            source(zone).ok_or("its messages may not be read; `doctor` says what is missing")?;
        let (lots, mut read) = mpsc::channel(LOTS);
        let of_drill = |one: &super::read::message::Read| {
            (one.subject() == subject).then(|| Held {
                seq: one.seq,
                id: one.id().map(str::to_owned),
                payload: one.payload.clone(),
            })
        };
        let reading = source.read_as(of_drill, (after + 1, last), lots);
        let looking = async {
            while let Some(lot) = read.recv().await {
                for Held { seq, id, payload } in lot.map_err(|error| error.to_string())? {
                    let (id, payload) = (id.as_deref(), payload.as_ref());
                    audit.feed(&Entry { seq, subject, subject_fits: true, id, payload });
                }
            }
            Ok::<_, String>(())
        };
        let ((), looked) = tokio::join!(reading, looking);
        looked.map(|()| audit)
    }
}

/// A message of the drill's subject.
struct Held {
    seq: u64,
    id: Option<String>,
    payload: bytes::Bytes,
}

fn source(zone: &Zone) -> Option<Source<'_>> {
    let (stream, reading) = (zone.site.zone.stream.as_str(), zone.reading?);
    Some(Source { to: &zone.to, stream, reading, sourced_from: None, only: &[], budget: None })
}
