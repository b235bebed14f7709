//! Rates, latency, and the deliveries that came elsewhere.

use super::*;

const LATENCY: Latency = Latency { messages: 9, p50_us: 800, p99_us: 2_000, max_us: 5_000 };

impl Lab {
    /// The room's consumer in zone a is at work, and has processed so many.
    fn consumes(&mut self, processed: u64, paused: bool) {
        let deliveries = (processed > 0).then_some(Deliveries {
            count: processed,
            here: processed,
            at_ms: self.now,
        });
        let latency = Some(LATENCY);
        let does = Consuming {
            running: true,
            paused,
            processed,
            latency,
            deliveries,
            ..Consuming::default()
        };
        self.state.consuming(self.now, &zone("a"), does);
    }

    /// Seconds in which 50 messages each are published and processed.
    fn flows(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.source_seq += 50;
            self.consumes(self.source_seq, false);
            self.pass(1_000);
        }
    }

    fn flow(&self) -> (Option<u64>, Option<u64>, Option<Latency>) {
        let Flow { publish_rate, consume_rate, latency } = self.shown("a").flow;
        let whole = |rate: Option<f64>| rate.map(|rate| rate.round() as u64);
        (whole(publish_rate), whole(consume_rate), latency)
    }

    fn deliveries(&self) -> (Option<u64>, Option<u64>) {
        let consumer = self.shown("a").consumer.unwrap();
        (consumer.deliveries, consumer.deliveries_here)
    }
}

#[test]
fn what_a_paused_consumer_does_is_unknown_and_publishing_is_not() {
    let mut lab = Lab::new();
    lab.consumes(100, false);
    lab.pass(1_000);
    assert_eq!(lab.flow(), (None, None, Some(LATENCY)), "one count is no rate");
    lab.flows(10);
    assert_eq!(lab.flow(), (Some(50), Some(50), Some(LATENCY)));
    lab.consumes(600, true);
    assert_eq!(lab.flow(), (Some(50), None, None), "at once");
    lab.pass(5_000);
    assert_eq!(lab.flow(), (Some(25), None, None));
    lab.consumes(600, false);
    lab.pass(1_000);
    assert_eq!(lab.flow().1, None, "nothing of before the pause counts");
    lab.consumes(620, false);
    lab.pass(1_000);
    assert_eq!(lab.flow().1, Some(20));
}

#[test]
fn a_zone_that_nobody_hears_of_publishes_at_no_known_rate() {
    let mut lab = Lab::new();
    lab.flows(5);
    lab.now += FRESH_MS;
    assert_eq!(lab.flow().0, None);
    let events = lab.state.tick(lab.now);
    lab.events.extend(events);
    lab.pass(1_000);
    assert_eq!(lab.flow().0, None, "it begins anew");
    lab.pass(1_000);
    assert_eq!(lab.flow().0, Some(0));
    // The stream is gone, and with it the consumer.
    lab.consumes(lab.source_seq, false);
    for number in 1..=3 {
        let node = node(&format!("js{number}-zone-a"));
        let report = Some(Box::new(NodeReport { stream: None, ..lab.answer(&node) }));
        lab.observe(Observation::Node { node, report });
    }
    assert_eq!((lab.flow(), lab.deliveries()), ((None, None, None), (None, None)));
}

#[test]
fn deliveries_that_somebody_else_fetched_show_beside_ours() {
    let mut lab = Lab::new();
    lab.consumes(0, false);
    assert_eq!(lab.deliveries(), (Some(100), None), "none has come yet");
    lab.flows(1);
    assert_eq!(lab.deliveries(), (Some(150), Some(150)));
    lab.fetched_elsewhere = 60;
    lab.pass(1_000);
    assert_eq!(lab.deliveries(), (Some(210), Some(150)));
    // The consumer is made anew: what came of the old one is not the new one's.
    (lab.source_seq, lab.fetched_elsewhere) = (150, 0);
    lab.source_seq = 40;
    lab.pass(1_000);
    assert_eq!(lab.deliveries(), (Some(40), None));
}
