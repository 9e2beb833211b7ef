//! Who belongs to the ensemble, and how long things may take.

use crate::bug::Bug;
use std::collections::BTreeSet;
use zab_wire::ServerId;

/// The members, and what a quorum of those that vote is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ensemble {
    voters: BTreeSet<ServerId>,
    /// Members without a vote; disjoint from the voters.
    observers: BTreeSet<ServerId>,
}

impl Ensemble {
    /// An ensemble of these voters, each with one vote (ZooKeeper's `QuorumMaj`).
    #[must_use]
    pub fn new(voters: impl IntoIterator<Item = ServerId>) -> Self {
        Self::with_observers(voters, [])
    }

    /// An ensemble of these voters, and of observers that follow and serve without a vote
    /// (`server.N=…:observer`).
    ///
    /// # Panics
    /// When a server is named as both.
    #[must_use]
    pub fn with_observers(
        voters: impl IntoIterator<Item = ServerId>,
        observers: impl IntoIterator<Item = ServerId>,
    ) -> Self {
        let (voters, observers): (BTreeSet<_>, BTreeSet<_>) =
            (voters.into_iter().collect(), observers.into_iter().collect());
        assert!(voters.is_disjoint(&observers), "a server either votes or observes");
        Self { voters, observers }
    }

    /// The voters in order of their ids.
    pub fn voters(&self) -> impl Iterator<Item = ServerId> + '_ {
        self.voters.iter().copied()
    }

    /// Whether `server` has a vote.
    #[must_use]
    pub fn is_voter(&self, server: ServerId) -> bool {
        self.voters.contains(&server)
    }

    /// The observers in order of their ids.
    pub fn observers(&self) -> impl Iterator<Item = ServerId> + '_ {
        self.observers.iter().copied()
    }

    /// Whether `server` is a member without a vote.
    #[must_use]
    pub fn is_observer(&self, server: ServerId) -> bool {
        self.observers.contains(&server)
    }

    /// Whether `server` belongs to the ensemble, with or without a vote.
    #[must_use]
    pub fn is_member(&self, server: ServerId) -> bool {
        self.is_voter(server) || self.is_observer(server)
    }

    /// How many voters there are.
    #[must_use]
    pub fn voter_count(&self) -> usize {
        self.voters.len()
    }

    /// How many voters are a quorum.
    #[must_use]
    pub fn quorum_size(&self) -> usize {
        self.voters.len() / 2 + 1
    }

    /// Whether the voters among `servers` are more than half of all voters.
    #[must_use]
    pub fn is_quorum(&self, servers: &BTreeSet<ServerId>) -> bool {
        servers.intersection(&self.voters).count() >= self.quorum_size()
    }
}

/// ZooKeeper's times. All in ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Timing {
    /// tickTime
    pub tick_ms: u64,
    /// initLimit × tickTime: how long discovery and synchronization may each take.
    pub init_limit_ms: u64,
    /// syncLimit × tickTime: how long a peer may be silent.
    pub sync_limit_ms: u64,
    /// minSessionTimeout
    pub min_session_ms: i32,
    /// maxSessionTimeout
    pub max_session_ms: i32,
    /// How long no better vote may come before an election is decided.
    pub finalize_wait_ms: u64,
    /// First and shortest pause before votes are sent again.
    pub notification_min_ms: u64,
    /// Longest pause before votes are sent again. ZooKeeper's default is 60 s, which keeps a node that
    /// was cut off for a while out for as long again; a vote is 100 bytes, so a second costs nothing.
    pub notification_max_ms: u64,
}

impl Timing {
    /// ZooKeeper's defaults around a tick and the two limits, in ticks.
    #[must_use]
    pub fn new(tick_ms: u64, init_limit: u64, sync_limit: u64) -> Self {
        let tick = i32::try_from(tick_ms).unwrap_or(i32::MAX);
        Self {
            tick_ms,
            init_limit_ms: init_limit * tick_ms,
            sync_limit_ms: sync_limit * tick_ms,
            min_session_ms: tick.saturating_mul(2),
            max_session_ms: tick.saturating_mul(20),
            finalize_wait_ms: 200,
            notification_min_ms: 200,
            notification_max_ms: 1_000,
        }
    }
}

/// All that a server must be told before it starts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Config {
    /// Which server this is.
    pub me: ServerId,
    /// The members.
    pub ensemble: Ensemble,
    /// The times.
    pub timing: Timing,
    /// The ensemble as text, sent along with votes and NEWLEADER (`server.N=…` lines and `version=…`).
    pub config_text: String,
    /// How many committed transactions stay in memory for DIFF (`commitLogCount`).
    pub commit_log_count: usize,
    /// A snapshot is taken after about this many transactions (`snapCount`).
    pub snap_count: usize,
    /// A deliberate fault, to measure the tester; `None` in every honest server.
    pub bug: Option<Bug>,
}

impl Config {
    /// Whether this server is an observer.
    pub(crate) fn observes(&self) -> bool {
        self.ensemble.is_observer(self.me)
    }
}
