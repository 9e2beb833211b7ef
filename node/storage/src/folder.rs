//! The one folder that a storage works in, as a trait: what POSIX promises about durability and no more.
//!
//! [`RealFolder`](crate::RealFolder) is the file system. A simulator has its own, which forgets at a power
//! loss what POSIX allows to be forgotten, and so runs the code that recovers from it.
//!
//! # What is durable
//!
//! A file is durable when its bytes *and* its name are. [`Folder::sync_data`] and [`Folder::sync_all`] are
//! about the bytes of one file, [`Folder::sync_dir`] is about all names. What was not synced may be there
//! after a power loss, or not, or in part: a write may be torn at any byte, a new file may be gone with all
//! its synced bytes, a renamed one may have its old name back, a deleted one may be back. What a mere
//! process leaves when it is killed is all there, for whoever opens the folder next; but it is no more
//! durable than it was.

use bytes::Bytes;
use std::io;
use std::path::Path;

/// A flat folder of files that only one process uses, which may be this one's alone.
///
/// Names are plain file names. Every error is the system's own (`NotFound` where there is no such file); what
/// a failed operation did is unknown.
pub trait Folder {
    /// Where it is, for messages.
    fn path(&self) -> &Path;

    /// The names of all files, in any order.
    ///
    /// # Errors
    /// The system's.
    fn list(&self) -> io::Result<Vec<String>>;

    /// A whole file.
    ///
    /// # Errors
    /// The system's.
    fn read(&self, name: &str) -> io::Result<Bytes>;

    /// Makes an empty file, or empties the one that is there.
    ///
    /// # Errors
    /// The system's.
    fn create(&mut self, name: &str) -> io::Result<()>;

    /// Makes an empty file where there must be none.
    ///
    /// # Errors
    /// The system's; `AlreadyExists` where there is one.
    fn create_new(&mut self, name: &str) -> io::Result<()>;

    /// Writes all of `bytes` at `offset`, beyond the file's end where they reach it.
    ///
    /// # Errors
    /// The system's; a part of the bytes may have been written.
    fn write_at(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Cuts the file, or lengthens it with zeros.
    ///
    /// # Errors
    /// The system's.
    fn set_len(&mut self, name: &str, len: u64) -> io::Result<()>;

    /// Lengthens the file with zeros from `from`, its length, to `to`, and reserves the space for them where
    /// the file system can.
    ///
    /// # Errors
    /// The system's.
    fn allocate(&mut self, name: &str, from: u64, to: u64) -> io::Result<()>;

    /// Makes the file's bytes and length durable (fdatasync), not its name.
    ///
    /// # Errors
    /// The system's. Then the fate of what was not durable is unknown, and asking again does not help.
    fn sync_data(&mut self, name: &str) -> io::Result<()>;

    /// Makes the file's bytes and all its attributes durable (fsync), not its name.
    ///
    /// # Errors
    /// As [`Self::sync_data`].
    fn sync_all(&mut self, name: &str) -> io::Result<()>;

    /// Gives the file another name; a file that has it is replaced, and there is no moment without one.
    ///
    /// # Errors
    /// The system's.
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()>;

    /// Deletes the file.
    ///
    /// # Errors
    /// The system's.
    fn remove(&mut self, name: &str) -> io::Result<()>;

    /// Makes every creation, renaming and deletion so far durable (fsync of the folder).
    ///
    /// # Errors
    /// The system's.
    fn sync_dir(&mut self) -> io::Result<()>;
}
