//! The words of the shell: what is asked of the program, and with which flags.

use std::{net::IpAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use color_eyre::eyre;

use super::{access, external, invite, replay, start};
use crate::{
    command::{CastFormat, ScreenSize, grammar::Verb, recording::RECORDED_SIZE},
    lang::Lang,
    platform::identity::{UNMARKED, is_id},
    region::{
        CopyKind, MirrorKind, PlatformKind, Settings, ZoneName,
        file::Act,
        topology::{DEFAULT_NATS_VERSION, DEFAULT_PORT_BASE, MOST_ZONES, Network},
    },
    room::{
        external::hook,
        guard,
        home::{DEFAULT_REGION, Home},
    },
    tui::theme::Colours,
};

const AFTER_HELP: &str = "\
Without a command: make sure the region's room runs, and open a screen on it.
`zonedrill verify FOLDER` checks an evidence bundle, `zonedrill replay FOLDER` plays it; neither
needs a room.
Exit codes: 0 done, 1 failed or broken, 2 could not be tested, 3 refused (usage, environment).";

/// The heading of what is for clusters of others.
pub const OTHERS: &str = "Clusters that somebody else runs";

#[derive(Debug, Parser)]
#[command(
    name = "zonedrill",
    version,
    long_version = super::help::long_version(),
    about = "A control room for drills on a NATS JetStream region",
    after_help = AFTER_HELP,
    infer_subcommands = true,
    subcommand_required = false,
    arg_required_else_help = false
)]
pub struct Cli {
    /// The region's name; several can exist side by side
    #[arg(long, global = true, env = "ZONEDRILL_REGION", hide_env_values = true, default_value = DEFAULT_REGION)]
    pub region: String,
    /// Who you are, for the log and the other screens [default: $USER]
    #[arg(long = "as", global = true, value_name = "NAME")]
    pub name: Option<String>,
    /// A region that somebody else runs, as this file describes it
    #[arg(long, global = true, value_name = "FILE", help_heading = OTHERS)]
    pub region_file: Option<PathBuf>,
    #[command(flatten)]
    pub others: OthersArgs,
    #[command(flatten)]
    pub start: StartArgs,
    #[command(flatten)]
    pub screen: ScreenArgs,
    #[command(subcommand)]
    pub words: Option<Words>,
}

/// What goes with a region file before anything is changed there.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = OTHERS)]
pub struct OthersArgs {
    /// Allow it for this command, as `allow` in the file does for all
    #[arg(long, global = true, value_enum, value_delimiter = ',', value_name = "ACT")]
    pub allow: Vec<Act>,
    /// Say that you mean this region, where nobody can be asked
    #[arg(long, global = true, value_name = "REGION")]
    pub confirm: Option<String>,
    /// Say what would be done, and do nothing
    #[arg(long, global = true)]
    pub dry: bool,
}

/// What a region is started with.
#[derive(Clone, Debug, Default, Args)]
#[command(
    next_help_heading = "Starting a region (`zonedrill`, `zonedrill up`, `zonedrill drill` without a room)"
)]
pub struct StartArgs {
    /// The server binary to use, instead of PATH, cache or download
    #[arg(
        long,
        global = true,
        env = "ZONEDRILL_NATS_SERVER",
        hide_env_values = true,
        value_name = "PATH"
    )]
    pub nats_server: Option<PathBuf>,
    /// The server version to fetch [default: 2.15.1]
    #[arg(long, global = true, value_name = "VERSION")]
    pub nats_version: Option<String>,
    /// What the other zones hold: an exact mirror, or a stream that sources from zone a [default: mirror]
    #[arg(long, global = true, value_enum)]
    pub copy: Option<CopyKind>,
    /// How copies pull [default: durable where the server has it (2.15), else classic]
    #[arg(long = "via", alias = "mirror", global = true, value_enum)]
    pub mirror: Option<MirrorKind>,
    /// First client port (zone a: N to N+2, zone b: N+10 …), or `auto` for free ones [default: 15222]
    #[arg(long, global = true, value_name = "N|auto")]
    pub port_base: Option<PortBase>,
    /// The zones to begin with, the source first [default: a,b]
    #[arg(long, global = true, value_delimiter = ',', value_name = "ZONES")]
    pub zones: Vec<ZoneName>,
    /// Where the servers run [default: local]
    #[arg(long, global = true, value_enum)]
    pub platform: Option<PlatformKind>,
    /// What carries the links (local): `relay` connections, or a `wire` packets, for faults as real lines have them (Linux) [default: relay]
    #[arg(long, global = true, value_enum)]
    pub network: Option<Network>,
    /// The address at which containers publish their ports (docker) [default: 127.0.0.1]
    #[arg(long, global = true, value_name = "ADDRESS", value_parser = an_address)]
    pub publish: Option<IpAddr>,
    /// Take over containers of this region that run already (docker)
    #[arg(long, global = true)]
    pub adopt: bool,
    /// Let `admin`/`admin` change everything: for this start only
    #[arg(long, global = true)]
    pub open: bool,
    /// What bears this id in Docker is another home's: `up` takes it over for good, `down` removes it
    #[arg(long, global = true, value_name = "ID", value_parser = an_id)]
    pub force_foreign: Option<String>,
}

fn an_address(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| {
        "give an address of the engine's machine, like 127.0.0.1 or 10.0.0.7; 0.0.0.0 is all of them".into()
    })
}

fn an_id(text: &str) -> Result<String, String> {
    if is_id(text) {
        Ok(text.to_owned())
    } else {
        Err(format!("an id is 8 digits of 0-9 and a-f, or `{UNMARKED}`: the refusal names it"))
    }
}

fn a_language(text: &str) -> Result<Lang, String> {
    Lang::named(text).ok_or_else(|| "there are `en` and `zh`".into())
}

/// How a screen looks.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "The screen")]
pub struct ScreenArgs {
    /// Draw with plain ASCII
    #[arg(long, global = true)]
    pub ascii: bool,
    /// The language of screens and answers [default: as the locale says]
    #[arg(long, global = true, value_name = "en|zh", value_parser = a_language)]
    pub lang: Option<Lang>,
    /// A keymap laid over the built-in one [default: keys.toml in the user's zonedrill config folder]
    #[arg(long, global = true, value_name = "FILE")]
    pub keys: Option<PathBuf>,
    /// Use the mouse (off over SSH unless given)
    #[arg(long, global = true)]
    pub mouse: bool,
    /// The screen's colours [default: the terminal's own sixteen; none with `NO_COLOR`]
    #[arg(long, global = true, env = "ZONEDRILL_THEME", hide_env_values = true, value_enum)]
    pub theme: Option<Colours>,
    /// Do not ring when a drill has its verdict
    #[arg(long, global = true)]
    pub no_bell: bool,
    /// Record the screen into this new file, for asciinema; `drill run` needs no terminal for it
    #[arg(long, global = true, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Which asciicast: v2 plays everywhere, v3 is for asciinema 3
    #[arg(long, global = true, value_enum, value_name = "v2|v3", default_value = "v2")]
    pub cast_format: CastFormat,
}

#[derive(Clone, Copy, Debug)]
pub enum PortBase {
    Auto,
    At(u16),
}

impl std::str::FromStr for PortBase {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<u16>() {
            _ if text == "auto" => Ok(Self::Auto),
            // Cluster and leafnode ports lie up to 2000 above, and more zones above the first.
            Ok(port @ 1024..=62_000) => Ok(Self::At(port)),
            _ => Err("give a port from 1024 to 62000, or `auto`".into()),
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum Words {
    /// Open a screen on the running room
    Attach {
        /// Only look
        #[arg(long)]
        observe: bool,
    },
    /// Open a screen for a guest over SSH, who reaches no shell and no file (see the README)
    Guest {
        /// Only look
        #[arg(long)]
        observe: bool,
    },
    /// Serve the region's status for dashboards, without a screen, until ctrl-c
    Observe {
        /// Where to serve it, in the `OpenMetrics` format at /metrics: 127.0.0.1:9555
        #[arg(long, value_name = "ADDRESS:PORT")]
        metrics: std::net::SocketAddr,
    },
    /// Print the line of `authorized_keys` that lets a guest in over SSH; writes no file
    Invite(invite::Words),
    /// Print what a NATS client needs to log in, for `eval "$(zonedrill env b)"`
    Env {
        /// The zone [default: the source]
        zone: Option<ZoneName>,
        /// As the well-known user, who may look and change nothing
        #[arg(long)]
        read_only: bool,
    },
    /// Write a context of the `nats` command line for each zone
    Context(access::ContextWords),
    /// The regions of this account
    #[command(subcommand)]
    Region(RegionWords),
    /// How the screen is set
    #[command(subcommand)]
    Config(ConfigWords),
    /// Show a past drill again, from its evidence bundle; needs no room
    Replay(replay::Words),
    /// Print what makes a shell complete these words
    Completions {
        /// For which
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Print the manual page of the program, or of one of its commands
    Man {
        /// Like `drill run`
        #[arg(value_name = "COMMAND")]
        path: Vec<String>,
    },
    #[command(flatten)]
    Verb(Verb),
    /// Print what a screen shows now, or write it into a file (.svg in colour, else as text)
    Shot {
        /// The file; must not exist
        file: Option<PathBuf>,
        #[arg(long, value_name = "COLUMNSxROWS", default_value_t = RECORDED_SIZE)]
        size: ScreenSize,
    },
    /// A screen without a terminal that records (started by `record start`)
    #[command(hide = true)]
    Recorder {
        file: PathBuf,
        #[arg(long, value_enum, default_value = "v2")]
        format: CastFormat,
        #[arg(long, default_value_t = RECORDED_SIZE)]
        size: ScreenSize,
    },
    /// The room itself (started by the others)
    #[command(hide = true)]
    Room {
        /// What it is brought up with, as JSON
        #[arg(long)]
        settings: String,
        /// End with the shell, and leave nothing behind
        #[arg(long)]
        tethered: bool,
    },
    /// Heals a cut that nobody else does (started by `cut` with a region file)
    #[command(hide = true, name = hook::SUBCOMMAND)]
    Healer,
    /// The room's guard (started by the room)
    #[command(hide = true, name = guard::SUBCOMMAND)]
    Guard {
        /// The region was made for one run, on this platform: nothing of it stays
        #[arg(long, value_name = "PLATFORM")]
        once: Option<PlatformKind>,
    },
}

impl StartArgs {
    /// The first of them that was given on the command line (not by the environment).
    pub fn first_given(&self) -> Option<&'static str> {
        let from_environment = std::env::var_os("ZONEDRILL_NATS_SERVER").map(PathBuf::from);
        [
            ("--nats-server", self.nats_server.is_some() && self.nats_server != from_environment),
            ("--nats-version", self.nats_version.is_some()),
            ("--copy", self.copy.is_some()),
            ("--via", self.mirror.is_some()),
            ("--port-base", self.port_base.is_some()),
            ("--zones", !self.zones.is_empty()),
            ("--platform", self.platform.is_some()),
            ("--network", self.network.is_some()),
            ("--publish", self.publish.is_some()),
            ("--adopt", self.adopt),
            ("--open", self.open),
            ("--force-foreign", self.force_foreign.is_some()),
        ]
        .into_iter()
        .find_map(|(flag, given)| given.then_some(flag))
    }

    /// The first of them that only a start can mean.
    pub fn first_for_a_start(&self) -> Option<&'static str> {
        Self { force_foreign: None, ..self.clone() }.first_given()
    }

    /// The settings these make, over those kept from an earlier life.
    pub fn settings(&self, home: &Home, kept: Option<Settings>) -> eyre::Result<Settings> {
        let kept = kept.unwrap_or_else(|| Settings {
            region: home.region.clone(),
            platform: PlatformKind::Local,
            network: Network::default(),
            nats_version: DEFAULT_NATS_VERSION.into(),
            nats_server: None,
            mirror: None,
            copy: None,
            port_base: DEFAULT_PORT_BASE,
            publish: None,
            zones: ["a", "b"].iter().filter_map(|name| name.parse().ok()).collect(),
            adopt: false,
            open: false,
        });
        let zones = if self.zones.is_empty() { kept.zones } else { self.zones.clone() };
        let mut names: Vec<&ZoneName> = zones.iter().collect();
        names.sort();
        names.dedup();
        eyre::ensure!(
            names.len() == zones.len(),
            "--zones names a zone twice: every zone needs a name of its own"
        );
        eyre::ensure!(zones.len() <= MOST_ZONES, "a region has at most {} zones", MOST_ZONES);
        let port_base = match self.port_base {
            None => kept.port_base,
            Some(PortBase::At(port)) => port,
            Some(PortBase::Auto) => start::free_ports(zones.len())?,
        };
        let nats_server = match &self.nats_server {
            Some(path) => Some(std::path::absolute(path)?),
            // Asking for a version means not the binary of last time.
            None if self.nats_version.is_some() => None,
            None => kept.nats_server,
        };
        let platform = self.platform.unwrap_or(kept.platform);
        eyre::ensure!(
            self.publish.is_none() || platform == PlatformKind::Docker,
            "`--publish` is for containers: it goes with `--platform docker`; the {platform} platform listens at 127.0.0.1"
        );
        let local = platform == PlatformKind::Local;
        let network = self.network.unwrap_or(if local { kept.network } else { Network::Relay });
        eyre::ensure!(
            local || network == Network::Relay,
            "`--network wire` is of the local platform: the {platform} platform has its own network"
        );
        Ok(Settings {
            region: home.region.clone(),
            platform,
            network,
            publish: self.publish.or(kept.publish),
            nats_version: self.nats_version.clone().unwrap_or(kept.nats_version),
            nats_server,
            mirror: self.mirror.or(kept.mirror),
            copy: self.copy.or(kept.copy),
            port_base,
            zones,
            adopt: self.adopt,
            open: self.open,
        })
    }
}

/// The words after `region`.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum ConfigWords {
    /// Print every setting and key that holds here as one file, with where it was set
    Print,
}

#[derive(Debug, Subcommand)]
pub enum RegionWords {
    /// List them: whether a room runs, zones, platform, folder
    List,
    /// Print a first region file for clusters that somebody else runs, by asking them
    Init(external::InitWords),
}
