//! The kill family: SIGKILL; later the node starts again on the data it left.

use super::{Struck, living};
use crate::cluster::{Cluster, NodeId, ProcessState};

/// Kills those of `nodes` that run.
pub(super) async fn inject(cluster: &Cluster, nodes: &[NodeId]) -> Struck {
    let (running, mut struck) = living(cluster, nodes);
    for node in running {
        struck.note(node, cluster.kill(node).await);
    }
    struck
}

/// Starts those of `nodes` that we killed; says with which pid. A node that ended by itself stays dead: that
/// is a finding, not something to heal.
pub(super) fn heal(cluster: &Cluster, nodes: &[NodeId]) -> Vec<String> {
    let mut sentences = Vec::new();
    for &node in nodes {
        if matches!(cluster.state(node), ProcessState::Dead { by_us: true, .. }) {
            sentences.push(
                cluster.start_node(node).unwrap_or_else(|error| format!("{node} not restarted: {error:#}")),
            );
        }
    }
    sentences
}
