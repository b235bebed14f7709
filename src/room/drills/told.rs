//! The leaders' own figures at the end of a drill, and the status beside them.

use std::time::Duration;

use super::{DrillCtx, recorder::Recorder};
use crate::{
    drill::{
        record::Entry,
        told::{self, ToldOf},
    },
    nats::inspect,
    region::{Role, Status},
    room::clock::now_ms,
};

/// How long the room may take to know what the leaders said: it asks every second at the least.
const KNOWN_WITHIN: Duration = Duration::from_secs(8);
/// How often it is looked.
const LOOK: Duration = Duration::from_millis(250);

/// Asks the leaders of each zone's stream and consumer, until the status says the same or time is up;
/// records what they said, and the status of that moment. What does not stand still is not recorded.
pub async fn ask(ctx: &DrillCtx, recorder: &Recorder) {
    let deadline = tokio::time::Instant::now() + KNOWN_WITHIN;
    loop {
        let Some(first) = leaders(ctx).await else { return };
        let agrees = agrees(&ctx.statuses.borrow().status, &first);
        let over = tokio::time::Instant::now() >= deadline || ctx.cx.stop.is_cancelled();
        if !agrees && !over {
            tokio::time::sleep(LOOK).await;
            continue;
        }
        recorder.sample(&ctx.cx.runtime, &ctx.statuses);
        // What has changed since was moving: nothing can be said of it.
        if !agrees && leaders(ctx).await.as_ref() != Some(&first) {
            return;
        }
        for (zone, figures) in first {
            recorder.write(Entry::Told { zone, figures, at: now_ms() });
        }
        return;
    }
}

fn agrees(status: &Status, told: &ToldOf) -> bool {
    told.iter().all(|(name, told)| {
        status.zone(name).is_some_and(|zone| told::compare(zone, told).is_empty())
    })
}

/// What all leaders say; `None` where one does not answer.
async fn leaders(ctx: &DrillCtx) -> Option<ToldOf> {
    let mut all = ToldOf::new();
    for zone in ctx.cx.runtime.zones() {
        let plan = &zone.plan;
        let consumer =
            ctx.statuses.borrow().status.zone(&plan.name)?.consumer.as_ref()?.name.clone();
        let stream = inspect::stream(&zone.client, plan).await.ok()?;
        let consumer = inspect::consumer(&zone.client, plan, &consumer).await.ok()?;
        let renumbers = plan.renumbers() && plan.role != Role::Source;
        all.insert(plan.name.clone(), told::read(&stream, &consumer, renumbers));
    }
    Some(all)
}
