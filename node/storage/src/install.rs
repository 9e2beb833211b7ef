//! Replacing the whole state by a snapshot and the log behind it (after SNAP), so that a crash at any point
//! leaves the old state or the new one.
//!
//! # Why not simply delete and write, or write and keep
//!
//! *Deleting first would lose acknowledged transactions.* Until the new snapshot is durable this server is one
//! of the quorum that holds the old history. Crash after the deletion, and it comes back empty but votes: with
//! one more server down, a quorum may form that no longer holds a transaction a client was told of.
//!
//! *The snapshot alone is not the new state.* A leader that is not established yet sends the tree up to what it
//! has applied, and the rest as transactions; the old log may hold those, committed, and be one of the few that do.
//!
//! *Keeping the old files would mix two histories.* The old log may hold transactions that the new leader never
//! had, with zxids on either side of the snapshot's: 0x100000005 behind a snapshot of 0x100000004, or epoch 1's
//! tail between two snapshots of epoch 2. Recovery replays whatever lies behind the newest snapshot, and falls
//! back to an older one when that is damaged: in both cases dropped proposals would come back to life.
//!
//! # The steps
//!
//! 1. the snapshot and the log file under unfinished names, durable;
//! 2. the marker `installing`, which holds the snapshot's zxid and the log's first, durable: *from here on the
//!    new state stands*;
//! 3. both get their names;
//! 4. every other snapshot and log file is deleted;
//! 5. the marker is deleted.
//!
//! A start that finds no marker deletes the unfinished files: the old state is untouched. One that finds it
//! goes through steps 3 to 5 again, each of which may have been done, in part or in full.

use crate::error::StorageError;
use crate::files::{DataDir, unfinished};
use crate::folder::Folder;
use crate::{snapshot_file, txn_log};
use zab_core::{LogEntry, Snapshot};
use zab_wire::Zxid;

const MARKER: &str = "installing";

/// What replaces everything.
#[derive(Debug, Clone, Copy)]
pub(super) struct New<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) entries: &'a [LogEntry],
}

impl New<'_> {
    fn names(&self) -> Names {
        Names { snapshot: self.snapshot.zxid, log: self.entries.first().map(|entry| entry.zxid) }
    }
}

/// What the marker says.
#[derive(Debug, Clone, Copy)]
struct Names {
    snapshot: Zxid,
    /// The first transaction of the log file, if there is one.
    log: Option<Zxid>,
}

impl Names {
    fn to_text(self) -> String {
        let log = self.log.map(|first| format!(" {:x}", first.to_bits())).unwrap_or_default();
        format!("{:x}{log}", self.snapshot.to_bits())
    }

    fn read(text: &str) -> Option<Self> {
        let zxid = |word: &str| Some(Zxid::from_bits(u64::from_str_radix(word, 16).ok()?));
        let mut words = text.split(' ');
        let snapshot = zxid(words.next()?)?;
        let log = words.next().map(zxid);
        // A second word that is no zxid is as bad as a third word.
        (words.next().is_none() && log != Some(None)).then(|| Self { snapshot, log: log.flatten() })
    }
}

/// One step; running any number of them from the front is what a crash leaves.
pub(super) type Step<F> = fn(&mut DataDir<F>, &New<'_>) -> Result<(), StorageError>;

/// The steps in order.
pub(super) fn steps<F: Folder>() -> [Step<F>; 5] {
    [
        |dir, new| {
            snapshot_file::prepare(dir, new.snapshot)?;
            if let Some(first) = new.entries.first() {
                let mut records = txn_log::HEADER.to_vec();
                new.entries.iter().for_each(|entry| txn_log::encode(&entry.txn, &mut records));
                dir.prepare(&txn_log::name(first.zxid), &[&records])?;
            }
            // The marker must never be found without the files.
            dir.sync()
        },
        |dir, new| dir.replace(MARKER, new.names().to_text().as_bytes()),
        |dir, new| {
            let Names { snapshot, log } = new.names();
            dir.finish(&snapshot_file::name(snapshot))?;
            log.map_or(Ok(()), |first| dir.finish(&txn_log::name(first)))
        },
        |dir, new| remove_others(dir, new.names()),
        |dir, _| remove_marker(dir),
    ]
}

/// Replaces the state in `dir`.
pub(super) fn install<F: Folder>(dir: &mut DataDir<F>, new: &New<'_>) -> Result<(), StorageError> {
    steps().iter().try_for_each(|step| step(dir, new))
}

/// Finishes what a crash interrupted, if it did. Must run before unfinished files are deleted.
pub(super) fn recover<F: Folder>(dir: &mut DataDir<F>) -> Result<(), StorageError> {
    let Some(text) = dir.read_text(MARKER)? else { return Ok(()) };
    let Some(names) = Names::read(&text) else {
        return Err(StorageError::NotANumber { path: dir.file(MARKER), text });
    };
    // All were durable before they got here, so what is missing is damage and no crash. Deleting may have begun:
    // what is left of the old state could be a part of it, and would look whole.
    let lost = StorageError::LostInstallation { dir: dir.path().to_owned(), zxid: names.snapshot };
    let snapshot = snapshot_file::name(names.snapshot);
    // The unfinished one first: a file of the same name may belong to the old state.
    if is_whole(dir, &unfinished(&snapshot))? {
        dir.finish(&snapshot)?;
    } else if !is_whole(dir, &snapshot)? {
        return Err(lost);
    }
    if let Some(log) = names.log.map(txn_log::name) {
        if dir.read_if_there(&unfinished(&log))?.is_some() {
            dir.finish(&log)?;
        } else if dir.read_if_there(&log)?.is_none() {
            return Err(lost);
        }
    }
    remove_others(dir, names)?;
    remove_marker(dir)
}

fn is_whole<F: Folder>(dir: &DataDir<F>, name: &str) -> Result<bool, StorageError> {
    Ok(dir.read_if_there(name)?.is_some_and(|bytes| snapshot_file::tree_of(&bytes).is_some()))
}

fn remove_others<F: Folder>(dir: &mut DataDir<F>, keep: Names) -> Result<(), StorageError> {
    for file in snapshot_file::list(dir)?.iter().filter(|file| file.zxid != keep.snapshot) {
        dir.remove(&file.name)?;
    }
    for file in txn_log::list(dir)?.iter().filter(|file| Some(file.zxid) != keep.log) {
        dir.remove(&file.name)?;
    }
    dir.sync()
}

fn remove_marker<F: Folder>(dir: &mut DataDir<F>) -> Result<(), StorageError> {
    dir.remove(MARKER)?;
    dir.sync()
}
