//! The JSON schema of the document, and what of it can be compared.

use std::sync::LazyLock;

use schemars::{JsonSchema, Schema, generate::SchemaSettings};
use serde::Serialize;
use serde_json::Value;

use super::{Alarm, Phase, Status};

/// What `status --json` prints: the document, and what follows from it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Status")]
struct Document<'a> {
    #[serde(flatten)]
    status: &'a Status,
    /// The word for the region: `OK`, or that of its worst alarm; `null` while it is not up.
    word: Option<String>,
    /// What is wrong now, the worst first.
    alarms: Vec<Alarm>,
}

impl Status {
    /// The status as JSON, as it is printed and as conditions read it.
    #[must_use]
    pub fn document(&self) -> Value {
        let alarms = self.alarms();
        let word = (self.phase == Phase::Up).then(|| Self::word(&alarms));
        serde_json::to_value(Document { status: self, word, alarms }).unwrap_or(Value::Null)
    }
}

/// Ages that are computed from moments of the document: the age, its moment, and whether the moment
/// is still to come.
const AGES: [(&str, &[&str], bool); 4] = [
    ("age_ms", &["told_at_ms", "answered_at_ms"], false),
    ("since_ms", &["since_at_ms"], false),
    ("silent_ms", &["heard_at_ms"], false),
    ("heals_in_ms", &["heals_at_ms"], true),
];

/// The schema of `status --json`, as `status --schema` prints it.
#[must_use]
pub fn schema() -> &'static Schema {
    static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
        let settings = SchemaSettings::draft2020_12().for_serialize();
        settings.into_generator().into_root_schema_for::<Document<'_>>()
    });
    &SCHEMA
}

/// Whether a path (`zones.b.consumer.ack_floor`) leads to one value that can be compared.
#[must_use]
pub fn is_comparable(path: &str) -> bool {
    let root = schema().as_value();
    let mut here = root;
    let mut parts = path.split('.').peekable();
    while let Some(part) = parts.next() {
        here = resolved(root, here);
        if let Some(items) = here.get("items") {
            // Items of a list are found by their name.
            here = resolved(root, items);
            if here["properties"].get("name").is_none() || parts.peek().is_none() {
                return false;
            }
            continue;
        }
        if let Some(next) = here["properties"].get(part) {
            here = next;
            continue;
        }
        let has = |moment: &&str| here["properties"].get(moment).is_some();
        let age = AGES.iter().find(|(age, ..)| *age == part);
        return parts.peek().is_none()
            && age.is_some_and(|(_, moments, _)| moments.iter().any(has));
    }
    let leaf = resolved(root, here);
    leaf.get("properties").is_none() && leaf.get("items").is_none()
}

/// What a field is, in the words of its type; names of zones are left out of the path
/// (`zones.consumer.ack_floor`).
#[must_use]
pub fn meaning(path: &str) -> Option<&'static str> {
    let root = schema().as_value();
    let mut here = root;
    for part in path.split('.') {
        let object = resolved(root, here);
        let object = object.get("items").map_or(object, |items| resolved(root, items));
        here = object["properties"].get(part)?;
    }
    here["description"].as_str()
}

/// What stands at a path of a document; nothing for `null`. Zones are found by name.
#[must_use]
pub fn value_at(document: &Value, path: &str) -> Option<Value> {
    let mut here = document;
    let mut parts = path.split('.').peekable();
    while let Some(part) = parts.next() {
        here = match here {
            Value::Array(items) => items.iter().find(|item| item["name"] == part)?,
            Value::Object(fields) => match fields.get(part) {
                Some(field) => field,
                None if parts.peek().is_none() => return age(document, here, part),
                None => return None,
            },
            _ => return None,
        };
    }
    Some(here.clone()).filter(|value| !value.is_null())
}

fn age(document: &Value, of: &Value, name: &str) -> Option<Value> {
    let (_, moments, to_come) = AGES.iter().find(|(age, ..)| *age == name)?;
    let now = document["at_ms"].as_u64()?;
    let moment = moments.iter().find_map(|moment| of[*moment].as_u64())?;
    let age = if *to_come { moment.saturating_sub(now) } else { now.saturating_sub(moment) };
    Some(age.into())
}

/// Follows a reference, and takes the type out of "this or null".
fn resolved<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return resolved(root, &root["$defs"][name]);
    }
    let other =
        schema["anyOf"].as_array().and_then(|list| list.iter().find(|one| one["type"] != "null"));
    other.map_or(schema, |other| resolved(root, other))
}
