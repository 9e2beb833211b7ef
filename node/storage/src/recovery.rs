//! What the files mean together: the newest valid snapshot, and the log behind it.
//!
//! Rules: zxids increase; behind the snapshot they do so without a gap within an epoch, and a new epoch begins
//! with 1. A torn tail ends the last file that holds any
//! record; in an earlier file a record cut short also ends it, because a server that crashed and came back may
//! have gone on in a new file, and then the rule about gaps decides whether anything is missing.

use crate::error::StorageError;
use crate::files::DataDir;
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
    let (snapshot, snapshots_seen) = snapshot_file::newest_valid(dir, limit)?;
    let base = snapshot.as_ref().map_or(Zxid::ZERO, |snapshot| snapshot.zxid);
    let files = txn_log::list(dir)?;
    if snapshot.is_none() && files.is_empty() && snapshots_seen > 0 {
        let log = "there is no log".to_owned();
        return Err(StorageError::MissingSnapshot { dir: dir.path().to_owned(), log });
    }
    // The last file that begins at or before the snapshot may reach behind it; earlier ones do not.
    let first = files.iter().rposition(|file| file.zxid <= base).unwrap_or(0);
    let mut logs = Vec::new();
    for file in files.iter().skip(first) {
        logs.push(txn_log::read(dir, file)?);
    }
    let used = logs.iter().rposition(|log| !log.records.is_empty()).map_or(0, |last| last + 1);
    let empty = logs.drain(used..).map(|log| log.name).collect();
    if let Some(damaged) = logs.iter().rev().skip(1).find(|log| log.bad_checksum) {
        return Err(StorageError::CorruptLog {
            path: damaged.path.clone(),
            offset: damaged.end,
            reason: "a record's checksum is wrong, yet there are later log files".to_owned(),
        });
    }
    let tail = logs.last().and_then(|log| {
        let last = log.records.last()?.entry.zxid;
        Some(Tail { name: log.name.clone(), last, end: log.end })
    });
    let mut history = History { snapshot, entries: Vec::new(), last: base, tail, empty };
    history.replay(dir, logs, limit)?;
    Ok(history)
}

impl History {
    /// Takes over the records behind the snapshot, up to `limit`.
    fn replay<F: Folder>(
        &mut self,
        dir: &DataDir<F>,
        logs: Vec<LogFile>,
        limit: Zxid,
    ) -> Result<(), StorageError> {
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
                    return Err(if before.max(base) == Zxid::ZERO && self.snapshot.is_none() {
                        let log = format!("the log begins at {after}");
                        StorageError::MissingSnapshot { dir: dir.path().to_owned(), log }
                    } else {
                        let before = if after <= base { before } else { before.max(base) };
                        StorageError::LogOrder { path, offset, before, after }
                    });
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
