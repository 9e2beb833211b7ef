//! Phase 3 from the leader's side: propose in order, commit what a quorum has on disk, in order (Zab
//! paper §IV.C; `Leader.propose`, `processAck`, `tryToCommit`). Observers hear of it then (`inform`).

use super::{Leader, Phase};
use crate::bug::Bug;
use crate::event::{ConnId, LogEntry};
use crate::out::{Flow, Out, STAY, give_up};
use crate::state::State;
use bytes::Bytes;
use zab_wire::Zxid;
use zab_wire::client::OpCode;
use zab_wire::quorum::QuorumMessage;
use zab_wire::txn::{self, ForwardedRequest, TxnHeader};

/// The planted bug `double-apply` proposes a write again after this many others.
const AGAIN_AFTER: u32 = 12;

impl Leader {
    /// A client's request, by way of a learner or (`None`) of this server. One that comes late, when its
    /// session has gone on elsewhere, must not take effect behind what the session did there: nobody waits
    /// for its answer, it is dropped.
    pub(super) fn propose_from(
        &mut self,
        origin: Option<ConnId>,
        request: &ForwardedRequest,
        state: &mut State,
        out: &mut Out<'_>,
    ) -> Flow {
        if request.op == OpCode::CreateSession.code() {
            self.sessions.own(request.session, origin);
        } else if self.sessions.moved(request.session, origin) {
            return STAY;
        }
        self.propose(request, state, out)
    }

    /// Gives a request its place in the order and proposes it.
    pub(super) fn propose(
        &mut self,
        request: &ForwardedRequest,
        state: &mut State,
        out: &mut Out<'_>,
    ) -> Flow {
        if self.phase != Phase::Established {
            return STAY;
        }
        self.propose_one(request, state, out)?;
        if state.has_bug(Bug::DoubleApply) {
            self.maybe_again(request, state, out)?;
        }
        STAY
    }

    fn propose_one(&mut self, request: &ForwardedRequest, state: &mut State, out: &mut Out<'_>) -> Flow {
        let Some(zxid) = self.last_proposed.next() else {
            return give_up("the epoch has no zxid left");
        };
        if zxid <= state.log.last() {
            // Only a promise that was lost can lead here: the epoch was led before.
            out.fatal(format!(
                "epoch {} was led before: the log goes up to {}",
                zxid.epoch,
                state.log.last()
            ));
            return give_up("the epoch was led before");
        }
        self.last_proposed = zxid;
        let txn = self.outstanding.prepare(&state.tree, zxid, request);
        let header =
            TxnHeader { session: request.session, cxid: request.cxid, zxid, time_ms: out.now.wall_ms };
        let txn: Bytes = txn::encode(&header, &txn).into();
        for (conn, learner) in &mut self.learners {
            if learner.is_forwarding() && !learner.observes {
                learner.sent(zxid, self.half_ticks);
                out.send(*conn, QuorumMessage::Proposal { zxid, txn: txn.clone() });
            }
        }
        state.append(LogEntry { zxid, txn }, out);
        // Its own acknowledgement counts once this is answered.
        state.sync(out);
        STAY
    }

    /// Commits, in order, everything that a quorum has on disk.
    pub(super) fn commit_what_a_quorum_has(&mut self, state: &mut State, out: &mut Out<'_>) {
        if self.phase != Phase::Established {
            return;
        }
        let to = self.on_disk_of_a_quorum(state);
        if to <= state.log.applied() {
            return;
        }
        while let Some(applied) = state.apply_next(to, out) {
            let zxid = applied.header.zxid;
            for (conn, learner) in &self.learners {
                if !learner.is_forwarding() {
                    continue;
                }
                out.send(
                    *conn,
                    if learner.observes {
                        QuorumMessage::Inform { zxid, txn: applied.bytes.clone() }
                    } else {
                        QuorumMessage::Commit { zxid }
                    },
                );
            }
            self.outstanding.applied(zxid, applied.header.session, &applied.txn);
            self.sessions.applied(&applied, out.now.mono_ms, &state.config.timing);
            let view = state.view();
            state.clients.applied(&applied, &state.tree, view, out);
        }
        state.after_applying(out);
        self.release_syncs(state, out);
    }

    /// The last zxid that a quorum of voters has on disk. Logs have no holes, so whoever has a zxid has
    /// all before it.
    fn on_disk_of_a_quorum(&self, state: &State) -> Zxid {
        let own = state.durable();
        if state.has_bug(Bug::CommitWithoutQuorum) {
            return own;
        }
        let mut acked: Vec<Zxid> = self
            .learners
            .values()
            .filter(|learner| learner.counts())
            .map(|learner| learner.acked)
            .chain([own])
            .collect();
        acked.sort_unstable_by(|a, b| b.cmp(a));
        acked.get(state.config.ensemble.quorum_size() - 1).copied().unwrap_or(Zxid::ZERO)
    }

    /// The planted bug: an unconditional write comes back a little later, as if a retry had been taken
    /// for a new request.
    fn maybe_again(&mut self, request: &ForwardedRequest, state: &mut State, out: &mut Out<'_>) -> Flow {
        match self.again.take() {
            None if request.op == OpCode::SetData.code()
                && request.body.ends_with(&(-1_i32).to_be_bytes()) =>
            {
                self.again = Some((AGAIN_AFTER, request.clone()));
            }
            None => {}
            Some((0, again)) => self.propose_one(&again, state, out)?,
            Some((left, again)) => self.again = Some((left - 1, again)),
        }
        STAY
    }
}
