//! A ZooKeeper server in small: the driver around [`zab_core::Server`], that is sockets, disk, timers and
//! signals. What the protocol does is decided in the core, what the bytes mean in [`zab_wire`].
//!
//! [`run`] is the whole of it: read a `zoo.cfg`, listen, recover, and serve until a signal. Inside,
//! [`config`] says what was asked for, the driver's loop carries out the core's effects, each port has
//! a module, and [`zab_storage`] holds what is on disk.

mod client_port;
pub mod config;
mod disk;
mod driver;
mod election_port;
pub mod four_letter;
mod input;
mod link;
pub mod properties;
mod quorum_port;
mod server_line;
#[cfg(test)]
mod testing;
mod tracer;
mod unsupported;

use config::{ConfigError, HostPort, NodeConfig};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::getppid;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::{fmt, io};
use thiserror::Error;
use tracer::{Log, Tracer};
pub use zab_core::Bug;
use zab_wire::ServerId;

/// Exit status after an end that was asked for.
pub const EXIT_OK: u8 = 0;
/// Exit status when the server's own state contradicted itself, or the system refused something.
pub const EXIT_FATAL: u8 = 1;
/// Exit status for a configuration or command line that cannot be used.
pub const EXIT_USAGE: u8 = 2;
/// Exit status when the data directory cannot be read at the start.
pub const EXIT_DATA_DIR: u8 = 3;
/// Exit status when something could not be made durable while serving.
pub const EXIT_DISK: u8 = 10;
/// Exit status when a port is taken.
pub const EXIT_PORT: u8 = 14;

/// How to run a server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeOptions {
    /// The `zoo.cfg`.
    pub config: PathBuf,
    /// Where to append the trace (one JSON object a line); `None` for nowhere.
    pub trace: Option<PathBuf>,
    /// A deliberate fault, to measure the tester.
    pub bug: Option<Bug>,
    /// End when this process, which must be the parent, ends. (Linux counts the end of the *thread* that
    /// spawned us: spawn from one that lives as long as the process.)
    pub die_with_parent: Option<u32>,
}

/// Why a server ended, or never began.
#[derive(Debug, Error)]
pub enum NodeError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A port cannot be listened on.
    #[error("cannot listen on {address} ({key}): {cause}{}", hint(cause))]
    Bind {
        /// Which key of the configuration says so.
        key: String,
        /// Where.
        address: SocketAddr,
        /// Why.
        cause: io::Error,
    },
    /// The own server line names a host that is not known.
    #[error("cannot listen on {address}, the address of server.{me}: its host is not known ({cause})")]
    UnknownHost {
        /// The address.
        address: HostPort,
        /// Whose line it is.
        me: ServerId,
        /// Why.
        cause: io::Error,
    },
    /// What is on disk cannot be used.
    #[error("cannot recover from the data directory: {0}")]
    Storage(#[from] zab_storage::StorageError),
    /// The trace file cannot be written: without it, a report would be wrong and look right.
    #[error("cannot write the trace file: {0}")]
    Trace(io::Error),
    /// The parent to die with is not there.
    #[error("cannot die with process {wanted}: the parent is {found}")]
    Orphan {
        /// The parent it should be.
        wanted: u32,
        /// The parent it is.
        found: i32,
    },
    /// The kernel refused to tie us to the parent.
    #[error("cannot ask for the parent's death: {0}")]
    ParentSignal(nix::Error),
    /// The runtime could not be made.
    #[error("cannot start the runtime: {0}")]
    Runtime(io::Error),
    /// Signal handlers could not be installed.
    #[error("cannot listen for signals: {0}")]
    Signal(io::Error),
    /// The disk thread could not be made.
    #[error("cannot start the disk thread: {0}")]
    Thread(io::Error),
    /// The core found its own state contradictory.
    #[error("cannot go on: {0}")]
    Fatal(String),
}

fn hint(cause: &io::Error) -> impl fmt::Display {
    if cause.kind() == io::ErrorKind::AddrInUse {
        "; stop the other process or choose another port"
    } else {
        ""
    }
}

impl NodeError {
    /// The process's exit status.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) => EXIT_USAGE,
            Self::Bind { .. } | Self::UnknownHost { .. } => EXIT_PORT,
            Self::Storage(_) => EXIT_DATA_DIR,
            Self::Trace(_)
            | Self::Orphan { .. }
            | Self::ParentSignal(_)
            | Self::Runtime(_)
            | Self::Signal(_)
            | Self::Thread(_)
            | Self::Fatal(_) => EXIT_FATAL,
        }
    }
}

/// Runs a server until SIGTERM or SIGINT. A disk error while serving ends the whole process with
/// [`EXIT_DISK`].
///
/// # Errors
/// [`NodeError`] when it cannot start, or cannot go on.
pub fn run(options: NodeOptions) -> Result<(), NodeError> {
    let NodeOptions { config, trace, bug, die_with_parent } = options;
    if let Some(parent) = die_with_parent {
        die_with(parent)?;
    }
    let config = NodeConfig::load(&config)?;
    let log = Log { me: config.me };
    for warning in &config.warnings {
        log.line(format_args!("warning: {warning}"));
    }
    let tracer = Tracer::open(log, trace.as_deref()).map_err(NodeError::Trace)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())
        .map_err(NodeError::Runtime)?;
    runtime.block_on(driver::drive(config, bug, log, tracer))
}

/// Has the kernel kill us when the parent ends.
fn die_with(parent: u32) -> Result<(), NodeError> {
    set_pdeathsig(Signal::SIGKILL).map_err(NodeError::ParentSignal)?;
    // Asked for first and looked at then: a parent that ended before the request is found here, one
    // that ends after it is found by the kernel.
    let found = getppid().as_raw();
    if u32::try_from(found) == Ok(parent) { Ok(()) } else { Err(NodeError::Orphan { wanted: parent, found }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_with_the_true_parent_can_one_die() {
        let parent = u32::try_from(getppid().as_raw()).unwrap();
        let error =
            run(NodeOptions { die_with_parent: Some(parent + 1), ..NodeOptions::default() }).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("cannot die with process {}: the parent is {parent}", parent + 1)
        );
        let error = run(NodeOptions { die_with_parent: Some(parent), ..NodeOptions::default() }).unwrap_err();
        assert_eq!(error.exit_code(), EXIT_USAGE, "the next obstacle is the missing configuration: {error}");
    }
}
