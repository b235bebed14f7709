//! What is made of the program's words: help with an example for each command, completions, manual
//! pages, the version.

use clap::{Command, CommandFactory, builder::StyledStr};
use clap_complete::Shell;
use color_eyre::eyre;

use super::words::{Cli, OTHERS};
use crate::{lang::Lang, region::topology::DEFAULT_NATS_VERSION};

/// A line to type for each command.
const EXAMPLES: [(&str, &str); 75] = [
    ("attach", "zonedrill attach --observe"),
    ("observe", "zonedrill observe --metrics 127.0.0.1:9555"),
    ("guest", "zonedrill guest --as tom"),
    ("invite", "zonedrill invite tom --for 2h < id_ed25519.pub"),
    ("env", "eval \"$(zonedrill env b)\""),
    ("context", "zonedrill context --select"),
    ("context remove", "zonedrill context remove"),
    ("region list", "zonedrill region list"),
    ("region init", "zonedrill region init --name shop --contexts a=prod-eu,b=prod-us > shop.toml"),
    ("config print", "zonedrill config print"),
    ("replay", "zonedrill replay ./20261124-165500-cut"),
    ("shot", "zonedrill shot now.svg --size 120x36"),
    ("completions", "zonedrill completions fish > ~/.config/fish/completions/zonedrill.fish"),
    ("man", "zonedrill man drill run | man -l -"),
    ("up", "zonedrill up --zones a,b,c"),
    ("down", "zonedrill down --purge"),
    ("status", "zonedrill status --json"),
    ("doctor", "zonedrill doctor --platform docker"),
    ("produce", "zonedrill produce --rate 50/s"),
    ("produce stop", "zonedrill produce stop"),
    ("cut", "zonedrill cut b --for 30s"),
    ("impair", "zonedrill impair b thin --for 30s"),
    ("heal", "zonedrill heal b"),
    ("zone add", "zonedrill zone add c"),
    ("zone remove", "zonedrill zone remove c"),
    ("consumer pause", "zonedrill consumer pause b"),
    ("consumer resume", "zonedrill consumer resume b"),
    ("consumer rate", "zonedrill consumer rate b 50/s"),
    ("node kill", "zonedrill node kill js2-zone-b"),
    ("node freeze", "zonedrill node freeze js2-zone-b"),
    ("node thaw", "zonedrill node thaw js2-zone-b"),
    ("node stop", "zonedrill node stop js2-zone-b"),
    ("node drain", "zonedrill node drain js2-zone-b"),
    ("node wipe", "zonedrill node wipe js2-zone-b"),
    ("node start", "zonedrill node start js2-zone-b"),
    ("node stepdown", "zonedrill node stepdown b mirror"),
    ("stream limit", "zonedrill stream limit 100000"),
    ("stream retention", "zonedrill stream retention limits"),
    ("upgrade", "zonedrill upgrade 2.15.1"),
    ("nudge", "zonedrill nudge b"),
    ("repair", "zonedrill repair all"),
    ("promote", "zonedrill promote b --rebuild-dedup"),
    ("fence", "zonedrill fence a"),
    ("salvage", "zonedrill salvage a"),
    ("failback", "zonedrill failback b"),
    ("switchover", "zonedrill switchover b"),
    ("produce move", "zonedrill produce move b --resend 50"),
    ("verify", "zonedrill verify b"),
    ("inspect node", "zonedrill inspect node js2-zone-b"),
    ("inspect stream", "zonedrill inspect stream b"),
    ("inspect consumer", "zonedrill inspect consumer b"),
    ("inspect durable", "zonedrill inspect durable b"),
    ("inspect link", "zonedrill inspect link b"),
    ("inspect faults", "zonedrill inspect faults"),
    ("inspect message", "zonedrill inspect message 13164"),
    ("mark", "zonedrill mark the power is back"),
    ("drill run", "zonedrill drill run cut heal --zone b"),
    ("drill sabotage", "zonedrill drill sabotage cut"),
    ("drill list", "zonedrill drill list"),
    ("drill stop", "zonedrill drill stop"),
    ("drill next", "zonedrill drill next"),
    ("drill begin", "zonedrill drill begin cut"),
    ("drill end", "zonedrill drill end"),
    ("drill matrix", "zonedrill drill matrix --cut 5s,20s"),
    ("drill search", "zonedrill drill search --for 10m --faults link,process"),
    ("report", "zonedrill report ./for-the-board"),
    ("record start", "zonedrill record start ./cut.cast"),
    ("record stop", "zonedrill record stop"),
    ("control ask", "zonedrill control ask"),
    ("control grant", "zonedrill control grant"),
    ("control refuse", "zonedrill control refuse"),
    ("control release", "zonedrill control release"),
    ("control take", "zonedrill control take"),
    ("control hold", "zonedrill control hold"),
    ("kick", "zonedrill kick tom"),
];

/// Options of a region's start and of a screen: only these commands show them in their help.
const OF_A_START: [&str; 3] = ["up", "doctor", "drill"];
/// What looks at clusters that somebody else runs.
const FOR_OTHERS: [&str; 4] = ["doctor", "verify", "cut", "heal"];
const OF_A_SCREEN: [&str; 5] = ["attach", "guest", "replay", "drill", "shot"];

/// The program's words as they are shown: with examples, and without what a command does not use.
#[must_use]
pub fn command() -> Command {
    let mut whole = Cli::command();
    whole.build();
    let names: Vec<String> = whole.get_subcommands().map(|one| one.get_name().to_owned()).collect();
    for name in names {
        whole = whole.mut_subcommand(&name, |one| dressed(one, &name));
    }
    whole
}

/// One command and those below it; `path` is what is typed.
fn dressed(command: Command, path: &str) -> Command {
    let verb = path.split(' ').next().unwrap_or_default();
    let shows = |heading: Option<&str>| match heading {
        Some(heading) if heading.starts_with("Starting a region") => OF_A_START.contains(&verb),
        Some(OTHERS) => FOR_OTHERS.contains(&verb),
        Some("The screen") => OF_A_SCREEN.contains(&verb),
        _ => true,
    };
    let mut command = command.mut_args(|arg| {
        let shown = shows(arg.get_help_heading());
        if shown { arg } else { arg.hide(true) }
    });
    if let Some((_, line)) = EXAMPLES.iter().find(|(one, _)| *one == path) {
        command = command.after_help(format!("Example: {line}"));
    }
    let names: Vec<String> =
        command.get_subcommands().map(|one| one.get_name().to_owned()).collect();
    for name in names {
        command = command.mut_subcommand(&name, |one| dressed(one, &format!("{path} {name}")));
    }
    command
}

/// The program's words for a person who reads this language.
#[must_use]
pub fn in_language(command: Command, lang: Lang) -> Command {
    if lang == Lang::English {
        return command;
    }
    let say = |text: Option<&StyledStr>| text.map(|text| lang.say(&text.to_string()).into_owned());
    let (about, after) = (say(command.get_about()), say(command.get_after_help()));
    let mut command = command.mut_args(|arg| {
        let help = say(arg.get_help());
        let heading = arg.get_help_heading().map(|heading| lang.say(heading).into_owned());
        let arg = if let Some(help) = help { arg.help(help) } else { arg };
        if let Some(heading) = heading { arg.help_heading(heading) } else { arg }
    });
    command = if let Some(about) = about { command.about(about) } else { command };
    command = if let Some(after) = after { command.after_help(after) } else { command };
    command.mut_subcommands(|one| in_language(one, lang))
}

/// What `--version` says after the version: what the program was made of.
#[must_use]
pub fn long_version() -> String {
    let commit = match env!("ZONEDRILL_COMMIT") {
        "" => "unknown",
        commit => commit,
    };
    format!(
        "{}\ncommit {commit}, {}\nnats-server {DEFAULT_NATS_VERSION} unless another is asked for",
        env!("CARGO_PKG_VERSION"),
        env!("ZONEDRILL_TARGET"),
    )
}

/// The same without what is hidden: for what is made of it.
fn shown() -> Command {
    bare(&command()).version(env!("CARGO_PKG_VERSION"))
}

fn bare(command: &Command) -> Command {
    let args = command.get_arguments().filter(|arg| !arg.is_hide_set());
    let args = args.filter(|arg| !is_built_in(arg.get_id().as_str()));
    let below = command.get_subcommands();
    let below = below.filter(|one| !one.is_hide_set() && !is_built_in(one.get_name()));
    Command::new(command.get_name().to_owned())
        .about(command.get_about().cloned().unwrap_or_default())
        .after_help(command.get_after_help().cloned().unwrap_or_default())
        .disable_help_subcommand(true)
        .subcommand_required(command.is_subcommand_required_set())
        .args(args.map(|arg| arg.clone().global(false)))
        .subcommands(below.map(bare).collect::<Vec<_>>())
}

fn is_built_in(id: &str) -> bool {
    ["help", "version"].contains(&id)
}

/// What makes a shell complete the program's words.
#[must_use]
pub fn completions(shell: Shell) -> String {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut shown(), "zonedrill", &mut text);
    String::from_utf8_lossy(&text).trim_end().to_owned()
}

/// The manual page of the program, or of one of its commands, as `man` reads it.
///
/// # Errors
/// When there is no such command.
pub fn man(path: &[String]) -> eyre::Result<String> {
    let mut page = shown();
    page.build();
    let mut name = "zonedrill".to_owned();
    for word in path {
        let below = page.find_subcommand(word).cloned();
        page = below.ok_or_else(|| {
            let typed = name.replace('-', " ");
            eyre::eyre!("`{typed}` has no command `{word}`: --help lists those there are")
        })?;
        name = format!("{name}-{word}");
    }
    let mut text = Vec::new();
    let page = page.name(name).version(env!("CARGO_PKG_VERSION"));
    clap_mangen::Man::new(page).render(&mut text)?;
    Ok(String::from_utf8_lossy(&text).trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches;

    use super::*;

    /// Every command that does something, by what is typed.
    fn leaves(command: &Command, path: &str) -> Vec<(String, Command)> {
        let below = command.get_subcommands().filter(|one| one.get_name() != "help");
        let mut all: Vec<_> = below
            .filter(|one| !one.is_hide_set())
            .flat_map(|one| leaves(one, format!("{path} {}", one.get_name()).trim()))
            .collect();
        if !path.is_empty() && !command.is_subcommand_required_set() {
            all.push((path.to_owned(), command.clone()));
        }
        all
    }

    #[test]
    fn every_command_has_short_help_with_an_example_that_can_be_typed() {
        let mut told = 0;
        for (path, mut leaf) in leaves(&command(), "") {
            // Only the palette of a replay winds.
            if path.starts_with("wind ") {
                continue;
            }
            let help = leaf.render_help().to_string();
            let verb = path.split(' ').next().unwrap();
            let most = if OF_A_START.contains(&verb) { 70 } else { 40 };
            assert!(help.lines().count() <= most, "{path}:\n{help}");
            let example = help.lines().find_map(|line| line.strip_prefix("Example: "));
            let example = example.unwrap_or_else(|| panic!("no example for `{path}`"));
            let line = example.split_once("$(").map_or(example, |(_, line)| line);
            let line = line.split([')', '|', '<', '>']).next().unwrap();
            let words = shell_words::split(line).unwrap();
            let typed = words[1..].join(" ");
            assert!(typed.starts_with(&path), "{path}: {example}");
            let parsed = command().try_get_matches_from(&words);
            let parsed = parsed.and_then(|matches| Cli::from_arg_matches(&matches));
            assert!(parsed.is_ok(), "{example}: {}", parsed.unwrap_err());
            told += 1;
        }
        assert_eq!(told, EXAMPLES.len());
    }

    #[test]
    fn what_a_command_does_not_use_is_not_in_its_help() {
        let help = |path: &[&str]| {
            let mut one = command();
            for word in path {
                one = one.find_subcommand(word).unwrap().clone();
            }
            one.render_help().to_string()
        };
        assert!(!help(&["cut"]).contains("--port-base") && !help(&["cut"]).contains("--ascii"));
        assert!(help(&["cut"]).contains("--region"));
        assert!(help(&["up"]).contains("--port-base") && !help(&["up"]).contains("--ascii"));
        assert!(help(&["drill", "run"]).contains("--port-base"));
        assert!(help(&["attach"]).contains("--ascii"));
        assert!(help(&[]).contains("--port-base") && help(&[]).contains("--ascii"));
    }

    #[test]
    fn shells_complete_every_command_and_none_that_is_hidden() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let text = completions(shell);
            for word in ["stepdown", "port-base", "sabotage", "completions"] {
                assert!(text.contains(word), "{shell}: {word}");
            }
            for word in ["recorder", "tethered"] {
                assert!(!text.contains(word), "{shell}: {word}");
            }
        }
    }

    #[test]
    fn every_command_has_a_manual_page() {
        for (path, _) in leaves(&shown(), "") {
            let path: Vec<String> = path.split(' ').map(str::to_owned).collect();
            let (page, example) = (man(&path).unwrap(), "Example: ");
            assert!(page.contains(example) || path[0] == "wind", "{path:?}: {page}");
        }
        let told = man(&["cut".into(), "deep".into()]).unwrap_err().to_string();
        assert!(told.contains("`zonedrill cut` has no command `deep`"), "{told}");
    }
}
