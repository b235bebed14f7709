//! Regions that somebody else runs: `region init`, and what goes with `--region-file`. They attach for
//! as long as the command takes, and change nothing but what is allowed.

mod drill;

use std::{
    fmt::Write as _,
    io::{IsTerminal, Write as _},
    path::Path,
    sync::Arc,
};

use clap::Args;
use color_eyre::eyre;

use super::{
    cut, exporter, observed,
    output::print,
    screen,
    words::{OthersArgs, ScreenArgs, Words},
};
use crate::{
    command::{Command, Drill, Extent, Rate, grammar::Verb, is_unruly, readable},
    ledger::copies::{Explained, Fault},
    nats::external::{
        compare::{Compared, Likeness, Progress, Wanted, compare},
        examine::examine,
        survey::{Asked, survey},
    },
    region::{
        ZoneName,
        format::{count, seconds},
    },
    room::{home::Home, protocol::Outcome, region_file},
};

/// The words after `region init`.
#[derive(Debug, Args)]
pub struct InitWords {
    /// What the region is to be called
    #[arg(long)]
    name: String,
    /// A zone for each nats context: a=prod-eu,b=prod-us
    #[arg(long, required = true, value_delimiter = ',', value_name = "ZONE=CONTEXT", value_parser = a_context)]
    contexts: Vec<(ZoneName, String)>,
    /// The stream, where several are copied [default: the first that is]
    #[arg(long)]
    stream: Option<String>,
}

fn a_context(text: &str) -> Result<(ZoneName, String), String> {
    let (zone, context) = text
        .split_once('=')
        .ok_or("write ZONE=CONTEXT, like a=prod-eu; `nats context ls` lists them")?;
    Ok((
        zone.parse().map_err(|error: crate::region::names::NameError| error.to_string())?,
        context.to_owned(),
    ))
}

/// Prints a first region file.
///
/// # Errors
/// When the clusters cannot be asked, or hold no region.
pub async fn init(words: &InitWords) -> eyre::Result<u8> {
    eyre::ensure!(words.contexts.len() > 1, "a region has two zones or more: --contexts a=…,b=…");
    let mut asked: Vec<Asked> = Vec::with_capacity(words.contexts.len());
    for (zone, context) in &words.contexts {
        eyre::ensure!(
            asked.iter().all(|one| one.zone != *zone),
            "--contexts names zone {zone} twice: every zone needs a name of its own"
        );
        let (zone, context) = (zone.clone(), context.clone());
        let endpoint = region_file::by_context(&context)?;
        asked.push(Asked { zone, context, endpoint });
    }
    let draft = survey(&words.name, asked, words.stream.as_deref()).await?;
    print(draft.write()?.trim_end());
    Ok(0)
}

/// Does what goes with a region file.
///
/// # Errors
/// When the file cannot be used, a cluster cannot be attached to, or the command does not go with it.
pub async fn dispatch(
    file: &Path,
    words: Option<Words>,
    screen_args: &ScreenArgs,
    consent: &OthersArgs,
    (home, name): (&Home, &str),
) -> eyre::Result<u8> {
    let metrics = match words {
        Some(Words::Observe { metrics }) => Some(metrics),
        _ => None,
    };
    let command = match words {
        Some(Words::Observe { .. }) => {
            Some(Command::Status { json: false, watch: true, schema: false })
        }
        None | Some(Words::Attach { .. }) => None,
        Some(Words::Verb(
            verb @ (Verb::Doctor
            | Verb::Verify { .. }
            | Verb::Status { schema: false, .. }
            | Verb::Cut { .. }
            | Verb::Heal { .. }
            | Verb::Produce(_)
            | Verb::Drill(_)
            | Verb::Down { purge: false }),
        )) => Some(Command::try_from(verb)?),
        _ => eyre::bail!(
            "that does not go with --region-file: `zonedrill --region-file {0}` opens a screen, `… status` prints, `… doctor` says what can be done there, `… verify` compares the copies, `… cut ZONE --for 30s` cuts a link, `… drill run heal` drills, `… produce 1 100` publishes, `… down` removes what drills have left",
            file.display()
        ),
    };
    let screen = match command {
        None => {
            screen::need_terminal(&format!(
                "`zonedrill --region-file {} status` prints without one",
                file.display()
            ))?;
            Some(screen::options(screen_args, name)?)
        }
        Some(_) => None,
    };
    let opened = region_file::open(file)?;
    let region = examine(&opened.sites, opened.file.subject.as_deref()).await?;
    let who = (home.folder.parent().unwrap_or(&home.folder), name);
    let problem = region.examination.problems.first();
    if let Some(problem) = problem.filter(|_| command != Some(Command::Doctor)) {
        eyre::bail!("{}", fit_for_a_terminal(&problem.to_string()));
    }
    match command {
        Some(command @ (Command::Produce(_) | Command::Drill(Drill::Run(_)))) => {
            return drill::run(command, region, &opened, consent, who).await;
        }
        Some(Command::Down { .. }) => return drill::down(&region, &opened, consent, who).await,
        Some(Command::Drill(_)) => eyre::bail!(
            "in a region of others drills are run by name: `zonedrill --region-file {} drill run heal`",
            file.display()
        ),
        _ => {}
    }
    let region = Arc::new(region);
    let found = &region.examination;
    if matches!(command, None | Some(Command::Status { .. })) {
        if let Some(at) = metrics {
            let told = observed::told(region, &opened);
            return exporter::of_others(&opened.file.name, told, at).await;
        }
        return match (screen, command) {
            (Some(options), _) => observed::on_a_screen(region, &opened, options).await,
            (None, Some(Command::Status { json, watch, .. })) => {
                observed::print_it(region, &opened, json, watch).await
            }
            _ => Ok(0),
        };
    }
    match &command {
        Some(Command::Cut { zone, kind: None, heal_after }) => {
            return cut::cut(&region, &opened, zone, *heal_after, consent, who).await;
        }
        Some(Command::Heal { zone: Some(zone) }) => {
            return cut::heal(&region, &opened, zone, consent, who).await;
        }
        Some(Command::Cut { .. } | Command::Impair { .. }) => {
            eyre::bail!(
                "how a link of others is cut stands in the region file: leave `--kind` and `--direction` out"
            )
        }
        Some(Command::Heal { zone: None }) => eyre::bail!("say which zone: `heal ZONE`"),
        _ => {}
    }
    let Some(Command::Verify { zone, json, extent }) = command else {
        super::tell(&fit_for_a_terminal(&found.to_string()));
        let outcome = if found.is_well() { Outcome::Done } else { Outcome::Refused };
        return Ok(outcome.exit_code());
    };
    if let Some(zone) = &zone {
        let copies: Vec<&str> =
            opened.file.copies().iter().map(|copy| copy.name.as_str()).collect();
        eyre::ensure!(
            opened.file.zone(zone).is_some() && opened.file.source().name != *zone,
            "zone {zone} holds no copy in this region: those that do are {}",
            copies.join(", ")
        );
    }
    let Extent { from, to, max_rate } = extent;
    let wanted = Wanted { zone, from, to, rate: max_rate.map(Rate::per_second) };
    let compared = compare(&region, &wanted, tell).await;
    if std::io::stderr().is_terminal() {
        let _ = write!(std::io::stderr().lock(), "\r\x1b[K");
    }
    let worst = worst(&compared);
    if json {
        let document = serde_json::json!({
            "region": opened.file.name,
            "source": opened.file.source().name,
            "stream": opened.file.source().stream,
            "copies": compared,
            "exit_code": worst.exit_code(),
        });
        print(&format!("{document:#}"));
    } else {
        let texts: Vec<String> = compared.iter().map(written).collect();
        super::tell(&fit_for_a_terminal(&texts.join("\n")));
    }
    Ok(worst.exit_code())
}

/// Names that strangers chose, without what would move a cursor.
fn fit_for_a_terminal(text: &str) -> String {
    let fit = |c: char| if c != '\n' && is_unruly(c) { '\u{fffd}' } else { c };
    text.chars().map(fit).collect()
}

/// A copy that differs counts before one that was not compared.
fn worst(compared: &[Compared]) -> Outcome {
    let any = |is: Likeness| compared.iter().any(|one| one.is == is);
    if any(Likeness::Differs) {
        Outcome::Broken
    } else if any(Likeness::NotCompared) || compared.is_empty() {
        Outcome::Void
    } else {
        Outcome::Done
    }
}

/// Progress, on standard error: one line that changes on a terminal, else lines.
fn tell(progress: &Progress<'_>) {
    let Progress { zone, at, from, to, messages, took } = progress;
    let whole = to.saturating_sub(*from).saturating_add(1);
    let done = at.saturating_sub(*from);
    let left = took.as_secs_f64() * (whole as f64 / done.max(1) as f64 - 1.0).max(0.0);
    let line = format!(
        "zone {zone}: sequence {} of {} to {}, {} compared, {}/s, about {} left",
        count(*at),
        count(*from),
        count(*to),
        count(*messages),
        count((*messages as f64 / took.as_secs_f64().max(0.001)) as u64),
        seconds((left * 1000.0) as u64),
    );
    let mut out = std::io::stderr().lock();
    let _ = if out.is_terminal() {
        write!(out, "\r\x1b[K{line}").and_then(|()| out.flush())
    } else {
        writeln!(out, "{line}")
    };
}

/// A comparison as people read it.
fn written(one: &Compared) -> String {
    let kind = one.copied.map_or(String::new(), |kind| format!(" ({kind})"));
    let head = match one.is {
        Likeness::Identical => "identical",
        Likeness::Differs => "differs",
        Likeness::NotCompared => "could not be compared",
    };
    let mut out = format!("zone {}, {}{kind}: {head}", one.zone, one.stream);
    if let Some(why) = &one.why {
        let _ = write!(out, ": {why}");
    }
    if one.messages > 0 || one.differing > 0 {
        let _ = write!(
            out,
            "\n  {} messages compared, sequences {} to {} of the origin, in {}",
            count(one.messages),
            count(one.from),
            count(one.to),
            seconds(one.took_ms)
        );
    }
    if one.behind > 0 {
        let _ = write!(out, "\n  {} sequences behind the origin, not compared", count(one.behind));
    }
    if one.other_subjects {
        out.push_str("\n  its subjects are changed on the way, and were not compared");
    }
    for (why, messages) in &one.explained {
        let why = match why {
            Explained::GoneAtOrigin => {
                "are kept by the copy and gone at the origin: by deletes or limits there, or lost"
            }
            Explained::CopyLimits => "were removed by the copy's own limits",
            Explained::LimitsOrLoss => "were removed by the copy's own limits, or lost",
            Explained::CopyStart => "are from before the copy's start",
            Explained::Swallowed => {
                "were dropped by the copy's id window: the origin has the id twice"
            }
        };
        let _ = write!(out, "\n  {} {why}", count(*messages));
    }
    let named = 20;
    for difference in one.differences.iter().take(named) {
        let what = match difference.fault {
            Fault::Missing => "missing in the copy",
            Fault::Beyond => "not at the origin, which ends before",
            Fault::LostAtOrigin => "gone at the origin, which may not remove any",
            Fault::OtherId => "another message id",
            Fault::OtherSubject => "another subject",
            Fault::OtherPayload => "another payload",
            Fault::Twice => "a second time in the copy",
            Fault::OutOfOrder => "out of order in the copy",
        };
        let (first, last) = (count(difference.first), count(difference.last));
        let place = if first == last { first } else { format!("{first} to {last}") };
        let _ = write!(out, "\n  sequence {place}: {what}");
        if let Some(seq) = difference.in_copy.filter(|seq| *seq != difference.first) {
            let _ = write!(out, ", at {} there", count(seq));
        }
        if let Some(id) = &difference.id {
            let _ = write!(out, " (id {})", readable(id));
        }
    }
    if one.differing > 0 && one.differences.len() > named {
        let _ =
            write!(out, "\n  {} messages differ in all; --json names more", count(one.differing));
    }
    out
}
