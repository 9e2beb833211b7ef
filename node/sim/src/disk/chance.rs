//! Where a simulated disk's decisions come from: the caller's seed, or a test's wish.

use crate::dice::Dice;

/// A source of decisions.
pub trait Chance {
    /// A number below `n`, which is at least 1. Where a power loss asks, 0 always loses the most and `n - 1` the
    /// least.
    fn below(&mut self, n: u64) -> u64;
}

impl Chance for Dice {
    fn below(&mut self, n: u64) -> u64 {
        Self::below(self, n)
    }
}

/// [`Chance::below`] for counts that fit in memory.
pub(super) fn below(chance: &mut dyn Chance, n: usize) -> usize {
    let drawn = chance.below(n as u64);
    usize::try_from(drawn).expect("it is below a usize")
}
