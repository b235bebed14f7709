//! Conditions that have a name: those that come with the program, and a user's own.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{BitRate, ConditionError, Flap, LinkCondition, Share, Way};
use crate::region::format::read_exact;

/// The presets compiled in.
pub const BUILTIN: &str = include_str!("../../../config/links.toml");

/// A condition with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preset {
    pub name: String,
    /// What line it is like.
    pub about: String,
    pub condition: LinkCondition,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    about: String,
    #[serde(default)]
    both: Option<RawWay>,
    #[serde(default)]
    to: Option<RawWay>,
    #[serde(default)]
    from: Option<RawWay>,
    flap: Option<String>,
    reset: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWay {
    delay: Option<String>,
    jitter: Option<String>,
    rate: Option<String>,
    #[serde(default)]
    silent: bool,
    loss: Option<String>,
    mtu: Option<u16>,
    reorder: Option<String>,
    duplicate: Option<String>,
    corrupt: Option<String>,
}

/// The presets that a file holds.
///
/// # Errors
/// The first mistake, with the preset it is in.
pub fn read(text: &str) -> Result<Vec<Preset>, String> {
    let raw: BTreeMap<String, Raw> =
        toml::from_str(text).map_err(|why| why.message().to_owned())?;
    raw.into_iter()
        .map(|(name, raw)| {
            let fits = !name.is_empty()
                && name.len() <= 24
                && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
            if !fits {
                return Err(format!(
                    "`{name}` is not a preset's name: use 1 to 24 of a-z, 0-9 and `-`"
                ));
            }
            let condition = raw.condition().map_err(|why| format!("preset `{name}`: {why}"))?;
            Ok(Preset { name, about: raw.about, condition })
        })
        .collect()
}

/// The presets that come with the program, and those of a user's file laid over them.
///
/// # Errors
/// The first mistake in the user's file.
pub fn all(own: Option<&str>) -> Result<Vec<Preset>, String> {
    // A test reads the built-in ones.
    let mut presets = read(BUILTIN).unwrap_or_default();
    for preset in own.map(read).transpose()?.unwrap_or_default() {
        presets.retain(|known| known.name != preset.name);
        presets.push(preset);
    }
    Ok(presets)
}

impl Raw {
    fn condition(&self) -> Result<LinkCondition, String> {
        if self.both.is_some() && (self.to.is_some() || self.from.is_some()) {
            return Err("`both` says all of the directions: leave `to` and `from` out".into());
        }
        let way = |own: &Option<RawWay>| {
            own.as_ref().or(self.both.as_ref()).map_or(Ok(Way::default()), RawWay::way)
        };
        let flap = self.flap.as_deref().map(str::parse::<Flap>).transpose();
        let condition = LinkCondition {
            to_zone: way(&self.to)?,
            from_zone: way(&self.from)?,
            flap: flap.map_err(|why| why.to_string())?,
            reset_every_ms: self.reset.as_deref().map(time).transpose()?,
        };
        condition.check().map_err(|why: ConditionError| why.to_string())?;
        Ok(condition)
    }
}

impl RawWay {
    fn way(&self) -> Result<Way, String> {
        let ms = |text: &Option<String>| text.as_deref().map_or(Ok(0), time);
        let rate = self.rate.as_deref().map(str::parse::<BitRate>).transpose();
        let share = |text: &Option<String>| {
            let share = text.as_deref().map(str::parse::<Share>).transpose();
            share.map_err(|why| why.to_string())
        };
        Ok(Way {
            delay_ms: ms(&self.delay)?,
            jitter_ms: ms(&self.jitter)?,
            rate_bps: rate.map_err(|why| why.to_string())?,
            silent: self.silent,
            loss: share(&self.loss)?,
            mtu: self.mtu,
            reorder: share(&self.reorder)?,
            duplicate: share(&self.duplicate)?,
            corrupt: share(&self.corrupt)?,
        })
    }
}

fn time(text: &str) -> Result<u32, String> {
    let ms = read_exact(text).and_then(|ms| u32::try_from(ms).ok());
    ms.ok_or_else(|| format!("`{text}` is not a duration: write 100ms, 30s or 2m"))
}
