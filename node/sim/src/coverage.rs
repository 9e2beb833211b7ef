//! Which transitions a set of runs reached, which it did not, and which no honest world can.

use crate::run::Reached;
use std::collections::{BTreeMap, BTreeSet};
use zab_core::trace::catalogue::{self, catalogue};

/// A transition that no world of honest servers reaches, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Impossible {
    /// Its name.
    pub name: &'static str,
    /// Its branch.
    pub branch: &'static str,
    /// Why.
    pub why: &'static str,
}

/// A peer has to break the protocol: `node/sim/tests/protocol` forges its messages.
const BROKEN_PEER: &str = "only a peer that breaks the protocol brings it about";

/// Reasons that belong to a role's end come up twice: as the end of the role, and as what follows.
const ENDS: [&str; 2] = ["state", "stepped_down"];

/// All that is impossible.
#[must_use]
pub fn impossible() -> Vec<Impossible> {
    let mut all = Vec::new();
    let mut add = |name, branch, why| all.push(Impossible { name, branch, why });
    for name in ENDS {
        add(name, "a transaction carried another epoch than its leader", BROKEN_PEER);
        add(name, "NEWLEADER names another epoch than LEADERINFO", BROKEN_PEER);
        add(name, "the leader broke the protocol", BROKEN_PEER);
        add(name, "the epoch has no zxid left", "it takes 2^32 transactions of one epoch");
        add(
            name,
            "the epoch was led before",
            "it takes a promise that did not reach the disk (the planted bug forget-accepted-epoch)",
        );
    }
    // A voter says in FOLLOWERINFO what it has promised, and its leader chooses an epoch above or gives way. An
    // observer promises only epochs that are led: a quorum has promised them too, and of that quorum somebody
    // tells the observer of a later leader first (votes of one server arrive in order).
    let gives_way =
        "a leader gives way to a later promise, or has promised it itself: only Apache's leaders go on";
    for name in ENDS {
        add(name, "the leader's epoch is below the one promised", gives_way);
    }
    add("fenced", "LEADERINFO", gives_way);
    // A snapshot holds only what is committed, so every leader has it, and cuts behind it.
    for name in ENDS {
        add(
            name,
            "its log cannot be cut there, it needs the whole tree",
            "a leader cuts behind the last common transaction, and no snapshot of ours is behind that",
        );
    }
    for branch in catalogue::MISDEEDS {
        add("peer_misbehaved", branch, BROKEN_PEER);
    }
    for branch in ["INFORM", "NEWLEADER", "PROPOSAL"] {
        add("fenced", branch, BROKEN_PEER);
    }
    for branch in [
        "it acknowledged an epoch out of turn",
        "it acknowledged out of turn",
        "it broke the protocol",
        "it introduced itself twice",
    ] {
        add("leader.learner_dropped", branch, BROKEN_PEER);
    }
    for branch in
        ["it is no member of the ensemble", "it takes itself for an observer, or for none, and is not"]
    {
        add("leader.learner_dropped", branch, "all servers of a world know the same ensemble");
    }
    add(
        "leader.sync_started",
        "it has no transaction of its last epoch",
        "only Apache ZooKeeper names the epoch itself as its last zxid; our log ends with a transaction",
    );
    add(
        "leader.sync_started",
        "an observer keeps what is committed",
        "an observer of ours logs only what is committed, and a world's voters do not become observers",
    );
    all
}

/// What a set of runs reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    /// By name and branch: how often, and in how many runs.
    reached: BTreeMap<(&'static str, &'static str), (u64, u64)>,
    runs: u64,
}

impl Coverage {
    /// Adds what one run reached.
    pub fn add(&mut self, reached: &Reached) {
        self.runs += 1;
        for (transition, times) in reached {
            let (all, runs) = self.reached.entry(*transition).or_default();
            *all += times;
            *runs += 1;
        }
    }

    /// Adds what another set reached.
    pub fn merge(&mut self, other: &Self) {
        self.runs += other.runs;
        for (transition, (times, runs)) in &other.reached {
            let (all_times, all_runs) = self.reached.entry(*transition).or_default();
            *all_times += times;
            *all_runs += runs;
        }
    }

    /// How many runs there were.
    #[must_use]
    pub fn runs(&self) -> u64 {
        self.runs
    }

    /// How often a transition was reached, and in how many runs.
    #[must_use]
    pub fn of(&self, name: &str, branch: &str) -> (u64, u64) {
        self.reached.iter().find(|((n, b), _)| *n == name && *b == branch).map_or((0, 0), |(_, times)| *times)
    }

    /// Transitions that are possible and were not reached.
    #[must_use]
    pub fn missing(&self) -> Vec<(&'static str, &'static str)> {
        let impossible: BTreeSet<_> = impossible().iter().map(|one| (one.name, one.branch)).collect();
        let missing = |transition: &(&str, &str)| {
            !self.reached.contains_key(transition) && !impossible.contains(transition)
        };
        catalogue().into_iter().filter(missing).collect()
    }

    /// Transitions that were reached and are impossible: the reason given is wrong, or a server is.
    #[must_use]
    pub fn surprises(&self) -> Vec<Impossible> {
        impossible().into_iter().filter(|one| self.reached.contains_key(&(one.name, one.branch))).collect()
    }

    /// Everything in the order of the catalogue: name, branch, how often, in how many runs.
    pub fn rows(&self) -> impl Iterator<Item = (&'static str, &'static str, u64, u64)> + '_ {
        catalogue().into_iter().map(|(name, branch)| {
            let (times, runs) = self.reached.get(&(name, branch)).copied().unwrap_or_default();
            (name, branch, times, runs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_impossible_is_in_the_catalogue_once() {
        let all: BTreeSet<_> = catalogue().into_iter().collect();
        let mut seen = BTreeSet::new();
        for one in impossible() {
            assert!(all.contains(&(one.name, one.branch)), "{one:?}");
            assert!(seen.insert((one.name, one.branch)), "{one:?} twice");
        }
    }

    #[test]
    fn missing_and_surprising_are_told_apart() {
        let mut coverage = Coverage::default();
        let possible = catalogue().len() - impossible().len();
        assert_eq!(coverage.missing().len(), possible);
        let reached = Reached::from([(("leader.established", ""), 3), (("fenced", "PROPOSAL"), 1)]);
        coverage.add(&reached);
        coverage.add(&reached);
        assert_eq!(coverage.of("leader.established", ""), (6, 2));
        assert_eq!(coverage.missing().len(), possible - 1);
        assert_eq!(coverage.surprises().len(), 1);
    }
}
