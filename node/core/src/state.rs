//! What a server keeps across its roles: epochs, log, tree, clients, and how far the disk is.

use crate::bug::Bug;
use crate::clients::Clients;
use crate::config::Config;
use crate::event::{ConnId, Effect, LogEntry, Recovered, Snapshot, SyncToken};
use crate::log::Log;
use crate::out::Out;
use crate::trace::Trace;
use crate::tree::{Applied, Tree};
use crate::vote::Vote;
use bytes::Bytes;
use std::collections::{BTreeSet, VecDeque};
use zab_wire::Zxid;
use zab_wire::txn;

/// A whole history on its way from a leader: nothing of it counts, and nothing of the own history is given up,
/// until all of it is here.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Incoming {
    snapshot: Snapshot,
    tree: Tree,
    /// What follows the snapshot.
    pub(crate) log: Log,
}

impl Incoming {
    /// The beginning of a history.
    ///
    /// # Errors
    /// What the leader did, when the tree cannot be read.
    pub(crate) fn new(zxid: Zxid, tree: Bytes) -> Result<Self, &'static str> {
        let Ok(read) = Tree::from_snapshot(&tree) else {
            return Err("sent a tree that cannot be read");
        };
        let log = Log::starting_at(zxid, Vec::new());
        Ok(Self { snapshot: Snapshot { zxid, tree }, tree: read, log })
    }

    /// Whether a transaction of the own log is part of this history.
    pub(crate) fn contains(&self, zxid: Zxid) -> bool {
        zxid <= self.snapshot.zxid || self.log.contains(zxid)
    }
}

/// What outlives a role.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) config: Config,
    /// The highest epoch promised, as written to disk (or on its way there).
    pub(crate) accepted_epoch: u32,
    /// The epoch whose initial history the log holds.
    pub(crate) current_epoch: u32,
    pub(crate) log: Log,
    /// The log applied up to its mark.
    pub(crate) tree: Tree,
    /// The election's logical clock; in memory only.
    pub(crate) round: i64,
    /// The vote of the last election, told to whoever is LOOKING; its epoch is the new one after
    /// synchronization.
    pub(crate) settled_vote: Option<Vote>,
    pub(crate) clients: Clients,
    /// Connections to former leaders that the planted bug `skip-epoch-check` keeps obeying.
    pub(crate) ghosts: BTreeSet<ConnId>,
    /// The disk is cutting the log: until it is done, memory and disk disagree.
    pub(crate) truncating: bool,
    /// The disk could not cut the log where a leader asked (a snapshot is in the way), so DIFF and TRUNC
    /// are of no use until a leader has sent the whole tree.
    pub(crate) needs_whole_tree: bool,
    /// The epoch this server last served in: replies before its first transaction carry `epoch << 32`.
    served_epoch: u32,
    /// Up to here the log is on disk.
    durable: Zxid,
    /// Points asked for: token, and the end of the log at that point.
    syncs: VecDeque<(SyncToken, Zxid)>,
    next_token: u64,
    next_conn: u64,
    /// Transactions applied since the last snapshot, and after how many the next is due.
    since_snapshot: usize,
    snapshot_after: usize,
}

impl State {
    pub(crate) fn new(config: Config) -> Self {
        let snapshot_after = first_snapshot_after(&config);
        Self {
            config,
            accepted_epoch: 0,
            current_epoch: 0,
            log: Log::default(),
            tree: Tree::default(),
            round: 0,
            settled_vote: None,
            clients: Clients::default(),
            ghosts: BTreeSet::new(),
            truncating: false,
            needs_whole_tree: false,
            served_epoch: 0,
            durable: Zxid::ZERO,
            syncs: VecDeque::new(),
            next_token: 0,
            next_conn: 0,
            since_snapshot: 0,
            snapshot_after,
        }
    }

    pub(crate) fn has_bug(&self, bug: Bug) -> bool {
        self.config.bug == Some(bug)
    }

    /// Takes over what the disk holds. The log is not applied yet: which part of it is committed only
    /// the next leader can say.
    pub(crate) fn load(&mut self, recovered: Recovered, out: &mut Out<'_>) {
        self.accepted_epoch = recovered.accepted_epoch;
        self.current_epoch = recovered.current_epoch;
        self.reload(recovered, out);
    }

    /// Takes over tree and log from the disk again, after a truncation. Epochs stay as they are.
    pub(crate) fn reload(&mut self, recovered: Recovered, out: &mut Out<'_>) {
        let Snapshot { zxid: base, tree } =
            recovered.snapshot.unwrap_or_else(|| Snapshot { zxid: Zxid::ZERO, tree: Bytes::new() });
        self.tree = if tree.is_empty() {
            Tree::default()
        } else {
            match Tree::from_snapshot(&tree) {
                Ok(tree) => tree,
                Err(error) => return out.fatal(format!("the snapshot at {base} cannot be read: {error}")),
            }
        };
        self.log = Log::starting_at(base, recovered.entries);
        self.forget_durability(self.log.last());
    }

    /// The log was replaced: what earlier points promised speaks of another log.
    fn forget_durability(&mut self, durable: Zxid) {
        self.durable = durable;
        for (_, at) in &mut self.syncs {
            *at = Zxid::ZERO;
        }
    }

    /// Adds a transaction to the log and the disk's queue. The caller has checked its place.
    pub(crate) fn append(&mut self, entry: LogEntry, out: &mut Out<'_>) {
        self.log.append(entry.clone());
        out.effects.push(Effect::Append(entry));
    }

    /// Cuts the log behind `to`; the disk answers with what is left.
    pub(crate) fn truncate(&mut self, to: Zxid, out: &mut Out<'_>) {
        self.truncating = true;
        out.trace(Trace::LogTruncated { to, from: self.log.last() });
        out.effects.push(Effect::Truncate { to });
    }

    /// Asks to be told when everything up to here is durable.
    pub(crate) fn sync(&mut self, out: &mut Out<'_>) -> SyncToken {
        self.next_token += 1;
        let token = SyncToken(self.next_token);
        self.syncs.push_back((token, self.log.last()));
        out.effects.push(Effect::Sync { token });
        token
    }

    /// Notes that a point is durable.
    pub(crate) fn synced(&mut self, token: SyncToken) {
        while let Some((at_token, at)) = self.syncs.front().copied() {
            if at_token > token {
                return;
            }
            self.durable = self.durable.max(at);
            self.syncs.pop_front();
        }
    }

    /// Up to here the log is on disk.
    pub(crate) fn durable(&self) -> Zxid {
        self.durable.min(self.log.last())
    }

    pub(crate) fn accept_epoch(&mut self, epoch: u32, out: &mut Out<'_>) {
        self.accepted_epoch = epoch;
        out.effects.push(Effect::SetAcceptedEpoch(epoch));
    }

    pub(crate) fn enter_epoch(&mut self, epoch: u32, out: &mut Out<'_>) {
        self.current_epoch = epoch;
        out.effects.push(Effect::SetCurrentEpoch(epoch));
    }

    /// Replaces everything by a leader's history.
    pub(crate) fn install(&mut self, history: Incoming, out: &mut Out<'_>) {
        let Incoming { snapshot, tree, log } = history;
        let entries = log.from(0).cloned().collect();
        self.tree = tree;
        self.log = log;
        self.forget_durability(Zxid::ZERO);
        self.needs_whole_tree = false;
        self.since_snapshot = 0;
        out.trace(Trace::SnapshotInstalled { zxid: snapshot.zxid });
        out.effects.push(Effect::InstallSnapshot { snapshot, entries });
    }

    /// Applies the next entry of the log, if it is at most `to`.
    pub(crate) fn apply_next(&mut self, to: Zxid, out: &mut Out<'_>) -> Option<Applied> {
        let entry = self.log.next_unapplied().filter(|entry| entry.zxid <= to)?;
        let (header, txn) = match txn::decode(&entry.txn) {
            Ok(decoded) => decoded,
            Err(error) => {
                out.fatal(format!("the transaction {} in the log cannot be read: {error}", entry.zxid));
                return None;
            }
        };
        out.effects.push(Effect::Deliver(entry.clone()));
        let bytes = entry.txn.clone();
        let outcome = self.tree.apply(&header, &txn);
        self.log.mark_applied();
        self.since_snapshot += 1;
        Some(Applied { header, txn, bytes, outcome })
    }

    /// Applies the log up to `to` for nobody's sake: no client waits for the answers.
    pub(crate) fn apply_silently(&mut self, to: Zxid, out: &mut Out<'_>) {
        while self.apply_next(to, out).is_some() {}
        self.after_applying(out);
    }

    /// Housekeeping once a batch is applied: memory, and a snapshot when it is due.
    pub(crate) fn after_applying(&mut self, out: &mut Out<'_>) {
        self.log.trim(self.config.commit_log_count);
        if self.since_snapshot >= self.snapshot_after {
            self.since_snapshot = 0;
            self.snapshot_after = self.config.snap_count.max(1);
            let snapshot = Snapshot { zxid: self.log.applied(), tree: self.tree.to_snapshot() };
            out.effects.push(Effect::TakeSnapshot(snapshot));
        }
    }

    /// From now on answers belong to this epoch.
    pub(crate) fn serve(&mut self, epoch: u32) {
        self.served_epoch = epoch;
    }

    /// The zxid of answers: the last transaction applied, or the epoch's own while it has none.
    pub(crate) fn view(&self) -> Zxid {
        self.log.applied().max(Zxid::of_epoch(self.served_epoch))
    }

    /// A new connection to a leader.
    pub(crate) fn new_conn(&mut self) -> ConnId {
        self.next_conn += 1;
        ConnId::Outbound(self.next_conn)
    }
}

/// Servers must not all write their first snapshot at once, so each begins at another point of the
/// second half (ZooKeeper draws it by chance; the core has no chance).
fn first_snapshot_after(config: &Config) -> usize {
    let half = (config.snap_count / 2).max(1);
    let me = usize::try_from(config.me.0).unwrap_or(0);
    half + me.wrapping_mul(7919) % half
}
