//! The values of crashed writes that nobody has seen: they may still show up, at any time, so they are kept for
//! ever. Two bytes each where values are dense integers.

use std::collections::BTreeMap;

use crate::online::value::Val;

/// Bytes of one key's crashed values beyond which the oldest are given up.
const MAX_BYTES: usize = 16 << 20;

/// What a container costs beside its entries: a node's share, a vector, an allocation.
const CONTAINER: usize = 72;

/// A set of values: the low 16 bits, sorted, by the upper 48.
#[derive(Debug, Clone, Default)]
pub(super) struct CrashedValues {
    containers: BTreeMap<u64, Vec<u16>>,
    len: usize,
    incomplete: bool,
}

fn split(value: Val) -> (u64, u16) {
    let low = u16::try_from(value.0 & 0xffff).expect("masked to 16 bits");
    (value.0 >> 16, low)
}

impl CrashedValues {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// True once values were given up: then one that is not here may have been.
    pub(super) fn incomplete(&self) -> bool {
        self.incomplete
    }

    /// A value had to be left out.
    pub(super) fn give_up(&mut self) {
        self.incomplete = true;
    }

    pub(super) fn contains(&self, value: Val) -> bool {
        let (high, low) = split(value);
        self.len > 0 && self.containers.get(&high).is_some_and(|lows| lows.binary_search(&low).is_ok())
    }

    pub(super) fn insert(&mut self, value: Val) {
        let (high, low) = split(value);
        let lows = self.containers.entry(high).or_default();
        if let Err(place) = lows.binary_search(&low) {
            if lows.len() == lows.capacity() {
                lows.reserve_exact(lows.len() / 2 + 1);
            }
            lows.insert(place, low);
            self.len += 1;
        }
        while self.containers.len() * CONTAINER + self.len * 3 > MAX_BYTES {
            // Smallest first: values are mostly counted up, so these are the oldest.
            let Some((_, lows)) = self.containers.pop_first() else { break };
            self.len -= lows.len();
            self.incomplete = true;
        }
    }

    /// Takes a value out; false if it was not there.
    pub(super) fn remove(&mut self, value: Val) -> bool {
        if self.len == 0 {
            return false;
        }
        let (high, low) = split(value);
        let Some(lows) = self.containers.get_mut(&high) else { return false };
        let Ok(place) = lows.binary_search(&low) else { return false };
        lows.remove(place);
        if lows.is_empty() {
            self.containers.remove(&high);
        }
        self.len -= 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_was_put_in_until_it_is_taken_out() {
        let mut set = CrashedValues::default();
        for number in (0..300_000).step_by(7) {
            set.insert(Val::int(number));
            set.insert(Val::int(number));
        }
        assert_eq!(set.len(), 300_000_usize.div_ceil(7));
        assert!(set.contains(Val::int(70_007)) && !set.contains(Val::int(70_008)));
        assert!(set.remove(Val::int(70_007)) && !set.remove(Val::int(70_007)));
        assert!(!set.incomplete());
    }

    #[test]
    fn gives_up_the_smallest_and_says_so() {
        let mut set = CrashedValues::default();
        (0..400_000).for_each(|number| set.insert(Val::int(number << 20)));
        assert!(set.incomplete() && set.len() < 300_000);
        assert!(!set.contains(Val::int(0)) && set.contains(Val::int(399_999 << 20)));
    }
}
