//! The judgement on a zone, and its words.

use std::fmt;

use serde::Serialize;

use super::fault::{Fault, plural};
use crate::ledger::damage::Damage;

/// A judgement. Whole is only what was tested and found whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Judgement {
    /// Every acknowledged message is here, once, in order, as it was sent.
    Whole,
    /// Something is wrong for certain.
    Broken {
        /// What, the gravest first.
        faults: Vec<Fault>,
    },
    /// Nothing is wrong so far, but messages have not come.
    NotYet {
        /// How many.
        count: u64,
        outlook: Outlook,
    },
    /// The zone's stream, or the source's, could not be read.
    NotRead { why: String },
    /// Nothing is wrong for certain, but evidence is damaged, so that nothing is proved either.
    Void {
        damage: Damage,
        /// Messages of which it leaves nothing known here.
        affected: u64,
    },
    /// No message was acknowledged: nothing was tested.
    Nothing,
}

/// What becomes of messages that have not come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Outlook {
    /// They are still to come.
    Coming,
    /// They may still come, and were not waited for any longer.
    Late { why: String },
    /// They will not come, unless somebody does something about it.
    WillNotCome { why: String },
}

impl Judgement {
    /// The word shown and printed.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Broken { .. } => "broken",
            Self::NotYet { .. } => "not yet",
            Self::NotRead { .. } => "not read",
            Self::Void { .. } => "void",
            Self::Nothing => "untested",
        }
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => f.write_str("every acknowledged message is here, once, in order"),
            Self::Broken { faults } => {
                let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
                f.write_str(&faults.join("; "))
            }
            Self::NotYet { count, outlook } => outlook.of(f, *count),
            Self::NotRead { why } => write!(f, "not tested: {why}"),
            Self::Void { damage, affected: 0 } => write!(f, "{damage}"),
            Self::Void { damage, affected } => {
                let are = plural(*affected, "message is", "messages are");
                write!(f, "{damage}; {affected} {are} affected here")
            }
            Self::Nothing => f.write_str("no message was acknowledged, so nothing was tested"),
        }
    }
}

impl Outlook {
    fn of(&self, f: &mut fmt::Formatter<'_>, count: u64) -> fmt::Result {
        let (are, messages) =
            (plural(count, "message is", "messages are"), plural(count, "message", "messages"));
        match self {
            Self::Coming => write!(f, "{count} {are} still to come"),
            Self::Late { why } => write!(f, "{count} {are} still to come ({why})"),
            Self::WillNotCome { why } => write!(f, "{count} {messages} will not come: {why}"),
        }
    }
}
