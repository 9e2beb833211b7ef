//! The plan: what was asked for, validated, seeded, printed, saved and replayable.

use crate::cluster::NodeId;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Everything that decides a run. Saved as `plan.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Plan {
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
