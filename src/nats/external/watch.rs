//! Watches a region of others: what each zone's stream and consumers hold, asked again and again. It
//! costs a zone two or three requests a second, and changes nothing.

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval_at},
};

use super::{
    examine::{Region, Zone},
    read::Source,
};
use crate::{
    nats::{system, wire::now_ms},
    region::{
        EventKind, Severity,
        file::Copied,
        input::Input,
        observation::{Observation, StreamReport},
    },
};

/// How often a zone is asked that is only looked at.
pub const EVERY: Duration = Duration::from_secs(1);
/// The most consumers of a zone that are asked for.
const CONSUMERS: usize = 4;

/// Watches until nobody listens, asking each zone so often.
pub async fn watch(region: Arc<Region>, every: Duration, to: mpsc::Sender<Input>) {
    let mut zones = JoinSet::new();
    // All at the same moments: how far apart two ends are is told from two words of one moment.
    let start = Instant::now();
    for at in 0..region.zones.len() {
        let (region, to) = (Arc::clone(&region), to.clone());
        zones.spawn(async move { one(&region.zones[at], (start, every), &to).await });
    }
    while zones.join_next().await.is_some() {}
}

async fn one(zone: &Zone, (start, every): (Instant, Duration), to: &mpsc::Sender<Input>) {
    let mut tick = interval_at(start, every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut silent: Option<String> = None;
    loop {
        tick.tick().await;
        let asked = now_ms();
        let told = report(zone).await;
        // Half the way is the best guess of when it was so.
        let at_ms = asked + now_ms().saturating_sub(asked) / 2;
        let (input, why) = match told {
            Ok(report) => {
                let name = zone.to.zone.clone();
                let version = zone.to.client.server_info().version;
                let report = Box::new(report);
                (Some(Observation::Stream { zone: name, version, at_ms, report }), None)
            }
            Err(why) => (None, Some(why)),
        };
        let note = changed(zone, silent.as_deref(), why.as_deref());
        silent = why;
        let inputs = note.into_iter().chain(input.map(Input::Observed));
        for input in inputs {
            if to.send(input).await.is_err() {
                return;
            }
        }
    }
}

/// A line for the log when a zone begins or ceases not to answer, and when the reason changes.
fn changed(zone: &Zone, before: Option<&str>, now: Option<&str>) -> Option<Input> {
    let (severity, text) = match now {
        _ if before == now => return None,
        Some(why) => {
            (Severity::Error, format!("zone {} does not tell of its stream: {why}", zone.to.zone))
        }
        None => (Severity::Info, format!("zone {} tells of its stream again", zone.to.zone)),
    };
    Some(Input::Said(vec![EventKind::Note { severity, text }]))
}

/// What the stream's leader tells, and its consumers' leaders.
pub(super) async fn report(zone: &Zone) -> Result<StreamReport, String> {
    let stream = &zone.site.zone.stream;
    let asked = format!("STREAM.INFO.{stream}");
    let told = zone.to.ask_api::<system::Stream>(&asked, &Value::Null).await;
    let mut report = told.map_err(|unanswered| unanswered.words())?.report();
    by_the_sources_numbers(zone, &mut report).await?;
    for consumer in zone.site.zone.consumers.iter().take(CONSUMERS) {
        let asked = format!("CONSUMER.INFO.{stream}.{consumer}");
        // A consumer that is gone is one that is not in the report.
        if let Ok(told) = zone.to.ask_api::<system::Consumer>(&asked, &Value::Null).await {
            report.consumers.push(told.report());
        }
    }
    Ok(report)
}

/// A copy that sources its stream renumbers: its first and last sequence are told as the source's.
async fn by_the_sources_numbers(zone: &Zone, report: &mut StreamReport) -> Result<(), String> {
    let Some((Copied::Sources, from)) = &zone.copied else { return Ok(()) };
    if report.messages == 0 {
        (report.first_seq, report.last_seq) = (0, 0);
        return Ok(());
    }
    let Some(reading) = zone.reading else {
        return Err("it renumbers, and its messages may not be read; `doctor` says more".into());
    };
    let source = Source {
        to: &zone.to,
        stream: &zone.site.zone.stream,
        reading,
        sourced_from: Some(&from.name),
        only: &[],
        budget: None,
    };
    let (first, last) = tokio::join!(source.at(report.first_seq), source.at(report.last_seq));
    match (first, last) {
        (Ok(Some((first, _))), Ok(Some((last, _)))) => {
            (report.first_seq, report.last_seq) = (first.origin, last.origin);
            Ok(())
        }
        (Err(why), _) | (_, Err(why)) => Err(why.to_string()),
        _ => Err("its last message is none of the source's: how far it is nobody can tell".into()),
    }
}
