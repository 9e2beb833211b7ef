//! 128 bits that stand for a state: two lanes of multiply and shift, the same on every machine.
//!
//! The standard library's hasher gives 64 bits, of which a few million states would use up the luck.

use crate::dice::scramble;
use std::hash::{BuildHasherDefault, Hasher};

/// Stands for a state.
pub(super) type Fingerprint = u128;

/// A set of fingerprints; they are chance already, and need no hashing.
#[expect(clippy::disallowed_types, reason = "only asked whether it contains one: its order is never seen")]
pub(super) type Fingerprints = std::collections::HashSet<Fingerprint, BuildHasherDefault<Lowest64>>;

/// Takes a fingerprint's lower half for its hash.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Lowest64(u64);

impl Hasher for Lowest64 {
    fn write(&mut self, bytes: &[u8]) {
        let low = bytes.first_chunk::<8>().expect("a fingerprint has sixteen bytes");
        self.0 = u64::from_le_bytes(*low);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Takes in what is hashed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fingerprinter(u64, u64);

impl Fingerprinter {
    pub(super) fn new() -> Self {
        Self(0x243F_6A88_85A3_08D3, 0x1319_8A2E_0370_7344)
    }

    pub(super) fn of(self) -> Fingerprint {
        u128::from(scramble(self.0)) << 64 | u128::from(scramble(self.1))
    }
}

impl Hasher for Fingerprinter {
    fn write(&mut self, bytes: &[u8]) {
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            let word = <[u8; 8]>::try_from(chunk).expect("chunks of eight have eight bytes");
            self.write_u64(u64::from_le_bytes(word));
        }
        let rest = chunks.remainder();
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            // The length tells a rest from one with zeros behind it; a rest leaves the last byte free.
            last[7] = u8::try_from(rest.len()).expect("a rest has less than eight bytes");
            self.write_u64(u64::from_le_bytes(last));
        }
    }

    fn write_u8(&mut self, number: u8) {
        self.write_u64(number.into());
    }

    fn write_u16(&mut self, number: u16) {
        self.write_u64(number.into());
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(number.into());
    }

    fn write_u64(&mut self, number: u64) {
        // Each lane is a bijection of what it was, and of what comes in: only chance makes two states one.
        let one = (self.0 ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = one ^ (one >> 32);
        let other = self.1.wrapping_add(number).rotate_left(29).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        self.1 = other ^ (other >> 29);
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn finish(&self) -> u64 {
        scramble(self.0 ^ self.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::Hash;

    fn fingerprint(value: &impl Hash) -> Fingerprint {
        let mut hasher = Fingerprinter::new();
        value.hash(&mut hasher);
        hasher.of()
    }

    #[test]
    fn a_million_neighbours_have_different_fingerprints_in_either_half() {
        let mut whole = Fingerprints::default();
        let mut halves = (std::collections::BTreeSet::new(), std::collections::BTreeSet::new());
        for number in 0..100_000_u64 {
            for other in 0..10_u64 {
                let print = fingerprint(&(number, [other, 0], number.is_multiple_of(2)));
                whole.insert(print);
                halves.0.insert(print >> 64);
                halves.1.insert(print & u128::from(u64::MAX));
            }
        }
        assert_eq!((whole.len(), halves.0.len(), halves.1.len()), (1_000_000, 1_000_000, 1_000_000));
    }

    #[test]
    fn length_and_order_matter() {
        let all = [fingerprint(&"ab"), fingerprint(&"ba"), fingerprint(&"ab\0"), fingerprint(&["a", "b"])];
        let different: std::collections::BTreeSet<_> = all.into_iter().collect();
        assert_eq!(different.len(), all.len());
    }
}
