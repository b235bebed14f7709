//! A snapshot put into the words of the schema: moments become ages, names become text.

use super::{
    Conclusion, Consumer, Ledger, Link, Mirror, Node, Producer, Recovery, Screen, Status, Step,
    Stream, Task, Zone, phase_word,
};
use crate::region::{
    UnixMs,
    snapshot::{self, LinkState, MirrorState, Phase, Snapshot},
    topology::Role,
};

impl From<&Snapshot> for Status {
    fn from(snapshot: &Snapshot) -> Self {
        let at_ms = snapshot.at_ms;
        let failure = match &snapshot.phase {
            Phase::Failed(why) => Some(why.clone()),
            _ => None,
        };
        Self {
            region: snapshot.region.clone(),
            platform: snapshot.platform.clone(),
            server_version: snapshot.server_version.clone(),
            mirror_kind: snapshot.mirror_kind,
            phase: phase_word(&snapshot.phase),
            failure,
            started_at_ms: snapshot.started_ms,
            at_ms,
            steps: snapshot.steps.iter().map(Step::from).collect(),
            zones: snapshot.zones.iter().map(|zone| Zone::at(zone, at_ms)).collect(),
            producer: Producer::from(&snapshot.producer),
            tasks: snapshot
                .tasks
                .iter()
                .map(|task| Task {
                    id: task.id,
                    command: task.command.clone(),
                    by: task.actor.who.clone(),
                    since_ms: at_ms.saturating_sub(task.since_ms),
                    progress: task.progress.clone(),
                })
                .collect(),
            conclusions: snapshot
                .conclusions
                .iter()
                .map(|conclusion| Conclusion {
                    name: conclusion.name.clone(),
                    verdict: conclusion.verdict,
                    evidence: conclusion.evidence.clone(),
                })
                .collect(),
            screens: snapshot
                .screens
                .iter()
                // A place that is only kept has nobody in it.
                .filter(|screen| screen.away_until_ms.is_none())
                .map(|screen| Screen {
                    id: screen.id,
                    name: screen.name.clone(),
                    drives: screen.drives,
                })
                .collect(),
        }
    }
}

impl From<&snapshot::Step> for Step {
    fn from(step: &snapshot::Step) -> Self {
        Self {
            title: step.title.clone(),
            state: step.state,
            detail: step.detail.clone(),
            took_ms: step.took_ms,
        }
    }
}

impl Zone {
    fn at(zone: &snapshot::Zone, at_ms: UnixMs) -> Self {
        let age = |told: UnixMs| at_ms.saturating_sub(told);
        Self {
            name: zone.name.to_string(),
            role: zone.role,
            state: zone.state,
            nodes: zone.nodes.iter().map(|node| Node::at(node, at_ms)).collect(),
            stream: zone.stream.as_ref().map(|stream| Stream {
                messages: stream.messages,
                bytes: stream.bytes,
                first_seq: stream.first_seq,
                last_seq: stream.last_seq,
                num_deleted: stream.num_deleted,
                leader: stream.leader.clone(),
                replicas: stream.replicas,
                replicas_current: stream.replicas_current,
                age_ms: age(stream.told_ms),
            }),
            consumer: zone.consumer.as_ref().map(|consumer| Consumer {
                name: consumer.name.clone(),
                delivered: consumer.delivered,
                ack_floor: consumer.ack_floor,
                pending: consumer.pending,
                unacked: consumer.unacked,
                redelivered: consumer.redelivered,
                paused: zone.work.paused,
                limit: zone.work.limit,
                rate: zone.work.rate,
                trouble: zone.work.trouble.clone(),
                age_ms: age(consumer.told_ms),
            }),
            mirror: (zone.role == Role::Mirror).then(|| Mirror::at(zone.mirror.as_ref(), at_ms)),
            link: zone.link.as_ref().map(|link| Link {
                state: link.state,
                kind: link.kind.filter(|_| link.state == LinkState::Cut),
                effective: link.effective && link.state == LinkState::Cut,
                since_ms: age(link.since_ms),
                heals_in_ms: link.heals_at_ms.map(|at| at.saturating_sub(at_ms)),
                leafs_here: link.leafs_here,
                leafs_there: link.leafs_there,
                rtt_us: link.rtt_us,
                severed_in_ms: link.severed_in_ms,
                proved_in_ms: link.proved_in_ms,
            }),
            recovery: zone.recovery.as_ref().map(|recovery| Recovery {
                healed_at_ms: recovery.healed_ms,
                behind: recovery.behind,
                link_up_after_ms: recovery.link_up_after_ms,
                moving_after_ms: recovery.moving_after_ms,
                caught_up_after_ms: recovery.caught_up_after_ms,
                nudged: recovery.nudged,
                stall: recovery.stall.clone(),
            }),
            ledger: Ledger::from(&zone.ledger),
        }
    }
}

impl Node {
    fn at(node: &snapshot::Node, at_ms: UnixMs) -> Self {
        Self {
            name: node.name.to_string(),
            state: node.state,
            leader: node.stream_leader,
            meta_leader: node.meta_leader,
            consumer_leader: node.consumer_leader,
            url: format!("nats://127.0.0.1:{}", node.client_port),
            pid: node.pid,
            rss_bytes: node.rss_bytes,
            cpu_percent: node.cpu_percent,
            age_ms: node.answered_ms.map(|at| at_ms.saturating_sub(at)),
            container: node.container.clone(),
        }
    }
}

impl Mirror {
    /// A mirror zone has a mirror even before its leader has told of it: all of it unknown.
    fn at(mirror: Option<&snapshot::Mirror>, at_ms: UnixMs) -> Self {
        Self {
            true_lag: mirror.and_then(|mirror| mirror.true_lag),
            reported_lag: mirror.and_then(|mirror| mirror.reported_lag),
            silent_ms: mirror
                .and_then(|mirror| mirror.heard_ms)
                .map(|heard| at_ms.saturating_sub(heard)),
            state: mirror.map_or(MirrorState::Unknown, |mirror| mirror.state),
            error: mirror.and_then(|mirror| mirror.error.clone()),
            source_pending: mirror.and_then(|mirror| mirror.source_pending),
            age_ms: mirror.map(|mirror| at_ms.saturating_sub(mirror.told_ms)),
        }
    }
}

impl From<&snapshot::Ledger> for Ledger {
    fn from(ledger: &snapshot::Ledger) -> Self {
        Self {
            acked: ledger.acked,
            received: ledger.received,
            lost: ledger.lost,
            duplicates: ledger.duplicates,
            redelivered: ledger.redelivered,
            processed_twice: ledger.processed_twice,
            reordered: ledger.reordered,
            corrupt: ledger.corrupt,
            unexpected: ledger.unexpected,
            unrecorded: ledger.unrecorded,
        }
    }
}

impl From<&snapshot::Producer> for Producer {
    fn from(producer: &snapshot::Producer) -> Self {
        Self {
            active: producer.active,
            rate: producer.rate,
            acked: producer.acked,
            failed: producer.failed,
            unknown: producer.unknown,
            last_number: producer.last_number,
            running: producer.running.clone(),
            connection: producer.connection,
            reconnects: producer.reconnects,
            acked_by: producer.acked_by.clone(),
            trouble: producer.trouble.clone(),
        }
    }
}
