//! The blocks that can still matter, in the order of their first returns, and the block lemma applied to them
//! one event at a time. Why it is right: the module above.

use crate::online::Place;
use crate::online::value::Val;

/// No block, no link.
pub(super) const NONE: u32 = u32::MAX;

/// Never yet.
pub(super) const NEVER: Place = Place::MAX;

/// A block: a value with its source and the operations that found it, or a chain of those.
#[derive(Debug, Clone)]
pub(super) struct Block {
    /// The value that the operation which returned first stored or found.
    pub(super) value: Val,
    /// f: when that operation returned.
    pub(super) first_return: Place,
    /// When it was called.
    pub(super) first_call: Place,
    /// s: the latest call.
    pub(super) last_call: Place,
    /// Somebody found one of its values.
    pub(super) seen: bool,
    /// The first and the last link of its chain.
    pub(super) ends: (u32, u32),
    /// The block that must come after this one.
    cover: Cover,
    next: u32,
    previous: u32,
}

/// What is known of a block u with f(u) < f(v) < s(u): v must come before it, so nothing in v may be called after
/// f(u). Kept with v, since u may be forgotten.
#[derive(Debug, Clone, Copy)]
struct Cover {
    side: Side,
    first_return: Place,
}

const UNCOVERED: Cover =
    Cover { side: Side { value: Val::NIL, first_call: 0, last_call: 0, seen: false }, first_return: NEVER };

/// One half of a contradiction: an operation of this block returned before the other's last call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Side {
    /// The value of the operation that returned first.
    pub(super) value: Val,
    /// When it was called.
    pub(super) first_call: Place,
    /// The latest call of the block.
    pub(super) last_call: Place,
    /// Somebody found one of its values.
    pub(super) seen: bool,
}

/// Two blocks of which each must come before the other; the one that has just changed, first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Clash(pub(super) Side, pub(super) Side);

impl Block {
    fn side(&self) -> Side {
        Side { value: self.value, first_call: self.first_call, last_call: self.last_call, seen: self.seen }
    }
}

/// The blocks.
#[derive(Debug, Clone)]
pub(super) struct Zones {
    blocks: Vec<Block>,
    free: Vec<u32>,
    first: u32,
    last: u32,
}

impl Default for Zones {
    fn default() -> Self {
        Self { blocks: Vec::new(), free: Vec::new(), first: NONE, last: NONE }
    }
}

impl Zones {
    pub(super) fn get(&self, id: u32) -> &Block {
        &self.blocks[id as usize]
    }

    pub(super) fn get_mut(&mut self, id: u32) -> &mut Block {
        &mut self.blocks[id as usize]
    }

    /// The block with the smallest f; its successor is [`Zones::after`].
    pub(super) fn first(&self) -> u32 {
        self.first
    }

    pub(super) fn after(&self, id: u32) -> u32 {
        self.get(id).next
    }

    /// A block whose first operation returns now. It cannot contradict another: nothing was called later.
    pub(super) fn push(
        &mut self,
        value: Val,
        first_return: Place,
        first_call: Place,
        last_call: Place,
    ) -> u32 {
        let block = Block {
            value,
            first_return,
            first_call,
            last_call,
            seen: false,
            ends: (NONE, NONE),
            cover: UNCOVERED,
            next: NONE,
            previous: self.last,
        };
        let id = if let Some(id) = self.free.pop() {
            self.blocks[id as usize] = block;
            id
        } else {
            self.blocks.push(block);
            u32::try_from(self.blocks.len() - 1).expect("fewer than 2^32 blocks are held at once")
        };
        match self.last {
            NONE => self.first = id,
            last => self.get_mut(last).next = id,
        }
        self.last = id;
        id
    }

    /// An operation of the block, called then, has returned.
    pub(super) fn raise(&mut self, id: u32, call: Place) -> Result<(), Clash> {
        let block = self.get_mut(id);
        if call <= block.last_call {
            return Ok(());
        }
        block.last_call = call;
        self.settle(id)
    }

    /// Two blocks become one. Returns which of the two names it keeps.
    pub(super) fn join(&mut self, a: u32, b: u32) -> Result<(u32, u32), Clash> {
        let (kept, gone) = if self.get(a).first_return <= self.get(b).first_return { (a, b) } else { (b, a) };
        let Block { last_call, seen, .. } = *self.get(gone);
        self.remove(gone);
        let block = self.get_mut(kept);
        block.last_call = block.last_call.max(last_call);
        block.seen |= seen;
        self.settle(kept)?;
        Ok((kept, gone))
    }

    /// Compares a block whose s has grown with all others.
    fn settle(&mut self, id: u32) -> Result<(), Clash> {
        let block = self.get(id);
        let (side, first_return, mut other) = (block.side(), block.first_return, block.next);
        if block.cover.first_return < side.last_call {
            return Err(Clash(side, block.cover.side));
        }
        let cover = Cover { side, first_return };
        while other != NONE && self.get(other).first_return < side.last_call {
            let covered = self.get_mut(other);
            if first_return < covered.last_call {
                return Err(Clash(side, covered.side()));
            }
            covered.cover = cover;
            other = covered.next;
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, id: u32) {
        let Block { next, previous, .. } = *self.get(id);
        match previous {
            NONE => self.first = next,
            previous => self.get_mut(previous).next = next,
        }
        match next {
            NONE => self.last = previous,
            next => self.get_mut(next).previous = previous,
        }
        self.free.push(id);
    }

    /// The f below which a block can be forgotten, given the oldest call to come: for one block (the second
    /// value), and for all others (the first).
    pub(super) fn horizon(&self, oldest: Place) -> (Place, u32, Place) {
        let (mut best, mut of, mut second) = (0, NONE, 0);
        let mut id = self.first;
        while id != NONE && self.get(id).first_return < oldest {
            let last_call = self.get(id).last_call;
            if last_call > best {
                (second, best, of) = (best, last_call, id);
            } else {
                second = second.max(last_call);
            }
            id = self.get(id).next;
        }
        (best, of, second)
    }

    /// Moves all blocks to the front of a smaller array, in their order. Returns the new names, and the first
    /// link of each.
    pub(super) fn compact(&mut self) -> Vec<(u32, u32)> {
        let mut kept = Vec::new();
        let mut id = self.first;
        while id != NONE {
            kept.push(self.get(id).clone());
            id = self.after(id);
        }
        let names: Vec<(u32, u32)> =
            (0..).zip(&kept).map(|(id, block): (u32, &Block)| (id, block.ends.0)).collect();
        for (id, block) in (0..).zip(&mut kept) {
            let block: &mut Block = block;
            (block.previous, block.next) = (if id == 0 { NONE } else { id - 1 }, id + 1);
        }
        if let Some(last) = kept.last_mut() {
            last.next = NONE;
        }
        let last = names.last().map_or(NONE, |&(id, _)| id);
        *self = Self { first: if last == NONE { NONE } else { 0 }, last, blocks: kept, free: Vec::new() };
        names
    }

    /// True if the block certainly was over by then: one that must come after it had an operation that
    /// returned before.
    pub(super) fn is_past(&self, id: u32, by: Place) -> bool {
        let block = self.get(id);
        if block.cover.first_return < by {
            return true;
        }
        let mut other = self.first;
        while other != NONE && self.get(other).first_return < by {
            if other != id && block.first_return < self.get(other).last_call {
                return true;
            }
            other = self.get(other).next;
        }
        false
    }
}
