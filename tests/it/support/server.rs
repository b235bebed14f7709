//! The nats-server the tests use: named by `ZONEDRILL_NATS_SERVER`, else the pinned one, found or
//! fetched once as a user's first start does.

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
};

use super::turns;
use zonedrill::{
    platform::local::binary::{Wanted, find},
    region::topology::DEFAULT_NATS_VERSION,
    room::home::cache_folder,
};

/// Its path, once this test may have a region.
pub fn nats_server() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    turns::for_a_region();
    FOUND.get_or_init(|| {
        if let Some(path) = std::env::var_os("ZONEDRILL_NATS_SERVER") {
            return PathBuf::from(path);
        }
        let cache = cache_folder().expect("a cache folder");
        let wanted = Wanted { version: DEFAULT_NATS_VERSION, explicit: None, cache: &cache };
        // On a thread of its own: the caller may be inside a runtime already.
        std::thread::scope(|scope| {
            let finding = scope.spawn(|| {
                let runtime =
                    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(find(wanted, &|text| println!("{text}")))
            });
            finding.join().expect("no panic").expect("a nats-server").path
        })
    })
}
