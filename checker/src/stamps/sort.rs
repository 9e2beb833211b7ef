//! Sorting by small numbers. Positions and stamps are nearly dense, so counting beats comparing.

use std::collections::{BTreeMap, HashMap};

/// `ids` in the order of their keys; equal keys keep their order. Linear where keys are dense.
pub(super) fn stable(mut ids: Vec<u32>, key: impl Fn(u32) -> u64) -> Vec<u32> {
    let Some(last) = ids.iter().map(|&id| key(id)).max() else { return ids };
    let room = 8 * ids.len() as u64 + 64;
    let Some(slots) = usize::try_from(last).ok().filter(|&last| last as u64 <= room) else {
        ids.sort_by_key(|&id| key(id));
        return ids;
    };
    let slot = |id: u32| usize::try_from(key(id)).expect("at most `slots`, which is one");
    let mut starts = vec![0_u32; slots + 2];
    ids.iter().for_each(|&id| starts[slot(id) + 1] += 1);
    let mut sum = 0;
    for start in &mut starts {
        sum += *start;
        *start = sum;
    }
    let mut sorted = vec![0; ids.len()];
    for &id in &ids {
        let start = &mut starts[slot(id)];
        sorted[*start as usize] = id;
        *start += 1;
    }
    sorted
}

/// Stamps without the gaps between epochs (the high 32 bits), in the same order: an epoch begins where
/// the one before it ended.
pub(super) struct Dense {
    /// Epoch to its first counter, then, to what is subtracted from a stamp.
    bases: BTreeMap<u64, (u64, u64)>,
}

impl Dense {
    pub(super) fn new(stamps: impl Iterator<Item = u64>) -> Self {
        let mut bases: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
        let mut run: Option<(u64, u64)> = None;
        let mut close = |(least, most): (u64, u64)| {
            let base = bases.entry(least >> 32).or_insert((least, most));
            *base = (base.0.min(least), base.1.max(most));
        };
        for stamp in stamps {
            run = match run {
                Some((least, most)) if least >> 32 == stamp >> 32 => {
                    Some((least.min(stamp), most.max(stamp)))
                }
                Some(other) => {
                    close(other);
                    Some((stamp, stamp))
                }
                None => Some((stamp, stamp)),
            };
        }
        run.into_iter().for_each(&mut close);
        let mut next = 0;
        for base in bases.values_mut() {
            let (least, most) = *base;
            *base = (least, next);
            next += most - least + 1;
        }
        Self { bases }
    }

    /// The ranks of these stamps, which [`Dense::new`] saw.
    pub(super) fn ranks<'a>(
        &'a self,
        stamps: impl Iterator<Item = u64> + 'a,
    ) -> impl Iterator<Item = u64> + 'a {
        let mut epoch = None;
        stamps.map(move |stamp| {
            let (_, first, rank) = match epoch {
                Some(known @ (high, _, _)) if high == stamp >> 32 => known,
                Some(_) | None => {
                    let &(first, rank) = self.bases.get(&(stamp >> 32)).expect("its epoch was seen");
                    *epoch.insert((stamp >> 32, first, rank))
                }
            };
            rank + (stamp - first)
        })
    }
}

/// Small numbers for sessions, and how many.
pub(super) fn small_ids(session: &[i64]) -> (Vec<u32>, usize) {
    let (least, most) = session.iter().fold((i64::MAX, i64::MIN), |(a, b), &s| (a.min(s), b.max(s)));
    let range = usize::try_from(most.wrapping_sub(least)).unwrap_or(usize::MAX);
    if range <= 4 * session.len() {
        let small = |&s: &i64| u32::try_from(s - least).expect("within the range");
        return (session.iter().map(small).collect(), range + 1);
    }
    let mut ids = HashMap::new();
    let small = session.iter().map(|&s| {
        let next = u32::try_from(ids.len()).expect("a history has fewer than 2^32 sessions");
        *ids.entry(s).or_insert(next)
    });
    let small = small.collect();
    (small, ids.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dense_or_not_it_is_a_stable_sort() {
        for keys in [vec![5, 3, 5, 0, 3], vec![1 << 40, 3, 1 << 40, 0, 3]] {
            assert_eq!(stable(vec![0, 1, 2, 3, 4], |id| keys[id as usize]), [3, 1, 4, 0, 2]);
        }
        assert!(stable(Vec::new(), |_| 0).is_empty());
    }

    #[test]
    fn ranks_keep_the_order_and_close_the_gaps() {
        let stamps = [(1 << 32) + 7, (1 << 32) + 5, 9 << 32, 3, (1 << 32) + 9];
        let dense = Dense::new(stamps.into_iter());
        assert_eq!(dense.ranks(stamps.into_iter()).collect::<Vec<_>>(), [3, 1, 6, 0, 5]);
    }
}
