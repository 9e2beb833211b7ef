//! Why a client has no answer that says *done*. Three kinds, because they mean different things for
//! the history; which outcome follows is decided in [`crate::outcome`] and nowhere else.

use thiserror::Error;
use zab_wire::Zxid;
use zab_wire::client::ErrorCode;

/// An operation's failure, as its client saw it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Error {
    /// Not one byte of the request left this process: it certainly did not happen.
    #[error("no connection: {0}")]
    NotSent(Cause),
    /// The connection broke, or patience ended, after sending began.
    #[error("no answer: {0}")]
    Lost(Cause),
    /// The server answered with an error.
    #[error("the server answered {}", name(*code))]
    Server {
        /// ZooKeeper's number; [`ErrorCode`] names the known ones.
        code: i32,
        /// zxid of the reply.
        zxid: Zxid,
    },
}

impl Error {
    /// The zxid that came with the error, if a reply did.
    #[must_use]
    pub fn zxid(&self) -> Option<Zxid> {
        match self {
            Self::Server { code: _, zxid } => Some(*zxid),
            Self::NotSent(_) | Self::Lost(_) => None,
        }
    }

    /// Whether this is the server's answer `code`.
    #[must_use]
    pub fn is(&self, code: ErrorCode) -> bool {
        match self {
            Self::Server { code: answered, zxid: _ } => *answered == code.code(),
            Self::NotSent(_) | Self::Lost(_) => false,
        }
    }
}

fn name(code: i32) -> String {
    ErrorCode::from_code(code).map_or_else(|| format!("error {code}"), |known| known.name().to_owned())
}

/// What broke a connection, or kept it from being made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Cause {
    /// The operating system's word on it, such as *Connection refused*.
    #[error("{0}")]
    Io(String),
    /// The server closed the connection.
    #[error("the server closed the connection")]
    Closed,
    /// Patience ended.
    #[error("timed out after {0} ms")]
    TimedOut(u128),
    /// The server gave no session.
    #[error("the server refused the session")]
    NoSession,
    /// What came is not ZooKeeper's protocol.
    #[error("the server's answer makes no sense: {0}")]
    Protocol(String),
    /// The connection was broken by an earlier operation.
    #[error("the connection is broken")]
    Broken,
    /// The run ended first.
    #[error("abandoned at the end of the run")]
    Abandoned,
}

impl From<std::io::Error> for Cause {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error.to_string())
    }
}
