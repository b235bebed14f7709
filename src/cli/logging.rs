//! Where the program's own diagnostics go: a file, never the terminal.

use std::{io::Write, sync::Mutex};

use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

/// Logs into `file` from now on; what is set by `ZONEDRILL_LOG`.
pub fn to_file(file: impl Write + Send + 'static) {
    let asked = std::env::var("ZONEDRILL_LOG").ok().and_then(|text| text.parse().ok());
    let filter: Targets = asked.unwrap_or_else(|| {
        Targets::new().with_default(LevelFilter::INFO).with_target("async_nats", LevelFilter::ERROR)
    });
    let layer = fmt::layer().with_ansi(false).with_writer(Mutex::new(file));
    // Set twice only in tests; the first stays.
    let _ = tracing_subscriber::registry().with(filter).with(layer).try_init();
}
