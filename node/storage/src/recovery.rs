//! What the files mean together: the newest valid snapshot, and the log behind it.
//!
//! Rules: zxids increase; behind the snapshot they do so without a gap within an epoch, and a new epoch begins
//! with 1. A torn tail ends the last file that holds any record. In an earlier file a record cut short also ends
//! it, because a server that crashed and came back may have gone on in a new file (as ZooKeeper does); then the rule
//! about gaps decides whether anything is missing. Where a new epoch begins it cannot, so there a record that is
//! damaged in any other way is refused.

use crate::error::StorageError;
use crate::files::{DataDir, NumberedFile};
use crate::folder::Folder;
use crate::snapshot_file;
use crate::txn_log::{self, LogFile, Record};
use zab_core::{LogEntry, Snapshot};
use zab_wire::Zxid;

/// No zxid is behind this one.
pub(super) const NO_LIMIT: Zxid = Zxid::from_bits(u64::MAX);

/// The state as the files tell it.
#[derive(Debug)]
pub(super) struct History {
    pub(super) snapshot: Option<Snapshot>,
    pub(super) entries: Vec<LogEntry>,
    /// The last transaction of both; [`Zxid::ZERO`] when there is none.
    pub(super) last: Zxid,
    /// The last log file that holds a record.
    pub(super) tail: Option<Tail>,
    /// Log files behind it, which hold none.
    pub(super) empty: Vec<String>,
}

/// The end of the log.
#[derive(Debug)]
pub(super) struct Tail {
    pub(super) name: String,
    /// The last transaction in it.
    pub(super) last: Zxid,
    /// Behind that transaction's record.
    pub(super) end: u64,
}

/// Whether transaction `after` may stand directly behind `before`.
pub(super) fn follows(before: Zxid, after: Zxid) -> bool {
    before.next() == Some(after) || (after.epoch > before.epoch && after.counter == 1)
}

/// Reads the state up to `limit`, as if nothing behind it existed. Changes nothing on the disk.
pub(super) fn load<F: Folder>(dir: &DataDir<F>, limit: Zxid) -> Result<History, StorageError> {
    let snapshots = snapshot_file::list(dir)?;
    let snapshot = snapshot_file::newest_valid(dir, &snapshots, limit)?;
    let base = snapshot.as_ref().map_or(Zxid::ZERO, |snapshot| snapshot.zxid);
    let files = txn_log::list(dir)?;
    // The last file that begins at or before the snapshot may reach behind it; earlier ones do not.
    let first = files.iter().rposition(|file| file.zxid <= base).unwrap_or(0);
    let mut logs = Vec::new();
    for file in files.iter().skip(first) {
        logs.push(txn_log::read(dir, file)?);
    }
    let used = logs.iter().rposition(|log| !log.records.is_empty()).map_or(0, |last| last + 1);
    let empty = logs.drain(used..).map(|log| log.name).collect();
    if let Some(damaged) = logs.iter().rev().skip(1).find(|log| log.damaged) {
        return Err(StorageError::CorruptLog {
            path: damaged.path.clone(),
            offset: damaged.end,
            reason: "a record was damaged after it was written, yet there are later log files".to_owned(),
        });
    }
    let tail = logs.last().and_then(|log| {
        let last = log.records.last()?.entry.zxid;
        Some(Tail { name: log.name.clone(), last, end: log.end })
    });
    let mut history = History { snapshot, entries: Vec::new(), last: base, tail, empty };
    if history.snapshot.is_none() {
        refuse_unless_from_the_beginning(dir, &logs, &snapshots, limit)?;
    }
    history.replay(logs, limit)?;
    Ok(history)
}

/// Without a snapshot below it, the log must be the whole history. The zxid of its first transaction tells, when
/// that is the first of a history. The first of a later epoch may be so, too; but where there are snapshots
/// (damaged, or behind `limit`) it may as well be what followed a snapshot that was installed, or what was kept
/// when older files were deleted, and the epochs before it would be missing.
fn refuse_unless_from_the_beginning<F: Folder>(
    dir: &DataDir<F>,
    logs: &[LogFile],
    snapshots: &[NumberedFile],
    limit: Zxid,
) -> Result<(), StorageError> {
    let missing = |log| Err(StorageError::MissingSnapshot { dir: dir.path().to_owned(), log });
    let Some(first) = logs.iter().flat_map(|log| &log.records).map(|record| record.entry.zxid).next() else {
        // Files without a record count as none: one may have been created just before a crash.
        let damaged = snapshots.iter().any(|file| file.zxid <= limit);
        return if damaged { missing("there is no log".to_owned()) } else { Ok(()) };
    };
    let reaches_behind = |file: &NumberedFile| file.zxid == Zxid::ZERO || first <= file.zxid;
    let certain = first.epoch <= 1 && snapshots.iter().all(reaches_behind);
    if first > limit || (follows(Zxid::ZERO, first) && (certain || snapshots.is_empty())) {
        return Ok(());
    }
    missing(format!("the log begins at {first}"))
}

impl History {
    /// Takes over the records behind the snapshot, up to `limit`.
    fn replay(&mut self, logs: Vec<LogFile>, limit: Zxid) -> Result<(), StorageError> {
        let base = self.last;
        let mut before = Zxid::ZERO;
        for LogFile { path, records, .. } in logs {
            for Record { entry, start: offset, end: _ } in records {
                let after = entry.zxid;
                if after > limit {
                    return Ok(());
                }
                // At or before the snapshot gaps do no harm; the snapshot may have come from a leader.
                let in_place = if after <= base { after > before } else { follows(before.max(base), after) };
                if !in_place {
                    let before = if after <= base { before } else { before.max(base) };
                    return Err(StorageError::LogOrder { path, offset, before, after });
                }
                before = after;
                if after <= base {
                    continue;
                }
                self.last = after;
                self.entries.push(entry);
            }
        }
        Ok(())
    }
}

/// Makes sure that the end of the log is on the disk: from here on this server speaks for it.
///
/// It may be in the page cache alone, left there by a process that was killed before its fdatasync, or whose
/// fdatasync failed. After a failed one Linux takes the pages for clean, and another fsync would report success
/// and write nothing; so they are written again. (In place: a power loss in between leaves the same bytes.) What
/// stands behind the end is cut off, since what is appended must not end up in front of garbage.
pub(super) fn vouch_for<F: Folder>(dir: &mut DataDir<F>, tail: &Tail) -> Result<(), StorageError> {
    let end = usize::try_from(tail.end).expect("the file was read into memory");
    let bytes = dir.read(&tail.name)?;
    dir.write_at(&tail.name, 0, &bytes[..end])?;
    cut(dir, &tail.name, tail.end)
}

/// The last place at or before `to` where the history can be cut; `to` itself when the log contains it, or a
/// snapshot stands exactly there.
pub(super) fn nearest_cut<F: Folder>(dir: &DataDir<F>, to: Zxid) -> Result<Zxid, StorageError> {
    match load(dir, to) {
        Ok(history) => Ok(history.last),
        // The log of back then may still be there in part, but nothing to put it on.
        Err(StorageError::MissingSnapshot { .. }) => Ok(Zxid::ZERO),
        Err(error) => Err(error),
    }
}

/// Cuts the history behind `to`, which must be its own [`nearest_cut`].
///
/// The order matters over a crash: each state in between is the old history or a beginning of it that still
/// contains `to`. Snapshots go first, since one newer than the log's end would bring back what was cut.
pub(super) fn truncate<F: Folder>(dir: &mut DataDir<F>, to: Zxid) -> Result<(), StorageError> {
    snapshot_file::remove_newer(dir, to)?;
    let files = txn_log::list(dir)?;
    for file in files.iter().rev() {
        let keep = txn_log::read(dir, file)?
            .records
            .iter()
            .take_while(|record| record.entry.zxid <= to)
            .last()
            .map(|record| record.end);
        if let Some(end) = keep {
            return cut(dir, &file.name, end);
        }
        dir.remove(&file.name)?;
        // One by one, newest first: out of order they would leave a gap.
        dir.sync()?;
    }
    Ok(())
}

/// Ends a log file at `end`, durably.
pub(super) fn cut<F: Folder>(dir: &mut DataDir<F>, name: &str, end: u64) -> Result<(), StorageError> {
    dir.set_len(name, end)?;
    dir.sync_all(name)
}
