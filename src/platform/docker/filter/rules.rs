//! From what is asked of a link to rules, and from their counters to what was counted.
//!
//! A rule is a list of the kernel's expressions: it looks at each packet from the WAN network
//! (direction `to`) or to it (`from`), counts what it meets, and drops it or leaves it to the next.

use std::io;

use super::{
    Subnet,
    netlink::{Expression, Hook, Table},
};
use crate::region::condition::{
    LinkCondition, Share, Way,
    measured::{PacketCount, WayCount},
};

/// What a line with a rate lets through at once, in milliseconds of it: the queue that a router has.
const BURST_MS: u64 = 400;
/// The least of it: ten Ethernet packets.
const LEAST_BURST: u64 = 15_000;
/// Where addresses stand in an IPv4 header.
const FROM: u32 = 12;
const TO: u32 = 16;

/// One rule of a direction, in the order in which packets meet them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    Came,
    Silent,
    TooLarge(u16),
    Lost(Share),
    /// Bytes a second.
    Beyond(u64),
    Passed,
}

impl Rule {
    fn all(way: &Way) -> Vec<Self> {
        let silent = way.silent.then_some(Self::Silent);
        let asked = [
            silent,
            way.mtu.map(Self::TooLarge),
            way.loss.map(Self::Lost),
            way.rate_bps.map(|rate| Self::Beyond(rate.bytes())),
        ];
        let asked = asked.into_iter().flatten();
        [Self::Came].into_iter().chain(asked).chain([Self::Passed]).collect()
    }

    /// What it looks at besides the addresses, and what it does.
    fn expressions(self) -> Vec<Expression> {
        let meets = match self {
            Self::Came | Self::Silent | Self::Passed => Vec::new(),
            Self::TooLarge(mtu) => vec![Expression::LongerThan(u32::from(mtu))],
            Self::Lost(share) => vec![Expression::ByChance { hits: share.0.into(), of: 1_000 }],
            Self::Beyond(bytes_per_s) => {
                let burst = (bytes_per_s * BURST_MS / 1_000).max(LEAST_BURST);
                let burst = u32::try_from(burst).unwrap_or(u32::MAX);
                vec![Expression::Beyond { bytes_per_s, burst }]
            }
        };
        let drops = !matches!(self, Self::Came | Self::Passed);
        let drop = drops.then_some(Expression::Drop);
        meets.into_iter().chain([Expression::Counter]).chain(drop).collect()
    }
}

/// Rules that are laid. Dropping it takes them away.
pub struct Laid {
    table: Table,
    to_zone: Vec<Rule>,
    from_zone: Vec<Rule>,
}

impl Laid {
    /// Lays the rules for a condition.
    ///
    /// # Errors
    /// With what the kernel refused.
    pub fn new(condition: &LinkCondition, wan: Subnet) -> Result<Self, (&'static str, io::Error)> {
        let (to_zone, from_zone) = (Rule::all(&condition.to_zone), Rule::all(&condition.from_zone));
        let written = |rules: &[Rule], at: u32| -> Vec<Vec<Expression>> {
            let address = Expression::Address { at, subnet: wan };
            let rule = |rule: &Rule| [address].into_iter().chain(rule.expressions()).collect();
            rules.iter().map(rule).collect()
        };
        let chains =
            [(Hook::Input, written(&to_zone, FROM)), (Hook::Output, written(&from_zone, TO))];
        let table = Table::lay(&chains).map_err(|error| {
            (
                "filter the container's packets (nf_tables with table owners, Linux 5.12 or newer)",
                error,
            )
        })?;
        Ok(Self { table, to_zone, from_zone })
    }

    /// What they have counted: to the zone, from it.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn count(&self) -> io::Result<(WayCount, WayCount)> {
        let way =
            |hook, rules: &[Rule]| Ok::<_, io::Error>(counted(rules, &self.table.counters(hook)?));
        Ok((way(Hook::Input, &self.to_zone)?, way(Hook::Output, &self.from_zone)?))
    }
}

/// What the counters of these rules say together: packets and bytes of each.
fn counted(rules: &[Rule], counters: &[(u64, u64)]) -> WayCount {
    let mut way = WayCount::default();
    for (rule, (packets, bytes)) in rules.iter().zip(counters) {
        let to: &mut PacketCount = &mut way.packets;
        match rule {
            Rule::Came => to.came = *packets,
            Rule::Silent => to.silenced = *packets,
            Rule::TooLarge(_) => to.too_large = *packets,
            Rule::Lost(_) => to.lost = *packets,
            Rule::Beyond(_) => to.overflowed = *packets,
            Rule::Passed => (way.passed, way.since) = (*bytes, *bytes),
        }
    }
    way
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::region::condition::BitRate;

    #[test]
    fn a_direction_has_a_rule_for_what_is_asked_of_it_and_counts_what_each_met() {
        let way = Way {
            loss: Some(Share(50)),
            rate_bps: Some(BitRate(1_000_000)),
            mtu: Some(900),
            ..Way::default()
        };
        let rules = Rule::all(&way);
        assert_eq!(rules.len(), 5);
        let counters = [(100, 9_000), (4, 8_000), (5, 500), (6, 600), (85, 7_000)];
        let counted = counted(&rules, &counters);
        let PacketCount { came, too_large, lost, overflowed, .. } = counted.packets;
        assert_eq!((came, too_large, lost, overflowed), (100, 4, 5, 6));
        assert_eq!((counted.passed, counted.since), (7_000, 7_000));
        assert_eq!(Rule::all(&Way::default()), [Rule::Came, Rule::Passed]);
        let dropped = |rule: Rule| rule.expressions().contains(&Expression::Drop);
        assert!(!dropped(Rule::Came) && !dropped(Rule::Passed) && dropped(Rule::Silent));
    }
}
