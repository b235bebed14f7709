//! What impairs a container's links: rules in its network namespace, laid by this program in a helper
//! container beside it, which has the right to change that network and no other.
//!
//! The rules belong to the helper's own socket (`NFT_TABLE_F_OWNER`): however it ends, the kernel takes
//! them away. It reads requests from its standard input, which the room holds, and ends with it.
//!
//! | file | what is inside |
//! |---|---|
//! | `rules` | from what is asked of a link to rules, and from their counters to what was counted |
//! | `netlink` | the kernel's tables: laid, counted |

#[cfg(target_os = "linux")]
mod netlink;
#[cfg(target_os = "linux")]
mod rules;

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::region::condition::{
    LinkCondition,
    measured::{EndCount, WayCount},
};

/// The hidden word that makes this program the helper.
pub const SUBCOMMAND: &str = "link-filter";

/// What the room asks, in a line of JSON.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum Request {
    /// Packets from and to these addresses are to fare so; in the place of what was asked before.
    Lay { condition: LinkCondition, wan: Subnet },
    /// What was counted.
    Count,
}

/// What the helper answers, in a line of JSON.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Counted {
    pub to_zone: WayCount,
    pub from_zone: WayCount,
    /// Of this end's TCP, since the container is there.
    pub end: EndCount,
}

/// An answer, or why there is none.
pub type Answer = Result<Counted, String>;

/// The addresses of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subnet {
    pub address: Ipv4Addr,
    pub bits: u8,
}

impl Subnet {
    /// Reads `172.20.0.0/16`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let bits = bits.parse().ok().filter(|bits| *bits <= 32)?;
        Some(Self { address: address.parse().ok()?, bits })
    }

    /// The mask of its addresses.
    #[must_use]
    pub fn mask(self) -> u32 {
        u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0)
    }
}

/// The helper's whole life.
#[cfg(target_os = "linux")]
pub fn run() {
    use std::io::{BufRead, Write};

    let mut table = None;
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let answer = serde_json::from_str(&line)
            .map_err(|error| format!("the request cannot be read: {error}"))
            .and_then(|request| serve(&mut table, request));
        let answer = serde_json::to_string(&answer).unwrap_or_default();
        let mut out = std::io::stdout().lock();
        if writeln!(out, "{answer}").and_then(|()| out.flush()).is_err() {
            return;
        }
    }
}

#[cfg(target_os = "linux")]
fn serve(table: &mut Option<rules::Laid>, request: Request) -> Answer {
    match request {
        Request::Lay { condition, .. } if condition.is_whole() => *table = None,
        // The old one goes first: two tables would both drop.
        Request::Lay { condition, wan } => {
            *table = None;
            let laid = rules::Laid::new(&condition, wan);
            *table = Some(laid.map_err(|(doing, error)| format!("cannot {doing}: {error}"))?);
        }
        Request::Count => {}
    }
    let (to_zone, from_zone) = match table {
        Some(laid) => laid.count().map_err(|error| format!("cannot read the counters: {error}"))?,
        None => Default::default(),
    };
    let end = EndCount::read().map_err(|error| format!("cannot read the counters: {error}"))?;
    Ok(Counted { to_zone, from_zone, end })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subnet_is_read_or_refused() {
        let wan = Subnet::parse("172.20.0.0/16").unwrap();
        assert_eq!((wan.address, wan.mask()), (Ipv4Addr::new(172, 20, 0, 0), 0xffff_0000));
        assert_eq!(Subnet::parse("0.0.0.0/0").unwrap().mask(), 0);
        assert_eq!(Subnet::parse("10.0.0.1/32").unwrap().mask(), u32::MAX);
        for wrong in ["", "10.0.0.0", "10.0.0.0/33", "fd00::/64"] {
            assert_eq!(Subnet::parse(wrong), None, "{wrong}");
        }
    }
}
