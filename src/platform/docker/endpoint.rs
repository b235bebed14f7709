//! Which engine is meant: the one that the docker program would talk to. `DOCKER_HOST`, else
//! `DOCKER_CONTEXT`, else what `docker context use` chose, else the first socket that there is.

use std::{
    env,
    ffi::OsString,
    fs,
    io::{self, ErrorKind},
    net::{IpAddr, UdpSocket},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
};

use super::{engine::refuse, image::digest};
use crate::{platform::PlatformError, region::topology::LOOPBACK};
use serde::Deserialize;
use tokio::net::lookup_host;

/// An engine's address, and how to speak with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// As `DOCKER_HOST` says it: `unix:///var/run/docker.sock`.
    pub host: String,
    /// What names it: `DOCKER_HOST`, `context colima`; nothing where it was found.
    pub named_by: Option<String>,
    /// The folder with `ca.pem`, `cert.pem` and `key.pem`, where it speaks TLS.
    pub tls: Option<PathBuf>,
}

/// docker's own settings, as far as they say which engine is meant.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Config {
    #[serde(rename = "currentContext")]
    current_context: String,
}

/// A context of `docker context ls`.
#[derive(Debug, Deserialize)]
struct Context {
    #[serde(rename = "Endpoints")]
    endpoints: Endpoints,
}

#[derive(Debug, Deserialize)]
struct Endpoints {
    docker: DockerEndpoint,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct DockerEndpoint {
    #[serde(rename = "Host")]
    host: String,
    #[serde(rename = "SkipTLSVerify")]
    skip_tls_verify: bool,
}

/// The engine that is meant here.
///
/// # Errors
/// When what names it cannot be read or followed, or there is none; with what to do.
pub fn find() -> Result<Endpoint, PlatformError> {
    let endpoint = match named(&|name| env::var_os(name))? {
        Some(endpoint) => endpoint,
        None => found()?,
    };
    if let (Some(path), Some(by)) = (endpoint.host.strip_prefix("unix://"), &endpoint.named_by) {
        knock(Path::new(path)).map_err(|error| closed(Path::new(path), Some(by), &error))?;
    }
    Ok(endpoint)
}

/// By which address servers are reached that an engine on another machine publishes at every
/// address it has; `None` where the address at which they are published is the one.
///
/// # Errors
/// When what is published there could not be reached from here; says which address could.
pub async fn reached(publish: Option<IpAddr>) -> Result<Option<IpAddr>, PlatformError> {
    // Without an engine the bring-up says so.
    let Ok(Endpoint { host, .. }) = find() else { return Ok(None) };
    let Some(machine) = authority(&host) else { return Ok(None) };
    let Ok(addresses) = lookup_host(machine).await else { return Ok(None) };
    let addresses: Vec<IpAddr> = addresses.map(|address| address.ip()).collect();
    reached_at(&host, &addresses, publish)
}

fn reached_at(
    host: &str,
    engine: &[IpAddr],
    publish: Option<IpAddr>,
) -> Result<Option<IpAddr>, PlatformError> {
    let publish = publish.unwrap_or(LOOPBACK);
    let Some(first) = engine.first().filter(|_| !engine.iter().any(is_here)) else {
        return Ok(None);
    };
    if publish.is_loopback() {
        return Err(refuse(format!(
            "the engine at {host} is on another machine, and what it publishes at {publish} cannot be reached from here: `--publish {first}` publishes the region at that machine's address, to whoever reaches it"
        )));
    }
    if !publish.is_unspecified() {
        return Ok(None);
    }
    match engine.iter().find(|address| address.is_ipv4() == publish.is_ipv4()) {
        Some(address) => Ok(Some(*address)),
        None => Err(refuse(format!(
            "the engine at {host} is not reached by an address of the kind of {publish}: `--publish {first}` publishes the region at the one it is reached by"
        ))),
    }
}

/// Is it an address of this machine?
fn is_here(address: &IpAddr) -> bool {
    address.is_loopback() || UdpSocket::bind((*address, 0)).is_ok()
}

/// `HOST:PORT` of an engine that is spoken with over TCP.
fn authority(host: &str) -> Option<String> {
    let (scheme, rest) = host.split_once("://")?;
    let authority = rest.split('/').next().filter(|_| scheme != "unix")?;
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    Some(if has_port { authority.to_owned() } else { format!("{authority}:2375") })
}

/// The engine that environment or docker's settings name.
fn named(variable: &dyn Fn(&str) -> Option<OsString>) -> Result<Option<Endpoint>, PlatformError> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let word = |name: &str| set(name).map(|value| value.to_string_lossy().into_owned());
    let folder = set("DOCKER_CONFIG")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(set("HOME")?).join(".docker")));
    if let Some(host) = word("DOCKER_HOST") {
        let verified = set("DOCKER_TLS_VERIFY").is_some();
        if !verified && set("DOCKER_TLS").is_some() {
            return Err(unverified("DOCKER_TLS", "set DOCKER_TLS_VERIFY=1 instead"));
        }
        let certificates = set("DOCKER_CERT_PATH").map(PathBuf::from).or(folder);
        let tls = certificates.filter(|_| verified && !host.starts_with("unix://"));
        return Ok(Some(Endpoint { host, named_by: Some("DOCKER_HOST".into()), tls }));
    }
    let Some(folder) = folder else { return Ok(None) };
    let (name, by) = match word("DOCKER_CONTEXT") {
        Some(name) => (name, "DOCKER_CONTEXT"),
        None => (current_context(&folder)?, "`docker context use`"),
    };
    if name.is_empty() || name == "default" {
        return Ok(None);
    }
    context(&folder, &name, by).map(Some)
}

fn current_context(folder: &Path) -> Result<String, PlatformError> {
    let path = folder.join("config.json");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(String::new()),
        Err(error) => return Err(PlatformError::io("read", &path, error)),
    };
    let config: Config = serde_json::from_str(&text).map_err(|error| {
        refuse(format!(
            "{} says which engine is meant and cannot be understood ({error}): mend it, or set DOCKER_HOST",
            path.display()
        ))
    })?;
    Ok(config.current_context)
}

fn context(folder: &Path, name: &str, by: &str) -> Result<Endpoint, PlatformError> {
    let digest = digest(name.as_bytes());
    let contexts = folder.join("contexts");
    let path = contexts.join("meta").join(&digest).join("meta.json");
    let lost = |why: &dyn std::fmt::Display| {
        refuse(format!(
            "the Docker context `{name}`, which {by} names, cannot be used ({}: {why}): `docker context ls` shows those there are, `docker context use NAME` chooses one, DOCKER_HOST names an engine without one",
            path.display()
        ))
    };
    let text = fs::read_to_string(&path).map_err(|error| lost(&error))?;
    let context: Context = serde_json::from_str(&text).map_err(|error| lost(&error))?;
    let DockerEndpoint { host, skip_tls_verify } = context.endpoints.docker;
    if host.is_empty() {
        return Err(lost(&"it names no host"));
    }
    let certificates = contexts.join("tls").join(&digest).join("docker");
    let tls = certificates.is_dir().then_some(certificates);
    if skip_tls_verify {
        return Err(unverified(
            &format!("the Docker context `{name}`"),
            &format!("`docker context update {name} --docker host={host},ca=FILE` sets one"),
        ));
    }
    Ok(Endpoint { host, named_by: Some(format!("context {name}")), tls })
}

fn unverified(what: &str, remedy: &str) -> PlatformError {
    refuse(format!(
        "{what} asks for TLS without looking whose certificate it is, which this release does not do: {remedy}"
    ))
}

/// Where engines listen that nothing names: Docker, rootless Docker, Docker Desktop, Colima,
/// `OrbStack`, Rancher Desktop, Podman.
fn sockets() -> Vec<PathBuf> {
    let folder =
        |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let under = |folder: &Option<PathBuf>, path: &str| Some(folder.as_ref()?.join(path));
    let (home, runtime) = (folder("HOME"), folder("XDG_RUNTIME_DIR"));
    [
        Some(PathBuf::from("/var/run/docker.sock")),
        under(&runtime, "docker.sock"),
        under(&home, ".docker/run/docker.sock"),
        under(&home, ".docker/desktop/docker.sock"),
        under(&folder("COLIMA_HOME"), "default/docker.sock"),
        under(&home, ".colima/default/docker.sock"),
        under(&home, ".config/colima/default/docker.sock"),
        under(&home, ".orbstack/run/docker.sock"),
        under(&home, ".rd/docker.sock"),
        under(&runtime, "podman/podman.sock"),
        Some(PathBuf::from("/run/podman/podman.sock")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The first of them that answers.
fn found() -> Result<Endpoint, PlatformError> {
    let mut first = None;
    for path in sockets() {
        match knock(&path) {
            Ok(()) => {
                let host = format!("unix://{}", path.display());
                return Ok(Endpoint { host, named_by: None, tls: None });
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => {
                first.get_or_insert(closed(&path, None, &error));
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

fn closed(path: &Path, named_by: Option<&str>, error: &io::Error) -> PlatformError {
    let path = path.display();
    refuse(match error.kind() {
        ErrorKind::PermissionDenied => format!(
            "this user may not use the Docker engine at {path}: `sudo usermod -aG docker $USER` and log in again, run a rootless engine, or use `--platform local`"
        ),
        ErrorKind::ConnectionRefused => format!(
            "no engine listens at {path}: start Docker (`sudo systemctl start docker`), or use `--platform local`"
        ),
        ErrorKind::NotFound => format!(
            "there is no {path}, which {} names: start that engine, or choose another (`docker context use NAME`, DOCKER_HOST)",
            named_by.unwrap_or("nothing")
        ),
        _ => format!("the Docker engine at {path} cannot be reached: {error}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named_with(folder: &Path, more: &[(&str, &str)]) -> Result<Option<Endpoint>, String> {
        let variable = |name: &str| {
            let mut all = more.iter();
            let given = all.find_map(|(key, value)| (*key == name).then(|| OsString::from(value)));
            given.or_else(|| (name == "DOCKER_CONFIG").then(|| folder.into()))
        };
        named(&variable).map_err(|error| error.to_string())
    }

    fn make_context(folder: &Path, name: &str, meta: &str) -> String {
        let digest = digest(name.as_bytes());
        let meta_folder = folder.join("contexts/meta").join(&digest);
        fs::create_dir_all(&meta_folder).unwrap();
        fs::write(meta_folder.join("meta.json"), meta).unwrap();
        digest
    }

    #[test]
    fn the_engine_is_the_one_that_docker_would_use() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let host = |named: Result<Option<Endpoint>, String>| named.unwrap().map(|one| one.host);
        assert_eq!(named_with(folder, &[]), Ok(None), "no settings");
        fs::write(folder.join("config.json"), r#"{"auths":{}}"#).unwrap();
        assert_eq!(named_with(folder, &[]), Ok(None), "no context chosen");
        let meta =
            |host: &str| format!(r#"{{"Name":"x","Endpoints":{{"docker":{{"Host":"{host}"}}}}}}"#);
        make_context(folder, "colima", &meta("unix:///c.sock"));
        let digest = make_context(folder, "far", &meta("tcp://far:2376"));
        fs::write(folder.join("config.json"), r#"{"currentContext":"colima"}"#).unwrap();
        assert_eq!(host(named_with(folder, &[])).as_deref(), Some("unix:///c.sock"));
        let far = named_with(folder, &[("DOCKER_CONTEXT", "far")]).unwrap().unwrap();
        assert_eq!((&*far.host, far.tls), ("tcp://far:2376", None));
        let tls = folder.join("contexts/tls").join(digest).join("docker");
        fs::create_dir_all(&tls).unwrap();
        let far = named_with(folder, &[("DOCKER_CONTEXT", "far")]).unwrap().unwrap();
        assert_eq!(far.tls, Some(tls));
        assert_eq!(named_with(folder, &[("DOCKER_CONTEXT", "default")]), Ok(None));
        // DOCKER_HOST goes before any context.
        let both = [("DOCKER_HOST", "tcp://here:1"), ("DOCKER_CONTEXT", "far")];
        let here = named_with(folder, &both).unwrap().unwrap();
        assert_eq!((&*here.host, here.tls), ("tcp://here:1", None));
        let verified = [("DOCKER_HOST", "tcp://here:1"), ("DOCKER_TLS_VERIFY", "1")];
        let here = named_with(folder, &verified).unwrap().unwrap();
        assert_eq!(here.tls.as_deref(), Some(folder));
        let certified = [verified[0], verified[1], ("DOCKER_CERT_PATH", "/certs")];
        let here = named_with(folder, &certified).unwrap().unwrap();
        assert_eq!(here.tls.as_deref(), Some(Path::new("/certs")));
    }

    #[test]
    fn what_an_engine_elsewhere_publishes_is_reached_at_its_address() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        // 192.0.2.0/24 and 2001:db8::/32 are nobody's.
        let (far, far6) = (ip("192.0.2.7"), ip("2001:db8::7"));
        let at = |engine: &[IpAddr], publish: Option<&str>| {
            reached_at("tcp://far:2376", engine, publish.map(ip)).map_err(|error| error.to_string())
        };
        for publish in [None, Some("127.0.0.1"), Some("0.0.0.0"), Some("192.0.2.7")] {
            assert_eq!(at(&[ip("127.0.0.2")], publish), Ok(None), "it is here");
        }
        assert_eq!(at(&[far], Some("0.0.0.0")), Ok(Some(far)));
        assert_eq!(at(&[far6, far], Some("0.0.0.0")), Ok(Some(far)));
        assert_eq!(at(&[far, far6], Some("::")), Ok(Some(far6)));
        assert_eq!(at(&[far], Some("192.0.2.9")), Ok(None), "as it was said");
        for (engine, publish) in [(far, None), (far, Some("127.0.0.2")), (far6, Some("0.0.0.0"))] {
            let told = at(&[engine], publish).unwrap_err();
            assert!(told.contains(&format!("`--publish {engine}`")), "{told}");
        }
        for (host, wanted) in [
            ("tcp://far:2376", Some("far:2376")),
            ("https://[2001:db8::7]:2376/", Some("[2001:db8::7]:2376")),
            ("tcp://far", Some("far:2375")),
            ("unix:///var/run/docker.sock", None),
        ] {
            assert_eq!(authority(host).as_deref(), wanted, "{host}");
        }
    }

    #[test]
    fn what_names_an_engine_in_vain_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let told = named_with(folder, &[("DOCKER_CONTEXT", "gone")]).unwrap_err();
        assert!(told.contains("`gone`") && told.contains("docker context ls"), "{told}");
        fs::write(folder.join("config.json"), "{").unwrap();
        let told = named_with(folder, &[]).unwrap_err();
        assert!(told.contains("config.json"), "{told}");
        let unsafe_tls = [("DOCKER_HOST", "tcp://here:1"), ("DOCKER_TLS", "1")];
        let told = named_with(folder, &unsafe_tls).unwrap_err();
        assert!(told.contains("DOCKER_TLS_VERIFY"), "{told}");
    }
}
