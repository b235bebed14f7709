//! The servers' image: named by the user, or built from the pinned server binary.
//!
//! The binary is static, so that an image needs nothing else; where it is not (or is made for
//! another machine than the engine's), the official image is used, which the engine must be able
//! to pull.

use std::{
    collections::HashMap,
    env,
    fmt::Write as _,
    io,
    path::{Path, PathBuf},
};

use bollard::{body_full, query_parameters::BuildImageOptionsBuilder};
use futures::StreamExt;
use sha2::{Digest, Sha256};

use super::engine::{Engine, code, failed, refuse};
use crate::platform::{
    PlatformError, Progress,
    local::binary::{self, Wanted},
};

/// The repository of what we build.
const REPOSITORY: &str = "zonedrill/nats-server";
/// The label with the digest of the binary inside.
const BINARY_LABEL: &str = "zonedrill.binary";
/// Who a server runs as in an image that we build, and who owns its data there.
const USER: &str = "10001:10001";
/// Counts how our images are built: another number makes another image of the same binary.
const RECIPE: u8 = 2;
/// The digits of a digest that a tag shows.
const DIGITS: usize = 12;

/// Where an image comes from.
#[derive(Clone, Debug)]
pub struct Source {
    /// The server version wanted.
    pub nats_version: String,
    /// A server binary to use.
    pub nats_server: Option<PathBuf>,
    /// The folder of fetched servers.
    pub cache: PathBuf,
}

/// An image that is there, or can be pulled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Its name, as the engine takes it.
    pub name: String,
    /// The server's version in it.
    pub version: String,
    /// Who can own a new volume's data in it; `None` where only root can.
    pub user: Option<&'static str>,
}

/// The image the user named, if any.
pub fn named(nats_version: &str) -> Option<Image> {
    let name = env::var("NATS_IMAGE").ok().filter(|name| !name.is_empty())?;
    // A digest or a word (`latest`) tells no version.
    let tag = name.rsplit_once(':').map(|(_, tag)| tag.split('-').next().unwrap_or(tag));
    let version =
        tag.filter(|tag| tag.contains('.') && tag.starts_with(|c: char| c.is_ascii_digit()));
    let version = version.unwrap_or(nats_version).to_owned();
    Some(Image { name, version, user: None })
}

/// Finds or builds the image.
///
/// # Errors
/// When there is no binary to build it from, or the engine cannot build it.
pub async fn ready(
    engine: &Engine,
    source: &Source,
    progress: Progress<'_>,
) -> Result<Image, PlatformError> {
    if let Some(image) = named(&source.nats_version) {
        progress(&format!("image {} (NATS_IMAGE)", image.name));
        return Ok(image);
    }
    let Source { nats_version, nats_server, cache } = source;
    let wanted = Wanted { version: nats_version, explicit: nats_server.as_deref(), cache };
    let binary = binary::find(wanted, progress).await?;
    let bytes = tokio::fs::read(&binary.path)
        .await
        .map_err(|error| PlatformError::io("read", &binary.path, error))?;
    if let Err(why) = fits(&bytes, &engine.machine) {
        if nats_server.is_some() {
            return Err(refuse(format!(
                "{} cannot be put into an image: {why}; leave --nats-server out, or name an image with NATS_IMAGE",
                binary.path.display()
            )));
        }
        progress(&format!("{} {why}: using the official image", binary.path.display()));
        let name = format!("nats:{}", binary.version);
        return Ok(Image { name, version: binary.version, user: None });
    }
    let digest = digest(&bytes);
    let name = format!("{REPOSITORY}:{}-{}-{RECIPE}", binary.version, &digest[..DIGITS]);
    match engine.docker.inspect_image(&name).await {
        Ok(_) => progress(&format!("image {name}")),
        Err(error) if code(&error) == Some(404) => {
            progress(&format!("building image {name} from {}", binary.path.display()));
            let context =
                context(&bytes).map_err(|error| PlatformError::io("pack", &binary.path, error))?;
            let labels = HashMap::from([
                (BINARY_LABEL.to_owned(), digest.clone()),
                ("org.opencontainers.image.version".to_owned(), binary.version.clone()),
            ]);
            build(engine, &name, context, &labels, progress).await?;
        }
        Err(error) => return Err(failed("look for the servers' image", &error)),
    }
    Ok(Image { name, version: binary.version, user: Some(USER) })
}

/// A sha256 in hexadecimal digits.
pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Has the engine build an image from a packed context.
pub(super) async fn build(
    engine: &Engine,
    name: &str,
    context: Vec<u8>,
    labels: &HashMap<String, String>,
    progress: Progress<'_>,
) -> Result<(), PlatformError> {
    let options = BuildImageOptionsBuilder::new().t(name).rm(true).labels(labels).build();
    let mut steps = engine.docker.build_image(options, None, Some(body_full(context.into())));
    while let Some(step) = steps.next().await {
        let step = step.map_err(|error| failed(&format!("build image {name}"), &error))?;
        if let Some(error) = step.error_detail {
            let why = error.message.unwrap_or_default();
            return Err(refuse(format!("Docker could not build image {name}: {why}")));
        }
        if let Some(line) = step.stream.as_deref().map(str::trim).filter(|line| !line.is_empty()) {
            progress(line);
        }
    }
    Ok(())
}

/// What the engine builds from: a Dockerfile, the binary, and the empty folder whose owner a new
/// volume gets.
fn context(binary: &[u8]) -> io::Result<Vec<u8>> {
    let dockerfile = format!(
        "FROM scratch\nCOPY nats-server /nats-server\nCOPY --chown={USER} data /data\nENTRYPOINT [\"/nats-server\"]\n"
    );
    let mut tar = tar::Builder::new(Vec::with_capacity(binary.len() + 4096));
    for (name, mode, bytes) in
        [("Dockerfile", 0o644, dockerfile.as_bytes()), ("nats-server", 0o755, binary)]
    {
        append(&mut tar, name, mode, bytes)?;
    }
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Directory);
    header.set_size(0);
    header.set_mode(0o755);
    header.set_cksum();
    tar.append_data(&mut header, Path::new("data"), io::empty())?;
    tar.into_inner()
}

/// Packs a file.
pub(super) fn append(
    tar: &mut tar::Builder<Vec<u8>>,
    name: &str,
    mode: u32,
    bytes: &[u8],
) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(mode);
    header.set_cksum();
    tar.append_data(&mut header, Path::new(name), bytes)
}

/// Can a binary run alone in a container on that machine?
fn fits(binary: &[u8], machine: &str) -> Result<(), String> {
    const INTERPRETER: u32 = 3;
    if binary.get(..6) != Some(b"\x7fELF\x02\x01") {
        return Err("is no Linux binary".into());
    }
    let number = |at: usize, bytes: usize| {
        let field = binary.get(at..at + bytes)?;
        Some(field.iter().rev().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte)))
    };
    let made_for = match number(18, 2) {
        Some(62) => "amd64",
        Some(183) => "arm64",
        _ => "another machine",
    };
    if made_for != machine {
        return Err(format!("is made for {made_for}, the engine runs on {machine}"));
    }
    let table = (number(32, 8), number(54, 2), number(56, 2));
    let (Some(from), Some(size), Some(count)) = table else {
        return Err("is damaged".into());
    };
    for i in 0..count {
        let at = usize::try_from(from + i * size).map_err(|_| "is damaged")?;
        if number(at, 4) == Some(u64::from(INTERPRETER)) {
            return Err("needs libraries".into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elf(machine: u8, interpreter: bool) -> Vec<u8> {
        let mut binary = vec![0; 64 + 56];
        binary[..6].copy_from_slice(b"\x7fELF\x02\x01");
        binary[18] = machine;
        (binary[32], binary[54], binary[56]) = (64, 56, 1);
        binary[64] = if interpreter { 3 } else { 1 };
        binary
    }

    #[test]
    fn only_a_static_binary_for_the_engine_goes_into_an_image() {
        assert_eq!(fits(&elf(62, false), "amd64"), Ok(()));
        assert!(fits(&elf(62, true), "amd64").unwrap_err().contains("libraries"));
        assert!(fits(&elf(183, false), "amd64").unwrap_err().contains("arm64"));
        assert!(fits(b"#!/bin/sh\n", "amd64").unwrap_err().contains("no Linux binary"));
    }
}
