//! Agreement: if one server delivers a and another delivers b, then the one delivers b or the other a.
//!
//! So of two servers, one has delivered everything that the other has: a delivery by `at` must not leave
//! `at` and another server each with something that the other lacks.

use super::{At, Ledger, Property, Seen, server};

pub(super) const PROPERTY: Property =
    Property { name: "Agreement", source: "Zab.tla Agreement; Zab paper §III", check };

fn check(ledger: &Ledger, seen: &Seen) -> Result<(), String> {
    let Seen::Delivered { at, zxid, .. } = *seen else { return Ok(()) };
    let own = ledger.server(at);
    if own.has_delivered(zxid) {
        return Ok(());
    }
    for (other, page) in (0..).zip(&ledger.servers) {
        let other: At = other;
        // Most have delivered as much as this one, or this very transaction: a thousand servers are looked
        // at on each delivery, so those are told by a glance.
        if page.newest == own.newest || page.newest == zxid {
            continue;
        }
        if other == at || page.has_delivered(zxid) {
            continue;
        }
        // The other lacks zxid; then it must have nothing that this one lacks. Its newest tells: before
        // this delivery the two agreed.
        if let Some(newest) = page.delivered.last().filter(|newest| !own.has_delivered(**newest)) {
            return Err(format!(
                "{} delivers {zxid} without {newest}, {} delivered {newest} without {zxid}",
                server(at),
                server(other)
            ));
        }
    }
    Ok(())
}
