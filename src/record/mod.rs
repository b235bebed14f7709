//! Recording: what a screen draws, as an asciicast with the drill's own chapters.
//!
//! | file | inside |
//! |---|---|
//! | [`cast`] | the format, version 2 and 3 (pure) |
//! | [`shot`] | one picture, as text or SVG (pure) |
//! | [`tap`] | the file, written as it happens, under a screen that may begin and end it |
//!
//! Nothing of the environment goes into a file but a terminal's type, and no key that was pressed:
//! only what was on the screen.

pub mod cast;
pub mod shot;
pub mod tap;

pub use tap::{BrokenOff, RecordError, Recorded, Tap, check};
