//! What a run found, for people and for programs: one stream of events, one value at the end.
//!
//! [`RunEvent`]s feed a [`Reporter`], which writes facts to stdout and progress to stderr.
//! [`results::build`] puts the [`Results`] together: they are `results.json`, and what the tables show.
//! Nothing here judges, and nothing here writes files (that is the store).

mod events;
mod exact;
pub(crate) mod format;
mod latency;
pub(crate) mod results;
mod tables;
mod terminal;
mod text;

pub(crate) use events::{RunEvent, Stage, Status};
pub(crate) use results::{NamedVerdict, Results, Simulated};
pub(crate) use terminal::{Output, Reporter};
pub(crate) use text::report;
