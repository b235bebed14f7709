//! Finding the engine, and what is wrong where it cannot be used.

use std::{
    env, io,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use bollard::{API_DEFAULT_VERSION, ClientVersion, Docker, errors::Error, models::SystemVersion};

use crate::platform::PlatformError;

/// How long the engine may take for one answer.
const ANSWER_S: u64 = 15;
/// How long it may take for the first: it has nothing to do but say its version.
const FIRST_ANSWER: Duration = Duration::from_secs(5);
/// Engine 20.10.
const OLDEST_API: ClientVersion = ClientVersion { major_version: 1, minor_version: 41 };

/// Where an engine may listen, if `DOCKER_HOST` does not say.
fn sockets() -> Vec<PathBuf> {
    let runtime = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let home = env::var_os("HOME").map(PathBuf::from);
    let runtime = |name: &str| runtime.as_ref().map(|folder| folder.join(name));
    [
        Some(PathBuf::from("/var/run/docker.sock")),
        runtime("docker.sock"),
        home.map(|home| home.join(".docker/run/docker.sock")),
        runtime("podman/podman.sock"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// An engine that answers.
#[derive(Clone, Debug)]
pub struct Engine {
    /// The way to it.
    pub docker: Docker,
    /// Its address as `DOCKER_HOST` says it; the compose tool must talk to the same one.
    pub host: String,
    /// `20.10.24`.
    pub version: String,
    /// Its operating system's and machine's names: `linux`, `amd64`.
    pub machine: String,
    /// The API spoken with it.
    pub api: String,
}

/// Finds an engine and greets it.
///
/// # Errors
/// [`PlatformError::Engine`] with the way out.
pub async fn find() -> Result<Engine, PlatformError> {
    let host = host()?;
    let docker = connect(&host)?;
    let greeting = async {
        // Before anything is negotiated, an old engine refuses what is too new for it.
        let docker = docker.negotiate_version().await?;
        let version = docker.version().await?;
        Ok::<_, Error>((docker, version))
    };
    let (docker, version) = match tokio::time::timeout(FIRST_ANSWER, greeting).await {
        Ok(Ok(greeted)) => greeted,
        Ok(Err(error)) => {
            return Err(refuse(format!(
                "the engine at {host} does not answer as Docker does: {}; `docker version` may tell more",
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

/// The engine's address.
fn host() -> Result<String, PlatformError> {
    if let Some(host) = env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty()) {
        if let Some(path) = host.strip_prefix("unix://") {
            knock(Path::new(path)).map_err(|error| closed(Path::new(path), &error))?;
        }
        return Ok(host);
    }
    let mut first = None;
    for path in sockets() {
        match knock(&path) {
            Ok(()) => return Ok(format!("unix://{}", path.display())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                first.get_or_insert(closed(&path, &error));
            }
        }
    }
    Err(first.unwrap_or_else(|| {
        let looked: Vec<String> =
            sockets().iter().map(|path| path.display().to_string()).collect();
        refuse(format!(
            "no Docker engine was found (looked for {}): install or start Docker (`sudo systemctl start docker`), set DOCKER_HOST to one that runs, or use `--platform local`",
            looked.join(", ")
        ))
    }))
}

fn knock(path: &Path) -> io::Result<()> {
    UnixStream::connect(path).map(drop)
}

fn closed(path: &Path, error: &io::Error) -> PlatformError {
    let path = path.display();
    refuse(match error.kind() {
        io::ErrorKind::PermissionDenied => format!(
            "this user may not use the Docker engine at {path}: `sudo usermod -aG docker $USER` and log in again, run a rootless engine, or use `--platform local`"
        ),
        io::ErrorKind::ConnectionRefused => format!(
            "no engine listens at {path}: start Docker (`sudo systemctl start docker`), or use `--platform local`"
        ),
        io::ErrorKind::NotFound => format!(
            "there is no {path}, which DOCKER_HOST names: start that engine, or unset DOCKER_HOST"
        ),
        _ => format!("the Docker engine at {path} cannot be reached: {error}"),
    })
}

fn connect(host: &str) -> Result<Docker, PlatformError> {
    let connected = if let Some(path) = host.strip_prefix("unix://") {
        Docker::connect_with_unix(path, ANSWER_S, API_DEFAULT_VERSION)
    } else if host.starts_with("tcp://") || host.starts_with("http://") {
        Docker::connect_with_http(host, ANSWER_S, API_DEFAULT_VERSION)
    } else {
        return Err(refuse(format!(
            "DOCKER_HOST={host} is of a kind this release does not speak: forward the engine's socket (`ssh -NL /tmp/docker.sock:/var/run/docker.sock HOST`) and set DOCKER_HOST=unix:///tmp/docker.sock"
        )));
    };
    connected.map_err(|error| refuse(format!("the engine at {host}: {}", words(&error))))
}

/// The engine's word, without what it was wrapped in.
pub fn words(error: &Error) -> String {
    match error {
        Error::DockerResponseServerError { message, .. } => message.trim().to_owned(),
        Error::RequestTimeoutError => {
            format!(
                "it did not answer within {ANSWER_S} s: restart it (`sudo systemctl restart docker`)"
            )
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
