//! Standard output, and whether what was printed there got through: a result that a full disk
//! swallowed must not end as if it had been told.

use std::{
    io::{self, ErrorKind, Write},
    sync::{Mutex, OnceLock, PoisonError},
};

use crate::{lang::Lang, room::protocol::Outcome};

/// Why something was not printed; the first time.
static NOT_PRINTED: Mutex<Option<io::Error>> = Mutex::new(None);

/// What the person reads who started this process.
static LANG: OnceLock<Lang> = OnceLock::new();

/// Sets the language of what this process tells a person.
pub fn speak(lang: Lang) {
    // Set once, at the beginning.
    let _ = LANG.set(lang);
}

/// The language of what this process tells a person.
pub fn lang() -> Lang {
    LANG.get().copied().unwrap_or_default()
}

/// A text in the language of who reads it.
pub fn say(english: &str) -> String {
    lang().say(english).into_owned()
}

/// Prints a text for a person, in their language.
pub fn tell(english: &str) {
    print(&say(english));
}

/// Prints a result as it is.
pub fn print(text: &str) {
    judge(writeln!(io::stdout().lock(), "{text}"));
}

/// Looks at how printing went, and keeps what went wrong for the end. A reader that has gone is no
/// error; whether it has is returned, and so is any other.
pub fn judge(printed: io::Result<()>) -> bool {
    match printed.and_then(|()| io::stdout().flush()) {
        Ok(()) => true,
        Err(error) if error.kind() == ErrorKind::BrokenPipe => false,
        Err(error) => {
            let mut kept = NOT_PRINTED.lock().unwrap_or_else(PoisonError::into_inner);
            kept.get_or_insert(error);
            false
        }
    }
}

/// The exit code, once it is known whether the result was seen: what went well and was not told is
/// refused by the environment. A verdict that is none of the good ones keeps its own code.
pub fn seen(code: u8) -> u8 {
    let error = NOT_PRINTED.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(error) = error else { return code };
    let told = "not everything was printed: standard output cannot be written";
    let _ = writeln!(io::stderr().lock(), "zonedrill: {}: {error}", say(told));
    if code == 0 { Outcome::Refused.exit_code() } else { code }
}
