//! One key of a string store: get, put, append. States are interned strings; initially empty.

use std::collections::HashMap;
use std::sync::Arc;

use crate::model::Machine;

/// An operation on one key. Strings are ids of the machine that interned them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KvAction {
    /// Returned this string.
    Get(u32),
    /// Stored this string.
    Put(u32),
    /// Added this string at the end.
    Append(u32),
}

/// The key's string, with the transitions seen so far memoized.
#[derive(Debug, Clone)]
pub struct KvMachine {
    strings: Vec<Arc<str>>,
    ids: HashMap<Arc<str>, u32>,
    appended: HashMap<(u32, u32), u32>,
    bytes: usize,
}

const EMPTY: u32 = 0;

impl Default for KvMachine {
    fn default() -> Self {
        let mut machine =
            Self { strings: Vec::new(), ids: HashMap::new(), appended: HashMap::new(), bytes: 0 };
        machine.intern("");
        machine
    }
}

impl KvMachine {
    /// The id of a string, given out on first sight.
    ///
    /// # Panics
    /// After 2^32 strings, which fit in no memory.
    pub fn intern(&mut self, text: &str) -> u32 {
        if let Some(&id) = self.ids.get(text) {
            return id;
        }
        let id = u32::try_from(self.strings.len()).expect("fewer than 2^32 strings fit in memory");
        let text: Arc<str> = text.into();
        self.bytes += text.len();
        self.strings.push(Arc::clone(&text));
        self.ids.insert(text, id);
        id
    }
}

impl Machine for KvMachine {
    type Action = KvAction;

    fn initial(&self) -> u32 {
        EMPTY
    }

    fn step(&mut self, state: u32, action: KvAction) -> Option<u32> {
        match action {
            KvAction::Get(value) => (state == value).then_some(state),
            KvAction::Put(value) => Some(value),
            KvAction::Append(tail) => {
                if let Some(&next) = self.appended.get(&(state, tail)) {
                    return Some(next);
                }
                let joined = [&*self.strings[state as usize], &*self.strings[tail as usize]].concat();
                let next = self.intern(&joined);
                self.appended.insert((state, tail), next);
                Some(next)
            }
        }
    }

    fn is_pure(&self, action: KvAction) -> bool {
        match action {
            KvAction::Get(_) => true,
            KvAction::Put(_) => false,
            KvAction::Append(tail) => tail == EMPTY,
        }
    }

    fn is_blind(&self, action: KvAction) -> bool {
        matches!(action, KvAction::Put(_))
    }

    fn is_total(&self, action: KvAction) -> bool {
        matches!(action, KvAction::Put(_) | KvAction::Append(_))
    }

    fn requires(&self, action: KvAction) -> Option<u32> {
        match action {
            KvAction::Get(value) => Some(value),
            KvAction::Put(_) | KvAction::Append(_) => None,
        }
    }

    fn produces(&self, action: KvAction) -> Option<u32> {
        match action {
            KvAction::Put(value) => Some(value),
            KvAction::Get(_) | KvAction::Append(_) => None,
        }
    }

    const GROWS: bool = true;

    fn reaches(&self, from: u32, to: u32) -> bool {
        from == to || self.strings[to as usize].starts_with(&*self.strings[from as usize])
    }

    fn heap_bytes(&self) -> usize {
        // Strings, two tables and the memo, at their usual size.
        self.bytes + self.strings.len() * 64 + self.appended.len() * 24
    }
}
