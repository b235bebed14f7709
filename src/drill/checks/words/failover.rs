//! What the checks of a failover say.

use std::fmt;

use super::Part;
use crate::{
    drill::checks::reason::Reason,
    region::{CopyKind, format::seconds},
};

#[rustfmt::skip] // one line each: it is a table
impl Reason {
    pub(super) fn of_the_loss(&self, f: &mut fmt::Formatter<'_>) -> Part {
        Some(match self {
            Self::NotPromoted { zone } => write!(f, "zone {zone} was not promoted, or the producer did not move there"),
            Self::NotLost { zone } => write!(f, "zone {zone} was not seen to be lost"),
            Self::SourceBack { zone } => write!(f, "zone {zone} came back during the drill: two streams took messages"),
            Self::NothingBeforeLoss { acked, needed } => write!(f, "{acked} messages were acknowledged under load before the loss, at least {needed} are needed"),
            Self::AckedLost { zone, source, count, of, ids } => write!(f, "acknowledged by zone {source} and lost: {count} of the {of} that zone {zone} did not hold at its promotion, because nobody sent them again ({})", ids.join(", ")),
            Self::RecoveryPoint { zone, source, count: 0, .. } => write!(f, "RPO 0: zone {zone} held every message that zone {source} had acknowledged, and none is missing"),
            Self::RecoveryPoint { zone, source, count, ms, ids } => {
                let ms = ms.map_or_else(|| "more than is remembered".to_owned(), |ms| format!("{ms} ms"));
                write!(f, "RPO {count} ({ms}): so many messages had zone {source} acknowledged and zone {zone} did not hold ({}); the producer sent them again, and none is missing", ids.join(", "))
            }
            Self::NoFirstAck { zone } => write!(f, "when zone {zone} acknowledged its first message is not known: nothing was being produced when the producer moved"),
            Self::TookTooLong { zone, ms, limit_ms } => write!(f, "zone {zone} acknowledged its first message {} after the loss was detected: at most {} are allowed", seconds(*ms), seconds(*limit_ms)),
            Self::RecoveryTime { zone, total_ms, detect_ms, decide_ms, promote_ms, first_ack_ms } => write!(f, "RTO {}: {} until the loss was detected, {} until the promotion was commanded, {} to promote zone {zone}, {} until it acknowledged its first message", seconds(*total_ms), seconds(*detect_ms), seconds(*decide_ms), seconds(*promote_ms), seconds(*first_ack_ms)),
            Self::NotRetried { zone, resent, held, needed } => write!(f, "no retry was tried: after the promotion of zone {zone} {resent} messages were sent again, {held} of them ones that it held; at least {needed} are needed"),
            Self::StoredTwice { zone, count, of, ids, copy, rebuilt } => {
                let why = match (copy, rebuilt) {
                    (CopyKind::Mirror, false) => "the promoted mirror does not know its ids (`drill run failover --rebuild-dedup`, and copies by `sources`, do)",
                    (CopyKind::Mirror, true) => "the promoted mirror does not know its ids, although they were rebuilt",
                    (CopyKind::Sources, _) => "the promoted copy does not know its ids, although it is one by `sources`",
                };
                write!(f, "stored twice: {why}; {count} of {of} retries of messages that zone {zone} held ({})", ids.join(", "))
            }
            Self::RetriesKnown { zone, known, resent } => write!(f, "zone {zone} knows its ids: of {resent} messages that were sent again it held {known}, answered each as a duplicate, and holds none twice"),
            Self::FloorUnknown { zone } => write!(f, "the ack floor of zone {zone} around its promotion is not known"),
            Self::FloorWentBack { zone, from, to } => write!(f, "the ack floor of zone {zone} went back from {from} to {to}: its consumer did not go on where it was"),
            Self::FloorKept { zone, before, lowest, last } => write!(f, "the consumer of zone {zone} kept its ack floor ({before} before the loss, never below {lowest} since the promotion) and reached the end at {last}"),
            Self::InOrder { zone, replicas, messages, acked, late } => write!(f, "all {replicas} replicas of zone {zone} hold {messages} messages in each producer's order and as they were sent, {acked} of them acknowledged by it alone ({late} stand later because the producer sent them again)"),
            _ => return None,
        })
    }
}
