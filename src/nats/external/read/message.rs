//! A message of a stream as the servers hand it out: by a direct get, or by the stream's leader.

use async_nats::{
    HeaderMap, Message,
    header::{NATS_MESSAGE_ID, NATS_SEQUENCE, NATS_STREAM, NATS_SUBJECT, NATS_TIME_STAMP},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use serde::Deserialize;

use crate::nats::renumbering::SOURCE_HEADER;

/// A message as it was read, before it is boiled down.
pub struct Read {
    pub seq: u64,
    pub payload: bytes::Bytes,
    headers: HeaderMap,
    /// Where they are not among the headers: its subject and time.
    told: Option<(String, Option<Timestamp>)>,
}

impl Read {
    pub fn subject(&self) -> &str {
        match &self.told {
            Some((subject, _)) => subject,
            None => self.header(NATS_SUBJECT.as_ref()).unwrap_or_default(),
        }
    }

    pub fn id(&self) -> Option<&str> {
        self.header(NATS_MESSAGE_ID.as_ref())
    }

    /// Where it was sourced from, as the server writes it.
    pub fn source(&self) -> Option<&str> {
        self.header(SOURCE_HEADER)
    }

    pub fn time(&self) -> Option<Timestamp> {
        match &self.told {
            Some((_, time)) => *time,
            None => self.header(NATS_TIME_STAMP.as_ref()).and_then(|time| time.parse().ok()),
        }
    }

    /// The stream that it lies in: a mirror with `mirror_direct` answers for its origin as well.
    pub fn stream(&self) -> Option<&str> {
        self.header(NATS_STREAM.as_ref())
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(async_nats::HeaderValue::as_str)
    }
}

/// A message as a direct get gives it.
pub fn direct(message: Message) -> Option<Read> {
    let headers = message.headers?;
    let seq = headers.get(NATS_SEQUENCE)?.as_str().parse().ok()?;
    headers.get(NATS_SUBJECT)?;
    Some(Read { seq, payload: message.payload, headers, told: None })
}

/// The answer of a stream's leader.
#[derive(Deserialize)]
pub struct Answer {
    pub message: Stored,
}

/// A message as the stream's leader gives it.
#[derive(Deserialize)]
pub struct Stored {
    pub seq: u64,
    subject: String,
    #[serde(default)]
    hdrs: String,
    #[serde(default)]
    data: String,
    time: Option<Timestamp>,
}

impl Stored {
    /// As it was published: subject, headers, payload.
    pub fn whole(self) -> Option<(String, HeaderMap, bytes::Bytes)> {
        let headers = BASE64_STANDARD.decode(&self.hdrs).ok()?;
        let payload = BASE64_STANDARD.decode(&self.data).ok()?;
        Some((self.subject, header_lines(&String::from_utf8_lossy(&headers)), payload.into()))
    }

    pub fn read(self) -> Option<Read> {
        let headers = BASE64_STANDARD.decode(&self.hdrs).ok()?;
        Some(Read {
            seq: self.seq,
            payload: BASE64_STANDARD.decode(&self.data).ok()?.into(),
            headers: header_lines(&String::from_utf8_lossy(&headers)),
            told: Some((self.subject, self.time)),
        })
    }
}

fn header_lines(text: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in text.lines().filter_map(|line| line.split_once(':')) {
        if let (Ok(name), Ok(value)) = (
            name.parse::<async_nats::HeaderName>(),
            value.trim().parse::<async_nats::HeaderValue>(),
        ) {
            headers.append(name, value);
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_they_are_stored() {
        let headers = header_lines("NATS/1.0\r\nNats-Msg-Id: a: b\r\nX: y\r\n\r\n");
        assert_eq!(headers.get("Nats-Msg-Id").unwrap().as_str(), "a: b");
    }
}
