//! `invite`: the line of `authorized_keys` that lets a guest in. It is printed; who owns the file puts
//! it there.

use std::{
    io::{IsTerminal, Read},
    path::Path,
    time::Duration,
};

use clap::Args;
use color_eyre::eyre::{self, WrapErr};

use crate::{
    command::units::parse_duration,
    region::actor,
    room::home::{DEFAULT_REGION, Home},
};

/// The longest key that is read, in bytes: an RSA key of 16384 bits has 2,800.
const LONGEST_KEY: u64 = 8192;
/// The kinds of keys that OpenSSH has.
const KINDS: [&str; 7] = [
    "ssh-ed25519",
    "sk-ssh-ed25519@openssh.com",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "ssh-rsa",
];

/// The words after `invite`.
#[derive(Debug, Args)]
pub struct Words {
    /// The guest's name, as the others are to see it
    guest: String,
    /// Their public key, as in `id_ed25519.pub` [default: read from standard input]
    key: Option<String>,
    /// Only look
    #[arg(long)]
    observe: bool,
    /// How long the key lets them in (2h)
    #[arg(long = "for", value_name = "TIME", value_parser = parse_duration)]
    lasts: Option<Duration>,
}

/// The line for these words.
///
/// # Errors
/// When the name is none, or the key is no public key.
pub fn line(home: &Home, words: &Words) -> eyre::Result<String> {
    actor::check_name(&words.guest).map_err(eyre::Report::msg)?;
    let key = match &words.key {
        Some(key) => key.clone(),
        None => read_key()?,
    };
    let key = key_of(&key)?;
    let program = std::env::current_exe().wrap_err("cannot find this program's own file")?;
    let root = std::env::var_os("ZONEDRILL_HOME").map(std::path::absolute).transpose()?;
    let expires = match words.lasts {
        None => String::new(),
        Some(lasts) => {
            let at = jiff::Timestamp::now().checked_add(lasts).wrap_err("--for is too long")?;
            format!("expiry-time=\"{}\",", at.strftime("%Y%m%d%H%M%SZ"))
        }
    };
    let command = command(&program, root.as_deref(), &home.region, words)?;
    Ok(format!("restrict,pty,{expires}command=\"{command}\" {key}"))
}

fn read_key() -> eyre::Result<String> {
    let stdin = std::io::stdin();
    eyre::ensure!(
        !stdin.is_terminal(),
        "`invite` needs the guest's public key: `zonedrill invite NAME < their_key.pub`"
    );
    let mut key = String::new();
    stdin.lock().take(LONGEST_KEY + 1).read_to_string(&mut key).wrap_err("cannot read the key")?;
    Ok(key)
}

/// The key in its three words.
fn key_of(text: &str) -> eyre::Result<String> {
    let text = text.trim();
    let wrong =
        "this is no public key: give one line as in `id_ed25519.pub`, without options before it";
    eyre::ensure!(text.len() as u64 <= LONGEST_KEY, "{wrong}");
    eyre::ensure!(
        !text.contains("PRIVATE KEY"),
        "this is a private key: give the public one, and tell nobody this one"
    );
    eyre::ensure!(!text.chars().any(char::is_control), "{wrong}");
    let mut words = text.split(' ').filter(|word| !word.is_empty());
    let (Some(kind), Some(blob)) = (words.next(), words.next()) else { eyre::bail!("{wrong}") };
    eyre::ensure!(KINDS.contains(&kind), "{wrong}");
    let base64 = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
    eyre::ensure!(
        blob.len() >= 40 && blob.starts_with("AAAA") && blob.chars().all(base64),
        "{wrong}"
    );
    let rest = words.collect::<Vec<_>>().join(" ");
    Ok(format!("{kind} {blob} {rest}").trim_end().to_owned())
}

/// The forced command, as it stands between quotes.
fn command(
    program: &Path,
    root: Option<&Path>,
    region: &str,
    words: &Words,
) -> eyre::Result<String> {
    let text = |path: &Path| {
        path.to_str()
            .map(str::to_owned)
            .ok_or_else(|| eyre::eyre!("{} cannot be written into a line of text", path.display()))
    };
    let mut command = Vec::new();
    if let Some(root) = root {
        command.extend(["env".to_owned(), format!("ZONEDRILL_HOME={}", text(root)?)]);
    }
    command.push(text(program)?);
    if region != DEFAULT_REGION {
        command.extend(["--region".to_owned(), region.to_owned()]);
    }
    command.extend(["guest", "--as", &words.guest].map(str::to_owned));
    if words.observe {
        command.push("--observe".into());
    }
    let command = shell_words::join(command);
    eyre::ensure!(
        !command.chars().any(char::is_control),
        "a path with a control character cannot be written into a line"
    );
    // In authorized_keys only a quote is escaped, by a backslash.
    Ok(command.replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGuestsPublicKeyGuestsPublicKeyGuests0 tom@laptop";

    #[test]
    fn a_key_is_one_line_of_three_words_and_nothing_before_them() {
        assert_eq!(key_of(&format!("  {KEY}\n")).unwrap(), KEY);
        for wrong in [
            "",
            "tom",
            "ssh-ed25519",
            "ssh-ed25519 short",
            "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk",
            "command=\"sh\" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGuestsPublicKeyGuestsPublicKey",
            &format!("{KEY}\n{KEY}"),
            &KEY.replace("AAAAC3", "BBBBC3"),
            &KEY.replace("ssh-ed25519", "ssh-dss"),
        ] {
            assert!(key_of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_command_is_quoted_for_the_shell_and_for_the_file() {
        let words = Words { guest: "tom o'neil".into(), key: None, observe: true, lasts: None };
        let command =
            command(Path::new("/opt/z d"), Some(Path::new("/h\"x")), "west", &words).unwrap();
        assert_eq!(
            command,
            r#"env 'ZONEDRILL_HOME=/h\"x' '/opt/z d' --region west guest --as 'tom o'\''neil' --observe"#
        );
    }
}
