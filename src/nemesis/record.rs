//! A fault as it was planned, and what became of it.

use crate::cluster::NodeId;
use crate::network::{Cut, Grudge};
use crate::plan::{FaultFamily, PartitionShape, TargetSpec};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A fault with its targets resolved: an entry of `schedule.json`, which `replay` runs again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PlannedFault {
    /// Counts from 1.
    pub(crate) id: u32,
    /// When it is to be injected, ns after the load began (not after the run began).
    pub(crate) at_ns: u64,
    /// How long it lasts before it is healed, ns.
    pub(crate) lasts_ns: u64,
    /// What it does.
    pub(crate) action: FaultAction,
    /// Why it could not be injected when it was drawn, if so; its targets are empty then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) impossible: Option<String>,
}

/// What a fault does, to whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "kebab-case")]
pub(crate) enum FaultAction {
    /// Cut links.
    Partition {
        /// The shape asked for.
        shape: PartitionShape,
        /// The links it came to.
        grudge: Grudge,
        /// How they are cut.
        how: Cut,
    },
    /// SIGSTOP, later SIGCONT.
    Pause {
        /// The target asked for.
        target: TargetSpec,
        /// The nodes it came to.
        nodes: Vec<NodeId>,
    },
    /// SIGKILL, later a restart.
    Kill {
        /// The target asked for.
        target: TargetSpec,
        /// The nodes it came to.
        nodes: Vec<NodeId>,
    },
}

impl FaultAction {
    /// The family.
    pub(crate) fn family(&self) -> FaultFamily {
        match self {
            Self::Partition { .. } => FaultFamily::Partition,
            Self::Pause { .. } => FaultFamily::Pause,
            Self::Kill { .. } => FaultFamily::Kill,
        }
    }
}

impl FaultRecord {
    /// A fault that was not tried, for this reason.
    pub(crate) fn skipped(planned: PlannedFault, leader: Option<NodeId>, why: String) -> Self {
        Self {
            planned,
            outcome: FaultOutcome::Skipped { why },
            leader_at_injection: leader,
            injected_ns: None,
            installed_ns: None,
            healing_ns: None,
            healed_ns: None,
            evidence: Vec::new(),
        }
    }
}

impl fmt::Display for FaultAction {
    /// Such as "pause n3" or "partition leader-alone".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = self.family();
        match self {
            Self::Partition { shape, how, .. } => {
                let how = match how {
                    Cut::Blackhole => String::new(),
                    Cut::Reset => " by reset".to_owned(),
                    Cut::Delay(ms) => format!(" delayed by {ms} ms"),
                    Cut::Throttle(rate) => format!(" throttled to {rate} bytes/s"),
                };
                write!(f, "{family} {shape}{how}")
            }
            Self::Pause { nodes, .. } | Self::Kill { nodes, .. } => {
                let names: Vec<String> = nodes.iter().map(ToString::to_string).collect();
                write!(f, "{family} {}", names.join(","))
            }
        }
    }
}

/// How a fault ended. Only installed ones count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub(crate) enum FaultOutcome {
    /// It took effect; the evidence says how that is known.
    Installed,
    /// It was not tried.
    Skipped {
        /// Why, such as "every target is already dead".
        why: String,
    },
    /// It was tried and its effect was not seen.
    Failed {
        /// What was seen instead.
        why: String,
    },
}

/// What became of a fault: an entry of `faults` in `results.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FaultRecord {
    /// What was planned.
    #[serde(flatten)]
    pub(crate) planned: PlannedFault,
    /// How it ended.
    #[serde(flatten)]
    pub(crate) outcome: FaultOutcome,
    /// The leader and its epoch when it was injected, if known.
    pub(crate) leader_at_injection: Option<NodeId>,
    /// When its injection began, ns of the run: its effect is no older.
    pub(crate) injected_ns: Option<u64>,
    /// When its effect was in place, ns of the run.
    pub(crate) installed_ns: Option<u64>,
    /// When healing began, ns of the run: its effect may have ended from here on.
    pub(crate) healing_ns: Option<u64>,
    /// When healing was complete, ns of the run.
    pub(crate) healed_ns: Option<u64>,
    /// What shows that it took effect: process state, exit status, bytes held; one sentence each.
    pub(crate) evidence: Vec<String>,
}
