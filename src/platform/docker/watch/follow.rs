//! Follows one container: its log into the node's folder, its CPU and memory into the room.

use std::{path::PathBuf, sync::Arc};

use bollard::{
    models::{ContainerCpuStats, ContainerMemoryStats},
    query_parameters::{LogsOptionsBuilder, StatsOptionsBuilder},
};
use futures::StreamExt;
use tokio::{fs::File, io::AsyncWriteExt, task::JoinHandle};

use super::Shared;
use crate::region::NodeName;

/// Who follows one container's process. Stops when dropped.
pub struct Follower {
    log: JoinHandle<()>,
    stats: JoinHandle<()>,
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.log.abort();
        self.stats.abort();
    }
}

impl Follower {
    /// Follows a container that runs.
    pub fn start(shared: &Arc<Shared>, node: &NodeName, id: &str) -> Self {
        let file = shared.servers.join(node.to_string()).join("nats-server.log");
        Self {
            log: tokio::spawn(log(Arc::clone(shared), id.to_owned(), file)),
            stats: tokio::spawn(stats(Arc::clone(shared), node.clone(), id.to_owned())),
        }
    }

    /// Its process has ended. What it logged last may still be on its way.
    pub fn stop_measuring(&mut self) {
        self.stats.abort();
    }
}

/// Writes all the engine has kept of a container's log, and what comes, as the server's log file.
async fn log(shared: Arc<Shared>, id: String, path: PathBuf) {
    let mut file = match File::create(&path).await {
        Ok(file) => file,
        Err(error) => return tracing::warn!("{}: {error}", path.display()),
    };
    let options = LogsOptionsBuilder::new().follow(true).stdout(true).stderr(true).build();
    let mut lines = shared.docker.logs(&id, Some(options));
    while let Some(Ok(line)) = lines.next().await {
        let written = async {
            file.write_all(&line.into_bytes()).await?;
            file.flush().await
        };
        if let Err(error) = written.await {
            return tracing::warn!("{}: {error}", path.display());
        }
    }
}

/// The engine measures once a second.
async fn stats(shared: Arc<Shared>, node: NodeName, id: String) {
    let options = StatsOptionsBuilder::new().stream(true).build();
    let mut measures = shared.docker.stats(&id, Some(options));
    while let Some(Ok(measure)) = measures.next().await {
        let cpu = cpu_percent(measure.precpu_stats.as_ref(), measure.cpu_stats.as_ref());
        let memory = measure.memory_stats.as_ref().and_then(memory_bytes);
        shared.measured(&node, |container| {
            (container.cpu_percent, container.memory_bytes) = (cpu, memory);
        });
    }
}

/// In percent of one core; `None` for the first measure, which has none before it.
fn cpu_percent(before: Option<&ContainerCpuStats>, now: Option<&ContainerCpuStats>) -> Option<f32> {
    let (before, now) = (before?, now?);
    let used = |stats: &ContainerCpuStats| stats.cpu_usage.as_ref()?.total_usage;
    let cores = now.online_cpus.filter(|cores| *cores > 0)?;
    let system = now.system_cpu_usage?.checked_sub(before.system_cpu_usage?)?;
    let used = used(now)?.checked_sub(used(before)?)?;
    (system > 0).then(|| (used as f64 / system as f64 * f64::from(cores) * 100.0) as f32)
}

/// What `docker stats` shows: without the page cache that can be given back.
fn memory_bytes(stats: &ContainerMemoryStats) -> Option<u64> {
    let usage = stats.usage.filter(|usage| *usage > 0)?;
    let detail = stats.stats.as_ref();
    let cache = detail.and_then(|stats| {
        stats.get("inactive_file").or_else(|| stats.get("total_inactive_file")).copied()
    });
    Some(usage.saturating_sub(cache.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use bollard::models::ContainerCpuUsage;

    use super::*;

    fn cpu(used: u64, system: u64) -> ContainerCpuStats {
        ContainerCpuStats {
            cpu_usage: Some(ContainerCpuUsage {
                total_usage: Some(used),
                ..ContainerCpuUsage::default()
            }),
            system_cpu_usage: Some(system),
            online_cpus: Some(2),
            ..ContainerCpuStats::default()
        }
    }

    #[test]
    fn cpu_is_a_share_of_one_core() {
        let percent = cpu_percent(Some(&cpu(100, 1_000)), Some(&cpu(600, 2_000))).unwrap();
        assert!((percent - 100.0).abs() < 0.01, "{percent}");
    }

    #[test]
    fn a_first_measure_is_unknown_not_zero() {
        let none = ContainerCpuStats::default();
        assert_eq!(cpu_percent(Some(&none), Some(&cpu(600, 2_000))), None);
        assert_eq!(cpu_percent(None, Some(&cpu(600, 2_000))), None);
        assert_eq!(memory_bytes(&ContainerMemoryStats::default()), None);
    }
}
