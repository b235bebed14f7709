//! The catalogue and the source: what a key is, what is missing, and that each sentence is found again.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use proc_macro2::{TokenStream, TokenTree};
use zonedrill::lang::{self, Lang};

/// How many sentences of the source may still have no Chinese: this number only falls.
const STILL_ENGLISH: usize = 611;

/// What a person sees first has no sentence without Chinese.
const COMPLETE: [&str; 4] =
    ["src/tui/draw/", "src/drill/checks/words", "src/region/status/alarms.rs", "config/"];

/// What is the same in every language, or no sentence: commands, paths, markup.
const NOT_FOR_TRANSLATION: [&str; 19] = [
    "zonedrill {version}",
    "nats {version}",
    "js{} container {} {}",
    "drill next",
    "produce stop",
    "control refuse",
    "stream info",
    "consumer info",
    "inspect link",
    "drill run {}",
    "drill run {name}",
    "stream limit",
    "stream retention",
    "limit none",
    "zonedrill stream limit 100000",
    "zonedrill stream retention limits",
    "retention.toml",
    "interest.toml",
    "eval \"$(zonedrill{flag} env {})\"; nats {words} {STREAM}{name}",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn walk(folder: &Path, ends: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, ends, found);
        } else if path.to_str().is_some_and(|path| path.ends_with(ends)) {
            found.push(path);
        }
    }
}

/// The texts of some source: its literals and, where clap makes help of it, its documentation, but not
/// those of its tests.
fn literals(code: TokenStream, helps: bool, texts: &mut Vec<String>) {
    let mut tokens = code.into_iter().peekable();
    let mut documentation: Vec<String> = Vec::new();
    let mut of_a_test = false;
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                if matches!(tokens.peek(), Some(TokenTree::Punct(inner)) if inner.as_char() == '!')
                {
                    tokens.next();
                }
                let Some(TokenTree::Group(group)) = tokens.peek() else { continue };
                let attribute = group.stream().to_string();
                of_a_test |=
                    attribute.starts_with("cfg (test") || attribute.starts_with("cfg(test");
                if let Some(doc) = attribute.strip_prefix("doc") {
                    let literal = doc.trim_start_matches([' ', '=']);
                    documentation.extend(syn::parse_str::<syn::LitStr>(literal).map(|l| l.value()));
                    tokens.next();
                }
                continue;
            }
            TokenTree::Group(group) if of_a_test => {
                of_a_test = group.delimiter() != proc_macro2::Delimiter::Brace;
            }
            TokenTree::Group(group) => literals(group.stream(), helps, texts),
            TokenTree::Literal(literal) if !of_a_test => {
                texts
                    .extend(syn::parse_str::<syn::LitStr>(&literal.to_string()).map(|l| l.value()));
            }
            TokenTree::Punct(punct) if punct.as_char() == ';' => of_a_test = false,
            _ => {}
        }
        let lines = std::mem::take(&mut documentation);
        if helps && !lines.is_empty() {
            let lines: Vec<&str> = lines.iter().map(|line| line.trim()).collect();
            texts.push(lines.join(" "));
            texts.extend(lines.split(|line| line.is_empty()).map(|part| part.join(" ")));
        }
    }
}

/// The texts of a page's template: between its tags, with a placeholder for each expression.
fn of_a_page(page: &str) -> Vec<String> {
    let mut text = String::new();
    let mut rest = page;
    while let Some(open) = rest.find(['<', '{']) {
        text.push_str(&rest[..open]);
        rest = &rest[open..];
        let (end, put) = match &rest[..2] {
            "{{" => {
                let end = rest.find("}}").unwrap() + 2;
                let name = rest[2..end - 2].trim().rsplit('.').next().unwrap_or_default();
                (end, format!("{{{name}}}"))
            }
            "{%" => (rest.find("%}").unwrap() + 2, "\0".to_owned()),
            _ if rest.starts_with('<') => (rest.find('>').unwrap() + 1, "\0".to_owned()),
            _ => (1, "{".to_owned()),
        };
        text.push_str(&put);
        rest = &rest[end..];
    }
    text.push_str(rest);
    text.split('\0').map(str::to_owned).collect()
}

/// A text without what stands around it in a longer sentence.
fn key(text: &str) -> String {
    let text = text.trim_matches(|c: char| c.is_whitespace() || ";,:".contains(c));
    match text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        Some(within) if !within.contains('(') => within.to_owned(),
        _ => text.to_owned(),
    }
}

/// A text, and what Markdown makes of it: its lines without their marks.
fn parts(text: &str) -> Vec<String> {
    let lines = text.split('\n').flat_map(|line| line.split("**"));
    let lines = lines.map(|line| line.trim_start_matches(['#', '>', ' ']).to_owned());
    let marked = text.contains(['\n', '*', '#']) || text.starts_with('>');
    std::iter::once(text.to_owned()).chain(lines.filter(|_| marked)).collect()
}

/// Every text of the program by its file.
fn texts(with_help: bool) -> BTreeMap<String, Vec<String>> {
    let mut files = Vec::new();
    walk(&root().join("src"), ".rs", &mut files);
    let mut all = BTreeMap::new();
    let name = |path: &Path| path.strip_prefix(root()).unwrap().display().to_string();
    for path in files.iter().filter(|path| !name(path).contains("/tests")) {
        let mut texts = Vec::new();
        let text = fs::read_to_string(path).unwrap();
        let helps = with_help
            && ["src/cli/", "src/command/"].iter().any(|room| name(path).starts_with(room));
        literals(text.parse().unwrap(), helps, &mut texts);
        let texts = texts.iter().flat_map(|text| parts(text)).map(|text| key(&text)).collect();
        all.insert(name(path), texts);
    }
    let mut scripts = Vec::new();
    walk(&root().join("config/drills"), ".toml", &mut scripts);
    for path in scripts.into_iter().chain([root().join("config/keys.toml")]) {
        let table: toml::Table = toml::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let mut texts = Vec::new();
        let mut take = |table: &toml::Table| {
            for name in ["about", "title", "do", "expect", "watch", "help", "hint"] {
                let is_command = name == "do" && table.contains_key("key");
                let text = table.get(name).and_then(toml::Value::as_str).filter(|_| !is_command);
                texts.extend(text.map(key));
            }
        };
        take(&table);
        for list in ["step", "bind"] {
            let parts = table.get(list).and_then(toml::Value::as_array);
            parts.into_iter().flatten().filter_map(toml::Value::as_table).for_each(&mut take);
        }
        all.insert(name(&path), texts);
    }
    let page = root().join("src/drill/report/report.html.jinja");
    let texts = of_a_page(&fs::read_to_string(&page).unwrap());
    all.insert(name(&page), texts.iter().map(|text| key(text)).collect());
    all
}

/// The names of a sentence's placeholders; those without one by their number.
fn placeholders(text: &str) -> BTreeSet<String> {
    let text = text.replace("{{", "").replace("}}", "");
    let holes = text.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
    let mut unnamed = 0;
    let names = holes.map(|(inside, _)| {
        let name = inside.split(':').next().unwrap_or_default().trim_end_matches(['*', '-', '!']);
        if name.is_empty() {
            unnamed += 1;
            return (unnamed - 1).to_string();
        }
        name.to_owned()
    });
    names.collect()
}

/// Whether a text is a sentence, or several words of one.
fn is_sentence(text: &str) -> bool {
    let mut plain = String::new();
    let mut depth = 0;
    for c in text.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            c if depth == 0 => plain.push(c),
            _ => {}
        }
    }
    let is_word = |word: &&str| word.len() > 1 && word.chars().all(char::is_alphabetic);
    let words = plain.split(|c: char| c.is_whitespace() || ",;:.()".contains(c));
    words.filter(is_word).count() > 1 && !NOT_FOR_TRANSLATION.contains(&text)
}

#[test]
fn every_key_is_a_text_of_the_program() {
    let texts: BTreeSet<String> = texts(true).into_values().flatten().collect();
    let unused: Vec<_> = lang::entries()
        .filter(|(_, english, _)| !texts.contains(&key(english)))
        .map(|(file, english, _)| format!("{file}: {english}"))
        .collect();
    assert_eq!(unused, Vec::<String>::new());
    assert!(lang::entries().count() > 1000, "the catalogue was not read");
}

#[test]
fn both_languages_have_the_same_placeholders() {
    let differ: Vec<_> = lang::entries()
        .filter(|(_, english, chinese)| placeholders(english) != placeholders(chinese))
        .map(|(file, english, chinese)| format!("{file}: {english} | {chinese}"))
        .collect();
    assert_eq!(differ, Vec::<String>::new());
}

#[test]
fn no_key_stands_in_two_files() {
    let mut seen = BTreeMap::new();
    for (file, english, _) in lang::entries() {
        let before = seen.insert(key(&english), file);
        assert_eq!(before, None, "`{english}` is in {file}, too");
    }
}

/// A sentence with its placeholders filled is said as its own translation says it, and not as that of
/// another one which it also looks like.
#[test]
fn each_sentence_is_found_again() {
    // What is dropped is a word's ending, or a verb; everything else may be a number.
    let filled = |text: &str, dropped: &BTreeSet<String>, with: &str| {
        let mut pieces = text.replace("{{", "\0").replace("}}", "\u{1}");
        let mut unnamed = 0;
        while let Some(open) = pieces.find('{') {
            let end = open + pieces[open..].find('}').unwrap() + 1;
            let mut name =
                pieces[open + 1..end - 1].split(':').next().unwrap_or_default().to_owned();
            if name.is_empty() {
                name = unnamed.to_string();
                unnamed += 1;
            }
            let put =
                if dropped.contains(name.trim_end_matches(['*', '-', '!'])) { with } else { "17" };
            pieces.replace_range(open..end, put);
        }
        pieces.replace('\0', "{").replace('\u{1}', "}")
    };
    let mut lost = Vec::new();
    for (file, english, chinese) in lang::entries() {
        let holes = chinese.split('{').filter_map(|rest| rest.split_once("-}"));
        let dropped: BTreeSet<String> = holes.map(|(name, _)| name.to_owned()).collect();
        let said = Lang::Chinese.say(&filled(&english, &dropped, "is")).into_owned();
        if said != filled(&chinese, &dropped, "") {
            lost.push(format!("{file}: {english}\n   is said {said}"));
        }
    }
    assert_eq!(lost.join("\n"), "");
}

#[test]
fn what_is_seen_first_is_all_in_chinese() {
    let known: BTreeSet<String> = lang::entries().map(|(_, english, _)| key(&english)).collect();
    let mut missing = Vec::new();
    let mut count = 0;
    for (file, texts) in texts(false) {
        let seen_first = COMPLETE.iter().any(|begin| file.starts_with(begin));
        let all: BTreeSet<&String> = texts.iter().filter(|text| is_sentence(text)).collect();
        for text in all.into_iter().filter(|text| !known.contains(*text)) {
            count += 1;
            if seen_first {
                missing.push(format!("{file}: {text}"));
            } else if std::env::var_os("ZONEDRILL_TEST_MISSING").is_some() {
                println!("{file}: {text}");
            }
        }
    }
    assert_eq!(missing.join("\n"), "");
    assert!(count <= STILL_ENGLISH, "{count} sentences have no Chinese: the catalogue lost some");
    println!("{count} sentences of the source have no Chinese");
}
