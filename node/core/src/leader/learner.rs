//! A learner as its leader sees it (`LearnerHandler`).

use crate::config::Timing;
use std::collections::VecDeque;
use zab_wire::{ServerId, Zxid};

/// How far a learner is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Stage {
    /// Connected.
    New,
    /// FOLLOWERINFO or OBSERVERINFO is here. An observer waits here until its leader is established.
    Introduced,
    /// LEADERINFO is sent.
    Invited,
    /// ACKEPOCH is here: this is the last zxid of its log, and whether it asks for the whole tree.
    Promised { last_zxid: Zxid, whole_tree: bool },
    /// The initial history and NEWLEADER are sent; live traffic follows behind them.
    Synchronizing,
    /// NEWLEADER is acknowledged.
    Acknowledged,
    /// UPTODATE is sent.
    Serving,
}

/// One learner's connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Learner {
    pub(super) server: Option<ServerId>,
    /// Whether it has no vote; known from its introduction on.
    pub(super) observes: bool,
    pub(super) stage: Stage,
    /// The last proposal on its disk.
    pub(super) acked: Zxid,
    /// When it was last heard of, in half ticks.
    pub(super) heard_at: u64,
    /// Ping rounds it has not answered, oldest first: answers come in order.
    pub(super) pings: VecDeque<u64>,
    /// The last ping round it answered.
    pub(super) ponged: u64,
    /// A proposal it has not acknowledged, and since when (`SyncLimitCheck`).
    waiting_for: Option<(Zxid, u64)>,
    last_sent: Zxid,
}

impl Learner {
    pub(super) fn new(half_ticks: u64) -> Self {
        Self {
            server: None,
            observes: false,
            stage: Stage::New,
            acked: Zxid::ZERO,
            heard_at: half_ticks,
            pings: VecDeque::new(),
            ponged: 0,
            waiting_for: None,
            last_sent: Zxid::ZERO,
        }
    }

    /// Whether it gets live traffic: proposals and commits, or, if it observes, INFORMs.
    pub(super) fn is_forwarding(&self) -> bool {
        self.stage >= Stage::Synchronizing
    }

    /// Whether it has the initial history, so that it is pinged and must not be silent for long.
    pub(super) fn has_taken_over(&self) -> bool {
        self.stage >= Stage::Acknowledged
    }

    /// Whether its acknowledgements and pongs count.
    pub(super) fn counts(&self) -> bool {
        self.has_taken_over() && !self.observes
    }

    /// A proposal was sent to it.
    pub(super) fn sent(&mut self, zxid: Zxid, half_ticks: u64) {
        self.last_sent = zxid;
        self.waiting_for.get_or_insert((zxid, half_ticks));
    }

    /// It acknowledged a proposal.
    pub(super) fn acknowledged(&mut self, zxid: Zxid, half_ticks: u64) {
        self.acked = self.acked.max(zxid);
        if self.waiting_for.is_some_and(|(awaited, _)| awaited <= self.acked) {
            self.waiting_for = (self.acked < self.last_sent).then_some((self.last_sent, half_ticks));
        }
    }

    /// Why it is to be dropped, if it is.
    pub(super) fn overdue(&self, half_ticks: u64, timing: &Timing) -> Option<&'static str> {
        let limit_ms = if self.has_taken_over() { timing.sync_limit_ms } else { timing.init_limit_ms };
        let over = |since: u64, limit_ms: u64| (half_ticks - since) * timing.tick_ms > 2 * limit_ms;
        if over(self.heard_at, limit_ms) {
            return Some("it was silent too long");
        }
        match self.waiting_for {
            Some((_, since)) if over(since, limit_ms) => Some("it was too slow to acknowledge a proposal"),
            Some(_) | None => None,
        }
    }
}
