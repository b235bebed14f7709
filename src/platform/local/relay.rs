//! A link: TCP relays between a mirror zone's leafnode connections and the source's leaf ports.
//!
//! One lock decides what may pass. Every read and write of a connection happens while the state of
//! the link is borrowed, and a cut takes that lock for itself; so when [`Relay::cut`] has changed
//! the state, no byte can pass any more, whatever the tasks are doing at that moment.
//!
//! | file | what is inside |
//! |---|---|
//! | `pump` | one direction of a connection: the plain way, and the way through a condition |

mod pump;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use self::pump::Pump;
use super::line::Line;
use crate::{
    platform::LinkStats,
    region::{
        condition::{Direction, Feature, LinkCondition, Way, measured::LinkCount},
        topology::CutKind,
    },
};

/// What a relay can do to a link.
pub const FEATURES: [Feature; 6] = {
    use Feature::{Delay, Flap, Jitter, Rate, Reset, Silence};
    [Delay, Jitter, Rate, Silence, Flap, Reset]
};

/// What the link does at present.
#[derive(Clone, Copy, Debug)]
struct State {
    /// The cut, if it is cut.
    cut: Option<CutKind>,
    /// Counts refusing cuts: a connection of an earlier epoch must end, even if the link has been
    /// healed before its task could look.
    epoch: u64,
    /// What is asked of it; whole while it is cut.
    condition: LinkCondition,
    /// Counts conditions: what was booked under another one is booked anew.
    asked: u64,
    /// It flaps, and is down at present: refused like a cut.
    down: bool,
}

impl State {
    fn refuses(&self) -> bool {
        self.down || self.cut == Some(CutKind::Refuse)
    }

    /// Connections are made over it, and half of a silence makes none.
    fn connects(&self) -> bool {
        let LinkCondition { to_zone, from_zone, .. } = self.condition;
        self.cut.is_none() && !self.down && !to_zone.silent && !from_zone.silent
    }

    fn way(&self, direction: Direction) -> Way {
        if direction == Direction::From { self.condition.from_zone } else { self.condition.to_zone }
    }
}

#[derive(Default)]
struct Counters {
    accepted: AtomicU64,
    refused: AtomicU64,
    to_zone_before_cut: AtomicU64,
    from_zone_before_cut: AtomicU64,
    /// Resets since the condition is in effect.
    resets: AtomicU64,
}

struct Shared {
    state: watch::Sender<State>,
    live: watch::Sender<usize>,
    counters: Counters,
    to_zone: Line,
    from_zone: Line,
    ended: CancellationToken,
}

impl Shared {
    fn line(&self, direction: Direction) -> &Line {
        if direction == Direction::From { &self.from_zone } else { &self.to_zone }
    }

    /// Ends all connections: both ends see a reset.
    fn reset_all(&self, down: bool) {
        self.state.send_modify(|state| {
            state.epoch += 1;
            state.down = down;
        });
        self.counters.resets.fetch_add(1, Ordering::Relaxed);
    }
}

/// The link of one mirror zone. Dropping it closes everything.
pub struct Relay {
    shared: Arc<Shared>,
    addresses: Vec<SocketAddr>,
    /// What turns the link down and up again; ends when it is replaced.
    turns: Mutex<Option<DropGuard>>,
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
            state: watch::Sender::new(State {
                cut: None,
                epoch: 0,
                condition: LinkCondition::default(),
                asked: 0,
                down: false,
            }),
            live: watch::Sender::new(0),
            counters: Counters::default(),
            to_zone: Line::default(),
            from_zone: Line::default(),
            ended: ended.clone(),
        });
        let guard = ended.drop_guard();
        let mut addresses = Vec::with_capacity(targets.len());
        for &target in targets {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            addresses.push(listener.local_addr()?);
            tokio::spawn(accept(Arc::clone(&shared), listener, target));
        }
        Ok(Self { shared, addresses, turns: Mutex::default(), _end_tasks: guard })
    }

    /// Where to connect, in the order of the targets.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Severs the link. On return nothing is carried; of `refuse`, every connection has been reset
    /// at both ends.
    pub async fn cut(&self, kind: CutKind) {
        self.stop_turning();
        let Shared { counters, to_zone, from_zone, .. } = &*self.shared;
        self.shared.state.send_modify(|state| {
            if state.cut.is_none() {
                // Under the lock: nothing is being carried while these are taken.
                counters.to_zone_before_cut.store(to_zone.passed(), Ordering::Relaxed);
                counters.from_zone_before_cut.store(from_zone.passed(), Ordering::Relaxed);
            }
            state.cut = Some(kind);
            if !state.condition.is_whole() {
                state.condition = LinkCondition::default();
                state.asked += 1;
            }
            state.down = false;
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

    /// Makes the link like that from now on. On return nothing is carried otherwise. It is not cut.
    pub fn impair(&self, condition: LinkCondition) {
        self.stop_turning();
        let Shared { counters, to_zone, from_zone, .. } = &*self.shared;
        self.shared.state.send_modify(|state| {
            // Under the lock: nothing is being carried while the counts begin anew.
            state.condition = condition;
            state.asked += 1;
            state.down = false;
            to_zone.begin();
            from_zone.begin();
            counters.resets.store(0, Ordering::Relaxed);
        });
        let LinkCondition { flap, reset_every_ms, .. } = condition;
        let turns = match (flap, reset_every_ms) {
            (Some(flap), _) => vec![(flap.up_ms, true), (flap.down_ms, false)],
            (None, Some(every)) => vec![(every, false)],
            (None, None) => return,
        };
        let ended = self.shared.ended.child_token();
        let shared = Arc::clone(&self.shared);
        let turning = async move {
            for (ms, down) in turns.iter().cycle() {
                tokio::time::sleep(Duration::from_millis(u64::from(*ms))).await;
                if *down || flap.is_none() {
                    shared.reset_all(*down);
                } else {
                    shared.state.send_modify(|state| state.down = false);
                }
            }
        };
        tokio::spawn(ended.clone().run_until_cancelled_owned(turning));
        *self.turns() = Some(ended.drop_guard());
    }

    fn turns(&self) -> MutexGuard<'_, Option<DropGuard>> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop_turning(&self) {
        self.turns().take();
    }

    /// Restores the link, whatever was asked of it: held connections go on where they stood, refused
    /// ones must come anew.
    pub fn heal(&self) {
        self.stop_turning();
        self.shared.state.send_modify(|state| {
            state.cut = None;
            state.down = false;
            if !state.condition.is_whole() {
                state.condition = LinkCondition::default();
                state.asked += 1;
            }
        });
    }

    /// What was carried so far.
    #[must_use]
    pub fn stats(&self) -> LinkStats {
        let Shared { counters, to_zone, from_zone, .. } = &*self.shared;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        // Borrowed first: no cut can begin between the figures.
        let state = self.shared.state.borrow();
        let count = LinkCount {
            condition: state.condition,
            to_zone: to_zone.count(),
            from_zone: from_zone.count(),
            resets: read(&counters.resets),
            ..LinkCount::default()
        };
        let before = read(&counters.to_zone_before_cut) + read(&counters.from_zone_before_cut);
        LinkStats {
            cut: state.cut,
            since_begin: true,
            connections: *self.shared.live.borrow(),
            accepted: read(&counters.accepted),
            refused: read(&counters.refused),
            bytes_to_source: count.from_zone.passed,
            bytes_from_source: count.to_zone.passed,
            bytes_since_cut: state
                .cut
                .map(|_| count.to_zone.passed + count.from_zone.passed - before),
            count,
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
            (!state.refuses()).then(|| (state.epoch, Live::new(&shared)))
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
        let both = async {
            let pump = |from, to, direction| Pump::new(from, to, shared, *epoch, direction).run();
            let up = pump(&near, &far, Direction::From);
            let down = pump(&far, &near, Direction::To);
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
    let open = state.wait_for(State::connects);
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

#[cfg(test)]
mod impaired_tests;
#[cfg(test)]
mod tests;
