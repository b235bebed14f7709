//! What a drill message carries, and how it is checked.
//!
//! A payload is one line of text, so that any NATS tool shows what it is, then letters without a
//! pattern up to the wanted size: servers compress what goes over a slow link, and a payload that
//! shrinks would pass a thin line unhindered.
//!
//! ```text
//! zd1 k3f9q2 p4 n123 t1763937035123456 c9a3b2c1 .Kq3fT_z
//! ```
//!
//! run, producer, number, microseconds since the epoch when it was sent, and the CRC-32 (IEEE) of
//! everything else in the payload, in hexadecimal.

use std::{fmt, io::Write, str::FromStr};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// The fewest bytes a message can have: the longest possible record fits.
pub const SMALLEST_SIZE: u32 = 80;
/// The most bytes a message can have: below the server's default `max_payload` of 1 MiB.
pub const LARGEST_SIZE: u32 = 1_000_000;
/// The header NATS deduplicates by.
pub const MESSAGE_ID_HEADER: &str = "Nats-Msg-Id";
/// Letters and digits of a run's id.
const RUN_LENGTH: usize = 6;

/// One life of a region's data: six lower-case letters and digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunId(String);

/// Why a text is not a run's or a message's id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the id of a drill message")]
pub struct IdError(String);

impl RunId {
    /// A run id made from any number (a clock, a random number).
    #[must_use]
    pub fn from_number(mut number: u64) -> Self {
        const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
        let mut text = String::with_capacity(RUN_LENGTH);
        for _ in 0..RUN_LENGTH {
            text.push(char::from(DIGITS[(number % 36) as usize]));
            number /= 36;
        }
        Self(text)
    }

    /// The six characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RunId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let fits = text.len() == RUN_LENGTH
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if fits { Ok(Self(text.to_owned())) } else { Err(IdError(text.to_owned())) }
    }
}

impl TryFrom<String> for RunId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<RunId> for String {
    fn from(run: RunId) -> Self {
        run.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which message: `k3f9q2-p4-123`. Also its `Nats-Msg-Id`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId {
    pub run: RunId,
    /// The producer: one for each produce command, counted from 1.
    pub producer: u32,
    pub number: u64,
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-p{}-{}", self.run, self.producer, self.number)
    }
}

impl FromStr for MessageId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let parse = || {
            let mut parts = text.split('-');
            let run = parts.next()?.parse().ok()?;
            let producer = number(parts.next()?.strip_prefix('p')?)?;
            let number = number(parts.next()?)?;
            parts.next().is_none().then_some(Self { run, producer, number })
        };
        parse().ok_or_else(|| IdError(text.to_owned()))
    }
}

/// A number in the one way it is written: `+7` and `007` are no ids of message 7.
fn number<T: FromStr>(text: &str) -> Option<T> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let padded = text.len() > 1 && text.starts_with('0');
    if digits && !padded { text.parse().ok() } else { None }
}

/// A payload that was understood and is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    pub id: MessageId,
    /// When it was sent, microseconds since the epoch.
    pub sent_us: u64,
}

/// What is wrong with a payload.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("not a drill message")]
    Foreign,
    /// A drill message that is not as it was sent.
    #[error("damaged: {0}")]
    Damaged(&'static str),
}

/// Writes a message of `size` bytes (at least [`SMALLEST_SIZE`]).
#[must_use]
pub fn encode(id: &MessageId, sent_us: u64, size: u32) -> Bytes {
    let size = size.max(SMALLEST_SIZE) as usize;
    let mut payload = Vec::with_capacity(size);
    // Writing into a Vec cannot fail.
    let _ = write!(payload, "zd1 {} p{} n{} t{} c", id.run, id.producer, id.number, sent_us);
    let check_at = payload.len();
    payload.extend_from_slice(b"00000000 ");
    fill(&mut payload, size, sent_us ^ id.number.rotate_left(32) ^ u64::from(id.producer));
    let check = checksum(&payload, check_at);
    payload[check_at..check_at + 8].copy_from_slice(&hex(check));
    Bytes::from(payload)
}

/// Fills up with letters that no compressor finds a pattern in, from an xorshift sequence.
fn fill(payload: &mut Vec<u8>, size: usize, seed: u64) {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    let mut x = seed | 1;
    if payload.len() < size {
        // A blank and a `c` begin the checksum, and nothing else.
        payload.push(b'.');
    }
    while payload.len() < size {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        let more = (0..10).map(|i| LETTERS[(x >> (6 * i) & 63) as usize]);
        payload.extend(more.take(size - payload.len()));
    }
}

/// Reads a payload and checks that it is whole.
///
/// # Errors
/// What is wrong with it.
pub fn decode(payload: &[u8]) -> Result<Decoded, Fault> {
    if !payload.starts_with(b"zd1 ") {
        return Err(Fault::Foreign);
    }
    let head = &payload[..payload.len().min(SMALLEST_SIZE as usize)];
    let check_at = head
        .windows(2)
        // The last one: a run's id may start with a c, too.
        .rposition(|pair| pair == b" c")
        .map(|at| at + 2)
        .filter(|at| payload.len() >= at + 9)
        .ok_or(Fault::Damaged("its record is cut short"))?;
    if payload[check_at..check_at + 8] != hex(checksum(payload, check_at)) {
        return Err(Fault::Damaged("its checksum does not fit"));
    }
    // Nothing between the beginning and the checksum, were it somebody's joke.
    let fields = payload.get(4..check_at - 2).unwrap_or_default();
    let fields =
        std::str::from_utf8(fields).map_err(|_| Fault::Damaged("its record is not text"))?;
    let parse = || {
        let mut parts = fields.split(' ');
        let run = parts.next()?.parse().ok()?;
        let producer = number(parts.next()?.strip_prefix('p')?)?;
        let n = number(parts.next()?.strip_prefix('n')?)?;
        let sent_us = number(parts.next()?.strip_prefix('t')?)?;
        parts.next().is_none().then_some(())?;
        let number = n;
        Some(Decoded { id: MessageId { run, producer, number }, sent_us })
    };
    parse().ok_or(Fault::Damaged("its record is not readable"))
}

/// The CRC of a payload without the eight characters that hold it.
fn checksum(payload: &[u8], check_at: usize) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&payload[..check_at]);
    crc.update(&payload[check_at + 8..]);
    crc.finalize()
}

fn hex(value: u32) -> [u8; 8] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    std::array::from_fn(|i| DIGITS[(value >> (28 - 4 * i) & 15) as usize])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id() -> impl Strategy<Value = MessageId> {
        (any::<u64>(), any::<u32>(), any::<u64>()).prop_map(|(run, producer, number)| MessageId {
            run: RunId::from_number(run),
            producer,
            number,
        })
    }

    /// Payloads are what bundles hold: this one stays as it is.
    #[test]
    fn a_payload_is_the_same_in_every_version() {
        let id = MessageId { run: "k3f9q2".parse().unwrap(), producer: 3, number: 12 };
        assert_eq!(String::from(id.run.clone()), "k3f9q2");
        let filled = "DxBO-WEgy67yxvA-Fs8gCxi6rTAQ6KaiqCM4rEJoLtdPR6cI8S9Ih";
        let whole = format!("zd1 k3f9q2 p3 n12 t1700000000000000 c473cbae0 .{filled}");
        assert_eq!(encode(&id, 1_700_000_000_000_000, 100), whole);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(id in id(), at in any::<u64>(), size in SMALLEST_SIZE..2000) {
            let payload = encode(&id, at, size);
            prop_assert_eq!(payload.len(), size as usize);
            prop_assert_eq!(decode(&payload), Ok(Decoded { id: id.clone(), sent_us: at }));
            prop_assert_eq!(id.to_string().parse::<MessageId>(), Ok(id));
        }

        #[test]
        fn any_changed_byte_is_noticed(id in id(), size in SMALLEST_SIZE..300, at in any::<prop::sample::Index>(), flip in 1u8..=255) {
            let mut payload = encode(&id, 1, size).to_vec();
            let at = at.index(payload.len());
            payload[at] ^= flip;
            prop_assert!(decode(&payload).is_err());
        }

        #[test]
        fn any_cut_is_noticed(id in id(), size in SMALLEST_SIZE..300, keep in any::<prop::sample::Index>()) {
            let payload = encode(&id, 1, size);
            prop_assert!(decode(&payload[..keep.index(payload.len())]).is_err());
        }
    }

    /// A payload of these words with a checksum that fits.
    fn forged(head: &str, tail: &str) -> Vec<u8> {
        let mut payload = format!("{head} c00000000{tail}").into_bytes();
        let check_at = head.len() + 2;
        let check = hex(checksum(&payload, check_at));
        payload[check_at..check_at + 8].copy_from_slice(&check);
        payload
    }

    #[test]
    fn forgeries_with_a_checksum_that_fits_are_read_with_care() {
        assert!(decode(&forged("zd1 k3f9q2 p4 n123 t5", " ...")).is_ok());
        for head in [
            "zd1",
            "zd1 ",
            "zd1 k3f9q2 p4 n123",
            "zd1 k3f9q2 p4 n+123 t5",
            "zd1 k3f9q2 p04 n123 t5",
            "zd1 k3f9q2 p4 n18446744073709551616 t5",
            "zd1 k3f9q2 p4 n123 t5 t6",
        ] {
            let read = decode(&forged(head, " ..."));
            assert!(matches!(read, Err(Fault::Damaged(_))), "{head}: {read:?}");
        }
    }

    #[test]
    fn an_id_is_written_in_one_way() {
        for id in ["k3f9q2-p4-123", "k3f9q2-p0-0"] {
            assert_eq!(id.parse::<MessageId>().map(|read| read.to_string()), Ok(id.to_owned()));
        }
        for other in ["k3f9q2-p+4-123", "k3f9q2-p4-0123", "k3f9q2-p4-", "k3f9q2-p4-12-3"] {
            assert!(other.parse::<MessageId>().is_err(), "{other}");
        }
        for other in ["k3f9q", "k3f9q22", "K3f9q2", "k3f-q2", "......", ""] {
            assert!(other.parse::<RunId>().is_err(), "{other}");
        }
        let runs = [0, 35, 36, 36 * 36 + 10].map(RunId::from_number);
        assert_eq!(runs.each_ref().map(RunId::as_str), ["000000", "z00000", "010000", "a01000"]);
    }

    /// The format as it is documented.
    #[test]
    fn a_message_is_written_as_documented() {
        let id: MessageId = "k3f9q2-p4-123".parse().unwrap();
        let sent = 1_763_937_035_123_456;
        let written = encode(&id, sent, SMALLEST_SIZE);
        assert!(written.starts_with(b"zd1 k3f9q2 p4 n123 t1763937035123456 c"));
        assert_eq!((written.len(), written[46], written[47]), (80, b' ', b'.'));
        assert!(written[48..].iter().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(b)));
        assert_eq!(encode(&id, sent, 7), written);
        // What earlier versions wrote is read as well; the checksum is that of another program.
        let dots =
            "zd1 k3f9q2 p4 n123 t1763937035123456 cee763c47 .................................";
        assert_eq!(decode(dots.as_bytes()), Ok(Decoded { id: id.clone(), sent_us: sent }));
    }

    #[test]
    fn no_byte_of_the_filling_is_foretold_by_those_before() {
        let id: MessageId = "k3f9q2-p4-123".parse().unwrap();
        let written = encode(&id, 5, 100_000);
        // Nearly every five letters are new: a compressor that looks for repetitions finds hardly any.
        let mut seen = std::collections::BTreeSet::new();
        let again = written[60..].windows(5).filter(|five| !seen.insert(five.to_vec())).count();
        assert!(again < 100, "{again} of 100,000");
    }

    #[test]
    fn a_payload_that_is_no_drill_message_is_foreign() {
        for text in ["zd2 k3f9q2 p4 n123 t5", "hello"] {
            assert_eq!(decode(&forged(text, " ...")), Err(Fault::Foreign), "{text}");
        }
        // A record ends with a blank, and nothing has to follow.
        let head = "zd1 k3f9q2 p4 n123 t5";
        assert!(decode(&forged(head, " ")).is_ok());
        let short = decode(&forged(head, ""));
        assert_eq!(short, Err(Fault::Damaged("its record is cut short")));
    }
}
