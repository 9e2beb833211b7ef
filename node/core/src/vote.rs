//! Votes, and which of two wins (`Vote`, `FastLeaderElection.totalOrderPredicate`).

use crate::bug::Bug;
use crate::config::Config;
use zab_wire::election::{Notification, PeerState};
use zab_wire::{ServerId, Zxid};

/// Whom a server wants as leader, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Vote {
    /// The candidate.
    pub(crate) leader: ServerId,
    /// The candidate's last zxid.
    pub(crate) zxid: Zxid,
    /// The candidate's currentEpoch.
    pub(crate) epoch: i64,
}

impl Vote {
    /// The vote of a server that has none: it loses against every other
    /// (`FastLeaderElection.getInitId`, `getInitLastLoggedZxid`, `getPeerEpoch` of an observer).
    pub(crate) const NONE: Self =
        Self { leader: ServerId(i64::MIN), zxid: Zxid::from_bits(i64::MIN.cast_unsigned()), epoch: i64::MIN };

    pub(crate) fn of(message: &Notification) -> Self {
        Self { leader: message.leader, zxid: message.zxid, epoch: message.peer_epoch }
    }

    /// Whether this vote wins over `other` (`totalOrderPredicate`).
    pub(crate) fn beats(&self, other: &Self, config: &Config) -> bool {
        if config.bug == Some(Bug::ElectAny) {
            return self.leader > other.leader;
        }
        (self.epoch, self.zxid, self.leader) > (other.epoch, other.zxid, other.leader)
    }
}

/// A vote as it goes on the wire.
pub(crate) fn notification(state: PeerState, vote: Vote, round: i64, config: &Config) -> Notification {
    Notification {
        state,
        leader: vote.leader,
        zxid: vote.zxid,
        election_epoch: round,
        peer_epoch: vote.epoch,
        config: config.config_text.clone(),
    }
}
