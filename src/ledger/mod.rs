//! Every drill message accounted for: what was sent, acknowledged, received, and what is wrong.
//!
//! Pure. The room's evidence keeper (`room::evidence`) writes the [`record::Record`]s to disk as
//! they happen; a [`book::Ledger`] can be rebuilt from those files alone.
//!
//! | file | what is inside |
//! |---|---|
//! | [`message`] | what a drill message carries |
//! | [`record`] | one line of evidence |
//! | [`book`] | the ledger, built from records |
//! | [`account`] | what the ledger says of one zone |
//! | [`replay`] | a ledger from the lines of a file |
//! | [`audit`] | a zone's whole stream, read once more and looked at |
//! | [`stream_file`] | what such a look found, as lines of a file |
//! | [`fingerprint`] | whether two zones hold the same, without holding either |
//! | [`finding`] | the judgement on one zone |
//! | [`table`] | findings, printed for people |
//! | `unsettled` | what was announced by a producer that is gone |

pub mod account;
pub mod audit;
pub mod book;
pub mod finding;
pub mod fingerprint;
pub mod message;
mod places;
mod producer;
pub mod record;
pub mod replay;
mod set;
pub mod stream_file;
pub mod table;
mod unsettled;
mod zone;
