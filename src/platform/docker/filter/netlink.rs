//! The kernel's packet filter (`nf_tables`), spoken to over netlink: a table of our own with a chain for
//! what comes in and one for what goes out.

use std::io;

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER};

use super::Subnet;

const TABLE: &str = "zonedrill";
/// The kernel removes the table when the socket that made it is closed.
const OWNED: u32 = 2;
/// IPv4: containers have no other addresses on the networks that are made for them.
const FAMILY: u8 = 2;
const SUBSYSTEM: u16 = 10;

// Messages of the subsystem, and flags of any netlink message.
const NEW_TABLE: u16 = 0;
const NEW_CHAIN: u16 = 3;
const NEW_RULE: u16 = 6;
const GET_RULE: u16 = 7;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const REQUEST: u16 = 1;
const ACK: u16 = 4;
const DUMP: u16 = 0x300;
const CREATE: u16 = 0x400;
const APPEND: u16 = 0x800;
// Answers.
const ERROR: u16 = 2;
const DONE: u16 = 3;

const NESTED: u16 = 0x8000;
/// Bytes of a netlink header, and of it with the subsystem's own.
const HEADER: usize = 16;
const HEADERS: usize = 20;
/// The register that expressions leave what they looked up in, and the one of a verdict.
const REGISTER: u32 = 1;
const VERDICT: u32 = 0;

// How a register is compared.
const EQUAL: u32 = 0;
const LESS: u32 = 2;
const MORE: u32 = 4;

/// Where packets are met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// They have come for this network namespace.
    Input,
    /// They were sent in it.
    Output,
}

impl Hook {
    fn chain(self) -> &'static str {
        match self {
            Self::Input => "to",
            Self::Output => "from",
        }
    }

    fn number(self) -> u32 {
        match self {
            Self::Input => 1,
            Self::Output => 3,
        }
    }
}

/// A part of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expression {
    /// The address at that place of the header is one of these.
    Address {
        at: u32,
        subnet: Subnet,
    },
    /// The packet has more bytes.
    LongerThan(u32),
    /// So many of so many are met.
    ByChance {
        hits: u32,
        of: u32,
    },
    /// What comes faster than that is met.
    Beyond {
        bytes_per_s: u64,
        burst: u32,
    },
    Counter,
    Drop,
}

/// Attributes of a message, as they are written.
#[derive(Default)]
struct Attributes(Vec<u8>);

impl Attributes {
    fn put(mut self, kind: u16, value: &[u8]) -> Self {
        // The kernel's messages are short: what does not fit is none.
        let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
        self.0.extend_from_slice(&length.to_ne_bytes());
        self.0.extend_from_slice(&kind.to_ne_bytes());
        self.0.extend_from_slice(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    fn number(self, kind: u16, value: u32) -> Self {
        self.put(kind, &value.to_be_bytes())
    }

    fn long(self, kind: u16, value: u64) -> Self {
        self.put(kind, &value.to_be_bytes())
    }

    fn text(self, kind: u16, value: &str) -> Self {
        let mut bytes = value.as_bytes().to_vec();
        bytes.push(0);
        self.put(kind, &bytes)
    }

    fn nest(self, kind: u16, inner: Self) -> Self {
        let Self(bytes) = inner;
        self.put(kind | NESTED, &bytes)
    }

    /// An expression of a rule.
    fn expression(self, name: &str, data: Self) -> Self {
        self.nest(1, Self::default().text(1, name).nest(2, data))
    }
}

/// Some bytes to compare with, or to put in.
fn data(bytes: [u8; 4]) -> Attributes {
    Attributes::default().put(1, &bytes)
}

impl Expression {
    /// How the kernel takes it: each in steps over a register.
    fn write(self, rule: Attributes) -> Attributes {
        let new = Attributes::default;
        // The register holds a number in this machine's order: compared, it must be the network's.
        let ordered = |rule: Attributes| {
            let swap = new().number(1, REGISTER).number(2, REGISTER).number(3, 1);
            rule.expression("byteorder", swap.number(4, 4).number(5, 4))
        };
        let compared = |rule: Attributes, how: u32, with: u32| {
            let with = data(with.to_be_bytes());
            rule.expression("cmp", new().number(1, REGISTER).number(2, how).nest(3, with))
        };
        match self {
            Self::Address { at, subnet } => {
                let load = new().number(1, REGISTER).number(2, 1).number(3, at).number(4, 4);
                let rule = rule.expression("payload", load);
                let mask = subnet.mask();
                let masked = new().number(1, REGISTER).number(2, REGISTER).number(3, 4);
                let masked = masked.nest(4, data(mask.to_be_bytes())).nest(5, data([0; 4]));
                let rule = rule.expression("bitwise", masked);
                compared(rule, EQUAL, u32::from(subnet.address) & mask)
            }
            Self::LongerThan(bytes) => {
                // Key 0 is the length.
                let rule = rule.expression("meta", new().number(1, REGISTER).number(2, 0));
                compared(ordered(rule), MORE, bytes)
            }
            Self::ByChance { hits, of } => {
                // Kind 1 is random.
                let number = new().number(1, REGISTER).number(2, of).number(3, 1).number(4, 0);
                compared(ordered(rule.expression("numgen", number)), LESS, hits)
            }
            Self::Beyond { bytes_per_s, burst } => {
                // A second, of bytes, and met by what is beyond.
                let limit = new().long(1, bytes_per_s).long(2, 1).number(3, burst);
                rule.expression("limit", limit.number(4, 1).number(5, 1))
            }
            Self::Counter => rule.expression("counter", new()),
            Self::Drop => {
                let drop = new().nest(2, new().number(1, 0));
                rule.expression("immediate", new().number(1, VERDICT).nest(2, drop))
            }
        }
    }
}

/// A table of our own in this network namespace. Dropping it removes it.
pub struct Table {
    socket: Socket,
}

impl Table {
    /// Lays the rules of each hook.
    pub fn lay(chains: &[(Hook, Vec<Vec<Expression>>)]) -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_NETFILTER)?;
        socket.bind_auto()?;
        let new = Attributes::default;
        let mut messages = vec![(NEW_TABLE, CREATE, new().text(1, TABLE).number(2, OWNED))];
        for (hook, rules) in chains {
            let at = new().number(1, hook.number()).number(2, 0);
            let chain = new().text(1, TABLE).text(3, hook.chain()).nest(4, at);
            messages.push((NEW_CHAIN, CREATE, chain.text(7, "filter")));
            for rule in rules {
                let inner = rule.iter().fold(new(), |rule, part| part.write(rule));
                let rule = new().text(1, TABLE).text(2, hook.chain()).nest(4, inner);
                messages.push((NEW_RULE, CREATE | APPEND, rule));
            }
        }
        let asked = messages.len();
        let mut bytes = Vec::new();
        write(&mut bytes, BATCH_BEGIN, REQUEST, 0, 0, &new());
        for (sequence, (kind, flags, body)) in (1u32..).zip(&messages) {
            let kind = SUBSYSTEM << 8 | kind;
            write(&mut bytes, kind, REQUEST | ACK | flags, sequence, FAMILY, body);
        }
        write(&mut bytes, BATCH_END, REQUEST, 0, 0, &new());
        socket.send_to(&bytes, &SocketAddr::new(0, 0), 0)?;
        let mut answered = 0;
        while answered < asked {
            let (answer, _) = socket.recv_from_full()?;
            for (kind, body) in messages_of(&answer) {
                if kind == ERROR {
                    error(body)?;
                    answered += 1;
                }
            }
        }
        Ok(Self { socket })
    }

    /// What the counters of a hook's rules say, in their order: packets, bytes.
    pub fn counters(&self, hook: Hook) -> io::Result<Vec<(u64, u64)>> {
        let asked = Attributes::default().text(1, TABLE).text(2, hook.chain());
        let mut bytes = Vec::new();
        write(&mut bytes, SUBSYSTEM << 8 | GET_RULE, REQUEST | DUMP, 1, FAMILY, &asked);
        self.socket.send_to(&bytes, &SocketAddr::new(0, 0), 0)?;
        let mut counters = Vec::new();
        loop {
            let (answer, _) = self.socket.recv_from_full()?;
            for (kind, body) in messages_of(&answer) {
                match kind {
                    DONE => return Ok(counters),
                    ERROR => error(body)?,
                    _ => counters.extend(counter(body.get(4..).unwrap_or_default())),
                }
            }
        }
    }
}

/// Writes a message: the kernel's header, the subsystem's, what it says.
fn write(to: &mut Vec<u8>, kind: u16, flags: u16, sequence: u32, family: u8, body: &Attributes) {
    let length = u32::try_from(HEADERS + body.0.len()).unwrap_or(u32::MAX);
    to.extend_from_slice(&length.to_ne_bytes());
    to.extend_from_slice(&kind.to_ne_bytes());
    to.extend_from_slice(&flags.to_ne_bytes());
    to.extend_from_slice(&sequence.to_ne_bytes());
    to.extend_from_slice(&[0; 4]);
    let resource = if kind == BATCH_BEGIN || kind == BATCH_END { SUBSYSTEM } else { 0 };
    let [high, low] = resource.to_be_bytes();
    to.extend_from_slice(&[family, 0, high, low]);
    to.extend_from_slice(&body.0);
}

/// The messages of an answer: kind, and what comes after the kernel's header.
fn messages_of(mut bytes: &[u8]) -> Vec<(u16, &[u8])> {
    let mut all = Vec::new();
    while let Some(header) = bytes.first_chunk::<HEADER>() {
        let length = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let kind = u16::from_ne_bytes([header[4], header[5]]);
        let Some(body) = bytes.get(HEADER..length) else { break };
        all.push((kind, body));
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    all
}

/// An answer that says how it went.
fn error(body: &[u8]) -> io::Result<()> {
    match body.first_chunk::<4>().map(|code| i32::from_ne_bytes(*code)) {
        Some(0) => Ok(()),
        Some(code) => Err(io::Error::from_raw_os_error(code.wrapping_neg())),
        None => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// The attributes of a message or of another one.
fn attributes(mut bytes: &[u8]) -> Vec<(u16, &[u8])> {
    let mut all = Vec::new();
    while let Some(header) = bytes.first_chunk::<4>() {
        let length = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        let kind = u16::from_ne_bytes([header[2], header[3]]) & 0x3fff;
        let Some(value) = bytes.get(4..length) else { break };
        all.push((kind, value));
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    all
}

/// What a rule's counter says: packets, bytes.
fn counter(rule: &[u8]) -> Option<(u64, u64)> {
    let of = |bytes, wanted| {
        attributes(bytes).into_iter().find(|(kind, _)| *kind == wanted).map(|(_, value)| value)
    };
    let expressions = attributes(of(rule, 4)?);
    let counter = expressions
        .iter()
        .find(|(_, one)| of(one, 1).is_some_and(|n| n.starts_with(b"counter")))?;
    let inside = of(counter.1, 2)?;
    let number =
        |kind| of(inside, kind)?.first_chunk::<8>().map(|eight| u64::from_be_bytes(*eight));
    Some((number(2)?, number(1)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let count = Attributes::default().long(1, 1_500).long(2, 3);
        let inner = Expression::Drop.write(
            Expression::LongerThan(900).write(Attributes::default()).expression("counter", count),
        );
        let rule = Attributes::default().text(1, TABLE).nest(4, inner);
        let mut bytes = Vec::new();
        write(&mut bytes, NEW_RULE, REQUEST, 7, FAMILY, &rule);
        let messages = messages_of(&bytes);
        assert_eq!(messages.len(), 1);
        assert_eq!(counter(&messages[0].1[4..]), Some((3, 1_500)));
        // Half a message is none.
        assert_eq!(messages_of(&bytes[..30]), []);
        assert_eq!(counter(&bytes[..9]), None);
    }

    #[test]
    fn an_answer_tells_what_the_kernel_refused() {
        assert!(error(&0i32.to_ne_bytes()).is_ok());
        let refused = error(&(-95i32).to_ne_bytes()).unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(95));
        assert!(error(&[1]).is_err());
    }
}
