//! Phase 3 from the learner's side: log and acknowledge proposals, apply commits, in order (Zab paper
//! §IV.C, `Follower.processPacket`). What an observer does instead is in [`super::observer`]; answering
//! the leader's pings and one's own clients is the same for both (`Learner.ping`, `Observer.processPacket`).

use super::{Kind, Learner, misbehaved};
use crate::bug::Bug;
use crate::out::{Flow, Out, STAY};
use crate::state::State;
use zab_wire::Zxid;
use zab_wire::quorum::QuorumMessage;

impl Learner {
    pub(super) fn on_broadcast(
        &mut self,
        message: QuorumMessage,
        state: &mut State,
        out: &mut Out<'_>,
    ) -> Flow {
        match message {
            QuorumMessage::Proposal { zxid, txn } if self.kind == Kind::Follower => {
                self.log_transaction("PROPOSAL", zxid, txn, state, out)?;
                // The acknowledgement follows the fsync: see `acknowledge_proposals`.
                state.sync(out);
                STAY
            }
            QuorumMessage::Commit { zxid } if self.kind == Kind::Follower => self.on_commit(zxid, state, out),
            QuorumMessage::Inform { zxid, txn } if self.kind == Kind::Observer => {
                self.on_inform(zxid, txn, state, out)
            }
            QuorumMessage::Ping { zxid, .. } => {
                if self.kind == Kind::Observer {
                    self.bound_what_a_crash_costs(state, out);
                }
                out.send(self.conn, QuorumMessage::Ping { zxid, touched: state.clients.take_touched() });
                STAY
            }
            QuorumMessage::Sync => {
                let Some(sync) = self.syncs.pop_front() else {
                    return misbehaved("answered a sync that nobody sent", out);
                };
                let view = state.view();
                state.clients.synced(&sync, &state.tree, view, out);
                STAY
            }
            QuorumMessage::Revalidated { session, valid } => {
                state.clients.revalidated(session, valid, out);
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
            | QuorumMessage::Proposal { .. }
            | QuorumMessage::Ack { .. }
            | QuorumMessage::Commit { .. }
            | QuorumMessage::Inform { .. }
            | QuorumMessage::Request(_)
            | QuorumMessage::Revalidate { .. }
            | QuorumMessage::Unsupported { .. } => misbehaved("broke the order of broadcast", out),
        }
    }

    /// Acknowledges what is on disk and not yet acknowledged, one by one as Apache leaders count them.
    /// Nobody waits for an observer's disk.
    pub(super) fn acknowledge_proposals(&mut self, state: &State, out: &mut Out<'_>) {
        if self.kind == Kind::Observer {
            return;
        }
        let durable = state.durable();
        for entry in state.log.after(self.acked) {
            if entry.zxid > durable {
                return;
            }
            self.acked = entry.zxid;
            out.send(self.conn, QuorumMessage::Ack { zxid: entry.zxid });
        }
    }

    fn on_commit(&mut self, zxid: Zxid, state: &mut State, out: &mut Out<'_>) -> Flow {
        let next = state.log.next_unapplied().map(|entry| entry.zxid);
        if next != Some(zxid) && !state.has_bug(Bug::SkipTruncate) {
            return misbehaved("committed out of order", out);
        }
        self.apply_up_to(zxid, state, out);
        STAY
    }

    /// Applies what is committed and answers the clients that wait for it.
    pub(super) fn apply_up_to(&mut self, zxid: Zxid, state: &mut State, out: &mut Out<'_>) {
        self.committed = zxid;
        while let Some(applied) = state.apply_next(zxid, out) {
            let view = state.view();
            state.clients.applied(&applied, &state.tree, view, out);
        }
        state.after_applying(out);
    }
}
