//! Histories, models, and the checkers that give verdicts.
//!
//! history.jsonl → [`history::History`] → [`check_register`] (linearizability, per key) and
//! [`check_order`] (zxids and epochs, from the clients' side) → [`Verdict`], with a
//! [`Counterexample`] where it is invalid. [`check_file`] does this for a file in any known format.
//!
//! Depends on no crate of this workspace, so it cannot share a bug with the node it judges.

#![forbid(unsafe_code)]

pub mod check;
pub mod formats;
pub mod history;
pub mod linear;
pub mod model;
pub mod order;
pub mod register;
pub mod stats;

mod counterexample;
mod error;
mod file;
mod kv;
mod options;
mod partition;
mod verdict;

pub use check::{Checked, KeyResult, Method};
pub use counterexample::{Class, CoreOp, Counterexample};
pub use error::CheckError;
pub use file::{FileReport, check_file};
pub use history::{Call, History, Op, OpType, Outcome, Process};
pub use kv::check_kv;
pub use model::Model;
pub use options::Options;
pub use order::{OrderReport, check_order};
pub use register::check_register;
pub use stats::{Stats, stats};
pub use verdict::Verdict;
