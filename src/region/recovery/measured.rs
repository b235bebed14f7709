//! How long recoveries took, by version of the server and kind of mirror.

use std::time::Duration;

use crate::region::topology::MirrorKind::{self, Classic, Durable};

/// A range of versions, what was measured with it, and where that is written down.
struct Known {
    kind: MirrorKind,
    /// First version of the range.
    from: Release,
    /// First version after it.
    before: Release,
    /// The mirror waits for a request that was lost in the cut, then backs off.
    waits: bool,
    /// After cuts shorter than [`LONG_CUT`]; after all, where there is nothing apart for long ones.
    figures: &'static str,
    /// After longer ones, and how long those were.
    long: Option<(&'static str, &'static str)>,
}

/// Cuts as long as this are found by the mirror's own health check, which looks every 10 s
/// (nats-facts §A); cuts of 5 s and of 20 s and more were measured.
const LONG_CUT: Duration = Duration::from_secs(10);

/// Heal → caught up, 200 messages missed, reset-and-refuse cuts (nats-facts §A and §B, and
/// `drill matrix`: on four versions it came to less than the shortest times there, so the quick
/// ones have no lower end here).
/// "by its source" marks ranges that were read, not run: the slow path is there from 2.12.9 and
/// from 2.14.1 on.
const MEASURED: &[Known] = &[
    known(
        Durable,
        (2, 15, 0),
        (3, 0, 0),
        false,
        "0.1 to 1.1 s, up to 5 s if a reset request was lost in the cut",
        None,
    ),
    known(
        Durable,
        (2, 14, 0),
        (2, 15, 0),
        true,
        "13 to 40 s, no better than classic before 2.15",
        None,
    ),
    known(Classic, (2, 14, 1), (3, 0, 0), true, "up to 3 s", Some(("12 to 48 s", "20 s to 2 min"))),
    known(Classic, (2, 14, 0), (2, 14, 1), false, "up to 2.2 s", None),
    known(
        Classic,
        (2, 12, 9),
        (2, 13, 0),
        true,
        "not measured",
        Some(("up to 40 s (by its source, not measured)", "20 s")),
    ),
    known(Classic, (2, 12, 0), (2, 12, 9), false, "up to 2.7 s", None),
    known(Classic, (2, 11, 0), (2, 12, 0), false, "up to 2.8 s", None),
    known(Classic, (2, 10, 0), (2, 11, 0), true, "up to 2 s", Some(("11 to 40 s", "20 to 45 s"))),
    known(Classic, (2, 9, 0), (2, 10, 0), false, "3.1 to 4.1 s", None),
];

type Release = (u32, u32, u32);

const fn known(
    kind: MirrorKind,
    from: Release,
    before: Release,
    waits: bool,
    figures: &'static str,
    long: Option<(&'static str, &'static str)>,
) -> Known {
    Known { kind, from, before, waits, figures, long }
}

fn find(version: &str, kind: MirrorKind) -> Option<&'static Known> {
    let mut parts = version
        .trim_start_matches('v')
        .split(['.', '-'])
        .map_while(|part| part.parse::<u32>().ok());
    let version = (parts.next()?, parts.next()?, parts.next()?);
    MEASURED.iter().find(|row| row.kind == kind && (row.from..row.before).contains(&version))
}

/// Said where nothing is known.
const NOT_MEASURED: &str = "not measured";

/// How long heal → caught up took with that version and kind of mirror.
#[must_use]
pub fn expected(version: &str, kind: MirrorKind) -> String {
    match find(version, kind) {
        None => NOT_MEASURED.to_owned(),
        Some(Known { figures, long: None, .. }) => (*figures).to_owned(),
        Some(Known { figures, long: Some((long, cuts)), .. }) => {
            format!("{figures} after a cut of 5 s, {long} after one of {cuts}")
        }
    }
}

/// The same after a cut of that length.
#[must_use]
pub fn expected_after(version: &str, kind: MirrorKind, cut: Duration) -> &'static str {
    find(version, kind).map_or(NOT_MEASURED, |row| match row.long {
        Some((long, _)) if cut >= LONG_CUT => long,
        _ => row.figures,
    })
}

/// Whether that version and kind is one that waits for a request lost in the cut.
#[must_use]
pub fn waits_for_a_lost_request(version: &str, kind: MirrorKind) -> bool {
    find(version, kind).is_some_and(|row| row.waits)
}
