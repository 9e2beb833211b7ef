//! What was reported as synced is found again at the next start, whatever happened in between.
//!
//! Not a property of ZAB but of the disk beneath it: the contract of `Effect::Sync` ([`zab_core::event`]).

use super::{Ledger, Property, Seen, server};
use zab_wire::Zxid;

pub(super) const PROPERTY: Property =
    Property { name: "SyncedIsKept", source: "zab_core::event; ZOOKEEPER-2247, 4882", check };

fn check(ledger: &Ledger, seen: &Seen) -> Result<(), String> {
    let Seen::Recovered { at, last, .. } = *seen else { return Ok(()) };
    let page = ledger.server(at);
    let log = page.durable.last_key_value().map_or(Zxid::ZERO, |(last, _)| *last);
    let synced = log.max(page.durable_base).min(page.floor.unwrap_or(log.max(page.durable_base)));
    if page.damaged || synced <= last {
        return Ok(());
    }
    Err(format!("{} had {synced} on its disk and finds only {last}", server(at)))
}
