//! The tree as bytes and back.

use super::{Tree, acl::AclTable};
use bytes::Bytes;
use std::collections::BTreeMap;
use zab_wire::jute::{Record, WireError};
use zab_wire::snapshot::{NodeRecord, SnapshotData};

impl Tree {
    /// The serialised tree ([`SnapshotData`]).
    pub(crate) fn to_snapshot(&self) -> Bytes {
        let mut nodes = Vec::with_capacity(self.nodes.len());
        // In order of paths a parent stands before its children, as every reader expects.
        for (path, node) in &self.nodes {
            nodes.push(NodeRecord {
                path: if path == "/" { String::new() } else { path.clone() },
                data: node.data.clone(),
                acl_key: node.acl_key,
                stat: node.stat,
            });
        }
        let sessions = self.sessions.iter().map(|(id, timeout_ms)| (*id, *timeout_ms)).collect();
        let acls = self.acls.lists().map(|(key, acl)| (key, acl.clone())).collect();
        SnapshotData { sessions, acls, nodes }.to_vec().into()
    }

    /// The tree that was serialised.
    ///
    /// # Errors
    /// [`WireError`] when the bytes are no tree, or a node has no parent.
    pub(crate) fn from_snapshot(bytes: &[u8]) -> Result<Self, WireError> {
        let data = SnapshotData::from_slice(bytes)?;
        let mut tree = Self {
            nodes: BTreeMap::new(),
            sessions: BTreeMap::new(),
            acls: AclTable::default(),
            data_size: 0,
            digest: 0,
        };
        for (session, timeout_ms) in data.sessions {
            tree.open_session(session, timeout_ms);
        }
        for (key, acl) in data.acls {
            tree.acls.restore(key, acl);
        }
        for node in data.nodes {
            let path = if node.path.is_empty() { "/".to_owned() } else { node.path };
            if path != "/" && !tree.nodes.contains_key(super::parent(&path)) {
                return Err(WireError::Invalid("a node of the tree stands before its parent"));
            }
            tree.insert(path, node.data, node.acl_key, node.stat);
        }
        if !tree.nodes.contains_key("/") {
            return Err(WireError::Invalid("the tree has no root"));
        }
        Ok(tree)
    }
}
