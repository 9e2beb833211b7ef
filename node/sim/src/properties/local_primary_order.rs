//! LocalPrimaryOrder: what a primary broadcasts in one epoch is delivered in the order in which it was
//! broadcast.

use super::{Ledger, Property, Seen, server};

pub(super) const PROPERTY: Property =
    Property { name: "LocalPrimaryOrder", source: "Zab.tla LocalPrimaryOrder; Zab paper §III", check };

fn check(ledger: &Ledger, seen: &Seen) -> Result<(), String> {
    let Seen::Delivered { at, zxid, .. } = *seen else { return Ok(()) };
    let Some(before) = ledger.broadcasts.get(&zxid).and_then(|broadcast| broadcast.before) else {
        return Ok(());
    };
    if ledger.server(at).last == before {
        return Ok(());
    }
    Err(format!(
        "{} delivers {zxid} behind {}, but its primary broadcast it behind {before}",
        server(at),
        ledger.server(at).last
    ))
}
