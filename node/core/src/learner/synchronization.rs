//! Phase 2 from the learner's side: make the log a copy of the leader's, durably, then acknowledge
//! NEWLEADER (Zab paper §IV.B, `Learner.syncWithLeader`).
//!
//! The order is what matters, and each swap of two of these steps is a published loss of data:
//!
//! 1. cut or replace the log (TRUNC, SNAP), durably and atomically; what follows a SNAP is part of the
//!    replacement, for the own log may hold committed transactions that stand there and nowhere else;
//! 2. append the leader's transactions, fsync (ZOOKEEPER-3911, 4646: acknowledged before the fsync);
//! 3. write currentEpoch (ZOOKEEPER-4643: written before the log);
//! 4. acknowledge NEWLEADER, only then proposals (ZOOKEEPER-4685);
//! 5. on UPTODATE apply what is committed, then serve (ZOOKEEPER-3023: served before applying).
//!
//! A crash between 2 and 3 leaves a log of a later epoch than currentEpoch says. That is safe: this
//! server acknowledged nothing of that epoch, it votes with the older one, and its log is a prefix of
//! the leader's.

use super::{Kind, Learner, Phase, misbehaved};
use crate::bug::Bug;
use crate::event::LogEntry;
use crate::log::Log;
use crate::out::{Flow, Out, STAY, give_up};
use crate::state::{Incoming, State};
use crate::trace::{SyncMode, Trace};
use bytes::Bytes;
use std::collections::VecDeque;
use zab_wire::Zxid;
use zab_wire::quorum::QuorumMessage;
use zab_wire::txn;

impl Learner {
    /// DIFF, TRUNC or SNAP.
    pub(super) fn on_sync_mode(
        &mut self,
        message: QuorumMessage,
        state: &mut State,
        out: &mut Out<'_>,
    ) -> Flow {
        match message {
            QuorumMessage::Diff { .. } | QuorumMessage::Trunc { .. } if state.needs_whole_tree => {
                misbehaved("sent less than the whole tree that was asked for", out)
            }
            QuorumMessage::Diff { zxid } => {
                out.trace(Trace::SyncReceived { mode: SyncMode::Diff, zxid });
                // The own log is a prefix of the leader's, so all of it is committed with it.
                self.committed = zxid.min(state.log.last());
                self.phase = Phase::Synchronizing;
                STAY
            }
            QuorumMessage::Trunc { zxid } => {
                out.trace(Trace::SyncReceived { mode: SyncMode::Trunc, zxid });
                self.committed = zxid;
                if state.has_bug(Bug::SkipTruncate) {
                    self.phase = Phase::Synchronizing;
                    return STAY;
                }
                self.abandon(state.log.after(zxid).count(), state, out);
                state.truncate(zxid, out);
                self.phase = Phase::Truncating { held: VecDeque::new() };
                STAY
            }
            QuorumMessage::Snap { zxid, tree } => {
                out.trace(Trace::SyncReceived { mode: SyncMode::Snap, zxid });
                self.committed = zxid;
                self.phase = Phase::Synchronizing;
                match Incoming::new(zxid, tree) {
                    Ok(incoming) => {
                        self.incoming = Some(Box::new(incoming));
                        STAY
                    }
                    Err(what) => misbehaved(what, out),
                }
            }
            QuorumMessage::FollowerInfo { .. }
            | QuorumMessage::ObserverInfo { .. }
            | QuorumMessage::LeaderInfo { .. }
            | QuorumMessage::AckEpoch { .. }
            | QuorumMessage::NewLeader { .. }
            | QuorumMessage::UpToDate
            | QuorumMessage::Proposal { .. }
            | QuorumMessage::Ack { .. }
            | QuorumMessage::Commit { .. }
            | QuorumMessage::Inform { .. }
            | QuorumMessage::Ping { .. }
            | QuorumMessage::Request(_)
            | QuorumMessage::Revalidate { .. }
            | QuorumMessage::Revalidated { .. }
            | QuorumMessage::Sync
            | QuorumMessage::Unsupported { .. } => misbehaved("did not say how to synchronize", out),
        }
    }

    /// The initial history, up to NEWLEADER.
    pub(super) fn on_history(
        &mut self,
        message: QuorumMessage,
        state: &mut State,
        out: &mut Out<'_>,
    ) -> Flow {
        let QuorumMessage::NewLeader { epoch, config: _ } = message else {
            return self.on_stream(message, state, out);
        };
        if Some(epoch) != self.epoch {
            out.trace(Trace::Fenced {
                what: "NEWLEADER",
                peer: Some(self.leader),
                stale: epoch,
                current: state.accepted_epoch,
            });
            return give_up("NEWLEADER names another epoch than LEADERINFO");
        }
        if let Some(incoming) = self.incoming.take() {
            let given_up = state.log.from(0).filter(|entry| !incoming.contains(entry.zxid)).count();
            self.abandon(given_up, state, out);
            state.install(*incoming, out);
        }
        // The committed part of the history needs no acknowledgement. All that was or will be proposed behind
        // it does, even if others commit it before NEWLEADER is acknowledged: the leader waits for it.
        self.acked = self.committed;
        self.phase = Phase::TakingOver { token: state.sync(out) };
        STAY
    }

    /// The initial history is durable.
    pub(super) fn enter_epoch(&mut self, state: &mut State, out: &mut Out<'_>) {
        let epoch = self.epoch.expect("LEADERINFO came before NEWLEADER");
        state.enter_epoch(epoch, out);
        self.phase = Phase::EnteringEpoch { token: state.sync(out) };
    }

    /// currentEpoch is durable, too.
    pub(super) fn acknowledge_new_leader(&mut self, state: &mut State, out: &mut Out<'_>) {
        let epoch = self.epoch.expect("LEADERINFO came before NEWLEADER");
        out.send(self.conn, QuorumMessage::Ack { zxid: Zxid::of_epoch(epoch) });
        out.trace(Trace::NewLeaderAcked { epoch });
        self.phase = Phase::Acknowledged;
        self.acknowledge_proposals(state, out);
        if state.durable() < state.log.last() {
            state.sync(out);
        }
    }

    /// What may come between the sync mode and UPTODATE: transactions, committed or not, and signs of
    /// life. A COMMIT between NEWLEADER and UPTODATE is no surprise (ZOOKEEPER-4394).
    pub(super) fn on_stream(&mut self, message: QuorumMessage, state: &mut State, out: &mut Out<'_>) -> Flow {
        match message {
            // To an observer only the initial history comes this way: what is proposed behind NEWLEADER may
            // still be given up, and an observer is to hold nothing of that kind.
            QuorumMessage::Proposal { .. }
                if self.kind == Kind::Observer && self.phase != Phase::Synchronizing =>
            {
                misbehaved("proposed to an observer", out)
            }
            QuorumMessage::Proposal { zxid, txn } => {
                self.log_transaction("PROPOSAL", zxid, txn, state, out)?;
                if self.phase == Phase::Acknowledged {
                    state.sync(out);
                }
                STAY
            }
            QuorumMessage::Commit { zxid } => {
                if zxid > self.log(state).last() {
                    return misbehaved("committed what it had not proposed", out);
                }
                self.committed = self.committed.max(zxid);
                STAY
            }
            QuorumMessage::Inform { zxid, txn } if self.kind == Kind::Observer => {
                self.log_inform(zxid, txn, state, out)
            }
            QuorumMessage::Ping { zxid, .. } => {
                out.send(self.conn, QuorumMessage::Ping { zxid, touched: state.clients.take_touched() });
                STAY
            }
            QuorumMessage::UpToDate if self.phase == Phase::Acknowledged => {
                self.begin_serving(state, out);
                STAY
            }
            QuorumMessage::FollowerInfo { .. }
            | QuorumMessage::ObserverInfo { .. }
            | QuorumMessage::LeaderInfo { .. }
            | QuorumMessage::AckEpoch { .. }
            | QuorumMessage::Diff { .. }
            | QuorumMessage::Trunc { .. }
            | QuorumMessage::Snap { .. }
            | QuorumMessage::NewLeader { .. }
            | QuorumMessage::UpToDate
            | QuorumMessage::Ack { .. }
            | QuorumMessage::Inform { .. }
            | QuorumMessage::Request(_)
            | QuorumMessage::Revalidate { .. }
            | QuorumMessage::Revalidated { .. }
            | QuorumMessage::Sync
            | QuorumMessage::Unsupported { .. } => misbehaved("broke the order of synchronization", out),
        }
    }

    /// Logs a transaction of a PROPOSAL or INFORM. Its epoch must be one that the leader may speak of, its
    /// place the next one.
    pub(super) fn log_transaction(
        &mut self,
        what: &'static str,
        zxid: Zxid,
        txn: Bytes,
        state: &mut State,
        out: &mut Out<'_>,
    ) -> Flow {
        let epoch = self.epoch.expect("LEADERINFO came before proposals");
        if zxid.epoch > epoch || (self.phase == Phase::Serving && zxid.epoch < epoch) {
            let peer = Some(self.leader);
            out.trace(Trace::Fenced { what, peer, stale: zxid.epoch, current: epoch });
            return give_up("a transaction carried another epoch than its leader");
        }
        if !self.log(state).expects(zxid) {
            return misbehaved("left a hole in the order of proposals", out);
        }
        if txn::zxid_of(&txn) != Ok(zxid) {
            return misbehaved("sent a transaction under another zxid", out);
        }
        let entry = LogEntry { zxid, txn };
        match &mut self.incoming {
            // It goes to disk with the tree that it follows.
            Some(incoming) => incoming.log.append(entry),
            None => state.append(entry, out),
        }
        STAY
    }

    /// The log that the leader speaks of.
    fn log<'a>(&'a self, state: &'a State) -> &'a Log {
        self.incoming.as_ref().map_or(&state.log, |incoming| &incoming.log)
    }

    /// So many transactions of the log are of an older epoch and are given up: the fencing of requests that
    /// only a stale leader had.
    fn abandon(&self, count: usize, state: &State, out: &mut Out<'_>) {
        if let (Some(current), true) = (self.epoch, count > 0) {
            out.trace(Trace::ProposalsAbandoned { stale: state.log.last().epoch, current, count });
        }
    }

    fn begin_serving(&mut self, state: &mut State, out: &mut Out<'_>) {
        let epoch = self.epoch.expect("LEADERINFO came before UPTODATE");
        state.apply_silently(self.committed, out);
        state.serve(epoch);
        if let Some(vote) = &mut state.settled_vote {
            vote.epoch = i64::from(epoch);
        }
        // UPTODATE is acknowledged as NEWLEADER was; the leader ignores it (`Learner.syncWithLeader`).
        out.send(self.conn, QuorumMessage::Ack { zxid: Zxid::of_epoch(epoch) });
        out.trace(Trace::Serving { epoch, leader: self.leader });
        self.phase = Phase::Serving;
    }
}
