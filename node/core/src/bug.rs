//! Planted bugs: deliberate faults that exist to measure the tester. An honest server has none.
//!
//! Each stands for something that went wrong in a real system, and each is one `if` at the place
//! where the real mistake would be made, found by searching for the variant's name.

/// A deliberate fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bug {
    /// The leader commits as soon as its own disk has the transaction.
    CommitWithoutQuorum,
    /// A follower keeps obeying a leader of an older epoch, which therefore never gives way.
    SkipEpochCheck,
    /// Votes and the leader's completeness check ignore epoch and zxid: the highest server id wins.
    ElectAny,
    /// A follower told to TRUNC keeps the tail of its log.
    SkipTruncate,
    /// `sync` is answered without asking a quorum.
    LocalSync,
    /// acceptedEpoch is not written to disk, so that an epoch can be promised and led twice.
    ForgetAcceptedEpoch,
    /// The leader proposes some writes a second time.
    DoubleApply,
}

impl Bug {
    /// Every planted bug.
    pub const ALL: [Self; 7] = [
        Self::CommitWithoutQuorum,
        Self::SkipEpochCheck,
        Self::ElectAny,
        Self::SkipTruncate,
        Self::LocalSync,
        Self::ForgetAcceptedEpoch,
        Self::DoubleApply,
    ];

    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CommitWithoutQuorum => "commit-without-quorum",
            Self::SkipEpochCheck => "skip-epoch-check",
            Self::ElectAny => "elect-any",
            Self::SkipTruncate => "skip-truncate",
            Self::LocalSync => "local-sync",
            Self::ForgetAcceptedEpoch => "forget-accepted-epoch",
            Self::DoubleApply => "double-apply",
        }
    }

    /// The bug of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|bug| bug.name() == name)
    }

    /// The real-world incident it stands for.
    #[must_use]
    pub const fn stands_for(self) -> &'static str {
        match self {
            Self::CommitWithoutQuorum => {
                "asynchronous replication sold as durable (Redis failover, MongoDB w:1)"
            }
            Self::SkipEpochCheck => "a paused leader that is obeyed when it returns (ZOOKEEPER-335's family)",
            Self::ElectAny => "a leader without the newest log (ZOOKEEPER-790, 1154)",
            Self::SkipTruncate => "an abandoned proposal that stays on one disk (ZOOKEEPER-2845, 3701)",
            Self::LocalSync => "sync answered by a deposed leader (ZOOKEEPER-1675)",
            Self::ForgetAcceptedEpoch => "an epoch promised twice (ZOOKEEPER-335)",
            Self::DoubleApply => "a retried request applied twice (etcd 14370's family)",
        }
    }
}
