//! What is seen of the region: samples, the status that waits read, and what the meter says.

use super::*;

impl World {
    /// What the meter says at the end.
    pub fn metered(&mut self) {
        let mut entries = Vec::new();
        for (place, phase) in self.phases.iter().enumerate() {
            for zone in &self.zones {
                let histogram = zone.latency.get(&place).cloned().unwrap_or_default();
                if histogram.count() > 0 || phase.acked > 0 {
                    entries.push(Entry::Latency {
                        zone: zone.name.clone(),
                        phase: phase.name.clone(),
                        buckets: histogram.buckets(),
                        before_ack: 0,
                        missed: 0,
                        acked: Some(phase.acked),
                    });
                }
                if let Some((processed, began, ended, longest)) = zone.pace.get(&place) {
                    entries.push(Entry::Pace {
                        zone: zone.name.clone(),
                        phase: phase.name.clone(),
                        processed: *processed,
                        worked_us: (ended - began) * 1000,
                        longest_pause_us: longest * 1000 + 2000,
                    });
                }
            }
        }
        for zone in self.zones.iter().filter(|zone| zone.elsewhere > 0) {
            entries.push(Entry::Elsewhere { zone: zone.name.clone(), count: zone.elsewhere });
        }
        self.entries.extend(entries);
    }

    pub fn sample(&mut self) {
        let last = self.messages.len() as u64;
        let (cut, produced) = (self.cut, self.produced());
        let (now, mono) = (self.now(), self.mono);
        let bypass = self.fault == Fault::Bypass && self.in_phase("during");
        let gone = self.fault == Fault::ConsumerGone && self.phases.len() > 1;
        let zones = self.zones.iter().enumerate().map(|(z, zone)| {
            let mirror = z > 0;
            let here = cut && z == 1;
            let leafs = mirror.then_some(if here && !bypass { 0 } else { 3 });
            let hand = self.fault == Fault::Hand && z == 1 && mono % 5000 < 2 * TICK;
            let floor = Some(zone.floor).filter(|_| !gone || z != 1);
            let paused = zone.paused ^ hand;
            let consumer = Consumer {
                delivered: floor,
                own_delivered: floor,
                ack_floor: floor,
                paused,
                ..Consumer::default()
            };
            let recovery =
                self.healed.filter(|_| z == 1).map(|(healed_at_ms, behind, done)| Recovery {
                    healed_at_ms,
                    behind: Some(behind),
                    link_up_after_ms: done.map(|_| 110),
                    moving_after_ms: done.map(|_| 140),
                    caught_up_after_ms: done,
                    nudged: self.fault == Fault::Nudge,
                    stall: None,
                });
            Seen {
                stream: Some(Stream {
                    first_seq: u64::from(zone.stream > 0),
                    last_seq: zone.stream,
                    own_last_seq: Some(zone.stream),
                    messages: zone.stream,
                    ..Stream::default()
                }),
                consumer: Some(consumer),
                mirror: mirror
                    .then(|| Mirror { true_lag: Some(last - zone.stream), ..Mirror::default() }),
                link: mirror.then(|| Link {
                    state: if here { LinkState::Cut } else { LinkState::Up },
                    effective: here && !bypass,
                    leafs_here: leafs,
                    leafs_there: leafs,
                    ..Link::default()
                }),
                recovery,
                ledger: Account {
                    acked: produced,
                    received: zone.received,
                    behind: produced - zone.received,
                    ..Account::default()
                },
                ..Seen::new(zone.name.clone(), if mirror { Role::Mirror } else { Role::Source })
            }
        });
        let again = self.restarted;
        let hash = if again && self.fault == Fault::Reconfigure { "ffff" } else { "abcd" };
        let sample = Sample {
            at: now,
            mono_ms: Some(mono),
            status: Status {
                at_ms: now,
                zones: zones.collect(),
                producer: Producer {
                    acked: produced,
                    active: self.background.is_some(),
                    connection: Some(if again && self.fault == Fault::Restart { 18 } else { 17 }),
                    server_id: Some("NAAA".into()),
                    config_hash: Some(hash.into()),
                    acked_by: Some("zone-a".into()),
                    ..Producer::default()
                },
                ..Status::default()
            },
        };
        self.entries.push(Entry::Sample(Box::new(sample)));
    }

    pub fn status(&self) -> Value {
        let last = self.messages.len() as u64;
        let zones = self.zones.iter().enumerate().map(|(z, zone)| {
            let cut = self.cut && z == 1;
            json!({
                "name": zone.name,
                "stream": { "last_seq": zone.stream },
                "consumer": { "ack_floor": zone.floor },
                "ledger": { "received": zone.received },
                "mirror": { "true_lag": last - zone.stream },
                "link": { "effective": cut, "leafs_here": if cut { 0 } else { 3 },
                          "leafs_there": if cut { 0 } else { 3 } },
                "recovery": self.healed.map(|(_, _, done)| json!({ "caught_up_after_ms": done })),
            })
        });
        json!({ "zones": zones.collect::<Vec<_>>() })
    }
}
