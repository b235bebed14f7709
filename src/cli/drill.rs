//! Drills from the shell: in the running room if there is one, else in a region of their own.

use std::path::PathBuf;

use color_eyre::eyre;

use super::{
    StartArgs, alone::Alone, complain, matrix, recorder, sabotage, said, search, shell, start,
};
use crate::{
    command::{Command, Drill, DrillRun},
    record::{self, Recorded},
    room::{
        drills::{self, bundle},
        home::Home,
        protocol::Outcome,
    },
    tui::ScreenOptions,
};

/// What `drill run … --record FILE` records, and how its screen looks.
pub struct Record {
    /// The file, its form and size.
    pub recording: recorder::Recording,
    pub options: ScreenOptions,
}

/// Runs, lists, stops drills.
///
/// # Errors
/// When the room cannot be reached, or a region cannot be brought up.
pub async fn drill(
    home: &Home,
    name: &str,
    asked: &StartArgs,
    what: Drill,
    recorded: Option<Record>,
) -> eyre::Result<u8> {
    let runs = matches!(what, Drill::Run(_));
    let apart = matches!(what, Drill::Matrix(_) | Drill::Sabotage { .. } | Drill::Search(_));
    let here = start::listens(home).await?;
    if let Some(flag) = asked.first_given()
        && (here || !runs)
        && !apart
    {
        eyre::bail!(
            "`{flag}` says how a region is started, and region `{}` {}",
            home.region,
            if here {
                "is running already: `--region NAME` names another"
            } else {
                "is not started by this"
            }
        );
    }
    match what {
        Drill::Matrix(what) => matrix::measure(name, asked, &what).await,
        Drill::Search(what) => search::search(name, asked, &what).await,
        Drill::Sabotage { names } => sabotage::all(name, asked, &names).await,
        Drill::List if !here => match drills::choice::list() {
            Ok(list) => Ok(said(list.outcome, &list.text)),
            Err(failure) => eyre::bail!("{failure}"),
        },
        what if !runs => shell::give(home, name, &Command::Drill(what)).await,
        what => {
            let what = with_folder(what, !here)?;
            check(&what)?;
            if let Some(Record { recording, .. }) = &recorded {
                // Told before a region is brought up for it.
                record::check(&recording.file)?;
            }
            let command = Command::Drill(what);
            if here {
                return follow(home, name, &command, recorded).await;
            }
            let alone = Alone::start(&home.region, asked, None).await?;
            let code = match alone.until_told_up(name).await {
                // The environment, not the region, is at fault: nothing was tested.
                Ok(up) if up != 0 => Ok(3),
                Ok(_) => follow(&alone.home, name, &command, recorded).await,
                Err(error) => Err(error),
            };
            alone.end().await;
            code
        }
    }
}

/// Gives a drill and follows it; what the room shows meanwhile is recorded, if that was asked for.
async fn follow(
    home: &Home,
    name: &str,
    command: &Command,
    record: Option<Record>,
) -> eyre::Result<u8> {
    let Some(Record { recording, options }) = record else {
        return shell::follow(home, name, command).await;
    };
    let mut recorder = recorder::Recorder::start(home, &recording, options).await?;
    let following = shell::follow(home, name, command);
    tokio::pin!(following);
    let (code, whole) = tokio::select! {
        code = &mut following => (code, tell(recorder.stop().await)),
        // By itself or by `record stop`: told when it happens; the drill goes on.
        recorded = recorder.ended() => {
            let whole = tell(recorded);
            (following.await, whole)
        }
    };
    // A recording that broke off does not take the drill's verdict with it.
    match code? {
        0 if !whole => Ok(Outcome::Refused.exit_code()),
        code => Ok(code),
    }
}

/// Tells what became of the recording; whether it is whole.
fn tell(recorded: eyre::Result<Recorded>) -> bool {
    match recorded {
        Ok(recorded) => {
            super::tell(&recorded.to_string());
            true
        }
        Err(error) => {
            complain(&error);
            false
        }
    }
}

/// Writes the bundle of the last drills again.
///
/// # Errors
/// When the room cannot be reached.
pub async fn report(home: &Home, name: &str, folder: Option<PathBuf>) -> eyre::Result<u8> {
    let folder = folder.map(std::path::absolute).transpose()?;
    shell::give(home, name, &Command::Report { folder }).await
}

/// Names that do not exist and scripts with mistakes are told before anything is started.
fn check(what: &Drill) -> eyre::Result<()> {
    let Drill::Run(run) = what else { return Ok(()) };
    drills::choice::check(run).map_err(|failure| eyre::eyre!("{failure}"))
}

/// The room has another working folder: a path must be whole. Without a room, the bundle goes here.
fn with_folder(what: Drill, alone: bool) -> eyre::Result<Drill> {
    let Drill::Run(run) = what else { return Ok(what) };
    let report = match run.report {
        None if alone => {
            let what = run.names.join("-");
            Some(PathBuf::from(format!("zonedrill-report-{}", bundle::new_name(&what))))
        }
        given => given,
    };
    let report = report.map(std::path::absolute).transpose()?;
    Ok(Drill::Run(DrillRun { report, ..run }))
}
