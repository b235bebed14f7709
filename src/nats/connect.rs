//! Connections: who logs in where, with settings that notice a frozen server in seconds.

use std::{
    fmt,
    sync::{Arc, LazyLock, Weak},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_nats::{Client, ConnectErrorKind, ConnectOptions, ServerAddr, jetstream};
use tokio::time::{Instant, sleep};

use super::error::NatsError;
use crate::region::{
    NodeName, ZonePlan,
    access::{Access, LEAF_USER, SYSTEM_USER, USER},
    topology::NodePlan,
};

/// A frozen server never closes its connection; pings this far apart find it out
/// (nats-facts §D: without them a client hung for 35 s).
pub const PING_INTERVAL: Duration = Duration::from_secs(2);
/// How long a request, and the handshake of a connection, may take.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(1);
/// The longest pause between two attempts to reconnect.
const RECONNECT_DELAY: Duration = Duration::from_millis(250);
/// Attempts without a pause: one for each node of a zone.
const EAGER_ATTEMPTS: usize = 3;
/// Publishes the client takes in before its caller has to wait: twice the producer's window of
/// 4096, with which 33 000 messages a second were measured (nats-facts §K).
const COMMAND_CAPACITY: usize = 8192;
/// Messages a subscription holds before the client drops some: two seconds of 33 000 a second.
const SUBSCRIPTION_CAPACITY: usize = 65_536;
/// A pause that outlives the process: parks the attempts of a connection nobody wants any more.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 86_400);

/// As whom a connection logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Login {
    /// The drill's own clients: everything in the account with the stream.
    App,
    /// The system account: observation, and step-down of the meta group.
    System,
    /// What a mirror zone's leafnode connections are; exists at the source only.
    Leaf,
}

impl Login {
    /// User and password.
    #[must_use]
    pub fn credentials(self, access: &Access) -> (&'static str, &str) {
        let secrets = &access.secrets;
        match self {
            Self::App => (USER, &secrets.client),
            Self::System => (SYSTEM_USER, &secrets.system),
            Self::Leaf => (LEAF_USER, &secrets.leaf),
        }
    }
}

impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::App => USER,
            Self::System => SYSTEM_USER,
            Self::Leaf => LEAF_USER,
        })
    }
}

/// This process, as its connections' names end: other clients' calls are told from its own by it.
static PROCESS: LazyLock<String> = LazyLock::new(|| {
    let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{}-{:08x}", std::process::id(), started.subsec_nanos())
});

/// The name a connection of this process gives: `zonedrill producer 4711-0a1b2c3d`.
#[must_use]
pub fn own_name(name: &str) -> String {
    format!("{name} {}", *PROCESS)
}

/// Whether a connection of that name belongs to this process.
#[must_use]
pub fn is_own(name: &str) -> bool {
    name.ends_with(PROCESS.as_str())
}

/// The settings every connection starts from. Unlimited reconnects, no servers but those given.
#[must_use]
pub fn options(access: &Access, who: Login, name: &str) -> ConnectOptions {
    let (user, password) = who.credentials(access);
    settings(ConnectOptions::with_user_and_password(user.into(), password.into()), name)
}

/// The same for a connection that logs in otherwise.
pub(super) fn settings(login: ConnectOptions, name: &str) -> ConnectOptions {
    login
        .name(own_name(name))
        .ping_interval(PING_INTERVAL)
        .request_timeout(Some(REQUEST_TIMEOUT))
        .connection_timeout(REQUEST_TIMEOUT)
        .ignore_discovered_servers()
        .retain_servers_order()
        .max_reconnects(None)
        .reconnect_delay_callback(reconnect_delay)
        .client_capacity(COMMAND_CAPACITY)
        .subscription_capacity(SUBSCRIPTION_CAPACITY)
}

/// No pause for the first round over a zone's nodes, then a short one.
fn reconnect_delay(attempts: usize) -> Duration {
    if attempts <= EAGER_ATTEMPTS { Duration::ZERO } else { RECONNECT_DELAY }
}

/// Connects to a zone: to its first node that answers, later to another when that one is gone.
/// Tries each node once.
///
/// # Errors
/// [`NatsError::Connect`] when none answers or the login is refused.
pub async fn zone_client(zone: &ZonePlan, who: Login, name: &str) -> Result<Client, NatsError> {
    zone_client_preferring(zone, None, who, name).await
}

/// As [`zone_client`], but tries the node `first` before the others.
///
/// # Errors
/// [`NatsError::Connect`] when none answers or the login is refused.
pub async fn zone_client_preferring(
    zone: &ZonePlan,
    first: Option<&NodeName>,
    who: Login,
    name: &str,
) -> Result<Client, NatsError> {
    let mut nodes: Vec<&NodePlan> = zone.nodes.iter().collect();
    nodes.sort_by_key(|node| Some(&node.name) != first);
    connect(&nodes, options(&zone.access, who, name), who, &zone.domain()).await
}

/// As [`zone_client`], but goes on trying for `patience`: for servers that were just started.
///
/// # Errors
/// [`NatsError::Connect`] with the last reason; a refused login is not tried again.
pub async fn zone_client_within(
    zone: &ZonePlan,
    who: Login,
    name: &str,
    patience: Duration,
) -> Result<Client, NatsError> {
    let deadline = Instant::now() + patience;
    loop {
        match zone_client(zone, who, name).await {
            Err(NatsError::Connect { login_refused: false, .. }) if Instant::now() < deadline => {
                // A refused connection is answered at once; 20 attempts a second cost nothing.
                sleep(Duration::from_millis(50)).await;
            }
            other => return other,
        }
    }
}

/// Connects to one node of a zone and to no other, ever.
///
/// # Errors
/// [`NatsError::Connect`] when it does not answer or refuses the login.
pub async fn node_client(
    zone: &ZonePlan,
    node: &NodePlan,
    who: Login,
    name: &str,
) -> Result<Client, NatsError> {
    connect(&[node], options(&zone.access, who, name), who, &node.name.to_string()).await
}

/// A connection to one node that is kept (re)connecting in the background for as long as this
/// value lives, whether or not the node is there.
#[derive(Debug)]
pub struct Kept {
    /// The client; its [`Client::connection_state`] says whether it is connected.
    pub client: Client,
    /// Dropped with this value; the reconnecting task then stops trying.
    _wanted: Arc<()>,
}

/// Starts a [`Kept`] connection. Returns at once. `ping` is how often it looks for a frozen server
/// by itself; one that is seldom used and has deadlines of its own need not do it often.
///
/// # Errors
/// [`NatsError::Connect`] only if the node's address cannot be an address.
pub async fn keep_node_client(
    zone: &ZonePlan,
    node: &NodePlan,
    who: Login,
    name: &str,
    ping: Duration,
) -> Result<Kept, NatsError> {
    let wanted = Arc::new(());
    let options = options(&zone.access, who, name)
        .retry_on_initial_connect()
        .ping_interval(ping)
        .reconnect_delay_callback(delay_while_wanted(Arc::downgrade(&wanted)));
    let client = connect(&[node], options, who, &node.name.to_string()).await?;
    Ok(Kept { client, _wanted: wanted })
}

/// The client library goes on reconnecting after every handle to it is dropped; this parks it.
fn delay_while_wanted(wanted: Weak<()>) -> impl Fn(usize) -> Duration + Send + Sync + 'static {
    move |attempts| {
        if wanted.strong_count() > 0 { reconnect_delay(attempts) } else { FOREVER }
    }
}

async fn connect(
    nodes: &[&NodePlan],
    options: ConnectOptions,
    who: Login,
    whom: &str,
) -> Result<Client, NatsError> {
    let failed = |why: String, login_refused: bool| NatsError::Connect {
        whom: whom.to_owned(),
        user: who.to_string(),
        why,
        login_refused,
    };
    let addresses = nodes
        .iter()
        .map(|node| node.url().parse::<ServerAddr>())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| failed(error.to_string(), false))?;
    options.connect(addresses).await.map_err(|error| {
        let login_refused = matches!(
            error.kind(),
            ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication
        );
        failed(error.to_string(), login_refused)
    })
}

/// A JetStream context for the domain the client is connected in.
#[must_use]
pub fn jetstream(client: &Client) -> jetstream::Context {
    let mut context = jetstream::new(client.clone());
    context.set_timeout(REQUEST_TIMEOUT);
    context
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_nobody_wants_stops_trying() {
        let wanted = Arc::new(());
        let delay = delay_while_wanted(Arc::downgrade(&wanted));
        assert_eq!(delay(1), Duration::ZERO);
        assert_eq!(delay(1000), RECONNECT_DELAY);
        drop(wanted);
        assert_eq!(delay(1), FOREVER);
    }
}
