//! Finding and sorting in linear time wherever numbers are dense, as they mostly are: what several monitors
//! need.

use crate::{LinOp, NEVER, Position};

/// No operation, no place.
pub(super) const NONE: u32 = u32::MAX;

/// The number of items as 32 bits.
pub(super) fn small(count: usize) -> u32 {
    u32::try_from(count).expect("a problem holds fewer than 2^32 operations")
}

/// The operations (indices) in order of their calls.
pub(super) fn by_call<A>(ops: &[LinOp<A>]) -> Vec<u32> {
    let mut ids: Vec<u32> = (0..small(ops.len())).collect();
    if !ops.is_sorted_by_key(|op| op.call) {
        ids.sort_unstable_by_key(|&id| ops[id as usize].call);
    }
    ids
}

/// The indices of `keys` in order of the keys. Mostly keys are spread evenly, and what is near is near
/// already: then this is linear, with buckets of about one key each.
pub(super) fn by_key(keys: &[Position]) -> Vec<u32> {
    let ids = 0..small(keys.len());
    if keys.is_sorted() {
        return ids.collect();
    }
    // Those that never happen are no part of the spread.
    let largest = keys.iter().copied().filter(|&key| key != NEVER).max().unwrap_or(0);
    let smallest = keys.iter().copied().min().unwrap_or(0);
    let shift = ((largest.saturating_sub(smallest) as usize / keys.len()) + 1).next_power_of_two().ilog2();
    let last = (largest.saturating_sub(smallest) >> shift) as usize + 1;
    let bucket = |id: u32| match keys[id as usize] {
        NEVER => last,
        key => ((key - smallest) >> shift) as usize,
    };
    let mut ends = vec![0_u32; last + 2];
    ids.clone().for_each(|id| ends[bucket(id) + 1] += 1);
    for at in 1..ends.len() {
        ends[at] += ends[at - 1];
    }
    let mut sorted = vec![0; keys.len()];
    for id in ids {
        let end = &mut ends[bucket(id)];
        sorted[*end as usize] = id;
        *end += 1;
    }
    let mut start = 0;
    for &end in &ends[..last] {
        let end = end as usize;
        if end - start > 1 {
            sorted[start..end].sort_unstable_by_key(|&id| keys[id as usize]);
        }
        start = end;
    }
    sorted
}

/// From a value to the operation (or whatever else has an index) that it belongs to, if each has only one.
pub(super) enum Index {
    /// By value, from the smallest value on.
    Direct { smallest: u32, ids: Vec<u32> },
    /// Values are far apart: open addressing, (value, index), at most half full.
    Hashed { entries: Vec<(u32, u32)>, shift: u32 },
}

impl Index {
    /// The index of these (value, index), or two indices of one value. `size` is that of the problem: a table
    /// may be somewhat larger.
    pub(super) fn new(
        size: usize,
        pairs: impl Iterator<Item = (u32, u32)> + Clone,
    ) -> Result<Self, (u32, u32)> {
        let (mut smallest, mut largest, mut count) = (u32::MAX, 0, 0_usize);
        for (value, _) in pairs.clone() {
            smallest = smallest.min(value);
            largest = largest.max(value);
            count += 1;
        }
        let range = if count == 0 { 0 } else { (largest - smallest) as usize + 1 };
        let mut index = if range <= 4 * size + 1024 {
            Self::Direct { smallest, ids: vec![NONE; range] }
        } else {
            let bits = (2 * count).next_power_of_two().ilog2();
            Self::Hashed { entries: vec![(0, NONE); 1 << bits], shift: 32 - bits }
        };
        for (value, id) in pairs {
            let other = index.insert(value, id);
            if other != NONE {
                return Err((other, id));
            }
        }
        Ok(index)
    }

    /// The index before, or [`NONE`].
    fn insert(&mut self, value: u32, id: u32) -> u32 {
        match self {
            Self::Direct { smallest, ids } => std::mem::replace(&mut ids[(value - *smallest) as usize], id),
            Self::Hashed { entries, shift } => {
                let at = slot(entries, *shift, value);
                let other = entries[at].1;
                entries[at] = (value, id);
                other
            }
        }
    }

    /// What belongs to the value.
    pub(super) fn get(&self, value: u32) -> Option<u32> {
        let id = match self {
            Self::Direct { smallest, ids } => *ids.get(value.wrapping_sub(*smallest) as usize)?,
            Self::Hashed { entries, shift } => entries[slot(entries, *shift, value)].1,
        };
        (id != NONE).then_some(id)
    }
}

/// The entry of the value, or the free one where it belongs.
fn slot(entries: &[(u32, u32)], shift: u32, value: u32) -> usize {
    let mut at = (value.wrapping_mul(0x9e37_79b1) >> shift) as usize;
    while entries[at].1 != NONE && entries[at].0 != value {
        at = (at + 1) & (entries.len() - 1);
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dense_and_sparse_values_are_found() {
        for factor in [1, 1_000_003] {
            let pairs = (0..1000_u32).map(|id| (id.wrapping_mul(factor), id));
            let index = Index::new(10, pairs.clone()).ok().unwrap();
            assert_eq!(matches!(index, Index::Direct { .. }), factor == 1);
            assert!(pairs.clone().all(|(value, id)| index.get(value) == Some(id)));
            assert_eq!(index.get(5000), None);
            assert_eq!(Index::new(10, pairs.chain([(0, 7)])).err(), Some((0, 7)));
        }
        let empty = Index::new(0, std::iter::empty()).ok().unwrap();
        assert_eq!((empty.get(0), empty.get(u32::MAX)), (None, None));
    }

    #[test]
    fn keys_are_sorted_dense_or_not() {
        let keys = [9, 4, u32::MAX, 2, 4_000_000, 6, u32::MAX - 1];
        assert_eq!(by_key(&keys), [3, 1, 5, 0, 4, 6, 2]);
        assert_eq!(by_key(&[1, 2, 3]), [0, 1, 2]);
        assert_eq!(by_key(&[3, NEVER, 1, 2, NEVER]), [2, 3, 0, 1, 4]);
        assert_eq!(by_key(&[NEVER - 1, NEVER, 0]), [2, 0, 1]);
        assert_eq!(by_key(&[]), [0; 0]);
    }
}
