//! A raw ZooKeeper client: one session on one connection to one server, and nothing hidden.
//!
//! Not here, on purpose: retries, reconnecting, failing over to another server, resuming a session
//! with its last zxid. Each would turn a server's misdeed into the client's good manners. A new
//! connection is a new session that has seen nothing, so a stale server may serve it, and is caught.

mod client;
mod connection;
mod pipeline;

pub use client::Clients;
pub use connection::Connection;
pub use pipeline::{Answer, Pipeline, Reply};
