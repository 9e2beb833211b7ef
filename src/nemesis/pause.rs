//! The pause family: SIGSTOP, so that a node neither answers nor dies; later SIGCONT.

use super::{Struck, living};
use crate::cluster::{Cluster, NodeId, ProcessState};

/// Pauses those of `nodes` that run.
pub(super) async fn inject(cluster: &Cluster, nodes: &[NodeId]) -> Struck {
    let (running, mut struck) = living(cluster, nodes);
    for node in running {
        struck.note(node, cluster.pause(node).await);
    }
    struck
}

/// Lets those of `nodes` that are paused go on; says how that is known.
pub(super) async fn heal(cluster: &Cluster, nodes: &[NodeId]) -> Vec<String> {
    let mut sentences = Vec::new();
    for &node in nodes {
        sentences.push(match cluster.state(node) {
            ProcessState::Paused => {
                cluster.resume(node).await.unwrap_or_else(|error| format!("{node} not resumed: {error:#}"))
            }
            ProcessState::Running => continue,
            ProcessState::Dead { how, .. } => format!("{node} ended with {how} while it was paused"),
        });
    }
    sentences
}
