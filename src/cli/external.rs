//! Regions that somebody else runs: `region init`, and what goes with `--region-file`. They attach for
//! as long as the command takes, and change nothing but what is allowed.

mod drill;
mod verify;

use std::{path::Path, sync::Arc};

use clap::Args;
use color_eyre::eyre;

use super::{
    cut, exporter, observed,
    output::print,
    screen,
    words::{OthersArgs, ScreenArgs, Words},
};
use crate::{
    command::{Command, Drill, grammar::Verb, is_unruly},
    nats::external::{
        examine::examine,
        survey::{Asked, survey},
    },
    region::ZoneName,
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
    if let Some(Command::Verify { zone, json, extent }) = command {
        return verify::run(&region, &opened, (zone, json, extent), who.0).await;
    }
    super::tell(&fit_for_a_terminal(&found.to_string()));
    let outcome = if found.is_well() { Outcome::Done } else { Outcome::Refused };
    Ok(outcome.exit_code())
}

/// Names that strangers chose, without what would move a cursor.
fn fit_for_a_terminal(text: &str) -> String {
    let fit = |c: char| if c != '\n' && is_unruly(c) { '\u{fffd}' } else { c };
    text.chars().map(fit).collect()
}
