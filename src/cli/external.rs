//! Regions that somebody else runs: `region init`, and what goes with `--region-file`. They attach for
//! as long as the command takes, and change nothing but what is allowed.

pub(super) mod caller;
mod desk;
mod down;
mod drill;
mod line;
mod picture;
mod verify;

use std::{path::Path, sync::Arc};

use clap::Args;
use color_eyre::eyre;

use self::caller::{Caller, Place};
use super::{
    cut, exporter, observed,
    output::print,
    screen,
    words::{OthersArgs, ScreenArgs, Words},
};
use crate::{
    command::{Command, Drill, is_unruly},
    nats::external::{
        examine::{Region, examine},
        survey::{Asked, survey},
    },
    region::{Actor, ZoneName, actor::Via},
    room::{
        external::file_flag,
        home::Home,
        protocol::Outcome,
        region_file::{self, Opened},
    },
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
    let does_not_go = || {
        eyre::eyre!(
            "that does not go with --region-file: `zonedrill --region-file {0}` opens a screen, `… status` prints, `… doctor` says what can be done there, `… verify` compares the copies, `… cut ZONE --for 30s` cuts a link, `… drill run heal` drills, `… produce 1 100` publishes, `… down` removes what drills have left",
            file.display()
        )
    };
    let command = match words {
        Some(Words::Observe { .. }) => {
            Some(Command::Status { json: false, watch: true, schema: false })
        }
        None | Some(Words::Attach { .. }) => None,
        Some(Words::Verb(verb)) => {
            let command = Command::try_from(verb)?;
            Some(Some(command).filter(Command::goes_with_others).ok_or_else(does_not_go)?)
        }
        Some(_) => return Err(does_not_go()),
    };
    let options = match command {
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
    let region = examined(&opened, command.as_ref()).await?;
    let caller = Caller {
        root: home.folder.parent().unwrap_or(&home.folder).to_owned(),
        who: Actor { who: name.to_owned(), via: Via::Shell },
        consent: consent.clone(),
        place: Place::Shell,
    };
    match (options, command) {
        (Some(options), _) => desk::on_a_screen(region, opened, options, caller).await,
        (None, Some(Command::Status { json, watch, .. })) => {
            let region = Arc::new(region);
            if let Some(at) = metrics {
                let told = observed::told(region, &opened);
                return exporter::of_others(&opened.file.name, told, at).await;
            }
            observed::print_it(region, &opened, json, watch).await
        }
        (None, Some(command)) => Ok(perform(command, region, &opened, &caller).await?.exit_code()),
        (None, None) => Ok(0),
    }
}

/// The clusters, looked at for a command.
///
/// # Errors
/// When one cannot be attached to; except to `doctor`, what is wrong with them.
async fn examined(opened: &Opened, command: Option<&Command>) -> eyre::Result<Region> {
    let region = examine(&opened.sites, opened.file.subject.as_deref()).await?;
    let problem = region.examination.problems.first();
    if let Some(problem) = problem.filter(|_| command != Some(&Command::Doctor)) {
        eyre::bail!("{}", fit_for_a_terminal(&problem.to_string()));
    }
    Ok(region)
}

/// Does what can be done there.
///
/// # Errors
/// When it is not allowed, cannot be done, or was not begun.
async fn perform(
    command: Command,
    region: Region,
    opened: &Opened,
    caller: &Caller,
) -> eyre::Result<Outcome> {
    if matches!(command, Command::Produce(_) | Command::Drill(Drill::Run(_))) {
        return drill::run(command, region, opened, caller).await;
    }
    let region = Arc::new(region);
    match command {
        Command::Down { .. } => down::down(&region, opened, caller).await,
        Command::Cut { zone, kind: None, heal_after } => {
            cut::cut(&region, opened, &zone, heal_after, caller).await
        }
        Command::Cut { .. } => eyre::bail!(
            "how a link of others is cut stands in the region file: leave `--kind` and `--direction` out"
        ),
        Command::Heal { zone: Some(zone) } => cut::heal(&region, opened, &zone, caller).await,
        Command::Heal { zone: None } => eyre::bail!("say which zone: `heal ZONE`"),
        Command::Verify { zone, json, extent } => {
            verify::run(&region, opened, (zone, json, extent), caller).await
        }
        Command::Doctor => {
            let found = &region.examination;
            caller.tell(&fit_for_a_terminal(&found.to_string()));
            Ok(if found.is_well() { Outcome::Done } else { Outcome::Refused })
        }
        _ => eyre::bail!(
            "in a region of others drills are run by name: `zonedrill{} drill run heal`",
            file_flag(&opened.path)
        ),
    }
}

/// Names that strangers chose, without what would move a cursor.
fn fit_for_a_terminal(text: &str) -> String {
    let fit = |c: char| if c != '\n' && is_unruly(c) { '\u{fffd}' } else { c };
    text.chars().map(fit).collect()
}
