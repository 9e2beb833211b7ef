//! acceptedEpoch and currentEpoch on disk never go back, and currentEpoch never exceeds acceptedEpoch.

use super::{Ledger, Property, Seen, server};

pub(super) const PROPERTY: Property =
    Property { name: "EpochsNeverGoBack", source: "Zab paper §IV.A and B; ZOOKEEPER-335", check };

fn check(ledger: &Ledger, seen: &Seen) -> Result<(), String> {
    let (at, accepted, current) = match *seen {
        Seen::Epochs { at, accepted, current } => (at, accepted, current),
        Seen::Recovered { at, accepted, current, .. } if !ledger.server(at).damaged => {
            (at, accepted, current)
        }
        Seen::Recovered { .. }
        | Seen::Broadcast { .. }
        | Seen::Delivered { .. }
        | Seen::Based { .. }
        | Seen::Tree { .. }
        | Seen::Leads { .. }
        | Seen::Established { .. }
        | Seen::LeadsNoMore { .. }
        | Seen::Logged { .. }
        | Seen::Cut { .. }
        | Seen::Installed { .. }
        | Seen::Changing { .. }
        | Seen::Damaged { .. } => return Ok(()),
    };
    let (accepted_before, current_before) = ledger.server(at).epochs;
    if accepted < accepted_before {
        return Err(format!(
            "acceptedEpoch of {} goes back from {accepted_before} to {accepted}",
            server(at)
        ));
    }
    if current < current_before {
        return Err(format!("currentEpoch of {} goes back from {current_before} to {current}", server(at)));
    }
    if current > accepted {
        return Err(format!("{} enters epoch {current}, but has promised only {accepted}", server(at)));
    }
    Ok(())
}
