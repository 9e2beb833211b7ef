//! The three numbers that everything else is named by: transaction, server and session ids.

use std::fmt;

/// A transaction id: which epoch proposed it, and its place within that epoch.
///
/// Ordered epoch first, as ZAB requires. On the wire it is one `long`, epoch in the high 32 bits
/// (ZooKeeper's `ZxidUtils`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Zxid {
    /// The epoch of the leader that proposed the transaction; 0 is never led.
    pub epoch: u32,
    /// Counts the epoch's transactions from 1; 0 names the epoch itself.
    pub counter: u32,
}

impl Zxid {
    /// The zxid of an empty log.
    pub const ZERO: Self = Self { epoch: 0, counter: 0 };

    /// The zxid `counter` of `epoch`.
    #[must_use]
    pub const fn new(epoch: u32, counter: u32) -> Self {
        Self { epoch, counter }
    }

    /// The zxid that names an epoch as a whole (`epoch << 32`).
    #[must_use]
    pub const fn of_epoch(epoch: u32) -> Self {
        Self { epoch, counter: 0 }
    }

    /// The next transaction of the same epoch, or `None` when the counter is used up and a new
    /// epoch must begin (ZOOKEEPER-1277).
    #[must_use]
    pub fn next(self) -> Option<Self> {
        Some(Self { epoch: self.epoch, counter: self.counter.checked_add(1)? })
    }

    /// The 64 bits as they stand on the wire.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        ((self.epoch as u64) << 32) | self.counter as u64
    }

    /// The zxid whose wire form is `bits`.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the halves of a u64 are taken on purpose")]
    pub const fn from_bits(bits: u64) -> Self {
        Self { epoch: (bits >> 32) as u32, counter: bits as u32 }
    }
}

impl fmt::Display for Zxid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.to_bits())
    }
}

/// A server's number, ZooKeeper's `myid`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerId(pub i64);

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A client session's number; 0 asks for a new one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub i64);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}
