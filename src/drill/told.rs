//! What the leaders of a zone's stream and consumer say, asked in another way than the room watches
//! them: by the API that any client has, at one moment at the end of a drill.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::region::{
    ZoneName,
    status::{Zone, value_at},
};

/// Figures by their place in the zone's part of `status --json`.
pub type Told = BTreeMap<String, u64>;

/// Where each figure stands in the status, and where the servers' answer has it.
const STREAM: [(&str, &str); 5] = [
    ("stream.messages", "/state/messages"),
    ("stream.bytes", "/state/bytes"),
    ("stream.first_seq", "/state/first_seq"),
    ("stream.last_seq", "/state/last_seq"),
    ("stream.num_deleted", "/state/num_deleted"),
];
const CONSUMER: [(&str, &str); 5] = [
    ("consumer.delivered", "/delivered/stream_seq"),
    ("consumer.ack_floor", "/ack_floor/stream_seq"),
    ("consumer.pending", "/num_pending"),
    ("consumer.unacked", "/num_ack_pending"),
    ("consumer.redelivered", "/num_redelivered"),
];
/// Replicas that are current; counted, not found at one place.
const CURRENT: &str = "stream.replicas_current";
/// Where a zone counts by itself, its own count stands beside what is read as the source's.
const OWN: [(&str, &str); 2] =
    [("stream.last_seq", "stream.own_last_seq"), ("consumer.delivered", "consumer.own_delivered")];
/// Then these are the source's on screen, and the zone's own in its answer.
const TRANSLATED: [&str; 2] = ["stream.first_seq", "consumer.ack_floor"];

/// Reads the answers to `STREAM.INFO` and `CONSUMER.INFO`; `renumbers` of a zone that counts by itself.
#[must_use]
pub fn read(stream: &Value, consumer: &Value, renumbers: bool) -> Told {
    let mut told = Told::new();
    for (places, answer) in [(&STREAM, stream), (&CONSUMER, consumer)] {
        for (place, pointer) in places {
            // What is 0 is left out of some answers.
            let value = answer.pointer(pointer).map_or(Some(0), Value::as_u64);
            let own = OWN.iter().find(|(read, _)| renumbers && read == place);
            let place = own.map_or(*place, |(_, own)| own);
            if let Some(value) = value.filter(|_| !(renumbers && TRANSLATED.contains(&place))) {
                told.insert(place.to_owned(), value);
            }
        }
    }
    let replicas = stream.pointer("/cluster/replicas").and_then(Value::as_array);
    let current = replicas.into_iter().flatten().filter(|one| one["current"] == true).count();
    told.insert(CURRENT.to_owned(), current as u64 + 1);
    told
}

/// A figure on screen that is not what the servers say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Differs {
    pub figure: String,
    /// On screen; `None` where it is unknown.
    pub shown: Option<u64>,
    pub told: u64,
}

/// The figures of a zone as it is shown that differ from what its servers told.
#[must_use]
pub fn compare(zone: &Zone, told: &Told) -> Vec<Differs> {
    let document = serde_json::to_value(zone).unwrap_or_default();
    let shown = |place: &str| value_at(&document, place).and_then(|value| value.as_u64());
    let all = told.iter().map(|(place, told)| (place, shown(place), *told));
    all.filter(|(_, shown, told)| *shown != Some(*told))
        .map(|(place, shown, told)| Differs { figure: place.clone(), shown, told })
        .collect()
}

/// How far a zone is behind the source, by what both told.
#[must_use]
pub fn lag(source: &Told, zone: &Told) -> Option<u64> {
    let last = |told: &Told| told.get("stream.last_seq").copied();
    last(source)?.checked_sub(last(zone)?)
}

/// What is told of zones, by their names.
pub type ToldOf = BTreeMap<ZoneName, Told>;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answers() -> (Value, Value) {
        let state = json!({ "messages": 9, "bytes": 900, "first_seq": 1, "last_seq": 9 });
        let replicas = json!([{ "current": true }, { "current": false }]);
        let stream = json!({ "state": state, "cluster": { "replicas": replicas } });
        let floors = json!({ "stream_seq": 8 });
        let consumer =
            json!({ "delivered": { "stream_seq": 9 }, "ack_floor": floors, "num_pending": 1 });
        (stream, consumer)
    }

    #[test]
    fn every_figure_is_read_and_what_is_left_out_is_none() {
        let (stream, consumer) = answers();
        let told = read(&stream, &consumer, false);
        assert_eq!(told.len(), 11);
        assert_eq!((told["stream.bytes"], told["consumer.ack_floor"]), (900, 8));
        assert_eq!((told["stream.num_deleted"], told["stream.replicas_current"]), (0, 2));
        let own = read(&stream, &consumer, true);
        assert_eq!((own["stream.own_last_seq"], own["consumer.own_delivered"]), (9, 9));
        assert!(!own.contains_key("stream.last_seq") && !own.contains_key("consumer.ack_floor"));
        assert_eq!(lag(&told, &read(&stream, &consumer, false)), Some(0));
        assert_eq!(lag(&told, &own), None);
    }
}
