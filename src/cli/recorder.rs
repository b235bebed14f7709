//! Recording without a terminal: as a task of this process, or as a process of its own.

use std::{path::PathBuf, process::Stdio};

use color_eyre::eyre::{self, WrapErr};
use tokio_util::sync::CancellationToken;

use super::{
    ScreenArgs,
    hurry::Hurry,
    screen::{GOOD_BYE, look_on},
};
use crate::{
    command::{CastFormat, ScreenSize},
    platform::marks,
    record::{self, Recorded, Tap},
    room::{home::Home, protocol::ClientKind},
    tui::{
        ScreenOptions,
        headless::{self, Drawn},
    },
};

/// What a recorder's process says when it has begun.
const BEGUN: &str = "recording";

/// What is recorded, and how.
#[derive(Clone, Debug)]
pub struct Recording {
    pub file: PathBuf,
    pub format: CastFormat,
    pub size: ScreenSize,
}

/// A screen without a terminal that records, as a task of this process.
pub struct Recorder {
    drawing: tokio::task::JoinHandle<std::io::Result<Drawn>>,
    stop: CancellationToken,
}

impl Recorder {
    /// Attaches to the room and begins.
    ///
    /// # Errors
    /// When there is no room, or the file cannot be made.
    pub async fn start(
        home: &Home,
        recording: &Recording,
        options: ScreenOptions,
    ) -> eyre::Result<Self> {
        // Before anyone is told that somebody records.
        record::check(&recording.file)?;
        let (feed, line) = look_on(home, &options.name, ClientKind::Recorder).await?;
        let tap = Tap::default();
        let title = format!("zonedrill: {}", home.region);
        let size = recording.size;
        tap.start(&recording.file, recording.format, size, &title)?;
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let drawing = tokio::spawn(async move {
            let drawn = headless::run(feed, &options, size, &tap, stopped.cancelled()).await;
            let _ = tokio::time::timeout(GOOD_BYE, line).await;
            drawn
        });
        Ok(Self { drawing, stop })
    }

    /// Waits until the recording ends: by `record stop`, with the room, or by itself. Not to be
    /// called again then.
    ///
    /// # Errors
    /// When the file could not be written on.
    pub async fn ended(&mut self) -> eyre::Result<Recorded> {
        Ok((&mut self.drawing).await??.recorded)
    }

    /// Ends the recording with the last picture.
    ///
    /// # Errors
    /// When the file could not be written on.
    pub async fn stop(&mut self) -> eyre::Result<Recorded> {
        self.stop.cancel();
        self.ended().await
    }
}

/// The process that records for a shell: says one line when it has begun, and goes on without
/// anyone until it is told to end.
///
/// # Errors
/// When it cannot begin, or the file cannot be written on.
pub async fn be_the_recorder(
    home: &Home,
    recording: &Recording,
    options: ScreenOptions,
) -> eyre::Result<u8> {
    // A session of its own: no terminal's hang-up or ctrl-c concerns it.
    let _ = rustix::process::setsid();
    let mut hurry = Hurry::new()?;
    let mut recorder = Recorder::start(home, recording, options).await?;
    super::print(BEGUN);
    tokio::select! {
        ended = recorder.ended() => ended?,
        () = hurry.asked() => recorder.stop().await?,
    };
    Ok(0)
}

/// Starts such a process, and waits until it has begun.
///
/// # Errors
/// When it does not begin; in its own words.
pub fn spawn_recorder(
    home: &Home,
    name: &str,
    args: &ScreenArgs,
    recording: &Recording,
) -> eyre::Result<u8> {
    use std::io::{BufRead, Read};
    let program = std::env::current_exe().wrap_err("cannot find this program's own file")?;
    let mut command = std::process::Command::new(program);
    command.args(["recorder", "--region", &home.region, "--as", name]);
    command.args(["--format", recording.format.as_str(), "--size", &recording.size.to_string()]);
    if args.ascii {
        command.arg("--ascii");
    }
    command.arg("--").arg(&recording.file);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    marks::mark(&mut command, &home.region, &home.identity()?);
    let mut child = command.spawn().wrap_err("cannot start a recorder")?;
    let mut line = String::new();
    if let Some(out) = child.stdout.take() {
        std::io::BufReader::new(out).read_line(&mut line)?;
    }
    if line.trim() == BEGUN {
        super::print(&format!(
            "recording into {} at {} until `zonedrill{} record stop`",
            recording.file.display(),
            recording.size,
            home.flag()
        ));
        return Ok(0);
    }
    let mut why = String::new();
    if let Some(mut err) = child.stderr.take() {
        err.read_to_string(&mut why)?;
    }
    let status = child.wait()?;
    let why = why.trim().trim_start_matches("zonedrill: ");
    eyre::ensure!(!why.is_empty(), "the recorder ended at once ({status})");
    eyre::bail!("{why}")
}
