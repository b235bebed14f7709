//! Finds a region in clusters of others: which stream of one is copied by the others.

use std::collections::BTreeMap;

use super::{
    attach::{Attached, Unanswered, attach_to},
    login::AttachError,
    look,
};
use crate::region::{
    ZoneName,
    endpoint::Endpoint,
    external::{Cluster, StreamSeen, copy_of},
    file::{Copied, Draft, DraftZone},
};

/// A cluster to look at.
#[derive(Clone, Debug)]
pub struct Asked {
    pub zone: ZoneName,
    /// The name of the context.
    pub context: String,
    pub endpoint: Endpoint,
}

/// Why no region was found.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    #[error(transparent)]
    Attach(#[from] AttachError),
    #[error("zone {zone}: its streams cannot be listed: {why}")]
    NotListed { zone: ZoneName, why: String },
    #[error(
        "contexts `{one}` and `{other}` lead to the same cluster ({cluster}): name one context a zone"
    )]
    Same { one: String, other: String, cluster: String },
    #[error("zone {zone} has no stream at all: make one, or name another context")]
    NoStream { zone: ZoneName },
    #[error(
        "no stream of one of these clusters is copied by all of the others{}: a region is one stream and its mirrors or sources in other clusters",
        if streams.is_empty() { String::new() } else { format!(" (there are {streams})") }
    )]
    NoCopies { streams: String },
    #[error(
        "no stream `{stream}` of one of these clusters is copied by all of the others: found {found}"
    )]
    NotThat { stream: String, found: String },
}

struct Surveyed {
    asked: Asked,
    to: Attached,
    cluster: Cluster,
    streams: Vec<StreamSeen>,
}

/// A stream with its copies, by zone.
struct Candidate<'a> {
    source: usize,
    stream: &'a str,
    copies: BTreeMap<usize, (Copied, &'a StreamSeen)>,
}

/// Asks the clusters for their streams, and drafts a region file. `wanted` is the stream to take where
/// several could be meant.
///
/// # Errors
/// When one cannot be attached to or lists no streams, two are the same, or nothing is copied.
pub async fn survey(
    name: &str,
    asked: Vec<Asked>,
    wanted: Option<&str>,
) -> Result<Draft, SurveyError> {
    let mut all = Vec::with_capacity(asked.len());
    for asked in asked {
        let to = attach_to(&asked.zone, &asked.endpoint, "zonedrill region init").await?;
        let cluster = look::presence(&to).await.cluster;
        let streams = look::streams(&to).await.map_err(|unanswered| SurveyError::NotListed {
            zone: asked.zone.clone(),
            why: words(&unanswered),
        })?;
        all.push(Surveyed { asked, to, cluster, streams });
    }
    for (i, one) in all.iter().enumerate() {
        if let Some(other) = all[i + 1..].iter().find(|other| one.cluster.is(&other.cluster)) {
            let (one_name, other) = (one.asked.context.clone(), other.asked.context.clone());
            return Err(SurveyError::Same {
                one: one_name,
                other,
                cluster: one.cluster.to_string(),
            });
        }
    }
    if let Some(empty) = all.iter().find(|one| one.streams.is_empty()) {
        return Err(SurveyError::NoStream { zone: empty.asked.zone.clone() });
    }
    let found = candidates(&all);
    let Some(first) = found.iter().find(|one| wanted.is_none_or(|wanted| one.stream == wanted))
    else {
        let named = |one: &Candidate<'_>| {
            format!("`{}` of zone {}", one.stream, all[one.source].asked.zone)
        };
        return Err(match wanted {
            Some(stream) if !found.is_empty() => {
                let found = found.iter().map(named).collect::<Vec<_>>().join(", ");
                SurveyError::NotThat { stream: stream.to_owned(), found }
            }
            _ => SurveyError::NoCopies { streams: listed(&all) },
        });
    };
    let mut zones = Vec::with_capacity(all.len());
    let order = std::iter::once(first.source).chain(first.copies.keys().copied());
    for at in order {
        let one = &all[at];
        let copy = first.copies.get(&at);
        let seen = copy
            .map(|(_, seen)| *seen)
            .or_else(|| one.streams.iter().find(|seen| seen.config.name == first.stream));
        let stream = seen.map_or(first.stream, |seen| &seen.config.name).to_owned();
        zones.push(DraftZone {
            name: one.asked.zone.clone(),
            context: one.asked.context.clone(),
            consumers: look::consumers(&one.to, &stream).await,
            stream,
            domain: Some(one.cluster.domain.clone()).filter(|domain| !domain.is_empty()),
            copied: copy.map(|(copied, _)| *copied),
            version: one.cluster.version.clone(),
            replicas: seen.map_or(0, |seen| seen.config.num_replicas),
        });
    }
    let others = found.iter().filter(|one| !std::ptr::eq(*one, first));
    Ok(Draft {
        name: name.to_owned(),
        stream: first.stream.to_owned(),
        zones,
        candidates: others.map(|one| one.stream.to_owned()).collect(),
    })
}

/// Every stream that each of the other clusters copies.
fn candidates(all: &[Surveyed]) -> Vec<Candidate<'_>> {
    let mut found = Vec::new();
    for (source, at) in all.iter().enumerate() {
        for seen in &at.streams {
            let stream = seen.config.name.as_str();
            let copies: BTreeMap<usize, _> = all
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != source)
                .filter_map(|(other, one)| {
                    let copy = one.streams.iter().find_map(|copy| {
                        let (copied, _) = copy_of(&copy.config, stream, &at.cluster).ok()?;
                        Some((copied, copy))
                    })?;
                    Some((other, copy))
                })
                .collect();
            if copies.len() + 1 == all.len() {
                found.push(Candidate { source, stream, copies });
            }
        }
    }
    found
}

/// The streams of all, for a message.
fn listed(all: &[Surveyed]) -> String {
    let of = |one: &Surveyed| {
        let names: Vec<&str> =
            one.streams.iter().take(10).map(|seen| seen.config.name.as_str()).collect();
        format!("{} in zone {}", names.join(", "), one.asked.zone)
    };
    all.iter().map(of).collect::<Vec<_>>().join("; ")
}

fn words(unanswered: &Unanswered) -> String {
    match unanswered {
        Unanswered::Forbidden(violation) => {
            format!("its user may not {violation}: permit it, or write the region file by hand")
        }
        Unanswered::Other(failure) => failure.words(),
    }
}
