//! Numbering sparse ids densely.

use crate::hash::FastMap;

/// A table from ids, all of them below `bound`, to their numbers by first appearance: 0, 1, 2, ...
pub(super) enum Numbers {
    /// By id; [`u32::MAX`]: none yet.
    Direct(Vec<u32>, u32),
    /// For ids that are sparse.
    Hashed(FastMap<u32, u32>),
}

impl Numbers {
    /// A table that is to hold up to `expected` of the ids below `bound`.
    pub(super) fn new(bound: usize, expected: usize) -> Self {
        if bound <= 4 * expected + 1024 {
            Self::Direct(vec![u32::MAX; bound], 0)
        } else {
            Self::Hashed(FastMap::default())
        }
    }

    /// The number of `id`; a new one on first sight.
    pub(super) fn number(&mut self, id: u32) -> u32 {
        match self {
            Self::Direct(numbers, next) => {
                let number = &mut numbers[id as usize];
                if *number == u32::MAX {
                    *number = *next;
                    *next += 1;
                }
                *number
            }
            Self::Hashed(numbers) => {
                let next = u32::try_from(numbers.len()).expect("there are at most 2^32 ids");
                *numbers.entry(id).or_insert(next)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Numbers;

    #[test]
    fn ids_are_numbered_by_first_appearance_near_and_far() {
        for far in [1, 400_000_007] {
            let mut numbers = Numbers::new(9 * far as usize + 1, 4);
            let got: Vec<u32> = [0, 7, 3, 7, 0, 9].map(|id| numbers.number(id * far)).into();
            assert_eq!(got, [0, 1, 2, 1, 0, 3]);
        }
    }
}
