//! A report's page in another language: its text is put into that language, and its markup, commands,
//! scripts and drawings stay as they are. So both pages tell the same, from the same evidence.

use crate::lang::Lang;

/// Elements whose text is no sentence.
const VERBATIM: [&str; 4] = ["style", "code", "pre", "svg"];

/// An HTML page.
#[must_use]
pub fn html(page: &str, lang: Lang) -> String {
    let mut out = String::with_capacity(page.len());
    let page = page.replacen("lang=\"en\"", &format!("lang=\"{}\"", tag(lang)), 1);
    let mut rest = page.as_str();
    let mut within: Option<&str> = None;
    while let Some(open) = rest.find('<') {
        let text = &rest[..open];
        if within.is_some() {
            out.push_str(text);
        } else {
            out.push_str(&escape(&lang.say(&unescape(text))));
        }
        let end = rest[open..].find('>').map_or(rest.len(), |end| open + end + 1);
        let element = &rest[open..end];
        out.push_str(element);
        within = match within {
            Some(name) if element.strip_prefix("</").is_some_and(|tag| named(tag, name)) => None,
            Some(name) => Some(name),
            None => VERBATIM.into_iter().find(|name| named(&element[1..], name)),
        };
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

/// The language of a page, as HTML names it.
fn tag(lang: Lang) -> &'static str {
    match lang {
        Lang::English => "en",
        Lang::Chinese => "zh-CN",
    }
}

/// Whether a tag, without its `<`, is of an element.
fn named(tag: &str, name: &str) -> bool {
    tag.strip_prefix(name).is_some_and(|rest| rest.starts_with(['>', ' ', '\n']))
}

fn unescape(text: &str) -> String {
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    text.replace("&#x27;", "'").replace("&#39;", "'").replace("&#x2f;", "/").replace("&amp;", "&")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// What stands between two texts of a Markdown page.
const MARKS: [&str; 13] =
    ["```", "\n", "| ", " |", "<br>", "<code>", "</code>", "**", "### ", "## ", "# ", "> ", "- "];

/// A Markdown page, as [`super::markdown`] writes it.
#[must_use]
pub fn markdown(page: &str, lang: Lang) -> String {
    let mut out = String::with_capacity(page.len());
    let (mut rest, mut text) = (page, String::new());
    let mut within: Option<&str> = None;
    let mut line_begins = true;
    while let Some(next) = rest.chars().next() {
        // A sign that begins a line is none in its middle.
        let begins =
            |mark: &str| line_begins || !matches!(mark, "### " | "## " | "# " | "> " | "- ");
        let mark = MARKS.into_iter().find(|mark| begins(mark) && rest.starts_with(mark));
        let Some(mark) = mark else {
            text.push(next);
            line_begins = false;
            rest = &rest[next.len_utf8()..];
            if next == '\\'
                && let Some(escaped) = rest.chars().next()
            {
                text.push(escaped);
                rest = &rest[escaped.len_utf8()..];
            }
            continue;
        };
        put(&mut out, &std::mem::take(&mut text), within.is_some(), lang);
        out.push_str(mark);
        within = match (mark, within) {
            ("```", Some("```")) | ("</code>", Some("<code>")) => None,
            ("```" | "<code>", None) => Some(mark),
            (_, within) => within,
        };
        line_begins = mark == "\n" || (line_begins && mark.starts_with('#'));
        rest = &rest[mark.len()..];
    }
    put(&mut out, &text, within.is_some(), lang);
    out
}

/// Adds a text of a Markdown page.
fn put(out: &mut String, text: &str, verbatim: bool, lang: Lang) {
    if verbatim || text.trim().is_empty() {
        out.push_str(text);
        return;
    }
    let mut plain = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let escapes = c == '\\' && chars.peek().is_some_and(|next| r"\*`[|".contains(*next));
        plain.push(if escapes { chars.next().unwrap_or(c) } else { c });
    }
    let plain = plain.replace("&lt;", "<").replace("&amp;", "&");
    match lang.say(&plain) {
        std::borrow::Cow::Borrowed(_) => out.push_str(text),
        std::borrow::Cow::Owned(said) => {
            for c in said.chars() {
                match c {
                    '|' => out.push_str("\\|"),
                    '<' => out.push_str("&lt;"),
                    '&' => out.push_str("&amp;"),
                    '\\' | '*' | '`' | '[' => out.extend(['\\', c]),
                    c => out.push(c),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_commands_stay() {
        let page = "<html lang=\"en\"><style>a > b {}</style><h3>Findings</h3><pre>lost</pre>\
                    <p>lost</p><code>lost</code><td>a &lt;b&gt; &amp; c</td>";
        assert_eq!(
            html(page, Lang::Chinese),
            "<html lang=\"zh-CN\"><style>a > b {}</style><h3>发现</h3><pre>lost</pre>\
             <p>丢失</p><code>lost</code><td>a &lt;b&gt; &amp; c</td>"
        );
        assert_eq!(html(page, Lang::English), page);
        let page = "### Findings\n\n| lost | <code>lost</code> | lost<br>lost |\n```sh\nlost\n```\n- a \\*b\\* - c";
        assert_eq!(
            markdown(page, Lang::Chinese),
            "### 发现\n\n| 丢失 | <code>lost</code> | 丢失<br>丢失 |\n```sh\nlost\n```\n- a \\*b\\* - c"
        );
        assert_eq!(markdown(page, Lang::English), page);
    }
}
