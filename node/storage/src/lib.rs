//! The data directory: transaction log, snapshots and epochs, in ZooKeeper's own formats.
//!
//! Blocking, for the one thread that owns the disk. [`Storage`] carries out the disk effects of
//! [`zab_core::event`]; when [`Storage::sync`] has returned, everything asked for before it survives a crash of
//! the machine. Every error but [`StorageError::NotInLog`] is fatal: a server that outlives its disk's error lies
//! (ZOOKEEPER-2247, 4882).
//!
//! ```text
//! dataDir/version-2/log.<hex>        transactions from <hex> on          txn_log, log_writer
//! dataDir/version-2/snapshot.<hex>   the tree at <hex>                   snapshot_file
//! dataDir/version-2/acceptedEpoch, currentEpoch                          epochs
//! dataDir/version-2/installing       a SNAP is replacing everything      install
//! ```
//!
//! All of it works in one [`Folder`]: [`RealFolder`] is the file system, a simulator brings its own.
//!
//! What the files mean together is `recovery`'s. Not here: what a transaction does to the tree, and when
//! anything is written; the core decides both.
#![forbid(unsafe_code)]

mod epochs;
mod error;
mod files;
pub mod folder;
mod install;
mod log_writer;
mod real_folder;
mod recovery;
mod snapshot_file;
#[cfg(test)]
mod tests;
mod txn_log;

pub use error::StorageError;
pub use folder::Folder;
pub use real_folder::RealFolder;

use files::DataDir;
use log_writer::LogWriter;
use recovery::{History, NO_LIMIT};
use std::path::Path;
use zab_core::{LogEntry, Recovered, Snapshot};
use zab_wire::Zxid;

/// How many snapshots are kept, with the log behind the oldest of them (`autopurge.snapRetainCount`).
const SNAPSHOTS_KEPT: usize = 3;

/// How the storage behaves.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Options {
    /// Space is reserved for the log in steps of this many bytes; 0 reserves none.
    pub preallocate_bytes: u64,
    /// The planted bug `forget-accepted-epoch`: acceptedEpoch is never written and reads as 0.
    pub forget_accepted_epoch: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { preallocate_bytes: 4 << 20, forget_accepted_epoch: false }
    }
}

/// An opened data directory.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Storage<F = RealFolder> {
    dir: DataDir<F>,
    options: Options,
    writer: LogWriter,
    /// The last transaction of snapshot and log, appended ones included.
    last: Zxid,
    /// Set by the first fatal error: nothing is tried again.
    failed: bool,
}

/// Why a folder could not be opened, and the folder as that left it.
#[derive(Debug)]
pub struct NotOpened<F> {
    /// Why.
    pub error: StorageError,
    /// The folder; the work of the recovery may have begun in it.
    pub folder: F,
}

impl Storage {
    /// Opens `data_dir/version-2`, creating it where it is missing, and recovers the state in it: the newest
    /// valid snapshot and the log behind it, cut where a crash tore its last write.
    ///
    /// # Errors
    /// [`StorageError`] when another process uses the directory, when the disk fails, or when the files
    /// contradict each other in a way that no crash explains.
    pub fn open(data_dir: &Path) -> Result<(Self, Recovered), StorageError> {
        Self::open_with(data_dir, Options::default())
    }

    /// [`Self::open`] with other options.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_with(data_dir: &Path, options: Options) -> Result<(Self, Recovered), StorageError> {
        Self::open_in(RealFolder::open(data_dir)?, options).map_err(|not_opened| not_opened.error)
    }
}

impl<F: Folder> Storage<F> {
    /// [`Storage::open`] in any folder.
    ///
    /// # Errors
    /// As [`Storage::open`]; the folder comes back with the error.
    pub fn open_in(folder: F, options: Options) -> Result<(Self, Recovered), Box<NotOpened<F>>> {
        let writer = LogWriter::new(options.preallocate_bytes);
        let dir = DataDir { folder };
        let mut storage = Self { dir, options, writer, last: Zxid::ZERO, failed: false };
        match storage.recover() {
            Ok(recovered) => Ok((storage, recovered)),
            Err(error) => Err(Box::new(NotOpened { error, folder: storage.into_folder() })),
        }
    }

    fn recover(&mut self) -> Result<Recovered, StorageError> {
        install::recover(&mut self.dir)?;
        self.dir.remove_unfinished()?;
        self.load()
    }

    /// The folder it works in.
    #[must_use]
    pub fn folder(&self) -> &F {
        &self.dir.folder
    }

    /// The folder it works in, for what a simulator does to it behind the storage's back.
    pub fn folder_mut(&mut self) -> &mut F {
        &mut self.dir.folder
    }

    /// Ends the use of the folder, as the end of the process would: what was not synced is forgotten.
    #[must_use]
    pub fn into_folder(self) -> F {
        self.dir.folder
    }

    /// The last transaction of the state, appended and not yet synced ones included.
    #[must_use]
    pub fn last_zxid(&self) -> Zxid {
        self.last
    }

    /// Adds a transaction to the end of the log. It is durable after the next [`Self::sync`].
    ///
    /// # Errors
    /// [`StorageError::AppendOrder`] when it does not follow the last one.
    pub fn append(&mut self, entry: &LogEntry) -> Result<(), StorageError> {
        self.unless_failed(|storage| {
            if !recovery::follows(storage.last, entry.zxid) {
                let dir = storage.dir.path().to_owned();
                return Err(StorageError::AppendOrder { dir, before: storage.last, after: entry.zxid });
            }
            storage.writer.append(entry);
            storage.last = entry.zxid;
            Ok(())
        })
    }

    /// Makes everything appended so far durable, with one write and one fdatasync.
    ///
    /// # Errors
    /// [`StorageError::Io`] when the disk fails.
    pub fn sync(&mut self) -> Result<(), StorageError> {
        self.unless_failed(|storage| storage.writer.sync(&mut storage.dir))
    }

    /// Cuts the history behind `to`, durably, and reads it again.
    ///
    /// # Errors
    /// [`StorageError::NotInLog`] when the history has no transaction `to` or begins behind it: then nothing was
    /// changed, and the storage goes on. The disk's failure otherwise.
    pub fn truncate(&mut self, to: Zxid) -> Result<Recovered, StorageError> {
        let nearest = self.unless_failed(|storage| {
            storage.writer.sync(&mut storage.dir)?;
            recovery::nearest_cut(&storage.dir, to)
        })?;
        if nearest != to {
            return Err(StorageError::NotInLog { dir: self.dir.path().to_owned(), to, nearest });
        }
        self.unless_failed(|storage| {
            storage.writer.discard();
            recovery::truncate(&mut storage.dir, to)?;
            storage.load()
        })
    }

    /// Writes a snapshot of the state, durably, beside the log, which goes on in a new file. The newest three
    /// snapshots are kept, and the log from the oldest of them on.
    ///
    /// # Errors
    /// [`StorageError::Io`] when the disk fails.
    pub fn take_snapshot(&mut self, snapshot: &Snapshot) -> Result<(), StorageError> {
        self.unless_failed(|storage| {
            storage.writer.sync(&mut storage.dir)?;
            snapshot_file::prepare(&mut storage.dir, snapshot)?;
            storage.dir.finish(&snapshot_file::name(snapshot.zxid))?;
            storage.last = storage.last.max(snapshot.zxid);
            storage.writer.roll(&mut storage.dir)?;
            storage.purge()
        })
    }

    /// Replaces the whole state by a snapshot and the log behind it; after a crash it is wholly the old one or
    /// wholly the new. Transactions appended and not synced are dropped.
    ///
    /// # Errors
    /// [`StorageError::Io`] when the disk fails.
    pub fn install_snapshot(
        &mut self,
        snapshot: &Snapshot,
        entries: &[LogEntry],
    ) -> Result<(), StorageError> {
        self.unless_failed(|storage| {
            storage.writer.discard();
            install::install(&mut storage.dir, &install::New { snapshot, entries })?;
            storage.last = entries.last().map_or(snapshot.zxid, |entry| entry.zxid);
            Ok(())
        })
    }

    /// Makes acceptedEpoch durable.
    ///
    /// # Errors
    /// [`StorageError::Io`] when the disk fails.
    pub fn set_accepted_epoch(&mut self, epoch: u32) -> Result<(), StorageError> {
        self.unless_failed(|storage| {
            if storage.options.forget_accepted_epoch {
                return Ok(());
            }
            epochs::write_accepted(&mut storage.dir, epoch)
        })
    }

    /// Makes everything appended so far durable, then currentEpoch: it says that the epoch's initial history
    /// is in the log, and must not be ahead of it (ZOOKEEPER-4643).
    ///
    /// # Errors
    /// [`StorageError::Io`] when the disk fails.
    pub fn set_current_epoch(&mut self, epoch: u32) -> Result<(), StorageError> {
        self.unless_failed(|storage| {
            storage.writer.sync(&mut storage.dir)?;
            epochs::write_current(&mut storage.dir, epoch)
        })
    }

    fn unless_failed<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        if self.failed {
            return Err(StorageError::Failed { dir: self.dir.path().to_owned() });
        }
        let result = work(self);
        self.failed = result.is_err();
        result
    }

    /// Reads the state, and prepares the end of the log for what comes next.
    fn load(&mut self) -> Result<Recovered, StorageError> {
        let History { snapshot, entries, last, tail, empty } = recovery::load(&self.dir, NO_LIMIT)?;
        let epochs = if self.options.forget_accepted_epoch {
            epochs::load_forgetful(&self.dir, last)?
        } else {
            epochs::load(&self.dir, last)?
        };
        for name in empty {
            self.dir.remove(&name)?;
        }
        if let Some(tail) = tail {
            recovery::vouch_for(&mut self.dir, &tail)?;
            // A log behind its snapshot goes on in a new file, so that no file has a gap inside.
            if tail.last >= last {
                self.writer.resume(&tail.name, tail.end);
            }
        }
        self.dir.sync()?;
        self.last = last;
        Ok(Recovered { accepted_epoch: epochs.accepted, current_epoch: epochs.current, snapshot, entries })
    }

    /// Deletes the snapshots that are no longer kept, and the log files that only they would need.
    fn purge(&mut self) -> Result<(), StorageError> {
        let snapshots = snapshot_file::list(&self.dir)?;
        let Some(excess) = snapshots.len().checked_sub(SNAPSHOTS_KEPT) else { return Ok(()) };
        for file in &snapshots[..excess] {
            self.dir.remove(&file.name)?;
        }
        let oldest_kept = snapshots[excess].zxid;
        let logs = txn_log::list(&self.dir)?;
        // The last file that begins at or before the oldest snapshot may reach behind it.
        let needed = logs.iter().rposition(|file| file.zxid <= oldest_kept).unwrap_or(0);
        for file in &logs[..needed] {
            self.dir.remove(&file.name)?;
        }
        Ok(())
    }
}
