//! A context of the `nats` command line: the JSON of its file, and the way into a cluster it means.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize, Serializer};

use super::{
    access::Secret,
    endpoint::{Api, Credential, Endpoint, SecretSource, TlsFiles, without_credentials},
};

/// Where a client without a URL looks.
const DEFAULT_URL: &str = "nats://127.0.0.1:4222";

/// The file. What the `nats` command line keeps beside these fields says nothing of the connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NatsContext {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// One or more, with commas between them.
    pub url: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub user: String,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "in_clear")]
    pub password: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "in_clear")]
    pub token: Option<Secret>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub creds: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub nkey: String,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "in_clear")]
    pub user_jwt: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "in_clear")]
    pub user_seed: Option<Secret>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cert: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub key: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub ca: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub nsc: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub socks_proxy: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub jetstream_domain: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub jetstream_api_prefix: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub inbox_prefix: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub tls_first: bool,
}

/// A context's file is where the `nats` command line expects the secret itself.
#[allow(clippy::ref_option)] // serde calls it with the field.
fn in_clear<S: Serializer>(secret: &Option<Secret>, to: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(Secret::reveal).serialize(to)
}

/// Why a context cannot be used here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContextError {
    #[error(
        "it looks its credentials up with `nsc` ({0}), a program that zonedrill does not run: name a creds file in it (`nsc generate creds` writes one)"
    )]
    Nsc(String),
    #[error(
        "it goes through a SOCKS proxy ({0}), which zonedrill does not speak: name an address that is reached directly, such as that of a port-forward"
    )]
    Socks(String),
    #[error("it has a `cert` without a `key`, or a `key` without a `cert`: TLS needs both")]
    HalfCertificate,
    #[error("it has a `user_jwt` without a seed: name the seed's file in `nkey`, or use `creds`")]
    JwtWithoutSeed,
}

impl NatsContext {
    /// The way in: user before creds before nkey before token, as the `nats` command line has it. `home`
    /// stands for `~` in paths.
    ///
    /// # Errors
    /// When it needs what zonedrill does not have.
    pub fn endpoint(&self, home: Option<&Path>) -> Result<Endpoint, ContextError> {
        if !self.nsc.is_empty() {
            return Err(ContextError::Nsc(self.nsc.clone()));
        }
        if !self.socks_proxy.is_empty() {
            let (bare, _) = without_credentials(std::slice::from_ref(&self.socks_proxy));
            return Err(ContextError::Socks(bare.concat()));
        }
        let path = |text: &str| expanded(text, home);
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let urls: Vec<String> = self
            .url
            .split(',')
            .map(str::trim)
            .filter(|url| !url.is_empty())
            .map(str::to_owned)
            .collect();
        let urls = if urls.is_empty() { vec![DEFAULT_URL.to_owned()] } else { urls };
        let (urls, in_url) = without_credentials(&urls);
        let secret = |secret: &Secret| SecretSource::Value(secret.clone());
        let nkey = || SecretSource::File { file: path(&self.nkey) };
        let credential = if let Some(found) = in_url {
            found
        } else if !self.user.is_empty() {
            let password = self.password.clone().unwrap_or_else(|| Secret::new(String::new()));
            Credential::User { user: self.user.clone(), password: SecretSource::Value(password) }
        } else if !self.creds.is_empty() {
            Credential::Creds(path(&self.creds))
        } else if let Some(jwt) = &self.user_jwt {
            let seed = match &self.user_seed {
                Some(seed) => secret(seed),
                None if self.nkey.is_empty() => return Err(ContextError::JwtWithoutSeed),
                None => nkey(),
            };
            Credential::Jwt { jwt: secret(jwt), seed }
        } else if !self.nkey.is_empty() {
            Credential::Nkey(nkey())
        } else if let Some(token) = &self.token {
            Credential::Token(secret(token))
        } else {
            Credential::Nobody
        };
        let client = match (self.cert.is_empty(), self.key.is_empty()) {
            (true, true) => None,
            (false, false) => Some((path(&self.cert), path(&self.key))),
            _ => return Err(ContextError::HalfCertificate),
        };
        let ca = given(&self.ca).map(|ca| path(&ca));
        Ok(Endpoint {
            urls,
            credential,
            tls: TlsFiles { ca, client, first: self.tls_first },
            inbox_prefix: given(&self.inbox_prefix),
            api: Api::of(given(&self.jetstream_domain), given(&self.jetstream_api_prefix)),
        })
    }
}

/// A path with `~` as a shell reads it.
#[must_use]
pub fn expanded(text: &str, home: Option<&Path>) -> PathBuf {
    match (text.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(json: &str) -> Result<Endpoint, ContextError> {
        let context: NatsContext = serde_json::from_str(json).unwrap();
        context.endpoint(Some(Path::new("/home/mira")))
    }

    #[test]
    fn the_precedence_is_that_of_the_nats_command_line() {
        let all = r#"{"user":"u","password":"p","creds":"~/c","nkey":"/n","token":"t","url":"a:1, tls://b:2"}"#;
        let found = endpoint(all).unwrap();
        assert_eq!(found.urls, ["nats://a:1", "tls://b:2"]);
        assert!(matches!(&found.credential, Credential::User { user, .. } if user == "u"));
        let creds = endpoint(r#"{"creds":"~/c","nkey":"/n","token":"t"}"#).unwrap();
        assert_eq!(creds.credential, Credential::Creds("/home/mira/c".into()));
        assert_eq!(creds.urls, [DEFAULT_URL]);
        let nkey = endpoint(r#"{"nkey":"/n","token":"t"}"#).unwrap().credential;
        assert_eq!(nkey, Credential::Nkey(SecretSource::File { file: "/n".into() }));
        let token = endpoint(r#"{"token":"t"}"#).unwrap().credential;
        assert!(matches!(token, Credential::Token(_)));
        let jwt = endpoint(r#"{"user_jwt":"j","nkey":"/n"}"#).unwrap().credential;
        assert!(matches!(jwt, Credential::Jwt { .. }));
        let api = endpoint(r#"{"jetstream_domain":"eu","inbox_prefix":"_IN"}"#).unwrap();
        assert_eq!((api.api.prefix(), api.inbox_prefix), ("$JS.eu.API".into(), Some("_IN".into())));
    }

    #[test]
    fn what_needs_another_program_is_refused_in_words() {
        let nsc = endpoint(r#"{"nsc":"nsc://o/a/u"}"#).unwrap_err().to_string();
        assert!(nsc.contains("nsc generate creds"), "{nsc}");
        let socks =
            endpoint(r#"{"socks_proxy":"socks5://u:hush@p:1080"}"#).unwrap_err().to_string();
        assert!(socks.contains("SOCKS proxy (socks5://p:1080)"), "{socks}");
        assert_eq!(endpoint(r#"{"cert":"c"}"#), Err(ContextError::HalfCertificate));
        assert_eq!(endpoint(r#"{"user_jwt":"j"}"#), Err(ContextError::JwtWithoutSeed));
    }

    #[test]
    fn a_context_is_written_with_its_password_and_shown_without() {
        let password = Some(Secret::new("hush".into()));
        let context =
            NatsContext { url: "x".into(), user: "u".into(), password, ..NatsContext::default() };
        let written = serde_json::to_string(&context).unwrap();
        assert_eq!(written, r#"{"url":"x","user":"u","password":"hush"}"#);
        assert!(!format!("{context:?}").contains("hush"));
    }
}
