//! What a report quotes of a drill's script.

use crate::drill::conclusions;

/// The words of a script that a report quotes. Anything it does not find it leaves empty: the
/// script's rules are the law's business.
#[derive(Default)]
pub(super) struct Narrative {
    pub(super) claim: String,
    pub(super) conclusion: Option<u8>,
    pub(super) steps: Vec<(String, String)>,
}

impl Narrative {
    pub(super) fn of(script: &str) -> Self {
        let Ok(table) = script.parse::<toml::Table>() else { return Self::default() };
        let text = |table: &toml::Table, names: &[&str]| {
            names
                .iter()
                .find_map(|name| table.get(*name)?.as_str())
                .map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
                .unwrap_or_default()
        };
        let steps = ["steps", "step"].iter().find_map(|name| table.get(*name)?.as_array());
        let conclusion = table
            .get("conclusion")
            .and_then(toml::Value::as_integer)
            .and_then(|number| u8::try_from(number).ok());
        let claim = conclusions::required(conclusion)
            .map_or_else(|| text(&table, &["claim"]), |required| required.claim.to_owned());
        Self {
            claim,
            conclusion,
            steps: steps
                .into_iter()
                .flatten()
                .map(|step| {
                    let none = toml::Table::new();
                    let step = step.as_table().unwrap_or(&none);
                    (text(step, &["does", "do"]), text(step, &["expect"]))
                })
                .collect(),
        }
    }
}
