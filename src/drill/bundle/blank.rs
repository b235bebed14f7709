//! Configurations and logs without their passwords.

/// What stands where a secret was.
const BLANK: &str = "***";
/// Words whose value is a secret.
const SECRET: [&str; 5] = ["password", "passwd", "pass", "token", "seed"];

/// The text with every password blanked: values of words like `password`, and the one inside a URL.
#[must_use]
pub fn secrets(text: &str) -> String {
    text.split_inclusive('\n').map(|line| urls(&values(line))).collect()
}

fn values(line: &str) -> String {
    let lower = line.to_ascii_lowercase();
    let mut out = String::with_capacity(line.len());
    let mut at = 0;
    while let Some((start, word)) = SECRET
        .iter()
        .filter_map(|word| lower[at..].find(word).map(|i| (at + i, *word)))
        .min_by_key(|(i, word)| (*i, usize::MAX - word.len()))
    {
        let after = start + word.len();
        out.push_str(&line[at..after]);
        at = after;
        let begins = lower[..start].chars().next_back().is_none_or(|c| !c.is_ascii_alphabetic());
        let rest = line[after..].trim_start_matches(['"', '\'']);
        let spaced = rest.trim_start_matches([' ', '\t']);
        let value = spaced.trim_start_matches([':', '=']);
        if !begins
            || (value.len() == spaced.len()
                && (rest.len() == spaced.len() || rest.trim().is_empty()))
        {
            continue;
        }
        let value = value.trim_start_matches([' ', '\t']);
        let from = line.len() - value.len();
        let (length, quoted) = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                (value[1..].find(quote).map_or(value.trim_end().len(), |end| end + 2), true)
            }
            _ => (value.find([',', '}', ' ', '\t', '\r', '\n']).unwrap_or(value.len()), false),
        };
        if length == 0 {
            continue;
        }
        out.push_str(&line[after..from]);
        let quote = if quoted { "\"" } else { "" };
        out.extend([quote, BLANK, quote]);
        at = from + length;
    }
    out.push_str(&line[at..]);
    out
}

fn urls(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(scheme) = rest.find("://") {
        let (head, tail) = rest.split_at(scheme + 3);
        out.push_str(head);
        let end = tail.find(['/', '"', '\'', ' ', ',', ']', '\n']).unwrap_or(tail.len());
        rest = tail;
        if let Some(host) = tail[..end].rfind('@')
            && let Some(colon) = tail[..host].find(':')
        {
            out.push_str(&tail[..=colon]);
            out.push_str(BLANK);
            rest = &tail[host..];
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::secrets;

    #[test]
    fn passwords_go_and_the_rest_stays() {
        for (text, blanked) in [
            (r#"{user: "admin", password: "hush"}"#, r#"{user: "admin", password: "***"}"#),
            ("password = hush\n", "password = ***\n"),
            ("pass hush, x", "pass ***, x"),
            (r#""nats-leaf://leaf:hush@127.0.0.1:1/""#, r#""nats-leaf://leaf:***@127.0.0.1:1/""#),
            (
                "\"password\": \"hush\", \"token\":\"hush\"",
                "\"password\": \"***\", \"token\":\"***\"",
            ),
            ("port: 15222\n", "port: 15222\n"),
            ("it passes by", "it passes by"),
        ] {
            assert_eq!(secrets(text), blanked);
        }
    }
}
