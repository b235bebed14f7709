//! A link: TCP relays between a mirror zone's leafnode connections and the source's leaf ports.
//!
//! One lock decides what may pass. Every read and write of a connection happens while the state of
//! the link is borrowed, and a cut takes that lock for itself; so when [`Relay::cut`] has changed
//! the state, no byte can pass any more, whatever the tasks are doing at that moment.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rustix::net::Shutdown;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{platform::LinkStats, region::topology::CutKind};

/// One read's worth; a catch-up of thousands of messages goes in few system calls.
const BUFFER: usize = 64 * 1024;

/// What the link does at present.
#[derive(Clone, Copy, Debug)]
struct State {
    /// The cut, if it is cut.
    cut: Option<CutKind>,
    /// Counts refusing cuts: a connection of an earlier epoch must end, even if the link has been
    /// healed before its task could look.
    epoch: u64,
}

#[derive(Default)]
struct Counters {
    to_source: AtomicU64,
    from_source: AtomicU64,
    accepted: AtomicU64,
    refused: AtomicU64,
    to_source_before_cut: AtomicU64,
    from_source_before_cut: AtomicU64,
}

struct Shared {
    state: watch::Sender<State>,
    live: watch::Sender<usize>,
    counters: Counters,
    ended: CancellationToken,
}

/// The link of one mirror zone. Dropping it closes everything.
pub struct Relay {
    shared: Arc<Shared>,
    addresses: Vec<SocketAddr>,
    _end_tasks: DropGuard,
}

impl Relay {
    /// Listens on a loopback port of its own for each of `targets` and relays connections to it.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(targets: &[SocketAddr]) -> io::Result<Self> {
        let ended = CancellationToken::new();
        let shared = Arc::new(Shared {
            state: watch::Sender::new(State { cut: None, epoch: 0 }),
            live: watch::Sender::new(0),
            counters: Counters::default(),
            ended: ended.clone(),
        });
        let guard = ended.drop_guard();
        let mut addresses = Vec::with_capacity(targets.len());
        for &target in targets {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            addresses.push(listener.local_addr()?);
            tokio::spawn(accept(Arc::clone(&shared), listener, target));
        }
        Ok(Self { shared, addresses, _end_tasks: guard })
    }

    /// Where to connect, in the order of the targets.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Severs the link. On return nothing is carried; of `refuse`, every connection has been reset
    /// at both ends.
    pub async fn cut(&self, kind: CutKind) {
        let counters = &self.shared.counters;
        self.shared.state.send_modify(|state| {
            if state.cut.is_none() {
                // Under the lock: nothing is being carried while these are taken.
                let (to, from) = (&counters.to_source, &counters.from_source);
                counters.to_source_before_cut.store(to.load(Ordering::Relaxed), Ordering::Relaxed);
                counters
                    .from_source_before_cut
                    .store(from.load(Ordering::Relaxed), Ordering::Relaxed);
            }
            state.cut = Some(kind);
            if kind == CutKind::Refuse {
                state.epoch += 1;
            }
        });
        if kind == CutKind::Refuse {
            let mut live = self.shared.live.subscribe();
            // The sender lives in `self`, so this ends only when the count is zero.
            let _ = live.wait_for(|count| *count == 0).await;
        }
    }

    /// Restores the link: held connections go on where they stood, refused ones must come anew.
    pub fn heal(&self) {
        self.shared.state.send_modify(|state| state.cut = None);
    }

    /// What was carried so far.
    #[must_use]
    pub fn stats(&self) -> LinkStats {
        let counters = &self.shared.counters;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        // Borrowed first: no cut can begin between the figures.
        let state = self.shared.state.borrow();
        let (to_source, from_source) = (read(&counters.to_source), read(&counters.from_source));
        LinkStats {
            cut: state.cut,
            connections: *self.shared.live.borrow(),
            accepted: read(&counters.accepted),
            refused: read(&counters.refused),
            bytes_to_source: to_source,
            bytes_from_source: from_source,
            bytes_since_cut: state.cut.map(|_| {
                to_source - read(&counters.to_source_before_cut) + from_source
                    - read(&counters.from_source_before_cut)
            }),
        }
    }
}

/// Counts a connection for as long as it lives.
struct Live(Arc<Shared>);

impl Live {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.live.send_modify(|count| *count += 1);
        Self(Arc::clone(shared))
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.0.live.send_modify(|count| *count -= 1);
    }
}

async fn accept(shared: Arc<Shared>, listener: TcpListener, target: SocketAddr) {
    loop {
        let near = tokio::select! {
            () = shared.ended.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of descriptors, or a peer gone before we looked: the listener stays good.
                    tracing::debug!(%error, "a link could not accept a connection");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                }
            },
        };
        // Counted while the state is borrowed: a refusing cut sees either no connection or this one.
        let admitted = {
            let state = shared.state.borrow();
            (state.cut != Some(CutKind::Refuse)).then(|| (state.epoch, Live::new(&shared)))
        };
        if let Some((epoch, live)) = admitted {
            shared.counters.accepted.fetch_add(1, Ordering::Relaxed);
            let connection = Connection { shared: Arc::clone(&shared), epoch, live };
            tokio::spawn(connection.run(near, target));
        } else {
            shared.counters.refused.fetch_add(1, Ordering::Relaxed);
            reset(&near);
        }
    }
}

/// Makes the coming close a reset, so that the peer notices at once and nothing queued is sent on.
fn reset(stream: &TcpStream) {
    // Fails only on a socket that is gone already.
    let _ = stream.set_zero_linger();
}

/// Why a connection ends.
enum End {
    /// Both directions reached their end.
    Orderly,
    /// One side broke, or the link was cut by refusal.
    Broken,
}

struct Connection {
    shared: Arc<Shared>,
    epoch: u64,
    live: Live,
}

impl Connection {
    async fn run(self, near: TcpStream, target: SocketAddr) {
        let Self { shared, epoch, live } = &self;
        let ended = shared.ended.clone();
        let severed = async {
            let mut state = shared.state.subscribe();
            let _ = state.wait_for(|state| state.epoch != *epoch).await;
        };
        let far = tokio::select! {
            biased;
            () = ended.cancelled() => return,
            () = severed => None,
            far = dial(shared, &near, target) => far,
        };
        let Some(far) = far else { return reset(&near) };
        let _ = near.set_nodelay(true);
        let _ = far.set_nodelay(true);
        let counters = &shared.counters;
        let both = async {
            let up = pump(&near, &far, shared, *epoch, &counters.to_source);
            let down = pump(&far, &near, shared, *epoch, &counters.from_source);
            if tokio::try_join!(up, down).is_ok() { End::Orderly } else { End::Broken }
        };
        let end = tokio::select! {
            biased;
            () = ended.cancelled() => End::Broken,
            end = both => end,
        };
        if matches!(end, End::Broken) {
            reset(&near);
            reset(&far);
        }
        // The sockets close before the connection stops counting: who waits for zero sees them gone.
        drop((near, far));
        let _ = live;
    }
}

/// Connects to the source, once the link carries anything. `None` when the peer gave up before, or
/// the source does not answer.
async fn dial(shared: &Shared, near: &TcpStream, target: SocketAddr) -> Option<TcpStream> {
    let mut state = shared.state.subscribe();
    let open = state.wait_for(|state| state.cut.is_none());
    tokio::select! {
        opened = open => drop(opened.ok()?),
        () = closed(near) => return None,
    }
    TcpStream::connect(target).await.ok()
}

/// Returns when the peer has closed without having sent anything; what it sent must be carried.
async fn closed(stream: &TcpStream) {
    match stream.peek(&mut [0]).await {
        Ok(0) | Err(_) => {}
        Ok(_) => std::future::pending().await,
    }
}

/// Carries one direction until its end. Errors when either side breaks or the link is refused.
async fn pump(
    from: &TcpStream,
    to: &TcpStream,
    shared: &Shared,
    epoch: u64,
    carried: &AtomicU64,
) -> io::Result<()> {
    let severed = || io::Error::from(io::ErrorKind::ConnectionReset);
    let mut state = shared.state.subscribe();
    let mut buffer = vec![0; BUFFER];
    let mut held = 0..0;
    loop {
        // While a silent cut lasts, neither side is touched: not read, not written, not closed.
        let now = *state
            .wait_for(|state| state.cut != Some(CutKind::Silent))
            .await
            .map_err(|_| severed())?;
        if now.epoch != epoch {
            return Err(severed());
        }
        let ready =
            async { if held.is_empty() { from.readable().await } else { to.writable().await } };
        tokio::select! {
            ready = ready => ready?,
            changed = state.changed() => {
                changed.map_err(|_| severed())?;
                continue;
            }
        }
        let passing = state.borrow();
        if passing.cut.is_some() || passing.epoch != epoch {
            continue;
        }
        let moved = if held.is_empty() {
            from.try_read(&mut buffer)
        } else {
            to.try_write(&buffer[held.clone()])
        };
        match moved {
            Ok(0) if held.is_empty() => {
                // A half-closed connection goes on in the other direction.
                rustix::net::shutdown(to, Shutdown::Write)?;
                return Ok(());
            }
            Ok(count) if held.is_empty() => held = 0..count,
            Ok(count) => {
                carried.fetch_add(count as u64, Ordering::Relaxed);
                held.start += count;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests;
