//! ZooKeeper's wire formats as plain data: what the bytes mean, nothing about when they are sent.
//!
//! Everything here is synchronous and owns no socket. The client protocol lives in [`client`], the
//! election port's in [`election`], the quorum port's in [`quorum`], transactions (which are both
//! broadcast and logged) in [`txn`], and the serialised tree (SNAP stream and snapshot file body) in
//! [`snapshot`]. The encoding itself is jute ([`jute`]), ZooKeeper's record format.
#![forbid(unsafe_code)]

pub mod client;
pub mod election;
pub mod ids;
pub mod jute;
pub mod quorum;
pub mod snapshot;
pub mod txn;

pub use ids::{ServerId, SessionId, Zxid};
pub use jute::WireError;
