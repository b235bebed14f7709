//! `zonedrill replay BUNDLE|HISTORY`: what happened, in the control room, from the history of it
//! alone. It needs no room, and shows nothing of a bundle that was altered.

use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use color_eyre::eyre::{self, WrapErr};
use tokio::sync::mpsc;

use super::{hurry::Hurry, screen};
use crate::{
    command::{ScreenSize, recording::RECORDED_SIZE, wind::Speed},
    drill::{
        bundle::{self, Verification, files, verify::Recomputed},
        record::Entry,
        replay::{
            Story,
            old::{self, Outcome},
            replaying,
        },
    },
    record::{self, Tap},
    region::{
        Event, EventKind, Input, Severity,
        history::{self, Line},
        input::Moment,
        status::Verdict,
    },
    tui::{self, Feed, ScreenOptions, player},
};

/// The name of a history.
const HISTORY: &str = "history.jsonl";

/// What is shown, and how.
#[derive(Clone, Debug, Args)]
pub struct Words {
    /// An evidence bundle, or a region's history (its file, or the folder it lies in)
    #[arg(value_name = "BUNDLE|HISTORY")]
    path: PathBuf,
    /// Only those drills of a bundle that have this name, or the one of that folder in `runs`
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
    let story = Story::new(history(&words.path, words.drill.as_deref())?)
        .ok_or_else(|| eyre::eyre!("{} holds no drill", words.path.display()))?;
    let story = Arc::new(story);
    let playing = player::Playing { bundle: name(&words.path), speed: words.speed, once: headless };
    options.replay = true;
    let (to_screen, from_room) = mpsc::channel(256);
    let (to_room, from_screen) = mpsc::channel(64);
    let title = format!("zonedrill: replay of {}", name(&words.path));
    let playing = tokio::spawn(player::play(story, playing, to_screen, from_screen));
    let abort = playing.abort_handle();
    let shown = match options.record.take() {
        Some((file, format)) if headless => {
            let size = words.size.unwrap_or(RECORDED_SIZE);
            let tap = Tap::default();
            tap.start(&file, format, size, &title)?;
            let mut hurry = Hurry::new()?;
            let feed = Feed { from_room, to_room };
            let drawn = tui::headless::run(feed, &options, size, &tap, hurry.asked()).await;
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

/// What is played: a history by itself, or a bundle's drills in turn.
fn history(path: &Path, wanted: Option<&str>) -> eyre::Result<Vec<Line>> {
    let file = if path.is_dir() { path.join(HISTORY) } else { path.to_owned() };
    if path.is_dir() && !file.exists() {
        return drills(path, wanted);
    }
    eyre::ensure!(wanted.is_none(), "{} is a history: `--drill` is for bundles", file.display());
    read(&file)
}

fn read(file: &Path) -> eyre::Result<Vec<Line>> {
    let text = files::text(file, files::LARGEST_TEXT)?;
    history::read(&text).wrap_err_with(|| format!("{} cannot be shown", file.display()))
}

/// The drills of a bundle, each with its verdict computed anew.
fn drills(folder: &Path, wanted: Option<&str>) -> eyre::Result<Vec<Line>> {
    let verification = bundle::verify(folder)?;
    untouched(&verification)?;
    let mut lines = Vec::new();
    for run in chosen(&verification.runs, wanted)? {
        let history = folder.join(&run.folder).join(HISTORY);
        if history.exists() {
            lines.extend(read(&history)?);
            lines.extend(disagreement(run, &lines));
        } else {
            lines.extend(old_history(folder, run)?);
        }
    }
    Ok(lines)
}

/// A line where what was told in the room is not what its evidence comes to.
fn disagreement(run: &Recomputed, lines: &[Line]) -> Option<Line> {
    let at = lines.last()?.at();
    let kinds = lines.iter().rev().filter_map(|line| match line {
        Line::Input(moment) => match &moment.input {
            Input::Said(kinds) => Some(kinds),
            _ => None,
        },
        Line::Begin(_) => None,
    });
    let told = kinds.flatten().find_map(|kind| match kind {
        EventKind::DrillEnded { verdict, .. } => Some(*verdict),
        _ => None,
    });
    if told == Some(run.verdict) {
        return None;
    }
    let told = told.map_or("nothing", Verdict::as_str);
    let text =
        format!("{told} was told of it; its evidence comes to {}: {}", run.verdict, run.evidence);
    let input = Input::note(Severity::Warn, text);
    Some(Line::Input(Box::new(Moment { at, by: Some(replaying()), input })))
}

/// What a bundle of format 1 or 2 tells of a drill.
fn old_history(folder: &Path, run: &Recomputed) -> eyre::Result<Vec<Line>> {
    let record = folder.join(&run.folder).join("drill.jsonl");
    let entries = files::record(&record)?;
    let (mut events, unknown) = files::events(&folder.join("events.jsonl"))?;
    let outcome = Outcome { verdict: run.verdict, evidence: run.evidence.clone() };
    if unknown > 0
        && let Some(Entry::Begin(begin)) = entries.first()
    {
        let text =
            format!("{unknown} lines of events.jsonl are of a kind this version does not know");
        let kind = EventKind::Note { severity: Severity::Warn, text };
        events.insert(0, Event { id: 0, at_ms: begin.at, actor: replaying(), kind });
    }
    old::history(entries, &events, outcome)
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

/// Those of that name, or all.
fn chosen<'a>(runs: &'a [Recomputed], wanted: Option<&str>) -> eyre::Result<Vec<&'a Recomputed>> {
    let short =
        |run: &Recomputed| run.folder.rsplit('/').next().map(str::to_owned).unwrap_or_default();
    let all: Vec<&Recomputed> = runs.iter().collect();
    let Some(name) = wanted else { return Ok(all) };
    let by_folder = |run: &&Recomputed| short(run) == name || run.folder == name;
    if let Some(run) = all.iter().find(|run| by_folder(run)) {
        return Ok(vec![run]);
    }
    let fitting: Vec<_> = all.iter().copied().filter(|run| run.drill == name).collect();
    eyre::ensure!(
        !fitting.is_empty(),
        "the bundle holds no drill {name}: it holds {}",
        all.iter().map(|run| short(run)).collect::<Vec<_>>().join(", ")
    );
    Ok(fitting)
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn all_drills_are_played_or_those_of_a_name() {
        let runs = [run("runs/1-cut", "cut"), run("runs/2-heal", "heal"), run("runs/3-cut", "cut")];
        let folders = |wanted| {
            let chosen = chosen(&runs, wanted).unwrap();
            chosen.into_iter().map(|run| run.folder.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(folders(None).len(), 3);
        assert_eq!(folders(Some("heal")), ["runs/2-heal"]);
        assert_eq!(folders(Some("3-cut")), ["runs/3-cut"]);
        assert_eq!(folders(Some("cut")), ["runs/1-cut", "runs/3-cut"]);
        let other = chosen(&runs, Some("grow")).unwrap_err().to_string();
        assert!(other.contains("no drill grow: it holds 1-cut, 2-heal, 3-cut"), "{other}");
    }
}
