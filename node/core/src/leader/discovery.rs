//! Phase 1 from the leader's side: choose an epoch above all promised ones, and make sure that nobody
//! of the quorum has a newer log (Zab paper §IV.A; `Leader.getEpochToPropose`, `waitForEpochAck`).

use super::{Leader, Phase, Stage};
use crate::bug::Bug;
use crate::event::ConnId;
use crate::out::{Flow, Out, STAY, give_up};
use crate::state::State;
use crate::trace::Trace;
use zab_wire::quorum::QuorumMessage;
use zab_wire::{ServerId, Zxid};

impl Leader {
    /// FOLLOWERINFO or OBSERVERINFO: who connected, and the highest epoch it has promised.
    pub(super) fn on_introduction(
        &mut self,
        conn: ConnId,
        observes: bool,
        accepted_epoch: u32,
        server: ServerId,
        state: &mut State,
        out: &mut Out<'_>,
    ) -> Flow {
        let ensemble = &state.config.ensemble;
        let refusal = if !ensemble.is_member(server) || server == state.config.me {
            Some("it is no member of the ensemble")
        } else if observes != ensemble.is_observer(server) {
            Some("it takes itself for an observer, or for none, and is not")
        } else {
            None
        };
        if let Some(reason) = refusal {
            if let Some(stranger) = self.learners.get_mut(&conn) {
                stranger.server = Some(server);
            }
            self.drop_learner(conn, reason, out);
            return STAY;
        }
        let Some(learner) = self.learners.get_mut(&conn).filter(|learner| learner.stage == Stage::New) else {
            self.drop_learner(conn, "it introduced itself twice", out);
            return STAY;
        };
        learner.server = Some(server);
        learner.observes = observes;
        learner.stage = Stage::Introduced;
        // One connection per server: it has given up the former one, even if that is not noticed here.
        let former = self.learners.iter().find(|(id, other)| **id != conn && other.server == Some(server));
        if let Some(former) = former.map(|(id, _)| *id) {
            self.drop_learner(former, "it connected again", out);
        }
        match self.epoch {
            // The new epoch is above its promise as well, or it could not follow; but it is nobody of the
            // quorum that is waited for (`Leader.getEpochToPropose`).
            None if observes => self.highest_accepted = self.highest_accepted.max(accepted_epoch),
            None => {
                self.highest_accepted = self.highest_accepted.max(accepted_epoch);
                self.introduced.insert(server);
                self.choose_epoch(state, out);
            }
            // It has promised a later epoch to somebody, so it can never follow this one; and whoever
            // that was may be leading. A leader gives way: the next epoch will be above both.
            // Not to an observer, though: it has no say. It refuses the epoch itself.
            Some(epoch) if accepted_epoch > epoch && !observes && !state.has_bug(Bug::SkipEpochCheck) => {
                out.trace(Trace::Fenced {
                    what: "own leadership",
                    peer: Some(server),
                    stale: epoch,
                    current: accepted_epoch,
                });
                return give_up("a follower has promised a later epoch");
            }
            Some(_) if observes && self.phase != Phase::Established => {}
            Some(_) => {
                if !matches!(self.phase, Phase::ChoosingEpoch { .. }) {
                    self.invite(conn, out);
                }
            }
        }
        STAY
    }

    /// Fixes the epoch once a quorum has introduced itself, and writes the own promise.
    pub(super) fn choose_epoch(&mut self, state: &mut State, out: &mut Out<'_>) {
        if self.phase != Phase::Discovery || !state.config.ensemble.is_quorum(&self.introduced) {
            return;
        }
        let Some(epoch) = self.highest_accepted.checked_add(1) else {
            return out.fatal("all 2^32 epochs are used up".to_owned());
        };
        self.epoch = Some(epoch);
        state.accept_epoch(epoch, out);
        let token = state.sync(out);
        self.enter(Phase::ChoosingEpoch { token });
    }

    /// The own promise is durable: now others may be asked for theirs.
    pub(super) fn propose_epoch(&mut self, state: &mut State, out: &mut Out<'_>) {
        let epoch = self.epoch.expect("the epoch was chosen");
        out.trace(Trace::EpochProposed { epoch });
        self.enter(Phase::EpochProposed);
        self.promised.insert(state.config.me);
        self.invite_all(false, out);
        self.enter_epoch_with_quorum(state, out);
    }

    /// Invites those who have introduced themselves and wait for it: followers or observers.
    pub(super) fn invite_all(&mut self, observers: bool, out: &mut Out<'_>) {
        let introduced: Vec<ConnId> = self
            .learners
            .iter()
            .filter(|(_, learner)| learner.stage == Stage::Introduced && learner.observes == observers)
            .map(|(conn, _)| *conn)
            .collect();
        for conn in introduced {
            self.invite(conn, out);
        }
    }

    /// LEADERINFO.
    fn invite(&mut self, conn: ConnId, out: &mut Out<'_>) {
        let epoch = self.epoch.expect("the epoch was chosen");
        if let Some(learner) = self.learners.get_mut(&conn) {
            learner.stage = Stage::Invited;
            // However long it was kept waiting, from now on it is its turn to speak.
            learner.heard_at = self.half_ticks;
            out.send(conn, QuorumMessage::LeaderInfo { epoch });
        }
    }

    /// ACKEPOCH: a promise (or none, if it was given before), and how new the learner's log is.
    pub(super) fn on_ack_epoch(
        &mut self,
        conn: ConnId,
        last_zxid: Zxid,
        current_epoch: Option<u32>,
        state: &mut State,
        out: &mut Out<'_>,
    ) -> Flow {
        let Some(learner) = self.learners.get_mut(&conn).filter(|learner| learner.stage == Stage::Invited)
        else {
            self.drop_learner(conn, "it acknowledged an epoch out of turn", out);
            return STAY;
        };
        // Nothing in its log and no promise: see `Follower::acknowledge_epoch`.
        let whole_tree = current_epoch.is_none() && last_zxid == Zxid::ZERO;
        learner.stage = Stage::Promised { last_zxid, whole_tree };
        // An observer is always here: it is invited by an established leader.
        if self.phase != Phase::EpochProposed {
            self.synchronize(conn, state, out);
            return STAY;
        }
        if let (Some(theirs), Some(server)) = (current_epoch, learner.server) {
            let newer = (theirs, last_zxid) > (state.current_epoch, state.log.last());
            if newer && !state.has_bug(Bug::ElectAny) {
                return give_up("a follower has a newer log");
            }
            self.promised.insert(server);
        }
        self.enter_epoch_with_quorum(state, out);
        STAY
    }

    /// Once a quorum has promised the epoch, the own log is the initial history of it.
    fn enter_epoch_with_quorum(&mut self, state: &mut State, out: &mut Out<'_>) {
        if self.phase != Phase::EpochProposed || !state.config.ensemble.is_quorum(&self.promised) {
            return;
        }
        let epoch = self.epoch.expect("the epoch was chosen");
        out.trace(Trace::EpochAcknowledged { epoch });
        // The log is durable: the sync before LEADERINFO covered it, and it has not grown since.
        state.enter_epoch(epoch, out);
        let token = state.sync(out);
        self.enter(Phase::EnteringEpoch { token });
        let promised: Vec<ConnId> = self
            .learners
            .iter()
            .filter(|(_, learner)| matches!(learner.stage, Stage::Promised { .. }))
            .map(|(conn, _)| *conn)
            .collect();
        for conn in promised {
            self.synchronize(conn, state, out);
        }
    }
}
