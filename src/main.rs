//! The `zonedrill` program: see [`zonedrill::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    // Panics and errors are told in full; the terminal's own hook comes around this one.
    if color_eyre::install().is_err() {
        return ExitCode::from(3);
    }
    zonedrill::cli::run(std::env::args_os())
}
