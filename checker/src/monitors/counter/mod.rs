//! Counters to which one number is added again and again, and that are read: O(n log c), c being how many
//! additions are open at a time.
//!
//! Let that number be 1, for short. Every linearization is a row of *slots*: the addition in slot i leads
//! from i - 1 to i. Reads say when: slot i has a *window* from the latest call of a read of less than i to
//! the earliest return of a read of i or more. Windows of later slots neither begin nor end earlier. An
//! addition *fits* a slot if it is called before the window ends and returns after the window begins.
//!
//! **Claim.** An order exists iff no window ends before it begins, and additions can be assigned to slots
//! that they fit: one to each slot up to the largest number read, and every addition that returned to some
//! slot.
//!
//! **Proof.** Both are necessary. Let them hold, and put the reads between the slots. Then real time can be
//! hurt only by two additions, the one in the later slot having returned before the other was called. Such
//! two may change places: each fits both slots. ∎
//!
//! The slots that an addition fits are consecutive. So fill them from left to right, each with the addition
//! that returns first among *all that were called before its window ends* (not: begins); this finds an
//! assignment if there is one. Additions without return are taken last, and those left over never happened.
//! Where it fails, more additions lie between two reads than these differ by, or fewer (Hall's theorem).

mod explain;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::model::CounterAction;
use crate::monitors::index::{NONE, by_call};
use crate::{Decision, LinOp, NEVER, Position};
use explain::Evidence;

/// Decides a counter. Open where different numbers are added.
///
/// # Panics
/// On 2^32 operations, which fit in no memory.
#[must_use]
pub fn decide(ops: &[LinOp<CounterAction>]) -> Decision {
    let mut step = None;
    for op in ops {
        match op.action {
            CounterAction::Add(0) => return Decision::Open("0 is added"),
            CounterAction::Add(number) if *step.get_or_insert(number) != number => {
                return Decision::Open("different numbers are added");
            }
            CounterAction::Add(_) | CounterAction::Read(_) => {}
        }
    }
    let step = step.unwrap_or(1);
    match Slots::new(ops, step).and_then(|slots| slots.fill()) {
        Ok(order) => Decision::Valid(order),
        Err(evidence) => Decision::Invalid(evidence.conflict(ops, step)),
    }
}

/// How many additions a read counted, if it is a number of additions at all.
fn count(number: i64, step: i64) -> Option<u64> {
    let (number, step) = (i128::from(number), i128::from(step));
    u64::try_from(number / step).ok().filter(|_| number % step == 0)
}

/// An extreme position among the reads, and the read that has it ([`NONE`]: no read).
#[derive(Debug, Clone, Copy)]
struct Extreme {
    position: Position,
    read: u32,
}

/// The problem, sorted.
struct Slots<'a> {
    ops: &'a [LinOp<CounterAction>],
    /// Additions, by call.
    adds: Vec<u32>,
    /// Reads that returned, by count and then by call; those of count c begin at `starts[c]`.
    reads: Vec<u32>,
    starts: Vec<u32>,
    /// Where the window of slot i ends. (Slot 0 stands for the initial state.)
    ends: Vec<Extreme>,
}

impl<'a> Slots<'a> {
    fn new(ops: &'a [LinOp<CounterAction>], step: i64) -> Result<Self, Evidence> {
        let mut adds = Vec::new();
        let mut counted: Vec<(u32, u32)> = Vec::new();
        let mut largest = (0, NONE);
        for id in by_call(ops) {
            match ops[id as usize].action {
                CounterAction::Add(_) => adds.push(id),
                CounterAction::Read(_) if !ops[id as usize].returned() => {}
                CounterAction::Read(number) => {
                    let count = count(number, step).ok_or(Evidence::NoCount { read: id })?;
                    if count > largest.0 {
                        largest = (count, id);
                    }
                    // More than 32 bits are refused below.
                    counted.push((u32::try_from(count).unwrap_or(u32::MAX), id));
                }
            }
        }
        let slots = usize::try_from(largest.0).ok().filter(|&slots| slots <= adds.len());
        let slots = slots.ok_or(Evidence::TooFew { read: largest.1 })?;
        let mut starts = vec![0_u32; slots + 2];
        let mut ends = vec![Extreme { position: NEVER, read: NONE }; slots + 1];
        for &(count, read) in &counted {
            starts[count as usize + 1] += 1;
            let position = ops[read as usize].ret;
            if position < ends[count as usize].position {
                ends[count as usize] = Extreme { position, read };
            }
        }
        for slot in 0..=slots {
            starts[slot + 1] += starts[slot];
        }
        for slot in (0..slots).rev() {
            if ends[slot + 1].position < ends[slot].position {
                ends[slot] = ends[slot + 1];
            }
        }
        let mut reads = vec![0; counted.len()];
        let mut next = starts.clone();
        for (count, read) in counted {
            reads[next[count as usize] as usize] = read;
            next[count as usize] += 1;
        }
        Ok(Self { ops, adds, reads, starts, ends })
    }

    /// Fills the slots from left to right; an order of all operations.
    fn fill(&self) -> Result<Vec<u32>, Evidence> {
        let op = |id: u32| &self.ops[id as usize];
        let last = self.ends.len() - 1;
        let mut order = Vec::with_capacity(self.ops.len());
        let mut filled: Vec<u32> = Vec::with_capacity(last);
        let mut begin = Extreme { position: 0, read: NONE };
        let mut adds = self.adds.iter().copied().peekable();
        // Called, without a slot yet: by return; and those that never returned.
        let mut waiting: BinaryHeap<Reverse<(Position, u32)>> = BinaryHeap::new();
        let mut spare: Vec<u32> = Vec::new();
        for count in 0..=last {
            for &read in &self.reads[self.starts[count] as usize..self.starts[count + 1] as usize] {
                if op(read).call > begin.position {
                    begin = Extreme { position: op(read).call, read };
                }
                order.push(read);
            }
            let end = self.ends.get(count + 1).copied().unwrap_or(Extreme { position: NEVER, read: NONE });
            if end.position < begin.position {
                return Err(Evidence::Inverted { larger: end.read, smaller: begin.read });
            }
            while let Some(add) = adds.next_if(|&add| count < last && op(add).call < end.position) {
                if op(add).returned() {
                    waiting.push(Reverse((op(add).ret, add)));
                } else {
                    spare.push(add);
                }
            }
            if waiting.peek().is_some_and(|&Reverse((ret, _))| ret < begin.position) {
                return Err(self.too_many(&filled, begin));
            }
            if count < last {
                let add = waiting.pop().map(|Reverse((_, add))| add).or_else(|| spare.pop());
                let add = add.ok_or(Evidence::TooFew { read: end.read })?;
                filled.push(add);
                order.push(add);
            }
        }
        // Nobody counted the rest.
        let mut rest: Vec<u32> = waiting.into_iter().map(|Reverse((_, add))| add).collect();
        rest.extend(adds.filter(|&add| op(add).returned()));
        rest.sort_unstable_by_key(|&add| op(add).call);
        if rest.iter().any(|&add| op(add).ret < begin.position) {
            return Err(self.too_many(&filled, begin));
        }
        order.extend(rest);
        Ok(order)
    }

    /// An addition is left that returned before `begin`, where the window of the next slot begins: and so did
    /// all in the slots since the last that holds another kind. That slot did not take any of these: they
    /// were called after its window.
    fn too_many(&self, filled: &[u32], begin: Extreme) -> Evidence {
        let other = filled.iter().rposition(|&add| self.ops[add as usize].ret > begin.position);
        let after = other.map(|slot| self.ends[slot + 1].read);
        Evidence::TooMany { after, before: begin.read }
    }
}
