//! What a region that comes up is made of, and why it cannot be what was asked.

use std::net::IpAddr;

use super::{
    RoomError,
    home::{Home, Kept},
};
use crate::region::{Role, Settings, ZoneName, ZonePlan};

/// What the region is made of: as it was, where it was before; as asked, where it is new.
/// `reached` is the engine's address, where that is another machine's.
pub(super) fn settle(
    home: &Home,
    asked: Settings,
    reached: Option<IpAddr>,
) -> Result<(Settings, Vec<ZonePlan>), RoomError> {
    let plan = |name: ZoneName, role: Role, slot: u16| {
        ZonePlan::new(name, role, slot, asked.port_base).at(asked.publish).reached_at(reached)
    };
    let held = asked.copy.unwrap_or_default();
    let Some(Kept { settings: kept, zones, .. }) = home.kept()? else {
        let plans = asked
            .zones
            .iter()
            .zip(0..)
            .map(|(name, slot)| {
                let role = if slot == 0 { Role::Source } else { Role::Mirror };
                plan(name.clone(), role, slot).holding(held)
            })
            .collect();
        return Ok((asked, plans));
    };
    if let (Some(asked), Some(kept)) = (asked.mirror, kept.mirror)
        && asked != kept
    {
        return Err(RoomError::Settings(format!(
            "region {} holds data of {} mirrors, not {}: `zonedrill{} down --purge` (or removing {}) starts afresh, `--region NAME` starts another region beside it",
            home.region,
            kept.as_str(),
            asked.as_str(),
            home.flag(),
            home.folder.display()
        )));
    }
    let copies = kept.copy.unwrap_or_default();
    if asked.copy.is_some_and(|asked| asked != copies) {
        return Err(RoomError::Settings(format!(
            "region {} holds data of {copies} copies, not {held}: `zonedrill{} down --purge` (or removing {}) starts afresh, `--region NAME` starts another region beside it",
            home.region,
            home.flag(),
            home.folder.display()
        )));
    }
    if asked.platform != kept.platform {
        return Err(RoomError::Settings(format!(
            "region {} holds data on the {} platform, not {}: `zonedrill{flag} up --platform {}` goes on with it, `zonedrill{flag} down --purge` ends it, `--region NAME` starts another region beside it",
            home.region,
            kept.platform,
            asked.platform,
            kept.platform,
            flag = home.flag(),
        )));
    }
    let names: Vec<_> = zones.iter().map(|plan| plan.name.clone()).collect();
    if asked.zones != kept.zones && asked.zones != names {
        let names: Vec<&str> = names.iter().map(ZoneName::as_str).collect();
        return Err(RoomError::Settings(format!(
            "region {} has zones {} and data in them: leave `--zones` out, then `zone add` and `zone remove ZONE` change them; or `zonedrill{} down --purge` first",
            home.region,
            names.join(","),
            home.flag()
        )));
    }
    let plans = zones
        .into_iter()
        .map(|kept| {
            let plan = plan(kept.name, kept.role, kept.slot).holding(kept.copy);
            ZonePlan { keeping: kept.keeping, ..plan }
        })
        .collect();
    let (mirror, copy) = (asked.mirror.or(kept.mirror), kept.copy);
    Ok((Settings { mirror, copy, zones: kept.zones, ..asked }, plans))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        region::{CopyKind, MirrorKind, PlatformKind, topology::Network},
        room::evidence::LedgerWriter,
    };

    /// Whoever does as a message says must not end another region than the one it speaks of.
    #[test]
    fn what_would_help_is_said_for_this_region() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home { region: "test".into(), folder: folder.path().join("test") };
        home.create().unwrap();
        let kept = Settings {
            region: "test".into(),
            platform: PlatformKind::Local,
            network: Network::default(),
            nats_version: "2.15.1".into(),
            nats_server: None,
            mirror: Some(MirrorKind::Durable),
            copy: None,
            port_base: 15222,
            publish: None,
            zones: vec!["a".parse().unwrap(), "b".parse().unwrap()],
            adopt: false,
            open: false,
        };
        let (_, zones) = settle(&home, kept.clone(), None).unwrap();
        home.keep(&Kept { settings: kept.clone(), producer: None, zones }).unwrap();
        let why = |asked: Settings| settle(&home, asked, None).unwrap_err().to_string();
        std::fs::write(home.ledger(), "nonsense\nnonsense\n").unwrap();
        for said in [
            why(Settings { mirror: Some(MirrorKind::Classic), ..kept.clone() }),
            why(Settings { copy: Some(CopyKind::Sources), ..kept.clone() }),
            why(Settings { platform: PlatformKind::Docker, ..kept.clone() }),
            why(Settings { zones: vec!["a".parse().unwrap()], ..kept.clone() }),
            LedgerWriter::open(&home, 1).err().unwrap().to_string(),
        ] {
            assert!(said.contains("`zonedrill --region test down --purge`"), "{said}");
        }
    }
}
