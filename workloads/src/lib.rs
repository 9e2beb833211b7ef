//! Workloads: what clients do to the system under test, and what the system promises them.
//!
//! A workload is three things: a [`Generator`] that says what to do next, [`Operations`] that say which
//! requests that takes and what the answers come to, and a [`Promise`] that a checker can hold the
//! history against. Each workload is one file ([`register`]); [`by_name`] finds it. A [`Client`] carries
//! operations out over a real connection; generator and operations alone need no socket, clock or
//! runtime, so a simulator can carry the same ones out. Time, process ids, reconnecting and the history
//! belong to the interpreter in the control binary, and nothing here retries anything.
//!
//! To add a workload: write its file, add it to [`NAMES`] and [`by_name`].
#![forbid(unsafe_code)]

pub mod error;
pub mod exchange;
pub mod keys;
pub mod op;
pub mod outcome;
pub mod register;
pub mod zookeeper;

pub use error::Error;
pub use exchange::{Exchange, Operations, Step};
pub use op::{Completion, Effect, Invocation, Status};

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// A future behind a pointer, so that workloads can be chosen by name.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The workloads that [`by_name`] knows.
pub const NAMES: &[&str] = &[register::NAME];

/// What a workload is told about the run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Everything random about the generator derives from it.
    pub seed: u64,
    /// Keys in use at a time, at least 1.
    pub keys: u16,
    /// Mean of the random number of operations after which a key is retired, at least 1.
    pub ops_per_key: u32,
}

/// How long a client waits.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// From starting to connect to holding a session.
    pub connect: Duration,
    /// From sending an operation's first byte to its last answer.
    pub operation: Duration,
    /// The session timeout to ask for; the server clamps it.
    pub session: Duration,
}

/// A workload, ready to run.
pub struct Workload {
    /// Its name, as on the command line.
    pub name: &'static str,
    /// What the system under test must keep.
    pub promise: Promise,
    /// What to do.
    pub generator: Box<dyn Generator>,
    /// How it is done, for whoever carries it out without real sockets.
    pub operations: Arc<dyn Operations>,
    /// Makes clients that do it that way over real sockets.
    pub connector: Arc<dyn Connector>,
}

/// What a history of a workload is to be held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promise {
    /// Every key is a linearizable register with read, write and cas, initially null.
    LinearizableRegister,
}

impl Promise {
    /// The promise in a sentence, for the report.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::LinearizableRegister => {
                "every key is a linearizable register (reads are sync + getData, cas is a versioned setData)"
            }
        }
    }
}

/// What the generator wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// An operation of the history.
    Invoke(Invocation),
    /// Something that must be in place before operations on it begin; not part of the history. It is
    /// safe to do twice, and asked for again when it fails.
    Prepare(Arc<str>),
    /// Nothing before a preparation under way has ended.
    Wait,
}

/// Decides what clients do. Deterministic: the same calls in the same order give the same answers.
pub trait Generator: Send {
    /// What a free client is to do now.
    fn next(&mut self) -> Next;

    /// A preparation ended; when it failed it will be asked for again.
    fn prepared(&mut self, key: &Arc<str>, done: bool);

    /// An operation that [`Generator::next`] gave has ended.
    fn completed(&mut self, invocation: &Invocation, status: Status);

    /// A fault began or ended: what is in use now is of interest later.
    fn disturbed(&mut self);

    /// What each node is to be asked when all is healed, most interesting first.
    fn final_reads(&mut self) -> Vec<Invocation>;
}

/// Opens clients.
pub trait Connector: Send + Sync {
    /// Connects to one node, and to no other. An error is always [`Error::NotSent`].
    fn connect(
        &self,
        address: SocketAddr,
        timeouts: Timeouts,
    ) -> BoxFuture<'_, Result<Box<dyn Client>, Error>>;
}

/// A connected client. It carries out one thing at a time, and never reconnects: once broken it stays
/// broken and answers [`Error::NotSent`].
pub trait Client: Send {
    /// Carries out an operation, within the operation timeout.
    fn invoke<'a>(&'a mut self, invocation: &'a Invocation) -> BoxFuture<'a, Completion>;

    /// Carries out a preparation.
    fn prepare<'a>(&'a mut self, key: &'a str) -> BoxFuture<'a, Result<(), Error>>;

    /// Keeps the session alive while there is nothing to do; ends when the connection is found broken.
    /// May be dropped at any time, to go on with something else.
    fn idle(&mut self) -> BoxFuture<'_, Error>;

    /// Whether the connection is of no more use.
    fn is_broken(&self) -> bool;

    /// Ends the session politely, as far as that goes within half a second.
    fn close(self: Box<Self>) -> BoxFuture<'static, ()>;
}

/// The workload of that name, one of [`NAMES`].
#[must_use]
pub fn by_name(name: &str, settings: &Settings) -> Option<Workload> {
    (name == register::NAME).then(|| register::workload(settings))
}
