//! Bit sets over slots: which open operations a configuration has accounted for. As many words as the
//! concurrency needs; one, two or four live inside the configuration, more on the heap.

/// A set of slots.
pub(super) trait Mask: Clone + Eq {
    /// The empty set, with room for so many words of 64 slots.
    fn empty(words: usize) -> Self;

    fn words(&self) -> &[u64];

    fn words_mut(&mut self) -> &mut [u64];

    /// Bytes on the heap.
    fn heap_bytes(&self) -> usize {
        0
    }

    fn has(&self, slot: u32) -> bool {
        self.words()[slot as usize / 64] >> (slot % 64) & 1 == 1
    }

    fn set(&mut self, slot: u32) {
        self.words_mut()[slot as usize / 64] |= 1 << (slot % 64);
    }

    fn clear(&mut self, slot: u32) {
        self.words_mut()[slot as usize / 64] &= !(1 << (slot % 64));
    }
}

impl<const N: usize> Mask for [u64; N] {
    fn empty(words: usize) -> Self {
        debug_assert!(words <= N);
        [0; N]
    }

    fn words(&self) -> &[u64] {
        self
    }

    fn words_mut(&mut self) -> &mut [u64] {
        self
    }
}

impl Mask for Box<[u64]> {
    fn empty(words: usize) -> Self {
        vec![0; words].into()
    }

    fn words(&self) -> &[u64] {
        self
    }

    fn words_mut(&mut self) -> &mut [u64] {
        self
    }

    fn heap_bytes(&self) -> usize {
        self.len() * 8
    }
}

/// The slots in a word, as numbers.
pub(super) fn slots_of(word: usize, mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        (bits != 0).then(|| {
            let slot = word * 64 + bits.trailing_zeros() as usize;
            bits &= bits - 1;
            slot
        })
    })
}
