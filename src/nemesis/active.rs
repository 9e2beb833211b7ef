//! A fault that is under way: from its injection to the record of what became of it.

use super::partition::Partition;
use super::record::{FaultAction, FaultOutcome, FaultRecord, PlannedFault};
use super::{Struck, kill, pause};
use crate::clock::RunClock;
use crate::cluster::{Cluster, NodeId};
use crate::network::Network;
use std::sync::Arc;

/// A fault that is under way.
#[derive(Debug)]
pub(super) struct Active {
    /// What was planned.
    pub(super) planned: PlannedFault,
    /// How it ended, as far as that is known; a partition proves itself only by what it keeps back.
    pub(super) outcome: Option<FaultOutcome>,
    /// When it is to be healed, ns of the run.
    pub(super) heal_at_ns: u64,
    /// What shows that it took effect.
    pub(super) evidence: Vec<String>,
    leader: Option<NodeId>,
    injected_ns: u64,
    installed_ns: u64,
    partition: Option<Partition>,
}

/// Injects a fault.
pub(super) async fn inject(
    cluster: &Cluster,
    network: &Arc<dyn Network>,
    clock: &RunClock,
    planned: PlannedFault,
    leader: Option<NodeId>,
) -> Active {
    let injected_ns = clock.now_ns();
    let (partition, struck) = match &planned.action {
        FaultAction::Partition { grudge, how, .. } => {
            (Some(Partition::inject(&**network, grudge, *how)), Struck::default())
        }
        FaultAction::Pause { nodes, .. } => (None, pause::inject(cluster, nodes).await),
        FaultAction::Kill { nodes, .. } => (None, kill::inject(cluster, nodes).await),
    };
    let outcome = if partition.is_some() { None } else { Some(struck.outcome()) };
    let installed_ns = clock.now_ns();
    Active {
        heal_at_ns: installed_ns + planned.lasts_ns,
        outcome,
        evidence: struck.evidence,
        leader,
        injected_ns,
        installed_ns,
        partition,
        planned,
    }
}

impl Active {
    /// The fault's number.
    pub(super) fn id(&self) -> u32 {
        self.planned.id
    }

    /// Whether a partition has kept anything back so far; it then notes what.
    pub(super) fn is_proven(&mut self, network: &dyn Network) -> bool {
        let Some(partition) = self.partition.as_ref().filter(|partition| partition.is_proven(network)) else {
            return false;
        };
        self.evidence = partition.evidence(network);
        true
    }

    /// Undoes the fault, whatever its outcome; what was not done is not undone.
    pub(super) async fn heal(
        mut self,
        cluster: &Cluster,
        network: &Arc<dyn Network>,
        clock: &RunClock,
    ) -> FaultRecord {
        let healing_ns = clock.now_ns();
        match &self.planned.action {
            FaultAction::Partition { .. } => {
                let proven = self.is_proven(&**network);
                Partition::heal(&**network);
                if !proven {
                    let why = "nothing was sent over the cut links".to_owned();
                    self.outcome = Some(FaultOutcome::Failed { why });
                }
            }
            FaultAction::Pause { nodes, .. } => self.evidence.extend(pause::heal(cluster, nodes).await),
            FaultAction::Kill { nodes, .. } => self.evidence.extend(kill::heal(cluster, nodes)),
        }
        let outcome = self.outcome.unwrap_or(FaultOutcome::Installed);
        let installed = outcome == FaultOutcome::Installed;
        FaultRecord {
            planned: self.planned,
            outcome,
            leader_at_injection: self.leader,
            injected_ns: installed.then_some(self.injected_ns),
            installed_ns: installed.then_some(self.installed_ns),
            healing_ns: Some(healing_ns),
            healed_ns: Some(clock.now_ns()),
            evidence: self.evidence,
        }
    }
}
