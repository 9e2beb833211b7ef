//! The replicated state: znodes and sessions (ZooKeeper's `DataTree`).
//!
//! Transactions change it, reads look at it, a snapshot carries it. Applying is total and idempotent:
//! validation happened on the leader ([`crate::prepare`]), and a transaction may be replayed over a
//! later state.

mod acl;
mod digest;
mod path;
mod snapshot;

pub(crate) use path::{parent, validate};

use acl::AclTable;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use zab_wire::client::{ErrorCode, Outcome, Response, Stat};
use zab_wire::snapshot::StatPersisted;
use zab_wire::txn::{Txn, TxnHeader};
use zab_wire::{SessionId, Zxid};

/// One znode.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Node {
    data: Option<Vec<u8>>,
    acl_key: i64,
    stat: StatPersisted,
    /// Names, without the path.
    children: BTreeSet<String>,
}

impl Node {
    fn wire_stat(&self) -> Stat {
        let children = i32::try_from(self.children.len()).unwrap_or(i32::MAX);
        let stored = &self.stat;
        Stat {
            czxid: stored.czxid,
            mzxid: stored.mzxid,
            ctime_ms: stored.ctime_ms,
            mtime_ms: stored.mtime_ms,
            version: stored.version,
            // Creations are stored; clients see creations plus deletions.
            cversion: stored.cversion.wrapping_mul(2).wrapping_sub(children),
            aversion: stored.aversion,
            ephemeral_owner: stored.ephemeral_owner,
            data_length: i32::try_from(self.data.as_ref().map_or(0, Vec::len)).unwrap_or(i32::MAX),
            num_children: children,
            pzxid: stored.pzxid,
        }
    }
}

/// A transaction that was just applied, and its answer.
pub(crate) struct Applied {
    pub(crate) header: TxnHeader,
    pub(crate) txn: Txn,
    /// Both as they are in the log.
    pub(crate) bytes: Bytes,
    pub(crate) outcome: Outcome,
}

/// What a leader must know of a node to validate a write to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct NodeFacts {
    /// Data version.
    pub(crate) version: i32,
    /// Stored cversion: creations of children.
    pub(crate) cversion: i32,
    /// Children now.
    pub(crate) children: usize,
    /// Whether it belongs to a session.
    pub(crate) ephemeral: bool,
}

/// Znodes and sessions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Tree {
    nodes: BTreeMap<String, Node>,
    sessions: BTreeMap<SessionId, i32>,
    acls: AclTable,
    data_size: usize,
    /// See [`digest`].
    digest: u64,
}

impl Default for Tree {
    /// The tree of a server that never saw a transaction: the root and ZooKeeper's own nodes.
    fn default() -> Self {
        let mut tree = Self {
            nodes: BTreeMap::new(),
            sessions: BTreeMap::new(),
            acls: AclTable::default(),
            data_size: 0,
            digest: 0,
        };
        for path in ["/", "/zookeeper", "/zookeeper/config", "/zookeeper/quota"] {
            tree.insert(
                path.to_owned(),
                Some(Vec::new()),
                zab_wire::snapshot::OPEN_ACL_KEY,
                StatPersisted::default(),
            );
        }
        tree
    }
}

impl Tree {
    /// How many nodes there are.
    pub(crate) fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// Bytes of paths and data.
    pub(crate) fn data_size(&self) -> usize {
        self.data_size
    }

    /// A number that stands for all nodes and sessions.
    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }

    /// The sessions that live, with their timeouts in ms.
    pub(crate) fn sessions(&self) -> &BTreeMap<SessionId, i32> {
        &self.sessions
    }

    /// What validation needs to know of a node.
    pub(crate) fn facts(&self, path: &str) -> Option<NodeFacts> {
        self.nodes.get(path).map(|node| NodeFacts {
            version: node.stat.version,
            cversion: node.stat.cversion,
            children: node.children.len(),
            ephemeral: node.stat.ephemeral_owner != 0,
        })
    }

    /// The node's stat, as `exists` answers.
    ///
    /// # Errors
    /// `NoNode`
    pub(crate) fn exists(&self, path: &str) -> Outcome {
        self.node(path).map(|node| Response::Stat(node.wire_stat()))
    }

    /// The node's data and stat, as `getData` answers.
    ///
    /// # Errors
    /// `NoNode`
    pub(crate) fn data(&self, path: &str) -> Outcome {
        self.node(path).map(|node| Response::Data(node.data.clone(), node.wire_stat()))
    }

    /// The names of the node's children, as `getChildren` and `getChildren2` answer.
    ///
    /// # Errors
    /// `NoNode`
    pub(crate) fn children(&self, path: &str, with_stat: bool) -> Outcome {
        let node = self.node(path)?;
        let names = node.children.iter().cloned().collect();
        Ok(if with_stat {
            Response::ChildrenStat(names, node.wire_stat())
        } else {
            Response::Children(names)
        })
    }

    fn node(&self, path: &str) -> Result<&Node, ErrorCode> {
        self.nodes.get(path).ok_or(ErrorCode::NoNode)
    }

    /// Applies a transaction and gives the answer for whoever asked for it.
    ///
    /// # Errors
    /// The code of an error transaction. On replay also that of a change that is there already; then
    /// nobody waits for the answer.
    pub(crate) fn apply(&mut self, header: &TxnHeader, txn: &Txn) -> Outcome {
        match txn {
            Txn::CreateSession { timeout_ms } => {
                self.open_session(header.session, *timeout_ms);
                Ok(Response::Empty)
            }
            Txn::CloseSession { paths } => {
                for path in paths {
                    // On replay it may be gone already.
                    let _ = self.remove(path, header.zxid);
                }
                if let Some(timeout_ms) = self.sessions.remove(&header.session) {
                    self.digest = self.digest.wrapping_sub(digest::session(header.session, timeout_ms));
                }
                Ok(Response::Empty)
            }
            Txn::Create { path, data, acl, ephemeral, parent_cversion, with_stat } => {
                let stat = StatPersisted {
                    czxid: header.zxid,
                    mzxid: header.zxid,
                    ctime_ms: header.time_ms,
                    mtime_ms: header.time_ms,
                    ephemeral_owner: if *ephemeral { header.session.0 } else { 0 },
                    pzxid: header.zxid,
                    ..StatPersisted::default()
                };
                let acl_key = self.acls.key(acl);
                self.create(path, data.clone(), acl_key, stat, *parent_cversion)?;
                Ok(if *with_stat {
                    Response::PathStat(path.clone(), self.node(path)?.wire_stat())
                } else {
                    Response::Path(path.clone())
                })
            }
            Txn::Delete { path } => self.remove(path, header.zxid).map(|()| Response::Empty),
            Txn::SetData { path, data, version } => {
                let node = self.nodes.get_mut(path).ok_or(ErrorCode::NoNode)?;
                self.digest = self.digest.wrapping_sub(digest::node(path, node));
                self.data_size -= node.data.as_ref().map_or(0, Vec::len);
                self.data_size += data.as_ref().map_or(0, Vec::len);
                node.data.clone_from(data);
                node.stat.version = *version;
                node.stat.mzxid = header.zxid;
                node.stat.mtime_ms = header.time_ms;
                self.digest = self.digest.wrapping_add(digest::node(path, node));
                Ok(Response::Stat(node.wire_stat()))
            }
            Txn::Error { code } => Err(ErrorCode::from_code(*code).unwrap_or(ErrorCode::SystemError)),
            Txn::Other { .. } => Err(ErrorCode::Unimplemented),
        }
    }

    fn create(
        &mut self,
        path: &str,
        data: Option<Vec<u8>>,
        acl_key: i64,
        stat: StatPersisted,
        parent_cversion: i32,
    ) -> Result<(), ErrorCode> {
        let parent_path = parent(path);
        let parent = self.nodes.get_mut(parent_path).ok_or(ErrorCode::NoNode)?;
        // Replayed over a later snapshot, an old create must not take the numbers back (ZOOKEEPER-3249).
        if parent_cversion > parent.stat.cversion {
            self.digest = self.digest.wrapping_sub(digest::node(parent_path, parent));
            parent.stat.cversion = parent_cversion;
            parent.stat.pzxid = stat.pzxid;
            self.digest = self.digest.wrapping_add(digest::node(parent_path, parent));
        }
        if self.nodes.contains_key(path) {
            return Err(ErrorCode::NodeExists);
        }
        self.insert(path.to_owned(), data, acl_key, stat);
        Ok(())
    }

    fn insert(&mut self, path: String, data: Option<Vec<u8>>, acl_key: i64, stat: StatPersisted) {
        if path != "/"
            && let Some(node) = self.nodes.get_mut(parent(&path))
        {
            node.children.insert(path::name(&path).to_owned());
        }
        self.data_size += path.len() + data.as_ref().map_or(0, Vec::len);
        let node = Node { data, acl_key, stat, children: BTreeSet::new() };
        self.digest = self.digest.wrapping_add(digest::node(&path, &node));
        self.nodes.insert(path, node);
    }

    fn open_session(&mut self, session: SessionId, timeout_ms: i32) {
        if let Some(former) = self.sessions.insert(session, timeout_ms) {
            self.digest = self.digest.wrapping_sub(digest::session(session, former));
        }
        self.digest = self.digest.wrapping_add(digest::session(session, timeout_ms));
    }

    fn remove(&mut self, path: &str, zxid: Zxid) -> Result<(), ErrorCode> {
        let node = self.nodes.remove(path).ok_or(ErrorCode::NoNode)?;
        self.digest = self.digest.wrapping_sub(digest::node(path, &node));
        self.data_size -= path.len() + node.data.as_ref().map_or(0, Vec::len);
        let parent_path = parent(path);
        if let Some(parent) = self.nodes.get_mut(parent_path) {
            self.digest = self.digest.wrapping_sub(digest::node(parent_path, parent));
            parent.children.remove(path::name(path));
            parent.stat.pzxid = parent.stat.pzxid.max(zxid);
            self.digest = self.digest.wrapping_add(digest::node(parent_path, parent));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
