//! Chains: blocks that compare-and-sets tie together, and the order of all chains.

use crate::blocks::{Zone, chain, order};
use crate::monitors::register::Fault;
use crate::monitors::register::collect::{NONE, Values};

/// The chains of a problem.
pub(super) struct Chains {
    /// The block each begins with.
    pub(super) roots: Vec<u32>,
    pub(super) zones: Vec<Zone>,
}

impl Chains {
    pub(super) fn new(values: &Values<'_>) -> Result<Self, Fault> {
        let most = values.blocks.len();
        let mut chains = Self { roots: Vec::with_capacity(most), zones: Vec::with_capacity(most) };
        let mut in_chains = 0_usize;
        let mut live = 0_usize;
        for (root, block) in (0..).zip(&values.blocks) {
            live += usize::from(block.live);
            if !block.live || block.linked {
                continue;
            }
            let zone = if block.next == NONE {
                in_chains += 1;
                // As below, for one block.
                if block.reads.must_precede(block.source_zone()) {
                    return Err(Fault::Within(root));
                }
                block.zone()
            } else {
                // One step is the source, the next is all its reads: of those, none fixes the order of another.
                let steps = follow(values, root).inspect(|_| in_chains += 1).flat_map(|at| {
                    let block = &values.blocks[at as usize];
                    [block.source_zone(), block.reads]
                });
                chain(steps).map_err(|_steps| Fault::Within(root))?
            };
            chains.roots.push(root);
            chains.zones.push(zone);
        }
        if in_chains < live {
            return Err(Fault::Circle(in_a_circle(values, &chains)));
        }
        Ok(chains)
    }

    /// The order of the chains, by index.
    pub(super) fn order(&self, values: &Values<'_>) -> Result<Vec<u32>, Fault> {
        debug_assert!(
            values.blocks.first().is_some_and(|nil| !nil.linked),
            "nil has no compare-and-set behind it"
        );
        order(&self.zones).map_err(|(a, b)| Fault::Between(self.roots[a as usize], self.roots[b as usize]))
    }

    /// All blocks in that order.
    pub(super) fn turns(&self, values: &Values<'_>, order: &[u32]) -> Vec<u32> {
        let roots = order.iter().map(|&chain| self.roots[chain as usize]);
        if values.chained { roots.flat_map(|root| follow(values, root)).collect() } else { roots.collect() }
    }
}

/// The blocks of a chain from `root` on.
pub(super) fn follow(values: &Values<'_>, root: u32) -> impl Iterator<Item = u32> {
    std::iter::successors(Some(root), |&at| {
        Some(values.blocks[at as usize].next).filter(|&next| next != NONE)
    })
}

/// A block of a chain without a beginning.
fn in_a_circle(values: &Values<'_>, chains: &Chains) -> u32 {
    let mut seen = vec![false; values.blocks.len()];
    chains.roots.iter().flat_map(|&root| follow(values, root)).for_each(|at| seen[at as usize] = true);
    let block = (0..).zip(&values.blocks).find(|&(at, block)| block.live && !seen[at as usize]);
    block.expect("more blocks are live than chains hold").0
}
