//! Drills: scripts of commands and expectations that end in a verdict with evidence.
//!
//! A run is recorded as it happens ([`record`]), one JSON object a line. Verdicts are a pure
//! function of that record, the ledger and the streams read at its end, so that they can be
//! computed live, at the end, and later from the files of a bundle alone: by the same code.
//!
//! | file | what is inside |
//! |---|---|
//! | [`script`] | a drill's file: steps, waits, claims, narrative |
//! | [`by_hand`] | a run without a script: its phases |
//! | [`condition`] | what is waited for, over the documented status |
//! | [`library`] | the drills there are |
//! | [`record`] | the record of a run, line by line |
//! | [`chapter`] | which events are worth going to, in a replay and a recording, and in what words |
//! | [`run`] | a record, replayed |
//! | [`replay`] | a past drill, shown again |
//! | [`scripted`] | whether a sabotaged run went as scripted but for its fault |
//! | [`sabotaged`] | what a deliberate fault must come to |
//! | [`told`] | what leaders say of their figures, beside the status |
//! | [`latency`] | the histogram |
//! | [`checks`] | what a run has shown, one file a check |
//! | [`conclusions`] | what each conclusion claims and requires; the verdict |
//! | [`bundle`], [`report`] | the evidence to take away, and the reports in it |

pub mod bundle;
pub mod by_hand;
pub mod chapter;
pub mod checks;
pub mod conclusions;
pub mod condition;
pub mod latency;
pub mod library;
pub mod record;
pub mod replay;
pub mod report;
pub mod run;
pub mod sabotaged;
pub mod script;
pub mod scripted;
pub mod search;
pub mod told;
