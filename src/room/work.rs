//! What the consumers and the ledger are doing, told to the state actor as it changes.

use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    configuration,
    evidence::LedgerStats,
    failure::Failure,
    mailbox::Mailbox,
    runtime::ZoneRuntime,
    task::{self, CommandCtx, Completion},
};
pub use crate::nats::consumer::ConsumerReport as Report;
use crate::{
    ledger::{
        Ledger,
        account::{Account, Totals},
        damage::Damage,
    },
    nats::consumer::Control,
    region::{
        EventKind, Input, Severity, UnixMs, ZoneName,
        input::{Produced, ZoneAccount},
        observation::{Consuming, Deliveries},
        reduce::Offenders,
    },
};

/// How often a figure is told at most.
const PACE: Duration = Duration::from_millis(100);

/// Tells what a zone's consumer does, until it has ended. One that is told to by `stop` goes on for as
/// long as a request is under way: what it gets until then would be missed as somebody else's.
pub fn tell(
    bus: Mailbox,
    zone: ZoneName,
    mut control: watch::Receiver<Control>,
    mut report: watch::Receiver<Report>,
    stop: CancellationToken,
) {
    tokio::spawn(async move {
        let mut leaving = false;
        loop {
            let held = *control.borrow_and_update();
            let done = report.borrow_and_update().clone();
            let does = Consuming {
                running: true,
                paused: held.paused,
                limit: held.limit,
                rate: done.rate,
                processed: done.processed,
                latency: done.latency,
                trouble: done.trouble,
                deliveries: done.deliveries,
                connections: done.connections,
            };
            bus.tell(Input::Consuming { zone: zone.clone(), does });
            tokio::time::sleep(PACE).await;
            tokio::select! {
                biased;
                () = stop.cancelled(), if !leaving => leaving = true,
                changed = control.changed(), if !leaving => leaving = changed.is_err(),
                changed = report.changed() => if changed.is_err() {
                    if !leaving {
                        let does = stopped(*control.borrow());
                        bus.tell(Input::Consuming { zone: zone.clone(), does });
                    }
                    break;
                },
            }
        }
    });
}

/// What a zone's consumer begins with: what came to the one that was here before, and what its server
/// `told` it delivered, if it did. What was delivered before the room consumed is none of somebody
/// else's.
#[must_use]
pub fn carried_on(before: Option<Report>, told: Option<u64>, now: UnixMs) -> Report {
    let Report { deliveries, connections, .. } = before.unwrap_or_default();
    let told = told.map(|count| Deliveries { count, here: count, at_ms: now });
    // The server's word may be older than what came, and the last that came may be told nowhere else.
    let newer = |came: &Deliveries| told.is_none_or(|told| came.count >= told.count);
    Report { deliveries: deliveries.filter(newer).or(told), connections, ..Report::default() }
}

/// A consumer has ended, and nobody told it to: it crashed, its evidence cannot be written any more,
/// or its connection was closed for good.
fn stopped(held: Control) -> Consuming {
    let why = "it has ended by itself (the room's log may say why); `down` and `up` start it anew";
    Consuming {
        running: false,
        paused: held.paused,
        limit: held.limit,
        trouble: Some(why.to_owned()),
        ..Consuming::default()
    }
}

/// How long a pause may take to be complete: one pull that is under way expires in a second.
const PAUSED_WITHIN: Duration = Duration::from_secs(5);

/// Changes how a zone's consumer is held, and waits until a pause is complete.
///
/// # Errors
/// When the zone is not at work, or its consumer does not come to rest.
pub async fn hold(
    cx: CommandCtx,
    zone: ZoneName,
    change: impl FnOnce(&mut Control) + Send + 'static,
) -> task::Result {
    let runtime = cx.runtime.zone(&zone)?;
    runtime.control.send_modify(change);
    let held = *runtime.control.borrow();
    let consumer = runtime.plan.consumer();
    if held.paused {
        wait_for_rest(&runtime).await?;
    } else if let Some(why) = configuration::why_nothing_is_delivered(&runtime).await {
        return Err(Failure::Broken(format!(
            "{consumer} is told to go on, and gets no messages: {why}"
        )));
    }
    Ok(Completion::done(match (held.paused, held.limit) {
        (true, _) => format!("{consumer} is paused; `consumer resume {zone}` goes on"),
        (false, None) => format!("{consumer} consumes as fast as it can"),
        (false, Some(limit)) => format!("{consumer} consumes at most {limit:.1} messages a second"),
    }))
}

/// Waits until a consumer that was told to pause has nothing under way.
///
/// # Errors
/// When that does not come to be within 5 seconds.
pub(super) async fn wait_for_rest(zone: &ZoneRuntime) -> Result<(), Failure> {
    let mut report = zone.report.clone();
    let rest = tokio::time::timeout(PAUSED_WITHIN, report.wait_for(|report| report.paused));
    match rest.await {
        Ok(_) => Ok(()),
        Err(_) => Err(Failure::Broken(format!(
            "{} is told to pause, but still has messages under way: see `status`",
            zone.plan.consumer()
        ))),
    }
}

/// Puts what the ledger says of the producers into the state now, not at the ledger writer's next turn:
/// whoever asks after a produce has ended must be told all of it.
pub async fn settle(cx: &CommandCtx) {
    if let Some(totals) = cx.runtime.ledger_query.ask(Ledger::totals).await {
        cx.bus().tell(Input::Accounts { produced: produced(totals), zones: Vec::new() });
    }
}

fn produced(totals: Totals) -> Produced {
    let Totals { acked, failed, unknown, baseline, .. } = totals;
    Produced { acked, failed, unknown, baseline }
}

/// Tells what the ledger says, as long as there is a ledger writer.
/// `flag` is what a command line needs to mean this region.
pub fn tell_figures(bus: Mailbox, mut figures: watch::Receiver<LedgerStats>, flag: String) {
    tokio::spawn(async move {
        let mut last = LedgerStats::default();
        while figures.changed().await.is_ok() {
            let now = figures.borrow_and_update().clone();
            let changed = (now.zones.iter())
                .filter(|(zone, account)| last.zones.get(zone) != Some(account))
                .map(|(zone, account)| ZoneAccount {
                    zone: zone.clone(),
                    ledger: account.into(),
                    offenders: offenders(account),
                });
            bus.tell(Input::Accounts { produced: produced(now.totals), zones: changed.collect() });
            if now.trouble != last.trouble {
                bus.tell(Input::Said(vec![trouble_line(now.trouble.clone())]));
            }
            if let Some(damage) = now.damage.as_ref().filter(|_| now.damage != last.damage) {
                bus.tell(Input::Said(vec![damage_line(damage, &flag)]));
            }
            last = now;
        }
        // Its ledger writer goes after the state actor, in order: whoever hears this has lost it before.
        let text = "the ledger's keeper has ended (the room's log says why): nothing is produced or received any more; `down` and `up` start it anew";
        bus.note(Severity::Error, text);
    });
}

/// The first sequences behind each count that must be zero.
fn offenders(account: &Account) -> Offenders {
    let first = &account.first;
    let mut unexpected = first.unexpected.clone();
    unexpected.extend(&first.mismatched);
    Offenders {
        lost: first.lost.clone(),
        duplicates: first.duplicates.clone(),
        reordered: first.reordered.clone(),
        corrupt: first.corrupt.clone(),
        unexpected,
    }
}

fn damage_line(damage: &Damage, flag: &str) -> EventKind {
    let text = format!(
        "{damage}; `verify` and drills cannot say whole or proved here any more: `zonedrill{flag} down --purge` starts with a new ledger"
    );
    EventKind::Note { severity: Severity::Error, text }
}

fn trouble_line(trouble: Option<String>) -> EventKind {
    match trouble {
        Some(why) => EventKind::Note {
            severity: Severity::Error,
            text: format!(
                "evidence cannot be written ({why}): nothing is produced or acknowledged until it can; free some space"
            ),
        },
        None => {
            EventKind::Note { severity: Severity::Info, text: "evidence is written again".into() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::mailbox::Mail;

    #[test]
    fn a_consumer_goes_on_from_what_came_to_the_one_before() {
        let came = Deliveries { count: 50, here: 48, at_ms: 1 };
        let before = Report { deliveries: Some(came), connections: 2, ..Report::default() };
        let begins = |told| {
            let begun = carried_on(Some(before.clone()), told, 9);
            (begun.deliveries.map(|came| (came.count, came.here)), begun.connections)
        };
        assert_eq!(begins(Some(40)), (Some((50, 48)), 2), "an older word");
        assert_eq!(begins(Some(60)), (Some((60, 60)), 2));
        // Its server was not heard: what came is not forgotten.
        assert_eq!(begins(None), (Some((50, 48)), 2));
        let first = |told| carried_on(None, told, 9).deliveries.map(|came| (came.count, came.here));
        assert_eq!((first(Some(7)), first(None)), (Some((7, 7)), None));
    }

    /// What came in its last request is heard of before it is missed.
    #[tokio::test]
    async fn a_consumer_that_leaves_is_heard_until_it_has_ended() {
        let (bus, mut mails) = Mailbox::new();
        let (_held, control) = watch::channel(Control::default());
        let (worker, report) = watch::channel(Report::default());
        let stop = CancellationToken::new();
        tell(bus, "b".parse().unwrap(), control, report, stop.clone());
        stop.cancel();
        let came = Deliveries { count: 256, here: 256, at_ms: 1 };
        worker.send_modify(|report| report.deliveries = Some(came));
        drop(worker);
        let mut last = None;
        while let Some(mail) = mails.recv().await {
            if let Mail::Input(Input::Consuming { does, .. }) = mail {
                last = Some(does);
            }
        }
        let last = last.unwrap();
        assert_eq!((last.deliveries, last.running), (Some(came), true), "{:?}", last.trouble);
    }
}
