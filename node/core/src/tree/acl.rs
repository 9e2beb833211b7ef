//! Access control lists, kept once each and referred to by key (`ReferenceCountedACLCache`).

use std::collections::BTreeMap;
use zab_wire::client::Acl;
use zab_wire::snapshot::OPEN_ACL_KEY;

/// Lists by key. `world:anyone` with all permissions is key -1 and has no entry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct AclTable {
    lists: BTreeMap<i64, Vec<Acl>>,
    keys: BTreeMap<Vec<Acl>, i64>,
}

impl AclTable {
    /// The key of a list, which is added if it is new.
    pub(super) fn key(&mut self, acl: &[Acl]) -> i64 {
        if acl == Acl::open() {
            return OPEN_ACL_KEY;
        }
        if let Some(key) = self.keys.get(acl) {
            return *key;
        }
        let key = self.lists.last_key_value().map_or(1, |(last, _)| last + 1);
        self.restore(key, acl.to_vec());
        key
    }

    /// Puts a list back under the key a snapshot gives it.
    pub(super) fn restore(&mut self, key: i64, acl: Vec<Acl>) {
        self.keys.insert(acl.clone(), key);
        self.lists.insert(key, acl);
    }

    /// All lists with their keys.
    pub(super) fn lists(&self) -> impl Iterator<Item = (i64, &Vec<Acl>)> {
        self.lists.iter().map(|(key, acl)| (*key, acl))
    }
}
