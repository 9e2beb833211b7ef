//! The near-linear method for registers whose observed values each have one source.
//!
//! Then every order must keep a write and its reads together (a *block*), and a compare-and-set from a
//! to b puts block b directly behind block a (a *chain*). With f the earliest return and s the latest
//! call of a chain, chain A must precede B iff f(A) < s(B). If chains are consistent within and no two
//! must precede each other, an order exists: sort by min(f, s). (Gibbons & Korach, "Testing shared
//! memories", SIAM J. Comput. 1997, extended by gluing.) Anything outside these assumptions is
//! [`Blocks::NotApplicable`], and the general search decides.

use std::collections::{HashMap, HashSet};

use crate::model::RegAction;
use crate::register::problem::{NIL, RegOp};

/// What the method found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Blocks {
    /// An order of all operations.
    Valid(Vec<usize>),
    /// These operations, with the sources of what they found, contradict each other.
    Invalid(Vec<usize>),
    /// Values repeat, or an operation has no return.
    NotApplicable,
}

/// A write (or the initial state) and the reads of its value.
#[derive(Debug, Clone, Default)]
struct Block {
    /// `None` for the initial state.
    source: Option<usize>,
    reads: Vec<usize>,
    /// The compare-and-set that replaced the value.
    replaced_by: Option<usize>,
}

/// Blocks in a fixed order, and the extremes of their operations.
struct Chain {
    blocks: Vec<usize>,
    first_return: Extreme,
    last_call: Extreme,
}

/// An extreme position in a chain; ordered by position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Extreme {
    position: u64,
    /// `None`: the initial state, at position 0.
    op: Option<usize>,
    /// Where in the chain its block is.
    at: usize,
}

/// Decides a problem in which every operation returned.
pub(crate) fn decide(ops: &[RegOp]) -> Blocks {
    if ops.iter().any(|op| op.ret.is_none() || matches!(op.action, RegAction::NotEqual(_))) {
        return Blocks::NotApplicable;
    }
    let (blocks, block_of) = match collect(ops) {
        Ok(collected) => collected,
        Err(answer) => return answer,
    };
    let mut chains = Vec::new();
    let mut chained = 0;
    for start in 0..blocks.len() {
        let follows = blocks[start].source.is_some_and(|id| ops[id].action.finds().is_some());
        if follows {
            continue;
        }
        match chain(ops, &blocks, &block_of, start) {
            Ok(chain) => {
                chained += chain.blocks.len();
                chains.push(chain);
            }
            Err(core) => return Blocks::Invalid(core),
        }
    }
    if chained < blocks.len() {
        // Chains without a beginning: each value replaced one that came from it.
        return Blocks::Invalid((0..ops.len()).collect());
    }
    if let Some((a, b)) = contradiction(&chains) {
        let both = [&chains[a], &chains[b]];
        let named = both.map(|chain| core(&blocks, chain, chain.first_return, chain.last_call));
        return Blocks::Invalid(named.concat());
    }
    Blocks::Valid(order(&blocks, chains))
}

/// Blocks (the initial state's first), and the block of each operation that stores a value.
type Collected = (Vec<Block>, Vec<usize>);

fn collect(ops: &[RegOp]) -> Result<Collected, Blocks> {
    let mut blocks = vec![Block::default()];
    let mut by_value = HashMap::from([(NIL, 0)]);
    let mut finders: Vec<(usize, u32)> = Vec::new();
    let mut repeated: HashSet<u32> = HashSet::new();
    let mut block_of = vec![0; ops.len()];
    for (id, op) in ops.iter().enumerate() {
        finders.extend(op.action.finds().map(|value| (id, value)));
        let Some(value) = op.action.stores() else { continue };
        blocks.push(Block { source: Some(id), ..Block::default() });
        block_of[id] = blocks.len() - 1;
        if by_value.insert(value, blocks.len() - 1).is_some() {
            repeated.insert(value);
        }
    }
    for (id, value) in finders {
        // A repeated value matters only if somebody looks for it.
        if repeated.contains(&value) {
            return Err(Blocks::NotApplicable);
        }
        let Some(&block) = by_value.get(&value) else { return Err(Blocks::Invalid(vec![id])) };
        let block = &mut blocks[block];
        if matches!(ops[id].action, RegAction::Cas(..)) {
            if let Some(other) = block.replaced_by.replace(id) {
                return Err(Blocks::Invalid(block.source.into_iter().chain([other, id]).collect()));
            }
        } else {
            block.reads.push(id);
        }
    }
    // Reads of one value go by call: then none returned before one ahead of it was called.
    blocks.iter_mut().for_each(|block| block.reads.sort_by_key(|&id| ops[id].call));
    Ok((blocks, block_of))
}

/// Follows compare-and-sets from `start`; an error is a set of operations that contradict each other.
fn chain(ops: &[RegOp], blocks: &[Block], block_of: &[usize], start: usize) -> Result<Chain, Vec<usize>> {
    let initial = blocks[start].source.is_none();
    let mut chain = Chain {
        blocks: Vec::new(),
        first_return: Extreme { position: if initial { 0 } else { u64::MAX }, op: None, at: 0 },
        last_call: Extreme { position: 0, op: None, at: 0 },
    };
    let mut next = Some(start);
    while let Some(at) = next {
        let block = &blocks[at];
        let place = chain.blocks.len();
        chain.blocks.push(at);
        // One step is the source, the next is all its reads: of those, none fixes the order of another.
        for step in [block.source.as_slice(), block.reads.as_slice()] {
            let limit = chain.last_call;
            for &id in step {
                let op = &ops[id];
                let ret = op.ret.expect("decide() let only returned operations through");
                let returned = Extreme { position: ret, op: Some(id), at: place };
                if ret < limit.position {
                    return Err(core(blocks, &chain, returned, limit));
                }
                chain.first_return = chain.first_return.min(returned);
                let called = Extreme { position: op.call, op: Some(id), at: place };
                chain.last_call = chain.last_call.max(called);
            }
        }
        next = block.replaced_by.map(|id| block_of[id]);
    }
    Ok(chain)
}

/// Two chains of which each must precede the other: two forward zones that overlap, or a backward zone
/// inside a forward one. (A zone is forward if its earliest return lies before its latest call.)
fn contradiction(chains: &[Chain]) -> Option<(usize, usize)> {
    let is_forward = |chain: &Chain| chain.first_return.position < chain.last_call.position;
    let mut forward: Vec<usize> = (0..chains.len()).filter(|&c| is_forward(&chains[c])).collect();
    forward.sort_unstable_by_key(|&c| chains[c].first_return.position);
    for pair in forward.windows(2) {
        if chains[pair[1]].first_return.position < chains[pair[0]].last_call.position {
            return Some((pair[0], pair[1]));
        }
    }
    (0..chains.len()).filter(|&c| !is_forward(&chains[c])).find_map(|c| {
        let (ret, call) = (chains[c].first_return.position, chains[c].last_call.position);
        let before = forward.partition_point(|&other| chains[other].first_return.position < call);
        let around = *forward.get(before.checked_sub(1)?)?;
        (ret < chains[around].last_call.position).then_some((around, c))
    })
}

/// Two operations of a chain, and the sources from the one's block to the other's, which tie them together.
fn core(blocks: &[Block], chain: &Chain, a: Extreme, b: Extreme) -> Vec<usize> {
    let between = &chain.blocks[a.at.min(b.at)..=a.at.max(b.at)];
    let mut core: Vec<usize> = between.iter().filter_map(|&block| blocks[block].source).collect();
    core.extend(a.op.into_iter().chain(b.op));
    core.sort_unstable();
    core.dedup();
    core
}

fn order(blocks: &[Block], mut chains: Vec<Chain>) -> Vec<usize> {
    chains.sort_by_key(|chain| {
        let (ret, call) = (chain.first_return.position, chain.last_call.position);
        // The initial state comes before everything, whether anybody read it or not.
        let initial = blocks[chain.blocks[0]].source.is_none();
        (!initial, ret.min(call), ret < call)
    });
    let in_block = |&block: &usize| blocks[block].source.iter().chain(&blocks[block].reads).copied();
    chains.iter().flat_map(|chain| chain.blocks.iter().flat_map(in_block)).collect()
}
