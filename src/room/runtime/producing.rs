//! The producer: where it publishes, which numbers are taken, what runs.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use super::{Runtime, locked};
use crate::{nats::producer::Producer, region::ZoneName, room::failure::Failure};

impl Runtime {
    /// The producer.
    ///
    /// # Errors
    /// When the region does not serve.
    pub fn producer(&self) -> Result<Arc<Producer>, Failure> {
        locked(&self.producer).clone().ok_or_else(|| {
            Failure::Refused("the source zone is not serving: `up` brings the region up".into())
        })
    }

    /// The zone that the producer was moved to; the source if none.
    #[must_use]
    pub fn produces_in(&self) -> Option<ZoneName> {
        locked(&self.produces_in).clone()
    }

    /// Notes where the producer was moved to, and writes all down.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn producer_moved(&self, zone: Option<ZoneName>) -> Result<(), Failure> {
        *locked(&self.produces_in) = zone;
        self.keep_plans()
    }

    /// Installs the producer.
    pub fn set_producer(&self, producer: Producer) {
        *locked(&self.producer) = Some(Arc::new(producer));
    }

    /// The next producer number.
    pub fn next_producer(&self) -> u32 {
        self.last_producer.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The highest message number used.
    #[must_use]
    pub fn last_number(&self) -> u64 {
        self.last_number.load(Ordering::Relaxed)
    }

    /// Reserves the next `count` numbers and returns the first.
    pub fn reserve_numbers(&self, count: u64) -> u64 {
        self.last_number.fetch_add(count, Ordering::Relaxed) + 1
    }

    /// Notes that numbers up to `number` are used.
    pub fn used_number(&self, number: u64) {
        self.last_number.fetch_max(number, Ordering::Relaxed);
    }

    /// Stops every produce and waits until they have ended, so long at most. Returns their titles.
    pub async fn stop_jobs(&self, within: Duration) -> Vec<String> {
        let titles = {
            let jobs = self.jobs.borrow();
            for job in jobs.values() {
                job.stop.cancel();
            }
            jobs.values().map(|job| job.title.clone()).collect()
        };
        let mut jobs = self.jobs.subscribe();
        let _ = tokio::time::timeout(within, jobs.wait_for(BTreeMap::is_empty)).await;
        titles
    }
}
