//! Who sits here, when nobody says so with `--as`.

use crate::region::actor;

/// The accounts of this machine, one a line: `name:x:uid:…`.
const ACCOUNTS: &str = "/etc/passwd";

/// The name of the environment, else the account's, else `uid` and its number.
#[must_use]
pub fn name() -> String {
    let said = |name| std::env::var(name).ok().filter(|name| !name.is_empty());
    let uid = rustix::process::getuid().as_raw();
    // What cannot be read here, as where accounts come from a directory, is not known.
    let account = || account(&std::fs::read_to_string(ACCOUNTS).unwrap_or_default(), uid);
    said("USER").or_else(|| said("LOGNAME")).or_else(account).unwrap_or_else(|| format!("uid{uid}"))
}

/// The address at the other end of this process' SSH connection (`SSH_CONNECTION`); empty if it has
/// none.
#[must_use]
pub fn ssh_peer() -> String {
    let connection = std::env::var("SSH_CONNECTION").unwrap_or_default();
    let peer = connection.split(' ').next().unwrap_or_default();
    peer.parse::<std::net::IpAddr>().map(|peer| peer.to_string()).unwrap_or_default()
}

/// The name of an account, unless in the log it would read as if nobody spoke.
fn account(accounts: &str, uid: u32) -> Option<String> {
    let mut all = accounts.lines().map(|line| line.split(':'));
    let name = all.find_map(|mut fields| {
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    })?;
    (!name.is_empty() && actor::check_name(name).is_ok()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_number() {
        let accounts = "root:x:0:0:root:/root:/bin/bash\n\n# a note\n+::::::\nmira:x:1000:1000::/home/mira:/bin/sh\ntom:x:1000:1000::/:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n";
        assert_eq!(account(accounts, 0).as_deref(), Some("root"));
        assert_eq!(account(accounts, 1000).as_deref(), Some("mira"));
        assert_eq!(account(accounts, 7), None);
        assert_eq!(account(accounts, 65_534), None, "a name that misleads");
        assert_eq!(account("", 0), None);
    }
}
