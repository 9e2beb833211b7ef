//! ZooKeeper's atomic broadcast (ZAB) as a pure state machine.
//!
//! No async, no socket, no file, no clock, no thread, no randomness, no hash order: what a server does
//! is a function of its state and the next [`Event`], and everything it wants done is an [`Effect`].
//! See [`event`] for the contract, and the module of each phase for the protocol.
#![forbid(unsafe_code)]

pub mod bug;
mod clients;
pub mod config;
mod election;
pub mod event;
mod leader;
mod learner;
mod log;
mod out;
mod prepare;
mod server;
mod state;
pub mod trace;
mod tree;
mod vote;

pub use bug::Bug;
pub use config::{Config, Ensemble, Timing};
pub use event::{ClientId, ConnId, Effect, Event, LogEntry, Now, Recovered, Snapshot, SyncToken};
pub use server::{Server, Status};
pub use trace::{SyncMode, SyncReason, Trace, TraceValue};
