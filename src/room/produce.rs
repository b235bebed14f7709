//! `produce`: one job for each command, any number beside each other, on one connection.

use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    clock::now_ms,
    drain::has_quorum,
    drills::Statuses,
    failure::Failure,
    protocol::{Message, Outcome},
    runtime::Job,
    task::{CommandCtx, Completion, Result},
    work,
};
use crate::{
    command::{Produce, units::format_duration},
    nats::{
        configuration::wanted::DUPLICATE_WINDOW,
        connect::{Login, zone_client},
        producer::{
            Ended, Job as Work, JobProgress, JobReport, PATIENCE, STOP_PATIENCE, Target,
            sent_again_for,
        },
    },
    region::{
        Input, Role, ZoneName, ZonePlan,
        format::{seconds, span},
    },
};

/// How long the first acknowledgement may take after a move.
const FIRST_ACK: Duration = Duration::from_secs(20);

/// Publishes into another zone from now on; waits until that has acknowledged something, if
/// anything is being produced.
///
/// # Errors
/// When that zone takes no messages; when it acknowledges nothing.
pub async fn move_to(cx: CommandCtx, zone: ZoneName, resend: u64, statuses: Statuses) -> Result {
    let plan = cx.runtime.plan(&zone)?;
    let producer = cx.runtime.producer()?;
    if plan.role == Role::Fenced {
        return Err(Failure::Refused(format!(
            "zone {zone} is fenced and takes no messages: `promote {zone}` makes it take them again"
        )));
    }
    if plan.role == Role::Mirror {
        return Err(Failure::Refused(format!(
            "zone {zone} is a copy and takes no messages: `promote {zone}` makes it a stream that does"
        )));
    }
    if producer.zone().as_ref() == Some(&zone) {
        return Err(Failure::Refused(format!("the producer publishes into zone {zone} already")));
    }
    has_quorum(&statuses.borrow().status, &plan).map_err(Failure::Refused)?;
    let given = tokio::time::Instant::now();
    target(&cx, &plan, resend).await?;
    cx.runtime.producer_moved((!plan.is_hub()).then(|| zone.clone()))?;
    let moved = format!("the producer publishes into zone {zone}");
    if cx.runtime.jobs.borrow().is_empty() {
        let idle = "; nothing is being produced, so nothing was sent again";
        return Ok(Completion::done(format!("{moved}{}", if resend > 0 { idle } else { "" })));
    }
    let mut first = producer.first_ack();
    let answered = tokio::time::timeout(FIRST_ACK, first.wait_for(Option::is_some)).await;
    let Some(at) = answered.ok().and_then(|answered| *answered.ok()?) else {
        return Err(Failure::Broken(format!(
            "{moved}, and that acknowledged nothing for {} s: `status` tells more",
            FIRST_ACK.as_secs()
        )));
    };
    let after = at.saturating_duration_since(given).as_millis() as u64;
    let at_ms = now_ms().saturating_sub(at.elapsed().as_millis() as u64);
    let data = serde_json::json!({"zone": zone, "first_ack_ms": after, "first_ack_at_ms": at_ms});
    let text = format!("{moved}: it acknowledged the first message after {}", seconds(after));
    Ok(Completion { data: Some(data), ..Completion::done(text) })
}

/// Leads the producer to where it was moved in an earlier life, if that zone takes messages still.
///
/// # Errors
/// When that zone does not let it in.
pub async fn where_it_was(cx: &CommandCtx) -> std::result::Result<(), Failure> {
    let Some(zone) = cx.runtime.produces_in() else { return Ok(()) };
    match cx.runtime.plan(&zone).ok().filter(|plan| plan.role == Role::Promoted) {
        Some(plan) => target(cx, &plan, 0).await,
        None => cx.runtime.producer_moved(None),
    }
}

/// Leads the producer to a zone, over a connection of its own.
///
/// # Errors
/// When that zone does not let it in.
pub async fn target(
    cx: &CommandCtx,
    plan: &ZonePlan,
    resend: u64,
) -> std::result::Result<(), Failure> {
    let producer = cx.runtime.producer()?;
    let client = zone_client(plan, Login::App, "zonedrill producer").await?;
    let map = plan.renumbers().then(|| cx.runtime.renumbering(&plan.name).subscribe());
    // The same sequences are other messages there.
    cx.runtime.evidence.meter().forget();
    producer.move_to(Target::new(client, plan, map), resend);
    Ok(())
}

/// Runs a produce to its end, or, if it has none, until it is stopped.
///
/// # Errors
/// When it cannot go on.
pub async fn produce(cx: CommandCtx, produce: Produce) -> Result {
    let produce = match &cx.runtime.external {
        Some(external) => external.admits(produce)?,
        None => produce,
    };
    let producer = cx.runtime.producer()?;
    let remembered = match &cx.runtime.external {
        Some(external) if produce != Produce::Stop => {
            external.region.remembered().await.map_err(Failure::Broken)?
        }
        _ => DUPLICATE_WINDOW,
    };
    let number = cx.runtime.next_producer();
    let first_number = match &produce {
        Produce::Range { from, to, .. } => {
            cx.runtime.used_number(*to);
            *from
        }
        Produce::Burst { count: Some(count), .. } => cx.runtime.reserve_numbers(*count),
        Produce::Burst { count: None, .. } => cx.runtime.last_number() + 1,
        Produce::Stop => {
            let stopped = cx.runtime.stop_jobs(STOP_PATIENCE + 2 * PATIENCE).await;
            work::settle(&cx).await;
            return Ok(Completion::done(match stopped.as_slice() {
                [] => "nothing was being produced".into(),
                titles => format!("stopped {}", titles.join(", ")),
            }));
        }
    };
    let title = title(number, first_number, &produce);
    let endless = matches!(produce, Produce::Burst { count: None, .. });
    let (progress, mut seen) = watch::channel(JobProgress::default());
    let job = Registered::new(&cx, number, &title, endless, seen.clone());
    if endless && let Some(answers) = &cx.answers {
        let _ = answers.send(Message::Answer {
            id: cx.id,
            outcome: Outcome::Done,
            text: format!("producing as {title}: `produce stop` ends it"),
            data: None,
        });
    }
    let total = total(&produce);
    let watching = {
        let (cx, title) = (cx.clone(), title.clone());
        tokio::spawn(async move {
            while seen.changed().await.is_ok() {
                let now = seen.borrow_and_update().clone();
                if endless {
                    cx.runtime.used_number(now.last_number);
                }
                cx.progress(describe(&title, &now, total));
                // What goes on for long is no race: its count stands in the panes as well.
                let pause = if endless { 1000 } else { 200 };
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
        })
    };
    let work = Work { producer: number, produce, first_number, remembered };
    let result = producer.run(work, progress, job.stop.clone()).await;
    watching.abort();
    cx.runtime.evidence.gone(number).await;
    drop(job);
    work::settle(&cx).await;
    let report = result
        .map_err(|error| Failure::Broken(format!("{title}: {error}; nothing more was sent")))?;
    let end = &report.progress;
    if end.sent > 0 {
        cx.runtime.used_number(end.last_number);
    }
    // A burst may be over before anybody asked how far it is.
    if let Some(domain) = end.acked_by.clone() {
        cx.bus().tell(Input::AckedBy { domain });
    }
    let text = format!(
        "{} acked of {} sent as p{number} in {}{}{}{}{}",
        end.acked,
        end.sent,
        seconds(report.took.as_millis() as u64),
        sequences(&report),
        refusals(&report),
        count(
            report.ids_taken,
            "answered as duplicates when first sent: another message has their ids, and they are not stored",
        ),
        unknown(&cx, number, &report, remembered).await,
    ) + &retried(report.retried);
    let early = total.filter(|total| end.sent < *total).map(|total| total - end.sent);
    let text = match early {
        Some(rest) => format!("ended early, {rest} not sent: {text}"),
        None => text,
    };
    let whole = end.failed == 0 && end.unknown == 0 && report.ids_taken == 0 && early.is_none();
    let outcome = if whole { Outcome::Done } else { Outcome::Broken };
    let data = serde_json::json!({
        "producer": number, "first_number": first_number, "sent": end.sent,
        "acked": end.acked, "failed": end.failed, "unknown": end.unknown,
        "duplicates": report.duplicates, "resent": report.resent,
        "retried": report.retried.0, "retried_duplicates": report.retried.1,
        "ids_taken": report.ids_taken, "refusals": report.refusals, "not_sent": report.not_sent,
        "last_seq": end.last_seq, "took_ms": report.took.as_millis() as u64,
    });
    Ok(Completion { outcome, text, data: Some(data) })
}

fn sequences(report: &JobReport) -> String {
    let resent = count(report.resent, "sent again after an unknown outcome");
    match report.progress.last_seq {
        0 => resent,
        last => format!(", the last at sequence {last}{resent}"),
    }
}

/// `, 3 refused (maximum messages exceeded (10077))`.
fn refusals(report: &JobReport) -> String {
    let reasons: Vec<String> = match report.refusals.iter().collect::<Vec<_>>().as_slice() {
        [(why, _)] => vec![(*why).clone()],
        several => several.iter().map(|(why, times)| format!("{times}: {why}")).collect(),
    };
    let failed = count(report.progress.failed, "refused");
    if reasons.is_empty() { failed } else { format!("{failed} ({})", reasons.join("; ")) }
}

/// The messages whose outcome is not known, what the stream holds of them, and why they are not sent
/// again.
async fn unknown(
    cx: &CommandCtx,
    producer: u32,
    report: &JobReport,
    remembered: Duration,
) -> String {
    if report.unknown.is_empty() {
        return String::new();
    }
    let became = match &cx.runtime.external {
        Some(external) => external.became_of(&cx.runtime, producer, &report.unknown).await,
        None => String::new(),
    };
    let why = match report.ended {
        Ended::Forgotten => format!(
            " (sent again for {} only: the stream remembers ids for {}, and later one could be stored twice)",
            span(sent_again_for(remembered).as_millis() as u64),
            span(remembered.as_millis() as u64)
        ),
        _ => String::new(),
    };
    count(report.progress.unknown, "of unknown outcome") + &why + &became
}

/// What became of acknowledged messages that were sent again.
fn retried((all, known): (u64, u64)) -> String {
    let what = format!("acknowledged ones sent again ({known} of them answered as duplicates)");
    count(all, &what)
}

fn count(number: u64, what: &str) -> String {
    if number == 0 { String::new() } else { format!(", {number} {what}") }
}

fn total(produce: &Produce) -> Option<u64> {
    match produce {
        Produce::Range { from, to, .. } => Some(to - from + 1),
        Produce::Burst { count, .. } => *count,
        Produce::Stop => None,
    }
}

fn title(producer: u32, first: u64, produce: &Produce) -> String {
    match produce {
        Produce::Range { from, to, interval, .. } => {
            format!("p{producer} {from}..{to} every {}", format_duration(*interval))
        }
        Produce::Burst { count, rate, .. } => {
            let end = count.map(|count| (first + count - 1).to_string()).unwrap_or_default();
            let rate = rate.map(|rate| format!(" at {rate}")).unwrap_or_default();
            format!("p{producer} {first}..{end}{rate}")
        }
        Produce::Stop => format!("p{producer}"),
    }
}

fn describe(title: &str, progress: &JobProgress, total: Option<u64>) -> String {
    let of = total.map(|total| format!(" of {total}")).unwrap_or_default();
    let trouble = progress.trouble.as_ref().map(|why| format!(" - {why}")).unwrap_or_default();
    format!("{title}: {}{of} acked{}{trouble}", progress.acked, count(progress.unknown, "unknown"))
}

/// A job is listed while it runs, and taken off however it ends; after a crash the ledger is told
/// as well.
struct Registered<'a> {
    cx: &'a CommandCtx,
    number: u32,
    stop: CancellationToken,
}

impl<'a> Registered<'a> {
    fn new(
        cx: &'a CommandCtx,
        number: u32,
        title: &str,
        endless: bool,
        progress: watch::Receiver<JobProgress>,
    ) -> Self {
        let stop = cx.stop.child_token();
        let job = Job { title: title.to_owned(), endless, stop: stop.clone(), progress };
        cx.runtime.jobs.send_modify(|jobs| {
            jobs.insert(number, job);
        });
        Self { cx, number, stop }
    }
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.cx.runtime.jobs.send_modify(|jobs| {
            jobs.remove(&self.number);
        });
        if std::thread::panicking() {
            let (evidence, number) = (self.cx.runtime.evidence.clone(), self.number);
            tokio::spawn(async move { evidence.gone(number).await });
        }
    }
}
