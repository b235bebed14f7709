//! `produce` and `drill run` with `--region-file`: what is published, consumed and cut in a region
//! of others, only where its file and a person allow it, and what of it is ours is taken away again.

use std::{collections::BTreeSet, fmt::Write as _, path::Path, sync::Arc};

use color_eyre::eyre::{self, ContextCompat};
use tokio::time::sleep;

use super::caller::{Caller, Intent};
use crate::{
    cli::{hurry::Hurry, words::OthersArgs},
    command::{Command, Drill, DrillRun, Produce},
    drill::{
        conclusions::required,
        script::{Filling, Script},
    },
    nats::external::examine::Region,
    region::{
        Actor, ZoneName,
        external::cutting::Look,
        file::{Act, Cut, RegionFile},
        format::{bytes, count, span},
        reduce::CONCLUSIONS_OF_OTHERS,
        rights::Purpose,
    },
    room::{
        drills::choice,
        external::{
            hook::fit,
            session::{Session, Wanted},
        },
        protocol::{Message, Outcome},
        region_file::Opened,
    },
};

/// What a person confirms.
const TO_DRILL: Intent = Intent { to: "drill", done: "published or cut" };

/// What a command comes to, before anything is done.
struct Intended {
    command: Command,
    /// The drills, in order; none of a produce.
    scripts: Vec<Script>,
    /// The copy that they are about.
    zone: ZoneName,
    produces: Vec<Produce>,
    cuts: usize,
}

impl Intended {
    fn of(command: Command, file: &RegionFile) -> eyre::Result<Self> {
        let first = file.copies().first().context("the region has no copy")?.name.clone();
        let Command::Drill(Drill::Run(asked)) = command else {
            let Command::Produce(what) = &command else { eyre::bail!("that is no drill") };
            let produces = vec![what.clone()];
            return Ok(Self { command, scripts: Vec::new(), zone: first, produces, cuts: 0 });
        };
        let scripts = chosen(&asked)?;
        let mut zone = asked.zone.clone();
        if zone.is_none()
            && scripts.iter().any(|script| script.commands().any(|command| is_cut(&command)))
        {
            zone = file.copies().iter().find(|copy| copy.cut.is_some()).map(|c| c.name.clone());
        }
        let zone = zone.unwrap_or(first);
        eyre::ensure!(
            file.copies().iter().any(|copy| copy.name == zone),
            "zone {zone} holds no copy in this region"
        );
        let filling = Filling {
            scale: asked.scale,
            source: file.source().name.clone(),
            mirror: zone.clone(),
            leader: None,
            new_zone: None,
            options: asked.options.clone(),
            external: true,
        };
        let not_done = scripts.iter().find_map(|script| {
            let other = script.commands().find(|command| !is_done(command))?;
            Some((&script.name, other))
        });
        if let Some((name, other)) = not_done {
            eyre::bail!(
                "the drill `{name}` gives `{other}`, which is not done to what somebody else runs: the drills that are, are {}",
                CONCLUSIONS_OF_OTHERS.join(", ")
            );
        }
        let filled: Result<Vec<Script>, _> = scripts.iter().map(|one| one.fill(&filling)).collect();
        let filled = filled.map_err(|error| eyre::eyre!("{error}"))?;
        let all = || filled.iter().flat_map(Script::commands);
        let cuts = all().filter(is_cut).count();
        let produces = all().filter_map(|command| match command {
            Command::Produce(what) => Some(what),
            _ => None,
        });
        let produces = produces.collect();
        let command = Command::Drill(Drill::Run(DrillRun { zone: Some(zone.clone()), ..asked }));
        Ok(Self { command: of_names(command, &scripts), scripts: filled, zone, produces, cuts })
    }

    /// Whether all of it is allowed, keeps to the limits, and is within the rights.
    fn allowed(
        &self,
        file: &RegionFile,
        region: &Region,
        consent: &OthersArgs,
    ) -> eyre::Result<()> {
        let mut acts = BTreeSet::from([Act::Produce]);
        acts.extend((self.cuts > 0).then_some(Act::Cut));
        let given = |act: &Act| file.allow.contains(act) || consent.allow.contains(act);
        let missing: Vec<&str> =
            acts.into_iter().filter(|act| !given(act)).map(Act::as_str).collect();
        eyre::ensure!(
            missing.is_empty(),
            "that is not done in a region of others unless it is allowed: add `allow = [\"{}\"]` to its file, or `--allow {}`",
            missing.join("\", \""),
            missing.join(",")
        );
        let mut used = 0;
        for what in &self.produces {
            let held = what.clone().within(&file.limits, used).map_err(eyre::Report::msg)?;
            used += held.bytes().unwrap_or(0);
        }
        let subject = file.subject.as_deref();
        let subject = subject
            .context("the region file names no `subject`: without one nothing is published")?;
        if let Some(why) = region.cannot_be_drilled(subject) {
            eyre::bail!("{why}");
        }
        let source = region.examination.zones.iter().find(|zone| zone.is_source);
        let lacks = source.map(|zone| zone.ability(Purpose::Produce)).filter(|able| !able.may_be());
        if let Some(lacks) = lacks {
            eyre::bail!("the source does not permit it: {lacks}; `doctor` prints what to add");
        }
        eyre::ensure!(
            self.cuts == 0 || file.zone(&self.zone).is_some_and(|zone| zone.cut.is_some()),
            "the region file does not say how zone {0} is cut: give [zone.{0}] a `cut`, \"pause\" or a hook",
            self.zone
        );
        Ok(())
    }

    /// Everything that would be done, and what could be shown by it.
    fn told(
        &self,
        file: &RegionFile,
        region: &Region,
        before: Option<&Look>,
        audit: &Path,
    ) -> String {
        let names: Vec<&str> = self.scripts.iter().map(|script| script.name.as_str()).collect();
        let what =
            if names.is_empty() { "produce".into() } else { format!("drill {}", names.join(", ")) };
        let (source, subject) = (file.source(), file.subject.as_deref().unwrap_or_default());
        let messages: u64 = self.produces.iter().filter_map(Produce::messages).sum();
        let size: u64 = self.produces.iter().filter_map(Produce::bytes).sum();
        let mut out = format!("region {}: {what}", file.name);
        let _ = write!(
            out,
            "\n  publishes {} messages, {}, on {subject} in zone {} (stream {}), at most {} a second",
            count(messages),
            bytes(size),
            source.name,
            source.stream,
            count(file.limits.rate)
        );
        for (at, zone) in file.zones.iter().enumerate() {
            let of = (file.name.as_str(), "RUN", subject);
            let (asked, _) = region.consumer_asked(at, of, 0);
            let _ = write!(
                out,
                "\n  zone {}: makes a consumer of its own, and removes it in the end ({asked})",
                zone.name
            );
        }
        if let Some(how) =
            file.zone(&self.zone).and_then(|zone| zone.cut.as_ref()).filter(|_| self.cuts > 0)
        {
            let (zone, times) = (&self.zone, self.cuts);
            let _ = match how {
                Cut::Pause => write!(
                    out,
                    "\n  zone {zone}: {times} times, its copy's durable is paused and resumed; if zonedrill is killed, the server ends it"
                ),
                Cut::Hook { cut, heal, .. } => write!(
                    out,
                    "\n  zone {zone}: {times} times, cut by `{}` and healed by `{}`; if zonedrill is killed, a guard heals",
                    fit(cut),
                    fit(heal)
                ),
            };
            let ways = before.map(Look::tells).unwrap_or_default();
            let ways = if ways.is_empty() { "nothing".into() } else { ways.join(", ") };
            let _ = write!(out, "\n  what can show a cut: {ways}");
        }
        for script in &self.scripts {
            let Some(conclusion) = required(script.conclusion) else { continue };
            let pause = file.zone(&self.zone).is_some_and(|zone| zone.cut == Some(Cut::Pause));
            let reach = match conclusion.number {
                1 | 2 if pause => {
                    "out of reach: a pause leaves the link as it is; what came of the copy is told all the same"
                }
                1 | 2 if before.is_none_or(|look| look.tells().is_empty()) => {
                    "out of reach: nothing could show the cut"
                }
                _ => "within reach",
            };
            let _ =
                write!(out, "\n  conclusion {}, {}: {reach}", conclusion.number, conclusion.drill);
        }
        let _ = write!(
            out,
            "\n  ends after {} at the latest; recorded in {}",
            span(file.limits.time.as_millis() as u64),
            audit.display()
        );
        out
    }
}

/// It is done in regions of others: it changes nothing but what is ours, and the link that may be cut.
fn is_done(command: &Command) -> bool {
    matches!(
        command,
        Command::Produce(_)
            | Command::Cut { kind: None, heal_after: None, .. }
            | Command::Heal { .. }
            | Command::ConsumerPause { .. }
            | Command::ConsumerResume { .. }
            | Command::ConsumerRate { .. }
    )
}

fn is_cut(command: &Command) -> bool {
    matches!(command, Command::Cut { .. })
}

/// The scripts of those names; `all` stands for what can be drilled in regions of others.
fn chosen(asked: &DrillRun) -> eyre::Result<Vec<Script>> {
    eyre::ensure!(
        asked.sabotage.is_none(),
        "a sabotage damages what it is put into: it is not done to what somebody else runs"
    );
    let all = || CONCLUSIONS_OF_OTHERS.iter().map(|name| (*name).to_owned());
    let names: Vec<String> = asked
        .names
        .iter()
        .flat_map(|name| if name == "all" { all().collect() } else { vec![name.clone()] })
        .collect();
    Ok(choice::chosen(&names)?)
}

/// The same command, with the drills by their names.
fn of_names(command: Command, scripts: &[Script]) -> Command {
    match command {
        Command::Drill(Drill::Run(asked)) => {
            let names = scripts.iter().map(|script| script.name.clone()).collect();
            Command::Drill(Drill::Run(DrillRun { names, ..asked }))
        }
        other => other,
    }
}

/// Produces or drills.
///
/// # Errors
/// When it is not allowed, cannot be done, or was not begun.
pub async fn run(
    command: Command,
    region: Region,
    opened: &Opened,
    caller: &Caller,
) -> eyre::Result<Outcome> {
    let file = &opened.file;
    let intended = Intended::of(command, file)?;
    intended.allowed(file, &region, &caller.consent)?;
    let audit = caller.audit(&file.name);
    let region = Arc::new(region);
    let before = match intended.cuts {
        0 => None,
        _ => match region.link(&intended.zone).await {
            Some(mut link) => Some(link.look().await),
            None => None,
        },
    };
    let plan = intended.told(file, &region, before.as_ref(), &audit.file);
    if !caller.means_it(&plan, &file.name, &TO_DRILL).await? {
        return Ok(Outcome::Done);
    }
    let region = Arc::into_inner(region).context("the region is still looked at")?;
    let mut hurry = caller.hurry()?;
    let zone = (!intended.scripts.is_empty()).then(|| intended.zone.clone());
    let wanted = Wanted { opened, audit, zone, cuts: intended.cuts > 0, root: &caller.root };
    let session = Session::open(region, wanted).await.map_err(eyre::Report::msg)?;
    caller.follows(&session);
    let outcome = follow(&session, caller, &intended.command, file, &mut hurry).await;
    let closed = session.close().await;
    caller.follows_no_more();
    if let Err(why) = &closed {
        caller.news(&format!("not everything is taken away: {why}"));
    }
    let outcome = outcome?;
    Ok(match closed {
        Err(_) if outcome == Outcome::Done => Outcome::Broken,
        _ => outcome,
    })
}

/// Gives the command and tells what comes of it, until it ends, or somebody or the limit ends it.
async fn follow(
    session: &Session,
    caller: &Caller,
    command: &Command,
    file: &RegionFile,
    hurry: &mut Hurry,
) -> eyre::Result<Outcome> {
    let mut heard = session.give(caller.who.clone(), command.clone()).map_err(eyre::Report::msg)?;
    let is_drill = matches!(command, Command::Drill(_));
    let end =
        || if is_drill { Command::Drill(Drill::Stop) } else { Command::Produce(Produce::Stop) };
    let over = sleep(file.limits.time);
    tokio::pin!(over);
    let mut ending = false;
    loop {
        let (by, why) = tokio::select! {
            message = heard.recv() => match message {
                Some(Message::Progress { text, .. }) => {
                    if is_drill {
                        caller.step(&text);
                    }
                    continue;
                }
                Some(Message::Answer { outcome, text, data, .. }) => {
                    let bundle = data.as_ref().and_then(|data| data["bundle"].as_str());
                    caller.came_to(&text, bundle);
                    return Ok(outcome);
                }
                Some(_) => continue,
                None => eyre::bail!("the command came to no end"),
            },
            () = hurry.asked(), if !ending => (caller.who.clone(), "it was asked to end"),
            () = &mut over, if !ending => {
                (Actor::room(), "its time is over (`seconds` under [limits])")
            }
        };
        if !std::mem::replace(&mut ending, true) {
            caller.news(&format!("it ends now, because {why}: what it cut is healed"));
            session.say(by, end());
        }
    }
}
