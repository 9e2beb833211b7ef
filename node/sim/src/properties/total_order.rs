//! TotalOrder: if some server delivers a before b, every server that delivers b delivers a before it.
//!
//! It is enough that directly before b everybody has the same transaction.

use super::{Ledger, Property, Seen, server};

pub(super) const PROPERTY: Property =
    Property { name: "TotalOrder", source: "Zab.tla TotalOrder; Zab paper §III", check };

fn check(ledger: &Ledger, seen: &Seen) -> Result<(), String> {
    let Seen::Delivered { at, zxid, .. } = *seen else { return Ok(()) };
    let before = ledger.server(at).last;
    match ledger.predecessors.get(&zxid) {
        Some(known) if *known != before => Err(format!(
            "{} delivers {zxid} directly behind {before}, another server delivered it behind {known}",
            server(at)
        )),
        Some(_) | None => Ok(()),
    }
}
