//! `verify` with `--region-file`: each copy beside its origin, message by message; how far it has come is
//! kept, so that it can go on after an end that came too early.

use std::{
    fmt::Write as _,
    io::{IsTerminal, Write as _},
    sync::Arc,
};

use color_eyre::eyre::{self, ContextCompat};

use super::{
    caller::{Caller, Place},
    fit_for_a_terminal,
};
use crate::{
    command::{Extent, Point, Rate, readable},
    ledger::copies::{Explained, Fault},
    nats::external::{
        compare::{Compared, Likeness, Progress, Run, Sample, Told, Wanted, compare},
        examine::Region,
    },
    region::{
        ZoneName,
        format::{count, seconds},
    },
    room::{
        clock::now_ms,
        external::{
            file_flag,
            kept::{Kept, KeptFile},
        },
        protocol::Outcome,
        region_file::Opened,
    },
};

/// Which zone, as JSON or not, and which part.
type Asked = (Option<ZoneName>, bool, Extent);

/// Compares the copies.
///
/// # Errors
/// When what is asked for does not go together, or there is nothing to go on with.
pub async fn run(
    region: &Arc<Region>,
    opened: &Opened,
    (zone, json, extent): Asked,
    caller: &Caller,
) -> eyre::Result<Outcome> {
    if let Some(zone) = &zone {
        let copies: Vec<&str> =
            opened.file.copies().iter().map(|copy| copy.name.as_str()).collect();
        eyre::ensure!(
            opened.file.zone(zone).is_some() && opened.file.source().name != *zone,
            "zone {zone} holds no copy in this region: those that do are {}",
            copies.join(", ")
        );
    }
    let file = KeptFile::of(&caller.root, &opened.file.name);
    let mut kept = if extent.resume {
        eyre::ensure!(
            zone.is_none()
                && extent.from.is_none()
                && extent.to.is_none()
                && extent.sample.is_none(),
            "`--resume` goes on with what was asked for before: leave the zone, `--from`, `--to` and `--sample` out"
        );
        let kept = file.read().map_err(eyre::Report::msg)?;
        kept.wrap_err("there is no comparison to go on with: leave `--resume` out")?
    } else {
        // What was kept of an earlier one is not to be gone on with after this one.
        if extent.sample.is_none() {
            file.remove();
        }
        Kept::of(zone, extent.from, extent.to)
    };
    let wanted = Wanted {
        zone: kept.zone.clone(),
        from: kept.from.0,
        to: kept.to.0,
        rate: extent.max_rate.map(Rate::per_second),
        sample: extent.sample.map(|messages| Sample { messages, seed: now_ms() }),
        halfway: kept.halfway.clone(),
        done: kept.done.clone(),
    };
    let mut hurry = caller.hurry()?;
    let mut trouble = None;
    let keeps = wanted.sample.is_none();
    let comparing = compare(region, &wanted, |told| {
        match told {
            Told::Progress(progress) => return tell_progress(&progress, caller),
            Told::Halfway(halfway) => kept.halfway = Some(halfway.clone()),
            Told::Done(done) if done.stopped => {}
            Told::Done(done) => {
                kept.halfway = None;
                let mut done = done.clone();
                done.earlier.push(Run { through: done.to, at_ms: now_ms() });
                kept.done.push(done);
            }
        }
        if keeps && kept.is_worth_it() {
            trouble = file.write(&kept).err().or(trouble.take());
        }
    });
    let compared = tokio::select! {
        compared = comparing => Some(compared),
        () = hurry.asked() => None,
    };
    if matches!(caller.place, Place::Shell) && std::io::stderr().is_terminal() {
        let _ = write!(std::io::stderr().lock(), "\r\x1b[K");
    }
    let goes_on = || {
        let flag = file_flag(&opened.path);
        match &kept.halfway {
            _ if !keeps => String::new(),
            Some(halfway) => format!(
                "\n`zonedrill{flag} verify --resume` goes on at sequence {} of zone {}",
                count(halfway.reached.origin),
                halfway.zone
            ),
            None if kept.done.is_empty() => String::new(),
            None => format!("\n`zonedrill{flag} verify --resume` goes on with the next zone"),
        }
    };
    if let Some(why) = trouble {
        caller.tell(&format!("how far it has come cannot be kept: {why}"));
    }
    let Some(compared) = compared else {
        caller.tell(&format!("ended before its end: nothing is said of the copies{}", goes_on()));
        return Ok(Outcome::Void);
    };
    let whole = compared.iter().all(|one| !one.stopped);
    if keeps && whole {
        file.remove();
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
        caller.data(&format!("{document:#}"));
    } else {
        let texts: Vec<String> = compared.iter().map(written).collect();
        let more = if whole { String::new() } else { goes_on() };
        caller.tell(&(fit_for_a_terminal(&texts.join("\n")) + &more));
    }
    Ok(worst)
}

/// A copy that differs counts before one that was not compared, or not all of it.
fn worst(compared: &[Compared]) -> Outcome {
    let any = |is: Likeness| compared.iter().any(|one| one.is == is);
    if any(Likeness::Differs) {
        Outcome::Broken
    } else if any(Likeness::NotCompared) || any(Likeness::Sampled) || compared.is_empty() {
        Outcome::Void
    } else {
        Outcome::Done
    }
}

/// Progress, in a shell on standard error: one line that changes on a terminal, else lines.
fn tell_progress(progress: &Progress<'_>, caller: &Caller) {
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
    if matches!(caller.place, Place::Screen(_)) {
        return caller.step(&line);
    }
    let mut out = std::io::stderr().lock();
    let _ = if out.is_terminal() {
        write!(out, "\r\x1b[K{line}").and_then(|()| out.flush())
    } else {
        writeln!(out, "{line}")
    };
}

/// A comparison as people read it.
fn written(one: &Compared) -> String {
    let kind = one.copied.as_ref().map_or(String::new(), |kind| format!(" ({kind})"));
    let head = match one.is {
        Likeness::Identical => "identical",
        Likeness::Differs => "differs",
        Likeness::NotCompared => "could not be compared",
        Likeness::Sampled => "no difference in a sample; nothing is shown of the rest",
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
    if let Some(runs) = one.sampled_runs {
        let _ =
            write!(out, "\n  a sample: {} runs of messages, spread over all of them", count(runs));
    }
    for run in &one.earlier {
        let (through, when) = (count(run.through), Point::Time(run.at_ms));
        let _ = write!(
            out,
            "\n  up to sequence {through} it was compared before {when}, in an earlier run"
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
