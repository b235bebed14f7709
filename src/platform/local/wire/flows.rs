//! The TCP connections over a link, so that a cut that refuses can reset them at both ends: a wire
//! that only drops tells nobody.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddrV4},
    time::Duration,
};

use etherparse::{Ipv4HeaderSlice, PacketBuilder, TcpHeaderSlice, ip_number};
use tokio::time::Instant;

/// Connections that are known at the same time; then those that were silent for long are forgotten.
const MOST: usize = 4_096;
/// A connection that was silent for so long has ended unseen.
const OLD: Duration = Duration::from_secs(120);

/// And one that is open is not silent for so long.
const SILENT: Duration = Duration::from_secs(20);

/// Where a packet says it goes; `None` of what is not IPv4.
pub fn destination(packet: &[u8]) -> Option<Ipv4Addr> {
    let address: [u8; 4] = packet.get(16..20)?.try_into().ok()?;
    (packet.first()? >> 4 == 4).then(|| address.into())
}

/// Changes a bit behind the IP header, where TCP's checksum finds it.
pub fn spoil(packet: &mut [u8], random: u64) {
    let header = usize::from(packet.first().map_or(0, |byte| byte & 0x0f)) * 4;
    let body = packet.get_mut(header..).unwrap_or_default();
    if let Ok(bits @ 1..) = u64::try_from(body.len() * 8) {
        let bit = (random % bits) as usize;
        body[bit / 8] ^= 1 << (bit % 8);
    }
}

/// A packet of a connection.
struct Segment {
    from: SocketAddrV4,
    to: SocketAddrV4,
    sequence: u32,
    /// What its sender expects next, if it says so.
    expects: Option<u32>,
    begins: bool,
    ends: bool,
    resets: bool,
    length: u32,
}

impl Segment {
    fn of(packet: &[u8]) -> Option<Self> {
        let ip = Ipv4HeaderSlice::from_slice(packet).ok()?;
        let rest = packet.get(ip.slice().len()..)?;
        if ip.protocol() != ip_number::TCP {
            return None;
        }
        let tcp = TcpHeaderSlice::from_slice(rest).ok()?;
        let data = rest.len() - tcp.slice().len();
        Some(Self {
            from: SocketAddrV4::new(ip.source_addr(), tcp.source_port()),
            to: SocketAddrV4::new(ip.destination_addr(), tcp.destination_port()),
            sequence: tcp.sequence_number(),
            expects: tcp.ack().then(|| tcp.acknowledgment_number()),
            begins: tcp.syn() && !tcp.ack(),
            ends: tcp.fin(),
            resets: tcp.rst(),
            length: u32::try_from(data).unwrap_or(0) + u32::from(tcp.syn()) + u32::from(tcp.fin()),
        })
    }
}

/// One end of a connection, and the other.
type Pair = (SocketAddrV4, SocketAddrV4);

struct Flow {
    /// What each end expects next: the first of the pair, and the second.
    expects: [Option<u32>; 2],
    /// It was reset: what still comes of it is answered so.
    doomed: bool,
    /// One end has said that it ends.
    ended: bool,
    seen: Instant,
}

/// The connections over one link.
#[derive(Default)]
pub struct Flows {
    known: HashMap<Pair, Flow>,
    /// Connections that were begun.
    pub begun: u64,
    /// And those that were refused.
    pub refused: u64,
}

impl Flows {
    /// Connections that are open, as far as the wire has seen: servers ping each other every few
    /// seconds.
    pub fn open(&self, now: Instant) -> usize {
        let open = |flow: &&Flow| {
            let answered = flow.expects.iter().all(Option::is_some);
            let speaks = now.saturating_duration_since(flow.seen) < SILENT;
            answered && speaks && !flow.doomed && !flow.ended
        };
        self.known.values().filter(open).count()
    }

    /// Takes note of a packet. If it is of a connection that was reset, or `refuses` says that none
    /// may be, it must not go on; what its sender is told instead.
    pub fn comes(
        &mut self,
        packet: &[u8],
        refuses: bool,
        now: Instant,
    ) -> Result<(), Option<Vec<u8>>> {
        let Some(segment) = Segment::of(packet) else {
            return if refuses { Err(None) } else { Ok(()) };
        };
        let first = segment.from < segment.to;
        let pair = if first { (segment.from, segment.to) } else { (segment.to, segment.from) };
        if segment.begins {
            self.begun += u64::from(!refuses);
            self.refused += u64::from(refuses);
        }
        if self.known.len() >= MOST {
            self.known.retain(|_, flow| now.saturating_duration_since(flow.seen) < OLD);
        }
        let flow = self.known.entry(pair).or_insert(Flow {
            expects: [None; 2],
            doomed: false,
            ended: false,
            seen: now,
        });
        flow.seen = now;
        flow.doomed = refuses || (flow.doomed && !segment.begins);
        flow.ended = segment.ends || (flow.ended && !segment.begins);
        if segment.begins {
            // A new one at the ports of an old one.
            flow.expects = [None; 2];
        }
        if segment.expects.is_some() {
            flow.expects[usize::from(!first)] = segment.expects;
        }
        let doomed = flow.doomed;
        if segment.resets {
            self.known.remove(&pair);
            return if doomed { Err(None) } else { Ok(()) };
        }
        if doomed { Err(Some(answer(&segment))) } else { Ok(()) }
    }

    /// Ends all connections: what their ends must be told, each with the address it goes to.
    pub fn reset_all(&mut self) -> Vec<(Ipv4Addr, Vec<u8>)> {
        let mut told = Vec::new();
        for ((one, other), flow) in self.known.iter_mut().filter(|(_, flow)| !flow.doomed) {
            flow.doomed = true;
            for (to, from, expects) in
                [(one, other, flow.expects[0]), (other, one, flow.expects[1])]
            {
                told.extend(expects.map(|next| (*to.ip(), reset(*from, *to, next, None))));
            }
        }
        told
    }
}

/// What a closed port says to a packet (RFC 9293, 3.10.7.1).
fn answer(to: &Segment) -> Vec<u8> {
    match to.expects {
        Some(next) => reset(to.to, to.from, next, None),
        None => reset(to.to, to.from, 0, Some(to.sequence.wrapping_add(to.length))),
    }
}

fn reset(from: SocketAddrV4, to: SocketAddrV4, sequence: u32, acks: Option<u32>) -> Vec<u8> {
    let ip = PacketBuilder::ipv4(from.ip().octets(), to.ip().octets(), 64);
    let mut tcp = ip.tcp(from.port(), to.port(), sequence, 0).rst();
    if let Some(acks) = acks {
        tcp = tcp.ack(acks);
    }
    let mut packet = Vec::with_capacity(40);
    // Only a packet that is too long cannot be built.
    let _ = tcp.write(&mut packet, &[]);
    packet
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZONE: ([u8; 4], u16) = ([10, 101, 0, 1], 40_000);
    const SOURCE: ([u8; 4], u16) = ([10, 100, 0, 1], 17_222);

    fn packet(from: ([u8; 4], u16), to: ([u8; 4], u16), seq: u32, ack: Option<u32>) -> Vec<u8> {
        let tcp = PacketBuilder::ipv4(from.0, to.0, 64).tcp(from.1, to.1, seq, 1_000);
        let tcp = match ack {
            Some(ack) => tcp.ack(ack),
            None => tcp.syn(),
        };
        let mut bytes = Vec::new();
        tcp.write(&mut bytes, b"PING").unwrap();
        bytes
    }

    #[test]
    fn a_reset_hits_what_each_end_expects_next() {
        let (mut flows, now) = (Flows::default(), Instant::now());
        flows.comes(&packet(ZONE, SOURCE, 100, None), false, now).unwrap();
        flows.comes(&packet(SOURCE, ZONE, 500, Some(105)), false, now).unwrap();
        flows.comes(&packet(ZONE, SOURCE, 105, Some(504)), false, now).unwrap();
        assert_eq!((flows.open(now), flows.begun), (1, 1));
        let told = flows.reset_all();
        let hits = |to: [u8; 4], expected: u32| {
            let (_, bytes) = told.iter().find(|(address, _)| address.octets() == to).unwrap();
            let segment = Segment::of(bytes).unwrap();
            assert!(segment.resets && segment.sequence == expected, "{}", segment.sequence);
        };
        hits(SOURCE.0, 105);
        hits(ZONE.0, 504);
        // What was under way is answered, and a new connection may begin at the same ports.
        let late = flows.comes(&packet(SOURCE, ZONE, 504, Some(109)), false, now).unwrap_err();
        assert_eq!(Segment::of(&late.unwrap()).unwrap().sequence, 109);
        flows.comes(&packet(ZONE, SOURCE, 900, None), false, now).unwrap();
        assert!(flows.reset_all().is_empty(), "neither end has said what it expects");
    }

    #[test]
    fn a_refused_beginning_is_answered_as_a_closed_port_does() {
        let (mut flows, now) = (Flows::default(), Instant::now());
        let told = flows.comes(&packet(ZONE, SOURCE, 100, None), true, now).unwrap_err().unwrap();
        let segment = Segment::of(&told).unwrap();
        assert_eq!((segment.resets, segment.expects), (true, Some(105)));
        assert_eq!((flows.refused, flows.open(now)), (1, 0));
    }

    #[test]
    fn what_is_spoiled_differs_in_one_bit_behind_the_header() {
        for random in [0, 7, 12_345, u64::MAX] {
            let whole = packet(ZONE, SOURCE, 1, Some(1));
            let mut bad = whole.clone();
            spoil(&mut bad, random);
            let differ = whole.iter().zip(&bad).map(|(a, b)| (a ^ b).count_ones()).sum::<u32>();
            assert_eq!((differ, &whole[..20]), (1, &bad[..20]));
        }
        spoil(&mut [], 1);
        assert_eq!(destination(&packet(ZONE, SOURCE, 1, None)), Some(SOURCE.0.into()));
        assert_eq!(destination(&[0x60; 40]), None);
    }
}
