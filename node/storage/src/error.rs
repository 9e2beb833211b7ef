//! Why the data directory could not be used. All but [`StorageError::NotInLog`] end the process.
//!
//! The messages complete the words "failed to": they name the file and keep the system's own text, so
//! that "No space left on device" reaches whoever reads the node's last line.

use std::io;
use std::path::PathBuf;
use thiserror::Error;
use zab_wire::Zxid;

/// A failed disk operation, or a directory that contradicts itself.
#[derive(Debug, Error)]
pub enum StorageError {
    /// The system refused an operation.
    #[error("{action} {}: {os}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// The system's answer.
        os: io::Error,
    },
    /// Two nodes were given the same directory.
    #[error(
        "lock {}: another process is using this data directory; stop it, or give each node its own dataDir",
        path.display()
    )]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// Bytes in a log file that no crash of this server explains.
    #[error(
        "read {} at offset {offset}: {reason}; transactions behind this point may have been acknowledged, \
         so they are not dropped",
        path.display()
    )]
    CorruptLog {
        /// The log file.
        path: PathBuf,
        /// Where in it the damaged record begins.
        offset: u64,
        /// What is wrong there.
        reason: String,
    },
    /// A transaction in the log does not follow the one before it.
    #[error(
        "read {} at offset {offset}: transaction {after} does not follow transaction {before}; \
         transactions are missing or out of order",
        path.display()
    )]
    LogOrder {
        /// The log file.
        path: PathBuf,
        /// Where in it the record begins.
        offset: u64,
        /// The last transaction before it.
        before: Zxid,
        /// The one that does not follow.
        after: Zxid,
    },
    /// The caller appended a transaction that does not follow the last one.
    #[error("append transaction {after} to the log in {}: it does not follow {before}", dir.display())]
    AppendOrder {
        /// The data directory.
        dir: PathBuf,
        /// The last transaction of the log.
        before: Zxid,
        /// The refused one.
        after: Zxid,
    },
    /// Files are there, but no valid snapshot, and the log does not begin at the beginning.
    #[error(
        "recover the state in {}: no valid snapshot was found, and {log}; without it the state is incomplete. \
         Restore the missing files. (Emptying the directory makes the server forget what it acknowledged: \
         only while all the others are up.)",
        dir.display()
    )]
    MissingSnapshot {
        /// The data directory.
        dir: PathBuf,
        /// What was found of the log.
        log: String,
    },
    /// The snapshot of an interrupted installation is neither waiting nor in place.
    #[error(
        "finish the installation of snapshot {zxid} in {}: the snapshot is missing or damaged, and what it was \
         to replace may be deleted in part. Restore the file. (Emptying the directory makes the server forget what \
         it acknowledged: only while all the others are up.)",
        dir.display()
    )]
    LostInstallation {
        /// The data directory.
        dir: PathBuf,
        /// The snapshot.
        zxid: Zxid,
    },
    /// A truncation to a place this history does not have; nothing was changed.
    #[error(
        "truncate the log in {} to {to}: the log does not contain {to} (the nearest place before it is {nearest})",
        dir.display()
    )]
    NotInLog {
        /// The data directory.
        dir: PathBuf,
        /// Where to cut.
        to: Zxid,
        /// The last place before `to` where the history could be cut.
        nearest: Zxid,
    },
    /// An epoch file, or the installation marker, does not hold a number.
    #[error("read {}: it should hold one number, but holds {text:?}", path.display())]
    NotANumber {
        /// The file.
        path: PathBuf,
        /// Its content.
        text: String,
    },
    /// acceptedEpoch is behind what this server has demonstrably followed.
    #[error(
        "trust {}: acceptedEpoch is {accepted}, but {witness} already belongs to epoch {reached}. The server would \
         forget a promise. Restore the file. (Emptying the directory forgets every promise: only while all the \
         others are up.)",
        path.display()
    )]
    ForgottenPromise {
        /// The acceptedEpoch file.
        path: PathBuf,
        /// What it says.
        accepted: u32,
        /// The file or transaction that is ahead of it.
        witness: String,
        /// That one's epoch.
        reached: u32,
    },
    /// Used again after an error: what a failed fsync left in the page cache is unknown, and asking
    /// again would report success for data that is lost.
    #[error("use {}: an earlier operation on it failed, and what is on the disk is unknown", dir.display())]
    Failed {
        /// The data directory.
        dir: PathBuf,
    },
}

/// Names the file and the operation where a system call failed.
pub(super) trait IoContext<T> {
    /// Turns the system's error into [`StorageError::Io`].
    fn context(self, action: &'static str, path: impl FnOnce() -> PathBuf) -> Result<T, StorageError>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn context(self, action: &'static str, path: impl FnOnce() -> PathBuf) -> Result<T, StorageError> {
        self.map_err(|os| StorageError::Io { action, path: path(), os })
    }
}
