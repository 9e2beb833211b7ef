//! Who uses a world, and what they want of it.
//!
//! [`Workers`] carry a workload's operations out, the same that run on real sockets, and write a history;
//! [`Sessions`] pipeline, move, and judge what sessions are promised. What they do and when is said from
//! outside ([`crate::run`]).

mod history;
mod known;
mod sessions;
mod workers;

pub use history::History;
pub use known::{Known, Seen, Tally, path};
pub use sessions::{Deed, Sessions};
pub use workers::{Outcome, Workers};
