//! `zonedrill shot`: one picture of the screen, without one.

use std::{fs::OpenOptions, io::Write, path::Path};

use color_eyre::eyre::{self, WrapErr};

use super::{output, screen};
use crate::{
    command::ScreenSize,
    record::shot,
    room::{home::Home, protocol::ClientKind},
    tui::{ScreenOptions, headless},
};

/// Draws what a screen of that size shows now.
///
/// # Errors
/// When there is no room, or the file cannot be made.
pub async fn take(
    home: &Home,
    file: Option<&Path>,
    size: ScreenSize,
    options: ScreenOptions,
) -> eyre::Result<u8> {
    let (feed, line) = screen::look_on(home, &options.name, ClientKind::Watch).await?;
    let picture = headless::picture(feed, &options, size).await;
    line.abort();
    let picture = picture?;
    let Some(path) = file else {
        output::judge(write!(std::io::stdout().lock(), "{}", shot::text(&picture)));
        return Ok(0);
    };
    let is_svg = path.extension().is_some_and(|extension| extension == "svg");
    let drawn = if is_svg { shot::svg(&picture) } else { shot::text(&picture) };
    let made = OpenOptions::new().write(true).create_new(true).open(path);
    let written = made.and_then(|mut file| file.write_all(drawn.as_bytes()));
    written.wrap_err_with(|| format!("cannot write {}: name a new file", path.display()))?;
    Ok(0)
}
