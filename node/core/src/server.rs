//! A server: one state, one role at a time, and what leads from one role to the next
//! (`QuorumPeer.run`).

use crate::clients::Submission;
use crate::config::Config;
use crate::election::Election;
use crate::event::{ClientId, ConnId, Effect, Event, Now};
use crate::leader::Leader;
use crate::learner::{Learner, obey_ghost};
use crate::out::{Flow, Out, STAY};
use crate::state::State;
use crate::trace::Trace;
use crate::vote::notification;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use zab_wire::client::RequestHeader;
use zab_wire::election::{Notification, PeerState};
use zab_wire::quorum::QuorumMessage;
use zab_wire::{ServerId, Zxid};

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Role {
    /// Not started, or waiting for its own disk.
    Down,
    Looking(Election),
    Learning(Box<Learner>),
    Leading(Box<Leader>),
}

/// What a server tells about itself (`srvr`, `mntr`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Which server.
    pub me: ServerId,
    /// Its state.
    pub state: PeerState,
    /// Whether it serves clients.
    pub serving: bool,
    /// The leader, itself included; `None` while LOOKING.
    pub leader: Option<ServerId>,
    /// currentEpoch
    pub current_epoch: u32,
    /// acceptedEpoch
    pub accepted_epoch: u32,
    /// The zxid of its answers.
    pub zxid: Zxid,
    /// Znodes.
    pub node_count: usize,
    /// Bytes of paths and data.
    pub data_size: usize,
    /// Sessions of the ensemble.
    pub sessions: usize,
    /// Requests of this server's clients under way; for a leader at least the uncommitted proposals.
    pub outstanding: usize,
    /// Learners connected (leader only).
    pub learners: usize,
    /// Followers that are up to date (leader only).
    pub synced_followers: usize,
    /// Syncs under way.
    pub pending_syncs: usize,
}

/// One server of the ensemble, as a state machine. See [`crate::event`] for the contract.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Server {
    state: State,
    role: Role,
    /// Learners that connected before this server knew that it leads, and what they said: their
    /// election was a little faster. They wait until ours is decided.
    early: BTreeMap<ConnId, Vec<QuorumMessage>>,
    next_half_tick: u64,
}

impl Server {
    /// A server that has not started.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { state: State::new(config), role: Role::Down, early: BTreeMap::new(), next_half_tick: 0 }
    }

    /// Handles one event; appends what is to be done to `effects`.
    pub fn step(&mut self, now: Now, event: Event, effects: &mut Vec<Effect>) {
        let mut out = Out { now, effects };
        let mut flow = self.handle(event, &mut out);
        while let (ControlFlow::Continue(()), Some(submission)) = (flow, self.state.clients.take_ready()) {
            flow = self.submit(submission, &mut out);
        }
        self.go(flow, &mut out);
    }

    /// When the next [`Event::Tick`] is due, ms on the monotonic clock of [`Now`]; `None` before the start.
    #[must_use]
    pub fn next_deadline(&self) -> Option<u64> {
        match &self.role {
            Role::Down => None,
            Role::Looking(election) => Some(election.deadline()),
            Role::Learning(_) | Role::Leading(_) => Some(self.next_half_tick),
        }
    }

    /// What the server tells about itself.
    #[must_use]
    pub fn status(&self) -> Status {
        let state = &self.state;
        let mut status = Status {
            me: state.config.me,
            state: self.peer_state(),
            serving: self.serving(),
            leader: None,
            current_epoch: state.current_epoch,
            accepted_epoch: state.accepted_epoch,
            zxid: state.view(),
            node_count: state.tree.node_count(),
            data_size: state.tree.data_size(),
            sessions: state.tree.sessions().len(),
            outstanding: state.clients.outstanding(),
            learners: 0,
            synced_followers: 0,
            pending_syncs: 0,
        };
        match &self.role {
            Role::Down | Role::Looking(_) => {}
            Role::Learning(learner) => {
                status.leader = Some(learner.leader());
                status.pending_syncs = learner.pending_syncs();
            }
            Role::Leading(leader) => {
                status.leader = Some(state.config.me);
                (status.learners, status.synced_followers) = leader.learner_counts();
                status.outstanding = status.outstanding.max(leader.outstanding(state));
                status.pending_syncs = leader.pending_syncs();
            }
        }
        status
    }

    /// The last zxid applied to the tree.
    #[must_use]
    pub fn applied(&self) -> Zxid {
        self.state.log.applied()
    }

    /// The last zxid of the log, applied or not, durable or not.
    #[must_use]
    pub fn logged(&self) -> Zxid {
        self.state.log.last()
    }

    /// A number that stands for everything in the tree: equal trees have equal digests, and trees that
    /// differ do so with a chance of 1 in 2^64 only (ZooKeeper's `DigestCalculator`, with another hash).
    #[must_use]
    pub fn tree_digest(&self) -> u64 {
        self.state.tree.digest()
    }

    /// acceptedEpoch and currentEpoch, as they are or soon will be on disk.
    #[must_use]
    pub fn epochs(&self) -> (u32, u32) {
        (self.state.accepted_epoch, self.state.current_epoch)
    }

    /// The epoch this server leads or follows, once it is known.
    #[must_use]
    pub fn epoch(&self) -> Option<u32> {
        match &self.role {
            Role::Down | Role::Looking(_) => None,
            Role::Learning(learner) => learner.epoch(),
            Role::Leading(leader) => leader.epoch(),
        }
    }

    /// Its state, as in its votes.
    #[must_use]
    pub fn peer_state(&self) -> PeerState {
        match &self.role {
            Role::Down | Role::Looking(_) => PeerState::Looking,
            Role::Learning(learner) => learner.peer_state(),
            Role::Leading(_) => PeerState::Leading,
        }
    }

    /// Whether it serves clients: an established leader, or a learner that is up to date with one.
    #[must_use]
    pub fn serving(&self) -> bool {
        match &self.role {
            Role::Down | Role::Looking(_) => false,
            Role::Learning(learner) => learner.serving(),
            Role::Leading(leader) => leader.established(),
        }
    }

    fn handle(&mut self, event: Event, out: &mut Out<'_>) -> Flow {
        let state = &mut self.state;
        match event {
            Event::Start(recovered) => {
                state.load(recovered, out);
                ControlFlow::Break("it starts")
            }
            Event::Tick => self.on_tick(out),
            Event::Notification { from, message } => self.on_notification(from, &message, out),
            Event::LearnerUp { conn } => {
                match &mut self.role {
                    Role::Leading(leader) => leader.on_up(conn),
                    Role::Looking(_) => {
                        self.early.insert(conn, Vec::new());
                    }
                    Role::Down | Role::Learning(_) => out.close(conn),
                }
                STAY
            }
            Event::LeaderUp { conn } => match &mut self.role {
                Role::Learning(learner) => learner.on_up(conn, state, out),
                Role::Down | Role::Looking(_) | Role::Leading(_) => {
                    out.close(conn);
                    STAY
                }
            },
            Event::ConnDown { conn } => {
                self.early.remove(&conn);
                state.ghosts.remove(&conn);
                match &mut self.role {
                    Role::Learning(learner) => learner.on_down(conn),
                    Role::Leading(leader) => {
                        leader.on_down(conn, out);
                        STAY
                    }
                    Role::Down | Role::Looking(_) => STAY,
                }
            }
            Event::Packet { conn, message } => self.on_packet(conn, message, out),
            Event::Synced { token } => {
                state.synced(token);
                match &mut self.role {
                    Role::Learning(learner) => learner.on_synced(token, state, out),
                    Role::Leading(leader) => leader.on_synced(token, state, out),
                    Role::Down | Role::Looking(_) => STAY,
                }
            }
            Event::Truncated { recovered } => {
                state.truncating = false;
                state.reload(recovered, out);
                match &mut self.role {
                    Role::Learning(learner) => learner.on_truncated(state, out),
                    // The leader was lost while the disk cut the log.
                    Role::Down | Role::Looking(_) | Role::Leading(_) => {
                        ControlFlow::Break("the log is cut, it may take part again")
                    }
                }
            }
            Event::TruncationImpossible => {
                state.truncating = false;
                state.needs_whole_tree = true;
                ControlFlow::Break("its log cannot be cut there, it needs the whole tree")
            }
            Event::ClientConnect { client, request } => {
                if !self.serving() {
                    out.close_client(client);
                    return STAY;
                }
                let state = &mut self.state;
                let view = state.view();
                match state.clients.connect(client, &request, &state.config, view, out) {
                    Some(submission) => self.submit(submission, out),
                    None => STAY,
                }
            }
            Event::ClientRequest { client, header, body } => self.on_request(client, header, &body, out),
            Event::ClientGone { client } => {
                state.clients.gone(client);
                STAY
            }
        }
    }

    fn on_request(
        &mut self,
        client: ClientId,
        header: RequestHeader,
        body: &Bytes,
        out: &mut Out<'_>,
    ) -> Flow {
        if !self.serving() {
            out.close_client(client);
            return STAY;
        }
        let state = &mut self.state;
        let view = state.view();
        match state.clients.request(client, header, body, &state.tree, view, out) {
            Some(submission) => self.submit(submission, out),
            None => STAY,
        }
    }

    fn submit(&mut self, submission: Submission, out: &mut Out<'_>) -> Flow {
        match &mut self.role {
            Role::Learning(learner) => {
                learner.submit(submission, out);
                STAY
            }
            Role::Leading(leader) => leader.submit(submission, &mut self.state, out),
            Role::Down | Role::Looking(_) => STAY,
        }
    }

    fn on_packet(&mut self, conn: ConnId, message: QuorumMessage, out: &mut Out<'_>) -> Flow {
        if self.state.ghosts.contains(&conn) {
            obey_ghost(conn, &message, out);
            return STAY;
        }
        match (&mut self.role, conn) {
            (Role::Leading(leader), ConnId::Inbound(_)) => {
                leader.on_message(conn, message, &mut self.state, out)
            }
            (Role::Learning(learner), ConnId::Outbound(_)) => {
                // Silence is counted from the leader's last word, not from this server's own ticks: so its
                // followers notice its death together, and hold one election instead of one after another.
                self.next_half_tick = out.now.mono_ms + (self.state.config.timing.tick_ms / 2).max(1);
                learner.on_message(conn, message, &mut self.state, out)
            }
            (Role::Looking(_), ConnId::Inbound(_)) => {
                if let Some(said) = self.early.get_mut(&conn) {
                    said.push(message);
                }
                STAY
            }
            // Of a role that is over; its connection is being closed.
            (Role::Down | Role::Looking(_) | Role::Learning(_) | Role::Leading(_), _) => STAY,
        }
    }

    fn on_notification(&mut self, from: ServerId, message: &Notification, out: &mut Out<'_>) -> Flow {
        let state = &mut self.state;
        match &mut self.role {
            Role::Down => STAY,
            Role::Looking(election) => match election.on_notification(from, message, state, out) {
                Some(leader) => self.elected(leader, out),
                None => STAY,
            },
            Role::Learning(_) | Role::Leading(_) => {
                if message.state == PeerState::Looking {
                    self.tell_vote(from, out);
                }
                if let (Role::Leading(leader), Ok(seen)) = (&self.role, u32::try_from(message.peer_epoch))
                    && self.state.config.ensemble.is_voter(from)
                {
                    return leader.on_later_epoch(from, seen, &self.state, out);
                }
                STAY
            }
        }
    }

    /// Answers a server that is LOOKING with the vote of the last election.
    fn tell_vote(&self, to: ServerId, out: &mut Out<'_>) {
        if let Some(vote) = self.state.settled_vote {
            out.notify(to, notification(self.peer_state(), vote, self.state.round, &self.state.config));
        }
    }

    fn on_tick(&mut self, out: &mut Out<'_>) -> Flow {
        if let Role::Looking(election) = &mut self.role {
            return match election.on_tick(&self.state, out) {
                Some(leader) => self.elected(leader, out),
                None => STAY,
            };
        }
        if out.now.mono_ms < self.next_half_tick {
            return STAY;
        }
        self.next_half_tick = out.now.mono_ms + self.half_tick_ms();
        match &mut self.role {
            Role::Down | Role::Looking(_) => STAY,
            Role::Learning(learner) => learner.on_half_tick(&self.state),
            Role::Leading(leader) => leader.on_half_tick(&mut self.state, out),
        }
    }

    fn half_tick_ms(&self) -> u64 {
        (self.state.config.timing.tick_ms / 2).max(1)
    }

    /// The election is decided: lead, follow or observe.
    fn elected(&mut self, leader: ServerId, out: &mut Out<'_>) -> Flow {
        let state = &mut self.state;
        state.settled_vote = match &self.role {
            Role::Looking(election) => Some(election.vote_for(leader)),
            Role::Down | Role::Learning(_) | Role::Leading(_) => None,
        };
        self.next_half_tick = out.now.mono_ms + (state.config.timing.tick_ms / 2).max(1);
        let early = std::mem::take(&mut self.early);
        if leader != state.config.me {
            for conn in early.into_keys() {
                out.close(conn);
            }
            let (entered, reason) = if state.config.observes() {
                (PeerState::Observing, "the voters have elected")
            } else {
                (PeerState::Following, "it was outvoted")
            };
            out.trace(Trace::State { state: entered, reason });
            self.role = Role::Learning(Box::new(Learner::start(leader, state, out)));
            return STAY;
        }
        out.trace(Trace::State { state: PeerState::Leading, reason: "it was elected" });
        self.role = Role::Leading(Box::new(Leader::start(state, out)));
        // All of them first: should this leadership end within the loop, it closes every one.
        for conn in early.keys() {
            self.handle(Event::LearnerUp { conn: *conn }, out)?;
        }
        for (conn, said) in early {
            for message in said {
                self.on_packet(conn, message, out)?;
            }
        }
        STAY
    }

    /// Follows up on what a role returned: stays, or gives up and searches a leader.
    fn go(&mut self, flow: Flow, out: &mut Out<'_>) {
        let mut flow = flow;
        // An ensemble of one decides at once, and could give up at once; more than a few rounds within
        // one event would be a loop.
        for _ in 0..3 {
            let ControlFlow::Break(reason) = flow else { return };
            self.leave_role(reason, out);
            if self.state.truncating {
                // What this server has is being changed on disk; until that is done it has no vote to give.
                return;
            }
            out.trace(Trace::State { state: PeerState::Looking, reason });
            self.role = Role::Looking(Election::start(&mut self.state, out));
            flow = self.on_tick(out);
        }
    }

    fn leave_role(&mut self, reason: &'static str, out: &mut Out<'_>) {
        let pending = self.state.clients.outstanding();
        let (leading, epoch) = match &self.role {
            Role::Down => return,
            Role::Looking(_) => (false, None),
            Role::Learning(learner) => (false, learner.epoch()),
            Role::Leading(leader) => (true, leader.epoch()),
        };
        if !matches!(self.role, Role::Looking(_)) {
            out.trace(Trace::SteppedDown { epoch: epoch.unwrap_or(0), leading, reason, pending });
        }
        self.state.clients.close_all(out);
        match std::mem::replace(&mut self.role, Role::Down) {
            Role::Down | Role::Looking(_) => {}
            Role::Learning(learner) => learner.leave(&mut self.state, out),
            Role::Leading(leader) => leader.leave(out),
        }
    }
}
