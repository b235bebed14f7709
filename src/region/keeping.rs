//! How long the stream of a zone that takes messages keeps them, as `stream` has set it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    configuration::{Limit, StreamConfig},
    format::count,
};

words! {
    /// When a stream removes a message.
    #[derive(Default, clap::ValueEnum)]
    pub enum Retention {
        /// What exceeds its limits.
        #[default]
        Limits = "limits",
        /// What every consumer of it has acknowledged.
        Interest = "interest",
    }
}

/// How long a stream keeps its messages; all of them unless something was set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Keeping {
    /// Only the newest so many (`max_msgs`); `null` for all.
    #[serde(default)]
    pub limit: Option<u64>,
    #[serde(default)]
    pub retention: Retention,
}

impl Keeping {
    /// Nothing is removed.
    #[must_use]
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }

    /// Gives a stream these settings.
    pub fn put_into(self, config: &mut StreamConfig) {
        if let Some(limit) = self.limit {
            config.max_msgs = i64::try_from(limit).unwrap_or(i64::MAX);
        }
        self.retention.as_str().clone_into(&mut config.retention);
    }

    /// Each setting, as what was made otherwise is told.
    pub fn settings(self) -> impl Iterator<Item = String> {
        let limit = self.limit.map(|limit| format!("its {} is {}", Limit::MaxMsgs, limit));
        let interest = self.retention == Retention::Interest;
        limit.into_iter().chain(interest.then(|| "its retention is interest".to_owned()))
    }

    /// What is deleted, and what ends that; `None` while nothing is.
    #[must_use]
    pub fn told(self) -> Option<String> {
        let ends = || format!("{self}: {} keeps every message again", self.undone_by());
        (!self.is_all()).then(ends)
    }

    /// The commands that end it.
    #[must_use]
    pub fn undone_by(self) -> String {
        let limit = self.limit.map(|_| "`stream limit none`");
        let interest = self.retention == Retention::Interest;
        let commands = limit.into_iter().chain(interest.then_some("`stream retention limits`"));
        commands.collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for Keeping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.limit, self.retention) {
            (None, Retention::Limits) => f.write_str("keeps every message"),
            (Some(limit), Retention::Limits) => {
                write!(f, "keeps only the newest {} messages", count(limit))
            }
            (None, Retention::Interest) => {
                f.write_str("keeps a message only until every consumer of it has it")
            }
            (Some(limit), Retention::Interest) => write!(
                f,
                "keeps a message only until every consumer of it has it, and only the newest {} messages",
                count(limit)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_says_what_it_keeps_and_what_ends_it() {
        let all = Keeping::default();
        assert!(all.is_all() && all.settings().next().is_none() && all.told().is_none());
        let both = Keeping { limit: Some(1200), retention: Retention::Interest };
        assert_eq!(both.undone_by(), "`stream limit none`, `stream retention limits`");
        let settings: Vec<_> = both.settings().collect();
        assert_eq!(settings, ["its max_msgs is 1200", "its retention is interest"]);
        assert!(both.to_string().contains("the newest 1,200 messages"), "{both}");
        let mut config = StreamConfig::default();
        both.put_into(&mut config);
        assert_eq!((config.max_msgs, config.retention.as_str()), (1200, "interest"));
        all.put_into(&mut config);
        assert_eq!(config.retention, "limits");
    }
}
