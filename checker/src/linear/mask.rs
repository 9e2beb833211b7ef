//! Which open operations are already linearized: a bit set over slots. One machine word where that is
//! enough, as many as needed where it is not; there is no limit on concurrency.

use std::hash::Hash;

/// A set of slots.
pub(super) trait Mask: Clone + Eq + Hash {
    fn empty(slots: usize) -> Self;
    fn has(&self, slot: usize) -> bool;
    fn set(&mut self, slot: usize);
    fn clear(&mut self, slot: usize);
    /// Bytes on the heap.
    fn heap_bytes(&self) -> usize;
}

impl Mask for u64 {
    fn empty(_: usize) -> Self {
        0
    }

    fn has(&self, slot: usize) -> bool {
        self >> slot & 1 == 1
    }

    fn set(&mut self, slot: usize) {
        *self |= 1 << slot;
    }

    fn clear(&mut self, slot: usize) {
        *self &= !(1 << slot);
    }

    fn heap_bytes(&self) -> usize {
        0
    }
}

impl Mask for Box<[u64]> {
    fn empty(slots: usize) -> Self {
        vec![0; slots.div_ceil(64)].into()
    }

    fn has(&self, slot: usize) -> bool {
        self[slot / 64].has(slot % 64)
    }

    fn set(&mut self, slot: usize) {
        self[slot / 64].set(slot % 64);
    }

    fn clear(&mut self, slot: usize) {
        self[slot / 64].clear(slot % 64);
    }

    fn heap_bytes(&self) -> usize {
        self.len() * 8
    }
}
