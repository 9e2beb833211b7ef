//! The faults that a caller switches on and off. They act on the operations that follow.

use std::io;

/// The system's numbers, the same on every Unix.
const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// The switches; all are off at first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Faults {
    /// So many more operations succeed; then every one fails, reads too, as if the process were gone. Reads
    /// are not counted: a crash at a read is a crash at the next operation that is none. A kill and a power loss
    /// take the fuse out, for the next process.
    pub fuse: Option<u32>,
    /// The disk holds so many bytes. What does not fit fails with ENOSPC; of a write, what fits is written.
    pub full: Option<u64>,
    /// Every sync fails with EIO. A file's bytes that should have become durable stay at risk, *whatever is synced
    /// later*: the system believes that it has written them (as Linux does). To write them again helps.
    pub fail_sync: bool,
    /// At a power loss any unsynced write to a file may survive without those before it, as POSIX allows. Without
    /// this, each file comes back as it was at some moment, perhaps amid a write.
    pub reordered: bool,
}

impl Faults {
    /// Whether the fuse has blown.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.fuse == Some(0)
    }

    /// Lets a read pass.
    pub(super) fn pass_read(&self) -> io::Result<()> {
        if self.is_gone() { Err(io::Error::other("the process is gone")) } else { Ok(()) }
    }

    /// Lets an operation pass, and counts it.
    pub(super) fn pass(&mut self) -> io::Result<()> {
        self.pass_read()?;
        if let Some(left) = &mut self.fuse {
            *left -= 1;
        }
        Ok(())
    }
}

pub(super) fn no_space() -> io::Error {
    io::Error::from_raw_os_error(ENOSPC)
}

pub(super) fn sync_failed() -> io::Error {
    io::Error::from_raw_os_error(EIO)
}
