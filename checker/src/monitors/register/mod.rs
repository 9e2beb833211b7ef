//! Registers with compare-and-set in which each value that somebody finds has one source.
//!
//! Then every order keeps a write and the reads of its value together (a *block*), and puts a compare-and-set from a
//! to b, with block b, directly behind block a (a *chain*; the initial value is a block too). By the block
//! lemma (`blocks.rs`) there is an order of the operations iff no chain contradicts itself, and no two
//! chains must precede each other.
//!
//! * *Operations without return.* One that nobody found out about is left out: nothing shows that it happened.
//!   If its value was found, by an operation that returned or by one that must have happened itself, it
//!   happened; then the chain it is in has the returns of those who found it, and needs no more.
//! * *Refused compare-and-sets* change nothing but have to find a place: [`refusals`].
//! * *Values with several sources* that somebody looks for: the rest can still be contradictory, but not proven
//!   right; that is [`Decision::Open`].
//!
//! The way: `normal` (dense values, sorted by call) → `collect` (blocks) → `chains` (in order) → `refusals` →
//! witness, or `conflict` (the explanation).

mod chains;
mod collect;
mod conflict;
mod normal;
mod refusals;

#[cfg(test)]
mod tests;

use crate::model::RegAction;
use crate::{Decision, LinOp};

use chains::Chains;
use collect::Values;
use normal::Normal;

/// An operation on a register.
type RegOp = LinOp<RegAction>;

/// Why there is no order, before it is put in words.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fault {
    /// This value was found and nobody wrote it.
    Unwritten(u32),
    /// The compare-and-sets behind these blocks replaced the same value.
    Twice(u32, u32),
    /// The chain that begins with this block contradicts itself.
    Within(u32),
    /// From this block on, each compare-and-set replaced what one ahead of it in the circle stored.
    Circle(u32),
    /// The chains that begin with these blocks must precede each other.
    Between(u32, u32),
    /// This operation observed that a value was not there, while it was.
    Inside(u32),
    /// As before, but the value was there because nothing else can have been.
    Absent(u32),
}

/// Decides whether `ops` is linearizable as a register, initially 0. Near-linear; O(n) where operations come
/// sorted by call and values are dense.
///
/// An invalid history is so because of the conflict's operations alone, whatever other values anybody else may
/// have written; a compare-and-set counts there as a write if the source of what it found is not
/// among them. (The exception: a refusal that is wrong because nothing else was ever called.) If
/// there are several conflicts, it is the first found: a value nobody wrote, a value replaced
/// twice, a chain that contradicts itself, two chains (the pair that comes first by time), a refusal.
/// Within each of these it is an early one, but not necessarily the earliest.
#[must_use]
pub fn decide(ops: &[RegOp]) -> Decision {
    let normal = Normal::new(ops);
    let decision = decide_normal(normal.ops(), normal.values());
    normal.translate(decision)
}

fn decide_normal(ops: &[RegOp], values: usize) -> Decision {
    let mut values = Values::collect(ops, values);
    let invalid = |values: &Values<'_>, fault| Decision::Invalid(conflict::explain(values, &fault));
    if let Some(fault) = values.settle() {
        return invalid(&values, fault);
    }
    let sorted = Chains::new(&values).and_then(|chains| chains.order(&values).map(|order| (chains, order)));
    let (chains, order) = match sorted {
        Ok(sorted) => sorted,
        Err(fault) => return invalid(&values, fault),
    };
    if let Some(fault) = values.certainly_refused() {
        return invalid(&values, fault);
    }
    if values.open {
        return Decision::Open("a value that somebody looked for has several sources");
    }
    if values.refusals.is_empty() {
        let turns = chains.turns(&values, &order);
        return Decision::Valid(values.lay_out(&turns, &[]));
    }
    match refusals::place(&mut values, chains, order) {
        Ok(placed) => Decision::Valid(values.lay_out(&placed.turns, &placed.refused)),
        Err(refusals::Unplaced::Invalid(fault)) => invalid(&values, fault),
        Err(refusals::Unplaced::Open) => {
            Decision::Open("a refused compare-and-set finds no place in the orders tried")
        }
    }
}
