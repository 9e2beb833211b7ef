//! LEADING: from a candidate with followers to an established leader (`Leader`, `LearnerHandler`).
//!
//! Three barriers, each needs a quorum and must be passed within initLimit: FOLLOWERINFO
//! ([`discovery`]: the epoch is chosen), ACKEPOCH (the epoch is promised, the leader's log is the
//! newest), NEWLEADER's ACK ([`synchronization`]: the initial history is durable). Then [`broadcast`].
//!
//! Observers are learners that carry no weight: no barrier, commit, sync or life sign counts them. What
//! comes after OBSERVERINFO has to wait for them until the leader is established
//! ([`crate::learner`] says what that is good for).

mod broadcast;
mod discovery;
mod learner;
mod quorum_sync;
mod sessions;
mod synchronization;

use crate::bug::Bug;
use crate::clients::Submission;
use crate::event::{ConnId, SyncToken};
use crate::out::{Flow, Out, STAY, give_up};
use crate::prepare::Outstanding;
use crate::state::State;
use crate::trace::Trace;
use learner::{Learner, Stage};
use quorum_sync::{Origin, QuorumSyncs};
use sessions::Sessions;
use std::collections::{BTreeMap, BTreeSet};
use zab_wire::client::OpCode;
use zab_wire::quorum::QuorumMessage;
use zab_wire::txn::ForwardedRequest;
use zab_wire::{ServerId, Zxid};

/// How far this leader is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Phase {
    /// Waiting for FOLLOWERINFO of a quorum.
    Discovery,
    /// The chosen epoch is on its way to disk; LEADERINFO follows.
    ChoosingEpoch { token: SyncToken },
    /// Waiting for ACKEPOCH of a quorum.
    EpochProposed,
    /// currentEpoch is on its way to disk; learners are synchronized meanwhile.
    EnteringEpoch { token: SyncToken },
    /// Waiting for NEWLEADER's ACK of a quorum.
    Synchronizing,
    /// Leading.
    Established,
}

/// A server that was elected.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Leader {
    phase: Phase,
    /// The epoch of this leadership, once chosen.
    epoch: Option<u32>,
    /// The highest acceptedEpoch among those who introduced themselves.
    highest_accepted: u32,
    /// Which voters introduced themselves (self included).
    introduced: BTreeSet<ServerId>,
    /// Which voters promised the epoch (self included).
    promised: BTreeSet<ServerId>,
    /// Which voters have the initial history on disk (self included).
    took_over: BTreeSet<ServerId>,
    learners: BTreeMap<ConnId, Learner>,
    /// The last zxid given away; `epoch << 32` before the first.
    last_proposed: Zxid,
    outstanding: Outstanding,
    syncs: QuorumSyncs,
    sessions: Sessions,
    /// Half ticks of this leadership, and of its present phase.
    half_ticks: u64,
    phase_half_ticks: u64,
    /// The planted bug `double-apply`: a request that is proposed again after so many others.
    again: Option<(u32, ForwardedRequest)>,
}

impl Leader {
    /// Begins to lead: waits for followers.
    pub(crate) fn start(state: &mut State, out: &mut Out<'_>) -> Self {
        let mut leader = Self {
            phase: Phase::Discovery,
            epoch: None,
            highest_accepted: state.accepted_epoch,
            introduced: BTreeSet::from([state.config.me]),
            promised: BTreeSet::new(),
            took_over: BTreeSet::new(),
            learners: BTreeMap::new(),
            last_proposed: Zxid::ZERO,
            outstanding: Outstanding::default(),
            syncs: QuorumSyncs::default(),
            sessions: Sessions::default(),
            half_ticks: 0,
            phase_half_ticks: 0,
            again: None,
        };
        leader.choose_epoch(state, out);
        leader
    }

    pub(crate) fn epoch(&self) -> Option<u32> {
        self.epoch
    }

    pub(crate) fn established(&self) -> bool {
        self.phase == Phase::Established
    }

    /// Learners connected, and the followers among them that are up to date.
    pub(crate) fn learner_counts(&self) -> (usize, usize) {
        (self.learners.len(), self.synced_followers().count())
    }

    fn synced_followers(&self) -> impl Iterator<Item = &Learner> {
        self.learners.values().filter(|learner| learner.stage == Stage::Serving && !learner.observes)
    }

    pub(crate) fn pending_syncs(&self) -> usize {
        self.syncs.waiting()
    }

    /// Proposals that are not committed.
    pub(crate) fn outstanding(&self, state: &State) -> usize {
        state.log.after(state.log.applied()).count()
    }

    /// A learner connected.
    pub(crate) fn on_up(&mut self, conn: ConnId) {
        self.learners.insert(conn, Learner::new(self.half_ticks));
    }

    /// A learner's connection broke.
    pub(crate) fn on_down(&mut self, conn: ConnId, out: &mut Out<'_>) {
        if let Some(Learner { server: Some(learner), .. }) = self.learners.remove(&conn) {
            out.trace(Trace::LearnerDropped { learner, reason: "its connection broke" });
        }
    }

    /// A message of a learner.
    pub(crate) fn on_message(
        &mut self,
        conn: ConnId,
        message: QuorumMessage,
        state: &mut State,
        out: &mut Out<'_>,
    ) -> Flow {
        let Some(learner) = self.learners.get_mut(&conn) else { return STAY };
        learner.heard_at = self.half_ticks;
        match message {
            QuorumMessage::FollowerInfo { accepted_epoch, server, .. } => {
                self.on_introduction(conn, false, accepted_epoch, server, state, out)
            }
            QuorumMessage::ObserverInfo { accepted_epoch, server, .. } => {
                self.on_introduction(conn, true, accepted_epoch, server, state, out)
            }
            QuorumMessage::AckEpoch { last_zxid, current_epoch } => {
                self.on_ack_epoch(conn, last_zxid, current_epoch, state, out)
            }
            QuorumMessage::Ack { zxid } => self.on_ack(conn, zxid, state, out),
            QuorumMessage::Ping { touched, .. } => {
                for (session, timeout_ms) in touched {
                    self.touch(session, timeout_ms, state, out);
                }
                self.on_pong(conn, state, out);
                STAY
            }
            QuorumMessage::Request(request) if learner.stage == Stage::Serving => {
                if request.op == OpCode::Sync.code() {
                    self.on_sync(Origin::Learner(conn), state, out);
                    return STAY;
                }
                self.propose_from(Some(conn), &request, state, out)
            }
            QuorumMessage::Revalidate { session, timeout_ms } if learner.stage == Stage::Serving => {
                self.on_revalidate(Some(conn), session, timeout_ms, state, out);
                STAY
            }
            QuorumMessage::Request(_)
            | QuorumMessage::Revalidate { .. }
            | QuorumMessage::LeaderInfo { .. }
            | QuorumMessage::Diff { .. }
            | QuorumMessage::Trunc { .. }
            | QuorumMessage::Snap { .. }
            | QuorumMessage::NewLeader { .. }
            | QuorumMessage::UpToDate
            | QuorumMessage::Proposal { .. }
            | QuorumMessage::Commit { .. }
            | QuorumMessage::Inform { .. }
            | QuorumMessage::Revalidated { .. }
            | QuorumMessage::Sync
            | QuorumMessage::Unsupported { .. } => {
                self.drop_learner(conn, "it broke the protocol", out);
                STAY
            }
        }
    }

    /// Something is durable.
    pub(crate) fn on_synced(&mut self, token: SyncToken, state: &mut State, out: &mut Out<'_>) -> Flow {
        match self.phase {
            Phase::ChoosingEpoch { token: awaited } if token >= awaited => {
                self.propose_epoch(state, out);
            }
            Phase::EnteringEpoch { token: awaited } if token >= awaited => {
                self.enter(Phase::Synchronizing);
                self.took_over.insert(state.config.me);
                self.establish_with_quorum(state, out);
            }
            Phase::Established => self.commit_what_a_quorum_has(state, out),
            Phase::Discovery
            | Phase::ChoosingEpoch { .. }
            | Phase::EpochProposed
            | Phase::EnteringEpoch { .. }
            | Phase::Synchronizing => {}
        }
        STAY
    }

    /// Half a tick has passed: pings, time limits, and once a tick whether a quorum is still there.
    ///
    /// Limits are counted in ticks of this process, as ZooKeeper counts them, not by the clock: a
    /// process that was stopped has not been waiting.
    pub(crate) fn on_half_tick(&mut self, state: &mut State, out: &mut Out<'_>) -> Flow {
        self.half_ticks += 1;
        self.phase_half_ticks += 1;
        let timing = state.config.timing;
        if self.phase != Phase::Established {
            // Who has acknowledged NEWLEADER expects a sign of life each syncLimit while others take longer.
            self.start_ping_round(Learner::has_taken_over, state, out);
            if self.phase_half_ticks * timing.tick_ms > 2 * timing.init_limit_ms {
                return give_up("no quorum of followers within initLimit");
            }
            return STAY;
        }
        self.start_ping_round(Learner::has_taken_over, state, out);
        self.drop_silent_learners(state, out);
        for (session, timeout_ms) in state.clients.take_touched() {
            self.touch(session, timeout_ms, state, out);
        }
        if !self.half_ticks.is_multiple_of(2) {
            return STAY;
        }
        self.expire_sessions(state, out)?;
        let mut synced: BTreeSet<ServerId> =
            self.synced_followers().filter_map(|learner| learner.server).collect();
        synced.insert(state.config.me);
        if state.config.ensemble.is_quorum(&synced) {
            STAY
        } else {
            give_up("a quorum of followers was lost")
        }
    }

    /// A client of this server wants something of the ensemble.
    pub(crate) fn submit(&mut self, submission: Submission, state: &mut State, out: &mut Out<'_>) -> Flow {
        match submission {
            Submission::Write(request) => self.propose_from(None, &request, state, out),
            Submission::Sync(sync) => {
                self.on_sync(Origin::Local(sync), state, out);
                STAY
            }
            Submission::Revalidate { session, timeout_ms } => {
                self.on_revalidate(None, session, timeout_ms, state, out);
                STAY
            }
        }
    }

    /// A vote that names a later epoch: whoever sent it has moved on, so this leadership is over.
    pub(crate) fn on_later_epoch(&self, from: ServerId, seen: u32, state: &State, out: &mut Out<'_>) -> Flow {
        let own = self.epoch.unwrap_or(state.current_epoch);
        if seen <= own || state.has_bug(Bug::SkipEpochCheck) {
            return STAY;
        }
        out.trace(Trace::Fenced { what: "own leadership", peer: Some(from), stale: own, current: seen });
        give_up("a later epoch was seen")
    }

    /// Gives up: all learners must find another leader.
    pub(crate) fn leave(self, out: &mut Out<'_>) {
        for conn in self.learners.into_keys() {
            out.close(conn);
        }
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.phase_half_ticks = 0;
    }

    fn drop_learner(&mut self, conn: ConnId, reason: &'static str, out: &mut Out<'_>) {
        let Some(learner) = self.learners.remove(&conn) else { return };
        out.close(conn);
        if let Some(learner) = learner.server {
            out.trace(Trace::LearnerDropped { learner, reason });
        }
    }

    fn drop_silent_learners(&mut self, state: &State, out: &mut Out<'_>) {
        let timing = &state.config.timing;
        let silent: Vec<(ConnId, &'static str)> = self
            .learners
            .iter()
            .filter_map(|(conn, learner)| Some((*conn, learner.overdue(self.half_ticks, timing)?)))
            .collect();
        for (conn, reason) in silent {
            self.drop_learner(conn, reason, out);
        }
    }
}
