//! A sentence with placeholders: which texts it is the pattern of, and what stands in them.

/// A sentence with less text than this could be about anything.
const SAYS_LITTLE: usize = 8;

/// The units of figures.
const UNITS: [&str; 12] =
    ["µs", "us", "ms", "s", "m", "h", "min", "KiB", "MiB", "GiB", "%", "each"];

/// Whether a text is a name, a figure with its unit, or several of them with commas.
pub fn is_atom(text: &str) -> bool {
    text.trim().split(", ").all(|text| {
        let mut words = text.trim_start_matches("< ").split(' ');
        let first = words.next().unwrap_or_default();
        let is_figure = |word: &str| word.starts_with(|c: char| c.is_ascii_digit());
        let figures = is_figure(first);
        words.all(|word| figures && (is_figure(word) || UNITS.contains(&word)))
    })
}

/// A piece of a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// Its name, or its number among those without one; how it is shown.
    Hole(String, Shown),
}

/// What is done with the text of a placeholder in a translation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    AsItIs,
    /// `{text!}`: somebody wrote it, and it may be anything.
    Verbatim,
    /// `{why*}`: it is a text of the program, too.
    Translated,
    /// `{s-}`: the other language has no use for it.
    Dropped,
}

/// A sentence as the source writes it, for `format!`, or its translation.
#[derive(Clone, Debug)]
pub struct Template(Vec<Piece>);

impl Template {
    /// Reads a sentence. A brace that is written twice is a brace.
    pub fn parse(text: &str) -> Self {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut unnamed = 0;
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '{' | '}' if chars.peek() == Some(&c) => {
                    chars.next();
                    plain.push(c);
                }
                '{' => {
                    let inside: String = chars.by_ref().take_while(|c| *c != '}').collect();
                    let name = inside.split(':').next().unwrap_or_default();
                    let marks =
                        [('*', Shown::Translated), ('-', Shown::Dropped), ('!', Shown::Verbatim)];
                    let marked = marks
                        .into_iter()
                        .find_map(|(mark, shown)| Some((name.strip_suffix(mark)?, shown)));
                    let (name, shown) = marked.unwrap_or((name, Shown::AsItIs));
                    let name = if name.is_empty() {
                        unnamed += 1;
                        (unnamed - 1).to_string()
                    } else {
                        name.to_owned()
                    };
                    if !plain.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    }
                    pieces.push(Piece::Hole(name, shown));
                }
                c => plain.push(c),
            }
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Self(pieces)
    }

    /// The text before the first placeholder.
    pub fn beginning(&self) -> &str {
        match self.0.first() {
            Some(Piece::Text(text)) => text,
            _ => "",
        }
    }

    /// How much of it is text: what says more fits better.
    pub fn weight(&self) -> usize {
        let texts = self.0.iter().filter_map(|piece| match piece {
            Piece::Text(text) => Some(text.len()),
            Piece::Hole(..) => None,
        });
        texts.sum()
    }

    /// Whether it has no placeholder.
    pub fn is_plain(&self) -> bool {
        !self.0.iter().any(|piece| matches!(piece, Piece::Hole(..)))
    }

    /// What stands in the placeholders where `text` is this sentence.
    pub fn read<'a>(&self, text: &'a str) -> Option<Vec<(&str, &'a str)>> {
        let mut found: Vec<(&str, &'a str)> = Vec::new();
        let mut rest = text;
        let mut open: Option<&str> = None;
        for (at, piece) in self.0.iter().enumerate() {
            match piece {
                Piece::Text(piece) => {
                    let place = match open {
                        None => rest.starts_with(piece.as_str()).then_some(0)?,
                        Some(_) if at + 1 == self.0.len() => {
                            rest.ends_with(piece.as_str()).then(|| rest.len() - piece.len())?
                        }
                        Some(_) => rest.find(piece.as_str())?,
                    };
                    if let Some(name) = open.take() {
                        found.push((name, &rest[..place]));
                    }
                    rest = &rest[place + piece.len()..];
                }
                // Of two side by side the first has all.
                Piece::Hole(name, _) if open.is_some() => found.push((name, "")),
                Piece::Hole(name, _) => open = Some(name),
            }
        }
        match open {
            Some(name) => found.push((name, rest)),
            None if rest.is_empty() => {}
            None => return None,
        }
        self.holds(&found).then_some(())?;
        // The same name twice is the same text twice.
        let same = |(name, text): &(&str, &str)| {
            found.iter().all(|(other, theirs)| other != name || theirs == text)
        };
        found.iter().all(same).then_some(found)
    }

    /// Whether these texts can be what stands in the placeholders: a sentence that swallows another
    /// one says what is not so. A text of the program, or one in quotes, may be anything where the
    /// sentence says enough by itself.
    fn holds(&self, found: &[(&str, &str)]) -> bool {
        let little = self.weight() < SAYS_LITTLE;
        let is_quoted = |at: usize| {
            let before = at.checked_sub(1).and_then(|at| self.0.get(at));
            matches!(before, Some(Piece::Text(text)) if text.ends_with('`'))
        };
        self.0.iter().enumerate().all(|(at, piece)| {
            let Piece::Hole(name, shown) = piece else { return true };
            let text = found.iter().find(|(other, _)| other == name).map_or("", |(_, text)| text);
            match shown {
                _ if is_quoted(at) => !text.contains('`'),
                Shown::Translated => !little || is_atom(text),
                Shown::Verbatim => true,
                Shown::AsItIs => is_atom(text),
                // An ending, or a noun and its verb.
                Shown::Dropped => {
                    let words = text.split(' ');
                    words.clone().count() <= 2
                        && words.flat_map(str::chars).all(char::is_alphabetic)
                }
            }
        })
    }

    /// The same sentence, whose placeholders hold what they do in its translation.
    pub fn like(mut self, other: &Self) -> Self {
        for piece in &mut self.0 {
            if let Piece::Hole(name, shown) = piece {
                let theirs = other.0.iter().find_map(|piece| match piece {
                    Piece::Hole(theirs, shown) if theirs == name => Some(*shown),
                    _ => None,
                });
                *shown = theirs.unwrap_or(*shown);
            }
        }
        self
    }

    /// The sentence with these texts in its placeholders; `None` where one that is not dropped on
    /// purpose would be lost.
    pub fn fill(&self, found: &[(&str, &str)], say: impl Fn(&str) -> String) -> Option<String> {
        let mut filled = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => filled.push_str(text),
                Piece::Hole(name, shown) => {
                    let (_, text) = found.iter().find(|(other, _)| other == name)?;
                    match shown {
                        Shown::AsItIs | Shown::Verbatim => filled.push_str(text),
                        Shown::Translated => filled.push_str(&say(text)),
                        Shown::Dropped if text.contains(|c: char| c.is_ascii_digit()) => {
                            return None;
                        }
                        Shown::Dropped => {}
                    }
                }
            }
        }
        let kept = |name: &str| {
            self.0.iter().any(|piece| matches!(piece, Piece::Hole(other, _) if other == name))
        };
        found.iter().all(|(name, _)| kept(name)).then_some(filled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_read_and_filled() {
        let chinese = Template::parse("Zone {zone}：{1} 中有 {0} 在等{s-}：{why*}");
        let english = Template::parse("zone {zone}: {} of {:.1} wait{s}, {{so}} {why}");
        let english = english.like(&chinese);
        let found = english.read("zone b: 3 of 4.0 waits, {so} it is cut").unwrap();
        assert_eq!(
            found,
            [("zone", "b"), ("0", "3"), ("1", "4.0"), ("s", "s"), ("why", "it is cut")]
        );
        let said = chinese.fill(&found, str::to_uppercase);
        assert_eq!(said.as_deref(), Some("Zone b：4.0 中有 3 在等：IT IS CUT"));
        assert_eq!(english.read("zone b: 3 of 4.0 wait"), None);
    }

    #[test]
    fn no_sentence_swallows_another() {
        let short = Template::parse("{} of {}");
        assert!(short.read("3 of 4.2 MiB").is_some());
        assert_eq!(short.read("the cut leaked: 3 of 4"), None);
        let long = Template::parse("{} in zone {zone}: `{line}`");
        assert!(long.read("held in zone b: `cut b --for 3s`").is_some());
        assert_eq!(long.read("held in zone b; and so on: `cut b`"), None);
    }

    #[test]
    fn nothing_is_lost() {
        let english = Template::parse("{count} of {of}{s}");
        let found = english.read("3 of 40").unwrap();
        let less = |text: &str| Template::parse(text).fill(&found, str::to_owned);
        assert_eq!(less("{count} 条"), None, "a placeholder is left out");
        assert_eq!(less("{count}{s-} 条，共 {of-}"), None, "a number is dropped");
        assert_eq!(less("{count}/{of}{s-}{x}"), None, "there is nothing to put there");
        assert_eq!(less("{count}/{of}{s-}").as_deref(), Some("3/40"));
        assert_eq!(Template::parse("{a} and {a}").read("1 and 2"), None);
    }
}
