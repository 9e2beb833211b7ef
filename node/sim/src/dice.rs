//! Chance from a seed. Everything random in a world comes from here, and everything here from its seed.

/// Scrambles 64 bits into 64 others (the finalizer of SplitMix64).
#[must_use]
pub const fn scramble(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}

/// A number that depends on all of `words` and nothing else: how long *this* message takes at *this* time.
/// Other than a generator's next number it stays the same when something else is left out of a run,
/// which is what lets a failure be shrunk.
#[must_use]
pub const fn hash(words: [u64; 4]) -> u64 {
    let mut state = 0;
    let mut at = 0;
    while at < words.len() {
        state = scramble(state ^ words[at]).wrapping_add(0x9E37_79B9_7F4A_7C15);
        at += 1;
    }
    state
}

/// A stream of chance: SplitMix64, whose whole state is one number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Dice(u64);

impl Dice {
    /// The stream `purpose` of a seed; streams of one seed have nothing to do with each other.
    #[must_use]
    pub const fn new(seed: u64, purpose: &str) -> Self {
        let mut state = scramble(seed);
        let bytes = purpose.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            state = scramble(state ^ bytes[at] as u64);
            at += 1;
        }
        Self(state)
    }

    /// 64 random bits.
    pub const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        scramble(self.0)
    }

    /// A number below `sides`; 0 when there are none.
    pub const fn below(&mut self, sides: u64) -> u64 {
        if sides == 0 { 0 } else { self.bits() % sides }
    }

    /// A number between the two, ends included.
    pub const fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low).saturating_add(1))
    }

    /// True in so many of a thousand cases.
    pub const fn permille(&mut self, chance: u64) -> bool {
        self.below(1_000) < chance
    }

    /// One of `items`.
    ///
    /// # Panics
    /// When there are none.
    pub fn pick<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.index(items.len())].clone()
    }

    /// An item by weight; `None` when all weights are 0.
    pub fn weighted<T: Clone>(&mut self, items: &[(T, u64)]) -> Option<T> {
        let mut place = self.below(items.iter().map(|(_, weight)| weight).sum());
        items.iter().find_map(|(item, weight)| {
            if place < *weight {
                return Some(item.clone());
            }
            place -= weight;
            None
        })
    }

    /// A place in something of this length.
    ///
    /// # Panics
    /// Never: what is below a length is an index.
    pub fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).expect("it is below a length")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_repeat_and_differ() {
        let draw = |seed, purpose| {
            let mut dice = Dice::new(seed, purpose);
            [dice.bits(), dice.bits(), dice.bits()]
        };
        assert_eq!(draw(1, "faults"), draw(1, "faults"));
        assert_ne!(draw(1, "faults"), draw(2, "faults"));
        assert_ne!(draw(1, "faults"), draw(1, "clients"));
    }

    #[test]
    fn numbers_reach_both_ends_and_stay_between() {
        let mut dice = Dice::new(3, "ends");
        let drawn: Vec<u64> = (0..1_000).map(|_| dice.between(4, 9)).collect();
        assert!(drawn.iter().all(|number| (4..=9).contains(number)));
        assert!(drawn.contains(&4) && drawn.contains(&9));
    }

    #[test]
    fn weights_count() {
        let mut dice = Dice::new(4, "weights");
        let drawn: Vec<char> =
            (0..1_000).filter_map(|_| dice.weighted(&[('a', 9), ('b', 0), ('c', 1)])).collect();
        let count = |letter| drawn.iter().filter(|one| **one == letter).count();
        assert!(count('b') == 0 && count('a') > 7 * count('c'), "{} {}", count('a'), count('c'));
        assert_eq!(dice.weighted(&[('a', 0)]), None);
    }
}
