//! What can come next in a line of the command language, read off the one grammar.

use clap::Arg;

use super::{Command, drill::DRILLS, grammar, units::parse_duration, wind::Speed};
use crate::region::{NodeName, ZoneName, condition::presets};

/// Words a screen understands besides the commands.
pub const SCREEN_WORDS: [(&str, &str); 2] =
    [("help", "Show the keys"), ("quit", "Leave the screen")];

/// What can stand at the cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completions {
    /// Where the word at the cursor begins, as a byte offset: a candidate replaces the text from
    /// here to the cursor.
    pub start: usize,
    /// The words that fit, best first.
    pub candidates: Vec<Candidate>,
}

/// A word that fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub text: String,
    /// What it does, in a few words.
    pub help: String,
}

/// Where a line stands in the grammar.
struct Place {
    command: clap::Command,
    /// The verbs on the way there.
    path: Vec<String>,
    /// How many positional words it has already.
    positionals: usize,
    /// Flags it has already, by their long name.
    flags: Vec<String>,
    /// The flag that waits for its value.
    waiting: Option<Arg>,
    /// A word that no continuation can mend.
    dead: bool,
}

/// What there is where a line is typed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Around<'a> {
    /// The zones, source first.
    pub zones: &'a [ZoneName],
    pub nodes: &'a [NodeName],
    /// A past drill is shown again: there is something to wind, and nothing to do to a region.
    pub replay: bool,
}

impl Around<'_> {
    /// Whether a verb does something here.
    fn knows(self, verb: &str) -> bool {
        match verb {
            "wind" => self.replay,
            "record" => true,
            _ => !self.replay,
        }
    }
}

/// Lists what can stand at `cursor` (a byte offset).
#[must_use]
pub fn complete(line: &str, cursor: usize, around: Around<'_>) -> Completions {
    let before = line.get(..cursor).unwrap_or(line);
    let start = word_start(before);
    let (done, partial) = before.split_at(start);
    let place = walk(done);
    if place.dead {
        return Completions { start, candidates: Vec::new() };
    }
    let mut candidates = Vec::new();
    let mut offer = |text: &str, help: String| {
        if text.starts_with(partial) && text != partial {
            candidates.push(Candidate { text: text.to_owned(), help });
        }
    };
    if let Some(flag) = &place.waiting {
        offer_values(flag, &place, around, &mut offer);
    } else {
        if place.positionals == 0 {
            let here = |verb: &str| !place.path.is_empty() || around.knows(verb);
            for sub in place.command.get_subcommands().filter(|sub| here(sub.get_name())) {
                offer(sub.get_name(), about(sub.get_about()));
            }
            if place.path.is_empty() {
                for (word, help) in SCREEN_WORDS {
                    offer(word, help.to_owned());
                }
            }
        }
        let positionals: Vec<&Arg> = place.command.get_positionals().collect();
        // Of drills, one name may follow another.
        let more = || trailing(&positionals).filter(|arg| arg.get_id().as_str() == "names");
        if let Some(arg) = positionals.get(place.positionals).or_else(more) {
            offer_values(arg, &place, around, &mut offer);
        }
        for arg in place.command.get_opts().chain(flags(&place.command)) {
            if let Some(long) = arg.get_long()
                && !place.flags.iter().any(|given| given == long)
            {
                offer(&format!("--{long}"), about(arg.get_help()));
            }
        }
    }
    Completions { start, candidates }
}

/// Why a line being typed cannot become a command any more; `None` while it still can.
#[must_use]
pub fn hopeless(line: &str) -> Option<String> {
    let Err(error) = line.parse::<Command>() else { return None };
    let trimmed = line.trim_start();
    if SCREEN_WORDS.iter().any(|(word, _)| word.starts_with(trimmed.trim_end())) {
        return None;
    }
    let (done, partial) = line.split_at(word_start(line));
    let place = walk(done);
    let stuck = place.dead
        || place.path.is_empty()
            && !partial.is_empty()
            && !place.command.get_subcommands().any(|sub| sub.get_name().starts_with(partial));
    stuck.then(|| error.to_string())
}

/// Where the last word of a text begins.
fn word_start(text: &str) -> usize {
    text.char_indices()
        .rev()
        .find(|(_, c)| c.is_whitespace())
        .map_or(0, |(at, space)| at + space.len_utf8())
}

/// Follows the words that are complete.
fn walk(done: &str) -> Place {
    let mut place = Place {
        command: grammar::tree(),
        path: Vec::new(),
        positionals: 0,
        flags: Vec::new(),
        waiting: None,
        dead: false,
    };
    for word in done.split_whitespace() {
        if let Some(flag) = place.waiting.take() {
            place.dead |= !fits(&flag, word);
        } else if let Some(long) = word.strip_prefix("--").filter(|long| !long.is_empty()) {
            let (name, value) = long.split_once('=').map_or((long, None), |(n, v)| (n, Some(v)));
            let Some(arg) = place.command.get_arguments().find(|a| a.get_long() == Some(name))
            else {
                place.dead = true;
                continue;
            };
            place.flags.push(name.to_owned());
            match value {
                Some(value) => place.dead |= !fits(arg, value),
                None if arg.get_action().takes_values() => place.waiting = Some(arg.clone()),
                None => {}
            }
        } else if let Some(sub) =
            (place.positionals == 0).then(|| place.command.find_subcommand(word)).flatten()
        {
            place.path.push(word.to_owned());
            place.command = sub.clone();
        } else {
            let positionals: Vec<&Arg> = place.command.get_positionals().collect();
            match positionals.get(place.positionals).or_else(|| trailing(&positionals)) {
                Some(arg) => place.dead |= !fits(arg, word),
                None => place.dead = true,
            }
            place.positionals += 1;
        }
    }
    place
}

/// The last positional, if it takes any number of words.
fn trailing<'a, 'b>(positionals: &'b [&'a Arg]) -> Option<&'b &'a Arg> {
    positionals.last().filter(|arg| matches!(arg.get_action(), clap::ArgAction::Append))
}

/// Whether a complete word can be this argument's value.
fn fits(arg: &Arg, word: &str) -> bool {
    let possible = arg.get_possible_values();
    if !possible.is_empty() {
        return possible.iter().any(|value| value.get_name() == word);
    }
    match arg.get_id().as_str() {
        "zone" => word.parse::<ZoneName>().is_ok() || (takes_all(arg) && word == "all"),
        "node" => word.parse::<NodeName>().is_ok(),
        "from" | "to" | "count" => word.parse::<u64>().is_ok(),
        "speed" => word.parse::<Speed>().is_ok(),
        "time" => parse_duration(word).is_ok(),
        _ => true,
    }
}

/// Whether the argument takes `all` besides a zone's name.
fn takes_all(arg: &Arg) -> bool {
    takes_word(arg, "all")
}

/// Whether the argument's value name lists a word of its own (`ZONE|all`, `RATE|max`).
fn takes_word(arg: &Arg, word: &str) -> bool {
    arg.get_value_names()
        .is_some_and(|names| names.iter().any(|name| name.split('|').any(|part| part == word)))
}

fn offer_values(
    arg: &Arg,
    place: &Place,
    around: Around<'_>,
    offer: &mut impl FnMut(&str, String),
) {
    for value in arg.get_possible_values() {
        offer(value.get_name(), about(value.get_help()));
    }
    match arg.get_id().as_str() {
        // A zone that is added has a name nobody has yet.
        "zone" if place.path.last().is_some_and(|verb| verb == "add") => {}
        "zone" => {
            // The source has no link to cut, heal, nudge or take away.
            let mirrors_only = place.path.last().is_some_and(|verb| {
                ["cut", "impair", "heal", "nudge", "remove", "durable", "link"]
                    .contains(&verb.as_str())
            });
            for zone in around.zones.iter().skip(usize::from(mirrors_only)) {
                offer(zone.as_str(), String::new());
            }
            if takes_all(arg) {
                let links = place.path.last().is_some_and(|verb| verb == "heal");
                offer("all", if links { "every link" } else { "every zone" }.into());
            }
        }
        "node" => {
            for node in around.nodes {
                offer(&node.to_string(), String::new());
            }
        }
        "names" => {
            for (name, about) in DRILLS {
                offer(name, about.to_owned());
            }
            if place.path.last().is_some_and(|verb| verb == "run") {
                offer("all", "the four conclusions, one after the other".into());
                offer("conditions", "links that are slow, one-way or unsteady".into());
            }
        }
        "preset" => {
            for preset in presets::all(None).unwrap_or_default() {
                offer(&preset.name, preset.about);
            }
        }
        "speed" => {
            for times in ["1", "2", "4", "10", "0.5"] {
                offer(times, format!("{times} times as fast as it was"));
            }
        }
        _ if takes_word(arg, "max") => offer("max", "no limit".into()),
        _ if takes_word(arg, "none") => offer("none", "no limit".into()),
        _ => {}
    }
}

fn flags(command: &clap::Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|arg| {
        !arg.is_positional() && !arg.get_action().takes_values() && !arg.is_hide_set()
    })
}

fn about(help: Option<&clap::builder::StyledStr>) -> String {
    help.map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(line: &str) -> Vec<String> {
        words_in(line, false)
    }

    fn words_in(line: &str, replay: bool) -> Vec<String> {
        let zones: Vec<ZoneName> = ["a", "b"].iter().map(|z| z.parse().unwrap()).collect();
        let nodes: Vec<NodeName> = zones.iter().flat_map(ZoneName::nodes).collect();
        let around = Around { zones: &zones, nodes: &nodes, replay };
        complete(line, line.len(), around).candidates.into_iter().map(|c| c.text).collect()
    }

    #[test]
    fn an_empty_line_offers_every_verb() {
        let all = words("");
        for verb in ["up", "produce", "cut", "zone", "verify", "mark", "help", "quit"] {
            assert!(all.iter().any(|word| word == verb), "{verb} in {all:?}");
        }
        assert_eq!(words("cons"), ["consumer"]);
    }

    #[test]
    fn words_are_completed_where_they_stand() {
        assert_eq!(words("cut "), ["b", "--kind", "--direction", "--for"]);
        assert_eq!(words("impair b th"), ["thin"]);
        assert_eq!(words("cut b --kind "), ["refuse", "silent", "unplug"]);
        assert_eq!(words("cut b --k"), ["--kind"]);
        assert_eq!(words("cut b --kind silent "), ["--direction", "--for"]);
        assert_eq!(words("heal "), ["b", "all"]);
        assert_eq!(words("consumer rate b "), ["max"]);
        assert_eq!(words("node st"), ["stop", "start", "stepdown"]);
        assert_eq!(words("node kill js2"), ["js2-zone-a", "js2-zone-b"]);
        assert_eq!(words("node stepdown b m"), ["mirror", "meta"]);
        assert_eq!(words("zone add "), Vec::<String>::new());
        assert_eq!(
            words("produce "),
            ["stop", "move", "--interval", "--count", "--rate", "--size"]
        );
        assert_eq!(words("prodcue "), Vec::<String>::new());
        assert_eq!(words("drill s"), ["sabotage", "stop", "search"]);
        assert_eq!(words("drill run h"), ["heal", "halfopen"]);
        assert_eq!(words("drill run a"), ["all"]);
        assert_eq!(words("drill run heal g"), ["grow"]);
        assert_eq!(
            words("drill run heal --sabotage re"),
            ["reorder", "restart-producer", "reconfigure", "revive"]
        );
        assert_eq!(words("drill run heal --pres"), ["--present"]);
        let around = Around { zones: &["a".parse().unwrap()], ..Around::default() };
        assert_eq!(complete("heal a", 6, around).start, 5);
    }

    #[test]
    fn a_replay_is_wound_and_a_region_is_not() {
        assert_eq!(words_in("", true), ["record", "wind", "help", "quit"]);
        assert_eq!(words_in("w", false), Vec::<String>::new());
        assert_eq!(words_in("wind s", true), ["speed", "slower", "start"]);
        assert_eq!(words_in("wind speed ", true), ["1", "2", "4", "10", "0.5"]);
        assert_eq!(words_in("wind to ", true), Vec::<String>::new());
        assert!(hopeless("wind speed 4").is_none() && hopeless("wind to").is_none());
        assert!(hopeless("wind speed fast ").is_some());
    }

    #[test]
    fn only_the_hopeless_is_called_so() {
        for fine in [
            "",
            "c",
            "cut",
            "cut ",
            "cut b",
            "cut b --ki",
            "produce 5",
            "produce 5 1",
            "hel",
            "quit",
            "mark one two",
            "zone ad",
        ] {
            assert_eq!(hopeless(fine), None, "{fine}");
        }
        for bad in [
            "x",
            "prodcue",
            "cutt b",
            "cut B ",
            "cut b --kind gentle ",
            "cut b --fro 3 ",
            "node kill x ",
            "heal b c ",
        ] {
            assert!(hopeless(bad).is_some(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_line_panics(line in "\\PC{0,30}", cursor in 0usize..40) {
            let _ = complete(&line, cursor, Around::default());
            let _ = hopeless(&line);
        }

        #[test]
        fn candidates_go_on_from_what_is_there(line in "(cut|heal|node|zone|consumer|produce|x)?( [a-z-]{0,4}){0,3}") {
            let found = complete(&line, line.len(), Around::default());
            for candidate in found.candidates {
                prop_assert!(candidate.text.starts_with(&line[found.start..]));
            }
        }
    }
}
