//! The consumers that a drill has in clusters of others: made, found and removed by their mark.

use serde::Deserialize;
use serde_json::{Value, json};

use super::examine::{Region, Zone};
use crate::{
    nats::configuration::wanted::{ACK_WAIT, MAX_ACK_PENDING},
    region::ZoneName,
};

/// Consumers of ours are called so, and by the region's name and the drill's run after it.
const PREFIX: &str = "zonedrill-";
/// Their metadata say which region file they were made for.
const MARK: &str = "zonedrill.region";
/// And which run of a drill.
const RUN: &str = "zonedrill.run";
/// The servers remove one that nobody has used for so long, in nanoseconds: an hour.
const FORGOTTEN_NS: u64 = 3_600_000_000_000;
/// Consumers are listed in pages; so many are looked at.
const MOST_PAGES: u64 = 100;

/// A consumer that carries our mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnConsumer {
    pub zone: ZoneName,
    pub name: String,
    /// Somebody waits for messages of it: a drill that runs.
    pub in_use: bool,
}

/// What our consumers of a run are called.
#[must_use]
pub fn name_of(region: &str, run: &str) -> String {
    format!("{PREFIX}{region}-{run}")
}

impl Region {
    /// The subject that makes a consumer in the zone at that place of the file, and its body: it
    /// delivers what comes on the drill's subject after that sequence.
    #[must_use]
    pub fn consumer_asked(
        &self,
        at: usize,
        (region, run, subject): (&str, &str, &str),
        after: u64,
    ) -> (String, Value) {
        let zone = &self.zones[at];
        let (name, stream) = (name_of(region, run), &zone.site.zone.stream);
        let body = json!({"stream_name": stream, "config": {
            "name": name,
            "durable_name": name,
            "description": "of a drill by zonedrill, which removes it",
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": after + 1,
            "filter_subject": subject,
            "ack_policy": "explicit",
            "ack_wait": u64::try_from(ACK_WAIT.as_nanos()).unwrap_or(u64::MAX),
            "max_ack_pending": MAX_ACK_PENDING,
            "inactive_threshold": FORGOTTEN_NS,
            "metadata": {MARK: region, RUN: run},
        }});
        (format!("{}.CONSUMER.CREATE.{stream}.{name}.{subject}", zone.to.api), body)
    }

    /// Asks that.
    ///
    /// # Errors
    /// Why it was not made, in words.
    pub async fn make_consumer(&self, at: usize, asked: &(String, Value)) -> Result<(), String> {
        let zone = &self.zones[at];
        let made = zone.to.ask::<Value>(&asked.0, &asked.1).await;
        let no = |why: &str| format!("zone {}: the drill's consumer: {why}", zone.to.zone);
        made.map(drop).map_err(|unanswered| no(&unanswered.words()))
    }

    /// The consumers that carry the mark of that region, in every zone; of one run alone, if one is
    /// named.
    ///
    /// # Errors
    /// When a zone does not tell its consumers.
    pub async fn own_consumers(
        &self,
        region: &str,
        run: Option<&str>,
    ) -> Result<Vec<OwnConsumer>, String> {
        let mut all = Vec::new();
        for zone in &self.zones {
            all.extend(own(zone, region, run).await?);
        }
        Ok(all)
    }

    /// What is asked to remove a consumer.
    #[must_use]
    pub fn removal(&self, of: &OwnConsumer) -> String {
        let zone = self.zones.iter().find(|zone| zone.to.zone == of.zone);
        let (api, stream) = zone.map_or(("", ""), |zone| (&zone.to.api, &zone.site.zone.stream));
        format!("{api}.CONSUMER.DELETE.{stream}.{}", of.name)
    }

    /// Removes one of them.
    ///
    /// # Errors
    /// Why not, in words.
    pub async fn remove_consumer(&self, of: &OwnConsumer) -> Result<(), String> {
        let zone = self.zones.iter().find(|zone| zone.to.zone == of.zone);
        let zone = zone.ok_or_else(|| format!("there is no zone {}", of.zone))?;
        let asked = zone.to.ask::<Value>(&self.removal(of), &Value::Null).await;
        let no = |why: &str| format!("zone {}: {} is not removed: {why}", of.zone, of.name);
        asked.map(drop).map_err(|unanswered| no(&unanswered.words()))
    }
}

async fn own(zone: &Zone, region: &str, run: Option<&str>) -> Result<Vec<OwnConsumer>, String> {
    #[derive(Deserialize)]
    struct Page {
        #[serde(default)]
        total: u64,
        consumers: Option<Vec<Info>>,
    }
    #[derive(Deserialize)]
    struct Info {
        name: String,
        config: Config,
        #[serde(default)]
        num_waiting: u64,
    }
    #[derive(Deserialize)]
    struct Config {
        #[serde(default)]
        metadata: std::collections::BTreeMap<String, String>,
    }
    let mut all = Vec::new();
    let mut offset = 0;
    for _ in 0..MOST_PAGES {
        let asked = format!("CONSUMER.LIST.{}", zone.site.zone.stream);
        let page = zone.to.ask_api::<Page>(&asked, &json!({"offset": offset})).await;
        let page = page.map_err(|why| {
            format!("zone {}: its consumers are not told: {}", zone.to.zone, why.words())
        })?;
        let infos = page.consumers.unwrap_or_default();
        let count = infos.len() as u64;
        let marked = |info: &Info| {
            let has = |key: &str, value: &str| {
                info.config.metadata.get(key).is_some_and(|there| there == value)
            };
            info.name.starts_with(PREFIX)
                && has(MARK, region)
                && run.is_none_or(|run| has(RUN, run))
        };
        all.extend(infos.into_iter().filter(marked).map(|info| OwnConsumer {
            zone: zone.to.zone.clone(),
            name: info.name,
            in_use: info.num_waiting > 0,
        }));
        offset += count;
        if count == 0 || offset >= page.total {
            break;
        }
    }
    Ok(all)
}
