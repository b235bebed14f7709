//! What a connection to somebody else's cluster logs in with, and in plain words why it could not.

use std::{
    env,
    error::Error as _,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_nats::{
    AuthError, ConnectError, ConnectErrorKind, ConnectOptions, rustls,
    rustls::{AlertDescription, CertificateError},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::Timestamp;
use nkeys::KeyPair;
use serde::Deserialize;

use crate::region::{
    ZoneName,
    endpoint::{Credential, Endpoint, SecretSource, TlsFiles},
};

/// Why a cluster cannot be attached to.
#[derive(Debug, thiserror::Error)]
#[error("zone {zone}: {why}")]
pub struct AttachError {
    pub zone: ZoneName,
    pub why: Why,
}

/// The reasons.
#[derive(Debug, thiserror::Error)]
pub enum Why {
    #[error("its {what} is to come from ${name}, which is not set: `export {name}=…` first")]
    NotSet { what: &'static str, name: String },
    #[error("cannot read {}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{} is no creds file: it has no user JWT with a seed (`nsc generate creds` writes one)", .0.display())]
    NoCreds(PathBuf),
    #[error("the nkey seed {0} cannot be read: a user's seed begins with SU")]
    NoSeed(String),
    #[error("the JWT of {who} cannot be read: it is no user JWT")]
    NoJwt { who: String },
    #[error("the JWT of {who} expired at {at}: get a new one from whoever runs the account")]
    Expired { who: String, at: Timestamp },
    #[error("`{url}` is no address of a NATS server: write nats://HOST:PORT or tls://HOST:PORT")]
    Address { url: String },
    #[error(
        "the servers at {urls} refused {who}: wrong or unknown credentials, or not this cluster's; check the context or the region file"
    )]
    Refused { urls: String, who: String },
    #[error("the certificate of {urls} is not signed by {}: name the right CA file in `ca`", ca.as_ref().map_or("an authority that this machine trusts".into(), |ca| ca.display().to_string()))]
    WrongCa { urls: String, ca: Option<PathBuf> },
    #[error("the certificate of {urls} is not for that name: connect to the name that it is for")]
    WrongName { urls: String },
    #[error("the certificate of {urls} has expired: whoever runs the cluster renews it")]
    ServerExpired { urls: String },
    #[error(
        "{urls} asks for a client's certificate, or does not trust this one: name `cert` and `key`"
    )]
    ClientCertificate { urls: String },
    #[error("TLS with {urls} failed: {why}")]
    Tls { urls: String, why: String },
    #[error(
        "nobody answers at {urls}: {why}; is the address right, and reached from this machine?"
    )]
    Nobody { urls: String, why: String },
}

/// The options with which an endpoint is logged in at.
///
/// # Errors
/// When something it names cannot be read, or a JWT has expired by `now`.
pub fn options(endpoint: &Endpoint, now: Timestamp) -> Result<ConnectOptions, Why> {
    let who = endpoint.credential.who();
    let options = ConnectOptions::new();
    let mut options = match &endpoint.credential {
        Credential::Nobody => options,
        Credential::User { user, password } => {
            options.user_and_password(user.clone(), secret(password, "password")?)
        }
        Credential::Token(token) => options.token(secret(token, "token")?),
        Credential::Nkey(seed) => {
            let text = secret(seed, "nkey seed")?;
            KeyPair::from_seed(&text).map_err(|_| Why::NoSeed(place(seed)))?;
            options.nkey(text)
        }
        Credential::Creds(path) => {
            let text = read(path)?;
            let [jwt, seed] = decorated(&text).ok_or_else(|| Why::NoCreds(path.clone()))?;
            check_jwt(jwt, &who, now)?;
            let seed = KeyPair::from_seed(seed).map_err(|_| Why::NoCreds(path.clone()))?;
            with_jwt(options, jwt.to_owned(), seed)
        }
        Credential::Jwt { jwt, seed } => {
            let jwt = secret(jwt, "JWT")?;
            check_jwt(&jwt, &who, now)?;
            let text = secret(seed, "nkey seed")?;
            let seed = KeyPair::from_seed(&text).map_err(|_| Why::NoSeed(place(seed)))?;
            with_jwt(options, jwt, seed)
        }
    };
    let tls = &endpoint.tls;
    for path in tls.ca.iter().chain(tls.client.iter().flat_map(|(cert, key)| [cert, key])) {
        // Told here with the path; the client library would name none.
        read(path)?;
    }
    if tls.is_wanted() {
        options = options.require_tls(true);
    }
    if let Some(ca) = &tls.ca {
        options = options.add_root_certificates(ca.clone());
    }
    if let Some((cert, key)) = &tls.client {
        options = options.add_client_certificate(cert.clone(), key.clone());
    }
    if tls.first {
        options = options.tls_first();
    }
    Ok(match &endpoint.inbox_prefix {
        Some(prefix) => options.custom_inbox_prefix(prefix),
        None => options,
    })
}

fn with_jwt(options: ConnectOptions, jwt: String, seed: KeyPair) -> ConnectOptions {
    let seed = Arc::new(seed);
    options.jwt(jwt, move |nonce| {
        let seed = seed.clone();
        async move { seed.sign(&nonce).map_err(AuthError::new) }
    })
}

fn read(path: &Path) -> Result<String, Why> {
    fs::read_to_string(path).map_err(|source| Why::File { path: path.to_owned(), source })
}

fn secret(source: &SecretSource, what: &'static str) -> Result<String, Why> {
    match source {
        SecretSource::Value(secret) => Ok(secret.reveal().to_owned()),
        SecretSource::Env { env: name } => {
            env::var(name).map_err(|_| Why::NotSet { what, name: name.clone() })
        }
        SecretSource::File { file } => {
            let text = read(file)?;
            // A file of an nkey may have comments, and a decoration as a creds file has.
            let line = text.lines().map(str::trim).find(|line| {
                !line.is_empty() && !line.starts_with('#') && !line.starts_with("-----")
            });
            Ok(line.unwrap_or_default().to_owned())
        }
    }
}

/// Where a secret stands, without it.
fn place(source: &SecretSource) -> String {
    match source {
        SecretSource::Value(_) => "in the context or region file".into(),
        SecretSource::Env { env } => format!("in ${env}"),
        SecretSource::File { file } => format!("in {}", file.display()),
    }
}

/// The JWT and the seed of a creds file: the first lines after the first and the second decoration.
fn decorated(text: &str) -> Option<[&str; 2]> {
    let mut lines = text.lines().map(str::trim);
    let mut next = || {
        lines.find(|line| line.starts_with("-----BEGIN"))?;
        let found = lines.find(|line| !line.is_empty());
        lines.find(|line| line.starts_with("------END") || line.starts_with("-----END"))?;
        found
    };
    Some([next()?, next()?])
}

/// Whether a user's JWT is one, and still holds.
fn check_jwt(jwt: &str, who: &str, now: Timestamp) -> Result<(), Why> {
    #[derive(Deserialize)]
    struct Claims {
        #[serde(default)]
        exp: i64,
    }
    let claims = || {
        let payload = BASE64_URL_SAFE_NO_PAD.decode(jwt.split('.').nth(1)?).ok()?;
        serde_json::from_slice::<Claims>(&payload).ok()
    };
    let claims = claims().ok_or_else(|| Why::NoJwt { who: who.to_owned() })?;
    match Timestamp::from_second(claims.exp) {
        Ok(at) if claims.exp != 0 && at <= now => Err(Why::Expired { who: who.to_owned(), at }),
        _ => Ok(()),
    }
}

/// Why a connection failed, from what the client library knows of it.
pub fn explain(error: &ConnectError, endpoint: &Endpoint) -> Why {
    let urls = endpoint.urls.join(", ");
    match error.kind() {
        ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => {
            Why::Refused { urls, who: endpoint.credential.who() }
        }
        ConnectErrorKind::ServerParse => Why::Address { url: urls },
        kind => match tls_error(error) {
            Some(error) => of_tls(error, urls, &endpoint.tls),
            None if kind == ConnectErrorKind::Tls => {
                let why = error.source().map_or_else(|| error.to_string(), ToString::to_string);
                Why::Tls { urls, why }
            }
            None => {
                let why = error.source().map_or_else(|| kind.to_string(), ToString::to_string);
                Why::Nobody { urls, why }
            }
        },
    }
}

fn of_tls(error: &rustls::Error, urls: String, tls: &TlsFiles) -> Why {
    use CertificateError as Bad;
    match error {
        rustls::Error::InvalidCertificate(Bad::UnknownIssuer | Bad::BadSignature) => {
            Why::WrongCa { urls, ca: tls.ca.clone() }
        }
        rustls::Error::InvalidCertificate(
            Bad::NotValidForName | Bad::NotValidForNameContext { .. },
        ) => Why::WrongName { urls },
        rustls::Error::InvalidCertificate(Bad::Expired | Bad::ExpiredContext { .. }) => {
            Why::ServerExpired { urls }
        }
        rustls::Error::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateUnknown,
        ) => Why::ClientCertificate { urls },
        other => Why::Tls { urls, why: other.to_string() },
    }
}

/// The TLS error below a connection's error; the I/O errors between them hide what they hold from
/// `source`.
fn tls_error(error: &ConnectError) -> Option<&rustls::Error> {
    let mut below = error.source();
    while let Some(error) = below {
        if let Some(found) = error.downcast_ref::<rustls::Error>() {
            return Some(found);
        }
        if let Some(inner) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref)
            && let Some(found) = inner.downcast_ref::<rustls::Error>()
        {
            return Some(found);
        }
        below = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::region::access::Secret;

    #[test]
    fn a_creds_file_is_read_as_nsc_writes_it() {
        let text = "-----BEGIN NATS USER JWT-----\neyJ.x.y\n------END NATS USER JWT------\n\n***\n\n-----BEGIN USER NKEY SEED-----\nSUAB\n------END USER NKEY SEED------\n";
        assert_eq!(decorated(text), Some(["eyJ.x.y", "SUAB"]));
        assert_eq!(decorated("-----BEGIN NATS USER JWT-----\neyJ"), None);
    }

    #[test]
    fn an_expired_jwt_is_told_before_anybody_is_asked() {
        let payload = BASE64_URL_SAFE_NO_PAD.encode(r#"{"exp":1000,"name":"mira"}"#);
        let jwt = SecretSource::Value(Secret::new(format!("e.{payload}.s")));
        let seed = SecretSource::Value(Secret::new("SU".into()));
        let endpoint =
            Endpoint { credential: Credential::Jwt { jwt, seed }, ..Endpoint::default() };
        let error = options(&endpoint, Timestamp::now()).unwrap_err().to_string();
        assert!(error.contains("expired at 1970-01-01T00:16:40Z"), "{error}");
    }

    #[test]
    fn a_variable_that_is_not_set_is_named() {
        let token = SecretSource::Env { env: "ZONEDRILL_NEVER_SET".into() };
        let endpoint = Endpoint { credential: Credential::Token(token), ..Endpoint::default() };
        let error = options(&endpoint, Timestamp::now()).unwrap_err().to_string();
        assert!(error.contains("$ZONEDRILL_NEVER_SET, which is not set"), "{error}");
    }
}
