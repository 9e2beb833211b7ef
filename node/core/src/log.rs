//! The log as the protocol sees it: the entries still in memory, and how far they are applied.
//!
//! The disk holds the same entries (the driver carries out `Append` and `Truncate` in order); this is
//! the part that synchronization and broadcast look at. ZooKeeper splits it into `committedLog` and
//! the queues of outstanding proposals; here it is one sequence with a mark.

use crate::event::LogEntry;
use std::collections::VecDeque;
use zab_wire::Zxid;

/// A contiguous run of entries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Log {
    /// The zxid before the first entry: that of a snapshot, or of the last entry trimmed away.
    base: Zxid,
    entries: VecDeque<LogEntry>,
    /// How many of `entries` are applied to the tree.
    applied: usize,
}

/// Where a zxid stands in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Before everything in memory.
    Forgotten,
    /// It is the zxid just before this index: entries from here on come after it.
    Before(usize),
    /// No such entry, although later and earlier ones are there; the index is that of the next later one.
    Missing(usize),
}

impl Log {
    /// A log that begins behind `base`.
    pub(crate) fn starting_at(base: Zxid, entries: Vec<LogEntry>) -> Self {
        Self { base, entries: entries.into(), applied: 0 }
    }

    /// The last zxid, applied or not.
    pub(crate) fn last(&self) -> Zxid {
        self.entries.back().map_or(self.base, |entry| entry.zxid)
    }

    /// The last applied zxid.
    pub(crate) fn applied(&self) -> Zxid {
        match self.applied.checked_sub(1) {
            None => self.base,
            Some(index) => self.entries[index].zxid,
        }
    }

    /// Adds an entry to the end.
    ///
    /// # Panics
    /// When it does not come after the last: callers check what peers send.
    pub(crate) fn append(&mut self, entry: LogEntry) {
        assert!(entry.zxid > self.last(), "{} is appended behind {}", entry.zxid, self.last());
        self.entries.push_back(entry);
    }

    /// Whether `zxid` is the one that must follow the last: the next of its epoch, or the first of a
    /// later one. A hole here is lost data later (ZOOKEEPER-4925).
    pub(crate) fn expects(&self, zxid: Zxid) -> bool {
        let last = self.last();
        Some(zxid) == last.next() || (zxid.epoch > last.epoch && zxid.counter == 1)
    }

    /// The next entry to apply.
    pub(crate) fn next_unapplied(&self) -> Option<&LogEntry> {
        self.entries.get(self.applied)
    }

    /// Marks the next entry as applied.
    pub(crate) fn mark_applied(&mut self) {
        assert!(self.applied < self.entries.len(), "there is an entry to apply");
        self.applied += 1;
    }

    /// Forgets applied entries but the newest `keep`.
    pub(crate) fn trim(&mut self, keep: usize) {
        while self.applied > keep {
            let Some(entry) = self.entries.pop_front() else { return };
            self.base = entry.zxid;
            self.applied -= 1;
        }
    }

    /// Where `zxid` stands.
    pub(crate) fn place(&self, zxid: Zxid) -> Place {
        if zxid < self.base {
            return Place::Forgotten;
        }
        if zxid == self.base {
            return Place::Before(0);
        }
        match self.entries.binary_search_by_key(&zxid, |entry| entry.zxid) {
            Ok(index) => Place::Before(index + 1),
            Err(index) => Place::Missing(index),
        }
    }

    /// Whether there is such an entry in memory.
    pub(crate) fn contains(&self, zxid: Zxid) -> bool {
        self.entries.binary_search_by_key(&zxid, |entry| entry.zxid).is_ok()
    }

    /// The zxid just before index `at`.
    pub(crate) fn zxid_before(&self, at: usize) -> Zxid {
        at.checked_sub(1).map_or(self.base, |index| self.entries[index].zxid)
    }

    /// The entries from index `at` on.
    pub(crate) fn from(&self, at: usize) -> impl Iterator<Item = &LogEntry> {
        self.entries.range(at.min(self.entries.len())..)
    }

    /// The entries after `zxid`, whatever stands there.
    pub(crate) fn after(&self, zxid: Zxid) -> impl Iterator<Item = &LogEntry> {
        self.from(self.entries.partition_point(|entry| entry.zxid <= zxid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(epoch: u32, counter: u32) -> LogEntry {
        LogEntry { zxid: Zxid::new(epoch, counter), txn: bytes::Bytes::new() }
    }

    fn log() -> Log {
        Log::starting_at(Zxid::new(1, 2), vec![entry(1, 3), entry(1, 4), entry(3, 1)])
    }

    #[test]
    fn places_are_found_in_the_middle_at_the_edges_and_between() {
        let log = log();
        assert_eq!(log.place(Zxid::new(1, 1)), Place::Forgotten);
        assert_eq!(log.place(Zxid::new(1, 2)), Place::Before(0));
        assert_eq!(log.place(Zxid::new(1, 4)), Place::Before(2));
        assert_eq!(log.place(Zxid::new(2, 9)), Place::Missing(2));
        assert_eq!(log.place(Zxid::new(3, 1)), Place::Before(3));
        assert_eq!(log.place(Zxid::new(3, 2)), Place::Missing(3));
    }

    #[test]
    fn only_the_next_of_the_epoch_or_the_first_of_a_later_one_is_expected() {
        let log = log();
        assert!(log.expects(Zxid::new(3, 2)) && log.expects(Zxid::new(4, 1)));
        assert!(!log.expects(Zxid::new(3, 3)), "a hole");
        assert!(!log.expects(Zxid::new(4, 2)), "a hole at an epoch's beginning");
        assert!(!log.expects(Zxid::new(3, 1)) && !log.expects(Zxid::new(2, 1)), "backwards");
    }

    #[test]
    fn trimming_keeps_what_is_not_applied_and_moves_the_base() {
        let mut log = log();
        log.mark_applied();
        log.mark_applied();
        log.trim(1);
        assert_eq!(
            (log.base, log.applied(), log.last()),
            (Zxid::new(1, 3), Zxid::new(1, 4), Zxid::new(3, 1))
        );
        log.trim(0);
        assert_eq!((log.base, log.applied()), (Zxid::new(1, 4), Zxid::new(1, 4)));
        assert_eq!(log.next_unapplied().map(|entry| entry.zxid), Some(Zxid::new(3, 1)));
    }
}
