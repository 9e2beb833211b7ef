//! `sync` as a quorum operation.
//!
//! ZooKeeper's leader answers a sync from its own knowledge, so a leader that was deposed without
//! noticing answers too and the read behind it is stale (ZOOKEEPER-1675). Here a sync is answered only
//! after a quorum has answered a PING that was sent *after* the sync arrived:
//!
//! 1. the sync arrives at time t; every write acknowledged before t by this epoch is committed here;
//! 2. a quorum answers a later PING, so at some time after t each of them still followed this leader;
//! 3. a later epoch needs a quorum that has left this leader before it is established; the two quorums
//!    share a server, so at t no later epoch was established and none had acknowledged a write;
//! 4. the answer travels behind the COMMITs of everything proposed before t: the reader's server has
//!    applied all of it.
//!
//! PING and its answer are ZooKeeper's own packets, so Apache followers take part without knowing. One
//! round serves all syncs that arrived before it, at most one extra round is under way. Observers are
//! not asked: their answers count for nothing.

use super::{Leader, Learner, Phase};
use crate::bug::Bug;
use crate::clients::SyncRequest;
use crate::event::ConnId;
use crate::out::Out;
use crate::state::State;
use std::collections::VecDeque;
use zab_wire::quorum::QuorumMessage;
use zab_wire::{SessionId, Zxid};

/// Where a sync came from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Origin {
    /// A client of this server.
    Local(SyncRequest),
    /// A learner; it knows which client.
    Learner(ConnId),
    /// No sync but a session that goes on, here (`None`) or at a learner: it is let in when everything it
    /// asked for on its former connection is applied, so that no answer to that can be taken for a new one.
    Session { at: Option<ConnId>, session: SessionId, timeout_ms: i32 },
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct WaitingSync {
    origin: Origin,
    /// Everything proposed before it arrived.
    after: Zxid,
    /// The first round of pings sent after it arrived.
    round: u64,
}

/// Syncs and the rounds of pings they wait for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct QuorumSyncs {
    waiting: VecDeque<WaitingSync>,
    /// The last round sent.
    sent: u64,
    /// The last round that a quorum has answered.
    answered: u64,
}

impl QuorumSyncs {
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

impl Leader {
    /// A sync arrived.
    pub(super) fn on_sync(&mut self, origin: Origin, state: &mut State, out: &mut Out<'_>) {
        if self.phase != Phase::Established {
            return;
        }
        let under_way = self.syncs.answered < self.syncs.sent;
        // The planted bug answers at once, from what this server happens to have applied.
        let (after, round) = if state.has_bug(Bug::LocalSync) {
            (state.log.applied(), 0)
        } else {
            (state.log.last(), self.syncs.sent + 1)
        };
        self.syncs.waiting.push_back(WaitingSync { origin, after, round });
        if !under_way && round > 0 {
            self.start_ping_round(Learner::counts, state, out);
        }
        self.release_syncs(state, out);
    }

    /// A client goes on with its session at a learner or here.
    pub(super) fn on_revalidate(
        &mut self,
        at: Option<ConnId>,
        session: SessionId,
        timeout_ms: i32,
        state: &mut State,
        out: &mut Out<'_>,
    ) {
        self.sessions.own(session, at);
        let origin = Origin::Session { at, session, timeout_ms };
        self.syncs.waiting.push_back(WaitingSync { origin, after: state.log.last(), round: 0 });
        self.release_syncs(state, out);
    }

    /// Pings every learner of a kind.
    pub(super) fn start_ping_round(
        &mut self,
        whom: fn(&Learner) -> bool,
        state: &mut State,
        out: &mut Out<'_>,
    ) {
        self.syncs.sent += 1;
        for (conn, learner) in &mut self.learners {
            if whom(learner) {
                learner.pings.push_back(self.syncs.sent);
                out.send(*conn, QuorumMessage::Ping { zxid: self.last_proposed, touched: Vec::new() });
            }
        }
        self.count_answers(state, out);
    }

    /// A learner answered the oldest ping it had not answered.
    pub(super) fn on_pong(&mut self, conn: ConnId, state: &mut State, out: &mut Out<'_>) {
        let Some(learner) = self.learners.get_mut(&conn) else { return };
        let Some(round) = learner.pings.pop_front() else { return };
        learner.ponged = round;
        // An observer's answer changes no count, and a thousand of them must not cause a thousand counts.
        if learner.counts() {
            self.count_answers(state, out);
        }
    }

    fn count_answers(&mut self, state: &mut State, out: &mut Out<'_>) {
        let mut rounds: Vec<u64> = self
            .learners
            .values()
            .filter(|learner| learner.counts())
            .map(|learner| learner.ponged)
            .chain([self.syncs.sent])
            .collect();
        rounds.sort_unstable_by(|a, b| b.cmp(a));
        let answered = rounds.get(state.config.ensemble.quorum_size() - 1).copied().unwrap_or(0);
        if answered <= self.syncs.answered {
            return;
        }
        self.syncs.answered = answered;
        self.release_syncs(state, out);
        let more = self.syncs.waiting.back().is_some_and(|sync| sync.round > self.syncs.sent);
        if more && self.syncs.answered == self.syncs.sent {
            self.start_ping_round(Learner::counts, state, out);
        }
    }

    /// Answers the syncs whose time has come, oldest first.
    pub(super) fn release_syncs(&mut self, state: &mut State, out: &mut Out<'_>) {
        while let Some(sync) = self.syncs.waiting.front() {
            if sync.round > self.syncs.answered || sync.after > state.log.applied() {
                return;
            }
            let Some(WaitingSync { origin, .. }) = self.syncs.waiting.pop_front() else { return };
            match origin {
                Origin::Learner(conn) if self.learners.contains_key(&conn) => {
                    out.send(conn, QuorumMessage::Sync);
                }
                Origin::Learner(_) => {}
                Origin::Session { at, session, timeout_ms } => {
                    if at.is_some_and(|conn| !self.learners.contains_key(&conn)) {
                        continue;
                    }
                    let valid = self.revalidate(session, timeout_ms, state, out);
                    match at {
                        Some(conn) => out.send(conn, QuorumMessage::Revalidated { session, valid }),
                        None => state.clients.revalidated(session, valid, out),
                    }
                }
                Origin::Local(sync) => {
                    let view = state.view();
                    state.clients.synced(&sync, &state.tree, view, out);
                }
            }
        }
    }
}
