//! The `zonedrill` program: see [`zonedrill::cli`].

use std::{io::Write, panic, process::ExitCode};

use color_eyre::config::HookBuilder;

fn main() -> ExitCode {
    // Panics and errors are told in full; the terminal's own hook comes around this one.
    let (panics, errors) = HookBuilder::default().into_hooks();
    if errors.install().is_err() {
        return ExitCode::from(3);
    }
    // Not by its own hook, which panics itself where nothing can be printed.
    panic::set_hook(Box::new(move |info| {
        let _ = writeln!(std::io::stderr().lock(), "{}", panics.panic_report(info));
    }));
    zonedrill::cli::run(std::env::args_os())
}
