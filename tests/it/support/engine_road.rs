//! What stands between zonedrill and a Docker engine, and can stop carrying.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use super::docker::SOON;

/// Stands between zonedrill and the engine, and can stop carrying.
pub struct Proxy {
    path: PathBuf,
    frozen: Arc<AtomicBool>,
}

impl Proxy {
    pub fn start(path: &Path) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        let frozen = Arc::new(AtomicBool::new(false));
        let carries = Arc::clone(&frozen);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(engine) = UnixStream::connect("/var/run/docker.sock") else { return };
                carry(client.try_clone().unwrap(), engine.try_clone().unwrap(), &carries);
                carry(engine, client, &carries);
            }
        });
        Self { path: path.to_owned(), frozen }
    }

    pub fn host(&self) -> String {
        format!("unix://{}", self.path.display())
    }

    pub fn freeze(&self, freeze: bool) {
        self.frozen.store(freeze, Ordering::SeqCst);
    }
}

/// Stands between zonedrill and the engine as a TCP port that can go away, also just before a
/// change is asked for.
pub struct Forwarder {
    port: u16,
    shared: Arc<Road>,
}

#[derive(Default)]
struct Road {
    gone: AtomicBool,
    /// So many changes may be asked for before it goes away.
    changes_left: AtomicU32,
    over: AtomicBool,
}

impl Forwarder {
    pub fn start() -> Self {
        let port = zonedrill::platform::local::ports::free_base(1).expect("a free port");
        let shared = Arc::new(Road::default());
        shared.changes_left.store(u32::MAX, Ordering::SeqCst);
        let road = Arc::clone(&shared);
        std::thread::spawn(move || {
            let mut listener = None;
            while !road.over.load(Ordering::SeqCst) {
                if road.gone.load(Ordering::SeqCst) {
                    listener = None;
                } else if listener.is_none() {
                    let bound = TcpListener::bind(("127.0.0.1", port)).unwrap();
                    bound.set_nonblocking(true).unwrap();
                    listener = Some(bound);
                }
                match listener.as_ref().map(TcpListener::accept) {
                    Some(Ok((client, _))) => forward(client, &road),
                    _ => std::thread::sleep(Duration::from_millis(2)),
                }
            }
        });
        Self { port, shared }
    }

    pub fn host(&self) -> String {
        format!("tcp://127.0.0.1:{}", self.port)
    }

    /// Goes away just before so many more changes were asked for.
    pub fn end_before_change(&self, number: u32) {
        self.shared.changes_left.store(number, Ordering::SeqCst);
    }

    pub fn end(&self) {
        self.shared.gone.store(true, Ordering::SeqCst);
    }

    /// Is there again, and waits until it is.
    pub fn begin(&self) {
        self.shared.changes_left.store(u32::MAX, Ordering::SeqCst);
        self.shared.gone.store(false, Ordering::SeqCst);
        let deadline = std::time::Instant::now() + SOON;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(std::time::Instant::now() < deadline, "no forwarder");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
    }
}

fn forward(client: TcpStream, road: &Arc<Road>) {
    let Ok(engine) = UnixStream::connect("/var/run/docker.sock") else { return };
    client.set_nonblocking(false).unwrap();
    let (mut from, mut to) = (client.try_clone().unwrap(), engine.try_clone().unwrap());
    let (asking, ending) = (Arc::clone(road), Arc::clone(road));
    let (mut back, mut answers) = (client.try_clone().unwrap(), engine.try_clone().unwrap());
    std::thread::spawn(move || {
        let mut bytes = [0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            let asked = &bytes[..count];
            let changes = [&b"POST /"[..], b"PUT /", b"DELETE /"];
            if changes.iter().any(|verb| asked.starts_with(verb)) {
                let left = |left: u32| left.checked_sub(1);
                if asking
                    .changes_left
                    .fetch_update(Ordering::SeqCst, Ordering::SeqCst, left)
                    .is_err()
                {
                    asking.gone.store(true, Ordering::SeqCst);
                }
            }
            if asking.gone.load(Ordering::SeqCst) || to.write_all(asked).is_err() {
                break;
            }
        }
        let _ = to.shutdown(std::net::Shutdown::Both);
        let _ = from.shutdown(std::net::Shutdown::Both);
    });
    std::thread::spawn(move || {
        let mut bytes = [0; 16 * 1024];
        while let Ok(count @ 1..) = answers.read(&mut bytes) {
            if ending.gone.load(Ordering::SeqCst) || back.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let _ = back.shutdown(std::net::Shutdown::Both);
        let _ = answers.shutdown(std::net::Shutdown::Both);
    });
    // A connection that carries nothing at the moment ends as well.
    let road = Arc::clone(road);
    std::thread::spawn(move || {
        while !road.gone.load(Ordering::SeqCst) && !road.over.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = client.shutdown(std::net::Shutdown::Both);
        let _ = engine.shutdown(std::net::Shutdown::Both);
    });
}

fn carry(mut from: UnixStream, mut to: UnixStream, frozen: &Arc<AtomicBool>) {
    let frozen = Arc::clone(frozen);
    std::thread::spawn(move || {
        let mut bytes = [0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            while frozen.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(20));
            }
            if to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(std::net::Shutdown::Write);
    });
}
