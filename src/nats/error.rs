//! What can go wrong when speaking NATS. Every message says what happened, to what, what next.

use std::time::Duration;

/// Why something asked of a zone's servers was not done.
#[derive(Debug, thiserror::Error)]
pub enum NatsError {
    /// No connection.
    #[error("cannot connect to {whom} as {user}: {why}; {}", if *login_refused {
        "its servers were not configured by this region (`down --purge`, then `up`)"
    } else {
        "see with `status` which of its nodes run; `node start NODE` brings one back"
    })]
    Connect {
        /// A zone's domain or a node's name.
        whom: String,
        /// The user that tried to log in.
        user: String,
        why: String,
        /// A server answered and refused the login; trying again does not help.
        login_refused: bool,
    },
    /// Nobody answered in time.
    #[error("{whom} did not {what} within {:.1} s: {why}", waited.as_secs_f32())]
    NoAnswer {
        /// Who was asked: a zone's domain or a node's name.
        whom: String,
        /// What it was asked to do: "create the stream `EVENTS_REGION`".
        what: String,
        /// How long it was tried.
        waited: Duration,
        /// The last reason, and what it means.
        why: String,
    },
    /// The server said no, and will say it again.
    #[error("{whom} refused to {what}: {description} (nats-server error {err_code}); {next}")]
    Refused {
        whom: String,
        /// What it was asked to do.
        what: String,
        /// JetStream's own error code.
        err_code: u64,
        description: String,
        /// What the user can do.
        next: String,
    },
    /// The zone holds a stream of this name that is something else.
    #[error(
        "{whom} already holds a stream `{stream}` that is {have}, not {want}; \
         `zone remove ZONE` and `zone add ZONE` make the zone anew, or `down --purge` and start anew"
    )]
    OtherStream { whom: String, stream: String, have: String, want: String },
    /// The mirror was made and never heard from its source.
    #[error(
        "the {copy} in {whom} did not hear from its source within {:.1} s{}; \
         check that the link is up (`status`) and that the source holds its stream",
        waited.as_secs_f32(),
        error.as_ref().map(|e| format!(" (the server says: {e})")).unwrap_or_default()
    )]
    MirrorDeaf {
        whom: String,
        /// `durable mirror`.
        copy: String,
        /// How long it was waited for.
        waited: Duration,
        /// The server's own error text.
        error: Option<String>,
    },
    /// A raft group elected nobody in time.
    #[error(
        "{whom}: the {group} has no {} after {:.1} s; two of three nodes must run and reach each \
         other (`status`)",
        if *other { "other leader" } else { "leader" }, waited.as_secs_f32()
    )]
    NoLeader {
        whom: String,
        /// Which group: `stream`, `consumer`, `meta`.
        group: String,
        /// One was there before and is still in office.
        other: bool,
        /// How long it was waited for.
        waited: Duration,
    },
}
