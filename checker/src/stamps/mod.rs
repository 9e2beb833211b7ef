//! Stamps: what a server says of its own order (zxid, mzxid, revision), used as a *certificate*, not as an
//! oracle.
//!
//! Stamps order the operations; that order is then replayed through the model and held against real time. If
//! it passes, it is a linearization, whoever proposed it: the server was not trusted. If it fails, the stamps are
//! wrong or the object is, and the caller asks a method that never looks at stamps: *invalid* is a
//! violation, *valid* means that the server lies about its order ([`Class::StampLie`]), which is a bug too.
//!
//! * [`certify`], [`certify_all`]: linearizability of one object, of all objects in one global order;
//! * [`invariants`]: what must hold of the stamps on their own, one sweep each;
//! * [`osc`]: ZooKeeper's own promise, which is weaker: updates in real time, reads that may be stale but never go
//!   back within a session.
//!
//! What ZooKeeper can be held to, from strict to lax:
//!
//! | mode | what is required | how |
//! |---|---|---|
//! | `lin` | everything is linearizable | [`certify_all`]; without stamps the monitors and the engine |
//! | `sync-lin` | `osc`, and reads after a `sync` are current | [`osc::check`] with [`osc::OscInput::since`]; [`osc::OscKind::StaleAfterSync`] is what ZooKeeper permits itself while it has two leaders |
//! | `osc` | updates are linearizable, reads go forward within their session | [`osc::check`]; stale reads are counted |
//! | `session` | the stamps that a session sees never go back | [`invariants::Invariants::sessions`] |
//!
//! All of it is one sort and one replay; only the rule of real time differs, and where a read is placed.

mod bridge;
mod certify;
pub mod invariants;
pub mod osc;
mod place;
mod replay;
mod resolve;
mod sort;
#[cfg(test)]
mod tests;

pub use certify::{Certified, MismatchKind, certify, certify_all};

use crate::counterexample::Class;
use crate::decision::{Conflict, Piece};

/// What the stamp of an operation that changes nothing says. An update's stamp is always its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// The stamp of the last modification of the object that it saw: `mzxid` of a ZooKeeper `Stat`, `mod_revision`
    /// of etcd, the `rev` column of the tab-separated histories. The state it saw was left by that update
    /// and no other. An object never modified has any one stamp below its first update's, such as 0.
    LastModified,
    /// The stamp that the server had reached at the reply, whatever object modified it: `zxid` of ZooKeeper's reply
    /// header, as `history.jsonl` holds it; the header revision of etcd. It saw the state after all updates up to
    /// that stamp. (ZooKeeper: a server's reads and commits exclude each other, so this is exact.)
    Reached,
    /// None that is used: values are unique, so the value seen tells the update seen.
    Values,
}

/// Something found: of what kind, in which operations, and why, in one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding<K> {
    /// What kind.
    pub kind: K,
    /// The operations that contradict each other (indices into the input).
    pub ops: Vec<u32>,
    /// One sentence, in pieces.
    pub sentence: Vec<Piece>,
}

impl From<Finding<MismatchKind>> for Conflict {
    /// For when the values turned out to be linearizable: the stamps lie.
    fn from(found: Finding<MismatchKind>) -> Self {
        Self { class: Class::StampLie, ops: found.ops, sentence: found.sentence }
    }
}

/// A stamp as people write it: zxids in hex, revisions in decimal.
fn shown(stamp: u64) -> String {
    if u32::try_from(stamp).is_ok() { stamp.to_string() } else { format!("{stamp:#x}") }
}
