//! The shapes of partitions: pure functions from nodes to a grudge.
//!
//! The shapes are Jepsen's (`jepsen.nemesis`): split-one, halves, bridge, majorities-ring; and the one-way
//! cuts that a switch with a broken transmitter makes.

use super::targets::{View, minority_max};
use crate::cluster::NodeId;
use crate::network::Grudge;
use crate::plan::PartitionShape;
use rand::RngExt;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;

/// The smallest cluster in which every node can see a majority and no two the same.
const RING_NODES_MIN: u16 = 5;

/// Draws a partition of `shape` around the nodes of `anchor`, which are running ones.
///
/// # Errors
/// Why there is none now.
pub(super) fn draw(
    shape: PartitionShape,
    view: &View,
    anchor: &[NodeId],
    rng: &mut ChaCha8Rng,
) -> Result<Grudge, String> {
    let one = anchor.choose(rng).copied().ok_or_else(|| "no target runs".to_owned());
    match shape {
        PartitionShape::One => Ok(split(&view.nodes, &[one?])),
        PartitionShape::LeaderAlone => {
            let leader = view.leader.ok_or_else(|| "no leader is known".to_owned())?;
            Ok(split(&view.nodes, &[leader]))
        }
        PartitionShape::Halves => Ok(split(&view.nodes, &group(view, one?, view.nodes.len() / 2, rng))),
        PartitionShape::MajorityMinority => {
            let most = minority_max(view.nodes.len());
            // A target that is a minority is cut off as a whole; of a larger one, a part.
            let side = if (1..=most).contains(&anchor.len()) && anchor.len() > 1 {
                anchor.to_vec()
            } else {
                let size = rng.random_range(1..=most.max(1));
                group(view, one?, size, rng)
            };
            Ok(split(&view.nodes, &side))
        }
        PartitionShape::MajoritiesRing => {
            let mut ring = view.nodes.clone();
            ring.shuffle(rng);
            Ok(majorities_ring(&ring))
        }
        PartitionShape::Bridge => {
            let mut order = view.nodes.clone();
            order.shuffle(rng);
            Ok(bridge(&order))
        }
        PartitionShape::OneWay => {
            let direction = if rng.random_bool(0.5) { Direction::Outgoing } else { Direction::Incoming };
            Ok(one_way(&view.nodes, one?, direction))
        }
    }
}

/// Whether a cluster of `count` nodes can have this shape at all.
///
/// # Errors
/// Why not, and what would do.
pub(super) fn check(shape: PartitionShape, count: u16) -> Result<(), String> {
    let needs = |least: u16, name: &str| {
        if count < least {
            Err(format!("the partition '{name}' needs at least {least} nodes, but --nodes is {count}"))
        } else {
            Ok(())
        }
    };
    match shape {
        PartitionShape::One => needs(2, "one"),
        PartitionShape::Halves => needs(2, "halves"),
        PartitionShape::LeaderAlone => needs(2, "leader-alone"),
        PartitionShape::OneWay => needs(2, "one-way"),
        PartitionShape::MajorityMinority => needs(3, "majority-minority"),
        PartitionShape::Bridge => needs(3, "bridge"),
        PartitionShape::MajoritiesRing if count < RING_NODES_MIN || count.is_multiple_of(2) => Err(format!(
            "the partition 'majorities-ring' needs an odd number of nodes, at least {RING_NODES_MIN}, \
             but --nodes is {count}"
        )),
        PartitionShape::MajoritiesRing => Ok(()),
    }
}

/// `size` nodes, `member` among them.
fn group(view: &View, member: NodeId, size: usize, rng: &mut ChaCha8Rng) -> Vec<NodeId> {
    let mut others: Vec<NodeId> = view.nodes.iter().copied().filter(|&node| node != member).collect();
    others.shuffle(rng);
    others.truncate(size.saturating_sub(1));
    others.push(member);
    others
}

/// A grudge that holds between every ordered pair for which `hears` (to, from) is false.
fn where_deaf(nodes: &[NodeId], hears: impl Fn(NodeId, NodeId) -> bool) -> Grudge {
    let mut grudge = Grudge::default();
    for &to in nodes {
        for &from in nodes {
            if to != from && !hears(to, from) {
                grudge.0.entry(to).or_default().insert(from);
            }
        }
    }
    grudge
}

/// `side` against all others, in both directions.
fn split(nodes: &[NodeId], side: &[NodeId]) -> Grudge {
    where_deaf(nodes, |to, from| side.contains(&to) == side.contains(&from))
}

/// Every node hears its nearest neighbours on the ring, as many as a majority with itself needs: the same
/// number on both sides, so hearing is mutual, and each node is the middle of its own stretch, so no two
/// stretches are equal.
fn majorities_ring(ring: &[NodeId]) -> Grudge {
    let count = ring.len();
    let majority = count / 2 + 1;
    let reach = (majority - 1).div_ceil(2);
    let place =
        |node: NodeId| ring.iter().position(|&other| other == node).expect("nodes come from the ring");
    where_deaf(ring, |to, from| {
        let apart = place(to).abs_diff(place(from));
        apart.min(count - apart) <= reach
    })
}

/// The middle node of `order` hears and is heard by all; the two halves beside it do not know each other.
fn bridge(order: &[NodeId]) -> Grudge {
    let middle = order.len() / 2;
    let (left, right) = (&order[..middle], &order[middle + 1..]);
    where_deaf(order, |to, from| {
        !(left.contains(&to) && right.contains(&from) || right.contains(&to) && left.contains(&from))
    })
}

/// Which bytes of a node are lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Outgoing,
    Incoming,
}

/// Nobody hears `node`, or it hears nobody; the other direction works.
fn one_way(nodes: &[NodeId], node: NodeId, direction: Direction) -> Grudge {
    where_deaf(nodes, |to, from| match direction {
        Direction::Outgoing => from != node,
        Direction::Incoming => to != node,
    })
}

/// How many nodes `node` can talk with in both directions under `grudge`, itself included.
pub(super) fn sees(nodes: &[NodeId], grudge: &Grudge, node: NodeId) -> Vec<NodeId> {
    let deaf = |to: NodeId, from: NodeId| grudge.0.get(&to).is_some_and(|sources| sources.contains(&from));
    nodes.iter().copied().filter(|&other| !deaf(node, other) && !deaf(other, node)).collect()
}

#[cfg(test)]
mod tests;
