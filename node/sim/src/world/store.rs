//! What is on a server's disk: the node's own storage code, on a simulated folder.

use crate::dice::Dice;
use crate::disk::SimFolder;
use zab_core::{LogEntry, Recovered, Snapshot};
use zab_storage::{Options, Storage, StorageError};
use zab_wire::Zxid;

/// Space is reserved for the log in steps of this many bytes: enough that the zeros behind a log's end are seen,
/// less than the real node's 4 MiB, which would only be copied about.
const PREALLOCATE_BYTES: u64 = 4_096;

/// A disk, opened by a process or not.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Store {
    Open(Box<Storage<SimFolder>>),
    Closed(Box<SimFolder>),
}

impl Default for Store {
    fn default() -> Self {
        Self::Closed(Box::new(SimFolder::new("disk")))
    }
}

impl Store {
    fn storage(&mut self) -> &mut Storage<SimFolder> {
        match self {
            Self::Open(storage) => storage,
            Self::Closed(_) => panic!("only a process that runs works with its disk"),
        }
    }

    fn folder(&mut self) -> &mut SimFolder {
        match self {
            Self::Open(storage) => storage.folder_mut(),
            Self::Closed(folder) => folder,
        }
    }

    pub(super) fn append(&mut self, entry: &LogEntry) -> Result<(), String> {
        self.storage().append(entry).map_err(words)
    }

    pub(super) fn sync(&mut self) -> Result<(), String> {
        self.storage().sync().map_err(words)
    }

    /// Cuts the log; `None` when it cannot be cut there.
    pub(super) fn truncate(&mut self, to: Zxid) -> Result<Option<Recovered>, String> {
        match self.storage().truncate(to) {
            Ok(recovered) => Ok(Some(recovered)),
            Err(StorageError::NotInLog { .. }) => Ok(None),
            Err(error) => Err(words(error)),
        }
    }

    pub(super) fn take_snapshot(&mut self, snapshot: &Snapshot) -> Result<(), String> {
        self.storage().take_snapshot(snapshot).map_err(words)
    }

    pub(super) fn install_snapshot(
        &mut self,
        snapshot: &Snapshot,
        entries: &[LogEntry],
    ) -> Result<(), String> {
        self.storage().install_snapshot(snapshot, entries).map_err(words)
    }

    pub(super) fn set_accepted_epoch(&mut self, epoch: u32) -> Result<(), String> {
        self.storage().set_accepted_epoch(epoch).map_err(words)
    }

    pub(super) fn set_current_epoch(&mut self, epoch: u32) -> Result<(), String> {
        self.storage().set_current_epoch(epoch).map_err(words)
    }

    /// After so many further operations on the disk, none succeeds.
    pub(super) fn blow_after(&mut self, operations: u32) {
        self.folder().faults.fuse = Some(operations);
    }

    /// The process is gone.
    pub(super) fn close(&mut self) {
        if let Self::Open(_) = self
            && let Self::Open(storage) = std::mem::take(self)
        {
            *self = Self::Closed(Box::new(storage.into_folder()));
        }
        let folder = self.folder();
        folder.kill();
        folder.faults.fail_sync = false;
    }

    /// What was not synced may be lost or torn.
    pub(super) fn lose_power(&mut self, dice: &mut Dice) {
        self.folder().power_loss(dice);
    }

    /// A process starts on what is there.
    pub(super) fn open(&mut self, forgetful: bool) -> Result<Recovered, String> {
        let Self::Closed(folder) = std::mem::take(self) else { panic!("one process at a time uses a disk") };
        let options = Options { preallocate_bytes: PREALLOCATE_BYTES, forget_accepted_epoch: forgetful };
        match Storage::open_in(*folder, options) {
            Ok((storage, recovered)) => {
                *self = Self::Open(Box::new(storage));
                Ok(recovered)
            }
            Err(refused) => {
                *self = Self::Closed(Box::new(refused.folder));
                Err(words(refused.error))
            }
        }
    }

    /// Syncs fail from now on, or no more.
    pub(super) fn fail_syncs(&mut self, fail: bool) {
        self.folder().faults.fail_sync = fail && matches!(self, Self::Open(_));
    }

    pub(super) fn fill(&mut self) {
        let folder = self.folder();
        folder.faults.full = Some(folder.usage());
    }

    pub(super) fn free(&mut self) {
        self.folder().faults.full = None;
    }

    /// A bit flips in a closed file; false when there is none.
    pub(super) fn flip_bit(&mut self, dice: &mut Dice) -> bool {
        self.folder().bit_flip(dice).is_some()
    }
}

fn words(error: impl std::borrow::Borrow<StorageError>) -> String {
    let error = error.borrow();
    format!("failed to {error}")
}
