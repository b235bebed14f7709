//! Which ports are free, and who has those that are not.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, Ipv4Addr, TcpListener},
    os::unix::net::UnixListener,
    sync::{Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use crate::{
    command::readable,
    platform::{identity::Identity, marks::Whose},
    region::{Role, ZoneName, ZonePlan, topology::MOST_ZONES},
};

/// The lowest base `free_base` looks at, and the distance of its blocks: a region takes ports up to
/// 2000 and a few hundred above its base.
const LOWEST_BASE: u16 = 10_222;
const BLOCK: u16 = 3000;
/// Inside a block, bases may lie up to here: the next kind of port begins 1000 above.
const BLOCK_USE: u16 = 1000;
/// Where the ports begin that systems give to outgoing connections, unless they say otherwise
/// (Linux's default).
const EPHEMERAL: u16 = 32_768;

/// Can a server listen on this loopback port now? Like nats-server, does not mind connections that
/// are still closing.
#[must_use]
pub fn is_free(port: u16) -> bool {
    bind(port).is_ok()
}

/// Could the port be published at this address? Yes where the address is another machine's: that is
/// for its engine to say.
#[must_use]
pub fn is_free_at(address: IpAddr, port: u16) -> bool {
    match TcpListener::bind((address, port)) {
        Ok(_) => true,
        Err(error) => error.kind() == io::ErrorKind::AddrNotAvailable,
    }
}

fn bind(port: u16) -> io::Result<()> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map(drop)
}

/// The bases that are in use in this process, with their claims towards other processes.
static GIVEN: Mutex<BTreeMap<u16, Vec<UnixListener>>> = Mutex::new(BTreeMap::new());

/// Finds a port base below the system's ephemeral ports at which all ports of `zones` zones are
/// free. Never returns a base twice in a process unless it was given back, so that regions started
/// side by side do not meet. `None` when there is none.
#[must_use]
pub fn free_base(zones: usize) -> Option<u16> {
    let slots = u16::try_from(zones.clamp(1, MOST_ZONES)).ok()?;
    let step = slots * 10;
    let highest = lowest_ephemeral() - 2 * BLOCK_USE - step;
    let candidates: Vec<u16> = (LOWEST_BASE..highest)
        .step_by(usize::from(BLOCK))
        .flat_map(|block| (block..block + BLOCK_USE - step).step_by(usize::from(step)))
        .filter(|base| *base < highest)
        .collect();
    if candidates.is_empty() {
        return None;
    }
    let start = usize::try_from(scatter() % candidates.len() as u64).ok()?;
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    let (before, after) = candidates.split_at(start);
    let (found, claim) = after.iter().chain(before).copied().find_map(|base| {
        let apart = given.keys().all(|other| base.abs_diff(*other) >= step.max(100));
        let claim = if apart && all_free(base, slots) { claim(base, slots) } else { None };
        claim.map(|claim| (base, claim))
    })?;
    given.insert(found, claim);
    Some(found)
}

/// Gives a base back once its region has ended: a process that makes many regions would run out.
pub fn give_back(base: u16) {
    GIVEN.lock().unwrap_or_else(PoisonError::into_inner).remove(&base);
}

/// Tells other processes that look for ports at the same moment: these are taken, though nothing
/// listens yet. Names in the kernel that go away with the process; only Linux has them. `None` if
/// another process was first.
#[cfg(target_os = "linux")]
fn claim(base: u16, slots: u16) -> Option<Vec<UnixListener>> {
    use std::os::{linux::net::SocketAddrExt, unix::net::SocketAddr};
    let one = |port: u16| {
        let name = SocketAddr::from_abstract_name(format!("zonedrill-ports-{port}"));
        name.and_then(|name| UnixListener::bind_addr(&name)).ok()
    };
    // In tens: a base need not be a multiple of ten, nor of another's.
    (base / 10..=(base + slots * 10 - 1) / 10).map(one).collect()
}

#[cfg(not(target_os = "linux"))]
#[allow(clippy::unnecessary_wraps)]
fn claim(_base: u16, _slots: u16) -> Option<Vec<UnixListener>> {
    Some(Vec::new())
}

/// A number that differs between processes and moments.
fn scatter() -> u64 {
    let nanos = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| u64::from(since.subsec_nanos()));
    nanos.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (u64::from(std::process::id()) << 7)
}

fn all_free(base: u16, slots: u16) -> bool {
    let Ok(name) = "z".parse::<ZoneName>() else { return false };
    (0..slots)
        .all(|slot| ZonePlan::new(name.clone(), Role::Mirror, slot, base).ports().all(is_free))
}

fn lowest_ephemeral() -> u16 {
    std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|text| text.split_whitespace().next()?.parse().ok())
        .filter(|low| (LOWEST_BASE + BLOCK..=EPHEMERAL).contains(low))
        .unwrap_or(EPHEMERAL)
}

/// Who listens on a port, in words, seen from the home with this identity: "nats-server, pid 4711
/// (js1-zone-a of region `demo`, …)".
#[must_use]
pub fn owner(port: u16, identity: &Identity) -> String {
    if let Some(pid) = listener_of(port) {
        return describe(pid, identity);
    }
    match bind(port) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            "the system (it does not let this user listen there)".into()
        }
        _ => "another process".into(),
    }
}

#[cfg(target_os = "linux")]
fn listener_of(port: u16) -> Option<u32> {
    let inodes = ["/proc/net/tcp", "/proc/net/tcp6"]
        .into_iter()
        .filter_map(|table| std::fs::read_to_string(table).ok())
        .flat_map(|table| listening_inodes(&table, port))
        .map(|inode| format!("socket:[{inode}]"))
        .collect::<Vec<_>>();
    if inodes.is_empty() {
        return None;
    }
    let holds = |process: &std::path::Path| {
        std::fs::read_dir(process.join("fd")).is_ok_and(|mut descriptors| {
            descriptors.any(|descriptor| {
                descriptor.and_then(|descriptor| std::fs::read_link(descriptor.path())).is_ok_and(
                    |target| inodes.iter().any(|inode| target.as_os_str() == inode.as_str()),
                )
            })
        })
    };
    std::fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        holds(&entry.path()).then_some(pid)
    })
}

#[cfg(not(target_os = "linux"))]
fn listener_of(_port: u16) -> Option<u32> {
    None
}

/// The inodes of sockets listening on `port`, from a table like `/proc/net/tcp`: columns
/// `sl local_address rem_address st … inode`, state 0A for listening.
#[cfg(target_os = "linux")]
fn listening_inodes(table: &str, port: u16) -> Vec<u64> {
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let columns: Vec<&str> = line.split_whitespace().collect();
            let (_, hex) = columns.get(1)?.rsplit_once(':')?;
            let here = u16::from_str_radix(hex, 16).ok()? == port && *columns.get(3)? == "0A";
            here.then(|| columns.get(9)?.parse().ok()).flatten()
        })
        .collect()
}

fn describe(pid: u32, identity: &Identity) -> String {
    match Whose::of(pid, identity) {
        Whose::Unknown => {
            let name = std::fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
            format!("{}, pid {pid}", readable(String::from_utf8_lossy(&name).trim()))
        }
        // Its file may be called otherwise: a fetched server has the version in its name.
        whose => format!("nats-server, pid {pid} ({})", whose.words(pid)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_takes_its_port_and_is_named() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(!is_free(port));
        let owner = owner(port, &Identity::default());
        if cfg!(target_os = "linux") {
            assert!(owner.ends_with(&format!(", pid {}", std::process::id())), "{owner}");
        }
    }

    #[test]
    fn bases_do_not_meet_and_keep_below_the_ephemeral_ports() {
        let bases: Vec<u16> = (0..8).map(|_| free_base(3).unwrap()).collect();
        let mut ports = std::collections::BTreeSet::new();
        for base in bases {
            for slot in 0..3 {
                let zone = ZonePlan::new("z".parse().unwrap(), Role::Mirror, slot, base);
                for port in zone.ports() {
                    assert!(port < lowest_ephemeral());
                    assert!(ports.insert(port), "{port} given twice");
                }
            }
        }
        assert!(free_base(MOST_ZONES).is_some());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn only_listening_sockets_count() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
             0: 0100007F:3B76 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0 0 4242 1 0\n\
             1: 0100007F:3B76 0100007F:9999 01 00000000:00000000 00:00000000 00000000  0 0 4243 1 0\n";
        assert_eq!(listening_inodes(table, 15222), [4242]);
        assert!(listening_inodes(table, 15223).is_empty());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_one_claimed_another_does_not_get() {
        let base = free_base(2).unwrap();
        assert!(claim(base, 2).is_none(), "as another process would ask");
        assert!(claim(base + 10, 3).is_none(), "a part of it");
        give_back(base);
        assert!(claim(base, 2).is_some(), "given back");
    }
}
