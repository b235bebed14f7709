//! The packet wire: one thread that reads the zones' devices and writes to them.
//!
//! One lock decides what may pass: the thread holds it while it moves packets, and whoever changes a
//! link takes it; so when [`Carrier::cut`] returns, no packet can pass any more.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    io,
    net::Ipv4Addr,
    os::fd::{AsFd, OwnedFd},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll},
    io::{read, write},
};
use tokio::time::Instant;

use super::{
    flows::{destination, spoil},
    lane::Fate,
    link::Link,
};
use crate::{
    platform::LinkStats,
    region::{
        condition::{Direction, LinkCondition},
        topology::CutKind,
    },
};

/// Packets of one device in a row, before the others have their turn.
const BATCH: usize = 64;
/// A packet is not longer than the devices' MTU.
const LONGEST: usize = 2_048;
/// How long the thread waits when the system lets it neither read nor wait.
const PAUSE: Duration = Duration::from_millis(20);

/// The second number of the addresses of a zone, which is what tells zones apart on the wire.
pub type Place = u8;

/// A packet on its way; the earliest is the greatest.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Flight {
    due: Reverse<Instant>,
    /// Which was first of those due at the same time.
    number: Reverse<u64>,
    came: Instant,
    asked: u64,
    link: Place,
    from_zone: bool,
    to: Place,
    bytes: Vec<u8>,
}

#[derive(Default)]
struct Inside {
    source: Place,
    devices: BTreeMap<Place, Arc<OwnedFd>>,
    links: BTreeMap<Place, Link>,
    under_way: BinaryHeap<Flight>,
    number: u64,
}

struct Shared {
    inside: Mutex<Inside>,
    /// Who waits to change a link: the thread lets them go first.
    waiting: AtomicUsize,
    ended: AtomicBool,
    wake: OwnedFd,
}

impl Shared {
    /// For whoever is not the thread.
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let inside = self.lock();
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        inside
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        // A packet more or less is all that a panic in between can cost.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        // Full means that it has been woken.
        let _ = write(&self.wake, &1u64.to_ne_bytes());
    }
}

/// The wire. Dropping it ends its thread.
pub struct Carrier {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Carrier {
    /// Starts it, without zones; `source` is where the zone is that the others are linked to.
    pub fn start(source: Place) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            inside: Mutex::new(Inside { source, ..Inside::default() }),
            waiting: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
            wake: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
        });
        let inside = Arc::clone(&shared);
        let thread = thread::Builder::new().name("wire".into()).spawn(move || carry(&inside))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Takes a zone's device; its link is whole.
    pub fn add(&self, zone: Place, device: OwnedFd) {
        let mut inside = self.shared.inside();
        if zone != inside.source {
            inside.links.insert(zone, Link::default());
        }
        inside.devices.insert(zone, Arc::new(device));
        drop(inside);
        self.shared.wake();
    }

    /// The zone is gone; what is on its way from or to it is not delivered.
    pub fn remove(&self, zone: Place) {
        let mut inside = self.shared.inside();
        inside.links.remove(&zone);
        inside.devices.remove(&zone);
        drop(inside);
        self.shared.wake();
    }

    /// Severs a link.
    pub fn cut(&self, zone: Place, kind: CutKind) {
        self.change(zone, |link, now| {
            if link.cut.is_none() {
                link.passed_before_cut = link.passed();
            }
            link.cut = Some(kind);
            link.begin(LinkCondition::default(), now);
            if kind == CutKind::Refuse { link.flows.reset_all() } else { Vec::new() }
        });
    }

    /// Makes a link like that. It is not cut.
    pub fn impair(&self, zone: Place, condition: LinkCondition) {
        self.change(zone, |link, now| {
            link.begin(condition, now);
            Vec::new()
        });
    }

    /// Restores a link: what is on its way arrives.
    pub fn heal(&self, zone: Place) {
        self.change(zone, |link, now| {
            link.cut = None;
            link.begin(LinkCondition::default(), now);
            Vec::new()
        });
    }

    fn change(
        &self,
        zone: Place,
        change: impl FnOnce(&mut Link, Instant) -> Vec<(Ipv4Addr, Vec<u8>)>,
    ) {
        let mut inside = self.shared.inside();
        let now = Instant::now();
        let Some(link) = inside.links.get_mut(&zone) else { return };
        let told = change(link, now);
        let (cut, whole) = (link.cut.is_some(), link.condition.is_whole());
        if cut || whole {
            // Of a cut nothing is delivered any more; of a whole link everything is there.
            inside.hurry(zone, now);
            inside.deliver(now);
        }
        inside.tell(told);
        drop(inside);
        self.shared.wake();
    }

    /// What a link has carried; `None` of a zone that has none.
    pub fn stats(&self, zone: Place) -> Option<LinkStats> {
        let inside = self.shared.inside();
        let link = inside.links.get(&zone)?;
        Some(link.stats())
    }
}

impl Drop for Carrier {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        self.shared.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Inside {
    /// A packet was read from the device of `from`.
    fn comes(&mut self, from: Place, packet: &[u8], now: Instant) {
        let Some([10, to, ..]) = destination(packet).map(|address| address.octets()) else {
            return;
        };
        let (zone, direction) = if from == self.source {
            (to, Direction::To)
        } else if to == self.source {
            (from, Direction::From)
        } else {
            // Between two copies nothing is linked.
            return;
        };
        let Some(link) = self.links.get_mut(&zone) else { return };
        let refuses = link.refuses();
        if let Err(told) = link.flows.comes(packet, refuses, now) {
            let lane = link.lane(direction);
            lane.packets.came += 1;
            lane.packets.silenced += 1;
            if let Some(told) = told {
                self.write(from, &told);
            }
            return;
        }
        let way = link.way(direction);
        let lane = link.lane(direction);
        match lane.comes(&way, packet.len(), now) {
            Fate::Dropped => {}
            Fate::Passes => {
                lane.line.pass(packet.len());
                self.write(to, packet);
            }
            Fate::Travels { due, twice, spoiled } => {
                let random = lane.line.number();
                let from_zone = direction == Direction::From;
                for copy in 0..=u8::from(twice) {
                    let mut bytes = packet.to_vec();
                    if spoiled && copy == 0 {
                        spoil(&mut bytes, random);
                    }
                    self.number += 1;
                    self.under_way.push(Flight {
                        due: Reverse(due),
                        number: Reverse(self.number),
                        came: now,
                        asked: link.asked,
                        link: zone,
                        from_zone,
                        to,
                        bytes,
                    });
                }
            }
        }
    }

    /// Whatever is on its way over that link is due now.
    fn hurry(&mut self, link: Place, now: Instant) {
        let all = std::mem::take(&mut self.under_way).into_iter();
        self.under_way = all
            .map(|mut flight| {
                if flight.link == link {
                    flight.due = Reverse(flight.due.0.min(now));
                }
                flight
            })
            .collect();
    }

    /// Delivers what is due.
    fn deliver(&mut self, now: Instant) {
        while self.under_way.peek().is_some_and(|next| next.due.0 <= now) {
            let Some(Flight { came, asked, link, from_zone, to, bytes, .. }) = self.under_way.pop()
            else {
                return;
            };
            let Some(link) = self.links.get_mut(&link) else { continue };
            let direction = if from_zone { Direction::From } else { Direction::To };
            let passes = !link.refuses() && !link.way(direction).silent;
            let same = asked == link.asked;
            let travelled = same.then(|| now.saturating_duration_since(came));
            link.lane(direction).arrives(bytes.len(), travelled, passes);
            if passes {
                self.write(to, &bytes);
            }
        }
    }

    fn turn(&mut self, now: Instant) {
        let mut told = Vec::new();
        for link in self.links.values_mut().filter(|link| link.turn_at.is_some_and(|at| at <= now))
        {
            told.extend(link.turn(now));
        }
        self.tell(told);
    }

    fn tell(&self, told: Vec<(Ipv4Addr, Vec<u8>)>) {
        for (address, packet) in told {
            self.write(address.octets()[1], &packet);
        }
    }

    fn write(&self, to: Place, packet: &[u8]) {
        if let Some(device) = self.devices.get(&to) {
            // What a device does not take is lost, as on any line.
            let _ = write(device, packet);
        }
    }

    fn next_due(&self) -> Option<Instant> {
        let turns = self.links.values().filter_map(|link| link.turn_at);
        turns.chain(self.under_way.peek().map(|flight| flight.due.0)).min()
    }
}

/// The thread.
fn carry(shared: &Shared) {
    let mut buffer = vec![0; LONGEST];
    while !shared.ended.load(Ordering::SeqCst) {
        let (devices, due) = {
            let inside = shared.lock();
            let devices: Vec<(Place, Arc<OwnedFd>)> =
                inside.devices.iter().map(|(place, fd)| (*place, Arc::clone(fd))).collect();
            (devices, inside.next_due())
        };
        let wait = due.map(|due| due.saturating_duration_since(Instant::now()));
        let wait = wait.and_then(|wait| Timespec::try_from(wait).ok());
        let mut fds = vec![PollFd::new(&shared.wake, PollFlags::IN)];
        fds.extend(devices.iter().map(|(_, fd)| PollFd::new(fd, PollFlags::IN)));
        match poll(&mut fds, wait.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => thread::sleep(PAUSE),
        }
        let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        drop(fds);
        if ready[0] {
            let _ = read(&shared.wake, &mut [0u8; 8]);
        }
        let (mut more, mut ill) = (true, false);
        while more {
            while shared.waiting.load(Ordering::SeqCst) > 0 {
                thread::yield_now();
            }
            let mut inside = shared.lock();
            let now = Instant::now();
            inside.turn(now);
            inside.deliver(now);
            more = false;
            for ((place, fd), _) in devices.iter().zip(&ready[1..]).filter(|(_, ready)| **ready) {
                let known = inside.devices.get(place).is_some_and(|known| Arc::ptr_eq(known, fd));
                for turn in (0..BATCH).take_while(|_| known) {
                    match read(fd.as_fd(), &mut buffer) {
                        Ok(length) => inside.comes(*place, &buffer[..length], now),
                        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => break,
                        Err(_) => {
                            ill = true;
                            break;
                        }
                    }
                    more |= turn + 1 == BATCH;
                }
            }
        }
        if ill {
            // A device that cannot be read is ready all the time.
            thread::sleep(PAUSE);
        }
    }
}
