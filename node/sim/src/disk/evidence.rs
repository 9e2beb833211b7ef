//! What happened to a simulated disk, counted: a fault without evidence proves nothing.

/// Counts since the disk was made. They are no part of its state: two disks that differ only here are equal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Operations that change something or make it durable, failed ones included.
    pub operations: u64,
    /// Syncs among them that succeeded, of a file or of the folder.
    pub syncs: u64,
    /// Processes killed.
    pub kills: u64,
    /// Power losses.
    pub power_losses: u64,
    /// Written bytes that a power loss undid, those of files lost with their name included.
    pub bytes_lost: u64,
    /// Writes of which a power loss left a part.
    pub writes_torn: u64,
    /// Changes of the folder (creations, renamings, deletions) that a power loss undid.
    pub names_lost: u64,
    /// Operations that failed because of a fuse, a full disk or a failing sync.
    pub failures: u64,
    /// Bits flipped.
    pub bits_flipped: u64,
}
