//! Integrity: what a server delivers, some primary has broadcast.

use super::{Ledger, Property, Seen, server};

pub(super) const PROPERTY: Property =
    Property { name: "Integrity", source: "Zab.tla Integrity; Zab paper §III", check };

fn check(ledger: &Ledger, seen: &Seen) -> Result<(), String> {
    let Seen::Delivered { at, zxid, digest } = *seen else { return Ok(()) };
    match ledger.broadcasts.get(&zxid) {
        Some(broadcast) if broadcast.digest == digest => Ok(()),
        Some(broadcast) => Err(format!(
            "{} delivers as {zxid} another transaction than {} broadcast",
            server(at),
            server(broadcast.by)
        )),
        None => Err(format!("{} delivers {zxid}, which nobody broadcast", server(at))),
    }
}
