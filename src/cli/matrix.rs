//! The matrix: recovery times of server versions and kinds of mirrors, each combination measured in
//! a region of its own.

use std::{fmt::Write, path::PathBuf, time::Duration};

use color_eyre::eyre::{self, WrapErr};
use serde::Serialize;

use super::{
    StartArgs,
    alone::{Alone, Other},
    print, shell,
};
use crate::{
    command::{Command, DrillMatrix, Impair, Produce, Size, units::format_duration},
    platform::version_at_least,
    region::{
        CopyKind, MirrorKind, Status, UnixMs, ZoneName,
        condition::{Feature, LinkCondition},
        format::seconds,
        recovery,
        status::Recovery,
    },
    room::{
        client::Client,
        drills::bundle,
        impair::known_presets,
        protocol::{ClientKind, Message, Outcome, Request},
    },
};

/// Messages that are missed during each cut.
const MISSED: u64 = 200;
/// Messages that are missed while a link is impaired, and their size in bytes: a thin line needs some
/// seconds for them, so that its rate can be measured.
const MISSED_IMPAIRED: (u64, u32) = (600, 1_024);
/// The size of those that a cut keeps away, in bytes.
const SIZE: u32 = 128;
/// Messages before the first cut.
const BEFORE: u64 = 100;
/// A room that tells nothing for so long stood still itself.
const LONGEST_GAP_MS: u64 = 1_500;
/// How long a mirror may take to catch up: two rounds of the longest back-off.
const CAUGHT_UP_WITHIN: Duration = Duration::from_secs(150);

/// One measured recovery, or why there is none.
#[derive(Clone, Debug, Serialize)]
struct Row {
    version: String,
    mirror: MirrorKind,
    copy: CopyKind,
    /// How long the link was cut, or impaired.
    cut_s: f64,
    /// The preset by which it was impaired; `None` where it was cut.
    impair: Option<String>,
    /// Heal → link up, moving, caught up, in milliseconds; `None` where it did not come.
    link_up_ms: Option<u64>,
    moving_ms: Option<u64>,
    caught_up_ms: Option<u64>,
    /// Messages missing at the heal.
    behind: Option<u64>,
    /// What was measured before (with 200 messages missed), for comparison.
    expected: String,
    /// Why there is no measurement.
    why: Option<String>,
}

/// Measures every combination and tells it as a table.
///
/// # Errors
/// When the tables cannot be written, or it is interrupted.
pub async fn measure(name: &str, asked: &StartArgs, what: &DrillMatrix) -> eyre::Result<u8> {
    let out = what.out.clone().unwrap_or_else(|| {
        PathBuf::from(format!("zonedrill-matrix-{}", bundle::new_name("recovery")))
    });
    let known = known_presets().map_err(|why| eyre::eyre!(why))?;
    for preset in &what.impair {
        let impair = Impair::Preset(preset.clone());
        impair.condition(LinkCondition::default(), &known).map_err(|why| eyre::eyre!(why))?;
    }
    std::fs::create_dir_all(&out).wrap_err_with(|| format!("cannot create {}", out.display()))?;
    let mut rows = Vec::new();
    for version in &what.versions {
        for mirror in &what.mirrors {
            let measured = tokio::select! {
                measured = combination(name, asked, version, *mirror, what) => measured,
                _ = tokio::signal::ctrl_c() => eyre::bail!("interrupted; nothing was left running"),
            };
            for row in measured {
                print(&line(&row));
                rows.push(row);
            }
            // As it happens: hours of measuring must not be lost to a last mistake.
            write(&out, &rows)?;
        }
    }
    print(&format!("\n{}\ntables: {}", markdown(&rows), out.display()));
    let measured = rows.iter().any(|row| row.caught_up_ms.is_some());
    Ok(if measured { 0 } else { 2 })
}

fn write(out: &std::path::Path, rows: &[Row]) -> eyre::Result<()> {
    let file = out.join("recovery.json");
    std::fs::write(&file, serde_json::to_vec_pretty(rows)?)
        .wrap_err_with(|| format!("cannot write {}", file.display()))?;
    let file = out.join("recovery.md");
    std::fs::write(&file, markdown(rows))
        .wrap_err_with(|| format!("cannot write {}", file.display()))
}

/// All cuts of one version and kind, one after the other in one region.
async fn combination(
    name: &str,
    asked: &StartArgs,
    version: &str,
    mirror: MirrorKind,
    what: &DrillMatrix,
) -> Vec<Row> {
    let row = |(preset, cut): &(Option<String>, Duration), why: Option<String>| Row {
        version: version.to_owned(),
        mirror,
        copy: asked.copy.unwrap_or_default(),
        cut_s: cut.as_secs_f64(),
        impair: preset.clone(),
        link_up_ms: None,
        moving_ms: None,
        caught_up_ms: None,
        behind: None,
        // What is expected was measured after cuts.
        expected: match preset {
            Some(_) => String::new(),
            None => recovery::expected_after(version, mirror, *cut).into(),
        },
        why,
    };
    let cuts = combined(what);
    let all = |why: &str| cuts.iter().map(|cut| row(cut, Some(why.to_owned()))).collect();
    if mirror == MirrorKind::Durable && !version_at_least(version, (2, 15, 0)) {
        return all("no durable copies before 2.15");
    }
    let copies = asked.copy.unwrap_or_default().several(Some(mirror));
    print(&format!("nats-server {version}, {copies}:"));
    let other = Other { version: version.to_owned(), mirror };
    let alone = match Alone::start("matrix", asked, Some(other)).await {
        Ok(alone) => alone,
        Err(error) => return all(&format!("{error:#}")),
    };
    let rows = match Measuring::begin(&alone, name).await {
        Ok(mut measuring) => {
            let mut rows = Vec::new();
            for cut in &cuts {
                rows.push(match measuring.one(cut).await {
                    Ok(clock) => Row {
                        link_up_ms: clock.link_up_after_ms,
                        moving_ms: clock.moving_after_ms,
                        caught_up_ms: clock.caught_up_after_ms,
                        behind: clock.behind,
                        ..row(cut, None)
                    },
                    Err(error) => row(cut, Some(format!("{error:#}"))),
                });
            }
            rows
        }
        Err(error) => all(&format!("{error:#}")),
    };
    alone.end().await;
    rows
}

/// A connection to the region that is measured.
struct Measuring {
    client: Client,
    mirror: ZoneName,
    asked: u64,
    number: u64,
    /// When the room looked last.
    looked: Option<UnixMs>,
    /// What is asked of the link and was not seen by the last look; `None` where all was.
    unmeasured: Option<Vec<Feature>>,
    /// The longest time between two looks since the heal, or a clock that went back.
    unseen_ms: u64,
}

impl Measuring {
    async fn begin(alone: &Alone, name: &str) -> eyre::Result<Self> {
        let code = shell::up(&alone.home, name, super::start::Started::Now).await?;
        eyre::ensure!(code == 0, "the region did not come up");
        let home = &alone.home;
        let mut client = Client::connect(home, name, ClientKind::Watch, false).await?;
        let mirror = loop {
            if let Message::Status { status } = client.next().await? {
                let zone = status.zones.iter().find(|zone| zone.mirror.is_some());
                break zone
                    .map(|zone| zone.name.clone())
                    .ok_or_else(|| eyre::eyre!("no mirror"))?;
            }
        };
        let mut measuring = Self {
            client,
            mirror,
            asked: 0,
            number: 0,
            looked: None,
            unmeasured: None,
            unseen_ms: 0,
        };
        measuring.produce(BEFORE).await?;
        measuring.caught_up().await?;
        Ok(measuring)
    }

    /// Cuts or impairs, misses some messages, heals, and reads the recovery clock.
    async fn one(
        &mut self,
        (preset, length): &(Option<String>, Duration),
    ) -> eyre::Result<Recovery> {
        let zone = self.mirror.clone();
        let begin = match preset {
            None => Command::Cut { zone: zone.clone(), kind: None, heal_after: None },
            Some(preset) => {
                let what = Impair::Preset(preset.clone());
                Command::Impair { zone: zone.clone(), what, heal_after: None }
            }
        };
        let began = tokio::time::Instant::now();
        self.give(&begin).await?;
        let (missed, size) = if preset.is_some() { MISSED_IMPAIRED } else { (MISSED, SIZE) };
        self.produce_of(missed, size).await?;
        self.unmeasured = Some(Vec::new());
        while tokio::time::Instant::now() < began + *length {
            // What is told meanwhile says whether the link is as asked.
            let _ = tokio::time::timeout_at(began + *length, self.next()).await;
        }
        if preset.is_some()
            && let Some(missing) = self.unmeasured.take()
        {
            self.give(&Command::Heal { zone: Some(zone) }).await?;
            self.caught_up().await?;
            let missing: Vec<&str> = missing.iter().map(|one| one.as_str()).collect();
            eyre::bail!("`{begin}` was not measured at both ends ({})", missing.join(", "));
        }
        self.unseen_ms = 0;
        self.give(&Command::Heal { zone: Some(zone) }).await?;
        let clock = self.caught_up().await?;
        eyre::ensure!(
            self.unseen_ms <= LONGEST_GAP_MS,
            "nobody looked for {} between the heal and the end of the catch-up: the room itself stood still, so the times are unknown",
            seconds(self.unseen_ms)
        );
        Ok(clock)
    }

    /// The next message of the room; when it looked is noted.
    async fn next(&mut self) -> eyre::Result<Message> {
        let message = self.client.next().await?;
        if let Message::Status { status } = &message {
            let gap = self.looked.map_or(0, |last| status.at_ms.abs_diff(last));
            self.unseen_ms = self.unseen_ms.max(gap);
            self.looked = Some(status.at_ms);
            let link = status.zone(&self.mirror).and_then(|zone| zone.link.as_ref());
            self.unmeasured = link.filter(|link| !link.effective).map(|link| {
                link.measured.as_ref().map(|seen| seen.unproved.clone()).unwrap_or_default()
            });
        }
        Ok(message)
    }

    async fn produce(&mut self, count: u64) -> eyre::Result<()> {
        self.produce_of(count, SIZE).await
    }

    async fn produce_of(&mut self, count: u64, size: u32) -> eyre::Result<()> {
        let from = self.number + 1;
        self.number += count;
        let range = Produce::Range {
            from,
            to: self.number,
            interval: Duration::from_millis(2),
            size: Size(size),
        };
        self.give(&Command::Produce(range)).await
    }

    /// Gives a command and waits for its end.
    async fn give(&mut self, command: &Command) -> eyre::Result<()> {
        self.asked += 1;
        self.client.send(&Request::Command { id: self.asked, line: command.to_string() }).await?;
        loop {
            match self.next().await? {
                Message::Answer { id, outcome, text, .. } if id == self.asked => {
                    eyre::ensure!(outcome == Outcome::Done, "`{command}`: {text}");
                    return Ok(());
                }
                Message::Error { why } => eyre::bail!("the room: {why}"),
                _ => {}
            }
        }
    }

    /// Waits until the mirror has everything; the clock of its last heal.
    async fn caught_up(&mut self) -> eyre::Result<Recovery> {
        let waiting = async {
            loop {
                let Message::Status { status } = self.next().await? else { continue };
                if let Some(clock) = settled(&status, &self.mirror, self.number) {
                    return Ok::<_, eyre::Report>(clock);
                }
            }
        };
        tokio::time::timeout(CAUGHT_UP_WITHIN, waiting).await.map_err(|_| {
            eyre::eyre!("not caught up within {}", format_duration(CAUGHT_UP_WITHIN))
        })?
    }
}

/// The clock, once the mirror holds everything and no clock runs any more.
fn settled(status: &Status, mirror: &ZoneName, messages: u64) -> Option<Recovery> {
    let zone = status.zone(mirror)?;
    let lag = zone.mirror.as_ref()?.true_lag;
    let holds = zone.stream.as_ref()?.last_seq;
    match &zone.recovery {
        None if lag == Some(0) && holds >= messages => Some(Recovery::default()),
        Some(clock) if clock.caught_up_after_ms.is_some() && holds >= messages => {
            Some(clock.clone())
        }
        _ => None,
    }
}

/// What is done to the link, and for how long: every preset, or a cut, of every length.
fn combined(what: &DrillMatrix) -> Vec<(Option<String>, Duration)> {
    let presets: Vec<Option<String>> = match &what.impair[..] {
        [] => vec![None],
        presets => presets.iter().cloned().map(Some).collect(),
    };
    presets
        .into_iter()
        .flat_map(|preset| what.cuts.iter().map(move |length| (preset.clone(), *length)))
        .collect()
}

fn line(row: &Row) -> String {
    let done = row.impair.as_deref().unwrap_or("cut");
    let expected = match &row.expected[..] {
        "" => String::new(),
        expected => format!(" (expected {expected})"),
    };
    match &row.why {
        Some(why) => format!("  {done} {:>5.1} s: {why}", row.cut_s),
        None => format!(
            "  {done} {:>5.1} s: link up {}, moving {}, caught up {}{expected}",
            row.cut_s,
            time(row.link_up_ms),
            time(row.moving_ms),
            time(row.caught_up_ms),
        ),
    }
}

fn time(ms: Option<u64>) -> String {
    ms.map_or_else(|| "?".to_owned(), seconds)
}

fn markdown(rows: &[Row]) -> String {
    let mut text = String::from(
        "| nats-server | mirror | cut | link up | moving | caught up | expected (caught up) |\n|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let Row { version, expected, .. } = row;
        let cut = match &row.impair {
            None => format!("{} s", row.cut_s),
            Some(preset) => format!("{preset} {} s", row.cut_s),
        };
        let mirror = match row.copy {
            CopyKind::Mirror => row.mirror.to_string(),
            CopyKind::Sources => row.copy.one(row.mirror),
        };
        let _ = match &row.why {
            Some(why) => writeln!(text, "| {version} | {mirror} | {cut} | – | – | {why} | |"),
            None => writeln!(
                text,
                "| {version} | {mirror} | {cut} | {} | {} | {} | {expected} |",
                time(row.link_up_ms),
                time(row.moving_ms),
                time(row.caught_up_ms)
            ),
        };
    }
    text
}
