//! How a cluster that somebody else runs is reached: where it is, who logs in, with which TLS files.
//! Secrets stand here by where they come from; nothing of this prints one.

use std::path::PathBuf;

use serde::Deserialize;

use super::access::Secret;

/// One way into a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoint {
    /// Without user and password.
    pub urls: Vec<String>,
    pub credential: Credential,
    pub tls: TlsFiles,
    /// In place of `_INBOX`.
    pub inbox_prefix: Option<String>,
    pub api: Api,
}

/// As whom a connection logs in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Credential {
    #[default]
    Nobody,
    User {
        user: String,
        password: SecretSource,
    },
    Token(SecretSource),
    /// The seed of an nkey.
    Nkey(SecretSource),
    /// A file with a user's JWT and seed.
    Creds(PathBuf),
    /// A user's JWT, and its seed beside it.
    Jwt {
        jwt: SecretSource,
        seed: SecretSource,
    },
}

impl Credential {
    /// Who it is, for messages: never the secret.
    #[must_use]
    pub fn who(&self) -> String {
        match self {
            Self::Nobody => "nobody (no credentials)".into(),
            Self::User { user, .. } => format!("user {user}"),
            Self::Token(_) => "the holder of a token".into(),
            Self::Nkey(_) => "an nkey".into(),
            Self::Creds(path) => format!("the user of {}", path.display()),
            Self::Jwt { .. } => "the user of a JWT".into(),
        }
    }
}

/// Where a secret comes from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "a text, { env = \"NAME\" } or { file = \"PATH\" }")]
pub enum SecretSource {
    Value(Secret),
    Env { env: String },
    File { file: PathBuf },
}

/// The files of a TLS connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    pub ca: Option<PathBuf>,
    /// The client's certificate and its key.
    pub client: Option<(PathBuf, PathBuf)>,
    /// The handshake comes before the server's first word.
    pub first: bool,
}

impl TlsFiles {
    /// Something of it asks for TLS.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.ca.is_some() || self.client.is_some() || self.first
    }
}

/// Under which subjects a JetStream answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Api {
    /// That of the cluster which the client is connected to.
    #[default]
    Own,
    Domain(String),
    Prefix(String),
}

impl Api {
    /// The prefix of its subjects, without a dot at the end.
    #[must_use]
    pub fn prefix(&self) -> String {
        match self {
            Self::Own => "$JS.API".into(),
            Self::Domain(domain) => format!("$JS.{domain}.API"),
            Self::Prefix(prefix) => prefix.trim_end_matches('.').to_owned(),
        }
    }

    /// From a domain and a prefix, of which the prefix is the more exact.
    #[must_use]
    pub fn of(domain: Option<String>, prefix: Option<String>) -> Self {
        match (prefix.filter(|text| !text.is_empty()), domain.filter(|text| !text.is_empty())) {
            (Some(prefix), _) => Self::Prefix(prefix),
            (None, Some(domain)) => Self::Domain(domain),
            (None, None) => Self::Own,
        }
    }
}

/// URLs without user and password, and what stood in the first that had them: a token, or a user with
/// a password.
#[must_use]
pub fn without_credentials(urls: &[String]) -> (Vec<String>, Option<Credential>) {
    let mut found = None;
    let bare = urls.iter().map(|url| {
        let (scheme, rest) = url.split_once("://").unwrap_or(("nats", url));
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let Some((login, host)) = host.rsplit_once('@') else {
            return format!("{scheme}://{rest}");
        };
        let secret = |text: &str| SecretSource::Value(Secret::new(decoded(text)));
        found.get_or_insert(match login.split_once(':') {
            Some((user, password)) => {
                Credential::User { user: decoded(user), password: secret(password) }
            }
            None => Credential::Token(secret(login)),
        });
        format!("{scheme}://{host}{path}")
    });
    (bare.collect(), found)
}

/// A part of a URL with its `%41` read.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let value = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        if let Some(value) = value.filter(|_| *byte == b'%') {
            bytes.push(value);
            rest = &after[2..];
        } else {
            bytes.push(*byte);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_keeps_no_password() {
        let urls = ["nats://mira:h%40sh@one:4222".to_owned(), "two:4223".into()];
        let (bare, found) = without_credentials(&urls);
        assert_eq!(bare, ["nats://one:4222", "nats://two:4223"]);
        let password = SecretSource::Value(Secret::new("h@sh".into()));
        assert_eq!(found, Some(Credential::User { user: "mira".into(), password }));
        let (_, token) = without_credentials(&["tls://t0k@one".into()]);
        assert!(matches!(token, Some(Credential::Token(_))));
        assert_eq!(without_credentials(&["nats://one".into()]).1, None);
    }

    #[test]
    fn nothing_shows_a_secret() {
        let (_, found) = without_credentials(&["nats://mira:hush@one".into()]);
        let shown = format!("{found:?} {}", found.as_ref().unwrap().who());
        assert!(!shown.contains("hush") && shown.contains("mira"), "{shown}");
    }
}
