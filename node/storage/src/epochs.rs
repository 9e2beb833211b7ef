//! `acceptedEpoch` and `currentEpoch`: the two promises that outlive a crash.
//!
//! acceptedEpoch is the highest epoch this server has promised to a leader; it refuses older ones.
//! currentEpoch is the epoch whose whole initial history is in its log; it is written after that history
//! is durable and before NEWLEADER is acknowledged (ZooKeeper's `QuorumPeer`, ZAB phases 1 and 2).

use crate::error::StorageError;
use crate::files::DataDir;
use crate::folder::Folder;
use zab_wire::Zxid;

const ACCEPTED: &str = "acceptedEpoch";
const CURRENT: &str = "currentEpoch";

/// Both numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Epochs {
    pub(super) accepted: u32,
    pub(super) current: u32,
}

/// Reads both files and refuses what cannot be; a missing file counts as the epoch of `last`, the last
/// transaction of the recovered history.
///
/// currentEpoch < epoch(last) is *not* refused as long as acceptedEpoch has reached epoch(last), though
/// ZooKeeper refuses it (ZOOKEEPER-1653). On NEWLEADER a follower 1. fsyncs the new leader's history, then
/// 2. writes currentEpoch, then 3. acknowledges. A crash between 1 and 2 leaves exactly this, and it is safe:
/// the server never acknowledged that NEWLEADER, so no quorum counts on it having the history under the new
/// epoch. It votes with its old currentEpoch, and its promise (acceptedEpoch) is intact.
pub(super) fn load<F: Folder>(dir: &DataDir<F>, last: Zxid) -> Result<Epochs, StorageError> {
    let accepted = read(dir, ACCEPTED)?.unwrap_or(last.epoch);
    let current = read(dir, CURRENT)?.unwrap_or(last.epoch);
    let forgotten = |witness, reached| {
        let path = dir.file(ACCEPTED);
        Err(StorageError::ForgottenPromise { path, accepted, witness, reached })
    };
    if accepted < current {
        return forgotten(dir.file(CURRENT).display().to_string(), current);
    }
    if accepted < last.epoch {
        return forgotten(format!("the last transaction, {last},"), last.epoch);
    }
    Ok(Epochs { accepted, current })
}

/// What a server reads that forgets its promises (the planted bug): no check can notice.
pub(super) fn load_forgetful<F: Folder>(dir: &DataDir<F>, last: Zxid) -> Result<Epochs, StorageError> {
    Ok(Epochs { accepted: 0, current: read(dir, CURRENT)?.unwrap_or(last.epoch) })
}

/// Makes acceptedEpoch durable.
pub(super) fn write_accepted<F: Folder>(dir: &mut DataDir<F>, epoch: u32) -> Result<(), StorageError> {
    dir.replace(ACCEPTED, epoch.to_string().as_bytes())
}

/// Makes currentEpoch durable.
pub(super) fn write_current<F: Folder>(dir: &mut DataDir<F>, epoch: u32) -> Result<(), StorageError> {
    dir.replace(CURRENT, epoch.to_string().as_bytes())
}

fn read<F: Folder>(dir: &DataDir<F>, name: &str) -> Result<Option<u32>, StorageError> {
    let Some(text) = dir.read_text(name)? else { return Ok(None) };
    match text.parse() {
        Ok(epoch) => Ok(Some(epoch)),
        Err(_not_a_number) => Err(StorageError::NotANumber { path: dir.file(name), text }),
    }
}
