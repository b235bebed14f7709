//! Clusters that somebody else runs: attached to and looked at. Nothing here changes anything there but
//! a pause that somebody allowed.
//!
//! | file | inside |
//! |---|---|
//! | [`attach`] | a connection with any credentials, which knows what it was refused |
//! | [`examine`] | what can be done in each zone of a region |
//! | `look` | who a cluster is, and what it holds |
//! | [`compare`](mod@compare), `read` | whether copies hold what their origin holds |
//! | `drilled`, [`durable`] | what a drill reads of it in the end; the consumers it has there |
//! | [`watch`] | the numbers of a region, again and again |
//! | [`link`] | a link from both ends, and the pause of a copy's durable |
//! | [`survey`] | which region there is in some clusters |
//! | [`login`] | what a connection logs in with, and why it could not |

pub mod attach;
pub mod compare;
mod drilled;
pub mod durable;
pub mod examine;
pub mod link;
pub mod login;
mod look;
pub(super) mod read;
pub mod survey;
pub mod watch;
