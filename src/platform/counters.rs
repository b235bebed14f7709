//! What the kernel counts of TCP in a network namespace: how the ends see what becomes of packets on
//! the way.

use std::{fs, io};

pub use crate::region::condition::measured::EndCount;

impl EndCount {
    /// Of the network namespace that this thread is in.
    pub(in crate::platform) fn read() -> io::Result<Self> {
        let read = |table| fs::read_to_string(format!("/proc/thread-self/net/{table}"));
        let (snmp, netstat) = (read("snmp")?, read("netstat")?);
        Ok(Self::parse(&snmp, &netstat))
    }

    fn parse(snmp: &str, netstat: &str) -> Self {
        let of = |text: &str, group: &str, name: &str| {
            let mut lines = text.lines().filter_map(|line| line.strip_prefix(group));
            let place = lines.next()?.split_whitespace().position(|column| column == name)?;
            lines.next()?.split_whitespace().nth(place)?.parse().ok()
        };
        let tcp = |name| of(snmp, "Tcp:", name).unwrap_or(0);
        let more = |name| of(netstat, "TcpExt:", name).unwrap_or(0);
        Self {
            retransmitted: tcp("RetransSegs"),
            // A checksum of the IP header covers what the one of TCP does not.
            spoiled: tcp("InCsumErrors") + of(snmp, "Ip:", "InHdrErrors").unwrap_or(0),
            repeated: more("TCPDSACKOldSent") + more("TCPDSACKOfoSent"),
            out_of_order: more("TCPOFOQueue"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_their_names() {
        let snmp = "Ip: Forwarding InHdrErrors\nIp: 1 2\nTcp: RetransSegs InErrs InCsumErrors\nTcp: 7 8 9\n";
        let netstat =
            "TcpExt: TCPOFOQueue TCPDSACKOldSent\nTcpExt: 3 4\nIpExt: InOctets\nIpExt: 5\n";
        let count = EndCount { retransmitted: 7, spoiled: 11, repeated: 4, out_of_order: 3 };
        assert_eq!(EndCount::parse(snmp, netstat), count);
        assert_eq!(EndCount::parse("", ""), EndCount::default());
    }
}
