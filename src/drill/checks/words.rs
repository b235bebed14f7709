//! The one place that puts a [`Reason`] into a sentence.

mod failover;
mod keeping;

use std::fmt;

use super::reason::{
    Act, FailedStep, Joining, PhaseLatency, Place, ProducerFact, Reason, Speeds, Unknown, When,
};
use crate::{
    drill::{latency::Quantile, report::format::micros, run::Contradiction},
    ledger::finding::{Judgement, Outlook},
    region::{ZoneName, deliveries::fetched_elsewhere, format::seconds},
};

/// Processed before its acknowledgement reached the producer ("before" is a phase here).
const AHEAD: &str = "ahead of the ack";

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let none = self
            .of_the_run(f)
            .or_else(|| self.of_looking(f))
            .or_else(|| self.of_the_cut(f))
            .or_else(|| self.of_the_link(f))
            .or_else(|| self.of_consumption(f))
            .or_else(|| self.of_independence(f))
            .or_else(|| self.of_growing(f))
            .or_else(|| self.of_the_loss(f))
            .or_else(|| self.of_keeping(f))
            .or_else(|| self.of_messages(f));
        none.unwrap_or(Ok(()))
    }
}

/// Each part answers for its own reasons: `None` is another part's.
type Part = Option<fmt::Result>;

#[rustfmt::skip] // one line each: it is a table
impl Reason {
    fn of_the_run(&self, f: &mut fmt::Formatter<'_>) -> Part {
        Some(match self {
            Self::NoBeginning => f.write_str("the record does not say what was drilled: its beginning, or the script in it, cannot be read"),
            Self::NoEnd => f.write_str("the record has no end: the drill was cut short"),
            Self::Interrupted { why } => write!(f, "the drill was interrupted: {why}"),
            Self::Contradiction { what } => write!(f, "the record contradicts itself: {}", contradiction(*what)),
            Self::OtherScript { drill } => write!(f, "the script is not the one that this version has for `{drill}`: what it did is not known to test the conclusion"),
            Self::PhaseMissing { conclusion, phase } => write!(f, "conclusion {conclusion} requires a phase `{phase}`, and there was none in its turn"),
            Self::NothingProduced => f.write_str("nothing was produced: no message of this drill was acknowledged"),
            Self::NothingShown => f.write_str("nothing was shown: nothing was produced, and every expectation was met before the first step"),
            Self::LedgerDiffers { producer, reported, known } => write!(f, "p{producer} reported {reported} acknowledged messages, the ledger knows {known}"),
            Self::CheckCrashed => f.write_str("this check crashed; please report it with the bundle"),
            Self::SabotageUnnoticed { kind } => write!(f, "sabotaged ({}), and no check noticed: this verdict cannot be trusted", kind.as_str()),
            Self::SabotageNeverDue { kind, when } => write!(f, "nothing was sabotaged: {} waited for `{when}`, which never held", kind.as_str()),
            Self::NoCheck => f.write_str("no check was made, so nothing was tested"),
            Self::StepNeverBegan { step, title } => write!(f, "step {step} ({title}) never began"),
            Self::StepFailed { step, title, why } => write!(f, "step {step} ({title}) failed: {}", or_none(why.as_deref())),
            Self::StepNeverEnded { step, title } => write!(f, "step {step} ({title}) never ended"),
            Self::PhaseOutOfTurn { phase } => write!(f, "phase `{phase}` did not come in its turn, or never ended"),
            Self::NotGiven { line } => write!(f, "`{line}` was not given in its turn"),
            Self::NeverAnswered { line } => write!(f, "`{line}` was never answered"),
            Self::CommandFailed { line, outcome, text } => write!(f, "`{line}` ended {}: {text}", outcome.as_str()),
            Self::WaitedInVain { condition, ms, seen } => write!(f, "waited {} in vain for `{condition}`: {seen}", seconds(*ms)),
            Self::NeverWaited { condition } => write!(f, "nobody waited for `{condition}`"),
            Self::Completed { steps, waits, commands } => write!(f, "{steps} steps ended well, {waits} waits were met, {commands} commands done"),
            Self::DoneByHand { commands } => write!(f, "done by hand: {commands} commands were given and recorded"),
            Self::Expectation { condition, seen } => write!(f, "`{condition}`: {seen}"),
            Self::OtherHand { act, zone } => match act {
                Act::Paused => write!(f, "somebody else's hand: the consumer of zone {zone} was paused, and not by this drill"),
                Act::Resumed => write!(f, "somebody else's hand: the consumer of zone {zone} was resumed, and not by this drill"),
                Act::Cut => write!(f, "somebody else's hand: the link of zone {zone} was cut, and not by this drill"),
                Act::Healed => write!(f, "somebody else's hand: the link of zone {zone} was healed, and not by this drill"),
            },
            Self::OtherProducer { producer, count } => write!(f, "somebody else's hand: p{producer} and not this drill sent {count} of the messages on the stream while it ran"),
            Self::SomebodyPublished { count } => write!(f, "somebody else published {count} message{} on the region's subjects during the drill", if *count == 1 { "" } else { "s" }),
            Self::DeliveredElsewhere { zone, count } => f.write_str(&fetched_elsewhere(zone, *count)),
            _ => return None,
        })
    }

    fn of_looking(&self, f: &mut fmt::Formatter<'_>) -> Part {
        Some(match self {
            Self::NoPhase { phase, failed } => write!(f, "there was no phase `{phase}`{}", after(failed.as_ref())),
            Self::PhaseNeverEnded { phase, failed } => write!(f, "phase `{phase}` never ended{}", after(failed.as_ref())),
            Self::TooFewLooks { when, looks, needed } => write!(f, "nobody looked more than {looks} times {when}: at least {needed} looks are needed"),
            Self::NobodyLooked { when, ms, allowed_ms } => write!(f, "nobody looked for {} {when}: the room itself stood still, or was suspended (at most {} may pass)", seconds(*ms), seconds(*allowed_ms)),
            Self::ClockStepped { when, ms } => write!(f, "the wall clock and the monotonic clock disagree by {} {when}: the clock was set, or the machine suspended; times are unknown", seconds(*ms)),
            Self::Unknown { what, zone } => unknown(f, *what, zone.as_ref()),
            _ => return None,
        })
    }

    fn of_the_cut(&self, f: &mut fmt::Formatter<'_>) -> Part {
        Some(match self {
            Self::NothingDuringCut { acked, needed } => write!(f, "nothing was produced during the cut: {acked} messages, at least {needed} are needed"),
            Self::Leaked { count, of, zone } => write!(f, "the cut leaked: {count} of {of} messages sent during it arrived in zone {zone} before the heal"),
            Self::CutNotEffective { after_ms, zone, leafs } => write!(f, "the cut was not effective: {} into it zone {zone} and its source had {leafs} leafnode connections", seconds(*after_ms)),
            Self::CutEnded { after_ms, zone } => write!(f, "the cut did not last: {} into it the link of zone {zone} was no longer cut", seconds(*after_ms)),
            Self::CutNotProved { looks, longest_ms } => write!(f, "the cut was not confirmed at both ends: {looks} looks confirm it, and {} passed without one", seconds(*longest_ms)),
            Self::OnlyPaused { zone, missed } => write!(f, "the copy of zone {zone} was paused while {missed} messages came to the source, and the link carried on: a cut was not tested"),
            Self::Severed { ms, looks, acked, zone } => write!(f, "the cut was confirmed at both ends for all of {} (checked {looks} times), and none of {acked} messages sent during it reached zone {zone}", seconds(*ms)),
            Self::NotHealed { zone } => write!(f, "zone {zone} was not healed by this drill"),
            Self::NotTimed { zone } => write!(f, "the recovery of zone {zone} was not timed"),
            Self::NothingMissed { zone, behind, needed } => write!(f, "zone {zone} was missing {behind} messages at the heal, at least {needed} are needed: there was nothing to catch up on"),
            Self::Nudged { zone } => write!(f, "the mirror of zone {zone} was nudged: these are not its own recovery times"),
            Self::NotRecovered { zone } => write!(f, "zone {zone} was not seen to recover: not all three times are known"),
            Self::Recovered { behind, link_up_ms, moving_ms, caught_up_ms, version, mirror, expected } => write!(f, "caught up on {behind} messages: link back after {}, mirror moving after {}, caught up after {} (expected of nats-server {version} with a {mirror} mirror: {expected})", seconds(*link_up_ms), seconds(*moving_ms), seconds(*caught_up_ms)),
            _ => return None,
        })
    }

    fn of_the_link(&self, f: &mut fmt::Formatter<'_>) -> Part {
        Some(match self {
            Self::NothingImpaired => f.write_str("no link was impaired by this drill"),
            Self::ImpairmentNotMeasured { line, zone, missing } => {
                let missing: Vec<&str> = missing.iter().map(|one| one.as_str()).collect();
                let missing = if missing.is_empty() { "it".to_owned() } else { joined(missing.into_iter().map(str::to_owned), " and ") };
                write!(f, "`{line}` was not measured: the line and both ends of zone {zone}'s link did not show {missing}")
            }
            Self::ImpairmentLost { line, zone, after_ms } => write!(f, "`{line}` did not last: {} into it the link of zone {zone} was not as asked", seconds(*after_ms)),
            Self::ImpairmentMeasured { line, zone, looks, after_ms, round_trip_us } => {
                let trip = round_trip_us.map(|us| format!("; a request over it took {}", micros(us))).unwrap_or_default();
                write!(f, "`{line}` was measured on the line and at both ends of zone {zone}'s link after {} (checked {looks} times{trip})", seconds(*after_ms))
            }
            Self::NoForecast { zone } => write!(f, "there was no forecast of how long zone {zone} needs for its backlog"),
            Self::NeverCleared { zone, behind } => write!(f, "zone {zone} was not seen to clear its backlog of {behind} messages"),
            Self::ForecastHeld { zone, held: _, behind, forecast_ms, took_ms } => write!(f, "zone {zone} was {behind} messages behind: forecast to clear in {}, cleared in {}", seconds(*forecast_ms), seconds(*took_ms)),
            Self::NotWiped => f.write_str("no zone lost all of its stores"),
            Self::NothingHeld { zone } => write!(f, "zone {zone} was not seen to hold messages before its stores were lost"),
            Self::NotGone { zone } => write!(f, "the stream of zone {zone} was not seen to be gone after its stores were lost"),
            Self::NotRebuilt { zone } => write!(f, "zone {zone} was not seen to have everything again"),
            Self::RebuiltSource { zone, held, messages, ms } => write!(f, "zone {zone} held {held} messages, lost them with every store, and takes messages again with {messages}, {} after the last store was lost", seconds(*ms)),
            Self::Rebuilt { zone, held, messages, ms } => write!(f, "zone {zone} held {held} messages, lost them with every store, and has {messages} again, lacking none, {} after the last store was lost", seconds(*ms)),
            Self::NoNodeDown => f.write_str("no server was suspended or ended by this drill"),
            Self::NodeNotDown { line, node } => write!(f, "`{line}` was not seen: {node} went on"),
            Self::NodeCameBack { line, node, after_ms } => write!(f, "`{line}` did not last: {} after it {node} was back", seconds(*after_ms)),
            Self::NotRestarted { node } => write!(f, "{node} is the server that it was at the beginning: it was not started again"),
            Self::TwoAway { nodes: [one, other] } => write!(f, "{one} and {other} were away at once"),
            Self::NothingMeanwhile { phase } => write!(f, "in the phase `{phase}` nothing was produced throughout: there was no load"),
            Self::OtherVersion { node, version, wanted } => write!(f, "{node} is nats-server {version} at the end, and was to be {wanted}"),
            Self::NotUpgraded { zone, version } => write!(f, "every server of zone {zone} was nats-server {version} at the beginning: nothing was upgraded"),
            Self::Upgraded { zone, servers, from, to } => {
                let from = from.join(" and ");
                write!(f, "each of the {servers} servers of zone {zone} was stopped and started again, nats-server {to} instead of {from}, never two servers of the region at once")
            }
            Self::Restarted { zone, servers } => write!(f, "each of the {servers} servers of zone {zone} was stopped and started again, never two servers of the region at once"),
            Self::TakenMeanwhile { acked, gap_ms } => write!(f, "{acked} messages were acknowledged meanwhile, and for {} at most none was", seconds(*gap_ms)),
            Self::NodeDown { line, node, looks, ms } => write!(f, "after `{line}` {node} was away for {} (checked {looks} times)", seconds(*ms)),
            Self::NothingTold { zone } => write!(f, "the leaders of zone {zone} did not say what they hold, or it did not stand still"),
            Self::FigureDiffers { zone, figure, shown, told } => write!(f, "zone {zone}: {figure} was {} on the screen, its servers say {told}", shown.map_or_else(|| "unknown".to_owned(), |shown| shown.to_string())),
            Self::FiguresAgree { zone, count } => write!(f, "{count} figures of zone {zone} on the screen are what its servers say"),
            _ => return None,
        })
    }

    fn of_consumption(&self, f: &mut fmt::Formatter<'_>) -> Part {
        Some(match self {
            Self::PausedDuringCut { zone } => write!(f, "the consumer of zone {zone} was paused during the cut"),
            Self::PausedThroughoutCut { zone } => write!(f, "the consumer of zone {zone} was paused for all of the cut"),
            Self::RateLimited { zone } => write!(f, "the consumer of zone {zone} was held to a rate: how fast it worked says nothing"),
            Self::NoBacklog { zone, backlog, needed } => write!(f, "zone {zone} held no backlog at the cut ({backlog} messages, at least {needed} are needed): its consumer had nothing to do"),
            Self::InZone { source, processed, acked, mirror, drained, backlog } => write!(f, "zone {source} processed {processed} of {acked} messages sent during the cut, and zone {mirror} {drained} of the {backlog} it held"),
            Self::NoProgress { zone, phase, count, needed } => write!(f, "the consumer of zone {zone} made no progress in phase `{phase}`: {count} messages, at least {needed} are needed"),
            Self::Progress { zones } => {
                let zones = zones.iter().map(|(zone, counts)| {
                    let counts = counts.iter().map(|(phase, count)| format!("{count} {phase}"));
                    format!("zone {zone} processed {}", joined(counts, " and "))
                });
                f.write_str(&joined(zones, ", "))
            }
            Self::Drained { zone, took_us, pause_us } => write!(f, "zone {zone} worked off its backlog in {}, and never stood still for longer than {}", micros(*took_us), micros(*pause_us)),
            Self::DrainedSlowly { zone, took_us, limit_us, pause_us } => write!(f, "zone {zone} took {} to work off its backlog, at most {} are allowed (its longest pause: {})", micros(*took_us), micros(*limit_us), micros(*pause_us)),
            Self::Stalled { zone, phase, pause_us, limit_us } => write!(f, "the consumer of zone {zone} stood still for {} in phase `{phase}` while it had work: less than {} is allowed", micros(*pause_us), micros(*limit_us)),
            Self::NoLatency { zone, phase } => write!(f, "no latency of zone {zone} is known for phase `{phase}`"),
            Self::TooFewMeasured { zone, phase, count, needed } => write!(f, "too few messages for the latency of zone {zone} in phase `{phase}`: {count}, at least {needed} are needed"),
            Self::NotAllMeasured { zone, phase, measured, acked } => write!(f, "the latency of zone {zone} in phase `{phase}` is known of {measured} of {acked} acknowledged messages: of the others nothing is known"),
            Self::NoisyBaseline { zone, phase, p99, longest, limit_us } => write!(f, "the baseline was disturbed: in phase `{phase}` zone {zone} had a p99 latency of {} and a longest of {}; a p99 under {} and none of 1 s or more are needed to compare with", quantile(*p99), quantile(*longest), micros(*limit_us)),
            Self::Latency { zone, disturbed, phases, p50_limit_us, p99_limit_us } => latency(f, zone, *disturbed, phases, (*p50_limit_us, *p99_limit_us)),
            _ => return None,
        })
    }

    fn of_independence(&self, f: &mut fmt::Formatter<'_>) -> Part {
        Some(match self {
            Self::NotPaused { zone } => write!(f, "the consumer of zone {zone} was not paused"),
            Self::NotResumed { zone } => write!(f, "the consumer of zone {zone} was not resumed"),
            Self::PauseDidNotPause { zone, processed } => write!(f, "the pause did not pause: zone {zone} processed {processed} messages while its consumer was paused"),
            Self::DidNotStayPaused { zone } => write!(f, "the consumer of zone {zone} did not stay paused"),
            Self::NothingWaited { zone, waiting, needed } => write!(f, "nothing waited for the paused consumer of zone {zone}: {waiting} messages, at least {needed} are needed"),
            Self::HeldUp { zone, processed, paused, held: Some(held), .. } => write!(f, "zone {zone} processed {processed} messages while zone {paused} was paused, though it held {held} more"),
            Self::HeldUp { zone, processed, paused, held: None, needed } => write!(f, "zone {zone} processed {processed} messages while zone {paused} was paused, at least {needed} are needed"),
            Self::FloorsTogether { most } => write!(f, "the ack floors never moved apart: they differed by {most} at most"),
            Self::FloorsNeverMet => f.write_str("the ack floors were not seen to meet at the end of the stream"),
            Self::Independent { paused, floor, waiting, zone, processed, gap, met } => write!(f, "while zone {paused} was paused at sequence {floor} with {waiting} messages waiting, zone {zone} processed {processed}; the ack floors differed by {gap}, then both reached {met}"),
            Self::NeverBothAtWork => f.write_str("the zones never had work at the same time"),
            Self::Speeds { finding, ms, one, ours, other, theirs } => {
                write!(f, "in {} with work for both, zone {one} processed {ours} and zone {other} {theirs} messages", seconds(*ms)).and_then(|()| match finding {
                    Speeds::TooLittle => f.write_str(": too few to compare"),
                    Speeds::Alike => f.write_str(": the speeds were not different"),
                    Speeds::Different => write!(f, ", {:.1} times as many", *ours.max(theirs) as f64 / (*ours.min(theirs)).max(1) as f64),
                })
            }
            _ => return None,
        })
    }

    fn of_growing(&self, f: &mut fmt::Formatter<'_>) -> Part {
        Some(match self {
            Self::NotDecided { why, otherwise } => write!(f, "not decided, as {why}: {otherwise}"),
            Self::NotJoined => f.write_str("no zone joined by this drill's command"),
            Self::ProducerChanged { what, values } => {
                let values = values.join(", ");
                match what {
                    ProducerFact::Connection => write!(f, "the producer's connection changed: {values}"),
                    ProducerFact::Server => write!(f, "the producer went to another server: {values}"),
                    ProducerFact::Configuration => write!(f, "the producer's configuration changed: hashes {values}"),
                    ProducerFact::Reconnects => write!(f, "the producer reconnected: counted {values} times"),
                }
            }
            Self::OtherDomain { other, expected, count: None } => write!(f, "a message was acknowledged by domain {other} instead of {expected}"),
            Self::OtherDomain { other, expected, count: Some(count) } => write!(f, "{count} messages were acknowledged by domain {other} instead of {expected}"),
            Self::ProducerUnknown { when } => write!(f, "the producer's connection, server, configuration and domain {} are not known", joining(*when)),
            Self::ProducerIdle { when, count, needed } => write!(f, "the producer did not run {}: {count} messages, at least {needed} are needed", joining(*when)),
            Self::ProducerStalled { ms, limit_ms } => write!(f, "the producer got no acknowledgement for {} while the zone joined: less than {} is allowed", seconds(*ms), seconds(*limit_ms)),
            Self::ProducerUntouched { connection, before, during, after, domain } => write!(f, "one producer connection ({connection}) with one configuration acknowledged at least {before} messages before, {during} while and {after} after the zone joined: no reconnect, all by {domain}"),
            Self::ServerChanged { node, zone, restarted: true } => write!(f, "somebody else's hand: server {node} of zone {zone} was started again during the drill"),
            Self::ServerChanged { node, zone, restarted: false } => write!(f, "somebody else's hand: server {node} of zone {zone} was told to reload its configuration during the drill"),
            Self::ServersUnknown { zone } => write!(f, "when the servers of zone {zone} were started and configured is not known for the beginning and the end"),
            Self::ServersUntouched { zone, count, durable } => {
                let note = if *durable { " (the source's stream did get one durable consumer, which a durable mirror pulls from)" } else { "" };
                write!(f, "none of the {count} servers of zone {zone} restarted or reloaded its configuration{note}")
            }
            Self::NothingToBackfill { zone } => write!(f, "there was nothing to backfill: zone {zone} held too little"),
            Self::BeginsLate { zone, first, source, source_first } => write!(f, "zone {zone} begins at sequence {first}, zone {source} at {source_first}: it was not backfilled from the first message"),
            Self::NotDone { zone, last, source_last, floor } => write!(f, "zone {zone} was not done: it holds {last} of {source_last} sequences, its ack floor is {floor}"),
            Self::BackfillIncomplete { zone, missing, acked } => write!(f, "consumer-{zone} did not receive {missing} of {acked} acknowledged messages"),
            Self::BackfillTooLittle { zone, received } => write!(f, "consumer-{zone} received {received} messages"),
            Self::Backfilled { zone, first, last, source, before, received } => write!(f, "zone {zone} holds sequences {first} to {last} like zone {source}, {before} of them from before it joined, and consumer-{zone} received all {received} messages"),
            _ => return None,
        })
    }

    fn of_messages(&self, f: &mut fmt::Formatter<'_>) -> Part {
        Some(match self {
            Self::Damaged { place, faults } => {
                write!(f, "{place}: {}", joined(faults.iter().map(ToString::to_string), "; "))
            }
            Self::NothingAcked { place } => write!(f, "{place}: no message of this drill was acknowledged"),
            Self::NotDrained { zone } => write!(f, "zone {zone} was not seen to have done everything at the end"),
            Self::NotKnownReceived { zone, received, acked } => write!(f, "zone {zone} is known to have received {received} of {acked} messages of this drill"),
            Self::StillToCome { place, count } => {
                let outlook = Outlook::Coming;
                write!(f, "{place}: {}", Judgement::NotYet { count: *count, outlook })
            }
            Self::EvidenceDamaged { place, damage, affected } => {
                let void = Judgement::Void { damage: damage.clone(), affected: *affected };
                write!(f, "{place}: {void}")
            }
            Self::Undecided { place, said } => write!(f, "{place}: {said}"),
            Self::NoneLost { zone, acked, redelivered, processed_twice } => write!(f, "zone {zone} received each of the {acked} acknowledged messages of this drill: 0 lost, 0 duplicated, 0 reordered, 0 corrupt, 0 unexpected (since the region's data began {redelivered} redelivered and {processed_twice} processed twice, which is legal)"),
            Self::Unread { replica, why: None } => write!(f, "the replica of {replica} was not read"),
            Self::Unread { replica, why: Some(why) } => write!(f, "the replica of {replica} was not read: {why}"),
            Self::ReadDiffers { replica } => write!(f, "what was read of {replica} is not what the record says"),
            Self::NoReference { replica } => write!(f, "there is nothing to compare {replica} with"),
            Self::NoReplicas { zone } => write!(f, "zone {zone} has no replicas"),
            Self::Identical { zone, replicas: 1, messages, source, through } => write!(f, "what was read of zone {zone} holds the same {messages} messages as zone {source}, identical sequence by sequence up to {through}"),
            Self::Identical { zone, replicas, messages, source, through } => write!(f, "all {replicas} replicas of zone {zone} hold the same {messages} messages as zone {source}, identical sequence by sequence up to {through}"),
            _ => return None,
        })
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Phase(phase) => write!(f, "in phase `{phase}`"),
            Self::Cut => f.write_str("during the cut"),
            Self::Pause => f.write_str("during the pause"),
            Self::Joining => f.write_str("while the zone joined"),
            Self::Failover => f.write_str("between the loss and the first acknowledgement"),
            Self::Recovery => f.write_str("between the heal and the end of the catch-up"),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zone(zone) => write!(f, "zone {zone}"),
            Self::Replica(node) => write!(f, "replica {node}"),
        }
    }
}

fn latency(
    f: &mut fmt::Formatter<'_>,
    zone: &ZoneName,
    disturbed: bool,
    phases: &[PhaseLatency],
    limits: (u64, u64),
) -> fmt::Result {
    let outcome = if disturbed { "broke" } else { "stayed within" };
    let (p50, p99) = (micros(limits.0), micros(limits.1));
    write!(
        f,
        "publish-to-consume latency in zone {zone} {outcome} the stated rule (in the cut p50 at most {p50}, p99 at most {p99}, every message under 1 s)"
    )?;
    let of = |one: &PhaseLatency| {
        let [p50, p99, longest] = [one.p50, one.p99, one.longest].map(quantile);
        format!("{p50} / {p99} / {longest} {}", one.phase)
    };
    write!(f, "; p50 / p99 / longest: {}", joined(phases.iter().map(of), ", "))?;
    if let [before, during, ..] = phases
        && let (Quantile::Us(was @ 1..), Quantile::Us(is)) = (before.p99, during.p99)
    {
        let times = is as f64 / was as f64;
        write!(f, "; p99 went from {} to {} ({times:.1} times)", micros(was), micros(is))?;
    }
    if phases.iter().any(|one| one.ahead > 0) {
        let ahead =
            phases.iter().map(|one| format!("{} of {} {}", one.ahead, one.count, one.phase));
        write!(f, "; consumed before the publisher saw its ack: {}", joined(ahead, ", "))?;
    }
    Ok(())
}

/// A latency, as people read it.
pub(super) fn quantile(quantile: Quantile) -> String {
    match quantile {
        Quantile::Ahead => AHEAD.into(),
        Quantile::Us(us) => micros(us),
    }
}

fn contradiction(what: Contradiction) -> String {
    match what {
        Contradiction::AfterItsEnd => "it goes on after its end".into(),
        Contradiction::BeforeItsBeginning => "it has no beginning".into(),
        Contradiction::SecondBeginning => "it begins twice".into(),
        Contradiction::StepNeverBegan { index } => {
            format!("step {} ended and never began", index + 1)
        }
        Contradiction::NeverGiven { id } => format!("command {id} was answered and never given"),
        Contradiction::ClockWentBack { at } => format!("the clock went backwards at {at}"),
    }
}

fn unknown(f: &mut fmt::Formatter<'_>, what: Unknown, zone: Option<&ZoneName>) -> fmt::Result {
    let zone = zone.map_or_else(|| "the zones".to_owned(), |zone| format!("zone {zone}"));
    match what {
        Unknown::HeldDuringCut => write!(f, "what {zone} held during the cut is not known"),
        Unknown::Backlog => write!(f, "how much {zone} held unprocessed at the cut is not known"),
        Unknown::ReceivedDuringCut => {
            write!(f, "what the consumer of {zone} received during the cut is not known")
        }
        Unknown::Received => write!(f, "what {zone} received is not known"),
        Unknown::MissingAtHeal => write!(f, "how much {zone} was missing at the heal is not known"),
        Unknown::ZonesDuringPause => write!(f, "{zone} were not seen during the pause"),
        Unknown::FloorDuringPause => write!(f, "the floor of {zone} during the pause is not known"),
        Unknown::HeldAtJoin => {
            write!(f, "how much {zone} held when the new zone joined is not known")
        }
        Unknown::HeldAtEnd => write!(f, "what {zone} holds at the end is not known"),
        Unknown::Pace => write!(f, "how steadily the consumer of {zone} worked is not known"),
    }
}

fn joining(when: Joining) -> &'static str {
    match when {
        Joining::Before => "before the zone joined",
        Joining::While => "while it joined",
        Joining::After => "after it joined",
    }
}

/// The step that ended the run before its time, as the end of a sentence.
fn after(failed: Option<&FailedStep>) -> String {
    failed.map_or_else(String::new, |FailedStep { step, why }| {
        format!(": step {step} failed ({})", or_none(why.as_deref()))
    })
}

fn or_none(why: Option<&str>) -> &str {
    why.unwrap_or("no reason given")
}

fn joined(parts: impl Iterator<Item = String>, by: &str) -> String {
    parts.collect::<Vec<_>>().join(by)
}
