//! Snapshot files: `snapshot.<hex zxid>` (ZooKeeper's `FileSnap` and `SnapStream`).
//!
//! `ZKSN | int 2 | long -1 | tree | seal`, where a seal is `long adler32 of everything before it | ustring "/"`.
//! ZooKeeper 3.6 and later put `long zxid | int 2 | long digest | seal` behind it, 3.9 also `long
//! lastProcessedZxid | seal`; both are read, neither is written (both are optional for ZooKeeper too).
//!
//! Not here: what the tree means ([`zab_wire::snapshot`]), and which log records go with it (`recovery`).

use crate::error::StorageError;
use crate::files::{DataDir, NumberedFile};
use crate::folder::Folder;
use adler2::Adler32;
use bytes::{Buf, Bytes};
use zab_core::Snapshot;
use zab_wire::Zxid;
use zab_wire::snapshot::SnapshotScanner;

const PREFIX: &str = "snapshot.";

/// `ZKSN`, version 2, database id -1.
const HEADER: [u8; 16] = *b"ZKSN\0\0\0\x02\xff\xff\xff\xff\xff\xff\xff\xff";

/// Behind a seal's checksum: the path "/".
const SEAL_END: [u8; 5] = *b"\0\0\0\x01/";

const SEAL_LEN: usize = 8 + SEAL_END.len();
const DIGEST_LEN: usize = 8 + 4 + 8;
const LAST_PROCESSED_LEN: usize = 8;

/// The name of the snapshot at `zxid`.
pub(super) fn name(zxid: Zxid) -> String {
    format!("{PREFIX}{:x}", zxid.to_bits())
}

/// All snapshots, valid or not, oldest first.
pub(super) fn list<F: Folder>(dir: &DataDir<F>) -> Result<Vec<NumberedFile>, StorageError> {
    dir.numbered(PREFIX)
}

/// Writes a snapshot under its unfinished name, durably; `DataDir::finish` puts it in place.
pub(super) fn prepare<F: Folder>(dir: &mut DataDir<F>, snapshot: &Snapshot) -> Result<(), StorageError> {
    let mut adler = Adler32::new();
    adler.write_slice(&HEADER);
    adler.write_slice(&snapshot.tree);
    let checksum = u64::from(adler.checksum()).to_be_bytes();
    dir.prepare(&name(snapshot.zxid), &[&HEADER, &snapshot.tree, &checksum, &SEAL_END])
}

/// The newest valid one of `snapshots` at or below `limit`.
pub(super) fn newest_valid<F: Folder>(
    dir: &DataDir<F>,
    snapshots: &[NumberedFile],
    limit: Zxid,
) -> Result<Option<Snapshot>, StorageError> {
    for file in snapshots.iter().rev().filter(|file| file.zxid <= limit) {
        if let Some(tree) = tree_of(&dir.read(&file.name)?) {
            return Ok(Some(Snapshot { zxid: file.zxid, tree }));
        }
    }
    Ok(None)
}

/// Deletes the snapshots newer than `limit`, newest first, and makes that durable.
pub(super) fn remove_newer<F: Folder>(dir: &mut DataDir<F>, limit: Zxid) -> Result<(), StorageError> {
    for file in list(dir)?.iter().rev().filter(|file| file.zxid > limit) {
        dir.remove(&file.name)?;
    }
    dir.sync()
}

/// The tree of a snapshot file's bytes, or `None` when the file is not whole.
pub(super) fn tree_of(file: &Bytes) -> Option<Bytes> {
    let body = file.strip_prefix(&HEADER)?;
    let tree_len = SnapshotScanner::default().scan(body).ok()??;
    let tree_end = HEADER.len() + tree_len;
    let mut at = seal_at(file, tree_end)?;
    // The lengths tell the endings apart: 3.5 and ours, 3.6 to 3.8, 3.9, 3.9 with digests turned off.
    const WITH_DIGEST: usize = DIGEST_LEN + SEAL_LEN;
    const WITH_LAST: usize = LAST_PROCESSED_LEN + SEAL_LEN;
    const WITH_BOTH: usize = WITH_DIGEST + WITH_LAST;
    let blocks: &[usize] = match file.len() - at {
        0 => &[],
        WITH_DIGEST => &[DIGEST_LEN],
        WITH_LAST => &[LAST_PROCESSED_LEN],
        WITH_BOTH => &[DIGEST_LEN, LAST_PROCESSED_LEN],
        _ => return None,
    };
    for block in blocks {
        at = seal_at(file, at + block)?;
    }
    Some(file.slice(HEADER.len()..tree_end))
}

/// Checks the seal over everything before `at`; gives where it ends.
fn seal_at(file: &[u8], at: usize) -> Option<usize> {
    let (sealed, mut rest) = file.split_at_checked(at)?;
    let checksum = rest.try_get_u64().ok()?;
    let whole = checksum == u64::from(adler2::adler32_slice(sealed)) && rest.starts_with(&SEAL_END);
    whole.then_some(at + SEAL_LEN)
}
