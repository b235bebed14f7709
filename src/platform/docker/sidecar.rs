//! A helper container beside a node's: in its network, with the right to change that network or none
//! at all, as long as the room is there.
//!
//! The room holds its standard input; when that is closed the helper ends, and the engine removes it.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use bollard::{
    Docker,
    container::{AttachContainerResults, LogOutput},
    errors::Error,
    models::{ContainerCreateBody, HostConfig},
    query_parameters::{
        AttachContainerOptionsBuilder, CreateContainerOptionsBuilder,
        RemoveContainerOptionsBuilder, StartContainerOptions,
    },
};
use futures::{Stream, StreamExt};
use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    sync::Mutex,
};

use super::{
    engine::{failed, patient},
    filter::{Answer, Request},
    names::{HELPER_LABEL, Names, ZONE_LABEL},
};
use crate::{platform::PlatformError, region::NodeName};

/// How long an answer may take: milliseconds, but for the first one on a busy machine.
const PATIENCE: Duration = Duration::from_secs(15);
/// The most memory it may have, in bytes.
const MEMORY: i64 = 256 << 20;
/// The right to change a network.
const NET_ADMIN: &str = "NET_ADMIN";

/// Tells the helpers of a room apart.
static NUMBER: AtomicU32 = AtomicU32::new(1);

/// A node's container, as it is found.
#[derive(Clone, Copy, Debug)]
pub struct Beside<'a> {
    pub node: &'a NodeName,
    /// The container's id.
    pub container: &'a str,
    /// It may change the network; otherwise it only reads what the kernel counts there.
    pub changes: bool,
}

/// A helper. Dropping it ends it.
pub struct Sidecar {
    docker: Docker,
    id: String,
    held: Mutex<Held>,
}

/// Its standard input and output.
struct Held {
    input: Pin<Box<dyn AsyncWrite + Send>>,
    output: Pin<Box<dyn Stream<Item = Result<LogOutput, Error>> + Send>>,
    /// What came after the last line.
    rest: Vec<u8>,
}

impl Sidecar {
    /// Starts one.
    ///
    /// # Errors
    /// What the engine refused; nothing is left then.
    pub async fn start(
        docker: &Docker,
        names: &Names,
        image: &str,
        beside: Beside<'_>,
    ) -> Result<Self, PlatformError> {
        let docker = &patient(docker);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-link-{}-{number}", names.container(beside.node), std::process::id());
        let options = CreateContainerOptionsBuilder::new().name(&name).build();
        let made = docker.create_container(Some(options), body(names, image, beside)).await;
        let id = made.map_err(|error| failed(&format!("create container {name}"), &error))?.id;
        let begun = async {
            let options = AttachContainerOptionsBuilder::new();
            let options = options.stream(true).stdin(true).stdout(true).stderr(true).build();
            let held = docker.attach_container(&id, Some(options)).await?;
            docker.start_container(&id, None::<StartContainerOptions>).await?;
            Ok(held)
        };
        match begun.await {
            Ok(AttachContainerResults { input, output }) => {
                let held = Mutex::new(Held { input, output, rest: Vec::new() });
                Ok(Self { docker: docker.clone(), id, held })
            }
            Err(error) => {
                remove(docker, &id).await;
                Err(failed(&format!("start container {name}"), &error))
            }
        }
    }

    /// Asks it for something.
    pub async fn ask(&self, request: &Request) -> Answer {
        let mut held = self.held.lock().await;
        match tokio::time::timeout(PATIENCE, held.ask(request)).await {
            Ok(answer) => answer,
            Err(_) => Err("the helper container does not answer".into()),
        }
    }

    /// Ends it; returns when it is gone.
    pub async fn end(self) {
        remove(&self.docker, &self.id).await;
    }
}

impl Held {
    async fn ask(&mut self, request: &Request) -> Answer {
        let gone =
            |error: &dyn std::fmt::Display| format!("the helper container is gone ({error})");
        let mut line = serde_json::to_vec(request).map_err(|error| error.to_string())?;
        line.push(b'\n');
        self.input.write_all(&line).await.map_err(|error| gone(&error))?;
        self.input.flush().await.map_err(|error| gone(&error))?;
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return serde_json::from_slice::<Answer>(&line)
                    .map_err(|_| {
                        format!("the helper said `{}`", String::from_utf8_lossy(&line).trim())
                    })
                    .flatten();
            }
            match self.output.next().await {
                Some(Ok(LogOutput::StdOut { message } | LogOutput::Console { message })) => {
                    self.rest.extend_from_slice(&message);
                }
                Some(Ok(LogOutput::StdErr { message })) => {
                    return Err(String::from_utf8_lossy(&message).trim().to_owned());
                }
                Some(Ok(LogOutput::StdIn { .. })) => {}
                Some(Err(error)) => return Err(gone(&error)),
                None => return Err(gone(&"it has ended")),
            }
        }
    }
}

async fn remove(docker: &Docker, id: &str) {
    let options = RemoveContainerOptionsBuilder::new().force(true).build();
    // The engine removes it by itself once it has ended.
    let _ = docker.remove_container(id, Some(options)).await;
}

/// What it is: in the node's network, with one right at most, and gone when it ends.
fn body(names: &Names, image: &str, beside: Beside<'_>) -> ContainerCreateBody {
    let words = |words: &[&str]| Some(words.iter().map(|&word| word.to_owned()).collect());
    let mut labels: HashMap<String, String> = names.labels();
    labels.insert(ZONE_LABEL.into(), beside.node.zone.to_string());
    labels.insert(HELPER_LABEL.into(), beside.node.to_string());
    ContainerCreateBody {
        image: Some(image.to_owned()),
        // With one right dropped from all of them, root inside is nobody outside.
        user: Some("0:0".into()),
        labels: Some(labels),
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        open_stdin: Some(true),
        stdin_once: Some(true),
        host_config: Some(HostConfig {
            network_mode: Some(format!("container:{}", beside.container)),
            cap_drop: words(&["ALL"]),
            cap_add: if beside.changes { words(&[NET_ADMIN]) } else { None },
            security_opt: words(&["no-new-privileges"]),
            readonly_rootfs: Some(true),
            auto_remove: Some(true),
            memory: Some(MEMORY),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    }
}
