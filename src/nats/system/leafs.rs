//! A server's leafnode connections: `LEAFZ`.

use std::time::Duration;

use async_nats::Client;
use serde::Deserialize;
use serde_json::Value;

use super::ask;
use crate::region::observation::LeafReport;

/// The server's leafnode connections, each as it tells it.
pub(in crate::nats) async fn leafz_whole(client: &Client, timeout: Duration) -> Option<Vec<Value>> {
    #[derive(Deserialize)]
    struct Leafz {
        leafs: Option<Vec<Value>>,
    }
    Some(ask::<Leafz>(client, "LEAFZ", b"", timeout).await?.data.leafs.unwrap_or_default())
}

/// The server's leafnode connections.
pub(in crate::nats) async fn leafz(client: &Client, timeout: Duration) -> Option<Vec<LeafReport>> {
    #[derive(Deserialize)]
    struct Leafz {
        #[serde(default)]
        leafs: Option<Vec<Leaf>>,
    }
    let said = ask::<Leafz>(client, "LEAFZ", b"", timeout).await?;
    Some(said.data.leafs.unwrap_or_default().into_iter().map(Leaf::report).collect())
}

#[derive(Debug, Deserialize)]
struct Leaf {
    #[serde(default)]
    id: u64,
    #[serde(default)]
    name: String,
    #[serde(default)]
    account: String,
    #[serde(default)]
    ip: String,
    rtt: Option<String>,
    in_bytes: Option<u64>,
}

impl Leaf {
    fn report(self) -> LeafReport {
        // An id is enough to tell a connection; its name is what a proof of a cut goes by, and
        // an unnamed one of our account must count for somebody.
        let name = if self.name.is_empty() { self.account } else { self.name };
        let rtt_us = self.rtt.as_deref().and_then(go_duration_us);
        LeafReport { id: self.id, name, host: self.ip, rtt_us, in_bytes: self.in_bytes }
    }
}

/// Go's way to print a duration (`782µs`, `1.5ms`, `1m2.5s`), in microseconds.
fn go_duration_us(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        total += number
            * match &rest[..letters] {
                "ns" => 0.001,
                "µs" | "μs" | "us" => 1.0,
                "ms" => 1e3,
                "s" => 1e6,
                "m" => 60e6,
                "h" => 3600e6,
                _ => return None,
            };
        rest = &rest[letters..];
    }
    Some(total as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_durations_are_read() {
        assert_eq!(go_duration_us("782µs"), Some(782));
        assert_eq!(go_duration_us("1.5ms"), Some(1500));
        assert_eq!(go_duration_us("1m2.5s"), Some(62_500_000));
        assert_eq!(go_duration_us("0s"), Some(0));
        assert_eq!(go_duration_us("900ns"), Some(0));
        assert_eq!(go_duration_us("soon"), None);
        assert_eq!(go_duration_us("12"), None);
    }
}
