//! The ports of the zones' servers as they are reached from outside: at the same ports of this machine's
//! loopback, past the wire, whatever becomes of the links.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    os::fd::OwnedFd,
    path::Path,
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::{
    io::copy_bidirectional_with_sizes,
    net::{TcpListener, TcpStream},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Site, Wire};
use crate::platform::PlatformError;

/// One read's worth.
const BUFFER: usize = 64 * 1024;
/// The pause before a port that could not accept is tried again.
const PAUSE: Duration = Duration::from_millis(20);

/// The open ports of a zone. Dropping them closes them.
#[derive(Default)]
pub(super) struct Doors {
    ended: CancellationToken,
    tasks: TaskTracker,
}

impl Drop for Doors {
    fn drop(&mut self) {
        self.ended.cancel();
    }
}

impl Doors {
    /// Closes them; returns when the ports are free.
    pub async fn close(&self) {
        self.ended.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Listens on each of the ports outside, and carries what comes to the address inside.
///
/// # Errors
/// When a port is taken.
pub(super) async fn open(
    site: &Site,
    doors: impl Iterator<Item = (u16, SocketAddr)>,
) -> Result<Doors, PlatformError> {
    let opened = Doors::default();
    let Doors { ended, tasks } = &opened;
    for (outside, inside) in doors {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, outside)).await.map_err(|error| {
                PlatformError::io("listen at", Path::new(&format!("127.0.0.1:{outside}")), error)
            })?;
        let net = Arc::clone(&site.namespaces.net);
        let accepting = accept(
            Arc::downgrade(&site.wire),
            net,
            listener,
            inside,
            (ended.clone(), tasks.clone()),
        );
        tasks.spawn(ended.clone().run_until_cancelled_owned(accepting));
    }
    Ok(opened)
}

async fn accept(
    wire: Weak<Wire>,
    net: Arc<OwnedFd>,
    listener: TcpListener,
    inside: SocketAddr,
    (ended, tasks): (CancellationToken, TaskTracker),
) {
    loop {
        let Ok((outer, _)) = listener.accept().await else {
            // Out of descriptors, or a peer gone before we looked: the listener stays good.
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let Some(wire) = wire.upgrade() else { return };
        let carrying = carry(wire, Arc::clone(&net), outer, inside);
        tasks.spawn(ended.clone().run_until_cancelled_owned(carrying));
    }
}

/// One client's connection, until either side ends it.
async fn carry(wire: Arc<Wire>, net: Arc<OwnedFd>, mut outer: TcpStream, inside: SocketAddr) {
    let connected = match wire.socket(net).await {
        Ok(socket) => socket.connect(inside).await,
        Err(why) => Err(io::Error::other(why)),
    };
    let carried = async {
        let mut inner = connected?;
        outer.set_nodelay(true)?;
        inner.set_nodelay(true)?;
        let copied = copy_bidirectional_with_sizes(&mut outer, &mut inner, BUFFER, BUFFER).await;
        if copied.is_err() {
            // Whoever is left must notice at once.
            inner.set_zero_linger()?;
        }
        copied
    };
    if carried.await.is_err() {
        let _ = outer.set_zero_linger();
    }
}
