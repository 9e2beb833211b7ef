//! The serialised tree: body of a snapshot file and of the SNAP stream (`DataTree.serialize`,
//! `SerializeUtils.serializeSnapshot`), without file header and seals.

use crate::client::Acl;
use crate::ids::{SessionId, Zxid};
use crate::jute::{MAX_BUFFER, Reader, Record, WireError, Writer};

/// aclKey of `world:anyone` with all permissions, which has no entry in the table.
pub const OPEN_ACL_KEY: i64 = -1;

/// The path that ends the list of nodes.
const END_PATH: &str = "/";

/// A node's stored numbers (60 bytes, `StatPersisted`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct StatPersisted {
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
    /// *Creations* of children (clients see creations plus deletions).
    pub cversion: i32,
    /// Changes of the ACL.
    pub aversion: i32,
    /// The session that owns an ephemeral; 0 otherwise.
    pub ephemeral_owner: i64,
    /// Children last changed by this transaction.
    pub pzxid: Zxid,
}

impl Record for StatPersisted {
    fn encode(&self, out: &mut Writer) {
        out.zxid(self.czxid);
        out.zxid(self.mzxid);
        out.long(self.ctime_ms);
        out.long(self.mtime_ms);
        out.int(self.version);
        out.int(self.cversion);
        out.int(self.aversion);
        out.long(self.ephemeral_owner);
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
            pzxid: input.zxid()?,
        })
    }
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NodeRecord {
    /// Full path; the root is "".
    pub path: String,
    /// Content.
    pub data: Option<Vec<u8>>,
    /// Key in the ACL table, or [`OPEN_ACL_KEY`].
    pub acl_key: i64,
    /// Its numbers.
    pub stat: StatPersisted,
}

/// The whole state at one point.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct SnapshotData {
    /// Sessions and their timeouts in ms.
    pub sessions: Vec<(SessionId, i32)>,
    /// The ACL table.
    pub acls: Vec<(i64, Vec<Acl>)>,
    /// Nodes, parents before children, the root first.
    pub nodes: Vec<NodeRecord>,
}

impl Record for SnapshotData {
    fn encode(&self, out: &mut Writer) {
        out.count(self.sessions.len());
        for (session, timeout_ms) in &self.sessions {
            out.session(*session);
            out.int(*timeout_ms);
        }
        out.count(self.acls.len());
        for (key, acl) in &self.acls {
            out.long(*key);
            out.vector(acl);
        }
        for node in &self.nodes {
            out.string(&node.path);
            out.buffer(node.data.as_deref());
            out.long(node.acl_key);
            node.stat.encode(out);
        }
        out.string(END_PATH);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, WireError> {
        let mut data = Self::default();
        for _ in 0..table_count(input)? {
            data.sessions.push((input.session()?, input.int()?));
        }
        for _ in 0..table_count(input)? {
            data.acls.push((input.long()?, input.vector()?));
        }
        loop {
            let path = input.string()?;
            if path == END_PATH {
                return Ok(data);
            }
            data.nodes.push(NodeRecord {
                path,
                data: input.owned_buffer()?,
                acl_key: input.long()?,
                stat: StatPersisted::decode(input)?,
            });
        }
    }
}

/// Sessions and ACLs are counted without the limit that buffers have: their tables may be long.
fn table_count(input: &mut Reader<'_>) -> Result<usize, WireError> {
    let n = input.int()?;
    usize::try_from(n).map_or(Err(WireError::BadLength(n.into())), Ok)
}

/// Finds the end of a serialised tree in bytes that arrive piecemeal.
///
/// Reads each byte once however often it is asked, so a long SNAP stream costs linear time.
#[derive(Debug, Default)]
pub struct SnapshotScanner {
    at: usize,
    stage: Stage,
}

#[derive(Debug, Default, Clone, Copy)]
enum Stage {
    #[default]
    Sessions,
    SessionsLeft(usize),
    AclsLeft(usize),
    Nodes,
    /// The end was found; what follows is not the tree's.
    Done,
}

impl SnapshotScanner {
    /// Goes on scanning `bytes`, which begin where the tree begins. Gives the tree's length once its
    /// end is there, `None` while it is not.
    ///
    /// # Errors
    /// [`WireError`] when the bytes cannot become a tree.
    pub fn scan(&mut self, bytes: &[u8]) -> Result<Option<usize>, WireError> {
        while !matches!(self.stage, Stage::Done) {
            let mut input = Reader::new(bytes.get(self.at..).unwrap_or_default());
            let before = input.rest().len();
            match self.stage.after(&mut input) {
                Err(WireError::Truncated { .. }) => return Ok(None),
                Err(error) => return Err(error),
                Ok(stage) => self.stage = stage,
            }
            self.at += before - input.rest().len();
        }
        // Asked again, it says the same: the SNAP stream's signature may arrive later than the tree.
        Ok(Some(self.at))
    }
}

impl Stage {
    /// Reads one element and tells what comes next.
    fn after(self, input: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(match self {
            Self::Sessions => Self::SessionsLeft(table_count(input)?),
            Self::SessionsLeft(0) => Self::AclsLeft(table_count(input)?),
            Self::SessionsLeft(n) => {
                input.take(8 + 4)?;
                Self::SessionsLeft(n - 1)
            }
            Self::AclsLeft(0) => Self::Nodes,
            Self::AclsLeft(n) => {
                input.long()?;
                let _acl: Vec<Acl> = input.vector()?;
                Self::AclsLeft(n - 1)
            }
            Self::Nodes => {
                if input.buffer()?.ok_or(WireError::Null("a node's path"))? == END_PATH.as_bytes() {
                    return Ok(Self::Done);
                }
                input.buffer()?;
                input.take(8 + 60)?;
                Self::Nodes
            }
            Self::Done => Self::Done,
        })
    }
}

const _: () = assert!(MAX_BUFFER > 1 << 20, "a node's data must fit a buffer");
