//! Each shape by the property that names it.

use super::*;
use rand::SeedableRng;
use std::collections::BTreeSet;

fn nodes(count: u16) -> Vec<NodeId> {
    NodeId::all(count).collect()
}

fn view(count: u16, leader: u16) -> View {
    View { nodes: nodes(count), running: nodes(count), leader: Some(NodeId::new(leader)) }
}

/// Draws the shape around the leader n2, for many seeds and sizes.
fn for_many(shape: PartitionShape, property: impl Fn(&View, &Grudge)) {
    for count in 2..=11 {
        if check(shape, count).is_err() {
            continue;
        }
        let view = view(count, 2);
        for seed in 0..200 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            property(&view, &draw(shape, &view, &[NodeId::new(2)], &mut rng).unwrap());
        }
    }
}

fn is_mutual(grudge: &Grudge) -> bool {
    let links: BTreeSet<_> = grudge.links().collect();
    links.iter().all(|&(from, to)| links.contains(&(to, from)))
}

/// The groups of nodes that talk with one another, if each node is in one.
fn groups(view: &View, grudge: &Grudge) -> BTreeSet<Vec<NodeId>> {
    view.nodes.iter().map(|&node| sees(&view.nodes, grudge, node)).collect()
}

fn sizes(view: &View, grudge: &Grudge) -> Vec<usize> {
    let mut sizes: Vec<usize> = groups(view, grudge).iter().map(Vec::len).collect();
    sizes.sort_unstable();
    sizes
}

#[test]
fn one_and_leader_alone_cut_the_target_off_from_all_others() {
    for shape in [PartitionShape::One, PartitionShape::LeaderAlone] {
        for_many(shape, |view, grudge| {
            assert!(is_mutual(grudge));
            assert_eq!(sees(&view.nodes, grudge, NodeId::new(2)), [NodeId::new(2)]);
            assert_eq!(sizes(view, grudge).iter().sum::<usize>(), view.nodes.len());
            assert_eq!(groups(view, grudge).len(), 2);
        });
    }
}

#[test]
fn halves_differ_by_at_most_one_and_the_target_is_in_the_smaller() {
    for_many(PartitionShape::Halves, |view, grudge| {
        assert!(is_mutual(grudge));
        let groups = groups(view, grudge);
        assert_eq!(groups.len(), 2);
        let total = view.nodes.len();
        assert_eq!(sizes(view, grudge), [total / 2, total.div_ceil(2)]);
        assert_eq!(sees(&view.nodes, grudge, NodeId::new(2)).len(), total / 2);
    });
}

#[test]
fn majority_minority_leaves_the_target_in_the_minority() {
    for_many(PartitionShape::MajorityMinority, |view, grudge| {
        assert!(is_mutual(grudge));
        let sizes = sizes(view, grudge);
        assert_eq!((sizes.len(), sizes.iter().sum::<usize>()), (2, view.nodes.len()));
        assert!(sizes[0] < view.majority() && sizes[1] >= view.majority(), "{sizes:?}");
        assert_eq!(sees(&view.nodes, grudge, NodeId::new(2)).len(), sizes[0]);
    });
}

#[test]
fn majority_minority_cuts_a_minority_target_off_as_a_whole() {
    let view = view(5, 1);
    let target = [NodeId::new(2), NodeId::new(4)];
    let grudge =
        draw(PartitionShape::MajorityMinority, &view, &target, &mut ChaCha8Rng::seed_from_u64(1)).unwrap();
    assert_eq!(sees(&view.nodes, &grudge, NodeId::new(4)), target);
}

#[test]
fn in_a_majorities_ring_every_node_sees_a_majority_and_no_two_the_same() {
    for_many(PartitionShape::MajoritiesRing, |view, grudge| {
        assert!(is_mutual(grudge));
        let seen: BTreeSet<Vec<NodeId>> =
            view.nodes.iter().map(|&node| sees(&view.nodes, grudge, node)).collect();
        assert_eq!(seen.len(), view.nodes.len(), "two nodes see the same");
        for stretch in &seen {
            assert!(stretch.len() >= view.majority() && stretch.len() < view.nodes.len(), "{stretch:?}");
        }
    });
    // With five nodes the ring is perfect: each majority is as small as one can be.
    let five = majorities_ring(&nodes(5));
    assert!(nodes(5).iter().all(|&node| sees(&nodes(5), &five, node).len() == 3));
}

#[test]
fn a_bridge_is_the_only_node_that_both_halves_see() {
    for_many(PartitionShape::Bridge, |view, grudge| {
        assert!(is_mutual(grudge));
        let total = view.nodes.len();
        let bridges: Vec<_> =
            view.nodes.iter().filter(|&&node| sees(&view.nodes, grudge, node).len() == total).collect();
        assert_eq!(bridges.len(), 1);
        let others = view.nodes.iter().filter(|node| !bridges.contains(node));
        for &node in others {
            let size = sees(&view.nodes, grudge, node).len();
            assert!(size == total.div_ceil(2) || size == total / 2 + 1, "{size} of {total}");
        }
    });
}

#[test]
fn one_way_cuts_exactly_the_outgoing_or_exactly_the_incoming_links_of_the_target() {
    let mut directions = BTreeSet::new();
    for_many(PartitionShape::OneWay, |view, grudge| {
        let links: Vec<_> = grudge.links().collect();
        assert_eq!(links.len(), view.nodes.len() - 1);
        let target = NodeId::new(2);
        let outgoing = links.iter().all(|&(from, _)| from == target);
        let incoming = links.iter().all(|&(_, to)| to == target);
        assert!(outgoing != incoming || view.nodes.len() == 2);
    });
    for seed in 0..50 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let grudge = draw(PartitionShape::OneWay, &view(5, 2), &[NodeId::new(2)], &mut rng).unwrap();
        directions.insert(grudge.links().all(|(from, _)| from == NodeId::new(2)));
    }
    assert_eq!(directions.len(), 2, "both directions are drawn");
}

#[test]
fn impossible_shapes_are_refused_in_one_sentence() {
    for count in [1, 2, 3, 4, 6, 8] {
        let why = check(PartitionShape::MajoritiesRing, count).unwrap_err();
        assert!(why.contains("an odd number of nodes, at least 5"), "{why}");
    }
    assert!(check(PartitionShape::MajoritiesRing, 7).is_ok());
    assert!(check(PartitionShape::Bridge, 2).unwrap_err().contains("'bridge' needs at least 3 nodes"));
    assert!(check(PartitionShape::LeaderAlone, 1).is_err());
}

#[test]
fn a_leader_that_is_not_known_cannot_be_cut_off() {
    let mut view = view(5, 2);
    view.leader = None;
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let why = draw(PartitionShape::LeaderAlone, &view, &[NodeId::new(1)], &mut rng).unwrap_err();
    assert_eq!(why, "no leader is known");
}
