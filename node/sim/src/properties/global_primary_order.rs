//! GlobalPrimaryOrder: transactions of an earlier epoch are delivered before those of a later one.

use super::{Ledger, Property, Seen, server};

pub(super) const PROPERTY: Property =
    Property { name: "GlobalPrimaryOrder", source: "Zab.tla GlobalPrimaryOrder; Zab paper §III", check };

fn check(ledger: &Ledger, seen: &Seen) -> Result<(), String> {
    let Seen::Delivered { at, zxid, .. } = *seen else { return Ok(()) };
    let last = ledger.server(at).last;
    if zxid.epoch >= last.epoch {
        return Ok(());
    }
    Err(format!("{} delivers {zxid} of an earlier epoch behind {last}", server(at)))
}
