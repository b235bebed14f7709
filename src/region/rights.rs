//! What an account's user may do in a cluster, as the server tells it, and what it would need for each
//! purpose: as the lines of a configuration, and as the command that puts them into a JWT.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

/// The permissions of a user; empty lists allow everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Permissions {
    pub publish: Lists,
    pub subscribe: Lists,
}

/// Subjects, with wildcards, that are allowed and denied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Lists {
    pub allow: Vec<String>,
    pub deny: Vec<String>,
}

impl Lists {
    fn permit(&self, subject: &str) -> bool {
        let allowed = self.allow.is_empty() || self.allow.iter().any(|by| covers(by, subject));
        allowed && !self.deny.iter().any(|by| meets(by, subject))
    }
}

impl Permissions {
    /// Whether everything under a line's subject is permitted.
    #[must_use]
    pub fn permit(&self, line: &Line) -> bool {
        match line.way {
            Way::Publish => self.publish.permit(&line.subject),
            Way::Subscribe => self.subscribe.permit(&line.subject),
        }
    }
}

/// Whether every subject of `narrow` is one of `wide`; both may have wildcards.
fn covers(wide: &str, narrow: &str) -> bool {
    // A list may name a queue after the subject.
    let mut wide = wide.split(' ').next().unwrap_or_default().split('.');
    let mut narrow = narrow.split('.');
    loop {
        match (wide.next(), narrow.next()) {
            (None, None) | (Some(">"), Some(_)) => return true,
            (Some("*"), Some(token)) if token != ">" => {}
            (Some(one), Some(other)) if one == other => {}
            _ => return false,
        }
    }
}

/// Whether some subject is one of both.
#[must_use]
pub fn meets(one: &str, other: &str) -> bool {
    let (mut one, mut other) = (one.split('.'), other.split('.'));
    loop {
        match (one.next(), other.next()) {
            (None, None) | (Some(">"), Some(_)) | (Some(_), Some(">")) => return true,
            (Some(a), Some(b)) if a == b || a == "*" || b == "*" => {}
            _ => return false,
        }
    }
}

/// Which way a message goes, as seen from the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    Publish,
    Subscribe,
}

/// One line of permissions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Line {
    pub way: Way,
    pub subject: String,
}

impl Line {
    /// To publish on a subject.
    #[must_use]
    pub fn publish(subject: impl Into<String>) -> Self {
        Self { way: Way::Publish, subject: subject.into() }
    }

    /// To subscribe to a subject.
    #[must_use]
    pub fn subscribe(subject: impl Into<String>) -> Self {
        Self { way: Way::Subscribe, subject: subject.into() }
    }
}

words! {
    /// What one may want to do in a zone, as columns stand.
    #[derive(PartialOrd, Ord)]
    pub enum Purpose {
        Observe = "observe",
        Produce = "produce",
        Consume = "consume",
        Verify = "verify",
        Drill = "drill",
        Cut = "cut",
    }
}

/// What a zone's user deals with, from which the lines follow.
#[derive(Clone, Debug, Default)]
pub struct Dealings {
    /// The prefix of JetStream's API.
    pub api: String,
    /// What inboxes begin with.
    pub inbox: String,
    pub stream: String,
    pub consumers: Vec<String>,
    /// Where drill messages go; at the source only.
    pub subject: Option<String>,
    /// The stream serves direct gets in batches.
    pub direct: bool,
    /// Durable consumers of this stream that copies of it pull over and that a cut would pause.
    pub pausable: Vec<String>,
}

impl Dealings {
    /// The lines that a purpose needs; none where it does not come up here.
    #[must_use]
    pub fn lines(&self, purpose: Purpose) -> Vec<Line> {
        let Self { api, stream, .. } = self;
        match purpose {
            Purpose::Observe => {
                let infos = self.consumers.iter().map(|consumer| {
                    Line::publish(format!("{api}.CONSUMER.INFO.{stream}.{consumer}"))
                });
                [
                    Line::publish(USER_INFO),
                    Line::publish(format!("{api}.STREAM.INFO.{stream}")),
                    Line::publish(STATZ),
                ]
                .into_iter()
                .chain(infos)
                .chain([self.answers()])
                .collect()
            }
            Purpose::Produce => {
                let subject = self.subject.iter().map(Line::publish);
                subject.flat_map(|line| [line, self.answers()]).collect()
            }
            Purpose::Consume => {
                let consumers = self.consumers.iter().flat_map(|consumer| {
                    [
                        Line::publish(format!("{api}.CONSUMER.MSG.NEXT.{stream}.{consumer}")),
                        Line::publish(format!("$JS.ACK.{stream}.{consumer}.>")),
                        self.answers(),
                    ]
                });
                consumers.collect()
            }
            Purpose::Verify => vec![
                Line::publish(format!("{api}.STREAM.INFO.{stream}")),
                Line::publish(self.get()),
                self.answers(),
            ],
            // The name of the consumer that a drill makes is another one each time.
            Purpose::Drill => vec![
                Line::publish(format!("{api}.CONSUMER.CREATE.{stream}.>")),
                Line::publish(format!("{api}.CONSUMER.DELETE.{stream}.*")),
                Line::publish(format!("{api}.CONSUMER.INFO.{stream}.*")),
                Line::publish(format!("{api}.CONSUMER.LIST.{stream}")),
                Line::publish(format!("{api}.CONSUMER.MSG.NEXT.{stream}.*")),
                Line::publish(format!("$JS.ACK.{stream}.>")),
                self.answers(),
            ],
            Purpose::Cut => self
                .pausable
                .iter()
                .map(|durable| Line::publish(format!("{api}.CONSUMER.PAUSE.{stream}.{durable}")))
                .collect(),
        }
    }

    /// The subject on which messages are read.
    #[must_use]
    pub fn get(&self) -> String {
        let Self { api, stream, .. } = self;
        if self.direct {
            format!("{api}.DIRECT.GET.{stream}")
        } else {
            format!("{api}.STREAM.MSG.GET.{stream}")
        }
    }

    fn answers(&self) -> Line {
        Line::subscribe(format!("{}.>", self.inbox))
    }
}

/// Tells one's own permissions.
pub const USER_INFO: &str = "$SYS.REQ.USER.INFO";
/// Tells of the account's connections, leafnodes among them.
pub const STATZ: &str = "$SYS.REQ.ACCOUNT.PING.STATZ";

/// Lines as a user's permissions in a server's configuration.
#[must_use]
pub fn as_configuration(lines: &[Line]) -> String {
    let list = |way: Way| {
        let of_it = lines.iter().filter(|line| line.way == way);
        let quoted: Vec<String> = of_it.map(|line| format!("\"{}\"", line.subject)).collect();
        quoted.join(", ")
    };
    let mut parts = Vec::new();
    for (word, way) in [("publish", Way::Publish), ("subscribe", Way::Subscribe)] {
        let list = list(way);
        if !list.is_empty() {
            parts.push(format!("{word}: {{allow: [{list}]}}"));
        }
    }
    format!("permissions: {{{}}}", parts.join(", "))
}

/// Lines as the `nsc` command that puts them into a user's JWT.
#[must_use]
pub fn as_nsc(account: &str, user: &str, lines: &[Line]) -> String {
    let mut out = format!("nsc edit user --account {account} --name {user}");
    for line in lines {
        let flag = match line.way {
            Way::Publish => "--allow-pub",
            Way::Subscribe => "--allow-sub",
        };
        let _ = write!(out, " {flag} '{}'", line.subject);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permissions(allow: &[&str], deny: &[&str]) -> Permissions {
        let texts = |all: &[&str]| all.iter().map(|&text| text.to_owned()).collect();
        let lists = Lists { allow: texts(allow), deny: texts(deny) };
        Permissions { publish: lists, subscribe: Lists::default() }
    }

    #[test]
    fn a_list_permits_what_it_covers_and_does_not_deny() {
        for (allow, deny, subject, permitted) in [
            (&[][..], &[][..], "a.b", true),
            (&["a.>"], &[], "a.b.c", true),
            (&["a.>"], &[], "a", false),
            (&["a.*"], &[], "a.b.c", false),
            (&["a.*.c"], &[], "a.b.c", true),
            (&["a.b"], &[], "a.>", false),
            (&["a.>"], &[], "a.>", true),
            (&["a.*"], &[], "a.>", false),
            (&["x", "a.b"], &[], "a.b", true),
            (&["a.>"], &["a.b"], "a.b", false),
            (&["a.>"], &["a.b"], "a.c", true),
            (&[], &["a.b"], "a.>", false),
            (&[], &["$JS.>"], "$JS.API.INFO", false),
        ] {
            let line = Line::publish(subject);
            assert_eq!(
                permissions(allow, deny).permit(&line),
                permitted,
                "{allow:?} {deny:?} {subject}"
            );
        }
    }

    #[test]
    fn subjects_meet_where_one_subject_is_of_both() {
        for (one, other, meet) in [
            ("a.*", "a.b", true),
            ("a.*", "*.b", true),
            ("a.>", "a.b.c", true),
            ("a.b", "a.c", false),
            ("R.a.>", "R.b.>", false),
            ("a", "a.b", false),
            (">", "a", true),
        ] {
            assert_eq!((meets(one, other), meets(other, one)), (meet, meet), "{one} {other}");
        }
    }

    #[test]
    fn lines_are_written_for_a_server_and_for_nsc() {
        let dealings = Dealings {
            api: "$JS.API".into(),
            inbox: "_INBOX".into(),
            stream: "S".into(),
            direct: true,
            ..Dealings::default()
        };
        let lines = dealings.lines(Purpose::Verify);
        assert_eq!(
            as_configuration(&lines),
            r#"permissions: {publish: {allow: ["$JS.API.STREAM.INFO.S", "$JS.API.DIRECT.GET.S"]}, subscribe: {allow: ["_INBOX.>"]}}"#
        );
        assert_eq!(
            as_nsc("APP", "mira", &lines[1..]),
            "nsc edit user --account APP --name mira --allow-pub '$JS.API.DIRECT.GET.S' --allow-sub '_INBOX.>'"
        );
        assert!(dealings.lines(Purpose::Produce).is_empty());
    }
}
