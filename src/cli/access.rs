//! `zonedrill env` and `zonedrill context`: how any NATS client logs in. They read the region's folder
//! and never go through the room, whose log and recordings passwords must not reach.

use clap::{Args, Subcommand};
use color_eyre::eyre;

use crate::{
    region::{
        ZoneName, ZonePlan,
        access::{Access, LOOKER, USER},
    },
    room::home::Home,
};

/// The words after `context`.
#[derive(Debug, Args)]
pub struct ContextWords {
    /// Make the source's the selected one
    #[arg(long)]
    select: bool,
    #[command(subcommand)]
    what: Option<ContextVerb>,
}

#[derive(Debug, Subcommand)]
enum ContextVerb {
    /// Remove the region's contexts
    Remove,
}

/// The region's zones, with how to log in.
fn zones(home: &Home) -> eyre::Result<Vec<ZonePlan>> {
    let (Some(kept), Some(secrets)) = (home.kept()?, home.secrets()?) else {
        eyre::bail!(
            "region `{}` has no servers to log in at yet: `zonedrill{} up` brings it up",
            home.region,
            home.flag()
        );
    };
    let access = Access::new(secrets, false);
    Ok(kept.zones.into_iter().map(|zone| zone.with_access(&access)).collect())
}

/// The lines that tell a NATS client in a shell where a zone is and how to log in.
///
/// # Errors
/// When there is no such zone, or its passwords cannot be read.
pub fn env(home: &Home, zone: Option<&ZoneName>, read_only: bool) -> eyre::Result<String> {
    let zones = zones(home)?;
    let plan = match zone {
        None => zones.first(),
        Some(name) => zones.iter().find(|plan| &plan.name == name),
    };
    let Some(plan) = plan else {
        let names: Vec<&str> = zones.iter().map(|plan| plan.name.as_str()).collect();
        let asked = zone.map(ToString::to_string).unwrap_or_default();
        eyre::bail!("there is no zone {asked}: the zones are {}", names.join(", "));
    };
    let (user, password) =
        if read_only { LOOKER } else { (USER, plan.access.secrets.client.as_str()) };
    // None of them holds a quote.
    let lines = [("URL", &*plan.urls().join(",")), ("USER", user), ("PASSWORD", password)]
        .map(|(name, value)| format!("export NATS_{name}='{value}'"));
    Ok(lines.join("\n"))
}

/// Writes or removes the contexts of the region's zones.
///
/// # Errors
/// When the region has no passwords, or a file is another's or cannot be written.
pub fn context(home: &Home, words: &ContextWords) -> eyre::Result<String> {
    if let Some(ContextVerb::Remove) = words.what {
        eyre::ensure!(!words.select, "`--select` goes with `zonedrill context` alone");
        return Ok(format!("{} contexts removed", home.remove_contexts()?));
    }
    let names = home.write_contexts(&zones(home)?, words.select)?;
    let first = names.first().map(String::as_str).unwrap_or_default();
    let flag = if words.select { String::new() } else { format!(" --context {first}") };
    Ok(format!(
        "written: {}; for example `nats{flag} stream info EVENTS_REGION` (what connects so is shown as foreign, and makes a running drill void)",
        names.join(", ")
    ))
}
