//! The leader's validation: a request becomes the transaction that carries out what it asks for
//! (ZooKeeper's `PrepRequestProcessor`).
//!
//! Requests are validated in order against the state as it *will be* once everything proposed before
//! them is applied: the tree, overlaid by the outstanding changes.

use crate::tree::{self, NodeFacts, Tree};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use zab_wire::client::{ErrorCode, Request};
use zab_wire::txn::{ForwardedRequest, Txn};
use zab_wire::{SessionId, Zxid};

/// The changes that are proposed and not yet applied.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Outstanding {
    /// What a node will be; `None`: gone. With the last proposal that changes it.
    nodes: BTreeMap<String, (Zxid, Option<NodeFacts>)>,
    /// Sessions being created and closed.
    opening: BTreeSet<SessionId>,
    closing: BTreeSet<SessionId>,
    /// Which paths each proposal changes, to forget them when it is applied.
    touched: VecDeque<(Zxid, Vec<String>)>,
}

impl Outstanding {
    /// The transaction for `request`, to be proposed as `zxid`. A request that cannot be carried out
    /// becomes an error transaction, which takes its place in the order all the same.
    pub(crate) fn prepare(&mut self, tree: &Tree, zxid: Zxid, request: &ForwardedRequest) -> Txn {
        match self.validate(tree, zxid, request) {
            Ok(txn) => txn,
            Err(code) => Txn::Error { code: code.code() },
        }
    }

    /// Forgets what a transaction changed, now that the tree shows it.
    pub(crate) fn applied(&mut self, zxid: Zxid, session: SessionId, txn: &Txn) {
        match txn {
            Txn::CreateSession { .. } => {
                self.opening.remove(&session);
            }
            Txn::CloseSession { .. } => {
                self.closing.remove(&session);
            }
            Txn::Create { .. }
            | Txn::Delete { .. }
            | Txn::SetData { .. }
            | Txn::Error { .. }
            | Txn::Other { .. } => {}
        }
        while self.touched.front().is_some_and(|(at, _)| *at <= zxid) {
            let Some((at, paths)) = self.touched.pop_front() else { return };
            for path in paths {
                // A later proposal may have changed it again.
                if self.nodes.get(&path).is_some_and(|(last, _)| *last == at) {
                    self.nodes.remove(&path);
                }
            }
        }
    }

    /// Whether the session lives, or will once what is outstanding is applied.
    pub(crate) fn session_lives(&self, tree: &Tree, session: SessionId) -> bool {
        let there = tree.sessions().contains_key(&session) || self.opening.contains(&session);
        there && !self.closing.contains(&session)
    }

    fn facts(&self, tree: &Tree, path: &str) -> Option<NodeFacts> {
        match self.nodes.get(path) {
            Some((_, facts)) => *facts,
            None => tree.facts(path),
        }
    }

    fn change(&mut self, zxid: Zxid, changes: Vec<(String, Option<NodeFacts>)>) {
        let mut paths = Vec::with_capacity(changes.len());
        for (path, facts) in changes {
            self.nodes.insert(path.clone(), (zxid, facts));
            paths.push(path);
        }
        self.touched.push_back((zxid, paths));
    }

    fn validate(&mut self, tree: &Tree, zxid: Zxid, request: &ForwardedRequest) -> Result<Txn, ErrorCode> {
        let session = request.session;
        let Ok(decoded) = Request::decode(request.op, &request.body) else {
            return Err(ErrorCode::MarshallingError);
        };
        if let Request::CreateSession { timeout_ms } = decoded {
            self.opening.insert(session);
            return Ok(Txn::CreateSession { timeout_ms });
        }
        if !self.session_lives(tree, session) {
            return Err(ErrorCode::SessionExpired);
        }
        match decoded {
            Request::CloseSession => {
                self.closing.insert(session);
                Ok(Txn::CloseSession { paths: Vec::new() })
            }
            Request::Create { path, data, acl, flags, with_stat } => {
                tree::validate(&path)?;
                if path == "/" {
                    return Err(ErrorCode::NodeExists);
                }
                // Ephemeral, sequential, container and TTL nodes are not served by this build.
                if flags != 0 {
                    return Err(ErrorCode::Unimplemented);
                }
                if acl.is_empty() {
                    return Err(ErrorCode::InvalidAcl);
                }
                let parent_path = tree::parent(&path);
                let parent = self.facts(tree, parent_path).ok_or(ErrorCode::NoNode)?;
                if self.facts(tree, &path).is_some() {
                    return Err(ErrorCode::NodeExists);
                }
                if parent.ephemeral {
                    return Err(ErrorCode::NoChildrenForEphemerals);
                }
                let cversion = parent.cversion.wrapping_add(1);
                let parent_after = NodeFacts { cversion, children: parent.children + 1, ..parent };
                let created = NodeFacts { version: 0, cversion: 0, children: 0, ephemeral: false };
                let parent_path = parent_path.to_owned();
                self.change(zxid, vec![(parent_path, Some(parent_after)), (path.clone(), Some(created))]);
                Ok(Txn::Create { path, data, acl, ephemeral: false, parent_cversion: cversion, with_stat })
            }
            Request::Delete { path, version } => {
                tree::validate(&path)?;
                if path == "/" || path == "/zookeeper" || path.starts_with("/zookeeper/") {
                    return Err(ErrorCode::BadArguments);
                }
                let node = self.facts(tree, &path).ok_or(ErrorCode::NoNode)?;
                expect_version(version, node.version)?;
                if node.children > 0 {
                    return Err(ErrorCode::NotEmpty);
                }
                let parent_path = tree::parent(&path).to_owned();
                let parent = self
                    .facts(tree, &parent_path)
                    .map(|facts| NodeFacts { children: facts.children.saturating_sub(1), ..facts });
                self.change(zxid, vec![(parent_path, parent), (path.clone(), None)]);
                Ok(Txn::Delete { path })
            }
            Request::SetData { path, data, version } => {
                tree::validate(&path)?;
                let node = self.facts(tree, &path).ok_or(ErrorCode::NoNode)?;
                expect_version(version, node.version)?;
                // -1 means "any version", so no node may have it (ZOOKEEPER-4743).
                let version = if node.version == -2 { 0 } else { node.version.wrapping_add(1) };
                self.change(zxid, vec![(path.clone(), Some(NodeFacts { version, ..node }))]);
                Ok(Txn::SetData { path, data, version })
            }
            Request::CreateSession { .. }
            | Request::Exists { .. }
            | Request::GetData { .. }
            | Request::GetChildren { .. }
            | Request::Sync { .. }
            | Request::Ping
            | Request::Other { .. } => Err(ErrorCode::Unimplemented),
        }
    }
}

fn expect_version(expected: i32, actual: i32) -> Result<(), ErrorCode> {
    if expected == -1 || expected == actual { Ok(()) } else { Err(ErrorCode::BadVersion) }
}
