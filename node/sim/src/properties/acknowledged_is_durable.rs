//! What is delivered, and so may be acknowledged, is on the disks of a quorum; and stays there.
//!
//! The paper's proof rests on it (Zab paper §IV.C step 3: a quorum has *acknowledged*, and acknowledges only
//! what is on disk). Checked when a transaction is first delivered anywhere, and whenever a disk is cut or
//! replaced. A disk that a bit flip has damaged counts as holding what it held: the damage is not ZAB's.

use super::{At, Ledger, Property, Seen, server};
use zab_wire::Zxid;

pub(super) const PROPERTY: Property =
    Property { name: "AcknowledgedIsDurable", source: "Zab paper §IV.C; ZOOKEEPER-3911, 4646", check };

fn check(ledger: &Ledger, seen: &Seen) -> Result<(), String> {
    match *seen {
        Seen::Delivered { at, zxid, digest } => {
            if ledger.history.contains_key(&zxid) {
                return Ok(());
            }
            let (holders, quorum) = ledger.durable_on(zxid, digest);
            if holders >= quorum {
                return Ok(());
            }
            Err(format!("{} delivers {zxid}, which is on {holders} disks and needs {quorum}", server(at)))
        }
        Seen::Cut { at, to } => stays(ledger, at, to, "is cut behind"),
        Seen::Installed { at, last, .. } => stays(ledger, at, last, "is replaced by a history up to"),
        Seen::Broadcast { .. }
        | Seen::Based { .. }
        | Seen::Tree { .. }
        | Seen::Leads { .. }
        | Seen::Established { .. }
        | Seen::LeadsNoMore { .. }
        | Seen::Logged { .. }
        | Seen::Changing { .. }
        | Seen::Epochs { .. }
        | Seen::Recovered { .. }
        | Seen::Damaged { .. } => Ok(()),
    }
}

/// The disk of `at` keeps nothing behind `to`: the last transaction that was delivered must do without it.
fn stays(ledger: &Ledger, at: At, to: Zxid, how: &str) -> Result<(), String> {
    if at >= ledger.voters {
        return Ok(());
    }
    let Some((last, digest)) = ledger.history.last_key_value().filter(|(last, _)| **last > to) else {
        return Ok(());
    };
    let (holders, quorum) = ledger.durable_on(*last, *digest);
    if !ledger.server(at).holds(*last, *digest) || holders > quorum {
        return Ok(());
    }
    Err(format!(
        "the disk of {} {how} {to}: that leaves {last}, which was delivered, on {} disks and it needs {quorum}",
        server(at),
        holders - 1
    ))
}
