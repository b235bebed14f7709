//! Turns: how many tests may have a region or compute at the same time, and a watchdog that names a
//! hung one. More tests begin than may go on (see `.cargo/config.toml`), and wait here.
//! A test keeps its turn until its thread ends.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    io::Write,
    sync::{Condvar, Mutex, MutexGuard, Once, PoisonError},
    time::{Duration, Instant},
};

/// How long a test may run, in seconds, before the watchdog names it, and before it ends them all.
/// `ZONEDRILL_TEST_LIMIT` sets the latter.
const NAMED_AFTER: u64 = 180;
const ENDED_AFTER: u64 = 900;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// Has no servers, and computes or draws.
    Any,
    /// Has servers on this machine.
    Region,
    /// Uses the Docker engine.
    Docker,
}

struct State {
    free_others: usize,
    free_regions: usize,
    docker_free: bool,
    /// Since when a test runs, by its name.
    running: BTreeMap<String, Instant>,
}

static STATE: Mutex<Option<State>> = Mutex::new(None);
static CHANGED: Condvar = Condvar::new();

/// What the thread of a test holds.
struct Turn {
    test: String,
    kinds: Vec<Kind>,
}

thread_local! {
    static TURN: RefCell<Option<Turn>> = const { RefCell::new(None) };
}

/// Waits until this test may compute, and lets the watchdog know of it.
pub fn watched() {
    take(Kind::Any);
}

/// Waits until this test may have a region. Any number of regions counts once.
pub fn for_a_region() {
    take(Kind::Region);
}

/// Waits until this test may use the Docker engine. To be called before [`for_a_region`], so that
/// no two tests wait for each other.
pub fn for_docker() {
    take(Kind::Docker);
}

fn lock() -> MutexGuard<'static, Option<State>> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn state(guard: &mut Option<State>) -> &mut State {
    guard.get_or_insert_with(|| {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        State {
            free_others: 1,
            free_regions: cores.max(3),
            docker_free: true,
            running: BTreeMap::new(),
        }
    })
}

fn take(kind: Kind) {
    static WATCHDOG: Once = Once::new();
    WATCHDOG.call_once(|| {
        std::thread::spawn(watch);
    });
    // The threads of tests are named after them; a test's helper threads share its turn.
    let thread = std::thread::current();
    let Some(test) = thread.name().filter(|name| name.contains("::")) else { return };
    TURN.with_borrow_mut(|turn| {
        let turn = turn.get_or_insert_with(|| Turn { test: test.to_owned(), kinds: Vec::new() });
        // Who has a region already waits for nothing less: no two tests wait for each other.
        if turn.kinds.contains(&kind) || kind == Kind::Any && !turn.kinds.is_empty() {
            return;
        }
        let mut guard = lock();
        // The wait for a turn is not the test's time.
        state(&mut guard).running.remove(test);
        loop {
            let state = state(&mut guard);
            let free = match kind {
                Kind::Any => state.free_others > 0,
                Kind::Region => state.free_regions > 0,
                Kind::Docker => state.docker_free,
            };
            if free {
                state.free_others -= usize::from(kind == Kind::Any);
                state.free_regions -= usize::from(kind == Kind::Region);
                state.docker_free &= kind != Kind::Docker;
                state.running.insert(test.to_owned(), Instant::now());
                break;
            }
            guard = CHANGED.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        turn.kinds.push(kind);
    });
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut guard = lock();
        let state = state(&mut guard);
        state.free_others += usize::from(self.kinds.contains(&Kind::Any));
        state.free_regions += usize::from(self.kinds.contains(&Kind::Region));
        state.docker_free |= self.kinds.contains(&Kind::Docker);
        let began = state.running.remove(&self.test);
        CHANGED.notify_all();
        if let Some(began) = began.filter(|_| std::env::var_os("ZONEDRILL_TEST_TIMES").is_some()) {
            tell(&format!("{:7.1} s {}", began.elapsed().as_secs_f32(), self.test));
        }
    }
}

/// Writes a line where a passing test's output is not swallowed.
pub fn tell(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// The tests that run for at least this long, with the seconds.
fn running_for(seconds: u64) -> Vec<String> {
    let mut guard = lock();
    let running = state(&mut guard).running.iter();
    running
        .map(|(test, began)| (began.elapsed().as_secs(), test))
        .filter(|(for_seconds, _)| *for_seconds >= seconds)
        .map(|(for_seconds, test)| format!("{test} ({for_seconds} s)"))
        .collect()
}

fn watch() {
    let limit = std::env::var("ZONEDRILL_TEST_LIMIT").ok().and_then(|text| text.parse().ok());
    let limit = limit.unwrap_or(ENDED_AFTER);
    loop {
        std::thread::sleep(Duration::from_secs(limit.min(30)));
        let hung = running_for(limit);
        if !hung.is_empty() {
            tell(&format!("watchdog: ends this program, hung: {}", hung.join(", ")));
            super::region::end_everything();
            std::process::abort();
        }
        let slow = running_for(NAMED_AFTER);
        if !slow.is_empty() {
            tell(&format!("watchdog: still running: {}", slow.join(", ")));
        }
    }
}
