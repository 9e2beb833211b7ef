//! The end of the log: collects records in memory and makes them durable together.
//!
//! Group commit: [`LogWriter::append`] only encodes; [`LogWriter::sync`] does one write and one fdatasync for
//! everything since the last, however much that is. Space is reserved ahead in steps, so that an fdatasync
//! seldom has to wait for a change of the file's length as well.

use crate::error::{IoContext, StorageError};
use crate::files::DataDir;
use crate::folder::Folder;
use crate::txn_log;
use zab_core::LogEntry;
use zab_wire::Zxid;

/// The next reservation is made when less than this is left (as in ZooKeeper's `FilePadding`).
const RESERVE_WHEN_LEFT: u64 = 4096;

/// Writes the newest log file, and begins a new one when there is none.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct LogWriter {
    active: Option<Active>,
    /// Encoded records that are not on the disk.
    pending: Vec<u8>,
    /// The zxid of the first of them: the name of a new file.
    pending_first: Option<Zxid>,
    /// Reservation step; 0 for none.
    reserve_step_bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Active {
    name: String,
    /// Behind the last record.
    end: u64,
    /// The file's length.
    reserved: u64,
    /// Whether its directory entry is not durable yet.
    new: bool,
}

impl LogWriter {
    /// Writes a new file at the first transaction.
    pub(super) fn new(reserve_step_bytes: u64) -> Self {
        Self { active: None, pending: Vec::new(), pending_first: None, reserve_step_bytes }
    }

    /// Goes on in a file whose records end at `end`, which must be its length too.
    pub(super) fn resume(&mut self, name: &str, end: u64) {
        self.active = Some(Active { name: name.to_owned(), end, reserved: end, new: false });
    }

    /// Adds a transaction to what the next [`Self::sync`] writes.
    pub(super) fn append(&mut self, entry: &LogEntry) {
        self.pending_first.get_or_insert(entry.zxid);
        txn_log::encode(&entry.txn, &mut self.pending);
    }

    /// Makes everything appended so far durable.
    pub(super) fn sync<F: Folder>(&mut self, dir: &mut DataDir<F>) -> Result<(), StorageError> {
        let Some(first) = self.pending_first.take() else { return Ok(()) };
        if self.active.is_none() {
            self.active = Some(Active::create(dir, first)?);
        }
        let active = self.active.as_mut().expect("it was set just now");
        active.reserve(dir, self.pending.len() as u64, self.reserve_step_bytes)?;
        active.write(dir, &self.pending)?;
        self.pending.clear();
        dir.folder.sync_data(&active.name).context("fdatasync", || dir.file(&active.name))?;
        if active.new {
            // Without this the file, and every transaction in it, can vanish in a crash.
            dir.sync()?;
            active.new = false;
        }
        Ok(())
    }

    /// Lets the next transaction begin a new file; the old one keeps no reserved space. Everything must be
    /// synced.
    pub(super) fn roll<F: Folder>(&mut self, dir: &mut DataDir<F>) -> Result<(), StorageError> {
        let Some(active) = self.active.take() else { return Ok(()) };
        // Not fsynced: zeros behind the records mean the same as the end of the file.
        dir.set_len(&active.name, active.end)
    }

    /// Forgets the file and what was not synced.
    pub(super) fn discard(&mut self) {
        self.active = None;
        self.pending.clear();
        self.pending_first = None;
    }
}

impl Active {
    fn create<F: Folder>(dir: &mut DataDir<F>, first: Zxid) -> Result<Self, StorageError> {
        let name = txn_log::name(first);
        dir.folder.create_new(&name).context("create", || dir.file(&name))?;
        let mut active = Self { name, end: 0, reserved: 0, new: true };
        active.write(dir, &txn_log::HEADER)?;
        Ok(active)
    }

    fn write<F: Folder>(&mut self, dir: &mut DataDir<F>, bytes: &[u8]) -> Result<(), StorageError> {
        dir.write_at(&self.name, self.end, bytes)?;
        self.end += bytes.len() as u64;
        self.reserved = self.reserved.max(self.end);
        Ok(())
    }

    /// Makes room for `more` bytes, in whole steps.
    fn reserve<F: Folder>(&mut self, dir: &mut DataDir<F>, more: u64, step: u64) -> Result<(), StorageError> {
        let wanted = self.end + more + RESERVE_WHEN_LEFT;
        if step == 0 || wanted <= self.reserved {
            return Ok(());
        }
        let reserved = wanted.next_multiple_of(step);
        let allocated = dir.folder.allocate(&self.name, self.reserved, reserved);
        allocated.context("reserve space in", || dir.file(&self.name))?;
        self.reserved = reserved;
        Ok(())
    }
}
