//! Compares the copies of a region of others with their origin, over any range, changing nothing.

mod halfway;
mod merge;
mod one;
mod places;
mod sample;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use self::one::{Sides, one};
pub use self::{
    halfway::{Halfway, Run},
    merge::Reached,
    sample::Sample,
};
use super::examine::Region;
use crate::{
    command::Point,
    ledger::copies::{Difference, Explained},
    nats::pace::Budget,
    region::ZoneName,
};

/// What is to be compared.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Only the copy in this zone.
    pub zone: Option<ZoneName>,
    pub from: Option<Point>,
    pub to: Option<Point>,
    /// Messages a second that each zone is asked for at most.
    pub rate: Option<f64>,
    /// Not everything.
    pub sample: Option<Sample>,
    /// How far an earlier comparison has come.
    pub halfway: Option<Halfway>,
    /// Copies that it has finished.
    pub done: Vec<Compared>,
}

/// How a copy came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Likeness {
    Identical,
    Differs,
    NotCompared,
    /// A part of it was looked at, and that does not differ: nothing is shown of the rest.
    Sampled,
}

/// One copy, compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    pub zone: ZoneName,
    pub stream: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copied: Option<String>,
    pub is: Likeness,
    /// Why it was not compared, or not all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The origin's first and last sequence of what was compared.
    pub from: u64,
    pub to: u64,
    /// Messages that both hold.
    pub messages: u64,
    /// Sequences that the origin has after the copy's last; they are not compared.
    pub behind: u64,
    /// Messages that differ.
    pub differing: u64,
    /// The first of them.
    pub differences: Vec<Difference>,
    pub explained: Vec<(Explained, u64)>,
    /// Subjects are changed on the way, and were not compared.
    pub other_subjects: bool,
    /// Only so many runs of messages, spread over all of it, were looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampled_runs: Option<u64>,
    /// It was compared in several runs: how far the earlier ones came.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Run>,
    pub took_ms: u64,
    /// It could not be read to its end, and may be gone on with.
    #[serde(skip)]
    pub stopped: bool,
}

/// What is told while it is compared.
#[derive(Clone, Debug)]
pub enum Told<'a> {
    Progress(Progress<'a>),
    /// How far it has come, to be kept.
    Halfway(&'a Halfway),
    /// A copy is finished.
    Done(&'a Compared),
}

/// How far a comparison has come.
#[derive(Clone, Debug)]
pub struct Progress<'a> {
    pub zone: &'a ZoneName,
    pub at: u64,
    pub from: u64,
    pub to: u64,
    pub messages: u64,
    pub took: Duration,
}

/// Compares each copy that is wanted, one after the other.
pub async fn compare(
    region: &Region,
    wanted: &Wanted,
    mut tell: impl FnMut(Told<'_>),
) -> Vec<Compared> {
    let mut all: Vec<Compared> = Vec::new();
    let budget = || wanted.rate.map(Budget::per_second);
    let Some((origin, copies)) = region.zones.split_first() else { return all };
    for copy in copies {
        if wanted.zone.as_ref().is_some_and(|zone| *zone != copy.to.zone) {
            continue;
        }
        if let Some(done) = wanted.done.iter().find(|done| done.zone == copy.to.zone) {
            all.push(done.clone());
            continue;
        }
        let began = Instant::now();
        let mut compared = Compared {
            zone: copy.to.zone.clone(),
            stream: copy.site.zone.stream.clone(),
            copied: copy.copied.as_ref().map(|(copied, _)| copied.to_string()),
            is: Likeness::NotCompared,
            why: None,
            from: 0,
            to: 0,
            messages: 0,
            behind: 0,
            differing: 0,
            differences: Vec::new(),
            explained: Vec::new(),
            other_subjects: false,
            sampled_runs: None,
            earlier: Vec::new(),
            took_ms: 0,
            stopped: false,
        };
        let budgets = (budget(), budget());
        let sides = Sides { origin, copy, budgets: (budgets.0.as_ref(), budgets.1.as_ref()) };
        let ended = one(&sides, wanted, &mut compared, &mut tell).await;
        if let Err(why) = ended {
            compared.why = Some(why);
            // What was found before the reading failed is found.
            let found = compared.differing > 0;
            compared.is = if found { Likeness::Differs } else { Likeness::NotCompared };
        }
        compared.took_ms += began.elapsed().as_millis() as u64;
        tell(Told::Done(&compared));
        all.push(compared);
    }
    all
}
