//! Links of containers that are worse than whole: each container of the zone has a helper beside it
//! that filters its packets ([`super::filter`]), and each of the source one that reads what the kernel
//! counts at the other end.

use std::collections::BTreeMap;

use bollard::{Docker, query_parameters::InspectContainerOptions};
use futures::future::join_all;

use super::{
    DockerPlatform, Ready,
    containers::{self, Found},
    engine::{failed, refuse},
    filter::{Counted, Request, Subnet},
    own_image,
    sidecar::{Beside, Sidecar},
};
use crate::{
    platform::{LinkStats, PlatformError},
    region::{
        NodeName, ZoneName, ZonePlan,
        condition::{
            Feature, LinkCondition,
            measured::{EndCount, LinkCount, WayCount},
        },
    },
};

/// What the kernel can do to packets of a container by dropping them.
pub const FEATURES: [Feature; 4] = [Feature::Rate, Feature::Silence, Feature::Loss, Feature::Mtu];

/// What is laid for a zone's link.
#[derive(Default)]
pub(super) struct Laid {
    condition: LinkCondition,
    filters: BTreeMap<NodeName, Helper>,
    witnesses: BTreeMap<NodeName, Helper>,
    /// What the ends had counted when the condition began: at the source, in the zone.
    before: [Option<EndCount>; 2],
}

/// A helper, and beside which process of a container: one that was started again has another network.
struct Helper {
    beside: Process,
    sidecar: Sidecar,
}

/// A container and its main process.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Process {
    container: String,
    pid: i64,
}

impl Laid {
    /// Takes everything away; returns when packets pass again.
    pub async fn end(self) {
        let whole = LinkCondition::default();
        let wan = Subnet { address: std::net::Ipv4Addr::UNSPECIFIED, bits: 0 };
        let all = self.filters.into_values().chain(self.witnesses.into_values());
        let ended = all.map(|helper| async {
            // Sooner than the engine removes a container.
            let _ = helper.sidecar.ask(&Request::Lay { condition: whole, wan }).await;
            helper.sidecar.end().await;
        });
        join_all(ended).await;
    }
}

impl DockerPlatform {
    /// Makes a zone's link like that.
    pub(super) async fn impair_zone(
        &self,
        name: &ZoneName,
        condition: LinkCondition,
    ) -> Result<(), PlatformError> {
        let ready = self.ready()?;
        let zone = self.linked(name)?;
        let mut turn = zone.turn.lock().await;
        let mut laid = turn.take().unwrap_or_default();
        (laid.condition, laid.before) = (condition, [None; 2]);
        match self.lay(&ready, &zone.plan, &mut laid).await {
            Ok(()) => {
                *turn = Some(laid);
                Ok(())
            }
            Err(error) => {
                laid.end().await;
                Err(error)
            }
        }
    }

    /// A node's container was started anew: what is asked of its zone's link is laid there, too.
    pub(super) async fn lay_anew(&self, ready: &Ready, name: &ZoneName) {
        let Ok(zone) = self.zone(name) else { return };
        let mut turn = zone.turn.lock().await;
        if let Some(laid) = turn.as_mut()
            && let Err(error) = self.lay(ready, &zone.plan, laid).await
        {
            // The next look tries again, and until then tells that it is not so.
            tracing::warn!("the link of zone {name} is not as asked: {error}");
        }
    }

    /// Lays what is asked beside every container of the zone that runs.
    async fn lay(
        &self,
        ready: &Ready,
        zone: &ZonePlan,
        laid: &mut Laid,
    ) -> Result<(), PlatformError> {
        let (condition, docker) = (laid.condition, &ready.engine.docker);
        let wan = self.wan_addresses(docker).await?;
        let asked = Request::Lay { condition, wan };
        let counted = self.beside(ready, &zone.name, &mut laid.filters, asked).await;
        let counted = counted.map_err(|error| {
            refuse(format!("the link of zone {} cannot be made {condition}: {error}", zone.name))
        })?;
        laid.before[1] = laid.before[1].or_else(|| Some(sum(&counted).end));
        Ok(())
    }

    /// The containers of a zone that run, each with its process.
    async fn running(
        &self,
        docker: &Docker,
        zone: &ZoneName,
    ) -> Result<Vec<(NodeName, Process)>, PlatformError> {
        let there = containers::list(docker, &self.names, Some(zone)).await?;
        let each = there.into_iter().filter(Found::lives).map(|one| async move {
            let told =
                docker.inspect_container(&one.id, None::<InspectContainerOptions>).await.ok()?;
            let pid = told.state?.pid.filter(|pid| *pid > 0)?;
            Some((one.node, Process { container: one.id, pid }))
        });
        Ok(join_all(each).await.into_iter().flatten().collect())
    }

    /// Sees to it that a helper is beside each container of a zone that runs, and asks it. Only what is
    /// to be laid needs the right to change the container's network.
    async fn beside(
        &self,
        ready: &Ready,
        zone: &ZoneName,
        helpers: &mut BTreeMap<NodeName, Helper>,
        request: Request,
    ) -> Result<Vec<Counted>, PlatformError> {
        let docker = &ready.engine.docker;
        let image = ready.helpers.get_or_try_init(|| own_image::ready(&ready.engine)).await?;
        let changes = matches!(request, Request::Lay { .. });
        let running = self.running(docker, zone).await?;
        let each: Vec<_> = running
            .into_iter()
            .map(|(node, beside)| {
                let known = helpers.remove(&node).filter(|helper| helper.beside == beside);
                async move {
                    if let Some(helper) = known
                        && let Ok(counted) = helper.sidecar.ask(&request).await
                    {
                        return Ok((node, helper, counted));
                    }
                    let place = Beside { node: &node, container: &beside.container, changes };
                    let sidecar = Sidecar::start(docker, &self.names, image, place).await?;
                    let asked = sidecar.ask(&request).await;
                    let counted = asked.map_err(|why| refuse(format!("{node}: {why}")))?;
                    Ok((node, Helper { beside, sidecar }, counted))
                }
            })
            .collect();
        let (mut counted, mut failed) = (Vec::new(), None);
        for done in join_all(each).await {
            match done {
                Ok((node, helper, count)) => {
                    helpers.insert(node, helper);
                    counted.push(count);
                }
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(counted), Err)
    }

    /// The addresses of the network of the links.
    async fn wan_addresses(&self, docker: &Docker) -> Result<Subnet, PlatformError> {
        let name = self.names.wan();
        let network = docker.inspect_network(&name, None).await;
        let network =
            network.map_err(|error| failed(&format!("look for network {name}"), &error))?;
        let configs = network.ipam.and_then(|ipam| ipam.config).unwrap_or_default();
        let subnet = configs.iter().find_map(|one| Subnet::parse(one.subnet.as_deref()?));
        subnet.ok_or_else(|| refuse(format!("network {name} has no IPv4 addresses to filter by")))
    }

    /// Takes away what is laid for a zone's link.
    pub(super) async fn make_whole(&self, turn: &mut Option<Laid>) {
        if let Some(laid) = turn.take() {
            laid.end().await;
        }
    }

    /// What the filters of a zone's link have counted; `None` while nothing is laid, and while that
    /// changes.
    pub(super) async fn counted(&self, name: &ZoneName) -> Option<LinkStats> {
        let (ready, zone) = (self.ready().ok()?, self.zone(name).ok()?);
        let mut turn = zone.turn.try_lock().ok()?;
        let laid = turn.as_mut()?;
        let running = self.running(&ready.engine.docker, name).await.ok()?;
        let filtered_are = |laid: &Laid| {
            running.iter().all(|(node, process)| {
                laid.filters.get(node).is_some_and(|helper| helper.beside == *process)
            })
        };
        // Those at the source come with the first look: the zone's link does not wait for them.
        let source = &self.options.common.source.name;
        let witnesses = &mut laid.witnesses;
        let (zone_end, source_end) = tokio::join!(
            join_all(laid.filters.values().map(|helper| helper.sidecar.ask(&Request::Count))),
            self.beside(&ready, source, witnesses, Request::Count),
        );
        let filtered = filtered_are(laid) && zone_end.iter().all(Result::is_ok);
        let zone_end: Vec<Counted> = zone_end.into_iter().flatten().collect();
        let (zone_end, source_end) = (sum(&zone_end), source_end.ok().map(|ends| sum(&ends).end));
        laid.before[0] = laid.before[0].or(source_end);
        let [source_before, zone_before] = laid.before;
        let since = |now: Option<EndCount>, then: Option<EndCount>| Some(now?.since(then?));
        let count = LinkCount {
            // A container that nobody filters makes the whole link another one.
            condition: if filtered { laid.condition } else { LinkCondition::default() },
            to_zone: zone_end.to_zone,
            from_zone: zone_end.from_zone,
            source_end: since(source_end, source_before),
            zone_end: since(Some(zone_end.end), zone_before),
            ..LinkCount::default()
        };
        if !filtered && let Err(error) = self.lay(&ready, &zone.plan, laid).await {
            tracing::warn!("the link of zone {name} is not as asked: {error}");
        }
        Some(LinkStats {
            cut: None,
            since_begin: false,
            connections: 0,
            accepted: 0,
            refused: 0,
            bytes_to_source: count.from_zone.passed,
            bytes_from_source: count.to_zone.passed,
            bytes_since_cut: None,
            count,
        })
    }
}

/// What several containers have counted together.
fn sum(all: &[Counted]) -> Counted {
    let way = |one: WayCount, other: WayCount| {
        let (a, b) = (one.packets, other.packets);
        let mut packets = a;
        packets.came += b.came;
        packets.silenced += b.silenced;
        packets.lost += b.lost;
        packets.too_large += b.too_large;
        packets.overflowed += b.overflowed;
        WayCount {
            passed: one.passed + other.passed,
            since: one.since + other.since,
            packets,
            ..WayCount::default()
        }
    };
    let none = Counted {
        to_zone: WayCount::default(),
        from_zone: WayCount::default(),
        end: EndCount::default(),
    };
    all.iter().fold(none, |sum, one| Counted {
        to_zone: way(sum.to_zone, one.to_zone),
        from_zone: way(sum.from_zone, one.from_zone),
        end: sum.end.and(one.end),
    })
}
