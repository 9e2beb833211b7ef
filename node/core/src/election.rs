//! Phase 0: Fast Leader Election (`FastLeaderElection.lookForLeader`, Zab paper §V.A).
//!
//! Decides whom to try, nothing more: safety comes from the epochs of discovery. Votes are compared by
//! peerEpoch, then zxid, then server id; a round (logical clock) keeps votes of different elections
//! apart; a decision waits a moment for a better vote.
//!
//! An observer finds the leader by the same rules, from the voters' votes alone. Nobody counts what it
//! says, so it says one thing only: a vote that can never win, to ask for theirs. ZooKeeper's observers
//! also pass on each better vote they hear of; with a thousand of them, that would be most of an
//! election's messages, for nobody to read.

use crate::out::Out;
use crate::state::State;
use crate::trace::Trace;
use crate::vote::{Vote, notification};
use std::collections::{BTreeMap, BTreeSet};
use zab_wire::ServerId;
use zab_wire::election::{Notification, PeerState};

/// The vote of a server that is out of election, with its round and state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Settled {
    vote: Vote,
    round: i64,
    state: PeerState,
}

/// An election this server takes part in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Election {
    /// Whether this server has a vote, or only asks for those of others.
    votes_itself: bool,
    /// What this server votes for on its own account; [`Vote::NONE`] of an observer.
    initial: Vote,
    /// The best vote it knows.
    proposal: Vote,
    /// Votes of this round, a voter's own one included (`recvset`).
    votes: BTreeMap<ServerId, Vote>,
    /// Servers of this round that are out of election already.
    in_round: BTreeMap<ServerId, Settled>,
    /// Servers that follow or lead, whatever their round (`outofelection`).
    settled: BTreeMap<ServerId, Settled>,
    /// A quorum agrees; decided at this time unless a better vote comes.
    decide_at: Option<u64>,
    /// Votes are sent again at this time, and how long after that once more.
    resend_at: u64,
    resend_after: u64,
}

impl Election {
    /// Begins a round: one vote for oneself, sent to all voters.
    pub(crate) fn start(state: &mut State, out: &mut Out<'_>) -> Self {
        let me = state.config.me;
        let votes_itself = !state.config.observes();
        let (own, epoch) = (state.log.last(), state.current_epoch);
        // Rounds are the voters' to count. An observer takes the first one it hears of: one that came from
        // its own lonely attempts could be above theirs, and keep it from listening.
        state.round = if votes_itself { state.round + 1 } else { 0 };
        let initial =
            if votes_itself { Vote { leader: me, zxid: own, epoch: i64::from(epoch) } } else { Vote::NONE };
        out.trace(Trace::ElectionStarted { round: state.round, zxid: own, epoch });
        let resend_after = state.config.timing.notification_min_ms;
        let mut election = Self {
            votes_itself,
            initial,
            proposal: initial,
            votes: votes_itself.then_some((me, initial)).into_iter().collect(),
            in_round: BTreeMap::new(),
            settled: BTreeMap::new(),
            decide_at: None,
            resend_at: out.now.mono_ms + resend_after,
            resend_after,
        };
        election.send_all(state, out);
        election.weigh(state, out);
        election
    }

    /// When this election wants a tick.
    pub(crate) fn deadline(&self) -> u64 {
        self.decide_at.map_or(self.resend_at, |at| at.min(self.resend_at))
    }

    /// A vote of another server. Gives the leader if that decides the election.
    pub(crate) fn on_notification(
        &mut self,
        from: ServerId,
        message: &Notification,
        state: &mut State,
        out: &mut Out<'_>,
    ) -> Option<ServerId> {
        let ensemble = &state.config.ensemble;
        // Who does not vote is answered, but has no say (`FastLeaderElection.WorkerReceiver`).
        if self.votes_itself && ensemble.is_observer(from) && message.state == PeerState::Looking {
            self.send(from, state, out);
        }
        // A candidate must be a voter.
        if !ensemble.is_voter(from) || !ensemble.is_voter(message.leader) {
            return None;
        }
        match message.state {
            PeerState::Looking => {
                self.on_looking(from, message, state, out);
                None
            }
            PeerState::Following | PeerState::Leading => self.on_settled(from, message, state, out),
            PeerState::Observing => None,
        }
    }

    /// Time has passed. Gives the leader if the election is decided.
    pub(crate) fn on_tick(&mut self, state: &State, out: &mut Out<'_>) -> Option<ServerId> {
        if self.decide_at.is_some_and(|at| out.now.mono_ms >= at) {
            out.trace(Trace::Elected { leader: self.proposal.leader, round: state.round });
            return Some(self.proposal.leader);
        }
        if out.now.mono_ms >= self.resend_at {
            self.resend_after = (self.resend_after * 2).min(state.config.timing.notification_max_ms);
            self.resend_at = out.now.mono_ms + self.resend_after;
            self.send_all(state, out);
        }
        None
    }

    fn on_looking(&mut self, from: ServerId, message: &Notification, state: &mut State, out: &mut Out<'_>) {
        let vote = Vote::of(message);
        if message.election_epoch > state.round {
            state.round = message.election_epoch;
            self.votes.clear();
            self.in_round.clear();
            let best = if vote.beats(&self.initial, &state.config) { vote } else { self.initial };
            self.propose(best, state, out);
        } else if message.election_epoch < state.round {
            // It is behind: with our vote it learns the round, if ours is one to learn from.
            if self.votes_itself {
                self.send(from, state, out);
            }
            return;
        } else if vote.beats(&self.proposal, &state.config) {
            self.propose(vote, state, out);
        }
        self.votes.insert(from, vote);
        self.settled.remove(&from);
        self.weigh(state, out);
    }

    /// Takes a better vote for its own; a voter says so to all.
    fn propose(&mut self, vote: Vote, state: &State, out: &mut Out<'_>) {
        self.proposal = vote;
        self.decide_at = None;
        if self.votes_itself {
            self.votes.insert(state.config.me, vote);
            self.send_all(state, out);
        }
    }

    /// Looks whether a quorum shares the proposal. If everybody does, no better vote can come and the
    /// finalize wait is spared; that makes the first election of a healthy ensemble quick.
    fn weigh(&mut self, state: &State, out: &mut Out<'_>) {
        let ensemble = &state.config.ensemble;
        // Only voters' votes are here, one of each.
        let supporters = self.votes.values().filter(|vote| **vote == self.proposal).count();
        if supporters < ensemble.quorum_size() {
            self.decide_at = None;
        } else if supporters == ensemble.voter_count() {
            self.decide_at = Some(out.now.mono_ms);
        } else if self.decide_at.is_none() {
            self.decide_at = Some(out.now.mono_ms + state.config.timing.finalize_wait_ms);
        }
    }

    fn on_settled(
        &mut self,
        from: ServerId,
        message: &Notification,
        state: &mut State,
        out: &mut Out<'_>,
    ) -> Option<ServerId> {
        let settled =
            Settled { vote: Vote::of(message), round: message.election_epoch, state: message.state };
        let (me, ensemble) = (state.config.me, &state.config.ensemble);
        if settled.round == state.round {
            self.in_round.insert(from, settled);
            let mut same: BTreeSet<ServerId> =
                self.in_round.iter().filter(|(_, s)| s.vote == settled.vote).map(|(id, _)| *id).collect();
            same.extend(self.votes.iter().filter(|(_, vote)| **vote == settled.vote).map(|(id, _)| *id));
            if ensemble.is_quorum(&same) && leads(&self.in_round, &settled, me, state.round) {
                out.trace(Trace::Elected { leader: settled.vote.leader, round: state.round });
                return Some(settled.vote.leader);
            }
        }
        self.settled.insert(from, settled);
        // Out of election only leader and epoch count: rounds and zxids may differ (ZOOKEEPER-1732, 1805).
        let same = self
            .settled
            .values()
            .filter(|s| (s.vote.leader, s.vote.epoch) == (settled.vote.leader, settled.vote.epoch));
        if same.count() >= ensemble.quorum_size() && leads(&self.settled, &settled, me, state.round) {
            state.round = settled.round;
            out.trace(Trace::Elected { leader: settled.vote.leader, round: state.round });
            return Some(settled.vote.leader);
        }
        None
    }

    /// The vote that stands for an elected leader, as this server knows it.
    pub(crate) fn vote_for(&self, leader: ServerId) -> Vote {
        if self.proposal.leader == leader {
            return self.proposal;
        }
        let known = self.settled.values().chain(self.in_round.values()).map(|settled| settled.vote);
        known.into_iter().find(|vote| vote.leader == leader).unwrap_or(Vote { leader, ..self.proposal })
    }

    fn send_all(&self, state: &State, out: &mut Out<'_>) {
        for voter in state.config.ensemble.voters() {
            if voter != state.config.me {
                self.send(voter, state, out);
            }
        }
    }

    /// Sends the present proposal to one server; an observer's question.
    fn send(&self, to: ServerId, state: &State, out: &mut Out<'_>) {
        let vote = if self.votes_itself { self.proposal } else { self.initial };
        out.notify(to, notification(PeerState::Looking, vote, state.round, &state.config));
    }
}

/// Whether the leader voted for says itself that it leads (`checkLeader`): otherwise followers that
/// have not noticed its death would keep electing it.
fn leads(votes: &BTreeMap<ServerId, Settled>, settled: &Settled, me: ServerId, round: i64) -> bool {
    let leader = settled.vote.leader;
    if leader == me {
        return settled.round == round;
    }
    votes.get(&leader).is_some_and(|s| s.state == PeerState::Leading)
}
