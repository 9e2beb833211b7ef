//! What the session clients know together: which writes were acknowledged, which transaction wrote what.
//!
//! A key is a node; the values of one are written by one client, in ascending order, each once.

use super::sessions::broken;
use crate::properties::Violation;
use std::collections::BTreeMap;
use zab_wire::Zxid;
use zab_wire::client::{Response, Stat};

/// How much was done, so that a run that does nothing is noticed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Writes that were acknowledged.
    pub writes: u64,
    /// Reads behind a `sync` that had an acknowledged write to show.
    pub synced_reads: u64,
    /// Sessions that went on over another connection.
    pub moves: u64,
}

/// A node's content, as some client saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The number that was written.
    pub value: u64,
    mzxid: Zxid,
    version: i32,
}

impl Seen {
    /// What was written, with the stat that came back.
    #[must_use]
    pub fn new(value: u64, stat: &Stat) -> Self {
        Self { value, mzxid: stat.mzxid, version: stat.version }
    }

    /// What a `getData` was answered with; `None` when nobody wrote that.
    #[must_use]
    pub fn read(response: &Response) -> Option<Self> {
        let Response::Data(Some(data), stat) = response else { return None };
        Some(Self::new(std::str::from_utf8(data).ok()?.parse().ok()?, stat))
    }
}

/// All of it.
#[derive(Debug, Default)]
pub struct Known {
    keys: u64,
    acknowledged: BTreeMap<u64, u64>,
    by_zxid: BTreeMap<(u64, Zxid), Seen>,
    by_value: BTreeMap<(u64, u64), Seen>,
    /// How much was done.
    pub tally: Tally,
}

impl Known {
    pub(super) fn new_key(&mut self) -> u64 {
        self.keys += 1;
        self.keys
    }

    /// The highest key there is; they begin with 1.
    #[must_use]
    pub fn keys(&self) -> u64 {
        self.keys
    }

    /// The newest acknowledged value of a node, if any.
    #[must_use]
    pub fn acknowledged(&self, key: u64) -> Option<u64> {
        self.acknowledged.get(&key).copied()
    }

    pub(super) fn acknowledge(&mut self, key: u64, value: u64) -> Result<(), Violation> {
        self.tally.writes += 1;
        match self.acknowledged.insert(key, value) {
            Some(before) if before >= value => Err(broken(
                "AnswersInOrder",
                format!("/k{key}: {value} is acknowledged behind {before}, which was sent later"),
            )),
            Some(_) | None => Ok(()),
        }
    }

    /// Nodes change only by transactions: one zxid stands for one value and version, and a value was written
    /// by one transaction.
    ///
    /// # Errors
    /// When that is not so.
    pub fn saw(&mut self, key: u64, seen: Seen) -> Result<(), Violation> {
        if *self.by_zxid.entry((key, seen.mzxid)).or_insert(seen) != seen {
            let what = format!("/k{key}: the transaction {} wrote two things", seen.mzxid);
            return Err(broken("OneWriteOneTransaction", what));
        }
        if *self.by_value.entry((key, seen.value)).or_insert(seen) != seen {
            let what = format!("/k{key}: the write of {} was applied twice", seen.value);
            return Err(broken("OneWriteOneTransaction", what));
        }
        Ok(())
    }
}

/// The node of a key.
#[must_use]
pub fn path(key: u64) -> String {
    format!("/k{key}")
}
