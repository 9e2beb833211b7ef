//! Two servers whose trees end with the same transaction have the same tree, however they came to it: log,
//! snapshot, DIFF, TRUNC or SNAP (ZooKeeper compares digests for the same reason: ZOOKEEPER-3114).

use super::{Ledger, Property, Seen, server};

pub(super) const PROPERTY: Property =
    Property { name: "TreesAreEqual", source: "ZOOKEEPER-3114, 2845, 3701", check };

fn check(ledger: &Ledger, seen: &Seen) -> Result<(), String> {
    let Seen::Tree { at, zxid, digest } = *seen else { return Ok(()) };
    match ledger.trees.get(&zxid) {
        Some((known, first)) if *known != digest => {
            Err(format!("at {zxid} the trees of {} and {} differ", server(*first), server(at)))
        }
        Some(_) | None => Ok(()),
    }
}
