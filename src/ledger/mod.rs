//! Every drill message accounted for: what was sent, acknowledged, received, and what is wrong.
//!
//! Pure. The ledger writer (`room::evidence`) writes the [`record::Record`]s to disk as
//! they happen; a [`Ledger`] can be rebuilt from those files alone.
//!
//! | file | what is inside |
//! |---|---|
//! | [`message`] | what a drill message carries |
//! | [`record`] | one line of evidence |
//! | `ledger` | the ledger, built from records |
//! | `placing` | where messages stand |
//! | [`objection`] | why a record cannot be true |
//! | [`chain`] | the running digest of a ledger's lines |
//! | [`damage`] | what of the evidence is gone or altered |
//! | [`account`] | what the ledger says of one zone |
//! | [`replay`] | a ledger from the lines of a file |
//! | [`audit`] | a zone's whole stream, read once more and looked at |
//! | [`stream_file`] | what such a look found, as lines of a file |
//! | [`fingerprint`] | whether two zones hold the same, without holding either |
//! | [`copies`] | whether a copy holds what its origin holds, message by message |
//! | [`finding`] | the judgement on one zone |
//! | [`table`] | findings, printed for people |
//! | [`progress`] | how far a zone's consumer is |
//! | `shared` | a stream that others publish on as well |
//! | `unsettled` | what was announced by a producer that is gone |

pub mod account;
pub mod audit;
pub mod chain;
pub mod copies;
pub mod damage;
pub mod finding;
pub mod fingerprint;
#[allow(clippy::module_inception)] // the thing itself, and what belongs to it
mod ledger;
pub mod message;
pub mod objection;
mod placing;
mod producer;
pub mod progress;
pub mod promotion;
pub mod record;
pub mod replay;
mod sequence_index;
mod set;
mod shared;
pub mod stream_file;
pub mod table;
#[cfg(test)]
mod tests;
mod unsettled;
mod zone;

pub use ledger::{LONGEST_RUN, Ledger};
