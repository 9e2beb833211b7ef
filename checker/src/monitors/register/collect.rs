//! From operations to blocks: one pass over the operations, then what follows about those without return.

use crate::blocks::Zone;
use crate::model::RegAction;
use crate::monitors::register::{Fault, RegOp};
use crate::{NEVER, Position};

/// No block, or no operation.
pub(super) const NONE: u32 = u32::MAX;

/// The source of the initial value.
pub(super) const INITIAL: u32 = u32::MAX - 1;

/// A value: what stored it, and the reads that returned it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    /// The operation that stored it; [`INITIAL`] or [`NONE`].
    pub(super) source: u32,
    pub(super) call: Position,
    pub(super) ret: Position,
    pub(super) reads: Zone,
    /// How many reads there are. When operations are laid out: where the next of them goes.
    pub(super) len: u32,
    /// The block that directly follows, because a compare-and-set replaced this value by its.
    pub(super) next: u32,
    /// It directly follows another.
    pub(super) linked: bool,
    /// An operation that certainly happened found it.
    pub(super) found: bool,
    /// Other blocks have the same value.
    shared: bool,
    /// It has a place in the order: its source happened, and is known.
    pub(super) live: bool,
}

impl Block {
    const EMPTY: Self = Self {
        source: NONE,
        call: 0,
        ret: NEVER,
        reads: Zone::EMPTY,
        len: 0,
        next: NONE,
        linked: false,
        found: false,
        shared: false,
        live: false,
    };

    pub(super) fn source_zone(&self) -> Zone {
        Zone { first_return: self.ret, last_call: self.call }
    }

    pub(super) fn zone(&self) -> Zone {
        self.source_zone().join(self.reads)
    }

    /// The operation that stored it, if one did.
    pub(super) fn source_op(&self) -> Option<u32> {
        (self.source < INITIAL).then_some(self.source)
    }
}

/// All values of a problem.
pub(super) struct Values<'a> {
    pub(super) ops: &'a [RegOp],
    /// By value; where a value is stored several times, the later ones come behind all others.
    pub(super) blocks: Vec<Block>,
    /// Refused compare-and-sets, by call.
    pub(super) refusals: Vec<u32>,
    /// Some blocks are linked.
    pub(super) chained: bool,
    /// A value somebody looked for has several sources: it is left out, and no order proves anything.
    pub(super) open: bool,
    /// Values with several sources.
    shared: Vec<u32>,
    /// Blocks of compare-and-sets without return.
    pending: Vec<u32>,
    /// Pairs of blocks of compare-and-sets that replaced the same value.
    twice: Vec<(u32, u32)>,
}

impl<'a> Values<'a> {
    /// Sorts `ops` into blocks; all values are below `bound`.
    pub(super) fn collect(ops: &'a [RegOp], bound: usize) -> Self {
        let mut blocks = vec![Block::EMPTY; bound];
        blocks[0] = Block { source: INITIAL, ret: 0, ..Block::EMPTY };
        let mut values = Self {
            ops,
            blocks,
            refusals: Vec::new(),
            chained: false,
            open: false,
            shared: Vec::new(),
            pending: Vec::new(),
            twice: Vec::new(),
        };
        for (id, op) in (0..).zip(ops) {
            match op.action {
                RegAction::Write(value) => {
                    values.store(value, id);
                }
                RegAction::Cas(old, new) if old != new => {
                    let block = values.store(new, id);
                    if op.returned() {
                        values.link(old, block);
                    } else {
                        values.pending.push(block);
                    }
                }
                // Without an answer these say nothing.
                RegAction::Read(_) | RegAction::Cas(..) | RegAction::NotEqual(_) if !op.returned() => {}
                RegAction::Read(value) | RegAction::Cas(value, _) => {
                    let block = &mut values.blocks[value as usize];
                    block.reads.add(op.call, op.ret);
                    block.len += 1;
                    block.found = true;
                }
                RegAction::NotEqual(_) => values.refusals.push(id),
            }
        }
        values
    }

    /// The block of what operation `id` stored.
    fn store(&mut self, value: u32, id: u32) -> u32 {
        let RegOp { call, ret, .. } = self.ops[id as usize];
        let block = &mut self.blocks[value as usize];
        if block.source == NONE {
            (block.source, block.call, block.ret) = (id, call, ret);
            return value;
        }
        if !block.shared {
            block.shared = true;
            self.shared.push(value);
        }
        self.blocks.push(Block { source: id, call, ret, ..Block::EMPTY });
        u32::try_from(self.blocks.len() - 1).expect("fewer than 2^32 values and operations")
    }

    /// A compare-and-set that certainly happened replaced `old` and made `block`.
    fn link(&mut self, old: u32, block: u32) {
        let replaced = &mut self.blocks[old as usize];
        replaced.found = true;
        if replaced.next == NONE {
            replaced.next = block;
            self.blocks[block as usize].linked = true;
            self.chained = true;
        } else {
            let first = replaced.next;
            self.twice.push((first, block));
        }
    }

    /// Draws the conclusions about operations without return and values with several sources. Afterwards all
    /// that is known to have happened is live.
    pub(super) fn settle(&mut self) -> Option<Fault> {
        let mut work = self.pending.clone();
        while let Some(at) = work.pop() {
            let block = self.blocks[at as usize];
            let old = self.replaces(at).expect("only compare-and-sets are pending");
            // Of several sources any may be the one that happened.
            if !block.found || block.shared || block.linked {
                continue;
            }
            self.link(old, at);
            // Found, by one that happened: so it happened itself.
            let source = self.blocks[old as usize].source_op();
            let pending =
                self.replaces(old).is_some() && source.is_some_and(|id| !self.ops[id as usize].returned());
            if pending && self.blocks[at as usize].linked {
                work.push(old);
            }
        }
        self.leave_out_ambiguous();
        let ambiguous = |block: u32| self.replaces(block).is_some_and(|old| self.blocks[old as usize].shared);
        let twice = self.twice.iter().filter(|&&(_, second)| !ambiguous(second));
        let twice = twice.min_by_key(|&&(_, second)| self.blocks[second as usize].ret).copied();
        let mut unwritten: Option<(Position, u32)> = None;
        for (at, block) in (0..).zip(&mut self.blocks) {
            if block.source == NONE {
                if block.found {
                    let first = (block.reads.first_return, at);
                    unwritten = Some(unwritten.map_or(first, |other| other.min(first)));
                }
                continue;
            }
            block.live = (block.ret != NEVER || block.found) && !(block.shared && block.found);
        }
        match (unwritten, twice) {
            (Some((_, value)), _) => Some(Fault::Unwritten(value)),
            (None, Some((first, second))) => Some(Fault::Twice(first, second)),
            (None, None) => None,
        }
    }

    /// The value that the compare-and-set behind this block replaced, if there is one behind it.
    pub(super) fn replaces(&self, block: u32) -> Option<u32> {
        match self.ops[self.blocks[block as usize].source_op()? as usize].action {
            RegAction::Cas(old, _) => Some(old),
            RegAction::Read(_) | RegAction::NotEqual(_) | RegAction::Write(_) => None,
        }
    }

    /// Cuts the values with several sources that somebody looked for out of their chains: what else is
    /// contradictory remains so.
    fn leave_out_ambiguous(&mut self) {
        if self.shared.is_empty() {
            return;
        }
        for &id in &self.refusals {
            if let RegAction::NotEqual(value) = self.ops[id as usize].action {
                self.open |= self.blocks[value as usize].shared;
            }
        }
        for value in std::mem::take(&mut self.shared) {
            let Block { found: true, next, linked, .. } = self.blocks[value as usize] else { continue };
            self.open = true;
            if next != NONE {
                self.blocks[next as usize].linked = false;
                self.blocks[value as usize].next = NONE;
            }
            if linked {
                let before = self.replaces(value).expect("a linked block stems from a compare-and-set");
                self.blocks[before as usize].next = NONE;
                self.blocks[value as usize].linked = false;
            }
        }
    }

    /// A refused compare-and-set of a value that was there from before its call until after its return.
    pub(super) fn certainly_refused(&self) -> Option<Fault> {
        let inside = |&id: &u32| {
            let op = &self.ops[id as usize];
            let RegAction::NotEqual(value) = op.action else { return false };
            let block = &self.blocks[value as usize];
            let zone = block.zone().join(
                self.blocks
                    .get(block.next as usize)
                    .map_or(Zone::EMPTY, |next| Zone { first_return: NEVER, last_call: next.call }),
            );
            block.live && !block.shared && zone.first_return < op.call && op.ret < zone.last_call
        };
        let first =
            self.refusals.iter().copied().filter(|id| inside(id)).min_by_key(|&id| self.ops[id as usize].ret);
        first.map(Fault::Inside)
    }

    /// The witness: blocks in the order of `turns`, each its source and then its reads by call, among which
    /// `refused` puts further operations (with their blocks; by call).
    pub(super) fn lay_out(&mut self, turns: &[u32], refused: &[(u32, u32)]) -> Vec<u32> {
        for &(_, block) in refused {
            self.blocks[block as usize].len += 1;
        }
        let mut total = 0;
        for &turn in turns {
            let block = &mut self.blocks[turn as usize];
            let len = block.len;
            block.len = total + u32::from(block.source != INITIAL);
            total = block.len + len;
        }
        let mut witness = vec![0; total as usize];
        for &turn in turns {
            let block = &self.blocks[turn as usize];
            if let Some(source) = block.source_op() {
                witness[block.len as usize - 1] = source;
            }
        }
        let mut refused = refused.iter().map(|&(_, block)| block);
        for (id, op) in (0..).zip(self.ops).filter(|(_, op)| op.returned()) {
            let block = match op.action {
                RegAction::Read(value) => value,
                RegAction::Cas(old, new) if old == new => old,
                RegAction::NotEqual(_) => refused.next().expect("every refused operation has a block"),
                RegAction::Write(_) | RegAction::Cas(..) => continue,
            };
            let place = &mut self.blocks[block as usize].len;
            witness[*place as usize] = id;
            *place += 1;
        }
        witness
    }
}
