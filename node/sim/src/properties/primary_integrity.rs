//! PrimaryIntegrity: a primary has delivered everything of earlier epochs that anybody delivers, before it
//! broadcasts for the first time.

use super::{Ledger, Property, Seen, server};
use zab_wire::Zxid;

pub(super) const PROPERTY: Property =
    Property { name: "PrimaryIntegrity", source: "Zab.tla PrimaryIntegrity; Zab paper §III", check };

fn check(ledger: &Ledger, seen: &Seen) -> Result<(), String> {
    match *seen {
        Seen::Broadcast { by, zxid, .. } => {
            let earlier = ledger.history.range(..Zxid::of_epoch(zxid.epoch)).next_back();
            match earlier {
                Some((last, _))
                    if !ledger.server(by).has_delivered(*last) || ledger.server(by).last < *last =>
                {
                    Err(format!(
                        "{} broadcasts {zxid} without having delivered {last} of an earlier epoch",
                        server(by)
                    ))
                }
                Some(_) | None => Ok(()),
            }
        }
        Seen::Delivered { at, zxid, .. } => {
            let later =
                ledger.primaries.range(zxid.epoch + 1..).find(|(_, primary)| primary.delivered_first < zxid);
            match later {
                Some((epoch, primary)) => Err(format!(
                    "{} delivers {zxid}, but {} began to broadcast in epoch {epoch} with no more than {}",
                    server(at),
                    server(primary.server),
                    primary.delivered_first
                )),
                None => Ok(()),
            }
        }
        Seen::Based { .. }
        | Seen::Tree { .. }
        | Seen::Leads { .. }
        | Seen::Established { .. }
        | Seen::LeadsNoMore { .. }
        | Seen::Logged { .. }
        | Seen::Cut { .. }
        | Seen::Installed { .. }
        | Seen::Changing { .. }
        | Seen::Epochs { .. }
        | Seen::Recovered { .. }
        | Seen::Damaged { .. } => Ok(()),
    }
}
