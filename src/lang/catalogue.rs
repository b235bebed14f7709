//! The catalogue of a language: which sentence a text is, and how it is said there.

use std::{
    borrow::Cow,
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    sync::LazyLock,
};

use super::template::{Template, is_atom};

/// The files of the Chinese catalogue.
const CHINESE: [(&str, &str); 10] = [
    ("checks", include_str!("../../config/lang/zh/checks.toml")),
    ("commands", include_str!("../../config/lang/zh/commands.toml")),
    ("drills", include_str!("../../config/lang/zh/drills.toml")),
    ("evidence", include_str!("../../config/lang/zh/evidence.toml")),
    ("external", include_str!("../../config/lang/zh/external.toml")),
    ("help", include_str!("../../config/lang/zh/help.toml")),
    ("region", include_str!("../../config/lang/zh/region.toml")),
    ("report", include_str!("../../config/lang/zh/report.toml")),
    ("screen", include_str!("../../config/lang/zh/screen.toml")),
    ("servers", include_str!("../../config/lang/zh/servers.toml")),
];

/// Texts that were said lately are kept, to so many: a screen draws the same ones again and again.
const KEPT: usize = 4096;

/// What stands between sentences or parts of one.
struct Separator {
    /// As the English text has it: what belongs to the part before it, and what does not.
    english: (&'static str, &'static str),
    /// What stands there after a part that was translated.
    then: &'static str,
    /// Each part is of use by itself, so that one that is not known may stay English.
    loose: bool,
}

const SEPARATORS: [Separator; 6] = [
    Separator { english: ("", "\n"), then: "\n", loose: true },
    Separator { english: ("", "; "), then: "；", loose: true },
    Separator { english: (".", " "), then: "", loose: true },
    Separator { english: ("", " · "), then: " · ", loose: true },
    Separator { english: ("", " | "), then: " | ", loose: true },
    Separator { english: ("", ", "), then: "，", loose: false },
];

/// A pattern and its translation.
struct Entry {
    english: Template,
    chinese: Template,
}

/// All of them.
pub struct Catalogue {
    /// Texts without a placeholder.
    plain: HashMap<String, String>,
    /// The others by the first byte of their text; what begins with a placeholder is under `None`.
    /// Those that say more come first.
    patterns: HashMap<Option<u8>, Vec<Entry>>,
}

/// The Chinese one.
pub fn chinese() -> &'static Catalogue {
    static READ: LazyLock<Catalogue> = LazyLock::new(Catalogue::read);
    &READ
}

/// Every entry: its file, the English text, the Chinese one.
pub fn entries() -> impl Iterator<Item = (&'static str, String, String)> {
    CHINESE.iter().flat_map(|(file, text)| {
        // A test reads every file.
        let read: BTreeMap<String, String> = toml::from_str(text).unwrap_or_default();
        read.into_iter().map(move |(english, chinese)| (*file, english, chinese))
    })
}

thread_local! {
    static SAID: RefCell<HashMap<String, Option<String>>> = RefCell::default();
}

impl Catalogue {
    fn read() -> Self {
        let mut all = Self { plain: HashMap::new(), patterns: HashMap::new() };
        for (_, english, chinese) in entries() {
            let template = Template::parse(&english);
            let chinese = Template::parse(&chinese);
            if template.is_plain() {
                let said = chinese.fill(&[], str::to_owned).unwrap_or_default();
                all.plain.insert(template.beginning().to_owned(), said);
                continue;
            }
            let first = template.beginning().bytes().next();
            all.patterns
                .entry(first)
                .or_default()
                .push(Entry { english: template.like(&chinese), chinese });
        }
        for patterns in all.patterns.values_mut() {
            patterns.sort_by_key(|entry| std::cmp::Reverse(entry.english.weight()));
        }
        all
    }

    /// A text in this language; as it is where it is not known.
    pub fn say<'a>(&self, english: &'a str) -> Cow<'a, str> {
        // Without a letter there is nothing to say, and what is Chinese was said before.
        let is_chinese = |c: char| ('\u{3000}'..='\u{9fff}').contains(&c);
        if !english.contains(|c: char| c.is_ascii_alphabetic()) || english.contains(is_chinese) {
            return Cow::Borrowed(english);
        }
        let known = SAID.with_borrow(|said| said.get(english).cloned());
        let said = known.unwrap_or_else(|| {
            let said = self.find(english);
            SAID.with_borrow_mut(|kept| {
                if kept.len() >= KEPT {
                    kept.clear();
                }
                kept.insert(english.to_owned(), said.clone());
            });
            said
        });
        said.map_or(Cow::Borrowed(english), Cow::Owned)
    }

    /// A text as a whole, or else part by part.
    fn find(&self, english: &str) -> Option<String> {
        let inside = english.trim();
        if let Some(said) = self.whole(inside) {
            return Some(english.replacen(inside, &said, 1));
        }
        if let Some(within) = inside.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'))
            && let Cow::Owned(said) = self.say(within)
        {
            return Some(english.replacen(inside, &format!("（{said}）"), 1));
        }
        // A sign before a text is of no language.
        if let Some((sign, rest)) = english.split_once(' ')
            && !sign.is_empty()
            && !sign.contains(|c: char| c.is_ascii() || c.is_alphanumeric())
            && let Cow::Owned(said) = self.say(rest)
        {
            return Some(format!("{sign} {said}"));
        }
        let parts = SEPARATORS.iter().find_map(|separator| self.in_parts(english, separator));
        parts.or_else(|| self.before_a_remark(english)).or_else(|| self.after_a_name(english))
    }

    /// `name: sentence`, or `sentence: figures`.
    fn after_a_name(&self, english: &str) -> Option<String> {
        let (name, rest) = english.split_once(": ")?;
        // A single word is a name, or a command.
        let said = if name.contains(' ') { self.say(name) } else { Cow::Borrowed(name) };
        match (said, self.say(rest)) {
            (Cow::Borrowed(_), Cow::Borrowed(_)) => None,
            (name, rest) => Some(format!("{name}：{rest}")),
        }
    }

    /// `sentence (figure)`.
    fn before_a_remark(&self, english: &str) -> Option<String> {
        let (head, remark) = english.strip_suffix(')')?.rsplit_once(" (")?;
        match self.say(head) {
            Cow::Owned(head) => Some(format!("{head}（{}）", self.say(remark))),
            Cow::Borrowed(_) => None,
        }
    }

    fn whole(&self, english: &str) -> Option<String> {
        if let Some(said) = self.plain.get(english) {
            return Some(said.clone());
        }
        let with = |first: Option<u8>| self.patterns.get(&first).into_iter().flatten();
        let fits = |entry: &&Entry| entry.english.read(english).is_some();
        // Of what begins like the text and of what begins with anything, the one that says more.
        let best = [with(english.bytes().next()).find(fits), with(None).find(fits)];
        let best = best.into_iter().flatten().max_by_key(|entry| entry.english.weight())?;
        let found = best.english.read(english)?;
        best.chinese.fill(&found, |text| self.say(text).into_owned())
    }

    fn in_parts(&self, english: &str, separator: &Separator) -> Option<String> {
        let Separator { english: (ends, between), then, loose } = separator;
        let mut parts: Vec<&str> = Vec::new();
        let mut rest = english;
        while let Some(at) = rest.find(&format!("{ends}{between}")) {
            let end = at + ends.len();
            parts.push(&rest[..end]);
            rest = &rest[end + between.len()..];
        }
        if parts.is_empty() {
            return None;
        }
        parts.push(rest);
        let said: Vec<Cow<'_, str>> = parts.iter().map(|part| self.say(part)).collect();
        let is_known = |said: &Cow<'_, str>| {
            matches!(said, Cow::Owned(_))
                || is_atom(said) && said.contains(|c: char| c.is_ascii_digit())
                || !said.contains(|c: char| c.is_ascii_alphabetic())
        };
        let any = said.iter().any(|said| matches!(said, Cow::Owned(_)));
        if !any || !(*loose || said.iter().all(is_known)) {
            return None;
        }
        let mut text = String::new();
        for (at, part) in said.iter().enumerate() {
            if at > 0 {
                text.push_str(if is_known(&said[at - 1]) { then } else { between });
            }
            text.push_str(part);
        }
        Some(text)
    }
}
