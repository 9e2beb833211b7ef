//! What the search remembers: configurations visited, multisets of spent crashed operations, and the
//! tree of linearized operations from which a witness is read.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::rc::Rc;

/// Multiply-and-rotate hashing: keys are small integers of our own making, nobody attacks them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct WordHasher(u64);

impl Hasher for WordHasher {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
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

    fn finish(&self) -> u64 {
        // The table takes its bucket from the low bits, which a product mixes worst.
        self.0 ^ (self.0 >> 32)
    }
}

type FastMap<K, V> = HashMap<K, V, BuildHasherDefault<WordHasher>>;

/// Multisets of crashed operations spent, interned: (class, how many), by class.
#[derive(Debug)]
pub(super) struct Spent {
    sets: Vec<Rc<[(u32, u32)]>>,
    ids: HashMap<Rc<[(u32, u32)]>, u32>,
    plus: FastMap<(u32, u32), u32>,
    bytes: usize,
}

impl Spent {
    /// The id of the empty multiset.
    pub(super) const NONE: u32 = 0;

    pub(super) fn new() -> Self {
        let none: Rc<[(u32, u32)]> = Rc::from([]);
        let ids = HashMap::from([(Rc::clone(&none), Self::NONE)]);
        Self { sets: vec![none], ids, plus: FastMap::default(), bytes: 0 }
    }

    pub(super) fn count(&self, set: u32, class: u32) -> u32 {
        let set = &self.sets[set as usize];
        set.binary_search_by_key(&class, |&(c, _)| c).map_or(0, |at| set[at].1)
    }

    /// The multiset with one more of `class`.
    pub(super) fn plus_one(&mut self, set: u32, class: u32) -> u32 {
        if let Some(&id) = self.plus.get(&(set, class)) {
            return id;
        }
        let mut next: Vec<(u32, u32)> = self.sets[set as usize].to_vec();
        match next.binary_search_by_key(&class, |&(c, _)| c) {
            Ok(at) => next[at].1 += 1,
            Err(at) => next.insert(at, (class, 1)),
        }
        let next: Rc<[(u32, u32)]> = next.into();
        let id = if let Some(&id) = self.ids.get(&next) {
            id
        } else {
            let id = u32::try_from(self.sets.len()).expect("the memory budget ends the search before");
            self.bytes += next.len() * 8;
            self.sets.push(Rc::clone(&next));
            self.ids.insert(next, id);
            id
        };
        self.plus.insert((set, class), id);
        id
    }

    /// True when `less` spends no more of any class than `more`.
    fn within(&self, less: u32, more: u32) -> bool {
        less == more
            || self.sets[less as usize].iter().all(|&(class, count)| count <= self.count(more, class))
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.bytes + self.sets.len() * 96 + self.plus.capacity() * 16
    }
}

/// Multisets, none within another.
#[derive(Debug)]
enum Antichain {
    One(u32),
    Many(Vec<u32>),
}

/// Configurations already visited, but for what they spent: of those only the thriftiest are kept.
#[derive(Debug)]
pub(super) struct Visited<K> {
    map: FastMap<(u32, u32, K), Antichain>,
    extra: usize,
}

impl<K: Eq + Hash> Visited<K> {
    pub(super) fn new() -> Self {
        Self { map: FastMap::default(), extra: 0 }
    }

    /// Notes a visit; false when the same configuration was visited having spent no more.
    pub(super) fn insert(&mut self, p: u32, state: u32, mask: K, set: u32, spent: &Spent) -> bool {
        use std::collections::hash_map::Entry;
        let chain = match self.map.entry((p, state, mask)) {
            Entry::Vacant(entry) => {
                entry.insert(Antichain::One(set));
                return true;
            }
            Entry::Occupied(entry) => entry.into_mut(),
        };
        match chain {
            Antichain::One(known) => {
                if spent.within(*known, set) {
                    return false;
                }
                if spent.within(set, *known) {
                    *known = set;
                } else {
                    *chain = Antichain::Many(vec![*known, set]);
                    self.extra += 2;
                }
            }
            Antichain::Many(known) => {
                if known.iter().any(|&known| spent.within(known, set)) {
                    return false;
                }
                known.retain(|&known| !spent.within(set, known));
                known.push(set);
                self.extra += 1;
            }
        }
        true
    }

    pub(super) fn len(&self) -> usize {
        self.map.len()
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.map.capacity() * (size_of::<(u32, u32, K)>() + size_of::<Antichain>() + 1) + self.extra * 8
    }
}

/// Linearized operations, each with the one before it.
#[derive(Debug, Default)]
pub(super) struct Trail {
    nodes: Vec<(u32, u32)>,
}

impl Trail {
    /// The node before any operation.
    pub(super) const START: u32 = u32::MAX;

    pub(super) fn push(&mut self, before: u32, op: u32) -> u32 {
        self.nodes.push((before, op));
        u32::try_from(self.nodes.len() - 1).expect("the memory budget ends the search before")
    }

    /// The operations up to a node, first to last.
    pub(super) fn path(&self, mut node: u32) -> Vec<usize> {
        let mut path = Vec::new();
        while node != Self::START {
            let (before, op) = self.nodes[node as usize];
            path.push(op as usize);
            node = before;
        }
        path.reverse();
        path
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.nodes.capacity() * 8
    }
}
