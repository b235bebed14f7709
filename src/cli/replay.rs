//! `zonedrill replay BUNDLE`: a past drill in the control room, from the evidence of it alone.
//! It needs no room, and shows nothing of a bundle that was altered.

use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use color_eyre::eyre::{self, WrapErr};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

use super::screen;
use crate::{
    command::{ScreenSize, recording::RECORDED_SIZE, wind::Speed},
    drill::{
        bundle::{self, Verification, files, verify::Recomputed},
        record::Entry,
        replay::{Outcome, Story, note},
    },
    record::{self, Tap},
    region::Severity,
    tui::{self, Feed, ScreenOptions, player},
};

/// What is shown, and how.
#[derive(Clone, Debug, Args)]
pub struct Words {
    /// The evidence bundle
    bundle: PathBuf,
    /// Which of its drills, by name or by the name of its folder in `runs`
    #[arg(long, value_name = "NAME")]
    drill: Option<String>,
    /// How many times as fast as it was
    #[arg(long, value_name = "N", default_value_t = Speed::ONE)]
    speed: Speed,
    /// With --record: the size of a screen without a terminal [default: 120x36]
    #[arg(long, value_name = "COLSxROWS", requires = "record")]
    size: Option<ScreenSize>,
}

/// Shows it until the person leaves; without a terminal, or at a size of its own, records it once.
///
/// # Errors
/// When the folder is no untouched bundle, holds no such drill, or there is nowhere to show it.
pub async fn replay(words: &Words, mut options: ScreenOptions) -> eyre::Result<u8> {
    let terminal = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
    let headless = options.record.is_some() && (words.size.is_some() || !terminal);
    eyre::ensure!(
        terminal || headless,
        "a replay needs a terminal: `--record FILE` records it without one"
    );
    if let Some((file, _)) = &options.record {
        record::check(file)?;
    }
    let story = Arc::new(story(&words.bundle, words.drill.as_deref())?);
    let playing =
        player::Playing { bundle: name(&words.bundle), speed: words.speed, once: headless };
    options.replay = true;
    let (to_screen, from_room) = mpsc::channel(256);
    let (to_room, from_screen) = mpsc::channel(64);
    let title = format!("zonedrill: replay of drill {}", story.begin().drill);
    let playing = tokio::spawn(player::play(story, playing, to_screen, from_screen));
    let abort = playing.abort_handle();
    let shown = match options.record.take() {
        Some((file, format)) if headless => {
            let size = words.size.unwrap_or(RECORDED_SIZE);
            let tap = Tap::default();
            tap.start(&file, format, size, &title)?;
            let mut terminate = signal(SignalKind::terminate())?;
            let mut interrupt = signal(SignalKind::interrupt())?;
            let stop = async {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            };
            let feed = Feed { from_room, to_room };
            let drawn = tui::headless::run(feed, &options, size, &tap, stop).await;
            Some(Ok(drawn?.recorded))
        }
        record => {
            options.record = record;
            tui::run(Feed { from_room, to_room }, options).await?.recorded
        }
    };
    abort.abort();
    screen::tell_recorded(shown)?;
    Ok(0)
}

fn name(folder: &Path) -> String {
    let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    whole.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// The drill of a bundle, with its verdict computed anew.
fn story(folder: &Path, wanted: Option<&str>) -> eyre::Result<Story> {
    let verification = bundle::verify(folder)?;
    untouched(&verification)?;
    let run = choose(&verification.runs, wanted)?;
    let record = folder.join(&run.folder).join("drill.jsonl");
    let entries = files::record(&record)?;
    let (mut events, unknown) = files::events(&folder.join("events.jsonl"))?;
    let outcome = Outcome { verdict: run.verdict, evidence: run.evidence.clone() };
    if unknown > 0
        && let Some(Entry::Begin(begin)) = entries.first()
    {
        let text =
            format!("{unknown} lines of events.jsonl are of a kind this version does not know");
        events.insert(0, note(begin.at, Severity::Warn, text));
    }
    Story::new(entries, &events, outcome)
        .ok_or_else(|| eyre::eyre!("its beginning is missing"))
        .wrap_err_with(|| format!("{} cannot be shown", record.display()))
}

/// Nothing is shown of what is not as it was written.
fn untouched(verification: &Verification) -> eyre::Result<()> {
    let folder = verification.folder.display();
    if let Some(first) = verification.altered.first() {
        let more = match verification.altered.len() - 1 {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        eyre::bail!(
            "{folder} was altered, so nothing of it is shown: {:?} {}{more}; `zonedrill verify {folder}` says all",
            first.file,
            first.what
        );
    }
    Ok(())
}

fn choose<'a>(runs: &'a [Recomputed], wanted: Option<&str>) -> eyre::Result<&'a Recomputed> {
    let short =
        |run: &Recomputed| run.folder.rsplit('/').next().map(str::to_owned).unwrap_or_default();
    let list =
        |runs: &[&Recomputed]| runs.iter().map(|run| short(run)).collect::<Vec<_>>().join(", ");
    let all: Vec<&Recomputed> = runs.iter().collect();
    let fitting: Vec<&Recomputed> = match wanted {
        None => all.clone(),
        Some(name) => {
            let by_folder = |run: &&&Recomputed| short(run) == name || run.folder == name;
            match all.iter().find(by_folder) {
                Some(run) => vec![*run],
                None => all.iter().copied().filter(|run| run.drill == name).collect(),
            }
        }
    };
    match fitting.as_slice() {
        [run] => Ok(run),
        [] => eyre::bail!(
            "the bundle holds no drill {}: it holds {}",
            wanted.unwrap_or_default(),
            list(&all)
        ),
        several => eyre::bail!(
            "the bundle holds {} drills: name one with `--drill`: {}",
            several.len(),
            list(several)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::region::snapshot::Verdict;

    fn run(folder: &str, drill: &str) -> Recomputed {
        Recomputed {
            folder: folder.into(),
            drill: drill.into(),
            sabotage: None,
            verdict: Verdict::Void,
            evidence: String::new(),
        }
    }

    #[test]
    fn one_drill_is_chosen_or_asked_for() {
        let runs = [run("runs/1-cut", "cut"), run("runs/2-heal", "heal"), run("runs/3-cut", "cut")];
        assert_eq!(choose(&runs, Some("heal")).unwrap().folder, "runs/2-heal");
        assert_eq!(choose(&runs, Some("3-cut")).unwrap().folder, "runs/3-cut");
        assert_eq!(choose(&runs[1..2], None).unwrap().folder, "runs/2-heal");
        let none = choose(&runs, None).unwrap_err().to_string();
        assert!(none.contains("`--drill`: 1-cut, 2-heal, 3-cut"), "{none}");
        let twice = choose(&runs, Some("cut")).unwrap_err().to_string();
        assert!(twice.contains("2 drills") && !twice.contains("heal"), "{twice}");
        let other = choose(&runs, Some("grow")).unwrap_err().to_string();
        assert!(other.contains("no drill grow"), "{other}");
    }
}
