//! Multiply-and-rotate hashing. What is hashed are small integers and texts of histories; nobody attacks them,
//! and a history that did would only be slow.

use std::hash::{BuildHasherDefault, Hasher};

/// The hasher.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct WordHasher(u64);

impl Hasher for WordHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.write_u64(u64::from_le_bytes(*word)));
        // Loads that overlap are quicker than a copy, and with the length no two texts look the same.
        let last = match (rest.first_chunk::<4>(), rest.last_chunk::<4>(), rest) {
            (Some(first), Some(last), _) => {
                u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32
            }
            (_, _, [first, .., last]) => {
                u64::from(*first) | u64::from(rest[rest.len() / 2]) << 8 | u64::from(*last) << 16
            }
            (_, _, [only]) => u64::from(*only),
            (_, _, []) => 0,
        };
        self.write_u64(last ^ (bytes.len() as u64) << 56);
    }

    fn write_u8(&mut self, word: u8) {
        self.write_u64(u64::from(word));
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(u64::from(word));
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn write_isize(&mut self, word: isize) {
        self.write_u64(word.cast_unsigned() as u64);
    }

    fn finish(&self) -> u64 {
        // Tables take their bucket from the low bits, which a product mixes worst.
        self.0 ^ (self.0 >> 32)
    }
}

/// A map with that hasher.
pub(crate) type FastMap<K, V> = hashbrown::HashMap<K, V, BuildHasherDefault<WordHasher>>;

/// A set with that hasher.
pub(crate) type FastSet<K> = hashbrown::HashSet<K, BuildHasherDefault<WordHasher>>;
