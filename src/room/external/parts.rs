//! What the room of one command is laid out with, and what is seen of it.

use tokio::sync::broadcast;

use crate::{
    nats::external::examine::Region,
    region::{
        Event, PlatformKind, Role, Settings, ZoneName, ZonePlan,
        external::ExternalStream,
        topology::{DEFAULT_NATS_VERSION, Network},
    },
    room::{drills::Statuses, home::Home},
};

/// What a room shows while it works.
pub struct Looks {
    pub statuses: Statuses,
    /// The events so far, oldest first.
    pub past: Vec<Event>,
    /// Those that follow.
    pub events: broadcast::Receiver<Event>,
}

pub(super) fn plan(
    region: &Region,
    slot: u16,
    name: ZoneName,
    subject: &str,
    consumer: &str,
) -> ZonePlan {
    let role = if slot == 0 { Role::Source } else { Role::Mirror };
    let (api, stream) = region.stream_of(slot.into());
    let external = ExternalStream {
        stream: stream.to_owned(),
        api: api.to_owned(),
        subject: subject.to_owned(),
        consumer: consumer.to_owned(),
    };
    ZonePlan { nodes: Vec::new(), external: Some(external), ..ZonePlan::new(name, role, slot, 0) }
}

/// What the room's parts ask of a region's settings; nothing is started by them.
pub(super) fn settings(home: &Home, plans: &[ZonePlan]) -> Settings {
    Settings {
        region: home.region.clone(),
        platform: PlatformKind::External,
        network: Network::default(),
        nats_version: DEFAULT_NATS_VERSION.into(),
        nats_server: None,
        mirror: None,
        copy: None,
        port_base: 0,
        zones: plans.iter().map(|plan| plan.name.clone()).collect(),
        publish: None,
        adopt: false,
        open: false,
    }
}
