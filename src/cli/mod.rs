//! The shell: parse the words, start or find the room, print, and say by the exit code how it went.
//!
//! Exit codes: 0 done, 1 tried and failed or something is broken, 2 could not be tested,
//! 3 refused: usage or environment.

mod access;
mod alone;
mod bundle;
mod cut;
mod drill;
mod exporter;
mod external;
mod foreign;
mod help;
mod hurry;
mod invite;
mod logging;
mod matrix;
mod observed;
mod output;
mod recorder;
mod regions;
#[cfg(test)]
mod remedies;
mod replay;
mod sabotage;
mod screen;
mod search;
mod settings;
mod shell;
mod shot;
mod start;
mod words;

use std::{ffi::OsString, io::Write, process::ExitCode};

use clap::FromArgMatches;
use color_eyre::eyre;

use self::{
    output::{print, say, tell},
    words::{Cli, ConfigWords, OthersArgs, PortBase, RegionWords, ScreenArgs, StartArgs, Words},
};
#[cfg(target_os = "linux")]
use crate::platform::{docker::filter, local::wire};
use crate::{
    command::{
        Command, Record,
        grammar::{DrillWords, Verb},
        recording::RECORDED_SIZE,
        wind::NOTHING_TO_WIND,
    },
    record,
    region::{Settings, actor},
    room::{doctor, external::hook, guard, home::Home, protocol::Outcome},
    tui::ScreenOptions,
};

/// Runs the program.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    #[cfg(target_os = "linux")]
    if arguments.get(1).is_some_and(|word| word == wire::helper::SUBCOMMAND) {
        // Before there is any thread: only a process of one can make a user namespace.
        wire::helper::run();
        return ExitCode::SUCCESS;
    }
    #[cfg(target_os = "linux")]
    if arguments.get(1).is_some_and(|word| word == filter::SUBCOMMAND) {
        filter::run();
        return ExitCode::SUCCESS;
    }
    output::speak(settings::language(&arguments));
    let done = match bundle::asked(&arguments) {
        Some(asked) => bundle::verify(&asked),
        None => match parse(arguments) {
            Ok(cli) => dispatch(cli),
            Err(error) if error.use_stderr() => {
                let _ = error.print();
                return ExitCode::from(Outcome::Refused.exit_code());
            }
            // The help, or the version.
            Err(asked) => {
                output::judge(asked.print());
                Ok(0)
            }
        },
    };
    let code = done.unwrap_or_else(|error| {
        complain(&error);
        Outcome::Refused.exit_code()
    });
    ExitCode::from(output::seen(code))
}

fn parse(arguments: Vec<OsString>) -> Result<Cli, clap::Error> {
    let command = help::in_language(help::command(), output::lang());
    Cli::from_arg_matches(&command.try_get_matches_from(arguments)?)
}

/// Tells an error: one message, below it those of its causes that it does not name itself.
fn complain(error: &eyre::Report) {
    let mut out = std::io::stderr().lock();
    let mut told = error.to_string();
    let _ = writeln!(out, "zonedrill: {}", say(&told));
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !told.contains(&cause) {
            let _ = writeln!(out, "  {}", say(&format!("because: {cause}")));
        }
        told.push_str(&cause);
    }
}

fn dispatch(cli: Cli) -> eyre::Result<u8> {
    let home = Home::find(&cli.region)?;
    let name = cli.name.clone().unwrap_or_else(crate::platform::person::name);
    // The log says by it who did what.
    actor::check_name(&name).map_err(eyre::Report::msg)?;
    if let Some(file) = &cli.region_file {
        let given = cli.start.first_given().or(cli.screen.record.as_ref().map(|_| "--record"));
        if let Some(flag) = given {
            eyre::bail!(
                "`{flag}` is for a region that zonedrill starts: it does not go with --region-file"
            );
        }
        // A command that is given on a screen has its room in this process.
        let shows = matches!(cli.words, None | Some(Words::Attach { .. }));
        let runtime = if shows { start::runtime_of_a_room() } else { runtime() }?;
        return runtime.block_on(external::dispatch(
            file,
            cli.words,
            &cli.screen,
            &cli.others,
            (&home, &name),
        ));
    }
    let OthersArgs { allow, confirm, dry } = &cli.others;
    eyre::ensure!(
        allow.is_empty() && confirm.is_none() && !dry,
        "`--allow`, `--confirm` and `--dry` are for regions of others: they go with `--region-file FILE`"
    );
    let starts =
        matches!(cli.words, None | Some(Words::Verb(Verb::Up | Verb::Doctor | Verb::Drill(_))));
    let ends = matches!(cli.words, Some(Words::Verb(Verb::Down { .. })));
    let given = if ends { cli.start.first_for_a_start() } else { cli.start.first_given() };
    if !starts && let Some(flag) = given {
        eyre::bail!(
            "`{flag}` says how a region is started: it goes with `zonedrill` or `zonedrill up`"
        );
    }
    match cli.words {
        Some(Words::Healer) => {
            hook::heal_if_nobody_does()?;
            Ok(0)
        }
        Some(Words::Guard { once }) => {
            // The folder may be gone when the room is.
            let identity = home.identity()?;
            if guard::outlives_the_room() {
                runtime()?.block_on(guard::clear_up(&home, &identity, once))?;
            }
            Ok(0)
        }
        Some(Words::Room { settings, tethered }) => {
            let settings: Settings = serde_json::from_str(&settings)?;
            start::be_the_room(home, settings, tethered)
        }
        None => runtime()?.block_on(async {
            let options = screen::options(&cli.screen, &name)?;
            screen::need_terminal("`zonedrill up` starts the region without one")?;
            if let Some((file, _)) = &options.record {
                // Told before a region is brought up for it.
                record::check(file)?;
            }
            start::ensure_room(&home, &cli.start).await?;
            screen::attach(&home, &name, screen::As::default(), options).await
        }),
        Some(Words::Attach { observe }) => runtime()?.block_on(async {
            let options = screen::options(&cli.screen, &name)?;
            screen::need_terminal("`zonedrill status` prints without one")?;
            screen::attach(&home, &name, screen::As { observe, guest: false }, options).await
        }),
        Some(Words::Guest { observe }) => runtime()?.block_on(async {
            // The name stands in the forced command: a guest does not choose it, and is not the
            // account's owner.
            eyre::ensure!(
                cli.name.is_some(),
                "`zonedrill guest` needs the guest's name: --as NAME"
            );
            eyre::ensure!(cli.screen.record.is_none(), "a guest's screen is not recorded");
            let options = screen::options(&cli.screen, &name)?;
            screen::need_terminal("`ssh -t` brings one")?;
            screen::attach(&home, &name, screen::As { observe, guest: true }, options).await
        }),
        Some(Words::Invite(words)) => {
            print(&invite::line(&home, &words)?);
            Ok(0)
        }
        Some(Words::Env { zone, read_only }) => {
            print(&access::env(&home, zone.as_ref(), read_only)?);
            Ok(0)
        }
        Some(Words::Observe { metrics }) => {
            runtime()?.block_on(exporter::of_room(&home, &name, metrics))
        }
        Some(Words::Config(ConfigWords::Print)) => {
            print(settings::Settings::read(&cli.screen)?.print()?.trim_end());
            Ok(0)
        }
        Some(Words::Region(RegionWords::List)) => runtime()?.block_on(regions::list(&home)),
        Some(Words::Region(RegionWords::Init(words))) => {
            runtime()?.block_on(external::init(&words))
        }
        Some(Words::Context(words)) => {
            print(&access::context(&home, &words)?);
            Ok(0)
        }
        Some(Words::Completions { shell }) => {
            print(&help::completions(shell));
            Ok(0)
        }
        Some(Words::Man { path }) => {
            print(&help::man(&path)?);
            Ok(0)
        }
        Some(Words::Replay(words)) => runtime()?.block_on(async {
            let options = screen::options(&cli.screen, &name)?;
            replay::replay(&words, options).await
        }),
        Some(Words::Shot { file, size }) => runtime()?.block_on(async {
            let options = screen::options(&cli.screen, &name)?;
            shot::take(&home, file.as_deref(), size, options).await
        }),
        Some(Words::Recorder { file, format, size }) => runtime()?.block_on(async {
            let options = screen::options(&cli.screen, &name)?;
            let recording = recorder::Recording { file, format, size };
            recorder::be_the_recorder(&home, &recording, options).await
        }),
        Some(Words::Verb(mut verb)) => {
            let recorded = recording(&cli.screen, &mut verb, &name)?;
            let command = Command::try_from(verb)?;
            runtime()?.block_on(async {
                match command {
                    Command::Doctor => {
                        if start::listens(&home).await? {
                            let kept = home.kept()?.map(|kept| kept.settings);
                            let asked = start::settings(&home, &cli.start)?;
                            if let Some(flag) = cli.start.first_given()
                                && kept.is_none_or(|kept| kept != asked)
                            {
                                // The room would answer about what it runs on, and not say so.
                                eyre::bail!(
                                    "`{flag}` says how a region is started, and region `{}` is running already: `doctor` alone examines it, `--region NAME` with `{flag}` another",
                                    home.region
                                );
                            }
                            return shell::give(&home, &name, &Command::Doctor).await;
                        }
                        let settings = start::settings(&home, &cli.start)?;
                        let report = doctor::examine(&home, &settings).await;
                        tell(&report.to_string());
                        Ok(report.outcome().exit_code())
                    }
                    Command::Up => shell::start_and_wait(&home, &name, &cli.start).await,
                    Command::Drill(what) => {
                        drill::drill(&home, &name, &cli.start, what, recorded).await
                    }
                    Command::Report { folder } => drill::report(&home, &name, folder).await,
                    Command::Down { purge } => match &cli.start.force_foreign {
                        Some(id) => foreign::remove(&home, id, purge).await,
                        None => shell::down(&home, &name, purge).await,
                    },
                    Command::Status { schema: true, .. } => {
                        print(&format!("{:#}", crate::region::status::schema().as_value()));
                        Ok(0)
                    }
                    Command::Status { json, watch: true, .. } => shell::watch(&home, &name, json).await,
                    Command::Record(Record::Start { file, format, size }) => {
                        let size = size.unwrap_or(RECORDED_SIZE);
                        let recording = recorder::Recording { file, format, size };
                        recorder::spawn_recorder(&home, &name, &cli.screen, &recording)
                    }
                    Command::Wind(_) => eyre::bail!(NOTHING_TO_WIND),
                    command => shell::give(&home, &name, &command).await,
                }
            })
        }
    }
}

/// What `drill run … --record FILE --size 120x36` records; other commands show nothing.
fn recording(
    args: &ScreenArgs,
    verb: &mut Verb,
    name: &str,
) -> eyre::Result<Option<drill::Record>> {
    let Some(file) = args.record.clone() else { return Ok(None) };
    let Verb::Drill(DrillWords::Run { size, .. }) = verb else {
        eyre::bail!(
            "--record goes with a screen or with `drill run`: `record start FILE` records from now on"
        );
    };
    let size = size.take().unwrap_or(RECORDED_SIZE);
    let recording = recorder::Recording { file, format: args.cast_format, size };
    let options = ScreenOptions { record: None, ..screen::options(args, name)? };
    Ok(Some(drill::Record { recording, options }))
}

fn runtime() -> eyre::Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    start::outgrown_files_are_errors(&runtime);
    Ok(runtime)
}

/// Ends with what the room said.
fn said(outcome: Outcome, text: &str) -> u8 {
    match outcome {
        Outcome::Done | Outcome::Void => tell(text),
        Outcome::Broken | Outcome::Refused => {
            // A table of findings is a result; a sentence is a complaint.
            if text.contains('\n') {
                tell(text);
            } else {
                let _ = writeln!(std::io::stderr().lock(), "zonedrill: {}", say(text));
            }
        }
    }
    outcome.exit_code()
}
