//! What a drill waits for: comparisons over the documented `status --json`.
//!
//! `zones.b.link.effective == true`, `new zones.b.ledger.received >= 100` (since the drill began),
//! `zones.a.consumer.ack_floor == zones.b.consumer.ack_floor`, and several joined by `and`.
//! What is unknown (null, or not there) meets no comparison, not even `!=`.

use std::{cmp::Ordering, fmt};

use serde_json::Value;

use crate::region::status::{is_comparable, value_at};

/// Comparisons that must all hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    text: String,
    clauses: Vec<Clause>,
}

#[derive(Clone, Debug, PartialEq)]
struct Clause {
    left: Operand,
    is: Is,
    right: Operand,
}

#[derive(Clone, Debug, PartialEq)]
enum Operand {
    Value(Value),
    /// A place in the status; with `new` what was added there since the drill began.
    Path {
        new: bool,
        path: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Is {
    Equal,
    Not,
    Least,
    Most,
    More,
    Less,
}

/// What a look at the status said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub met: bool,
    /// What stands there, in words.
    pub seen: String,
}

/// Why a text is not a condition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    /// Not of the form.
    #[error(
        "`{0}` is not a comparison: write PATH == VALUE (also !=, >=, <=, >, <), joined by `and`"
    )]
    Form(String),
    #[error("`{0}` is not in the status: look at `status --json` for what is")]
    Path(String),
    /// Neither number, word, nor path.
    #[error("`{0}` is neither a number, true, false, a 'word' nor a path")]
    Value(String),
}

/// Two-character signs first: `>=` is not `>`.
const SIGNS: [(&str, Is); 6] = [
    ("==", Is::Equal),
    ("!=", Is::Not),
    (">=", Is::Least),
    ("<=", Is::Most),
    (">", Is::More),
    ("<", Is::Less),
];

impl Condition {
    /// Reads one.
    ///
    /// # Errors
    /// When it is none, or names what is not in the status.
    pub fn parse(text: &str) -> Result<Self, ConditionError> {
        let clauses = text.split(" and ").map(Clause::parse).collect::<Result<_, _>>()?;
        Ok(Self { text: text.to_owned(), clauses })
    }

    /// One that cannot be read yet, because its placeholders are not filled: never met.
    pub(in crate::drill) fn unfilled(text: &str) -> Self {
        Self { text: text.to_owned(), clauses: Vec::new() }
    }

    /// It compares a field of that name, or one under it.
    #[must_use]
    pub fn reads(&self, field: &str) -> bool {
        let of = |operand: &Operand| match operand {
            Operand::Path { path, .. } => path.split('.').any(|part| part == field),
            Operand::Value(_) => false,
        };
        self.clauses.iter().any(|clause| of(&clause.left) || of(&clause.right))
    }

    /// Looks at a status; `start` is the one of the drill's beginning.
    #[must_use]
    pub fn holds(&self, now: &Value, start: &Value) -> Held {
        let looked: Vec<(Option<bool>, String)> =
            self.clauses.iter().map(|clause| clause.look(now, start)).collect();
        Held {
            met: !looked.is_empty() && looked.iter().all(|(met, _)| *met == Some(true)),
            seen: looked.into_iter().map(|(_, seen)| seen).collect::<Vec<_>>().join(", "),
        }
    }

    /// Certainly false: some comparison of known things does not hold.
    pub(in crate::drill) fn fails(&self, now: &Value, start: &Value) -> bool {
        self.clauses.iter().any(|clause| clause.look(now, start).0 == Some(false))
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl Clause {
    fn parse(text: &str) -> Result<Self, ConditionError> {
        let found = SIGNS
            .iter()
            .filter_map(|(sign, is)| text.find(sign).map(|at| (at, *sign, *is)))
            .min_by_key(|(at, sign, _)| (*at, std::cmp::Reverse(sign.len())));
        let Some((at, sign, is)) = found else {
            return Err(ConditionError::Form(text.trim().to_owned()));
        };
        let left = Operand::parse(&text[..at])?;
        let right = Operand::parse(&text[at + sign.len()..])?;
        if matches!(left, Operand::Value(_)) {
            return Err(ConditionError::Form(text.trim().to_owned()));
        }
        Ok(Self { left, is, right })
    }

    /// Whether it holds (`None`: something is unknown, or cannot be compared), and what was seen.
    fn look(&self, now: &Value, start: &Value) -> (Option<bool>, String) {
        let (left, right) = (self.left.value(now, start), self.right.value(now, start));
        let order = left.as_ref().zip(right.as_ref()).and_then(|(l, r)| order(l, r));
        let met = order.map(|order| match self.is {
            Is::Equal => order.is_eq(),
            Is::Not => order.is_ne(),
            Is::Least => order.is_ge(),
            Is::Most => order.is_le(),
            Is::More => order.is_gt(),
            Is::Less => order.is_lt(),
        });
        let mut seen = format!("{} is {}", self.left, word(left.as_ref()));
        if matches!(self.right, Operand::Path { .. }) {
            seen = format!("{seen}, {} is {}", self.right, word(right.as_ref()));
        }
        (met, seen)
    }
}

impl Operand {
    fn parse(text: &str) -> Result<Self, ConditionError> {
        let text = text.trim();
        if let Some(word) = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
            return Ok(Self::Value(word.into()));
        }
        if let Ok(value @ (Value::Number(_) | Value::Bool(_))) = serde_json::from_str(text) {
            return Ok(Self::Value(value));
        }
        let (new, path) = match text.strip_prefix("new ") {
            Some(path) => (true, path.trim()),
            None => (false, text),
        };
        if path.contains(' ') {
            return Err(ConditionError::Value(text.to_owned()));
        }
        if !is_comparable(path) {
            return Err(ConditionError::Path(path.to_owned()));
        }
        Ok(Self::Path { new, path: path.to_owned() })
    }

    fn value(&self, now: &Value, start: &Value) -> Option<Value> {
        match self {
            Self::Value(value) => Some(value.clone()),
            Self::Path { new: false, path } => value_at(now, path),
            Self::Path { new: true, path } => {
                let (now, start) = (value_at(now, path)?, value_at(start, path)?);
                let whole = now.as_i64().zip(start.as_i64()).and_then(|(a, b)| a.checked_sub(b));
                match whole {
                    Some(added) => Some(added.into()),
                    None => Some((now.as_f64()? - start.as_f64()?).into()),
                }
            }
        }
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(value) => write!(f, "{value}"),
            Self::Path { new: true, path } => write!(f, "new {path}"),
            Self::Path { new: false, path } => f.write_str(path),
        }
    }
}

/// How two values compare; nothing if they cannot be.
fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => match (left.as_i128(), right.as_i128()) {
            (Some(left), Some(right)) => Some(left.cmp(&right)),
            _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
        },
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

fn word(value: Option<&Value>) -> String {
    match value {
        None => "unknown".into(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn status(received: u64, lag: Option<u64>) -> Value {
        json!({
            "phase": "up",
            "zones": [
                { "name": "a", "ledger": { "received": 40 } },
                { "name": "b", "ledger": { "received": received },
                  "mirror": { "true_lag": lag, "state": "streaming" },
                  "link": { "effective": true } },
            ],
        })
    }

    fn look(text: &str, lag: Option<u64>) -> Held {
        Condition::parse(text).unwrap().holds(&status(140, lag), &status(40, None))
    }

    #[test]
    fn comparisons_are_read_and_made() {
        for (text, met) in [
            ("new zones.b.ledger.received >= 100", true),
            ("new zones.b.ledger.received > 100", false),
            ("zones.b.ledger.received != 140", false),
            ("zones.b.link.effective == true", true),
            ("zones.b.link.effective == true and zones.b.mirror.true_lag <= 3", true),
            ("zones.b.link.effective == false and zones.b.mirror.true_lag <= 3", false),
            ("zones.b.mirror.state == 'streaming'", true),
            ("zones.a.ledger.received < zones.b.ledger.received", true),
            ("new zones.a.ledger.received == 0", true),
        ] {
            assert_eq!(look(text, Some(3)).met, met, "{text}");
        }
    }

    #[test]
    fn any_part_of_a_condition_reads_a_field_and_fails() {
        let text = "zones.a.ledger.received == 40 and zones.b.mirror.true_lag == 0";
        let both = Condition::parse(text).unwrap();
        assert!(both.reads("ledger") && both.reads("true_lag") && !both.reads("link"));
        assert!(both.fails(&status(140, Some(1)), &status(40, None)));
        assert!(!both.fails(&status(140, None), &status(40, None)));
    }

    #[test]
    fn numbers_compare_as_they_are() {
        let big = 1u64 << 53;
        assert_eq!(order(&json!(big), &json!(big + 1)), Some(Ordering::Less));
        assert_eq!(order(&json!(1.5), &json!(1)), Some(Ordering::Greater));
        let added = Operand::Path { new: true, path: "cost".into() };
        assert_eq!(added.value(&json!({"cost": 2.5}), &json!({"cost": 1})), Some(json!(1.5)));
    }

    #[test]
    fn what_is_unknown_meets_nothing() {
        for sign in ["==", "!=", ">=", "<=", ">", "<"] {
            for text in [
                format!("zones.b.mirror.true_lag {sign} 0"),
                format!("new zones.b.mirror.true_lag {sign} 0"),
                format!("zones.z.ledger.received {sign} 0"),
                format!("zones.b.ledger.received {sign} true"),
            ] {
                assert!(!look(&text, None).met, "{text}");
            }
        }
        let held = look("zones.b.mirror.true_lag == 0", None);
        assert_eq!(held.seen, "zones.b.mirror.true_lag is unknown");
    }

    #[test]
    fn what_is_seen_is_said() {
        let held = look("new zones.b.ledger.received >= zones.a.ledger.received", None);
        assert_eq!(held.seen, "new zones.b.ledger.received is 100, zones.a.ledger.received is 40");
    }

    #[test]
    fn mistakes_are_refused() {
        for text in [
            "",
            "zones.b.link",
            "5 == 5",
            "zones.b.link.efective == true",
            "phase == up up",
            "zone == 1",
        ] {
            assert!(Condition::parse(text).is_err(), "{text}");
        }
        let refused = Condition::parse("zones.b.ledger.received or more == 1").unwrap_err();
        assert!(matches!(refused, ConditionError::Value(_)), "{refused}");
        let error = Condition::parse("zones.b.link.efective == true").unwrap_err();
        assert!(error.to_string().starts_with("`zones.b.link.efective` is not in the status"));
    }
}
