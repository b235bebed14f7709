//! The status for dashboards, in the `OpenMetrics` text format. What is not known has no sample.

use std::{collections::BTreeMap, fmt::Display, sync::atomic::AtomicU64};

use prometheus_client::{
    encoding::text::encode,
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};

use super::{AlarmKind, Latency, LinkState, MirrorState, NodeState, Status, Verdict, Zone};

type Labels = Vec<(&'static str, String)>;

/// A gauge's name and what it is.
type Named = (&'static str, &'static str);

#[derive(Default)]
struct Page {
    registry: Registry,
    gauges: BTreeMap<&'static str, Family<Labels, Gauge<f64, AtomicU64>>>,
}

impl Page {
    fn set(&mut self, (name, help): Named, labels: &Labels, value: Option<f64>) {
        let Some(value) = value else { return };
        let registry = &mut self.registry;
        let gauge = self.gauges.entry(name).or_insert_with(|| {
            let family = Family::default();
            registry.register(name, help, family.clone());
            family
        });
        gauge.get_or_create(labels).set(value);
    }

    fn count(&mut self, named: Named, labels: &Labels, value: Option<u64>) {
        self.set(named, labels, value.map(|value| value as f64));
    }

    /// One of several states is 1, the others 0.
    fn state<T: Copy + PartialEq + Display>(
        &mut self,
        named: Named,
        labels: &Labels,
        (label, all): (&'static str, &[T]),
        now: T,
    ) {
        for state in all {
            let labels = with(labels, label, state);
            self.count(named, &labels, Some(u64::from(*state == now)));
        }
    }
}

fn with(labels: &Labels, name: &'static str, value: impl Display) -> Labels {
    let mut labels = labels.clone();
    labels.push((name, value.to_string()));
    labels
}

/// The metrics of a region; `None` for one that is not seen at all.
///
/// # Errors
/// Never: text is written into memory.
pub fn metrics(region: &str, status: Option<&Status>) -> Result<String, std::fmt::Error> {
    let mut page = Page::default();
    let labels: Labels = vec![("region", region.to_owned())];
    let seen = u64::from(status.is_some());
    page.count(("zonedrill_seen", "1 while the region is seen, else 0"), &labels, Some(seen));
    if let Some(status) = status {
        whole(&mut page, &labels, status);
        for zone in &status.zones {
            of_zone(&mut page, &with(&labels, "zone", &zone.name), zone, status);
        }
    }
    let mut text = String::new();
    encode(&mut text, &page.registry)?;
    Ok(text)
}

fn whole(page: &mut Page, labels: &Labels, status: &Status) {
    let at = ("zonedrill_seen_timestamp_seconds", "When this was so, in seconds since 1970");
    page.set(at, labels, Some(status.at_ms as f64 / 1000.0));
    let alarms = status.alarms();
    for kind in AlarmKind::ALL {
        let count = alarms.iter().filter(|alarm| alarm.kind == *kind).count() as u64;
        let named = ("zonedrill_alarms", "What is wrong now, by kind");
        page.count(named, &with(labels, "kind", kind), Some(count));
    }
    for conclusion in &status.conclusions {
        let labels = with(labels, "conclusion", &conclusion.name);
        let named = ("zonedrill_conclusion", "Which verdict a conclusion has: 1, the others 0");
        page.state(named, &labels, ("verdict", Verdict::ALL), conclusion.verdict);
    }
}

fn of_zone(page: &mut Page, labels: &Labels, zone: &Zone, status: &Status) {
    if let Some(stream) = &zone.stream {
        for (named, value) in [
            (("zonedrill_stream_messages", "Messages in the stream"), Some(stream.messages)),
            (("zonedrill_stream_bytes", "Bytes in the stream"), Some(stream.bytes)),
            (("zonedrill_stream_first_sequence", "Its first sequence"), Some(stream.first_seq)),
            (("zonedrill_stream_last_sequence", "Its last sequence"), Some(stream.last_seq)),
            (("zonedrill_stream_deleted_messages", "Holes in it"), Some(stream.num_deleted)),
            (("zonedrill_stream_replicas", "Its replicas"), Some(stream.replicas.into())),
            (
                ("zonedrill_stream_replicas_current", "Replicas that are current"),
                stream.replicas_current.map(u64::from),
            ),
        ] {
            page.count(named, labels, value);
        }
        let told = ("zonedrill_stream_told_timestamp_seconds", "When its leader told of it");
        page.set(told, labels, Some(stream.told_at_ms as f64 / 1000.0));
    }
    if let Some(consumer) = &zone.consumer {
        let labels = with(labels, "consumer", &consumer.name);
        for (named, value) in [
            (
                ("zonedrill_consumer_delivered_sequence", "The last sequence delivered"),
                consumer.delivered,
            ),
            (
                ("zonedrill_consumer_ack_floor_sequence", "Everything up to it is acknowledged"),
                consumer.ack_floor,
            ),
            (("zonedrill_consumer_pending_messages", "Not delivered yet"), consumer.pending),
            (
                ("zonedrill_consumer_unacknowledged_messages", "Delivered, not acknowledged"),
                consumer.unacked,
            ),
            (
                ("zonedrill_consumer_redelivered_messages", "Waiting, delivered before"),
                consumer.redelivered,
            ),
        ] {
            page.count(named, &labels, value);
        }
    }
    if let Some(mirror) = &zone.mirror {
        let lag =
            ("zonedrill_copy_lag_messages", "What the copy lacks of its source, from both ends");
        page.count(lag, labels, mirror.true_lag);
        let told = ("zonedrill_copy_reported_lag_messages", "What the copy's server says it lacks");
        page.count(told, labels, mirror.reported_lag);
        let heard =
            ("zonedrill_copy_heard_timestamp_seconds", "When the copy last heard from its source");
        page.set(heard, labels, mirror.heard_at_ms.map(|at| at as f64 / 1000.0));
        let named = ("zonedrill_copy_state", "What the copy does: 1, the other states 0");
        page.state(named, labels, ("state", MirrorState::ALL), mirror.state);
    }
    if let Some(link) = &zone.link {
        let named = ("zonedrill_link_state", "The link to the source: 1, the other states 0");
        page.state(named, labels, ("state", LinkState::ALL), link.state);
        let rtt = link.rtt_us.map(|us| us as f64 / 1e6);
        page.set(("zonedrill_link_rtt_seconds", "Its round trip"), labels, rtt);
    }
    let rate = ("zonedrill_published_per_second", "Messages that came onto the stream, over 10 s");
    page.set(rate, labels, zone.flow.publish_rate);
    let rate = ("zonedrill_consumed_per_second", "Messages its consumer processed, over 10 s");
    page.set(rate, labels, zone.flow.consume_rate);
    let latency = |of: fn(Latency) -> u64| Some(of(zone.flow.latency?) as f64 / 1e6);
    for (named, seconds) in [
        (
            (
                "zonedrill_latency_p50_seconds",
                "From publishing to consuming, half of them, over 10 s",
            ),
            latency(|latency| latency.p50_us),
        ),
        (
            ("zonedrill_latency_p99_seconds", "From publishing to consuming, 99 of 100, over 10 s"),
            latency(|latency| latency.p99_us),
        ),
        (
            (
                "zonedrill_latency_max_seconds",
                "From publishing to consuming, the longest, over 10 s",
            ),
            latency(|latency| latency.max_us),
        ),
    ] {
        page.set(named, labels, seconds);
    }
    if let Some(recovery) = &zone.recovery {
        let named = ("zonedrill_recovery_seconds", "From the last heal until the copy had all");
        page.set(named, labels, recovery.caught_up_after_ms.map(|ms| ms as f64 / 1000.0));
    }
    if zone.of_others() {
        return;
    }
    let known = |number: u64| (zone.ledger.unrecorded == 0 || number > 0).then_some(number);
    for (fault, number) in zone.ledger.faults() {
        let labels = with(labels, "fault", fault);
        let named = ("zonedrill_faults", "Messages that the evidence finds at fault, by kind");
        page.count(named, &labels, known(number));
    }
    let named = ("zonedrill_differences", "In what the zone is not as it was made");
    page.count(named, labels, Some(zone.differences.len() as u64));
    let up = zone.nodes.iter().filter(|node| node.state == NodeState::Up).count() as u64;
    page.count(("zonedrill_nodes_up", "Nodes that answer"), labels, Some(up));
    page.count(("zonedrill_nodes", "Nodes of the zone"), labels, Some(zone.nodes.len() as u64));
    let role = ("zonedrill_zone_source", "1 for the source, 0 for a copy");
    let is = status.source().is_some_and(|source| source.name == zone.name);
    page.count(role, labels, Some(u64::from(is)));
}
