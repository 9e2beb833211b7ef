//! Transactions: what a leader proposes, every server logs, and every tree applies.
//!
//! Source: ZooKeeper's `TxnHeader`, `SerializeUtils.deserializeTxn` and `org.apache.zookeeper.txn`.
//! A transaction is an idempotent state change: it carries resulting versions, not increments, so
//! that replaying it over a later state is harmless.

use crate::client::Acl;
use crate::ids::{SessionId, Zxid};
use crate::jute::{Reader, Record, WireError, Writer};

/// Who caused a transaction, its place, and the leader's wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TxnHeader {
    /// The session that asked.
    pub session: SessionId,
    /// The client's xid of the request.
    pub cxid: i32,
    /// Place in the order.
    pub zxid: Zxid,
    /// The leader's wall clock in ms; becomes ctime and mtime.
    pub time_ms: i64,
}

/// The state change itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Txn {
    /// -10: a session begins.
    CreateSession {
        /// Negotiated timeout.
        timeout_ms: i32,
    },
    /// -11: a session ends, and with it the ephemerals it owns.
    CloseSession {
        /// The ephemerals to delete.
        paths: Vec<String>,
    },
    /// 1 and 15
    Create {
        /// Full path, sequence number included.
        path: String,
        /// Content; null is kept apart from empty.
        data: Option<Vec<u8>>,
        /// Who may do what.
        acl: Vec<Acl>,
        /// Whether it dies with its session.
        ephemeral: bool,
        /// The parent's stored cversion after this create.
        parent_cversion: i32,
        /// Whether the request was create2 (15), which answers with a Stat.
        with_stat: bool,
    },
    /// 2
    Delete {
        /// What goes.
        path: String,
    },
    /// 5
    SetData {
        /// Which node.
        path: String,
        /// New content.
        data: Option<Vec<u8>>,
        /// The version that results.
        version: i32,
    },
    /// -1: the request failed validation on the leader; it takes a place in the order all the same.
    Error {
        /// ZooKeeper's error code.
        code: i32,
    },
    /// A type this build gives no meaning yet; its bytes are kept so that the log stays whole.
    Other {
        /// ZooKeeper's op code.
        code: i32,
        /// The body, digest included.
        body: Vec<u8>,
    },
}

impl Txn {
    /// ZooKeeper's op code for this transaction.
    #[must_use]
    pub fn code(&self) -> i32 {
        match self {
            Self::CreateSession { .. } => -10,
            Self::CloseSession { .. } => -11,
            Self::Create { with_stat: false, .. } => 1,
            Self::Create { with_stat: true, .. } => 15,
            Self::Delete { .. } => 2,
            Self::SetData { .. } => 5,
            Self::Error { .. } => -1,
            Self::Other { code, .. } => *code,
        }
    }
}

/// Encodes header and body as they stand in PROPOSAL and in the log (without a digest, which is
/// optional when reading).
#[must_use]
pub fn encode(header: &TxnHeader, txn: &Txn) -> Vec<u8> {
    let mut out = Writer::new();
    out.session(header.session);
    out.int(header.cxid);
    out.zxid(header.zxid);
    out.long(header.time_ms);
    out.int(txn.code());
    match txn {
        Txn::CreateSession { timeout_ms } => out.int(*timeout_ms),
        Txn::CloseSession { paths } => out.strings(paths),
        Txn::Create { path, data, acl, ephemeral, parent_cversion, with_stat: _ } => {
            out.string(path);
            out.buffer(data.as_deref());
            out.vector(acl);
            out.boolean(*ephemeral);
            out.int(*parent_cversion);
        }
        Txn::Delete { path } => out.string(path),
        Txn::SetData { path, data, version } => {
            out.string(path);
            out.buffer(data.as_deref());
            out.int(*version);
        }
        Txn::Error { code } => out.int(*code),
        Txn::Other { code: _, body } => out.raw(body),
    }
    out.into_inner()
}

/// Reads a transaction; a trailing digest is ignored.
///
/// # Errors
/// [`WireError`] when the bytes are no transaction.
pub fn decode(bytes: &[u8]) -> Result<(TxnHeader, Txn), WireError> {
    let mut input = Reader::new(bytes);
    let (header, code) = decode_header(&mut input)?;
    let txn = match code {
        -10 => Txn::CreateSession { timeout_ms: input.int()? },
        // Logs of servers before 3.6 have no list of paths.
        -11 if input.is_empty() => Txn::CloseSession { paths: Vec::new() },
        -11 => Txn::CloseSession { paths: input.strings()? },
        1 | 15 => Txn::Create {
            path: input.string()?,
            data: input.owned_buffer()?,
            acl: input.vector()?,
            ephemeral: input.boolean()?,
            parent_cversion: input.int()?,
            with_stat: code == 15,
        },
        2 => Txn::Delete { path: input.string()? },
        5 => Txn::SetData { path: input.string()?, data: input.owned_buffer()?, version: input.int()? },
        -1 => Txn::Error { code: input.int()? },
        code => Txn::Other { code, body: input.rest().to_vec() },
    };
    Ok((header, txn))
}

/// Reads only the header and the op code: enough to place a logged transaction.
///
/// # Errors
/// [`WireError`] when the bytes are no transaction.
pub fn decode_header(input: &mut Reader<'_>) -> Result<(TxnHeader, i32), WireError> {
    let header = TxnHeader {
        session: input.session()?,
        cxid: input.int()?,
        zxid: input.zxid()?,
        time_ms: input.long()?,
    };
    let code = input.int()?;
    Ok((header, code))
}

/// The zxid of an encoded transaction.
///
/// # Errors
/// [`WireError`] when the bytes are no transaction.
pub fn zxid_of(bytes: &[u8]) -> Result<Zxid, WireError> {
    Ok(decode_header(&mut Reader::new(bytes))?.0.zxid)
}

/// The body of REQUEST: a client's write or sync, on its way from a learner to the leader.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ForwardedRequest {
    /// The client's session.
    pub session: SessionId,
    /// The client's xid.
    pub cxid: i32,
    /// ZooKeeper's op code.
    pub op: i32,
    /// The request body as the client sent it.
    pub body: Vec<u8>,
}

impl Record for ForwardedRequest {
    fn encode(&self, out: &mut Writer) {
        out.session(self.session);
        out.int(self.cxid);
        out.int(self.op);
        out.raw(&self.body);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, WireError> {
        let request = Self {
            session: input.session()?,
            cxid: input.int()?,
            op: input.int()?,
            body: input.rest().to_vec(),
        };
        input.take(request.body.len())?;
        Ok(request)
    }
}
