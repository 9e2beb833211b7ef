//! Which crashed operations a configuration has spent: interned multisets of classes.

use std::collections::HashMap;
use std::rc::Rc;

use crate::hash::FastMap;

/// Multisets, interned: (class, how many), by class.
#[derive(Debug)]
pub(super) struct Spent {
    sets: Vec<Rc<[(u32, u32)]>>,
    ids: HashMap<Rc<[(u32, u32)]>, u32>,
    plus: FastMap<(u32, u32), u32>,
    bytes: usize,
}

impl Spent {
    /// The id of the empty multiset.
    pub(super) const NOTHING: u32 = 0;

    pub(super) fn new() -> Self {
        let none: Rc<[(u32, u32)]> = Rc::from([]);
        let ids = HashMap::from([(Rc::clone(&none), Self::NOTHING)]);
        Self { sets: vec![none], ids, plus: FastMap::default(), bytes: 0 }
    }

    pub(super) fn count(&self, set: u32, class: u32) -> u32 {
        if set == Self::NOTHING {
            return 0;
        }
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
    pub(super) fn within(&self, less: u32, more: u32) -> bool {
        less == more
            || self.sets[less as usize].iter().all(|&(class, count)| count <= self.count(more, class))
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.bytes + self.sets.len() * 96 + self.plus.capacity() * 16
    }
}
