//! An observer logs only what is committed: it has no say in what becomes so, and must never have to give
//! anything up (`node/core/src/learner/observer.rs`).

use super::{Ledger, Property, Seen, server};

pub(super) const PROPERTY: Property =
    Property { name: "ObserversLogWhatIsCommitted", source: "ZooKeeper's INFORM; decision 0006", check };

fn check(ledger: &Ledger, seen: &Seen) -> Result<(), String> {
    let Seen::Logged { at, zxid, digest } = *seen else { return Ok(()) };
    if at < ledger.voters || ledger.history.get(&zxid) == Some(&digest) {
        return Ok(());
    }
    Err(format!("the observer {} logs {zxid}, which is not committed", server(at)))
}
