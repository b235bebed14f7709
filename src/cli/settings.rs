//! How a person wants the screen: what comes with zonedrill, a `config.toml` and a `keys.toml` of
//! their own, the environment, the command line. Each goes before the one before it.

use std::{
    ffi::OsString,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::ValueEnum;
use color_eyre::eyre::{self, WrapErr};
use etcetera::BaseStrategy;
use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::ScreenArgs;
use crate::{
    command::keys::{self, Bindings, Keymap, KeymapError, When},
    lang::Lang,
    room::{external::hook, guard},
    tui::{ScreenOptions, graphs::Span, theme::Colours},
};

/// The settings zonedrill comes with.
const DEFAULT: &str = include_str!("../../config/config.toml");
/// The name they go by in messages.
const DEFAULT_NAME: &str = "config/config.toml";
/// The least and the most time between two frames, in milliseconds.
const REFRESH_MS: std::ops::RangeInclusive<u64> = 100..=5000;

/// One file, as it stands.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    theme: Option<Spanned<String>>,
    ascii: Option<Spanned<String>>,
    lang: Option<Spanned<String>>,
    mouse: Option<Spanned<String>>,
    bell: Option<bool>,
    refresh_ms: Option<Spanned<u64>>,
    graphs: Option<Spanned<String>>,
    bind: Bindings,
}

/// A setting, and where it was made.
#[derive(Clone, Debug, PartialEq)]
struct Set<T> {
    is: T,
    by: String,
}

impl<T> Set<T> {
    fn put(&mut self, is: Option<T>, by: &str) {
        if let Some(is) = is {
            *self = Self { is, by: by.to_owned() };
        }
    }
}

/// Everything that is set. `None` goes by the terminal and its environment.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    theme: Set<Option<Colours>>,
    ascii: Set<Option<bool>>,
    lang: Set<Option<Lang>>,
    mouse: Set<Option<bool>>,
    bell: Set<bool>,
    refresh_ms: Set<u64>,
    graphs: Set<Span>,
    keymap: Keymap,
}

impl Settings {
    /// What zonedrill comes with.
    ///
    /// # Errors
    /// Never in a released zonedrill: a test reads the same files.
    pub fn standard() -> Result<Self, KeymapError> {
        fn unset<T>(is: T) -> Set<T> {
            Set { is, by: String::new() }
        }
        let mut settings = Self {
            theme: unset(None),
            ascii: unset(None),
            lang: unset(None),
            mouse: unset(None),
            bell: unset(true),
            refresh_ms: unset(0),
            graphs: unset(Span::default()),
            keymap: Keymap::standard()?,
        };
        settings.overlay(DEFAULT_NAME, DEFAULT)?;
        Ok(settings)
    }

    /// Lays a file over these settings.
    ///
    /// # Errors
    /// When it holds what cannot be set.
    fn overlay(&mut self, file: &str, text: &str) -> Result<(), KeymapError> {
        let File { theme, ascii, lang, mouse, bell, refresh_ms, graphs, bind } =
            keys::read(file, text)?;
        let one_of = |given: Option<Spanned<String>>, words: &[&str]| match given {
            Some(given) if !words.contains(&given.get_ref().as_str()) => {
                let why =
                    format!("`{}` is none of {}", given.get_ref().escape_debug(), words.join(", "));
                Err(KeymapError::at(file, text, given.span().start, why))
            }
            given => Ok(given.map(Spanned::into_inner)),
        };
        let choice = |word: String| match word.as_str() {
            "yes" => Some(true),
            "no" => Some(false),
            _ => None,
        };
        let themes = Colours::value_variants().iter().map(|theme| theme.as_str());
        let themes: Vec<&str> = std::iter::once("auto").chain(themes).collect();
        let theme = one_of(theme, &themes)?;
        let ascii = one_of(ascii, &["auto", "yes", "no"])?;
        let lang = one_of(lang, &["auto", "en", "zh"])?;
        let mouse = one_of(mouse, &["auto", "yes", "no"])?;
        let spans: Vec<&str> = Span::ALL.iter().map(|span| span.as_str()).collect();
        let graphs = one_of(graphs, &spans)?;
        if let Some(ms) = &refresh_ms
            && !REFRESH_MS.contains(ms.get_ref())
        {
            let why = format!(
                "{} is not from {} to {} (milliseconds)",
                ms.get_ref(),
                REFRESH_MS.start(),
                REFRESH_MS.end()
            );
            return Err(KeymapError::at(file, text, ms.span().start, why));
        }
        self.keymap.lay(file, text, bind)?;
        self.theme.put(theme.map(|word| Colours::from_str(&word, false).ok()), file);
        self.ascii.put(ascii.map(choice), file);
        self.lang.put(lang.map(|word| Lang::named(&word)), file);
        self.mouse.put(mouse.map(choice), file);
        self.bell.put(bell, file);
        self.refresh_ms.put(refresh_ms.map(Spanned::into_inner), file);
        self.graphs.put(graphs.and_then(|word| Span::named(&word)), file);
        Ok(())
    }

    /// What holds with these words on the command line.
    ///
    /// # Errors
    /// When a file cannot be read, or holds what cannot be set.
    pub fn read(args: &ScreenArgs) -> eyre::Result<Self> {
        let mut settings = Self::standard()?;
        let folder = folder();
        if let Some(folder) = &folder {
            let path = folder.join("keys.toml");
            if let Some(text) = text(&path, args.keys.is_some())? {
                settings.keymap.overlay(&path.display().to_string(), &text)?;
            }
            let path = folder.join("config.toml");
            if let Some(text) = text(&path, false)? {
                settings.overlay(&path.display().to_string(), &text)?;
            }
        }
        if let Some(path) = &args.keys {
            let text = fs::read_to_string(path)
                .wrap_err_with(|| format!("cannot read the keymap {}", path.display()))?;
            settings.keymap.overlay(&path.display().to_string(), &text)?;
        }
        let given = "the command line";
        settings.theme.put(args.theme.map(Some), "the command line or ZONEDRILL_THEME");
        settings.lang.put(args.lang.map(Some), given);
        settings.ascii.put(args.ascii.then_some(Some(true)), given);
        settings.mouse.put(args.mouse.then_some(Some(true)), given);
        settings.bell.put(args.no_bell.then_some(false), given);
        Ok(settings)
    }

    /// How a screen is started with these.
    #[must_use]
    pub fn options(self, name: &str) -> ScreenOptions {
        let mut options = ScreenOptions::from_environment(self.keymap, name.to_owned());
        options.ascii = self.ascii.is.unwrap_or(options.ascii);
        options.lang = self.lang.is.unwrap_or(options.lang);
        options.mouse = self.mouse.is.unwrap_or(options.mouse);
        options.colours = self.theme.is.unwrap_or(options.colours);
        options.bell = self.bell.is;
        options.refresh = Duration::from_millis(self.refresh_ms.is);
        options.span = self.graphs.is;
        options
    }

    /// All of it as one file, which sets the same.
    ///
    /// # Errors
    /// When a binding cannot be written.
    pub fn print(&self) -> eyre::Result<String> {
        let here = self.clone().options("");
        let word = |choice: Option<bool>| match choice {
            None => "auto",
            Some(true) => "yes",
            Some(false) => "no",
        };
        let place = folder().map(|folder| folder.join("config.toml"));
        let place = place.map_or_else(String::new, |place| format!(" {}", place.display()));
        let mut out = format!(
            "# What holds for zonedrill's screen here. A file{place} that holds any of these lines changes it.\n\n"
        );
        let mut line = |name: &str, value: toml::Value, by: &str, here: Option<String>| {
            let by = if by == DEFAULT_NAME { "built in" } else { by };
            let here = here.map_or_else(String::new, |here| format!("; here that is {here}"));
            let _ = writeln!(out, "{name} = {value} # {}{here}", by.replace(char::is_control, "?"));
        };
        let theme = self.theme.is.map_or("auto", Colours::as_str);
        let auto = |none: bool, here: &str| none.then(|| here.to_owned());
        let (theme_here, yes) = (here.colours.as_str(), |is| if is { "yes" } else { "no" });
        line("theme", theme.into(), &self.theme.by, auto(self.theme.is.is_none(), theme_here));
        let ascii_here = auto(self.ascii.is.is_none(), yes(here.ascii));
        line("ascii", word(self.ascii.is).into(), &self.ascii.by, ascii_here);
        let lang = self.lang.is.map_or("auto", Lang::as_str);
        let lang_here = here.look().lang().as_str();
        line("lang", lang.into(), &self.lang.by, auto(self.lang.is.is_none(), lang_here));
        let mouse_here = auto(self.mouse.is.is_none(), yes(here.mouse));
        line("mouse", word(self.mouse.is).into(), &self.mouse.by, mouse_here);
        line("bell", self.bell.is.into(), &self.bell.by, None);
        let refresh = toml::Value::Integer(self.refresh_ms.is.cast_signed());
        line("refresh_ms", refresh, &self.refresh_ms.by, None);
        line("graphs", self.graphs.is.as_str().into(), &self.graphs.by, None);
        out.push_str(&bindings(&self.keymap)?);
        Ok(out)
    }
}

/// The keys, as a file says them: those that were taken away, too.
fn bindings(keymap: &Keymap) -> eyre::Result<String> {
    #[derive(Serialize)]
    struct Written {
        bind: Vec<Bind>,
    }
    #[derive(Serialize)]
    struct Bind {
        key: String,
        r#do: String,
        help: String,
        when: When,
        confirm: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
    }
    let mut bind: Vec<Bind> = Vec::new();
    for one in keymap.bindings() {
        bind.push(Bind {
            key: one.key.to_string(),
            r#do: one.words.clone(),
            help: one.help.clone(),
            when: one.when,
            confirm: one.confirm,
            hint: one.hint.clone(),
        });
    }
    for gone in Keymap::standard()?.without(keymap) {
        bind.push(Bind {
            key: gone.key.to_string(),
            r#do: "none".into(),
            help: gone.help.clone(),
            when: gone.when,
            confirm: false,
            hint: None,
        });
    }
    Ok(format!("\n{}", toml::to_string(&Written { bind })?))
}

/// What the person reads whose words these are: as `--lang` says, or the settings, or the locale. What
/// is wrong with the settings is told by whoever needs them.
pub fn language(arguments: &[OsString]) -> Lang {
    let words: Vec<&str> = arguments.iter().filter_map(|word| word.to_str()).collect();
    // What others start is read by them.
    let started = ["room", "recorder", guard::SUBCOMMAND, hook::SUBCOMMAND];
    if words.iter().any(|word| started.contains(word)) {
        return Lang::English;
    }
    let after = words.iter().position(|word| *word == "--lang").and_then(|at| words.get(at + 1));
    let given = words.iter().find_map(|word| word.strip_prefix("--lang=")).or(after.copied());
    let args = ScreenArgs {
        lang: given.and_then(Lang::named),
        ascii: words.contains(&"--ascii"),
        ..ScreenArgs::default()
    };
    let settings =
        Settings::read(&args).or_else(|_| Settings::standard().map_err(eyre::Report::new));
    settings.map_or_else(|_| Lang::default(), |settings| settings.options("").look().lang())
}

/// Where a person's own files lie.
fn folder() -> Option<PathBuf> {
    Some(etcetera::choose_base_strategy().ok()?.config_dir().join("zonedrill"))
}

/// The text of a file, if it is there. `instead`: another is named in its place.
fn text(path: &Path, instead: bool) -> eyre::Result<Option<String>> {
    if instead {
        return Ok(None);
    }
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).wrap_err_with(|| format!("cannot read {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(text: &str) -> Result<Settings, String> {
        let mut settings = Settings::standard().unwrap();
        settings.overlay("config.toml", text).map_err(|error| error.to_string())?;
        Ok(settings)
    }

    #[test]
    fn a_file_sets_what_it_names_and_nothing_else() {
        let mine = with("theme = \"light\"\nrefresh_ms = 300\n").unwrap();
        let standard = Settings::standard().unwrap();
        assert_eq!(mine.theme, Set { is: Some(Colours::Light), by: "config.toml".into() });
        assert_eq!((mine.refresh_ms.is, mine.bell.is), (300, true));
        assert_eq!((&mine.graphs, &mine.keymap), (&standard.graphs, &standard.keymap));
        let options = with("mouse = \"no\"\ngraphs = \"15m\"").unwrap().options("tom");
        assert_eq!((options.mouse, options.span), (false, Span::Quarter));
    }

    #[test]
    fn what_cannot_be_set_is_told_with_its_line() {
        for (text, why) in [
            ("bell = true\ntheme = \"dark\"", "config.toml:2: `dark` is none of auto, default, "),
            ("refresh_ms = 20", "config.toml:1: 20 is not from 100 to 5000"),
            ("refresh_ms = -1", "config.toml:1: "),
            ("graphs = \"2m\"", "config.toml:1: `2m` is none of 1m, 5m, 15m, all"),
            ("\n\nsound = true", "config.toml:3: unknown field `sound`"),
            ("[[bind]]\nkey = \"x\"\ndo = \"explode\"", "config.toml:3: `explode` is not a"),
        ] {
            let error = with(text).unwrap_err();
            assert!(error.starts_with(why), "{error}");
        }
    }

    #[test]
    fn what_is_printed_sets_the_same() {
        let mine = with(
            "theme = \"mono\"\nascii = \"yes\"\nlang = \"zh\"\nbell = false\nrefresh_ms = 1000\ngraphs = \"all\"\n\
             [[bind]]\nkey = \"x\"\ndo = \"none\"\n[[bind]]\nkey = \"f9\"\ndo = \"mark \\\"a'b\\\"\"\n",
        )
        .unwrap();
        let again = with(&mine.print().unwrap()).unwrap();
        let sorted = |keymap: &Keymap| {
            let mut all = keymap.bindings().to_vec();
            all.sort_by_key(|one| one.key.to_string());
            all
        };
        assert_eq!(sorted(&again.keymap), sorted(&mine.keymap));
        assert_eq!(again.theme, mine.theme);
        assert_eq!((again.ascii, again.mouse.is), (mine.ascii, mine.mouse.is));
        assert_eq!((again.lang.is, mine.lang.is), (Some(Lang::Chinese), Some(Lang::Chinese)));
        assert_eq!((again.bell, again.refresh_ms), (mine.bell, mine.refresh_ms));
        assert_eq!(again.graphs, mine.graphs);
    }
}
