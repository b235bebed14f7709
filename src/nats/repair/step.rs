//! What a repair did, in words.

use crate::region::{
    ZoneName,
    configuration::Subject,
    topology::{STREAM, consumer_name, mirror_consumer_name},
};

/// One thing that a repair did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The source's stream was made, empty.
    StreamCreated,
    /// A mirror was deleted, if there was one, and made anew.
    MirrorRebuilt {
        /// The last sequence it holds again.
        last_seq: u64,
        /// How many messages that the source does not have were deleted with the old one.
        dropped: u64,
    },
    /// Settings were put back.
    Restored(Subject),
    Resumed(Subject),
    DurableCreated,
    /// A consumer was deleted, if there was one, and made anew.
    ConsumerCreated {
        /// The first sequence it delivers.
        from: u64,
        /// How many sequences from there on the room has received before.
        again: u64,
    },
    /// What was made anew by somebody else is as it should be, and was left.
    Accepted(Subject),
}

impl Step {
    /// What was done, as a sentence without its full stop.
    #[must_use]
    pub fn describe(&self, zone: &ZoneName) -> String {
        match self {
            Self::StreamCreated => format!(
                "{STREAM} was created, empty: what it held is lost at the source (`repair all` lets the mirrors begin anew)"
            ),
            Self::MirrorRebuilt { last_seq, dropped: 0 } => {
                format!("the mirror was created anew and holds all up to sequence {last_seq}")
            }
            Self::MirrorRebuilt { last_seq, dropped } => format!(
                "the mirror was created anew and holds all up to sequence {last_seq}; {dropped} messages that the source does not hold were deleted with the old one"
            ),
            Self::Restored(subject) => {
                format!("the settings of {} were put back", name(*subject, zone))
            }
            Self::Resumed(subject) => {
                format!("{} was resumed at the server", name(*subject, zone))
            }
            Self::DurableCreated => {
                format!("{} was created, and the mirror copies again", mirror_consumer_name(zone))
            }
            Self::ConsumerCreated { from: 1, .. } => {
                format!("{} was created and begins at the first message", consumer_name(zone))
            }
            Self::ConsumerCreated { from, again: 0 } => format!(
                "{} was created and goes on at sequence {from}, after the last one received here",
                consumer_name(zone)
            ),
            Self::ConsumerCreated { from, again } => format!(
                "{} was created and goes on at sequence {from}, the first one not received here; {again} after it are delivered a second time",
                consumer_name(zone)
            ),
            Self::Accepted(subject) => {
                format!("{} is as it should be, and stays", name(*subject, zone))
            }
        }
    }
}

fn name(subject: Subject, zone: &ZoneName) -> String {
    match subject {
        Subject::Stream => STREAM.to_owned(),
        Subject::Consumer => consumer_name(zone),
        Subject::Durable => mirror_consumer_name(zone),
    }
}
