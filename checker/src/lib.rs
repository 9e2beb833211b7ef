//! Histories, models, and the checkers that give verdicts.
//!
//! A file of any tool → [`formats`] → [`History`] (columns) → [`Model::check`]: per key a problem, decided by a
//! near-linear [monitor](monitors) where there is one, else by the general [engine](engine) → [`Verdict`], with an order
//! that was verified where it is valid, with a [`Counterexample`] where it is not, and with a [certificate] for either.
//! [`check_file`] does this from a path.
//!
//! Beside that: [`stamps`] (the server's own order as a certificate, and weaker promises), [`check_order`] (zxids and
//! epochs, from the clients' side), [`online`] (the same checks while the history is being written).
//!
//! Depends on no crate of this workspace, so it cannot share a bug with the node it judges.

#![forbid(unsafe_code)]

pub mod blocks;
pub mod certificate;
pub mod check;
pub mod engine;
pub mod formats;
pub mod history;
pub mod model;
pub mod monitors;
pub mod online;
pub mod order;
pub mod stamps;
pub mod stats;
pub mod transactions;

mod class;
mod counterexample;
mod decision;
mod error;
mod explain;
mod faults;
mod file;
mod hash;
mod kind;
mod objects;
mod options;
mod partition;
mod problem;
mod promise;
mod verdict;

pub use check::{Checked, KeyResult, Method};
pub use class::Class;
pub use counterexample::{CoreOp, Counterexample};
pub use decision::{Conflict, Decision, Piece};
pub use error::CheckError;
pub use file::{FileReport, check_file, check_loaded};
pub use history::{Call, History, Op, OpType, Outcome, Process};
pub use kind::Model;
pub use objects::counter::check_counter;
pub use objects::kv::check_kv;
pub use objects::list::check_list;
pub use objects::lock::check_lock;
pub use objects::queue::check_queue;
pub use objects::register::check_register;
pub use objects::set::{check_elements, check_set};
pub use options::{Methods, Options};
pub use order::{OrderReport, check_order, check_real_time, check_stamps};
pub use problem::{LinOp, NEVER, Position};
pub use promise::{Promise, PromiseReport, check_promise};
pub use stats::{Stats, stats};
pub use verdict::Verdict;
