//! `region list`: which regions this account has, and whether their rooms run.

use std::fs;

use color_eyre::eyre;

use super::{start::NOBODY_SEEN, tell};
use crate::room::{
    client::{Client, ClientError},
    home::Home,
    protocol::ClientKind,
};

/// Prints a line for each region beside `home`, by name.
///
/// # Errors
/// When the folder they lie in cannot be read.
pub async fn list(home: &Home) -> eyre::Result<u8> {
    tell(&table(home).await?);
    Ok(0)
}

/// A line for each region beside `home`, by name.
///
/// # Errors
/// When the folder they lie in cannot be read.
pub async fn table(this: &Home) -> eyre::Result<String> {
    let mut lines = Vec::new();
    for home in beside(this)? {
        let room = match Client::connect(&home, NOBODY_SEEN, ClientKind::Shell, true).await {
            Ok(client) => format!("room {}", client.hello.pid),
            Err(ClientError::NoRoom(_) | ClientError::Gone) => "no room".to_owned(),
            Err(error) => error.to_string(),
        };
        let (zones, platform) = match home.kept() {
            Ok(Some(kept)) => {
                let zones: Vec<String> =
                    kept.zones.iter().map(|zone| zone.name.to_string()).collect();
                (zones.join(","), kept.settings.platform.to_string())
            }
            Ok(None) => ("-".to_owned(), "-".to_owned()),
            Err(error) => ("?".to_owned(), error.to_string()),
        };
        let mut folder = home.folder.display().to_string();
        if home.folder == this.folder {
            folder.push_str("  (this one)");
        }
        lines.push([home.region, room, zones, platform, folder]);
    }
    if lines.is_empty() {
        return Ok("there is no region yet: `zonedrill up` starts one".to_owned());
    }
    Ok(in_columns(&lines))
}

/// The regions in the same folder.
fn beside(home: &Home) -> eyre::Result<Vec<Home>> {
    let Some(root) = home.folder.parent().filter(|root| root.is_dir()) else {
        return Ok(Vec::new());
    };
    let mut homes: Vec<Home> = fs::read_dir(root)?
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter_map(|entry| Home::find(entry.file_name().to_str()?).ok())
        .filter(Home::is_ours)
        .collect();
    homes.sort_by(|a, b| a.region.cmp(&b.region));
    Ok(homes)
}

/// Columns as wide as their widest word; the last one ends the line.
fn in_columns(lines: &[[String; 5]]) -> String {
    let widths: Vec<usize> = (0..4)
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0))
        .collect();
    let line = |words: &[String; 5]| {
        let cells: Vec<String> = words
            .iter()
            .enumerate()
            .map(|(column, word)| match widths.get(column) {
                Some(width) => format!("{word:<width$}"),
                None => word.clone(),
            })
            .collect();
        cells.join("  ")
    };
    lines.iter().map(line).collect::<Vec<_>>().join("\n")
}
