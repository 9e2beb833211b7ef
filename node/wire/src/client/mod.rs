//! The client port: connecting, headers, and the requests and answers that follow.
//!
//! Each message is framed by an `int` length, which the transport adds and removes; nothing here
//! contains it. Operations this build does not serve decode as [`Request::Other`], so that the
//! server can answer *Unimplemented* and go on.

mod code;
mod operation;

pub use code::{ErrorCode, OpCode};
pub use operation::{Outcome, Request, Response};

use crate::ids::{SessionId, Zxid};
use crate::jute::{Reader, Record, WireError, Writer};

/// The largest frame a client may send (`jute.maxbuffer`'s default).
pub const MAX_FRAME: usize = 0xf_ffff;

/// xid of notifications (watch events).
pub const XID_NOTIFICATION: i32 = -1;
/// xid of pings.
pub const XID_PING: i32 = -2;
/// xid of auth packets.
pub const XID_AUTH: i32 = -4;
/// xid of setWatches.
pub const XID_SET_WATCHES: i32 = -8;

/// The first frame of a client.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ConnectRequest {
    /// The newest zxid the client has seen; a server behind it must not serve this client.
    pub last_zxid_seen: Zxid,
    /// Wanted session timeout.
    pub timeout_ms: i32,
    /// 0 for a new session.
    pub session: SessionId,
    /// 16 bytes; all zero for a new session.
    pub password: Vec<u8>,
    /// Whether a read-only server will do; `None` when an old client left the field out.
    pub read_only: Option<bool>,
}

impl Record for ConnectRequest {
    fn encode(&self, out: &mut Writer) {
        out.int(0);
        out.zxid(self.last_zxid_seen);
        out.int(self.timeout_ms);
        out.session(self.session);
        out.buffer(Some(&self.password));
        if let Some(read_only) = self.read_only {
            out.boolean(read_only);
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, WireError> {
        let _protocol_version = input.int()?;
        Ok(Self {
            last_zxid_seen: input.zxid()?,
            timeout_ms: input.int()?,
            session: input.session()?,
            password: input.owned_buffer()?.unwrap_or_default(),
            read_only: if input.is_empty() { None } else { Some(input.boolean()?) },
        })
    }
}

/// The server's answer to [`ConnectRequest`]; session 0 means *expired*.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectResponse {
    /// Negotiated session timeout; 0 when the session is expired.
    pub timeout_ms: i32,
    /// The session.
    pub session: SessionId,
    /// 16 bytes with which the session can be resumed elsewhere.
    pub password: Vec<u8>,
    /// Whether the server is read-only; `None` leaves the field out, for clients that did.
    pub read_only: Option<bool>,
}

impl Record for ConnectResponse {
    fn encode(&self, out: &mut Writer) {
        out.int(0);
        out.int(self.timeout_ms);
        out.session(self.session);
        out.buffer(Some(&self.password));
        if let Some(read_only) = self.read_only {
            out.boolean(read_only);
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, WireError> {
        let _protocol_version = input.int()?;
        Ok(Self {
            timeout_ms: input.int()?,
            session: input.session()?,
            password: input.owned_buffer()?.unwrap_or_default(),
            read_only: if input.is_empty() { None } else { Some(input.boolean()?) },
        })
    }
}

/// Before every request but the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestHeader {
    /// The client's number for this request.
    pub xid: i32,
    /// The operation, as the client wrote it ([`OpCode`] names the known ones).
    pub op: i32,
}

impl Record for RequestHeader {
    fn encode(&self, out: &mut Writer) {
        out.int(self.xid);
        out.int(self.op);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self { xid: input.int()?, op: input.int()? })
    }
}

/// Before every answer but the first. No body follows an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplyHeader {
    /// The request's xid.
    pub xid: i32,
    /// The last transaction this server had applied when it answered.
    pub zxid: Zxid,
    /// 0, or an [`ErrorCode`].
    pub error: i32,
}

impl Record for ReplyHeader {
    fn encode(&self, out: &mut Writer) {
        out.int(self.xid);
        out.zxid(self.zxid);
        out.int(self.error);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self { xid: input.int()?, zxid: input.zxid()?, error: input.int()? })
    }
}

/// One entry of an access control list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Acl {
    /// READ 1, WRITE 2, CREATE 4, DELETE 8, ADMIN 16.
    pub permissions: i32,
    /// `world`, `ip`, `digest`, `auth`, `sasl`
    pub scheme: String,
    /// Who, in the scheme's own form.
    pub id: String,
}

impl Acl {
    /// `world:anyone` with all permissions.
    #[must_use]
    pub fn open() -> Vec<Self> {
        vec![Self { permissions: 31, scheme: "world".to_owned(), id: "anyone".to_owned() }]
    }
}

impl Record for Acl {
    fn encode(&self, out: &mut Writer) {
        out.int(self.permissions);
        out.string(&self.scheme);
        out.string(&self.id);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self { permissions: input.int()?, scheme: input.string()?, id: input.string()? })
    }
}

/// A node's numbers as clients see them (68 bytes).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Stat {
    /// Created by this transaction.
    pub czxid: Zxid,
    /// Data last changed by this transaction.
    pub mzxid: Zxid,
    /// Leader's wall clock at creation, ms.
    pub ctime_ms: i64,
    /// Leader's wall clock at the last change of data, ms.
    pub mtime_ms: i64,
    /// Changes of data.
    pub version: i32,
    /// Changes of children, creations and deletions.
    pub cversion: i32,
    /// Changes of the ACL.
    pub aversion: i32,
    /// The session that owns an ephemeral; 0 otherwise.
    pub ephemeral_owner: i64,
    /// Bytes of data.
    pub data_length: i32,
    /// Children now.
    pub num_children: i32,
    /// Children last changed by this transaction.
    pub pzxid: Zxid,
}

impl Record for Stat {
    fn encode(&self, out: &mut Writer) {
        out.zxid(self.czxid);
        out.zxid(self.mzxid);
        out.long(self.ctime_ms);
        out.long(self.mtime_ms);
        out.int(self.version);
        out.int(self.cversion);
        out.int(self.aversion);
        out.long(self.ephemeral_owner);
        out.int(self.data_length);
        out.int(self.num_children);
        out.zxid(self.pzxid);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            czxid: input.zxid()?,
            mzxid: input.zxid()?,
            ctime_ms: input.long()?,
            mtime_ms: input.long()?,
            version: input.int()?,
            cversion: input.int()?,
            aversion: input.int()?,
            ephemeral_owner: input.long()?,
            data_length: input.int()?,
            num_children: input.int()?,
            pzxid: input.zxid()?,
        })
    }
}

/// The password of a session: 16 bytes that any server of the ensemble can recompute.
///
/// `java.util.Random(session ^ 0xB3415C00).nextBytes(16)`, bit for bit as `SessionTrackerImpl` and
/// `ZooKeeperServer.generatePasswd` make it, so that sessions can move between servers.
#[must_use]
pub fn session_password(session: SessionId) -> Vec<u8> {
    const MULTIPLIER: u64 = 0x5_DEEC_E66D;
    const MASK: u64 = (1 << 48) - 1;
    let mut state = (session.0.cast_unsigned() ^ 0xB341_5C00 ^ MULTIPLIER) & MASK;
    let mut password = Vec::with_capacity(16);
    for _ in 0..4 {
        state = (state.wrapping_mul(MULTIPLIER).wrapping_add(0xB)) & MASK;
        password.extend_from_slice(&((state >> 16) & 0xffff_ffff).to_le_bytes()[..4]);
    }
    password
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_those_that_java_makes() {
        for (session, password) in [
            (0x0100_0025_4eda_0000, "f40db817715a6cb7f2d39078a2f2cf48"),
            (0x0400_0025_4f7f_0000, "b3890769c4a48575490ba0a0adac3679"),
            (0x0300_0025_4f10_0000, "c2a2981f27caa4a970e8bd1e48e092b2"),
            (1, "054cc74a37327db215e702e20c73f005"),
        ] {
            let hex: String =
                session_password(SessionId(session)).iter().map(|b| format!("{b:02x}")).collect();
            assert_eq!(hex, password, "session {session:#x}");
        }
    }
}
