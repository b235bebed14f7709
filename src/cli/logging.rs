//! Where the program's own diagnostics go: a file, never the terminal.

use std::{fs::File, sync::Arc};

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// What is logged unless `ZONEDRILL_LOG` says otherwise.
const DEFAULT_FILTER: &str = "info,async_nats=error";

/// Logs into `file` from now on.
pub fn to_file(file: File) {
    let filter =
        EnvFilter::try_from_env("ZONEDRILL_LOG").unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let layer = fmt::layer().with_ansi(false).with_writer(Arc::new(file));
    // Set twice only in tests; the first stays.
    let _ = tracing_subscriber::registry().with(filter).with(layer).try_init();
}
