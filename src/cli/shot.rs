//! `zonedrill shot`: one picture of the screen, without one.

use std::{fs::OpenOptions, io::Write, path::Path};

use color_eyre::eyre::{self, WrapErr};
use tokio::sync::mpsc;

use super::{output, screen};
use crate::{
    command::ScreenSize,
    platform::person,
    record::shot,
    room::{
        client::{Client, Greeting},
        home::Home,
        protocol::ClientKind,
    },
    tui::{Feed, ScreenOptions, headless},
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
    let greeting = Greeting {
        name: options.name.clone(),
        client: ClientKind::Watch,
        observe: true,
        guest: false,
        from: person::ssh_peer(),
        token: String::new(),
    };
    let client = Client::greet(home, &greeting).await?;
    let (to_screen, from_room) = mpsc::channel(256);
    let (to_room, lines) = mpsc::channel(1);
    let line = tokio::spawn(screen::carry(client, home.clone(), greeting, to_screen, lines));
    let picture = headless::picture(Feed { from_room, to_room }, &options, size).await;
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
