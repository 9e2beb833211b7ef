//! Replacing the whole state by a snapshot (after SNAP), so that a crash at any point leaves the old state
//! or the new one.
//!
//! # Why not simply delete and write, or write and keep
//!
//! *Deleting first would lose acknowledged transactions.* Until the new snapshot is durable this server is one
//! of the quorum that holds the old history. Crash after the deletion, and it comes back empty but votes: with
//! one more server down, a quorum may form that no longer holds a transaction a client was told of.
//!
//! *Keeping the old files would mix two histories.* The old log may hold transactions that the new leader never
//! had, with zxids on either side of the snapshot's: 0x100000005 behind a snapshot of 0x100000004, or epoch 1's
//! tail between two snapshots of epoch 2. Recovery replays whatever lies behind the newest snapshot, and falls
//! back to an older one when that is damaged: in both cases dropped proposals would come back to life.
//!
//! # The steps
//!
//! 1. the snapshot under an unfinished name, durable;
//! 2. the marker `installing`, which holds its zxid, durable: *from here on the new state stands*;
//! 3. the snapshot gets its name;
//! 4. every other snapshot and the whole log are deleted;
//! 5. the marker is deleted.
//!
//! A start that finds no marker deletes the unfinished snapshot: the old state is untouched. One that finds it
//! goes through steps 3 to 5 again, each of which may have been done, in part or in full.

use crate::error::StorageError;
use crate::files::{DataDir, unfinished};
use crate::folder::Folder;
use crate::{snapshot_file, txn_log};
use zab_core::Snapshot;
use zab_wire::Zxid;

const MARKER: &str = "installing";

/// One step; running any number of them from the front is what a crash leaves.
pub(super) type Step<F> = fn(&mut DataDir<F>, &Snapshot) -> Result<(), StorageError>;

/// The steps in order.
pub(super) fn steps<F: Folder>() -> [Step<F>; 5] {
    [
        |dir, snapshot| {
            snapshot_file::prepare(dir, snapshot)?;
            // The marker must never be found without the snapshot.
            dir.sync()
        },
        |dir, snapshot| dir.replace(MARKER, format!("{:x}", snapshot.zxid.to_bits()).as_bytes()),
        |dir, snapshot| dir.finish(&snapshot_file::name(snapshot.zxid)),
        |dir, snapshot| remove_others(dir, snapshot.zxid),
        |dir, _| remove_marker(dir),
    ]
}

/// Replaces the state in `dir` by `snapshot`.
pub(super) fn install<F: Folder>(dir: &mut DataDir<F>, snapshot: &Snapshot) -> Result<(), StorageError> {
    steps().iter().try_for_each(|step| step(dir, snapshot))
}

/// Finishes what a crash interrupted, if it did. Must run before unfinished files are deleted.
pub(super) fn recover<F: Folder>(dir: &mut DataDir<F>) -> Result<(), StorageError> {
    let Some(text) = dir.read_text(MARKER)? else { return Ok(()) };
    let Ok(bits) = u64::from_str_radix(&text, 16) else {
        return Err(StorageError::NotANumber { path: dir.file(MARKER), text });
    };
    let zxid = Zxid::from_bits(bits);
    let name = snapshot_file::name(zxid);
    // The unfinished one first: a snapshot of the same name may belong to the old state.
    if is_whole(dir, &unfinished(&name))? {
        dir.finish(&name)?;
    } else if !is_whole(dir, &name)? {
        // Both were durable before they got here, so this is damage and no crash. Deleting may have begun:
        // what is left of the old state could be a part of it, and would look whole.
        return Err(StorageError::LostInstallation { dir: dir.path().to_owned(), zxid });
    }
    remove_others(dir, zxid)?;
    remove_marker(dir)
}

fn is_whole<F: Folder>(dir: &DataDir<F>, name: &str) -> Result<bool, StorageError> {
    Ok(dir.read_if_there(name)?.is_some_and(|bytes| snapshot_file::tree_of(&bytes).is_some()))
}

fn remove_others<F: Folder>(dir: &mut DataDir<F>, keep: Zxid) -> Result<(), StorageError> {
    for file in snapshot_file::list(dir)?.iter().filter(|file| file.zxid != keep) {
        dir.remove(&file.name)?;
    }
    for file in txn_log::list(dir)? {
        dir.remove(&file.name)?;
    }
    dir.sync()
}

fn remove_marker<F: Folder>(dir: &mut DataDir<F>) -> Result<(), StorageError> {
    dir.remove(MARKER)?;
    dir.sync()
}
