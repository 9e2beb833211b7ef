//! Configurations already visited, as far as they are worth remembering: no one in the table can be
//! imitated by another (rule 3).
//!
//! A chained hash table over one array of entries, keyed by what must be equal for one configuration to
//! imitate another: `p`, state, cursor and the operations that are neither reads nor overwrites. The
//! rest is compared: it is better to have read more, to have used up fewer overwrites and fewer crashed
//! operations, and to have overwritten later.

use crate::engine::config::{Config, Cursor};
use crate::engine::mask::Mask;
use crate::engine::spent::Spent;

const END: u32 = u32::MAX;

struct Entry<K> {
    config: Config<K>,
    next: u32,
}

/// The regions of a mask.
pub(super) struct Regions<'a> {
    pub(super) pure: &'a [u64],
    pub(super) blind: &'a [u64],
    pub(super) other: &'a [u64],
    /// Compare at all.
    pub(super) dominance: bool,
}

/// The table.
pub(super) struct Memo<K> {
    heads: Vec<u32>,
    entries: Vec<Entry<K>>,
    /// Entries in chains.
    live: usize,
    mask_bytes: usize,
}

impl<K: Mask> Memo<K> {
    pub(super) fn new() -> Self {
        Self { heads: Vec::new(), entries: Vec::new(), live: 0, mask_bytes: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.live
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.heads.capacity() * 4
            + self.entries.capacity() * size_of::<Entry<K>>()
            + self.entries.len() * self.mask_bytes
    }

    /// Bytes that the table will hold after its next growth, at worst.
    pub(super) fn bytes_when_grown(&self) -> usize {
        if self.entries.len() < self.entries.capacity() { self.heap_bytes() } else { self.heap_bytes() * 2 }
    }

    /// Notes a visit; false when a configuration in the table can do all that this one can.
    pub(super) fn insert(&mut self, config: &Config<K>, regions: &Regions<'_>, spent: &Spent) -> bool {
        if self.entries.len() >= self.heads.len() {
            self.rebuild(regions, |_| true);
        }
        let bucket = self.bucket(config, regions);
        let (mut previous, mut at) = (END, self.heads[bucket]);
        while at != END {
            let entry = &self.entries[at as usize];
            let next = entry.next;
            if imitates(&entry.config, config, regions, spent) {
                return false;
            }
            if imitates(config, &entry.config, regions, spent) {
                self.live -= 1;
                match previous {
                    END => self.heads[bucket] = next,
                    _ => self.entries[previous as usize].next = next,
                }
            } else {
                previous = at;
            }
            at = next;
        }
        let id = u32::try_from(self.entries.len()).expect("the memory budget keeps the table smaller");
        self.mask_bytes = config.done.heap_bytes();
        self.entries.push(Entry { config: config.clone(), next: self.heads[bucket] });
        self.heads[bucket] = id;
        self.live += 1;
        true
    }

    /// True when this very configuration is in the table: nothing better came after it.
    pub(super) fn contains(&self, config: &Config<K>, regions: &Regions<'_>) -> bool {
        let mut at = self.heads[self.bucket(config, regions)];
        while at != END {
            let entry = &self.entries[at as usize];
            let other = &entry.config;
            if same_key(other, config, regions)
                && other.done == config.done
                && other.gap == config.gap
                && other.spent == config.spent
            {
                return true;
            }
            at = entry.next;
        }
        false
    }

    /// Forgets all but what `keep` says; forgetting costs time when it is visited again, no more.
    pub(super) fn retain(&mut self, regions: &Regions<'_>, keep: impl Fn(&Config<K>) -> bool) {
        self.rebuild(regions, keep);
    }

    /// The `p` below which half of the table lies.
    pub(super) fn median_p(&self) -> u32 {
        let mut ps: Vec<u32> = self.entries.iter().map(|entry| entry.config.p).collect();
        let middle = ps.len() / 2;
        if ps.is_empty() { 0 } else { *ps.select_nth_unstable(middle).1 }
    }

    /// Gives memory back that it does not use.
    pub(super) fn shrink(&mut self) {
        self.heads.shrink_to_fit();
        self.entries.shrink_to_fit();
    }

    fn rebuild(&mut self, regions: &Regions<'_>, keep: impl Fn(&Config<K>) -> bool) {
        let mut linked = vec![false; self.entries.len()];
        for &head in &self.heads {
            let mut at = head;
            while at != END {
                linked[at as usize] = true;
                at = self.entries[at as usize].next;
            }
        }
        let mut id = 0;
        self.entries.retain(|entry| {
            id += 1;
            linked[id - 1] && keep(&entry.config)
        });
        self.live = self.entries.len();
        let wanted = (self.live * 2).next_power_of_two().max(64);
        self.heads.clear();
        self.heads.resize(wanted, END);
        if self.entries.capacity() > 4 * wanted {
            self.heads.shrink_to(wanted);
            self.entries.shrink_to(wanted);
        }
        for id in 0..self.live {
            let bucket = self.bucket(&self.entries[id].config, regions);
            self.entries[id].next = self.heads[bucket];
            self.heads[bucket] = u32::try_from(id).expect("as many as before, or fewer");
        }
    }

    fn bucket(&self, config: &Config<K>, regions: &Regions<'_>) -> usize {
        let mut hash = mix(u64::from(config.p) << 32 | u64::from(config.state), 0);
        hash = mix(
            match config.cursor {
                Cursor::Still => 1 << 40,
                Cursor::Now => 2 << 40,
                Cursor::Overwrote => 3 << 40,
                Cursor::Gap(state) => 4 << 40 | u64::from(state),
            },
            hash,
        );
        for (&word, &other) in config.done.words().iter().zip(regions.other) {
            hash = mix(if regions.dominance { word & other } else { word }, hash);
        }
        if !regions.dominance {
            hash = mix(u64::from(config.gap) << 32 | u64::from(config.spent), hash);
        }
        #[expect(clippy::cast_possible_truncation, reason = "a hash")]
        let bucket = (hash ^ (hash >> 32)) as usize;
        bucket & (self.heads.len() - 1)
    }
}

fn mix(word: u64, hash: u64) -> u64 {
    (hash.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn same_key<K: Mask>(a: &Config<K>, b: &Config<K>, regions: &Regions<'_>) -> bool {
    a.p == b.p
        && a.state == b.state
        && a.cursor == b.cursor
        && a.done
            .words()
            .iter()
            .zip(b.done.words())
            .zip(regions.other)
            .all(|((a, b), other)| (a ^ b) & other == 0)
}

/// Rule 3: `a` can do all that `b` can.
fn imitates<K: Mask>(a: &Config<K>, b: &Config<K>, regions: &Regions<'_>, spent: &Spent) -> bool {
    if !regions.dominance {
        return same_key(a, b, regions) && a.done == b.done && a.gap == b.gap && a.spent == b.spent;
    }
    if !same_key(a, b, regions) || a.gap < b.gap {
        return false;
    }
    let (a_done, b_done) = (a.done.words(), b.done.words());
    for word in 0..a_done.len() {
        let unread = b_done[word] & !a_done[word] & regions.pure[word];
        let used = a_done[word] & !b_done[word] & regions.blind[word];
        if unread | used != 0 {
            return false;
        }
    }
    spent.within(a.spent, b.spent)
}
