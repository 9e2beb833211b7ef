//! The end of the log: collects records in memory and makes them durable together.
//!
//! Group commit: [`LogWriter::append`] only encodes; [`LogWriter::sync`] does one write and one fdatasync for
//! everything since the last, however much that is. Space is reserved ahead in steps, so that an fdatasync
//! seldom has to wait for a change of the file's length as well.

use super::error::{IoContext, StorageError};
use super::files::DataDir;
use super::txn_log;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use zab_core::LogEntry;
use zab_wire::Zxid;

/// The next reservation is made when less than this is left (as in ZooKeeper's `FilePadding`).
const RESERVE_WHEN_LEFT: u64 = 4096;

/// Writes the newest log file, and begins a new one when there is none.
#[derive(Debug)]
pub(super) struct LogWriter {
    active: Option<Active>,
    /// Encoded records that are not on the disk.
    pending: Vec<u8>,
    /// The zxid of the first of them: the name of a new file.
    pending_first: Option<Zxid>,
    /// Reservation step; 0 for none.
    reserve_step_bytes: u64,
}

#[derive(Debug)]
struct Active {
    file: File,
    path: PathBuf,
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
    pub(super) fn resume(&mut self, path: &Path, end: u64) -> Result<(), StorageError> {
        let file = OpenOptions::new().write(true).open(path).context("open", path)?;
        self.active = Some(Active { file, path: path.to_owned(), end, reserved: end, new: false });
        Ok(())
    }

    /// Adds a transaction to what the next [`Self::sync`] writes.
    pub(super) fn append(&mut self, entry: &LogEntry) {
        self.pending_first.get_or_insert(entry.zxid);
        txn_log::encode(&entry.txn, &mut self.pending);
    }

    /// Makes everything appended so far durable.
    pub(super) fn sync(&mut self, dir: &DataDir) -> Result<(), StorageError> {
        let Some(first) = self.pending_first.take() else { return Ok(()) };
        if self.active.is_none() {
            self.active = Some(Active::create(dir, first)?);
        }
        let active = self.active.as_mut().expect("it was set just now");
        active.reserve(self.pending.len() as u64, self.reserve_step_bytes)?;
        active.write(&self.pending)?;
        self.pending.clear();
        active.file.sync_data().context("fdatasync", &active.path)?;
        if active.new {
            // Without this the file, and every transaction in it, can vanish in a crash.
            dir.sync()?;
            active.new = false;
        }
        Ok(())
    }

    /// Lets the next transaction begin a new file; the old one keeps no reserved space. Everything must be
    /// synced.
    pub(super) fn roll(&mut self) -> Result<(), StorageError> {
        let Some(active) = self.active.take() else { return Ok(()) };
        // Not fsynced: zeros behind the records mean the same as the end of the file.
        active.file.set_len(active.end).context("shorten", &active.path)
    }

    /// Forgets the file and what was not synced.
    pub(super) fn discard(&mut self) {
        self.active = None;
        self.pending.clear();
        self.pending_first = None;
    }
}

impl Active {
    fn create(dir: &DataDir, first: Zxid) -> Result<Self, StorageError> {
        let path = dir.file(&txn_log::name(first));
        let file = OpenOptions::new().write(true).create_new(true).open(&path).context("create", &path)?;
        let mut active = Self { file, path, end: 0, reserved: 0, new: true };
        active.write(&txn_log::HEADER)?;
        Ok(active)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        self.file.write_all_at(bytes, self.end).context("write", &self.path)?;
        self.end += bytes.len() as u64;
        self.reserved = self.reserved.max(self.end);
        Ok(())
    }

    /// Makes room for `more` bytes, in whole steps.
    fn reserve(&mut self, more: u64, step: u64) -> Result<(), StorageError> {
        let wanted = self.end + more + RESERVE_WHEN_LEFT;
        if step == 0 || wanted <= self.reserved {
            return Ok(());
        }
        let reserved = wanted.next_multiple_of(step);
        allocate(&self.file, self.reserved, reserved).context("reserve space in", &self.path)?;
        self.reserved = reserved;
        Ok(())
    }
}

/// Lengthens a file with zeros from `from` to `to`, with real blocks where the file system can.
#[cfg(target_os = "linux")]
fn allocate(file: &File, from: u64, to: u64) -> std::io::Result<()> {
    use nix::errno::Errno;
    use nix::fcntl::{FallocateFlags, fallocate};
    let offset = i64::try_from(from).expect("a log file is far below 2^63 bytes");
    let length = i64::try_from(to - from).expect("a log file is far below 2^63 bytes");
    match fallocate(file, FallocateFlags::empty(), offset, length) {
        Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => file.set_len(to),
        Err(errno) => Err(errno.into()),
        Ok(()) => Ok(()),
    }
}

#[cfg(not(target_os = "linux"))]
fn allocate(file: &File, _from: u64, to: u64) -> std::io::Result<()> {
    file.set_len(to)
}
