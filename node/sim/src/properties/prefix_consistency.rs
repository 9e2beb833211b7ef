//! PrefixConsistency: what any two servers have committed agrees as far as both go.
//!
//! The committed history is one sequence. A delivery must be of the transaction that stands there, and
//! nothing may be delivered into its middle.

use super::{Ledger, Property, Seen, server};

pub(super) const PROPERTY: Property =
    Property { name: "PrefixConsistency", source: "Zab.tla PrefixConsistency; Zab paper §III", check };

fn check(ledger: &Ledger, seen: &Seen) -> Result<(), String> {
    let Seen::Delivered { at, zxid, digest } = *seen else { return Ok(()) };
    match ledger.history.get(&zxid) {
        Some(known) if *known != digest => {
            Err(format!("{} delivers as {zxid} another transaction than was delivered before", server(at)))
        }
        Some(_) => Ok(()),
        None => match ledger.history.last_key_value() {
            Some((last, _)) if *last > zxid => Err(format!(
                "{} delivers {zxid}, which is not in the committed history that goes up to {last}",
                server(at)
            )),
            Some(_) | None => Ok(()),
        },
    }
}
