//! What the consumers and the ledger are doing, told to the owner as it changes.

use std::{collections::BTreeMap, time::Duration};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    bus::Bus,
    engine::Failure,
    evidence::Figures,
    task::{self, Cx, Said},
};
pub use crate::nats::consumer::ConsumerReport as Report;
use crate::{
    ledger::{
        account::{Account, Totals},
        book::Ledger,
    },
    nats::consumer::Control,
    region::{
        EventKind, Severity, ZoneName,
        reduce::{Offenders, State},
        snapshot::{Producer, Work},
    },
};

/// How often a figure is told at most.
const PACE: Duration = Duration::from_millis(100);

/// Tells what a zone's consumer does, until `stop`.
pub fn tell(
    bus: Bus,
    zone: ZoneName,
    mut control: watch::Receiver<Control>,
    mut report: watch::Receiver<Report>,
    stop: CancellationToken,
) {
    tokio::spawn(async move {
        loop {
            let held = *control.borrow_and_update();
            let done = report.borrow_and_update().clone();
            let work = Work {
                running: true,
                paused: held.paused,
                limit: held.limit,
                rate: done.rate,
                trouble: done.trouble,
            };
            let name = zone.clone();
            bus.change(move |state, _| state.work(&name, work));
            tokio::time::sleep(PACE).await;
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                changed = control.changed() => if changed.is_err() { break },
                changed = report.changed() => if changed.is_err() {
                    let (name, held) = (zone.clone(), *control.borrow());
                    bus.change(move |state, _| stopped(state, &name, held));
                    break;
                },
            }
        }
    });
}

/// A consumer has ended, and nobody told it to: it crashed, its evidence cannot be written any more,
/// or its connection was closed for good.
fn stopped(state: &mut State, zone: &ZoneName, held: Control) -> Vec<EventKind> {
    let why = "it has ended by itself (the room's log may say why); `down` and `up` start it anew";
    let work = Work {
        running: false,
        paused: held.paused,
        limit: held.limit,
        rate: 0.0,
        trouble: Some(why.to_owned()),
    };
    state.work(zone, work)
}

/// How long a pause may take to be complete: one pull that is under way expires in a second.
const PAUSED_WITHIN: Duration = Duration::from_secs(5);

/// Changes how a zone's consumer is held, and waits until a pause is complete.
///
/// # Errors
/// When the zone is not at work, or its consumer does not come to rest.
pub async fn hold(
    cx: Cx,
    zone: ZoneName,
    change: impl FnOnce(&mut Control) + Send + 'static,
) -> task::Result {
    let engine = cx.engine.zone(&zone)?;
    engine.control.send_modify(change);
    let held = *engine.control.borrow();
    let consumer = engine.plan.consumer();
    if held.paused {
        let mut report = engine.report.clone();
        let rest = tokio::time::timeout(PAUSED_WITHIN, report.wait_for(|report| report.paused));
        if rest.await.is_err() {
            return Err(Failure::Broken(format!(
                "{consumer} is told to pause, but still has messages under way: see `status`"
            )));
        }
    }
    Ok(Said::done(match (held.paused, held.limit) {
        (true, _) => format!("{consumer} is paused; `consumer resume {zone}` goes on"),
        (false, None) => format!("{consumer} consumes as fast as it can"),
        (false, Some(limit)) => format!("{consumer} consumes at most {limit:.1} messages a second"),
    }))
}

/// Puts what the ledger says of the producers into the state now, not at the keeper's next turn:
/// whoever asks after a produce has ended must be told all of it.
pub async fn settle(cx: &Cx) {
    if let Some(totals) = cx.engine.asker.ask(Ledger::totals).await {
        cx.bus().change(move |state, _| {
            let producer = produced(state.peek().producer.clone(), totals);
            state.producer(producer)
        });
    }
}

fn produced(mut producer: Producer, totals: Totals) -> Producer {
    producer.acked = totals.acked;
    producer.failed = totals.failed;
    producer.unknown = totals.unknown;
    producer
}

/// Tells what the ledger says, as long as there is a keeper.
pub fn tell_figures(bus: Bus, mut figures: watch::Receiver<Figures>) {
    tokio::spawn(async move {
        let mut last = Figures::default();
        while figures.changed().await.is_ok() {
            let now = figures.borrow_and_update().clone();
            let changed: BTreeMap<_, _> = now
                .zones
                .iter()
                .filter(|(zone, account)| last.zones.get(zone) != Some(account))
                .map(|(zone, account)| (zone.clone(), account.clone()))
                .collect();
            let trouble = (now.trouble != last.trouble).then(|| now.trouble.clone());
            let totals = now.totals;
            last = now;
            bus.change(move |state, at| {
                let mut events = Vec::new();
                for (zone, account) in &changed {
                    events.extend(state.ledger(at, zone, account.into(), offenders(account)));
                }
                let producer = produced(state.peek().producer.clone(), totals);
                events.extend(state.producer(producer));
                if let Some(trouble) = trouble {
                    events.push(trouble_line(trouble));
                }
                events
            });
        }
        // Its keeper goes after the owner, in order: whoever hears this has lost it before.
        bus.change(|_, _| {
            let text = "the ledger's keeper has ended (the room's log says why): nothing is produced or received any more; `down` and `up` start it anew";
            vec![EventKind::Note { severity: Severity::Error, text: text.into() }]
        });
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
