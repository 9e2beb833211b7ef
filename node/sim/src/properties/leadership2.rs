//! Leadership2: an epoch has at most one established leader, ever.

use super::{Ledger, Property, Seen, server};

pub(super) const PROPERTY: Property =
    Property { name: "Leadership2", source: "Zab.tla Leadership2; Zab paper §IV.B", check };

fn check(ledger: &Ledger, seen: &Seen) -> Result<(), String> {
    let Seen::Established { at, epoch } = *seen else { return Ok(()) };
    match ledger.established.get(&epoch).and_then(|leaders| leaders.first()) {
        Some(other) => Err(format!(
            "{} is established in epoch {epoch}, in which {} was established before",
            server(at),
            server(*other)
        )),
        None => Ok(()),
    }
}
