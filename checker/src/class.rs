//! The names of anomalies.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What kind of violation it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// A read returned a state that had certainly been overwritten before the read was called, by an
    /// update that somebody saw.
    StaleRead,
    /// An acknowledged update has no place in the order: nobody ever saw it and older state came back,
    /// or two compare-and-sets both replaced the same value.
    LostUpdate,
    /// Something was read that nobody can have written by then.
    PhantomRead,
    /// What was read had certainly failed.
    DirtyRead,
    /// Two operations saw two updates in an order that real time, or another operation, contradicts.
    OrderInversion,
    /// A lock was granted while somebody else held it.
    DoubleGrant,
    /// A lock was refused, or could not be released, although nobody else can have held it.
    WrongRefusal,
    /// Something was taken out twice.
    DuplicateDelivery,
    /// A queue was found empty although something was in it all the time.
    WrongEmpty,
    /// Values are linearizable, but not in the order that the server's own stamps claim.
    StampLie,
    /// Not linearizable, and none of the patterns above.
    Other,
}

impl Class {
    /// The name in plain words, such as `stale read`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::StaleRead => "stale read",
            Self::LostUpdate => "lost update",
            Self::PhantomRead => "phantom read",
            Self::DirtyRead => "dirty read",
            Self::OrderInversion => "order inversion",
            Self::DoubleGrant => "double grant",
            Self::WrongRefusal => "wrong refusal",
            Self::DuplicateDelivery => "duplicate delivery",
            Self::WrongEmpty => "wrong empty",
            Self::StampLie => "stamp lie",
            Self::Other => "not linearizable",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
