//! The history: what clients invoked and how each invocation completed.
//!
//! [`Op`] is one line of `history.jsonl`. A [`History`] is a whole run in columns, its lines paired into calls: every
//! reader of a format fills one through a [`Builder`], every check reads it, every writer writes it back. It loses
//! nothing of what the lines said. Nothing here knows a model, and nothing here decides whether an outcome is
//! definite: the client did that.

#[cfg(test)]
pub(crate) mod arbitrary;
mod build;
mod lines;
pub(crate) mod odd;
mod op;
mod scan;
pub(crate) mod table;
pub(crate) mod values;

pub use build::{Builder, Line, PairRules};
pub use lines::Reader;
pub use op::{Op, OpType, Process};
pub use table::{Call, Event, History, Outcome, Stamps};
pub use values::{Names, Shape, Val, Values};
