//! Finding the engine, and what is wrong where it cannot be used.

use std::time::Duration;

use bollard::{API_DEFAULT_VERSION, ClientVersion, Docker, errors::Error, models::SystemVersion};

use super::endpoint::{self, Endpoint};
use crate::platform::PlatformError;

/// How long the engine may take for one answer.
const ANSWER_S: u64 = 15;
/// How long it may take to make, start, stop or remove a container: six at once took over 15 s on two
/// busy cores.
const CHANGE: Duration = Duration::from_secs(90);
/// How long it may take for the first: it has nothing to do but say its version.
const FIRST_ANSWER: Duration = Duration::from_secs(5);
/// Engine 20.10.
const OLDEST_API: ClientVersion = ClientVersion { major_version: 1, minor_version: 41 };

/// An engine that answers.
#[derive(Clone, Debug)]
pub struct Engine {
    pub docker: Docker,
    /// Its address, and what names it: `tcp://10.0.0.7:2376 (context far)`.
    pub host: String,
    pub version: String,
    /// Its operating system's and machine's names: `linux`, `amd64`.
    pub machine: String,
    /// The API spoken with it.
    pub api: String,
}

/// Finds an engine and greets it.
///
/// # Errors
/// [`PlatformError::Engine`] with what to do.
pub async fn find() -> Result<Engine, PlatformError> {
    let endpoint = endpoint::find()?;
    let docker = connect(&endpoint)?;
    let host =
        endpoint.named_by.map_or(endpoint.host.clone(), |by| format!("{} ({by})", endpoint.host));
    let greeting = async {
        // Before anything is negotiated, an old engine refuses what is too new for it.
        let docker = docker.negotiate_version().await?;
        let version = docker.version().await?;
        Ok::<_, Error>((docker, version))
    };
    let (docker, version) = match tokio::time::timeout(FIRST_ANSWER, greeting).await {
        Ok(Ok(greeted)) => greeted,
        Ok(Err(Error::HyperLegacyError { err })) if err.is_connect() => {
            return Err(refuse(format!(
                "no engine can be reached at {host}{}: start it, or choose another (`docker context use NAME`, DOCKER_HOST)",
                cause(&err)
            )));
        }
        Ok(Err(error)) => {
            return Err(refuse(format!(
                "the engine at {host} does not answer as Docker does: {}",
                words(&error)
            )));
        }
        Err(_) => {
            return Err(refuse(format!(
                "the engine at {host} takes connections and does not answer within {} s: restart it (`sudo systemctl restart docker`)",
                FIRST_ANSWER.as_secs()
            )));
        }
    };
    let api = docker.client_version();
    check_age(&host, &version, api)?;
    let unknown = || "unknown".to_owned();
    Ok(Engine {
        api: format!("{}.{}", api.major_version, api.minor_version),
        docker,
        host,
        version: version.version.unwrap_or_else(unknown),
        machine: version.arch.unwrap_or_else(unknown),
    })
}

/// The same engine, given time for a change of a container.
pub fn patient(docker: &Docker) -> Docker {
    docker.clone().with_timeout(CHANGE)
}

fn check_age(host: &str, version: &SystemVersion, api: ClientVersion) -> Result<(), PlatformError> {
    if (api.major_version, api.minor_version)
        >= (OLDEST_API.major_version, OLDEST_API.minor_version)
    {
        return Ok(());
    }
    Err(refuse(format!(
        "the engine at {host} is {} (API {}.{}), too old: install Docker 20.10 or newer, or use `--platform local`",
        version.version.as_deref().unwrap_or("of an unknown version"),
        api.major_version,
        api.minor_version
    )))
}

fn connect(endpoint: &Endpoint) -> Result<Docker, PlatformError> {
    let Endpoint { host, tls, .. } = endpoint;
    let connected = if let Some(path) = host.strip_prefix("unix://") {
        Docker::connect_with_unix(path, ANSWER_S, API_DEFAULT_VERSION)
    } else if let (Some(folder), true) = (tls, is_tcp(host)) {
        let [key, cert, ca] = ["key.pem", "cert.pem", "ca.pem"].map(|name| folder.join(name));
        if let Some(missing) = [&key, &cert, &ca].into_iter().find(|path| !path.is_file()) {
            return Err(refuse(format!(
                "the engine at {host} speaks TLS, and {} is missing: DOCKER_CERT_PATH names the folder with ca.pem, cert.pem and key.pem",
                missing.display()
            )));
        }
        Docker::connect_with_ssl(host, &key, &cert, &ca, ANSWER_S, API_DEFAULT_VERSION)
    } else if host.starts_with("https://") {
        return Err(refuse(format!(
            "the engine at {host} speaks TLS: set DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH to the folder with ca.pem, cert.pem and key.pem"
        )));
    } else if is_tcp(host) {
        Docker::connect_with_http(host, ANSWER_S, API_DEFAULT_VERSION)
    } else {
        return Err(refuse(format!(
            "{host} ({}) is of a kind this release does not speak: forward the engine's socket (`ssh -NL /tmp/docker.sock:/var/run/docker.sock HOST`) and set DOCKER_HOST=unix:///tmp/docker.sock",
            endpoint.named_by.as_deref().unwrap_or("found")
        )));
    };
    connected.map_err(|error| refuse(format!("the engine at {host}: {}", words(&error))))
}

fn is_tcp(host: &str) -> bool {
    ["tcp://", "http://", "https://"].iter().any(|scheme| host.starts_with(scheme))
}

/// The innermost reason of a connection that could not be made, in brackets.
fn cause(error: &dyn std::error::Error) -> String {
    let mut inner = error.source();
    while let Some(deeper) = inner.and_then(std::error::Error::source) {
        inner = Some(deeper);
    }
    let words = inner.map(ToString::to_string).unwrap_or_default();
    // "Connection refused (os error 111)"
    let words = words.split(" (os error").next().unwrap_or_default().to_lowercase();
    if words.is_empty() { words } else { format!(" ({words})") }
}

/// The engine's word, without what it was wrapped in.
pub fn words(error: &Error) -> String {
    match error {
        Error::DockerResponseServerError { message, .. } => message.trim().to_owned(),
        Error::RequestTimeoutError => {
            "it did not answer in time: restart it (`sudo systemctl restart docker`)".to_owned()
        }
        Error::HyperLegacyError { err } if err.is_connect() => {
            "it cannot be reached any more: `docker version` says whether it runs".to_owned()
        }
        Error::HyperLegacyError { .. } | Error::HyperResponseError { .. } => {
            "it broke the connection off: `docker version` says whether it runs".to_owned()
        }
        other => other.to_string(),
    }
}

/// The engine's status code, if it answered.
pub fn code(error: &Error) -> Option<u16> {
    match error {
        Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// An error of the engine with what was being done.
pub fn failed(doing: &str, error: &Error) -> PlatformError {
    let said = words(error);
    let hint = if said.contains("non-overlapping IPv4 address pool") {
        ": every address pool of the engine is in use, `docker network prune` removes networks nobody uses"
    } else {
        ""
    };
    refuse(format!("Docker could not {doing}: {said}{hint}"))
}

/// In words for the user.
pub fn refuse(words: String) -> PlatformError {
    PlatformError::Engine(words)
}
