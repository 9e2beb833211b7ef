//! Phase 1 from the learner's side: promise the leader's epoch, durably, and say what one has
//! (Zab paper §IV.A, `Learner.registerWithLeader`).

use super::{Kind, Learner, Phase, misbehaved};
use crate::bug::Bug;
use crate::out::{Flow, Out, STAY, give_up};
use crate::state::State;
use crate::trace::Trace;
use zab_wire::Zxid;
use zab_wire::quorum::QuorumMessage;

impl Learner {
    /// FOLLOWERINFO or OBSERVERINFO: who one is and the highest epoch one has promised.
    pub(super) fn introduce(&mut self, state: &State, out: &mut Out<'_>) {
        let (accepted_epoch, server, config_version) = (state.accepted_epoch, state.config.me, 0);
        out.send(
            self.conn,
            match self.kind {
                Kind::Follower => QuorumMessage::FollowerInfo { accepted_epoch, server, config_version },
                Kind::Observer => QuorumMessage::ObserverInfo { accepted_epoch, server, config_version },
            },
        );
        self.phase = Phase::Introduced;
    }

    pub(super) fn on_leader_info(
        &mut self,
        message: &QuorumMessage,
        state: &mut State,
        out: &mut Out<'_>,
    ) -> Flow {
        let QuorumMessage::LeaderInfo { epoch } = *message else {
            return misbehaved("did not begin with LEADERINFO", out);
        };
        let promised = state.accepted_epoch;
        if epoch < promised && !state.has_bug(Bug::SkipEpochCheck) {
            out.trace(Trace::Fenced {
                what: "LEADERINFO",
                peer: Some(self.leader),
                stale: epoch,
                current: promised,
            });
            return give_up("the leader's epoch is below the one promised");
        }
        self.epoch = Some(epoch);
        // An epoch promised before is not promised again: this server may have promised it to another
        // candidate, so -1 tells the leader not to count it (`Learner.registerWithLeader`).
        let current_epoch = (epoch != promised).then_some(state.current_epoch);
        if current_epoch.is_some() {
            state.accept_epoch(epoch, out);
        }
        // Also the log must be durable up to the zxid that ACKEPOCH names; an observer may have applied more
        // than its disk had finished.
        self.phase = Phase::Promising { token: state.sync(out), current_epoch };
        STAY
    }

    pub(super) fn acknowledge_epoch(&mut self, current_epoch: Option<u32>, state: &State, out: &mut Out<'_>) {
        if let (Some(epoch), Some(_)) = (self.epoch, current_epoch) {
            out.trace(Trace::EpochAccepted { epoch, leader: self.leader });
        }
        // A server that needs the whole tree says that it has nothing, and that its promise is not to be
        // counted: what it has must not be overlooked by a leader that relies on its word.
        let message = if state.needs_whole_tree {
            QuorumMessage::AckEpoch { last_zxid: Zxid::ZERO, current_epoch: None }
        } else {
            QuorumMessage::AckEpoch { last_zxid: state.log.last(), current_epoch }
        };
        out.send(self.conn, message);
        self.phase = Phase::Promised;
    }
}
