//! Fills in the one nats-server configuration, `config/nats-server.conf`.

use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, context, value::ValueKind};

use crate::region::{
    ZonePlan,
    access::{Access, LEAF_USER, LOOKER, ROUTE_USER, SYSTEM_USER, Secrets, USER},
    topology::{ACCOUNT, NodePlan, STREAM},
};

const TEMPLATE: &str = include_str!("../../config/nats-server.conf");

/// What a node's configuration says besides its plan.
#[derive(Debug)]
pub struct Values<'a> {
    /// The server's version, `2.15.1`: some settings came late.
    pub version: &'a str,
    /// The address to listen on.
    pub listen_host: &'a str,
    /// Where the server writes its process id.
    pub pid_file: &'a str,
    /// Where it logs; empty for standard error.
    pub log_file: &'a str,
    pub clients: Clients<'a>,
    /// The time between two pings, `5s`.
    pub ping_interval: &'a str,
    /// `host:port` of the cluster ports of the zone's other nodes. With its own among them, a server
    /// that has no data yet needs the votes of all three, and every third first vote fails
    /// (nats-facts §H).
    pub routes: &'a [String],
    /// Where its streams are.
    pub store_dir: &'a str,
    /// `host:port` of the links to the source (mirror zones only).
    pub leaf_urls: &'a [String],
}

/// What servers tell their clients of where the zone's servers are.
#[derive(Clone, Copy, Debug)]
pub enum Clients<'a> {
    /// Where they listen.
    ComeThere,
    /// `host:port` of this one.
    ComeTo(&'a str),
    /// Nothing: it is reached at several addresses, and none is right for every client.
    AreNotTold,
}

/// Renders the configuration of one node of a zone.
///
/// # Errors
/// When a value holds a control character, which a configuration cannot say, or a password is
/// missing; otherwise never for the template of this release.
pub fn render(zone: &ZonePlan, node: &NodePlan, values: &Values<'_>) -> Result<String, Error> {
    let secrets = &zone.access.secrets;
    if !secrets.are_usable() {
        let why = format!("the passwords of zone {} are missing", zone.name);
        return Err(Error::new(ErrorKind::InvalidOperation, why));
    }
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_keep_trailing_newline(true);
    // Every text of the template stands between double quotes.
    environment.set_formatter(|out, _, value| match value.kind() {
        ValueKind::String => Ok(out.write_str(&escape(value.as_str().unwrap_or_default())?)?),
        ValueKind::Number => Ok(write!(out, "{value}")?),
        kind => Err(Error::new(ErrorKind::BadSerialization, format!("a {kind} in the template"))),
    });
    let version: Vec<u32> =
        values.version.split(['.', '-']).map_while(|part| part.parse().ok()).collect();
    environment.render_named_str(
        "nats-server.conf",
        TEMPLATE,
        context! {
            version,
            node => node.name.to_string(),
            domain => zone.domain(),
            role => if zone.is_hub() { "source" } else { "mirror" },
            listen_host => values.listen_host,
            client_port => node.client_port,
            cluster_port => node.cluster_port,
            leaf_port => node.leaf_port,
            pid_file => values.pid_file,
            log_file => values.log_file,
            store_dir => values.store_dir,
            client_advertise => match values.clients { Clients::ComeTo(at) => at, _ => "" },
            no_advertise => matches!(values.clients, Clients::AreNotTold),
            ping_interval => values.ping_interval,
            routes => values.routes,
            leaf_urls => values.leaf_urls,
            stream => STREAM,
            account => ACCOUNT,
            open => zone.access.open,
            user => USER,
            password => secrets.client,
            looker => LOOKER.0,
            looker_password => LOOKER.1,
            leaf_user => LEAF_USER,
            leaf_password => secrets.leaf,
            route_user => ROUTE_USER,
            route_password => secrets.route,
            system_user => SYSTEM_USER,
            system_password => secrets.system,
        },
    )
}

/// How to log in at the source's servers of that configuration, as this release writes it;
/// `variables` are those of their environment, which the compose files use.
pub fn access(configuration: &str, variables: &dyn Fn(&str) -> Option<String>) -> Option<Access> {
    let password = |user: &str| {
        let head = format!("{{user: \"{user}\", password: ");
        let (_, rest) = configuration.split_once(&head)?;
        match rest.strip_prefix('$') {
            Some(rest) => {
                let name = rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next()?;
                Some(variables(name)?.trim_matches('"').to_owned())
            }
            None => Some(rest.strip_prefix('"')?.split('"').next()?.to_owned()),
        }
    };
    let secrets = Secrets {
        client: password(USER)?,
        leaf: password(LEAF_USER)?,
        route: password(ROUTE_USER)?,
        system: password(SYSTEM_USER)?,
    };
    let (user, known) = LOOKER;
    let open = configuration.contains(&format!("{{user: \"{user}\", password: \"{known}\"}}"));
    secrets.are_usable().then(|| Access::new(secrets, open))
}

/// Escapes a text for a double-quoted string of a nats-server configuration.
fn escape(text: &str) -> Result<String, Error> {
    if let Some(control) = text.chars().find(|c| c.is_control()) {
        return Err(Error::new(
            ErrorKind::InvalidOperation,
            format!("`{}` holds the control character {control:?}", text.escape_debug()),
        ));
    }
    Ok(text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::region::Role;

    fn access() -> Access {
        let secret = |name: &str| format!("{name}-secret");
        let (client, leaf) = (secret("client"), secret("leaf"));
        let (route, system) = (secret("route"), secret("system"));
        Access::new(Secrets { client, leaf, route, system }, false)
    }

    fn rendered(role: Role, version: &str, store_dir: &str) -> Result<String, Error> {
        let slot = u16::from(role != Role::Source);
        let zone = ZonePlan::new("b".parse().unwrap(), role, slot, 15222).with_access(&access());
        let values = Values {
            version,
            listen_host: "127.0.0.1",
            pid_file: "/r/nats.pid",
            log_file: "/r/nats.log",
            clients: Clients::ComeThere,
            ping_interval: "5s",
            routes: &["127.0.0.1:16232".into()],
            store_dir,
            leaf_urls: &["127.0.0.1:4001".into(), "127.0.0.1:4002".into()],
        };
        render(&zone, &zone.nodes[0], &values)
    }

    #[test]
    fn settings_follow_the_version() {
        let old = rendered(Role::Mirror, "2.11.11", "/r/data").unwrap();
        assert!(old.contains("advertise: \"127.0.0.1:9\""));
        assert!(!old.contains("ignore_discovered_servers"));
        let between = rendered(Role::Mirror, "2.14.6", "/r/data").unwrap();
        assert!(between.contains("advertise: \"127.0.0.1:9\""));
        assert!(between.contains("ignore_discovered_servers"));
        for new in ["2.15.1", "2.15.0-RC.1", "3.0.0"] {
            let new = rendered(Role::Mirror, new, "/r/data").unwrap();
            assert!(!new.contains("127.0.0.1:9\""));
            assert!(new.contains("ignore_discovered_servers"));
        }
    }

    #[test]
    fn a_mirror_solicits_and_the_source_listens() {
        let mirror = rendered(Role::Mirror, "2.15.1", "/r/data").unwrap();
        assert!(mirror.contains("\"nats-leaf://leaf:leaf-secret@127.0.0.1:4002\""));
        assert!(!mirror.contains("127.0.0.1:17232"), "{mirror}");
        let source = rendered(Role::Source, "2.15.1", "/r/data").unwrap();
        assert!(source.contains("listen: \"127.0.0.1:17222\""));
        assert!(source.contains("\"$JS.zone-b.API.CONSUMER.CREATE.EVENTS_REGION\""));
        assert!(!source.contains("remotes"));
    }

    #[test]
    fn nobody_gets_in_with_a_name_alone() {
        for role in [Role::Source, Role::Mirror] {
            let conf = rendered(role, "2.15.1", "/r/data").unwrap();
            assert!(conf.contains(r#"authorization {user: "route", password: "route-secret"}"#));
            assert!(conf.contains("\"nats-route://route:route-secret@127.0.0.1:16232\""), "{conf}");
            assert!(conf.contains(r#"{user: "sys", password: "system-secret"}"#));
        }
        let bare = ZonePlan::new("b".parse().unwrap(), Role::Mirror, 1, 15222);
        let values = Values {
            version: "2.15.1",
            listen_host: "127.0.0.1",
            pid_file: "/r/nats.pid",
            log_file: "",
            clients: Clients::ComeThere,
            ping_interval: "5s",
            routes: &[],
            store_dir: "/r/data",
            leaf_urls: &[],
        };
        let error = render(&bare, &bare.nodes[0], &values).unwrap_err();
        assert!(error.to_string().contains("passwords of zone b are missing"), "{error}");
    }

    #[test]
    fn a_configuration_tells_its_passwords_to_whoever_adopts_it() {
        let source = rendered(Role::Source, "2.15.1", "/r/data").unwrap();
        let nothing = |_: &str| None;
        assert_eq!(super::access(&source, &nothing), Some(access()));
        let mirror = rendered(Role::Mirror, "2.15.1", "/r/data").unwrap();
        assert_eq!(super::access(&mirror, &nothing), None, "it does not know the leaf user's");
        let by_hand = source.replace("\"leaf-secret\"", "$LEAF_PASSWORD");
        assert_eq!(super::access(&by_hand, &nothing), None);
        let variable = |name: &str| (name == "LEAF_PASSWORD").then(|| "\"leaf-secret\"".into());
        assert_eq!(super::access(&by_hand, &variable), Some(access()));
        let old = source.replace("zonedrill", "admin");
        assert_eq!(super::access(&old, &nothing), None);
    }

    #[test]
    fn paths_are_quoted_whatever_they_hold() {
        let conf = rendered(Role::Source, "2.15.1", r#"/a b/"c"\d # {}"#).unwrap();
        assert!(conf.contains(r#"store_dir: "/a b/\"c\"\\d # {}""#), "{conf}");
        assert!(rendered(Role::Source, "2.15.1", "/a\nb").is_err());
    }
}
