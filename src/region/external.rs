//! A region of clusters that somebody else runs, as they tell of themselves: what fits together, and
//! what does not.

pub mod cutting;
mod examination;
mod stream;

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    ZoneName,
    configuration::{Origin, StreamConfig, UNLIMITED},
    file::Copied,
    format::count,
    rights::meets,
};

pub use self::{
    examination::{Ability, Examination, Reading, ZoneExamined},
    stream::ExternalStream,
};

/// A clock further off than this makes times worthless.
const CLOCK_OFF_MS: u64 = 60_000;

/// A cluster as a zone's connection finds it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cluster {
    /// The server that answered.
    pub server_id: String,
    /// Empty where servers are not clustered.
    pub name: String,
    /// Its JetStream domain; empty without one.
    pub domain: String,
    pub version: String,
    /// As whom we are logged in, where that is told.
    pub account: String,
    pub user: String,
    pub clock: Option<Clock>,
}

impl Cluster {
    /// Whether both are one.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        let same_server = !self.server_id.is_empty() && self.server_id == other.server_id;
        let same_name = !self.name.is_empty() && self.name == other.name;
        same_server || (same_name && self.domain == other.domain)
    }

    /// Whether the servers are of that version or newer.
    #[must_use]
    pub fn is_at_least(&self, major: u64, minor: u64) -> bool {
        let mut parts = self.version.split('.').map(|part| part.parse().unwrap_or(0));
        (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= (major, minor)
    }
}

/// How far a server's clock is ahead of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Clock {
    /// Behind, where it is negative.
    pub ahead_ms: i64,
    /// It may be off by so much: half the time that the answer took.
    pub within_ms: u64,
}

impl Clock {
    /// From what the server's clock said in an answer that was asked for and came at these moments of
    /// ours.
    #[must_use]
    pub fn measured(asked_ms: i64, server_ms: i64, answered_ms: i64) -> Self {
        let took = answered_ms.saturating_sub(asked_ms).max(0);
        let ahead_ms = server_ms.saturating_sub(asked_ms.saturating_add(took / 2));
        Self { ahead_ms, within_ms: took.unsigned_abs() / 2 + 1 }
    }

    /// It is certainly off by minutes.
    #[must_use]
    pub fn is_off(self) -> bool {
        self.ahead_ms.unsigned_abs().saturating_sub(self.within_ms) > CLOCK_OFF_MS
    }
}

/// A stream as its cluster tells of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct StreamSeen {
    pub config: StreamConfig,
    #[serde(default)]
    pub state: StreamState,
    /// When it was made; a stream that was made anew is another one.
    #[serde(default)]
    pub created: String,
}

/// What a stream holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StreamState {
    pub messages: u64,
    pub first_seq: u64,
    pub last_seq: u64,
    pub num_deleted: u64,
}

/// Why a region cannot be worked with as its file says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error(
        "zones {one} and {other} are the same cluster ({cluster}): a region has one cluster a zone, so give one of them another `context` or `url`"
    )]
    SameCluster { one: ZoneName, other: ZoneName, cluster: String },
    #[error(
        "zone {zone} has no stream `{stream}`{}: name the right one with `stream`",
        streams(has)
    )]
    NoStream {
        zone: ZoneName,
        stream: String,
        /// Those it has, where they may be listed.
        has: Vec<String>,
    },
    #[error(
        "zone {zone} has no JetStream that answers on {api}: it is off for this account, or the domain is another"
    )]
    NoJetStream { zone: ZoneName, api: String },
    #[error("zone {zone} does not answer about its stream `{stream}`: {why}")]
    Silent { zone: ZoneName, stream: String, why: String },
    #[error(
        "`{stream}` in zone {zone} is a stream of its own: it neither mirrors nor sources `{origin}` of zone {source_zone}"
    )]
    NoCopy { zone: ZoneName, stream: String, source_zone: ZoneName, origin: String },
    #[error("`{stream}` in zone {zone} copies {of}, not `{origin}` of zone {source_zone}{}", if domain.is_empty() { String::new() } else { format!(" (domain {domain})") })]
    CopyOfOther {
        zone: ZoneName,
        stream: String,
        of: String,
        source_zone: ZoneName,
        origin: String,
        domain: String,
    },
    #[error(
        "`{origin}` in zone {source_zone} and `{stream}` in zone {zone} source each other and {}: every message goes round for ever; set a `filter_subject` on both, such that no subject passes both",
        if *both { "their filters meet" } else { "a filter is missing" }
    )]
    Loop {
        source_zone: ZoneName,
        origin: String,
        zone: ZoneName,
        stream: String,
        /// Both have filters.
        both: bool,
    },
    #[error("the clock of zone {zone} is {} s {} this machine's: set one of them right, or no time means anything", count(ahead_ms.unsigned_abs() / 1000), if *ahead_ms < 0 { "behind" } else { "ahead of" })]
    ClockOff { zone: ZoneName, ahead_ms: i64 },
}

fn streams(has: &[String]) -> String {
    if has.is_empty() { String::new() } else { format!(" (it has {})", has.join(", ")) }
}

/// How a stream copies the source's; or of what else, or that it copies nothing.
///
/// # Errors
/// The origins it has instead, in words.
pub fn copy_of<'a>(
    copy: &'a StreamConfig,
    origin: &str,
    source: &Cluster,
) -> Result<(Copied, &'a Origin), Vec<String>> {
    let fits = |from: &&Origin| from.name == origin && reaches(from, source);
    if let Some(mirror) = copy.mirror.iter().find(fits) {
        return Ok((Copied::Mirror, mirror));
    }
    if let Some(from) = copy.sources.iter().find(fits) {
        return Ok((Copied::Sources, from));
    }
    Err(copy.mirror.iter().chain(&copy.sources).map(described).collect())
}

/// Whether an origin may be in that cluster. A prefix that is no domain's may lead anywhere.
fn reaches(origin: &Origin, source: &Cluster) -> bool {
    match &origin.external {
        None => false,
        Some(external) => domain_of(&external.api).is_none_or(|domain| domain == source.domain),
    }
}

/// The domain in an API's prefix: `eu` of `$JS.eu.API`.
#[must_use]
pub fn domain_of(api: &str) -> Option<&str> {
    api.strip_prefix("$JS.")?.strip_suffix(".API").filter(|domain| !domain.is_empty())
}

fn described(origin: &Origin) -> String {
    match origin.external.as_ref().map(|external| external.api.as_str()) {
        None => format!("`{}` of its own cluster", origin.name),
        Some(api) => match domain_of(api) {
            Some(domain) => format!("`{}` of domain {domain}", origin.name),
            None => format!("`{}` by {api}", origin.name),
        },
    }
}

/// Whether two streams feed each other without end (nats-facts §T): `origin` at the source takes from
/// the copy, and the copy from it. `Some(true)` where both have filters.
#[must_use]
pub fn is_loop(
    (origin, source): (&StreamConfig, &Cluster),
    (copy, zone): (&StreamConfig, &Cluster),
) -> Option<bool> {
    let forth =
        copy.sources.iter().find(|from| from.name == origin.name && reaches(from, source))?;
    let back = origin.sources.iter().find(|from| from.name == copy.name && reaches(from, zone))?;
    let (forth, back) = (filters(forth), filters(back));
    let unfiltered = forth.is_empty() || back.is_empty();
    let meet = || forth.iter().any(|one| back.iter().any(|other| meets(one, other)));
    (unfiltered || meet()).then_some(!unfiltered)
}

/// What an origin gives, by subject; everything if nothing is named.
#[must_use]
pub fn filters(origin: &Origin) -> Vec<&str> {
    let transforms = origin.subject_transforms.iter().map(|transform| transform.src.as_str());
    [origin.filter_subject.as_str()]
        .into_iter()
        .chain(transforms)
        .filter(|filter| !filter.is_empty() && *filter != ">")
        .collect()
}

/// Whether a stream keeps every message for good: no limit takes one, and nobody may delete any.
#[must_use]
pub fn keeps_all(config: &StreamConfig) -> bool {
    !losses(config).oldest && config.deny_delete && config.deny_purge
}

/// Which messages a stream loses by its own limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Losses {
    /// Its oldest.
    pub oldest: bool,
    /// Any, not only the oldest.
    pub any: bool,
}

/// What a stream loses by its own limits.
#[must_use]
pub fn losses(config: &StreamConfig) -> Losses {
    let set = |limit: i64| limit != UNLIMITED && limit != 0;
    let any =
        set(config.max_msgs_per_subject) || config.allow_msg_ttl || config.retention != "limits";
    let oldest = any || set(config.max_msgs) || set(config.max_bytes) || config.max_age > 0;
    Losses { oldest, any }
}

impl fmt::Display for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nats-server {}", self.version)?;
        for (what, text) in [
            ("cluster", &self.name),
            ("domain", &self.domain),
            ("account", &self.account),
            ("user", &self.user),
        ] {
            if !text.is_empty() {
                write!(f, ", {what} {text}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
