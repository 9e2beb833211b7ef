//! FOLLOWING and OBSERVING: a connection to the leader, and what is done with what it says
//! (`Learner`, `Follower`, `Observer`).
//!
//! The phases follow each other on one connection: [`discovery`] (promise an epoch),
//! [`synchronization`] (take over the initial history), [`broadcast`] (log, acknowledge, apply). Only in
//! the last do the two kinds differ in more than how they introduce themselves: see [`observer`].

mod broadcast;
mod discovery;
mod observer;
mod synchronization;

use crate::bug::Bug;
use crate::clients::{Submission, SyncRequest};
use crate::event::{ConnId, Effect, SyncToken};
use crate::out::{Flow, Out, STAY, give_up};
use crate::state::{Incoming, State};
use crate::trace::Trace;
use std::collections::VecDeque;
use zab_wire::election::PeerState;
use zab_wire::quorum::QuorumMessage;
use zab_wire::{ServerId, Zxid};

/// What a learner is to its leader (`LearnerType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// It votes, and its acknowledgements count.
    Follower,
    /// It does neither, and learns of transactions when they are committed.
    Observer,
}

/// How far this learner is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Phase {
    /// Waiting for the connection.
    Connecting,
    /// FOLLOWERINFO or OBSERVERINFO is sent; waiting for LEADERINFO.
    Introduced,
    /// The promise of an epoch is on its way to disk; ACKEPOCH follows. `None`: it was promised before.
    Promising { token: SyncToken, current_epoch: Option<u32> },
    /// Waiting for DIFF, TRUNC or SNAP.
    Promised,
    /// The disk cuts the log; what arrives meanwhile waits.
    Truncating { held: VecDeque<QuorumMessage> },
    /// Receiving the initial history.
    Synchronizing,
    /// NEWLEADER is here; the history is on its way to disk.
    TakingOver { token: SyncToken },
    /// The history is durable; currentEpoch is on its way to disk. ACK follows.
    EnteringEpoch { token: SyncToken },
    /// NEWLEADER is acknowledged; waiting for UPTODATE.
    Acknowledged,
    /// Serving clients.
    Serving,
}

/// A follower or observer of one leader.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Learner {
    kind: Kind,
    leader: ServerId,
    conn: ConnId,
    phase: Phase,
    /// What came with SNAP and behind it, until NEWLEADER says that this is all.
    incoming: Option<Box<Incoming>>,
    /// The leader's epoch, from LEADERINFO on.
    epoch: Option<u32>,
    /// Known to be committed up to here (applied once serving).
    committed: Zxid,
    /// Proposals are acknowledged up to here; means nothing to an observer.
    acked: Zxid,
    /// Half ticks without a word from the leader.
    silent: u64,
    /// Syncs under way to the leader, oldest first: its answers carry no name.
    syncs: VecDeque<SyncRequest>,
}

impl Learner {
    /// Begins to follow or observe: opens the connection.
    pub(crate) fn start(leader: ServerId, state: &mut State, out: &mut Out<'_>) -> Self {
        let conn = state.new_conn();
        out.effects.push(Effect::Connect { conn, leader });
        Self {
            kind: if state.config.observes() { Kind::Observer } else { Kind::Follower },
            leader,
            conn,
            phase: Phase::Connecting,
            incoming: None,
            epoch: None,
            committed: Zxid::ZERO,
            acked: Zxid::ZERO,
            silent: 0,
            syncs: VecDeque::new(),
        }
    }

    pub(crate) fn peer_state(&self) -> PeerState {
        match self.kind {
            Kind::Follower => PeerState::Following,
            Kind::Observer => PeerState::Observing,
        }
    }

    pub(crate) fn leader(&self) -> ServerId {
        self.leader
    }

    pub(crate) fn epoch(&self) -> Option<u32> {
        self.epoch
    }

    pub(crate) fn serving(&self) -> bool {
        self.phase == Phase::Serving
    }

    pub(crate) fn pending_syncs(&self) -> usize {
        self.syncs.len()
    }

    /// The connection stands.
    pub(crate) fn on_up(&mut self, conn: ConnId, state: &State, out: &mut Out<'_>) -> Flow {
        if conn == self.conn && self.phase == Phase::Connecting {
            self.silent = 0;
            self.introduce(state, out);
        }
        STAY
    }

    /// A connection broke.
    pub(crate) fn on_down(&self, conn: ConnId) -> Flow {
        if conn == self.conn { give_up("the connection to the leader broke") } else { STAY }
    }

    /// Half a tick has passed.
    pub(crate) fn on_half_tick(&mut self, state: &State) -> Flow {
        self.silent += 1;
        let timing = &state.config.timing;
        let limit_ms = match self.phase {
            Phase::Acknowledged | Phase::Serving => timing.sync_limit_ms,
            Phase::Connecting
            | Phase::Introduced
            | Phase::Promising { .. }
            | Phase::Promised
            | Phase::Truncating { .. }
            | Phase::Synchronizing
            | Phase::TakingOver { .. }
            | Phase::EnteringEpoch { .. } => timing.init_limit_ms,
        };
        if self.silent * timing.tick_ms > 2 * limit_ms {
            give_up("the leader was silent too long")
        } else {
            STAY
        }
    }

    /// A message of the leader.
    pub(crate) fn on_message(
        &mut self,
        conn: ConnId,
        message: QuorumMessage,
        state: &mut State,
        out: &mut Out<'_>,
    ) -> Flow {
        if conn != self.conn {
            return STAY;
        }
        self.silent = 0;
        match self.phase {
            Phase::Connecting | Phase::Promising { .. } => misbehaved("spoke out of turn", out),
            Phase::Introduced => self.on_leader_info(&message, state, out),
            Phase::Promised => self.on_sync_mode(message, state, out),
            Phase::Truncating { ref mut held } => {
                held.push_back(message);
                STAY
            }
            Phase::Synchronizing => self.on_history(message, state, out),
            Phase::TakingOver { .. } | Phase::EnteringEpoch { .. } | Phase::Acknowledged => {
                self.on_stream(message, state, out)
            }
            Phase::Serving => self.on_broadcast(message, state, out),
        }
    }

    /// Something is durable.
    pub(crate) fn on_synced(&mut self, token: SyncToken, state: &mut State, out: &mut Out<'_>) -> Flow {
        match self.phase {
            Phase::Promising { token: awaited, current_epoch } if token >= awaited => {
                self.acknowledge_epoch(current_epoch, state, out);
            }
            Phase::TakingOver { token: awaited } if token >= awaited => self.enter_epoch(state, out),
            Phase::EnteringEpoch { token: awaited } if token >= awaited => {
                self.acknowledge_new_leader(state, out);
            }
            Phase::Acknowledged | Phase::Serving => self.acknowledge_proposals(state, out),
            Phase::Connecting
            | Phase::Introduced
            | Phase::Promising { .. }
            | Phase::Promised
            | Phase::Truncating { .. }
            | Phase::Synchronizing
            | Phase::TakingOver { .. }
            | Phase::EnteringEpoch { .. } => {}
        }
        STAY
    }

    /// The disk has cut the log; what arrived meanwhile has its turn.
    pub(crate) fn on_truncated(&mut self, state: &mut State, out: &mut Out<'_>) -> Flow {
        let Phase::Truncating { held } = &mut self.phase else { return STAY };
        let held = std::mem::take(held);
        self.phase = Phase::Synchronizing;
        for message in held {
            self.on_message(self.conn, message, state, out)?;
        }
        STAY
    }

    /// A client of this server wants something of the ensemble.
    pub(crate) fn submit(&mut self, submission: Submission, out: &mut Out<'_>) {
        let message = match submission {
            Submission::Write(request) => QuorumMessage::Request(request),
            Submission::Sync(sync) => {
                let request = sync.to_forwarded();
                self.syncs.push_back(sync);
                QuorumMessage::Request(request)
            }
            Submission::Revalidate { session, timeout_ms } => {
                QuorumMessage::Revalidate { session, timeout_ms }
            }
        };
        out.send(self.conn, message);
    }

    /// Gives up: nothing of this leader is to be heard any more.
    pub(crate) fn leave(self, state: &mut State, out: &mut Out<'_>) {
        if state.has_bug(Bug::SkipEpochCheck) && self.phase == Phase::Serving {
            state.ghosts.insert(self.conn);
        } else {
            out.close(self.conn);
        }
    }
}

/// The planted bug `skip-epoch-check`: a former leader is obeyed, whatever its epoch.
pub(crate) fn obey_ghost(conn: ConnId, message: &QuorumMessage, out: &mut Out<'_>) {
    match message {
        QuorumMessage::Proposal { zxid, .. } => out.send(conn, QuorumMessage::Ack { zxid: *zxid }),
        QuorumMessage::Ping { zxid, .. } => {
            out.send(conn, QuorumMessage::Ping { zxid: *zxid, touched: Vec::new() });
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
        | QuorumMessage::Commit { .. }
        | QuorumMessage::Inform { .. }
        | QuorumMessage::Request(_)
        | QuorumMessage::Revalidate { .. }
        | QuorumMessage::Revalidated { .. }
        | QuorumMessage::Sync
        | QuorumMessage::Unsupported { .. } => {}
    }
}

/// The leader broke the protocol: away from it.
fn misbehaved(what: &'static str, out: &mut Out<'_>) -> Flow {
    out.trace(Trace::PeerMisbehaved { what });
    give_up("the leader broke the protocol")
}
