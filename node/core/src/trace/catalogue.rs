//! Every transition there is, with every branch: what a set of runs can be held against to see which it never
//! reached. `tests/catalogue.rs` reads the sources and keeps this complete.

use super::{SyncMode, SyncReason};

/// Why a leader or learner gives up its role and goes LOOKING.
pub const GIVES_UP: [&str; 12] = [
    "a follower has a newer log",
    "a follower has promised a later epoch",
    "a later epoch was seen",
    "a quorum of followers was lost",
    "a transaction carried another epoch than its leader",
    "NEWLEADER names another epoch than LEADERINFO",
    "no quorum of followers within initLimit",
    "the connection to the leader broke",
    "the epoch has no zxid left",
    "the epoch was led before",
    "the leader broke the protocol",
    "the leader was silent too long",
];

/// Why a learner gives up before it has promised anything.
pub const REFUSES: [&str; 1] = ["the leader's epoch is below the one promised"];

/// Why a server enters a state, besides giving up.
pub const ENTERS: [&str; 3] = ["it starts", "it was elected", "it was outvoted"];

/// What a server is told by its disk when it asked it to cut its log.
pub const CUTS: [&str; 2] =
    ["the log is cut, it may take part again", "its log cannot be cut there, it needs the whole tree"];

/// Why a leader drops a learner.
pub const DROPS: [&str; 10] = [
    "it acknowledged an epoch out of turn",
    "it acknowledged out of turn",
    "it broke the protocol",
    "it connected again",
    "it introduced itself twice",
    "it is no member of the ensemble",
    "it takes itself for an observer, or for none, and is not",
    "it was silent too long",
    "it was too slow to acknowledge a proposal",
    "its connection broke",
];

/// What a leader does that breaks the protocol.
pub const MISDEEDS: [&str; 13] = [
    "answered a sync that nobody sent",
    "broke the order of broadcast",
    "broke the order of synchronization",
    "committed out of order",
    "committed what it had not proposed",
    "did not begin with LEADERINFO",
    "did not say how to synchronize",
    "left a hole in the order of proposals",
    "proposed to an observer",
    "sent a transaction under another zxid",
    "sent a tree that cannot be read",
    "sent less than the whole tree that was asked for",
    "spoke out of turn",
];

/// What is refused because of its epoch.
pub const FENCES: [&str; 5] = ["INFORM", "LEADERINFO", "NEWLEADER", "PROPOSAL", "own leadership"];

/// Transitions without branches.
const PLAIN: [&str; 11] = [
    "election.started",
    "election.decided",
    "leader.epoch_proposed",
    "learner.epoch_accepted",
    "leader.epoch_acknowledged",
    "learner.newleader_acked",
    "leader.established",
    "learner.serving",
    "learner.proposals_abandoned",
    "learner.log_truncated",
    "learner.snapshot_installed",
];

/// Every transition ([`super::Trace::name`]) with every branch ([`super::Trace::branch`]).
#[must_use]
pub fn catalogue() -> Vec<(&'static str, &'static str)> {
    let mut all: Vec<(&str, &str)> = PLAIN.map(|name| (name, "")).to_vec();
    let mut branches =
        |name: &'static str, of: &[&'static str]| all.extend(of.iter().map(|one| (name, *one)));
    branches("state", &ENTERS);
    branches("state", &GIVES_UP);
    branches("state", &REFUSES);
    branches("state", &CUTS);
    branches("stepped_down", &GIVES_UP);
    branches("stepped_down", &REFUSES);
    branches("stepped_down", &CUTS[1..]);
    branches("leader.learner_dropped", &DROPS);
    branches("peer_misbehaved", &MISDEEDS);
    branches("fenced", &FENCES);
    branches("leader.sync_started", &SyncReason::ALL.map(SyncReason::sentence));
    branches("learner.sync_received", &SyncMode::ALL.map(SyncMode::name));
    all
}
