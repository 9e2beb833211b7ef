//! The plan: what was asked for, validated, seeded, printed, saved and replayable.
//!
//! After `parse` nobody re-checks an argument.

mod check;
mod explore;
mod names;
mod parse;
mod simulate;

pub(crate) use check::{CheckPlan, format_named, parse_check};
pub(crate) use explore::{ExploreRequest, typed_bounds};
pub(crate) use names::unknown_name;
pub(crate) use parse::{Known, Request, parse};
pub(crate) use simulate::{Simulate, SwarmRequest, parse_simulate};

use crate::cluster::NodeId;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;

/// Where runs are stored when nothing else is asked for.
pub(crate) const RESULTS: &str = "results";

/// Everything that decides a run. Saved as `plan.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// Whether the nodes are virtual: no processes, no time, and the same seed gives the same run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) simulated: bool,
    /// How many nodes.
    pub(crate) nodes: u16,
    /// Name of the workload.
    pub(crate) workload: String,
    /// Which families of faults, in the order given; empty for `none`.
    pub(crate) nemesis: Vec<FaultFamily>,
    /// Mean time from the start of a fault to the start of the next, ms.
    pub(crate) nemesis_interval_ms: u64,
    /// Which nodes process faults hit and around which a partition is drawn; empty: the planner draws from all kinds.
    pub(crate) targets: Vec<TargetSpec>,
    /// How partitions are shaped; empty: the planner draws from all shapes.
    pub(crate) partitions: Vec<PartitionShape>,
    /// How long clients and nemesis work, ms.
    pub(crate) time_limit_ms: u64,
    /// Operations per second over all clients; 0 for as many as go.
    pub(crate) rate: u64,
    /// How many clients.
    pub(crate) concurrency: u16,
    /// How many keys are in use at a time.
    pub(crate) keys: u16,
    /// Mean of the random number of operations after which a key is retired.
    pub(crate) ops_per_key: u32,
    /// How long a client waits for an answer, ms.
    pub(crate) op_timeout_ms: u64,
    /// All random choices derive from it.
    pub(crate) seed: u64,
    /// The nodes' tickTime, ms.
    pub(crate) tick_ms: u64,
    /// The nodes' initLimit, ticks.
    pub(crate) init_limit: u64,
    /// The nodes' syncLimit, ticks.
    pub(crate) sync_limit: u64,
    /// The nodes' snapCount.
    pub(crate) snap_count: u32,
    /// First of the nodes' ports; `None`: free ones are found.
    pub(crate) base_port: Option<u16>,
    /// A planted bug of the node.
    pub(crate) bug: Option<String>,
    /// Where runs are stored.
    pub(crate) results: PathBuf,
}

impl Plan {
    /// The families as typed: `partition,kill`, or `none`.
    pub(crate) fn nemesis_name(&self) -> String {
        if self.nemesis.is_empty() { "none".to_owned() } else { join(&self.nemesis) }
    }

    /// The command that asks for this plan.
    pub(crate) fn command(&self) -> String {
        let mut words = vec![format!(
            "zabchaos {} --nodes {} --workload {} --nemesis {}",
            if self.simulated { "simulate" } else { "test" },
            self.nodes,
            self.workload,
            self.nemesis_name()
        )];
        if !self.nemesis.is_empty() {
            words.push(format!("--nemesis-interval {}ms", self.nemesis_interval_ms));
        }
        if !self.targets.is_empty() {
            words.push(format!("--targets {}", join(&self.targets)));
        }
        if !self.partitions.is_empty() {
            words.push(format!("--partition {}", join(&self.partitions)));
        }
        words.push(format!(
            "--time-limit {}ms --rate {} --concurrency {} --keys {} --ops-per-key {} --op-timeout {}ms",
            self.time_limit_ms, self.rate, self.concurrency, self.keys, self.ops_per_key, self.op_timeout_ms
        ));
        words.push(format!(
            "--tick-time {}ms --init-limit {} --sync-limit {} --snap-count {}",
            self.tick_ms, self.init_limit, self.sync_limit, self.snap_count
        ));
        words.extend(self.base_port.map(|port| format!("--base-port {port}")));
        words.extend(self.bug.as_ref().map(|bug| format!("--bug {bug}")));
        words.push(format!("--seed {}", self.seed));
        if self.results.as_os_str() != RESULTS {
            words.push(format!("--results {}", shell_quoted(&self.results.to_string_lossy())));
        }
        words.join(" ")
    }
}

/// A word as a shell takes it: in quotes where it holds more than letters, digits and what shells leave alone.
pub(crate) fn shell_quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn join<T: fmt::Display>(items: &[T]) -> String {
    items.iter().map(T::to_string).collect::<Vec<_>>().join(",")
}

/// A family of faults (`--nemesis`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum FaultFamily {
    /// Cut links.
    Partition,
    /// SIGSTOP, later SIGCONT.
    Pause,
    /// SIGKILL, later a restart.
    Kill,
}

/// Which nodes a fault hits (`--targets`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TargetSpec {
    /// One random node.
    One,
    /// A random minority.
    Minority,
    /// A random majority.
    Majority,
    /// The leader at that moment.
    Leader,
    /// All nodes but the leader.
    Followers,
    /// All nodes.
    All,
    /// These nodes.
    Nodes(Vec<NodeId>),
}

/// The shape of a partition (`--partition`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PartitionShape {
    /// One node (a target) alone.
    One,
    /// Two random halves (the larger has a majority when the count is odd).
    Halves,
    /// A random majority against the rest.
    MajorityMinority,
    /// The leader alone.
    LeaderAlone,
    /// Every node sees a majority, no two the same.
    MajoritiesRing,
    /// Two halves and one node that sees both.
    Bridge,
    /// One node's outgoing or incoming bytes are lost.
    OneWay,
}

impl FaultFamily {
    /// Every family.
    pub(crate) const ALL: [Self; 3] = [Self::Partition, Self::Pause, Self::Kill];

    /// As typed.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Partition => "partition",
            Self::Pause => "pause",
            Self::Kill => "kill",
        }
    }
}

impl fmt::Display for FaultFamily {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl TargetSpec {
    /// Every target that is a word; node names come besides.
    pub(crate) const WORDS: [Self; 6] =
        [Self::One, Self::Minority, Self::Majority, Self::Leader, Self::Followers, Self::All];
}

impl fmt::Display for TargetSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::One => "one",
            Self::Minority => "minority",
            Self::Majority => "majority",
            Self::Leader => "leader",
            Self::Followers => "followers",
            Self::All => "all",
            Self::Nodes(nodes) => return f.write_str(&join(nodes)),
        })
    }
}

impl PartitionShape {
    /// Every shape.
    pub(crate) const ALL: [Self; 7] = [
        Self::One,
        Self::Halves,
        Self::MajorityMinority,
        Self::LeaderAlone,
        Self::MajoritiesRing,
        Self::Bridge,
        Self::OneWay,
    ];

    /// Whether it is drawn around a target (`--targets`).
    pub(crate) fn has_target(self) -> bool {
        match self {
            Self::One | Self::Halves | Self::MajorityMinority | Self::OneWay => true,
            Self::LeaderAlone | Self::MajoritiesRing | Self::Bridge => false,
        }
    }

    /// As typed.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::Halves => "halves",
            Self::MajorityMinority => "majority-minority",
            Self::LeaderAlone => "leader-alone",
            Self::MajoritiesRing => "majorities-ring",
            Self::Bridge => "bridge",
            Self::OneWay => "one-way",
        }
    }
}

impl fmt::Display for PartitionShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A plan for tests: five nodes, partitions and kills.
    pub(crate) fn plan() -> Plan {
        Plan {
            simulated: false,
            nodes: 5,
            workload: "register".into(),
            nemesis: vec![FaultFamily::Partition, FaultFamily::Kill],
            nemesis_interval_ms: 3_000,
            targets: Vec::new(),
            partitions: Vec::new(),
            time_limit_ms: 30_000,
            rate: 1_000,
            concurrency: 10,
            keys: 5,
            ops_per_key: 200,
            op_timeout_ms: 1_000,
            seed: 7,
            tick_ms: 200,
            init_limit: 10,
            sync_limit: 5,
            snap_count: 10_000,
            base_port: None,
            bug: None,
            results: PathBuf::from("results"),
        }
    }

    #[test]
    fn a_command_can_be_pasted() {
        assert_eq!(shell_quoted("/tmp/a-b_c.d"), "/tmp/a-b_c.d");
        assert_eq!(shell_quoted("my runs"), "'my runs'");
        assert_eq!(shell_quoted("it's"), r"'it'\''s'");
        assert_eq!(shell_quoted(""), "''");
        assert!(!plan().command().contains("--results"));
        let elsewhere = Plan { results: PathBuf::from("my runs"), ..plan() };
        assert!(elsewhere.command().ends_with("--results 'my runs'"), "{}", elsewhere.command());
    }

    #[test]
    fn a_plan_survives_storing() {
        let plan =
            Plan { targets: vec![TargetSpec::Leader, TargetSpec::Nodes(vec![NodeId::new(2)])], ..plan() };
        let text = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
    }
}
