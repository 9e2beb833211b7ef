//! What all clients together know: which writes were acknowledged, and which transaction wrote what.

use std::collections::BTreeMap;
use zab_wire::Zxid;
use zab_wire::client::{Response, Stat};

/// How much a world has done, so that a test that does nothing is noticed.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Tally {
    /// Writes that were acknowledged.
    pub(crate) writes: u64,
    /// Reads behind a `sync` that had an acknowledged write to show.
    pub(crate) synced_reads: u64,
    /// Sessions that went on over another connection.
    pub(crate) moves: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        self.writes += other.writes;
        self.synced_reads += other.synced_reads;
        self.moves += other.moves;
    }
}

/// A node's content, as some client saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) value: u64,
    pub(crate) mzxid: Zxid,
    pub(crate) version: i32,
}

/// Keys are nodes; the values of one are written by one client, in ascending order, each once.
#[derive(Default)]
pub(crate) struct Ledger {
    keys: u64,
    acknowledged: BTreeMap<u64, u64>,
    by_zxid: BTreeMap<(u64, Zxid), Seen>,
    by_value: BTreeMap<(u64, u64), Seen>,
    pub(crate) tally: Tally,
}

impl Ledger {
    /// A node nobody has written yet.
    pub(crate) fn new_key(&mut self) -> u64 {
        self.keys += 1;
        self.keys
    }

    /// The highest key there is.
    pub(crate) fn keys(&self) -> u64 {
        self.keys
    }

    /// The newest acknowledged value of a node, if any.
    pub(crate) fn acknowledged(&self, key: u64) -> Option<u64> {
        self.acknowledged.get(&key).copied()
    }

    pub(crate) fn acknowledge(&mut self, key: u64, value: u64) {
        let before = self.acknowledged.insert(key, value);
        assert!(
            before.is_none_or(|before| before < value),
            "/k{key}: {value} is acknowledged behind {before:?}, which was sent later"
        );
        self.tally.writes += 1;
    }

    /// Nodes change only by transactions: one zxid stands for one value and version, and a value was
    /// written by one transaction.
    pub(crate) fn saw(&mut self, key: u64, seen: Seen) {
        let same = *self.by_zxid.entry((key, seen.mzxid)).or_insert(seen);
        assert_eq!(same, seen, "/k{key}: one transaction wrote two things");
        let once = *self.by_value.entry((key, seen.value)).or_insert(seen);
        assert_eq!(once, seen, "/k{key}: one write was applied twice");
    }
}

impl Seen {
    pub(crate) fn new(value: u64, stat: &Stat) -> Self {
        Self { value, mzxid: stat.mzxid, version: stat.version }
    }

    /// What a `getData` was answered with.
    pub(crate) fn read(response: &Response) -> Self {
        let Response::Data(Some(data), stat) = response else {
            panic!("getData was answered with {response:?}");
        };
        let text = std::str::from_utf8(data).expect("digits were written");
        Self::new(text.parse().expect("a number was written"), stat)
    }
}

pub(crate) fn path(key: u64) -> String {
    format!("/k{key}")
}
