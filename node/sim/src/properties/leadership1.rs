//! Leadership1: of one epoch, at most one server leads at a time, from synchronization on.

use super::{Ledger, Property, Seen, server};

pub(super) const PROPERTY: Property =
    Property { name: "Leadership1", source: "Zab.tla Leadership1; Zab paper §IV.A", check };

fn check(ledger: &Ledger, seen: &Seen) -> Result<(), String> {
    let Seen::Leads { at, epoch } = *seen else { return Ok(()) };
    let other = ledger.leading.get(&epoch).and_then(|leaders| leaders.iter().find(|other| **other != at));
    match other {
        Some(other) => Err(format!("{} and {} both lead epoch {epoch}", server(*other), server(at))),
        None => Ok(()),
    }
}
