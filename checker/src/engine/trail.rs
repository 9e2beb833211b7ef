//! The tree of ways that a search breadth first has gone, from which a witness is read. Ways that led
//! nowhere are dropped from time to time, and what all ways have in common is kept once (*committed*).

use crate::engine::config::Placed;

/// Steps taken, after those of another node.
#[derive(Debug, Clone, Copy)]
struct Node {
    before: u32,
    start: u32,
    end: u32,
}

/// The tree.
#[derive(Debug, Default)]
pub(super) struct Trail {
    committed: Vec<Placed>,
    nodes: Vec<Node>,
    placed: Vec<Placed>,
}

impl Trail {
    /// The node before any step that is not committed.
    pub(super) const START: u32 = u32::MAX;

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn push(&mut self, before: u32, placed: &[Placed]) -> u32 {
        let small = |n: usize| u32::try_from(n).expect("the memory budget keeps the tree smaller");
        let start = small(self.placed.len());
        self.placed.extend_from_slice(placed);
        self.nodes.push(Node { before, start, end: small(self.placed.len()) });
        small(self.nodes.len() - 1)
    }

    /// The steps up to a node, first to last.
    pub(super) fn path(&self, mut node: u32) -> Vec<Placed> {
        let mut nodes = Vec::new();
        while node != Self::START {
            nodes.push(self.nodes[node as usize]);
            node = nodes[nodes.len() - 1].before;
        }
        let steps = nodes.iter().rev().flat_map(|n| &self.placed[n.start as usize..n.end as usize]);
        self.committed.iter().chain(steps).copied().collect()
    }

    /// Drops nodes from which none of `ends` descends, and renumbers the ends.
    pub(super) fn compact<'a>(&mut self, ends: impl Iterator<Item = &'a mut u32>) {
        let ends: Vec<&mut u32> = ends.collect();
        // A node comes after the one before it.
        let mut ways = vec![0_u32; self.nodes.len()];
        for end in &ends {
            if **end != Self::START {
                ways[**end as usize] += 2;
            }
        }
        for node in (0..self.nodes.len()).rev() {
            let before = self.nodes[node].before;
            if ways[node] > 0 && before != Self::START {
                ways[before as usize] += 1;
            }
        }
        let starts = (0..self.nodes.len()).filter(|&n| ways[n] > 0 && self.nodes[n].before == Self::START);
        let mut commits = starts.count() == 1 && !ends.iter().any(|end| **end == Self::START);
        let mut renamed = vec![Self::START; self.nodes.len()];
        let old = std::mem::take(self);
        self.committed = old.committed;
        for (id, node) in old.nodes.iter().enumerate().filter(|&(id, _)| ways[id] > 0) {
            let steps = &old.placed[node.start as usize..node.end as usize];
            // One way leads on from here, and none ends here.
            commits &= ways[id] == 1;
            if commits {
                self.committed.extend_from_slice(steps);
            } else {
                let before =
                    if node.before == Self::START { node.before } else { renamed[node.before as usize] };
                renamed[id] = self.push(before, steps);
            }
        }
        for end in ends {
            if *end != Self::START {
                *end = renamed[*end as usize];
            }
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>()
            + (self.placed.capacity() + self.committed.capacity()) * size_of::<Placed>()
    }
}
