//! What became of the last few things that were forgotten. Serves the words of a violation only, never a verdict.

/// How many are remembered.
const LENGTH: usize = 64;

/// A ring of pairs.
#[derive(Debug, Clone)]
pub(super) struct Recent<K, V> {
    ring: Vec<(K, V)>,
    oldest: usize,
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self { ring: Vec::new(), oldest: 0 }
    }
}

impl<K: PartialEq, V: Copy> Recent<K, V> {
    pub(super) fn put(&mut self, key: K, value: V) {
        if self.ring.len() < LENGTH {
            self.ring.push((key, value));
            return;
        }
        self.ring[self.oldest] = (key, value);
        self.oldest = (self.oldest + 1) % LENGTH;
    }

    /// The latest of that key.
    pub(super) fn get(&self, key: &K) -> Option<V> {
        let (older, newer) = self.ring.split_at(self.oldest);
        let entry = older.iter().rev().chain(newer.iter().rev()).find(|(other, _)| other == key);
        entry.map(|&(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_few_latest_first() {
        let mut recent = Recent::default();
        (0..200).for_each(|n| recent.put(n, n));
        assert_eq!((recent.get(&135), recent.get(&136), recent.get(&199)), (None, Some(136), Some(199)));
        recent.put(199, 7);
        assert_eq!(recent.get(&199), Some(7));
    }
}
