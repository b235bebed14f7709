//! A real sshd on loopback: guests by a forced command, and connections that drop.
//!
//! Skipped, loudly, where there is no sshd or ssh.

use std::{
    ffi::OsStr,
    fs,
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::support::region::Region;
use crate::support::screen::{DEADLINE, Terminal};
use rustix::process::Signal;

/// sshd insists on being started by its full path, which is not in everyone's PATH.
const SSHD: [&str; 3] = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"];

struct Sshd {
    child: Child,
    folder: tempfile::TempDir,
    port: u16,
    user: String,
}

impl Sshd {
    /// An sshd for this account, with one key for each of these forced commands.
    fn start(commands: &[(&str, String)]) -> Option<Self> {
        let sshd = SSHD.iter().map(Path::new).find(|path| path.exists());
        let ssh = Command::new("ssh").arg("-V").stderr(Stdio::null()).status();
        let (Some(sshd), Ok(_)) = (sshd, ssh) else {
            eprintln!("SKIPPED: there is no sshd and ssh here (apt-get install openssh-server)");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let path = |name: &str| folder.path().join(name);
        let mut authorized = String::new();
        let key = |name: &str| {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(path(name))
                .status()
                .unwrap();
            assert!(made.success());
        };
        key("host");
        for (name, command) in commands {
            key(name);
            let public = fs::read_to_string(path(&format!("{name}.pub"))).unwrap();
            authorized.extend(["restrict,pty,command=\"", command, "\" ", &public]);
        }
        fs::write(path("authorized_keys"), authorized).unwrap();
        let port = zonedrill::platform::local::ports::free_base(1).unwrap();
        let show = |name: &str| path(name).display().to_string();
        let config = format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\n\
             StrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\n\
             KbdInteractiveAuthentication no\nSubsystem sftp internal-sftp\n",
            show("host"),
            show("authorized_keys"),
        );
        fs::write(path("config"), config).unwrap();
        // Root's sshd wants it; the init script that makes it has perhaps never run.
        if rustix::process::getuid().is_root() {
            let _ = fs::create_dir("/run/sshd");
        }
        let log = fs::File::create(path("log")).unwrap();
        let child = Command::new(sshd)
            .args(["-D", "-e", "-f"])
            .arg(path("config"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let user = Command::new("id").arg("-un").output().unwrap();
        let user = String::from_utf8(user.stdout).unwrap().trim().to_owned();
        let sshd = Self { child, folder, port, user };
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(start.elapsed() < DEADLINE, "{}", sshd.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(sshd)
    }

    /// Lets a key in with the line that `invite` prints for it.
    fn invite(&self, region: &Region, name: &str, more: &[&str]) -> String {
        let path = self.folder.path().join(name);
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(&path)
            .status()
            .unwrap();
        assert!(made.success());
        let key = fs::read_to_string(path.with_extension("pub")).unwrap();
        let words = [&["invite", name, key.trim()], more].concat();
        let line = region.run(&words).expect_code(0).out;
        fs::write(self.folder.path().join("authorized_keys"), &line).unwrap();
        line
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// The words of an ssh with this key.
    fn words(&self, key: &str, more: &[&str]) -> Vec<String> {
        let key = self.folder.path().join(key).display().to_string();
        let port = self.port.to_string();
        let at = format!("{}@127.0.0.1", self.user);
        let mut words: Vec<String> = ["-F", "none", "-p", &port, "-i", &key, "-o"]
            .into_iter()
            .chain(["IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o", "BatchMode=yes"])
            .chain(["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"])
            .chain(["-o", "LogLevel=ERROR"])
            .map(str::to_owned)
            .collect();
        let (flags, command): (Vec<&str>, Vec<&str>) =
            more.iter().partition(|word| word.starts_with('-'));
        words.extend(flags.into_iter().map(str::to_owned));
        words.push(at);
        words.extend(command.into_iter().map(str::to_owned));
        words
    }

    fn open(&self, key: &str, more: &[&str], size: (u16, u16)) -> Terminal {
        let home = [("HOME", self.folder.path().as_os_str())];
        let words = self.words(key, more);
        let words: Vec<&OsStr> = words.iter().map(OsStr::new).collect();
        Terminal::run(Path::new("ssh"), &words, &home, size)
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("{}", self.log());
        }
    }
}

/// The forced command of a region.
fn forced(region: &Region, words: &str) -> String {
    format!(
        "env ZONEDRILL_HOME={} ZONEDRILL_REGION={} {} {words}",
        region.home.path().display(),
        region.name,
        env!("CARGO_BIN_EXE_zonedrill")
    )
}

#[test]
fn a_guest_has_a_screen_and_nothing_else() {
    let region = Region::up("sshguest");
    let commands = [
        ("tom", forced(&region, "guest --as tom")),
        ("eve", forced(&region, "guest --as eve --observe")),
    ];
    let Some(sshd) = Sshd::start(&commands) else { return };
    let loot = region.home.path().join("loot");
    let touch = format!("touch {}", loot.display());

    // What a guest asks sshd for is not done; the screen comes instead.
    let mut tom = sshd.open("tom", &["-tt", &touch], (100, 30));
    tom.wait_for("● tom (you, guest)");
    let mut eve = sshd.open("eve", &["-tt"], (80, 24));
    eve.wait_for("● tom");
    tom.wait_for("○ eve");

    // A driving guest acts on the region, by name, and reaches no file.
    tom.press(":mark by a guest\r");
    eve.wait_for("mark: by a guest");
    for line in [
        format!("record start {}", loot.display()),
        format!("report {}", loot.display()),
        format!("drill run cut --report {}", loot.display()),
        "down".into(),
    ] {
        tom.press(&format!(":{line}\r"));
        // The whole line may be too long for the foot of the screen.
        let first = line.split(' ').next().unwrap();
        tom.wait_for(&format!("you are a guest here: `{first}"));
    }
    tom.press("r");
    tom.wait_for("no file is written");
    tom.press("\x1a");
    tom.wait_for("no shell to go back to");
    tom.press("q");
    tom.wait_for("the region runs on");
    assert!(!tom.text().contains("tear"), "{}", tom.text());
    tom.press("\x1b");
    eve.press("o");
    eve.wait_for("only observes");

    // Without a terminal there is nothing at all: no command, no copy, no forwarding.
    let ssh = |more: &[&str]| {
        Command::new("ssh")
            .args(sshd.words("tom", more))
            .env("HOME", sshd.folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    };
    let told = ssh(&["-T", &touch]);
    assert!(
        String::from_utf8_lossy(&told.stderr).contains("needs a terminal: `ssh -t`"),
        "{told:?}"
    );
    assert!(!ssh(&["-T", "-s", "sftp"]).status.success());
    let forward = ssh(&["-T", "-oExitOnForwardFailure=yes", "-R0:127.0.0.1:22"]);
    assert!(!forward.status.success(), "{forward:?}");
    assert!(!loot.exists());

    eve.press("qq");
    assert_eq!(eve.exit_code(), 0);
    tom.press("qq");
    assert_eq!(tom.exit_code(), 0);
    assert_eq!(region.status()["phase"], "up");
}

#[test]
fn a_dropped_connection_leaves_the_drill_and_comes_back_to_the_same_view() {
    let region = Region::up("sshdrop");
    let Some(sshd) = Sshd::start(&[("mira", forced(&region, "attach --as mira"))]) else { return };
    let mut mira = sshd.open("mira", &["-tt"], (120, 40));
    mira.wait_for("● mira (you)");
    mira.press(":produce --rate 100/s\r\t\r");
    mira.wait_for("enter or esc: back");
    // The client is gone without a word: sshd hangs the screen up.
    mira.signal(Signal::KILL);
    region.wait("the screen's end", DEADLINE, |_| {
        !region.processes().iter().any(|pid| is_attach(*pid))
    });
    let before = region.status()["producer"]["acked"].as_u64().unwrap();
    region.wait("producing on", DEADLINE, |status| {
        status["producer"]["acked"].as_u64().unwrap() > before
    });
    let mut again = sshd.open("mira", &["-tt"], (100, 30));
    again.wait_for("● mira (you)");
    again.wait_for("enter or esc: back");
    again.press("qq");
    assert_eq!(again.exit_code(), 0);
}

#[test]
fn signals_and_a_dropped_connection_end_a_screen_in_its_own_way() {
    let region = Region::up("sshend");
    let code = region.home.path().join("code");
    // A shell that outlives the hang-up, and says how the screen ended.
    let told = format!(
        "sh -c 'trap : HUP; {}; echo $? > {}'",
        forced(&region, "attach --as mira"),
        code.display()
    );
    let commands = [("mira", forced(&region, "attach --as mira")), ("lost", told)];
    let Some(sshd) = Sshd::start(&commands) else { return };
    for signal in [Signal::TERM, Signal::USR1, Signal::ALARM] {
        let mut mira = sshd.open("mira", &["-tt"], (100, 30));
        mira.wait_for("(you)");
        let screens = region.processes().into_iter().filter(|pid| is_screen(*pid));
        for pid in screens.filter_map(rustix::process::Pid::from_raw) {
            rustix::process::kill_process(pid, signal).unwrap();
        }
        assert_eq!(mira.exit_code(), 128 + signal.as_raw().cast_unsigned());
        mira.wait("the shell's screen", |_| !mira.is_taken());
    }
    let mira = sshd.open("lost", &["-tt"], (100, 30));
    mira.wait_for("(you)");
    mira.signal(Signal::KILL);
    let start = Instant::now();
    while !code.exists() || fs::read_to_string(&code).unwrap().is_empty() {
        assert!(start.elapsed() < DEADLINE, "the screen does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(fs::read_to_string(&code).unwrap().trim(), "0");
}

#[test]
fn an_invited_key_lets_a_guest_in_until_it_expires() {
    let region = Region::up("sshinvite");
    let Some(sshd) = Sshd::start(&[]) else { return };
    let line = sshd.invite(&region, "tom", &["--for", "1h"]);
    assert!(line.starts_with("restrict,pty,expiry-time="), "{line}");
    let mut tom = sshd.open("tom", &["-tt"], (100, 30));
    tom.wait_for("● tom (you, guest)");
    let status = region.status();
    assert_eq!(status["screens"][0]["from"], "127.0.0.1", "{status}");
    tom.press("qq");
    assert_eq!(tom.exit_code(), 0);
    let events = fs::read_to_string(region.folder().join("events.jsonl")).unwrap();
    let attached = r#""event":"screen-attached","name":"tom","guest":true,"from":"127.0.0.1""#;
    assert!(events.contains(attached), "{events}");

    sshd.invite(&region, "eve", &["--observe", "--for", "2s"]);
    let start = Instant::now();
    loop {
        let mut eve = sshd.open("eve", &["-tt"], (80, 24));
        eve.wait("a screen, or none", |text| {
            text.contains("eve (you, guest)") || text.contains("denied")
        });
        if eve.text().contains("denied") {
            assert_eq!(eve.exit_code(), 255);
            break;
        }
        assert!(start.elapsed() < DEADLINE, "the key does not expire");
    }
}

/// A screen's own process, and no shell around it.
fn is_screen(pid: i32) -> bool {
    let name = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
    is_attach(pid) && name.ends_with("zonedrill")
}

/// A screen's process, and not the room's.
fn is_attach(pid: i32) -> bool {
    let path = PathBuf::from(format!("/proc/{pid}/cmdline"));
    fs::read(path).is_ok_and(|line| String::from_utf8_lossy(&line).contains("attach"))
}
