//! `cut` and `heal` with `--region-file`: a link that is not ours is cut for a while, if its file and a
//! person allow it, and heals whatever happens. What shows the cut is told with its strength.

mod told;

use std::{sync::Arc, time::Duration};

use color_eyre::eyre::{self, ContextCompat};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use self::told::Told;
use super::{
    external::caller::{Caller, Intent},
    hurry::Hurry,
};
use crate::{
    nats::external::examine::Region,
    region::{
        ZoneName,
        external::cutting::{Look, is_caught_up, is_healed},
        file::{Act, Cut},
        format::{count, seconds, span},
        rights::Purpose,
    },
    room::{
        clock::now_ms,
        external::{
            cutter::Cutter,
            file_flag,
            hook::{Deed, fit},
        },
        home::Home,
        protocol::Outcome,
        region_file::Opened,
    },
};

/// What a person confirms.
const TO_CUT: Intent = Intent { to: "cut", done: "cut" };
/// The longest cut of a link that is not ours.
const LONGEST: Duration = Duration::from_secs(3600);
/// How often both ends are looked at.
const EVERY: Duration = Duration::from_secs(1);
/// How long a healed link may take to be as before, and a copy to catch up, before that is told.
const HEALED_WITHIN: Duration = Duration::from_secs(60);

/// A link that may be cut: everything that was asked for is there.
struct Cutting<'a> {
    zone: &'a ZoneName,
    cutter: Cutter,
    caller: &'a Caller,
}

/// Cuts, waits, heals.
///
/// # Errors
/// When it is not allowed, cannot be done, or the record cannot be written: nothing is cut then.
pub async fn cut(
    region: &Arc<Region>,
    opened: &Opened,
    zone: &ZoneName,
    time: Option<Duration>,
    caller: &Caller,
) -> eyre::Result<Outcome> {
    let time = time.wrap_err_with(|| {
        format!(
            "say how long: `zonedrill{} cut {zone} --for 30s`; it heals then, whatever happens",
            file_flag(&opened.path)
        )
    })?;
    eyre::ensure!(
        time <= LONGEST,
        "a link of others is cut for an hour at most: `--for {}` is longer",
        span(time.as_millis() as u64)
    );
    let mut cutting = Cutting::new(region, opened, zone, caller).await?;
    cutting.permitted(region)?;
    let before = cutting.cutter.link.look().await;
    eyre::ensure!(
        before.paused != Some(true),
        "the durable of zone {zone} is paused already, by somebody else: nothing is cut"
    );
    let plan = cutting.plan(time, &before);
    if !caller.means_it(&plan, &opened.file.name, &TO_CUT).await? {
        return Ok(Outcome::Done);
    }
    let _alone = Home::claim_of_others(&caller.root, &opened.file.name)?;
    let mut hurry = caller.hurry()?;
    let say = |text: &str| caller.news(text);
    let until_ms = now_ms() + time.as_millis() as u64;
    let healer = cutting.cutter.begin(until_ms, &say).await.map_err(eyre::Report::msg)?;
    // The guard goes by the same end, however long the command took.
    let time = Duration::from_millis(until_ms.saturating_sub(now_ms()));
    let told = cutting.watch(&before, time, &mut hurry).await;
    let healed = cutting.cutter.end(&say).await;
    if let (Ok(()), Some(healer)) = (&healed, healer) {
        healer.dismiss();
    }
    if let Err(why) = healed {
        caller.news(&format!("zone {zone} may still be cut: {why}"));
        return Ok(Outcome::Broken);
    }
    let well = cutting.heals(&before, told.missed, &mut hurry).await;
    Ok(told.outcome(well))
}

/// Undoes what a cut has left: resumes the durable, or runs the heal command.
///
/// # Errors
/// When it is not allowed, or cannot be done.
pub async fn heal(
    region: &Arc<Region>,
    opened: &Opened,
    zone: &ZoneName,
    caller: &Caller,
) -> eyre::Result<Outcome> {
    let mut cutting = Cutting::new(region, opened, zone, caller).await?;
    if let (Cut::Pause, Some((subject, _))) = (&cutting.cutter.how, cutting.cutter.link.pause(None))
    {
        eyre::ensure!(
            cutting.cutter.audit.last_of(&subject) == Some(Deed::Pause),
            "{} knows of no pause of zone {zone} that zonedrill began and did not end: whoever paused it resumes it",
            cutting.cutter.audit.file.display()
        );
    }
    if caller.consent.dry {
        let what = match &cutting.cutter.how {
            Cut::Pause => "its durable would be resumed".to_owned(),
            Cut::Hook { heal, .. } => format!("`{}` would be run", fit(heal)),
        };
        caller.tell(&format!("zone {zone}: {what}"));
        return Ok(Outcome::Done);
    }
    caller.holds();
    cutting.cutter.end(&|text| caller.news(text)).await.map_err(eyre::Report::msg)?;
    let look = cutting.cutter.link.look().await;
    let (paused, well) = match look.paused {
        Some(true) => ("its durable is still paused", false),
        _ => ("nothing of a cut is left that could be seen", true),
    };
    caller.tell(&format!("zone {zone}: {paused}"));
    Ok(if well { Outcome::Done } else { Outcome::Broken })
}

impl<'a> Cutting<'a> {
    async fn new(
        region: &'a Arc<Region>,
        opened: &'a Opened,
        zone: &'a ZoneName,
        caller: &'a Caller,
    ) -> eyre::Result<Self> {
        let file = &opened.file;
        let copies: Vec<&str> = file.copies().iter().map(|copy| copy.name.as_str()).collect();
        let copy = file.copies().iter().find(|copy| copy.name == *zone).wrap_err_with(|| {
            format!(
                "zone {zone} holds no copy in this region: those that do are {}",
                copies.join(", ")
            )
        })?;
        let how = copy.cut.as_ref().wrap_err_with(|| {
            format!("the region file does not say how zone {zone} is cut: give [zone.{zone}] a `cut`, \"pause\" or a hook")
        })?;
        eyre::ensure!(
            file.allow.contains(&Act::Cut) || caller.consent.allow.contains(&Act::Cut),
            "nothing is cut in a region of others unless it is allowed: add `allow = [\"cut\"]` to its file, or `--allow cut`"
        );
        let link = region
            .link(zone)
            .await
            .wrap_err_with(|| format!("it is not known what the copy in zone {zone} copies"))?;
        let audit = caller.audit(&file.name);
        let cutter = Cutter { zone: zone.clone(), how: how.clone(), link, audit };
        Ok(Self { zone, cutter, caller })
    }

    /// Whether the rights suffice.
    fn permitted(&self, region: &Region) -> eyre::Result<()> {
        if self.cutter.how != Cut::Pause {
            return Ok(());
        }
        eyre::ensure!(
            self.cutter.link.durable.is_some(),
            "the copy in zone {} copies over no durable that could be paused: give it a hook",
            self.zone
        );
        let source = region.examination.zones.iter().find(|zone| zone.is_source);
        let lacks = source.map(|zone| zone.ability(Purpose::Cut)).filter(|able| !able.may_be());
        if let Some(lacks) = lacks {
            eyre::bail!("the source does not permit it: {lacks}; `doctor` prints what to add");
        }
        Ok(())
    }

    /// What will be done, and what can show it.
    fn plan(&self, time: Duration, before: &Look) -> String {
        let (zone, time) = (self.zone, span(time.as_millis() as u64));
        let what = match &self.cutter.how {
            Cut::Pause => {
                let asked =
                    self.cutter.link.pause(None).map(|(subject, _)| subject).unwrap_or_default();
                format!(
                    "the copy of zone {zone} is paused for {time} ({asked} at the source; the server itself ends it)"
                )
            }
            Cut::Hook { cut, heal, .. } => format!(
                "zone {zone} is cut for {time} by `{}`, and healed by `{}`",
                fit(cut),
                fit(heal)
            ),
        };
        let ways = before.tells();
        let ways = if ways.is_empty() {
            "nothing but that the copy stands still, which proves no cut".into()
        } else {
            ways.join(", ")
        };
        format!(
            "{what}\n  what can show it: {ways}\n  recorded in {}",
            self.cutter.audit.file.display()
        )
    }

    /// Looks at both ends until the time is over, or somebody is in a hurry.
    async fn watch(&mut self, before: &Look, time: Duration, hurry: &mut Hurry) -> Told {
        let (zone, began) = (self.zone.clone(), Instant::now());
        let caller = self.caller;
        self.cutter.ask_status(&|text| caller.news(text)).await;
        let mut looks: Vec<Look> = Vec::new();
        let mut told = Told::default();
        let mut tick = interval(EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while began.elapsed() < time {
            tokio::select! {
                _ = tick.tick() => {}
                () = sleep(time.saturating_sub(began.elapsed())) => break,
                () = hurry.asked() => {
                    caller.news("it heals now, because it was asked to end");
                    break;
                }
            }
            looks.push(self.cutter.link.look().await);
            // What was longer ago than a minute shows nothing more.
            if looks.len() > 60 {
                looks.remove(0);
            }
            let times = (began.elapsed(), time.saturating_sub(began.elapsed()));
            if let Some(line) = told.take(&zone, before, &looks, times) {
                caller.news(&line);
            }
        }
        if let Some(line) = told.verdict(&zone) {
            caller.news(&line);
        }
        told
    }

    /// Waits until the link is as before, and the copy holds what the source held at the heal.
    async fn heals(&mut self, before: &Look, missed: u64, hurry: &mut Hurry) -> bool {
        let (zone, began, mut goal, mut healed) = (self.zone, Instant::now(), None, false);
        let caller = self.caller;
        while began.elapsed() < HEALED_WITHIN {
            let look = self.cutter.link.look().await;
            let after = seconds(began.elapsed().as_millis() as u64);
            goal = goal.or(look.origin);
            if !healed && is_healed(before, &look) {
                healed = true;
                caller.news(&format!(
                    "zone {zone} is healed: both ends tell as before, after {after}"
                ));
                self.cutter.ask_status(&|text| caller.news(text)).await;
            }
            if healed && goal.is_some_and(|goal| is_caught_up(goal, &look)) {
                caller.news(&format!(
                    "zone {zone} has caught up, after {after}; it lacked {} at most",
                    count(missed)
                ));
                return true;
            }
            tokio::select! {
                () = sleep(EVERY / 4) => {}
                () = hurry.asked() => break,
            }
        }
        let what = if healed { "has not caught up" } else { "is not as before the cut" };
        caller.news(&format!(
            "zone {zone} {what} {} after the heal: look at it",
            seconds(began.elapsed().as_millis() as u64)
        ));
        false
    }
}
