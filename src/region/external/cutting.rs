//! Whether a link between clusters of others is cut: what both ends tell, before and now. That a
//! command ended well proves nothing.

use std::fmt;

use crate::region::{UnixMs, format::count};

/// What both ends tell at one moment; `None` for what nobody could tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    pub at_ms: UnixMs,
    /// Leafnode connections between the two clusters, as the servers of the source and of the copy
    /// list them to the system account.
    pub listed: Ends,
    /// Leafnode connections of the account, as the servers of the source and of the copy count them.
    pub counted: Ends,
    /// A question of one end was answered by the other.
    pub crossed: Option<bool>,
    /// The last sequence at the source.
    pub origin: Option<u64>,
    /// The last one of them that the copy holds.
    pub copy: Option<u64>,
    /// The copy's durable is paused, as the source's servers tell.
    pub paused: Option<bool>,
}

impl Ends {
    /// Each of the two has a connection.
    fn both(self) -> bool {
        self.source.is_some_and(|n| n > 0) && self.copy.is_some_and(|n| n > 0)
    }
}

impl Look {
    /// An end was told, and lists no connection to the other.
    #[must_use]
    pub fn lists_none(&self) -> bool {
        self.listed.source == Some(0) || self.listed.copy == Some(0)
    }

    /// Something that only a link in use can show was seen.
    #[must_use]
    pub fn carries(&self) -> bool {
        self.listed.both() || self.counted.both() || self.crossed == Some(true)
    }

    /// What of it a cut would change, in words, the strongest first; nothing where nothing could show one.
    #[must_use]
    pub fn tells(&self) -> Vec<&'static str> {
        let known = |known: bool, what: &'static str| known.then_some(what);
        [
            known(self.listed.both(), "the connections that both ends list"),
            known(self.counted.both(), "the account's connections at both ends"),
            known(self.crossed == Some(true), "a question over the link"),
            known(self.paused.is_some(), "the durable's state"),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// What the source holds and the copy does not.
    #[must_use]
    pub fn missing(&self) -> Option<u64> {
        Some(self.origin?.saturating_sub(self.copy?))
    }
}

/// A number at the source's end, and at the copy's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    pub source: Option<u64>,
    pub copy: Option<u64>,
}

impl Ends {
    /// Both ends have told, and both have fewer than before.
    fn fell(self, before: Self) -> bool {
        let fell = |now: Option<u64>, before: Option<u64>| matches!((now, before), (Some(now), Some(before)) if now < before);
        fell(self.source, before.source) && fell(self.copy, before.copy)
    }
}

/// What shows that a copy is cut off, the strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Proof {
    /// The servers of both ends list fewer connections between them.
    Listed { before: Ends, now: Ends },
    /// The account has fewer leafnode connections, as both ends count.
    Counted { before: Ends, now: Ends },
    /// What was answered over the link is answered no more.
    Silent,
    /// The source's servers tell that the copy's durable is paused, and the copy stands still while
    /// the source moves. The link itself carries on.
    Paused { missed: u64 },
    /// The copy stands still while the source moves, and nothing else is known.
    StandsStill { missed: u64 },
}

impl Ord for Ends {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.source, self.copy).cmp(&(other.source, other.copy))
    }
}

impl PartialOrd for Ends {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

words! {
    /// What shows that a link of others is cut, the strongest first.
    #[derive(PartialOrd, Ord)]
    pub enum ShownBy {
        /// Both ends list fewer leafnode connections between them.
        Listed = "listed",
        /// Both ends count fewer leafnode connections of the account.
        Counted = "counted",
        /// What was answered over the link is answered no more.
        Silent = "silent",
        /// The servers say that the copy's durable is paused. The link carries on.
        Paused = "paused",
        /// The copy stands still while the source moves; why is not known.
        StandsStill = "stands-still",
    }
}

impl ShownBy {
    /// Whether the link itself was seen to carry nothing.
    #[must_use]
    pub fn severs(self) -> bool {
        matches!(self, Self::Listed | Self::Counted | Self::Silent)
    }
}

impl Proof {
    /// Which kind it is.
    #[must_use]
    pub fn kind(self) -> ShownBy {
        match self {
            Self::Listed { .. } => ShownBy::Listed,
            Self::Counted { .. } => ShownBy::Counted,
            Self::Silent => ShownBy::Silent,
            Self::Paused { .. } => ShownBy::Paused,
            Self::StandsStill { .. } => ShownBy::StandsStill,
        }
    }

    /// Whether it shows that the link was cut. That a copy stands still has other causes as well.
    #[must_use]
    pub fn is_of_a_cut(self) -> bool {
        !matches!(self, Self::StandsStill { .. })
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ends = |f: &mut fmt::Formatter<'_>, before: &Ends, now: &Ends| {
            let n = |n: Option<u64>| count(n.unwrap_or_default());
            let (was, is) = (n(before.source), n(now.source));
            write!(f, "{was} before and {is} now at the source, ")?;
            write!(f, "{} before and {} now at the copy", n(before.copy), n(now.copy))
        };
        match self {
            Self::Listed { before, now } => {
                f.write_str("both ends list fewer connections between them: ")?;
                ends(f, before, now)
            }
            Self::Counted { before, now } => {
                f.write_str("the account has fewer leafnode connections: ")?;
                ends(f, before, now)
            }
            Self::Silent => f.write_str("what was answered over the link is answered no more"),
            Self::Paused { missed } => write!(
                f,
                "the copy's durable is paused, and {} came to the source alone; the link itself carries on",
                messages(*missed)
            ),
            Self::StandsStill { missed } => write!(
                f,
                "the copy stands still while {} came to the source; why is not known, so it proves no cut",
                messages(*missed)
            ),
        }
    }
}

fn messages(number: u64) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{} message{s}", count(number))
}

/// How long nothing must come before that is told, in milliseconds: neither answers nor messages. What
/// is busy is a second or two late.
const STANDS_MS: UnixMs = 3_000;

/// The strongest proof in what was seen since a cut; `before` is the look of before it. A look in
/// which the link carries takes everything back that was seen until then, but a pause.
#[must_use]
pub fn proof(before: &Look, since: &[Look]) -> Option<Proof> {
    let now = since.last()?;
    if now.crossed == Some(true) {
        return stands_still(since).filter(|proof| matches!(proof, Proof::Paused { .. }));
    }
    if now.listed.fell(before.listed) {
        return Some(Proof::Listed { before: before.listed, now: now.listed });
    }
    if now.counted.fell(before.counted) {
        return Some(Proof::Counted { before: before.counted, now: now.counted });
    }
    // One answer may be late.
    let silent = since.iter().rev().take_while(|look| look.crossed == Some(false));
    let quiet = silent.last().is_some_and(|first| now.at_ms - first.at_ms >= STANDS_MS);
    if before.crossed == Some(true) && quiet {
        return Some(Proof::Silent);
    }
    stands_still(since)
}

/// The copy holds what it held [`STANDS_MS`] ago, and the source held more than that even then.
fn stands_still(since: &[Look]) -> Option<Proof> {
    let now = since.last()?;
    let (held, missed) = (now.copy?, now.missing()?);
    let stood = since.iter().rev().take_while(|look| look.copy == Some(held));
    let mut long_ago = stood.skip_while(|look| now.at_ms.saturating_sub(look.at_ms) < STANDS_MS);
    // What had come by then has had the time to arrive.
    long_ago.next()?.missing().filter(|missed| *missed > 0)?;
    Some(match now.paused {
        Some(true) => Proof::Paused { missed },
        _ => Proof::StandsStill { missed },
    })
}

/// Whether the link carries again as before: whatever could be told then can be told again, and is
/// no less.
#[must_use]
pub fn is_healed(before: &Look, now: &Look) -> bool {
    let back = |before: Ends, now: Ends| {
        let back = |before: Option<u64>, now: Option<u64>| {
            before.is_none_or(|before| now.is_some_and(|now| now >= before))
        };
        back(before.source, now.source) && back(before.copy, now.copy)
    };
    let crosses = before.crossed != Some(true) || now.crossed == Some(true);
    back(before.listed, now.listed)
        && back(before.counted, now.counted)
        && crosses
        && now.paused != Some(true)
}

/// The copy holds everything that the source held at that sequence.
#[must_use]
pub fn is_caught_up(origin: u64, now: &Look) -> bool {
    now.copy.is_some_and(|copy| copy >= origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(source: u64, copy: u64) -> Ends {
        Ends { source: Some(source), copy: Some(copy) }
    }

    /// A region with one link, whose source moves by ten messages a second.
    fn at(second: u64, change: impl Fn(&mut Look)) -> Look {
        let moved = Some(100 + 10 * second);
        let mut look = Look {
            at_ms: second * 1000,
            listed: ends(1, 1),
            counted: ends(1, 1),
            crossed: Some(true),
            origin: moved,
            copy: moved,
            paused: None,
        };
        change(&mut look);
        look
    }

    fn seconds(until: u64, change: impl Fn(&mut Look) + Copy) -> Vec<Look> {
        (1..=until).map(|second| at(second, change)).collect()
    }

    #[test]
    fn what_a_link_carries_is_not_told_by_a_durable_or_by_silence() {
        let whole = at(0, |_| ());
        assert!(whole.carries() && !whole.lists_none());
        let cut = at(0, |look| {
            (look.listed, look.counted, look.crossed) = (ends(0, 0), ends(0, 0), Some(false));
            look.paused = Some(false);
        });
        assert!(!cut.carries() && cut.lists_none());
        let untold = at(0, |look| {
            (look.listed, look.counted, look.crossed) = (Ends::default(), Ends::default(), None);
        });
        assert!(!untold.carries() && !untold.lists_none());
    }

    #[test]
    fn a_link_that_carries_is_not_cut_whatever_a_command_says() {
        let before = at(0, |_| ());
        assert_eq!(proof(&before, &seconds(9, |_| ())), None);
        assert_eq!(proof(&before, &[]), None);
        // Fewer connections, and yet it carries.
        let fewer = seconds(9, |look| look.counted = ends(0, 0));
        assert_eq!(proof(&before, &fewer), None);
    }

    #[test]
    fn the_strongest_proof_is_told() {
        let before = at(0, |_| ());
        let gone = |look: &mut Look| {
            (look.listed, look.counted) = (ends(0, 0), ends(0, 0));
            (look.crossed, look.copy) = (Some(false), Some(100));
        };
        let listed = Proof::Listed { before: ends(1, 1), now: ends(0, 0) };
        assert_eq!(proof(&before, &seconds(5, gone)), Some(listed));
        let unlisted = |look: &mut Look| {
            gone(look);
            look.listed = Ends::default();
        };
        let counted = Proof::Counted { before: ends(1, 1), now: ends(0, 0) };
        assert_eq!(proof(&before, &seconds(5, unlisted)), Some(counted));
        // One end alone has noticed.
        let half = |look: &mut Look| {
            gone(look);
            (look.listed, look.counted) = (ends(0, 1), ends(0, 1));
        };
        assert_eq!(proof(&before, &seconds(2, half)), None);
        assert_eq!(proof(&before, &seconds(5, half)), Some(Proof::Silent));
    }

    #[test]
    fn a_copy_that_stands_still_proves_no_cut() {
        let nothing = |look: &mut Look| {
            (look.listed, look.counted, look.crossed) = (Ends::default(), Ends::default(), None);
        };
        let before = at(0, nothing);
        let stands = |look: &mut Look| {
            nothing(look);
            look.copy = Some(105);
        };
        let still = proof(&before, &seconds(9, stands)).unwrap();
        assert_eq!(still, Proof::StandsStill { missed: 85 });
        assert!(!still.is_of_a_cut());
        assert_eq!(proof(&before, &seconds(3, stands)), None);
        // Busy, and every time a little late.
        let late = |look: &mut Look| {
            nothing(look);
            look.copy = look.copy.map(|copy| copy - 7);
        };
        assert_eq!(proof(&before, &seconds(9, late)), None);
        // Where nothing comes, nothing is missed.
        let idle = |look: &mut Look| {
            stands(look);
            look.origin = Some(105);
        };
        assert_eq!(proof(&before, &seconds(9, idle)), None);
    }

    #[test]
    fn a_pause_is_no_cut_of_the_link() {
        let before = at(0, |look| look.paused = Some(false));
        // In the first look nothing is missing yet.
        let paused = |look: &mut Look| (look.paused, look.copy) = (Some(true), Some(110));
        assert_eq!(proof(&before, &seconds(4, paused)), None);
        let told = proof(&before, &seconds(9, paused)).unwrap();
        assert_eq!(told, Proof::Paused { missed: 80 });
        assert!(told.is_of_a_cut());
        assert!(told.to_string().contains("80 messages came to the source alone"), "{told}");
    }

    #[test]
    fn what_never_answered_is_not_silent_now() {
        let before = at(0, |look| look.crossed = Some(false));
        let now = seconds(2, |look| look.crossed = Some(false));
        assert_eq!(proof(&before, &now), None);
    }

    #[test]
    fn healed_is_as_it_was_before() {
        let before = at(0, |_| ());
        assert!(is_healed(&before, &at(9, |_| ())));
        assert!(!is_healed(&before, &at(9, |look| look.counted = ends(0, 1))));
        assert!(!is_healed(&before, &at(9, |look| look.crossed = Some(false))));
        assert!(!is_healed(&before, &at(9, |look| look.paused = Some(true))));
        assert!(!is_healed(&before, &at(9, |look| look.listed = Ends::default())));
        assert!(is_healed(&Look::default(), &at(9, |_| ())));
        assert!(is_caught_up(150, &at(5, |_| ())) && !is_caught_up(151, &at(5, |_| ())));
    }
}
