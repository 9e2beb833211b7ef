//! The block lemma: the workhorse of the monitors, in one place.
//!
//! Often every linearization must place certain groups of operations (*blocks*) contiguously and in a fixed
//! inner order: a write of a unique value and the reads that return it, a lock's acquire and its release.
//! Let f(B) be the earliest return and s(B) the latest call over the operations of a block B. Then A must come
//! before B iff f(A) < s(B): some operation of A returned before some operation of B was called.
//!
//! **Claim.** An order exists iff (1) every block is consistent within ([`chain`]), and (2) there are no two
//! blocks with f(A) < s(B) and f(B) < s(A) ([`order`]).
//!
//! **Proof.** Both are necessary. Let (2) hold and suppose "must come before" had a cycle; take it shortest, and in
//! it the block A with the least f, its predecessor P, and P's predecessor Q. f(P) < s(A), since P must precede A.
//! f(A) ≤ f(Q) < s(P), since Q must precede P. So A and P must precede each other, against (2). Without
//! a cycle the blocks can be sorted, and by (1) so can the operations within each. ∎
//!
//! A block with f < s is *forward*: all orders place it as if it lasted from f to s. The others are *backward*: they
//! may be placed anywhere in [s, f]. (2) says: forward blocks do not overlap, and no backward one lies inside a
//! forward one. Sorting by min(f, s) is an order: one sweep checks and orders. (Gibbons and Korach, "Testing
//! shared memories", SIAM J. Comput. 1997, for reads and writes; gluing blocks into chains extends it to
//! compare-and-set.)

#[cfg(test)]
mod tests;

use crate::{NEVER, Position};

/// The extremes of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone {
    /// f: the earliest return of its operations; [`NEVER`] if none returned.
    pub first_return: Position,
    /// s: the latest call of its operations.
    pub last_call: Position,
}

impl Zone {
    /// The zone of no operation: neutral in [`Zone::join`].
    pub const EMPTY: Self = Self { first_return: NEVER, last_call: 0 };

    /// The zone of the initial state, which was there before the first event.
    pub const INITIAL: Self = Self { first_return: 0, last_call: 0 };

    /// The zone of both.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        Self {
            first_return: self.first_return.min(other.first_return),
            last_call: self.last_call.max(other.last_call),
        }
    }

    /// Takes an operation in.
    pub fn add(&mut self, call: Position, ret: Position) {
        *self = self.join(Self { first_return: ret, last_call: call });
    }

    /// Some operation of this block returned before some operation of `other` was called.
    #[must_use]
    pub fn must_precede(self, other: Self) -> bool {
        self.first_return < other.last_call
    }

    fn is_forward(self) -> bool {
        self.must_precede(self)
    }

    fn key(self) -> Position {
        self.first_return.min(self.last_call)
    }

    /// What [`order`] sorts by: min(f, s); of equal ones backward blocks first (one that ends where a forward one
    /// begins precedes it).
    #[must_use]
    pub fn rank(self) -> (Position, bool) {
        (self.key(), self.is_forward())
    }
}

/// The order of the blocks (indices into `zones`), or two of which each must precede the other. Linear where
/// blocks are not sparse among the positions, else O(n log n).
///
/// # Errors
/// Two blocks, the one that begins first, first: of all such pairs the one whose second block comes first by
/// min(f, s).
pub fn order(zones: &[Zone]) -> Result<Vec<u32>, (u32, u32)> {
    let sorted = sorted(zones);
    // The last forward block so far; they do not overlap, so it is also the one that ends last. One that
    // contains a backward block is the last before it: forward ones in between would end before it begins.
    let mut forward: Option<u32> = None;
    for &id in &sorted {
        let zone = zones[id as usize];
        if let Some(before) = forward
            && zone.must_precede(zones[before as usize])
            && zones[before as usize].must_precede(zone)
        {
            return Err((before, id));
        }
        if zone.is_forward() {
            forward = Some(id);
        }
    }
    Ok(sorted)
}

/// By [`Zone::rank`].
fn sorted(zones: &[Zone]) -> Vec<u32> {
    let ids = || 0..u32::try_from(zones.len()).expect("a problem holds fewer than 2^32 blocks");
    let by = |&id: &u32| zones[id as usize].rank();
    let last = zones.iter().map(|zone| zone.key()).max().unwrap_or(0);
    // Buckets of a few neighbouring positions: about as many as there are blocks.
    let shift = (0..).find(|&shift| (last >> shift) as usize <= 2 * zones.len()).unwrap_or(0);
    if shift > 3 {
        let mut sorted: Vec<u32> = ids().collect();
        sorted.sort_unstable_by_key(by);
        return sorted;
    }
    let bucket = |zone: &Zone| (zone.key() >> shift) as usize;
    let mut ends = vec![0_u32; (last >> shift) as usize + 2];
    zones.iter().for_each(|zone| ends[bucket(zone) + 1] += 1);
    for at in 1..ends.len() {
        ends[at] += ends[at - 1];
    }
    let mut sorted = vec![0; zones.len()];
    for id in ids() {
        let end = &mut ends[bucket(&zones[id as usize])];
        sorted[*end as usize] = id;
        *end += 1;
    }
    let mut start = 0;
    for end in ends {
        if end - start > 1 {
            sorted[start as usize..end as usize].sort_unstable_by_key(by);
        }
        start = end;
    }
    sorted
}

/// Joins the steps of a block, which are to come one after the other: a step is operations that may be in any
/// order among themselves.
///
/// # Errors
/// Two steps (earlier, later) of which the later one must precede the earlier: the first step that must precede
/// one before it, and of those before it the one that was called last.
pub fn chain(steps: impl IntoIterator<Item = Zone>) -> Result<Zone, (usize, usize)> {
    let mut whole = Zone::EMPTY;
    let mut last_called = 0;
    for (at, step) in steps.into_iter().enumerate() {
        if step.must_precede(whole) {
            return Err((last_called, at));
        }
        if step.last_call > whole.last_call {
            last_called = at;
        }
        whole = whole.join(step);
    }
    Ok(whole)
}
