//! What the placeholders of a script stand for.

use std::time::Duration;

use super::Filling;
use crate::command::{
    grammar::HIGHEST_NUMBER,
    parse_version,
    units::{format_duration, parse_duration},
};

/// Replaces the placeholders. `lenient`: leave alone what is none, as in the braces of TOML itself.
pub(super) fn substitute(
    text: &str,
    filling: &Filling,
    lenient: bool,
) -> Result<String, (usize, String)> {
    let mut filled = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(open) = text[at..].find('{').map(|found| at + found) {
        filled.push_str(&text[at..open]);
        let inside = text[open + 1..].find(['{', '}', '\n']).map(|found| open + 1 + found);
        let word = inside
            .filter(|close| text.as_bytes()[*close] == b'}')
            .map(|close| (&text[open + 1..close], close));
        match word {
            Some((word, close)) if !lenient || is_placeholder(word) => {
                filled.push_str(&placeholder(word, filling).map_err(|why| (open, why))?);
                at = close + 1;
            }
            _ if lenient => {
                filled.push('{');
                at = open + 1;
            }
            _ => return Err((open, "a `{` is not closed".into())),
        }
    }
    filled.push_str(&text[at..]);
    Ok(filled)
}

const PLACEHOLDERS: [&str; 12] = [
    "source", "mirror", "leader", "new", "severed", "rebuild", "version", "from", "to", "count",
    "rate", "interval",
];

fn is_placeholder(word: &str) -> bool {
    word.split(' ').next().is_some_and(|name| PLACEHOLDERS.contains(&name)) && !word.contains('=')
}

fn placeholder(word: &str, filling: &Filling) -> Result<String, String> {
    let unknown = || {
        format!(
            "`{{{word}}}` is not a placeholder: there are {{source}}, {{mirror}}, {{leader}}, {{new}}, {{severed}}, {{rebuild}}, {{version}}, {{from 1}}, {{to 100}}, {{count 50}}, {{rate 10 500}} and {{interval 100 4s}}"
        )
    };
    let number = |text: &str| text.parse::<u64>().ok().filter(|n| *n > 0 && *n <= HIGHEST_NUMBER);
    let scaled = |n: u64| {
        n.checked_mul(filling.scale)
            .filter(|n| *n <= HIGHEST_NUMBER)
            .ok_or_else(|| format!("`{{{word}}}` is too much at scale {}", filling.scale))
    };
    let parts: Vec<&str> = word.split(' ').collect();
    match parts[..] {
        ["source"] => Ok(filling.source.to_string()),
        ["mirror"] => Ok(filling.mirror.to_string()),
        ["leader"] => filling
            .leader
            .as_ref()
            .map(ToString::to_string)
            .ok_or_else(|| format!("no server leads the stream of zone {}", filling.mirror)),
        ["severed"] => Ok(severed(filling)),
        ["rebuild"] if filling.options.rebuild_dedup => Ok("--rebuild-dedup".into()),
        ["rebuild"] => Ok(String::new()),
        // A bundle says it, too, and could say more than a version.
        ["version"] => {
            filling.options.to_version.as_deref().map_or(Ok(String::new()), parse_version)
        }
        ["new"] => filling
            .new_zone
            .as_ref()
            .map(ToString::to_string)
            .ok_or_else(|| "there is no name left for a new zone".into()),
        ["from", n] => Ok((scaled(number(n).ok_or_else(unknown)? - 1)? + 1).to_string()),
        ["to" | "count", n] => Ok(scaled(number(n).ok_or_else(unknown)?)?.to_string()),
        ["rate", n, most] => {
            let (n, most) = (number(n).ok_or_else(unknown)?, number(most).ok_or_else(unknown)?);
            Ok(format!("{}/s", scaled(n)?.min(most)))
        }
        // So many messages, spread over that time, whatever the scale: as fast as acknowledged
        // when less than a millisecond is left between two.
        ["interval", n, time] => {
            let n = scaled(number(n).ok_or_else(unknown)?)?;
            let time = parse_duration(time).map_err(|why| why.to_string())?;
            let between = u64::try_from(time.as_millis()).unwrap_or(u64::MAX) / n;
            Ok(format_duration(Duration::from_millis(between)))
        }
        _ => Err(unknown()),
    }
}

/// The condition that the cut is there, as far as it can be seen.
fn severed(filling: &Filling) -> String {
    let link = format!("zones.{}.link", filling.mirror);
    let effective = format!("{link}.effective == true");
    if filling.external {
        return effective;
    }
    format!("{effective} and {link}.leafs_here == 0 and {link}.leafs_there == 0")
}
