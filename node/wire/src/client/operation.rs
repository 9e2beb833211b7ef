//! Bodies of requests and answers, by operation.

use super::{Acl, ErrorCode, OpCode, Stat};
use crate::jute::{Reader, Record, WireError, Writer};

/// A request's body together with its operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// create and create2
    Create {
        /// Where.
        path: String,
        /// Content.
        data: Option<Vec<u8>>,
        /// Who may do what.
        acl: Vec<Acl>,
        /// 0 persistent, 1 ephemeral, 2 and 3 the same sequential, 4 container, 5 and 6 TTL.
        flags: i32,
        /// Whether the answer carries a stat (create2).
        with_stat: bool,
    },
    /// delete
    Delete {
        /// Which node.
        path: String,
        /// Expected version, -1 for any.
        version: i32,
    },
    /// exists
    Exists {
        /// Which node.
        path: String,
        /// Whether to leave a watch.
        watch: bool,
    },
    /// getData
    GetData {
        /// Which node.
        path: String,
        /// Whether to leave a watch.
        watch: bool,
    },
    /// setData
    SetData {
        /// Which node.
        path: String,
        /// Content.
        data: Option<Vec<u8>>,
        /// Expected version, -1 for any.
        version: i32,
    },
    /// getChildren and getChildren2
    GetChildren {
        /// Which node.
        path: String,
        /// Whether to leave a watch.
        watch: bool,
        /// Whether the answer carries a stat (getChildren2).
        with_stat: bool,
    },
    /// sync
    Sync {
        /// Any path; it comes back.
        path: String,
    },
    /// ping
    Ping,
    /// closeSession
    CloseSession,
    /// createSession: only between servers.
    CreateSession {
        /// Negotiated timeout.
        timeout_ms: i32,
    },
    /// An operation that this build does not serve.
    Other {
        /// ZooKeeper's op code.
        op: i32,
    },
}

impl Request {
    /// The operation's number.
    #[must_use]
    pub fn op(&self) -> i32 {
        match self {
            Self::Create { with_stat: false, .. } => OpCode::Create.code(),
            Self::Create { with_stat: true, .. } => OpCode::Create2.code(),
            Self::Delete { .. } => OpCode::Delete.code(),
            Self::Exists { .. } => OpCode::Exists.code(),
            Self::GetData { .. } => OpCode::GetData.code(),
            Self::SetData { .. } => OpCode::SetData.code(),
            Self::GetChildren { with_stat: false, .. } => OpCode::GetChildren.code(),
            Self::GetChildren { with_stat: true, .. } => OpCode::GetChildren2.code(),
            Self::Sync { .. } => OpCode::Sync.code(),
            Self::Ping => OpCode::Ping.code(),
            Self::CloseSession => OpCode::CloseSession.code(),
            Self::CreateSession { .. } => OpCode::CreateSession.code(),
            Self::Other { op } => *op,
        }
    }

    /// Appends the body (not the header).
    pub fn encode_body(&self, out: &mut Writer) {
        match self {
            Self::Create { path, data, acl, flags, with_stat: _ } => {
                out.string(path);
                out.buffer(data.as_deref());
                out.vector(acl);
                out.int(*flags);
            }
            Self::Delete { path, version } => {
                out.string(path);
                out.int(*version);
            }
            Self::Exists { path, watch }
            | Self::GetData { path, watch }
            | Self::GetChildren { path, watch, with_stat: _ } => {
                out.string(path);
                out.boolean(*watch);
            }
            Self::SetData { path, data, version } => {
                out.string(path);
                out.buffer(data.as_deref());
                out.int(*version);
            }
            Self::Sync { path } => out.string(path),
            Self::CreateSession { timeout_ms } => out.int(*timeout_ms),
            Self::Ping | Self::CloseSession | Self::Other { .. } => {}
        }
    }

    /// Reads the body of operation `op`.
    ///
    /// # Errors
    /// [`WireError`] when the body is not of that operation's form.
    pub fn decode(op: i32, body: &[u8]) -> Result<Self, WireError> {
        let mut input = Reader::new(body);
        let Some(code) = OpCode::from_code(op) else { return Ok(Self::Other { op }) };
        Ok(match code {
            OpCode::Create | OpCode::Create2 => Self::Create {
                path: input.string()?,
                data: input.owned_buffer()?,
                acl: input.vector()?,
                flags: input.int()?,
                with_stat: code == OpCode::Create2,
            },
            OpCode::Delete => Self::Delete { path: input.string()?, version: input.int()? },
            OpCode::Exists => Self::Exists { path: input.string()?, watch: input.boolean()? },
            OpCode::GetData => Self::GetData { path: input.string()?, watch: input.boolean()? },
            OpCode::SetData => {
                Self::SetData { path: input.string()?, data: input.owned_buffer()?, version: input.int()? }
            }
            OpCode::GetChildren | OpCode::GetChildren2 => Self::GetChildren {
                path: input.string()?,
                watch: input.boolean()?,
                with_stat: code == OpCode::GetChildren2,
            },
            OpCode::Sync => Self::Sync { path: input.string()? },
            OpCode::Ping => Self::Ping,
            OpCode::CloseSession => Self::CloseSession,
            OpCode::CreateSession => Self::CreateSession { timeout_ms: input.int()? },
            OpCode::GetAcl
            | OpCode::SetAcl
            | OpCode::Check
            | OpCode::Multi
            | OpCode::Reconfig
            | OpCode::CheckWatches
            | OpCode::RemoveWatches
            | OpCode::CreateContainer
            | OpCode::DeleteContainer
            | OpCode::CreateTtl
            | OpCode::MultiRead
            | OpCode::Auth
            | OpCode::SetWatches
            | OpCode::Sasl
            | OpCode::GetEphemerals
            | OpCode::GetAllChildrenNumber
            | OpCode::SetWatches2
            | OpCode::AddWatch
            | OpCode::WhoAmI
            | OpCode::Error => Self::Other { op },
        })
    }
}

/// A successful answer's body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// create, sync: a path.
    Path(String),
    /// create2: path and stat.
    PathStat(String, Stat),
    /// exists, setData: a stat.
    Stat(Stat),
    /// getData: content and stat.
    Data(Option<Vec<u8>>, Stat),
    /// getChildren: names without their parent's path.
    Children(Vec<String>),
    /// getChildren2: the same and the parent's stat.
    ChildrenStat(Vec<String>, Stat),
    /// ping, delete, closeSession: nothing.
    Empty,
}

impl Response {
    /// Appends the body (not the header).
    pub fn encode_body(&self, out: &mut Writer) {
        match self {
            Self::Path(path) => out.string(path),
            Self::PathStat(path, stat) => {
                out.string(path);
                stat.encode(out);
            }
            Self::Stat(stat) => stat.encode(out),
            Self::Data(data, stat) => {
                out.buffer(data.as_deref());
                stat.encode(out);
            }
            Self::Children(names) => out.strings(names),
            Self::ChildrenStat(names, stat) => {
                out.strings(names);
                stat.encode(out);
            }
            Self::Empty => {}
        }
    }

    /// Reads the body that answers `request`.
    ///
    /// # Errors
    /// [`WireError`] when the body is not of that operation's form.
    pub fn decode(request: &Request, body: &[u8]) -> Result<Self, WireError> {
        let mut input = Reader::new(body);
        Ok(match request {
            Request::Create { with_stat: false, .. } | Request::Sync { .. } => Self::Path(input.string()?),
            Request::Create { with_stat: true, .. } => {
                Self::PathStat(input.string()?, Stat::decode(&mut input)?)
            }
            Request::Exists { .. } | Request::SetData { .. } => Self::Stat(Stat::decode(&mut input)?),
            Request::GetData { .. } => Self::Data(input.owned_buffer()?, Stat::decode(&mut input)?),
            Request::GetChildren { with_stat: false, .. } => Self::Children(input.strings()?),
            Request::GetChildren { with_stat: true, .. } => {
                Self::ChildrenStat(input.strings()?, Stat::decode(&mut input)?)
            }
            Request::Delete { .. }
            | Request::Ping
            | Request::CloseSession
            | Request::CreateSession { .. }
            | Request::Other { .. } => Self::Empty,
        })
    }
}

/// What becomes of a request: a body, or an error code without one.
pub type Outcome = Result<Response, ErrorCode>;
