//! Phase 3 from the follower's side: log and acknowledge proposals, apply commits, in order (Zab paper
//! §IV.C, `Follower.processPacket`).

use super::{Follower, misbehaved};
use crate::bug::Bug;
use crate::out::{Flow, Out, STAY};
use crate::state::State;
use zab_wire::Zxid;
use zab_wire::quorum::QuorumMessage;

impl Follower {
    pub(super) fn on_broadcast(
        &mut self,
        message: QuorumMessage,
        state: &mut State,
        out: &mut Out<'_>,
    ) -> Flow {
        match message {
            QuorumMessage::Proposal { zxid, txn } => {
                self.log_proposal(zxid, txn, state, out)?;
                // The acknowledgement follows the fsync: see `acknowledge_proposals`.
                state.sync(out);
                STAY
            }
            QuorumMessage::Commit { zxid } => self.on_commit(zxid, state, out),
            QuorumMessage::Ping { zxid, .. } => {
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
            | QuorumMessage::Ack { .. }
            | QuorumMessage::Inform { .. }
            | QuorumMessage::Request(_)
            | QuorumMessage::Revalidate { .. }
            | QuorumMessage::Unsupported { .. } => misbehaved("broke the order of broadcast", out),
        }
    }

    /// Acknowledges what is on disk and not yet acknowledged, one by one as Apache leaders count them.
    pub(super) fn acknowledge_proposals(&mut self, state: &State, out: &mut Out<'_>) {
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
        self.committed = zxid;
        while let Some(applied) = state.apply_next(zxid, out) {
            let view = state.view();
            state.clients.applied(&applied, &state.tree, view, out);
        }
        state.after_applying(out);
        STAY
    }
}
