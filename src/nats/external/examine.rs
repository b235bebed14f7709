//! Examines a region of others: attaches to each zone and finds out what can be done there.

use async_nats::Client;
use serde_json::{Value, json};

use super::{
    attach::{Attached, Unanswered, Violation, attach},
    login::AttachError,
    look::{self, Presence},
};
use crate::{
    nats::api::Failure,
    region::{
        configuration::Origin,
        external::{
            Ability, Examination, Problem, Reading, StreamSeen, ZoneExamined, copy_of, is_loop,
        },
        file::{Copied, Cut, Site},
        rights::{Dealings, Line, Permissions, Purpose, STATZ, USER_INFO, Way},
    },
};

/// The name of the connections.
pub(super) const NAME: &str = "zonedrill external";

/// A region that was attached to and examined: what was found, and the way back to each zone's stream.
#[derive(Debug)]
pub struct Region {
    pub examination: Examination,
    /// In the order of the file.
    pub(super) zones: Vec<Zone>,
}

/// One of its zones.
#[derive(Debug)]
pub(super) struct Zone {
    pub to: Attached,
    pub site: Site,
    pub presence: Presence,
    pub seen: Option<StreamSeen>,
    /// The stream could not be asked about.
    pub forbidden: Option<Violation>,
    pub copied: Option<(Copied, Origin)>,
    pub reading: Option<Reading>,
}

/// Attaches to all zones of a region and examines them. `subject` is where drill messages would go.
///
/// # Errors
/// [`AttachError`] when a zone cannot be attached to: nothing is known of it then.
pub async fn examine(sites: &[Site], subject: Option<&str>) -> Result<Region, AttachError> {
    let mut problems = Vec::new();
    let mut zones = Vec::with_capacity(sites.len());
    for site in sites {
        let to = attach(site, NAME).await?;
        let presence = look::presence(&to).await;
        let (mut seen, mut forbidden) = (None, None);
        match look::stream(&to, &site.zone.stream).await {
            Ok(stream) => seen = Some(stream),
            Err(Ok(violation)) => forbidden = Some(violation),
            Err(Err(problem)) => problems.push(problem),
        }
        let (site, copied, reading) = (site.clone(), None, None);
        zones.push(Zone { to, site, presence, seen, forbidden, copied, reading });
    }
    problems.extend(clocks(&zones));
    let same = same_clusters(&zones);
    if same.is_empty() {
        problems.extend(copies(&mut zones));
    } else {
        // What copies what says nothing then.
        problems = same;
    }
    let mut examined = Vec::with_capacity(zones.len());
    for i in 0..zones.len() {
        let dealings = dealings(&zones, i, subject);
        let zone = &mut zones[i];
        let abilities = abilities(zone, &dealings, i == 0, subject.is_some()).await;
        examined.push(ZoneExamined {
            zone: zone.site.zone.name.clone(),
            cluster: zone.presence.cluster.clone(),
            stream: zone.site.zone.stream.clone(),
            holds: zone.seen.as_ref().map(|seen| (seen.state, seen.config.num_replicas)),
            copied: zone.copied.as_ref().map(|(copied, _)| *copied),
            is_source: i == 0,
            cut: zone.site.zone.cut.clone(),
            abilities,
        });
    }
    Ok(Region { examination: Examination { zones: examined, problems }, zones })
}

fn clocks(zones: &[Zone]) -> Vec<Problem> {
    let off = zones.iter().filter_map(|zone| {
        let clock = zone.presence.cluster.clock.filter(|clock| clock.is_off())?;
        Some(Problem::ClockOff { zone: zone.to.zone.clone(), ahead_ms: clock.ahead_ms })
    });
    off.collect()
}

fn same_clusters(zones: &[Zone]) -> Vec<Problem> {
    let pairs = zones
        .iter()
        .enumerate()
        .flat_map(|(i, one)| zones[i + 1..].iter().map(move |other| (one, other)));
    pairs
        .filter(|(one, other)| one.presence.cluster.is(&other.presence.cluster))
        .map(|(one, other)| Problem::SameCluster {
            one: one.to.zone.clone(),
            other: other.to.zone.clone(),
            cluster: one.presence.cluster.to_string(),
        })
        .collect()
}

/// Finds out how each copy copies; what does not.
fn copies(zones: &mut [Zone]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let Some((source, copies)) = zones.split_first_mut() else { return problems };
    let cluster = &source.presence.cluster;
    let origin = source.site.zone.stream.clone();
    for copy in copies {
        let Some(seen) = &copy.seen else { continue };
        let (zone, stream) = (copy.to.zone.clone(), copy.site.zone.stream.clone());
        let source_zone = source.to.zone.clone();
        match copy_of(&seen.config, &origin, cluster) {
            Ok((copied, from)) => copy.copied = Some((copied, from.clone())),
            Err(of) if of.is_empty() => problems.push(Problem::NoCopy {
                zone: zone.clone(),
                stream: stream.clone(),
                source_zone: source_zone.clone(),
                origin: origin.clone(),
            }),
            Err(of) => problems.push(Problem::CopyOfOther {
                zone: zone.clone(),
                stream: stream.clone(),
                of: of.join(" and "),
                source_zone: source_zone.clone(),
                origin: origin.clone(),
                domain: cluster.domain.clone(),
            }),
        }
        if let Some(there) = &source.seen
            && let Some(both) =
                is_loop((&there.config, cluster), (&seen.config, &copy.presence.cluster))
        {
            problems.push(Problem::Loop {
                source_zone,
                origin: origin.clone(),
                zone,
                stream,
                both,
            });
        }
    }
    problems
}

/// What the user of one zone deals with.
fn dealings(zones: &[Zone], at: usize, subject: Option<&str>) -> Dealings {
    let zone = &zones[at];
    // A copy is cut where its durable is: at the source.
    let pausable = zones.iter().filter(|copy| at == 0 && copy.site.zone.cut == Some(Cut::Pause));
    let pausable = pausable.filter_map(|copy| {
        let (_, from) = copy.copied.as_ref()?;
        Some(from.consumer.as_ref()?.name.clone())
    });
    Dealings {
        api: zone.to.api.clone(),
        inbox: zone.to.inbox.clone(),
        stream: zone.site.zone.stream.clone(),
        consumers: zone.site.zone.consumers.clone(),
        subject: subject.filter(|_| at == 0).map(str::to_owned),
        direct: zone.seen.as_ref().is_some_and(|seen| seen.config.allow_direct)
            && zone.presence.cluster.is_at_least(2, 11),
        pausable: pausable.collect(),
    }
}

/// What can be done in a zone; finds out how its stream is read.
async fn abilities(
    zone: &mut Zone,
    dealings: &Dealings,
    is_source: bool,
    drills: bool,
) -> [Ability; 6] {
    let observe = observe(zone, dealings).await;
    let (verify, reading) = verify(zone, dealings).await;
    zone.reading = reading;
    let known = zone.presence.permissions.as_ref();
    let no_subject = "the region file names no `subject`";
    let produce = match (is_source, &dealings.subject) {
        (false, _) => Ability::Not { why: "drills publish at the source" },
        (true, None) => Ability::Not { why: no_subject },
        (true, Some(_)) => told(known, &dealings.lines(Purpose::Produce)),
    };
    let consume = if dealings.consumers.is_empty() {
        Ability::Not { why: "the region file names no `consumers`" }
    } else {
        told(known, &dealings.lines(Purpose::Consume))
    };
    let drill = if drills {
        told(known, &dealings.lines(Purpose::Drill))
    } else {
        Ability::Not { why: no_subject }
    };
    let durable = zone.copied.as_ref().is_some_and(|(_, from)| from.consumer.is_some());
    let cut = match &zone.site.zone.cut {
        _ if is_source && dealings.pausable.is_empty() => {
            Ability::Not { why: "links are cut at the copies" }
        }
        _ if is_source => told(known, &dealings.lines(Purpose::Cut)),
        None => Ability::Not { why: "the region file names no `cut`" },
        Some(Cut::Hook { .. }) => Ability::Yes { note: "by hook, which was not run" },
        Some(Cut::Pause) if durable => {
            Ability::Yes { note: "by a pause of its durable, if the source permits that" }
        }
        Some(Cut::Pause) => Ability::Not { why: "it copies over no durable that could be paused" },
    };
    [observe, produce, consume, verify, drill, cut]
}

/// What the permissions say of lines that cannot be tried without doing something.
fn told(known: Option<&Permissions>, lines: &[Line]) -> Ability {
    let Some(permissions) = known else {
        return Ability::Unknown {
            why: format!("the server does not tell its permissions ({USER_INFO})"),
        };
    };
    let lacks: Vec<Line> = lines.iter().filter(|line| !permissions.permit(line)).cloned().collect();
    if lacks.is_empty() { Ability::Yes { note: "" } } else { Ability::No { lacks } }
}

/// The line that a refusal is about.
fn line(violation: &Violation, inbox: &str) -> Line {
    match violation {
        Violation::Publish(subject) => Line::publish(subject),
        Violation::Subscribe(subject) if subject.starts_with(inbox) => {
            Line::subscribe(format!("{inbox}.>"))
        }
        Violation::Subscribe(subject) => Line::subscribe(subject),
    }
}

/// By asking everything that observing asks.
async fn observe(zone: &Zone, dealings: &Dealings) -> Ability {
    let inbox = &zone.to.inbox;
    let refused = zone.presence.forbidden.iter().chain(&zone.forbidden);
    let mut lacks: Vec<Line> = refused.map(|violation| line(violation, inbox)).collect();
    let asked = [USER_INFO.to_owned(), format!("{}.STREAM.INFO.{}", dealings.api, dealings.stream)];
    let mut why = None;
    for Line { way, subject } in dealings.lines(Purpose::Observe) {
        if way == Way::Subscribe || asked.contains(&subject) {
            continue;
        }
        match zone.to.ask::<Value>(&subject, &Value::Null).await {
            Err(Unanswered::Forbidden(violation)) => lacks.push(line(&violation, inbox)),
            Err(Unanswered::Other(failure)) if subject != STATZ => {
                why = Some(format!("{subject}: {}", failure.words()));
            }
            // Not every server answers about its account.
            Ok(_) | Err(Unanswered::Other(_)) => {}
        }
    }
    lacks.sort();
    lacks.dedup();
    match why {
        _ if !lacks.is_empty() => Ability::No { lacks },
        None if zone.seen.is_none() => Ability::Unknown { why: "see the problem below".into() },
        Some(why) => Ability::Unknown { why },
        None => Ability::Yes { note: "" },
    }
}

/// By reading the stream's last message.
async fn verify(zone: &Zone, dealings: &Dealings) -> (Ability, Option<Reading>) {
    let Some(seen) = &zone.seen else {
        return match &zone.forbidden {
            Some(violation) => (Ability::No { lacks: vec![line(violation, &zone.to.inbox)] }, None),
            None => (Ability::Unknown { why: "see the problem below".into() }, None),
        };
    };
    let last = seen.state.last_seq.max(1);
    let single = Dealings { direct: false, ..dealings.clone() };
    let mut lacks = Vec::new();
    let ways = [(dealings.direct, Reading::Batch, dealings), (true, Reading::Single, &single)];
    for (_, reading, dealings) in ways.into_iter().filter(|(there, ..)| *there) {
        let subject = dealings.get();
        match zone.to.or_refused(&subject, first_reply(&zone.to.client, &subject, last)).await {
            Ok(Ok(())) => {
                let note = match reading {
                    Reading::Batch => "",
                    Reading::Single => "one message at a time",
                };
                return (Ability::Yes { note }, Some(reading));
            }
            Ok(Err(failure)) => {
                return (Ability::Unknown { why: format!("{subject}: {}", failure.words()) }, None);
            }
            Err(Unanswered::Forbidden(violation)) => {
                lacks.push(line(&violation, &zone.to.inbox));
            }
            Err(Unanswered::Other(failure)) => {
                return (Ability::Unknown { why: failure.words() }, None);
            }
        }
    }
    // The better of both ways is what to ask for.
    lacks.truncate(1);
    (Ability::No { lacks }, None)
}

/// Whether anything answers on a subject that gives messages.
async fn first_reply(client: &Client, subject: &str, seq: u64) -> Result<(), Failure> {
    let request = async_nats::client::Request::new()
        .payload(json!({"seq": seq}).to_string().into())
        .timeout(Some(super::attach::PATIENCE));
    client.send_request(subject.to_owned(), request).await.map(drop).map_err(Failure::from)
}
