//! The fields of `status --json` that can be compared.

/// What can be compared, but for zones.
const TOP: [&str; 16] = [
    "region",
    "platform",
    "server_version",
    "mirror_kind",
    "phase",
    "failure",
    "started_at_ms",
    "at_ms",
    "producer.active",
    "producer.rate",
    "producer.acked",
    "producer.failed",
    "producer.unknown",
    "producer.last_number",
    "producer.connection",
    "producer.reconnects",
];

/// What can be compared of a zone.
const OF_ZONE: [(&str, &[&str]); 7] = [
    (
        "stream",
        &[
            "messages",
            "bytes",
            "first_seq",
            "last_seq",
            "num_deleted",
            "leader",
            "replicas",
            "replicas_current",
            "age_ms",
        ],
    ),
    (
        "consumer",
        &[
            "name",
            "delivered",
            "ack_floor",
            "pending",
            "unacked",
            "redelivered",
            "paused",
            "limit",
            "rate",
            "trouble",
            "age_ms",
        ],
    ),
    (
        "mirror",
        &["true_lag", "reported_lag", "silent_ms", "state", "error", "source_pending", "age_ms"],
    ),
    (
        "link",
        &[
            "state",
            "kind",
            "effective",
            "since_ms",
            "heals_in_ms",
            "leafs_here",
            "leafs_there",
            "rtt_us",
            "severed_in_ms",
            "proved_in_ms",
        ],
    ),
    (
        "recovery",
        &[
            "healed_at_ms",
            "behind",
            "link_up_after_ms",
            "moving_after_ms",
            "caught_up_after_ms",
            "nudged",
            "stall",
        ],
    ),
    (
        "ledger",
        &[
            "acked",
            "received",
            "lost",
            "duplicates",
            "redelivered",
            "processed_twice",
            "reordered",
            "corrupt",
            "unexpected",
        ],
    ),
    ("", &["role", "state"]),
];

/// Can that path be compared?
pub(super) fn is_known(path: &str) -> bool {
    let parts: Vec<&str> = path.split('.').collect();
    match parts[..] {
        ["zones", zone, field] => is_zone(zone) && is_field("", field),
        ["zones", zone, group, field] => {
            is_zone(zone) && !group.is_empty() && is_field(group, field)
        }
        _ => TOP.contains(&path),
    }
}

fn is_zone(name: &str) -> bool {
    name.parse::<crate::region::ZoneName>().is_ok()
}

fn is_field(group: &str, field: &str) -> bool {
    OF_ZONE.iter().any(|(name, fields)| *name == group && fields.contains(&field))
}
