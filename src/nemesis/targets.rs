//! Which nodes a target means, at the moment of a fault.

use crate::cluster::NodeId;
use crate::plan::TargetSpec;
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// The cluster as the nemesis knows it when it plans a fault.
#[derive(Debug, Clone)]
pub(crate) struct View {
    /// All nodes, in order.
    pub(crate) nodes: Vec<NodeId>,
    /// The nodes whose process runs and is not paused, in order. Only these are hit.
    pub(crate) running: Vec<NodeId>,
    /// Who leads, if known and running.
    pub(crate) leader: Option<NodeId>,
}

impl View {
    /// How many nodes make a majority.
    pub(super) fn majority(&self) -> usize {
        self.nodes.len() / 2 + 1
    }

    /// Running nodes in random order.
    fn shuffled(&self, rng: &mut ChaCha8Rng) -> Vec<NodeId> {
        let mut nodes = self.running.clone();
        nodes.shuffle(rng);
        nodes
    }
}

/// The running nodes that `target` means now, in order; never empty.
///
/// # Errors
/// Why there are none.
pub(super) fn resolve(target: &TargetSpec, view: &View, rng: &mut ChaCha8Rng) -> Result<Vec<NodeId>, String> {
    let leader = || view.leader.ok_or_else(|| "no leader is known".to_owned());
    let mut nodes = match target {
        TargetSpec::One => first(view.shuffled(rng), 1),
        TargetSpec::Minority => {
            let most = minority_max(view.nodes.len());
            if most == 0 {
                return Err(format!("{} nodes have no minority", view.nodes.len()));
            }
            let size = rng.random_range(1..=most);
            first(view.shuffled(rng), size)
        }
        TargetSpec::Majority => {
            if view.running.len() < view.majority() {
                return Err(format!("only {} of {} nodes run", view.running.len(), view.nodes.len()));
            }
            first(view.shuffled(rng), view.majority())
        }
        TargetSpec::Leader => vec![leader()?],
        TargetSpec::Followers => {
            let leader = leader()?;
            view.running.iter().copied().filter(|&node| node != leader).collect()
        }
        TargetSpec::All => view.running.clone(),
        TargetSpec::Nodes(named) => {
            view.running.iter().copied().filter(|node| named.contains(node)).collect()
        }
    };
    if nodes.is_empty() {
        return Err("no target runs".to_owned());
    }
    nodes.sort_unstable();
    Ok(nodes)
}

/// Whether a cluster of `count` nodes can have this target at all.
///
/// # Errors
/// Why not, and what would do.
pub(super) fn check(target: &TargetSpec, count: u16) -> Result<(), String> {
    match target {
        TargetSpec::Minority if minority_max(usize::from(count)) == 0 => {
            Err(format!("the target 'minority' needs at least 3 nodes, but --nodes is {count}"))
        }
        TargetSpec::Followers if count < 2 => {
            Err(format!("the target 'followers' needs at least 2 nodes, but --nodes is {count}"))
        }
        TargetSpec::Nodes(named) => match named.iter().find(|node| node.number() > count) {
            Some(stranger) => {
                Err(format!("there is no {stranger}: --nodes is {count}, so nodes are n1 to n{count}"))
            }
            None if named.is_empty() => {
                Err("the list of target nodes is empty; name one, such as n1".to_owned())
            }
            None => Ok(()),
        },
        TargetSpec::One
        | TargetSpec::Minority
        | TargetSpec::Majority
        | TargetSpec::Leader
        | TargetSpec::Followers
        | TargetSpec::All => Ok(()),
    }
}

/// The largest number of nodes that leaves a majority.
pub(super) fn minority_max(count: usize) -> usize {
    count.saturating_sub(1) / 2
}

fn first(mut nodes: Vec<NodeId>, size: usize) -> Vec<NodeId> {
    nodes.truncate(size);
    nodes
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn view(count: u16, dead: &[u16], leader: Option<u16>) -> View {
        let nodes: Vec<NodeId> = NodeId::all(count).collect();
        let running = nodes.iter().copied().filter(|node| !dead.contains(&node.number())).collect();
        View { nodes, running, leader: leader.map(NodeId::new) }
    }

    fn numbers(target: &TargetSpec, view: &View, seed: u64) -> Result<Vec<u16>, String> {
        let nodes = resolve(target, view, &mut ChaCha8Rng::seed_from_u64(seed))?;
        Ok(nodes.into_iter().map(NodeId::number).collect())
    }

    #[test]
    fn each_target_means_what_it_says() {
        let all_up = view(5, &[], Some(3));
        for seed in 0..100 {
            assert_eq!(numbers(&TargetSpec::One, &all_up, seed).unwrap().len(), 1);
            assert!((1..=2).contains(&numbers(&TargetSpec::Minority, &all_up, seed).unwrap().len()));
            assert_eq!(numbers(&TargetSpec::Majority, &all_up, seed).unwrap().len(), 3);
        }
        assert_eq!(numbers(&TargetSpec::Leader, &all_up, 1).unwrap(), [3]);
        assert_eq!(numbers(&TargetSpec::Followers, &all_up, 1).unwrap(), [1, 2, 4, 5]);
        assert_eq!(numbers(&TargetSpec::All, &all_up, 1).unwrap(), [1, 2, 3, 4, 5]);
        let named = TargetSpec::Nodes(vec![NodeId::new(4), NodeId::new(1)]);
        assert_eq!(numbers(&named, &all_up, 1).unwrap(), [1, 4]);
    }

    #[test]
    fn the_dead_are_never_meant() {
        let hurt = view(5, &[1, 4], Some(3));
        for seed in 0..100 {
            for target in [TargetSpec::One, TargetSpec::Minority, TargetSpec::Majority, TargetSpec::All] {
                let nodes = numbers(&target, &hurt, seed).unwrap();
                assert!(!nodes.contains(&1) && !nodes.contains(&4), "{target:?}: {nodes:?}");
            }
        }
        let worse = view(5, &[1, 2, 4], None);
        assert_eq!(numbers(&TargetSpec::Majority, &worse, 1).unwrap_err(), "only 2 of 5 nodes run");
        assert_eq!(numbers(&TargetSpec::Leader, &worse, 1).unwrap_err(), "no leader is known");
        let named = TargetSpec::Nodes(vec![NodeId::new(1)]);
        assert_eq!(numbers(&named, &worse, 1).unwrap_err(), "no target runs");
    }

    #[test]
    fn impossible_targets_are_refused_in_one_sentence() {
        let stranger = TargetSpec::Nodes(vec![NodeId::new(1), NodeId::new(7)]);
        assert_eq!(check(&stranger, 5).unwrap_err(), "there is no n7: --nodes is 5, so nodes are n1 to n5");
        assert!(check(&TargetSpec::Minority, 2).unwrap_err().contains("at least 3 nodes"));
        assert!(check(&TargetSpec::Followers, 1).unwrap_err().contains("at least 2 nodes"));
        assert!(check(&TargetSpec::Minority, 3).is_ok());
    }
}
