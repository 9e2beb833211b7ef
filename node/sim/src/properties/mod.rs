//! What ZAB promises, looked at after every step: one file a property, named as in ZooKeeper's TLA+
//! specification (`zookeeper-specifications/protocol-spec/Zab.tla`), with the section of the Zab paper
//! (Junqueira, Reed, Serafini: *Zab: High-performance broadcast for primary-backup systems*, DSN 2011).
//!
//! A property is a function of what has happened so far ([`Ledger`]) and what happens now ([`Seen`]). It
//! keeps nothing itself, so that a world with all its properties can be copied, compared and explored.
//! To add one: write its file, and its row in [`ALL`]; what it has to know goes into the ledger.

mod acknowledged_is_durable;
mod agreement;
mod epochs_never_go_back;
mod global_primary_order;
mod integrity;
mod leadership1;
mod leadership2;
mod ledger;
mod local_primary_order;
mod observers_log_what_is_committed;
mod prefix_consistency;
mod primary_integrity;
mod synced_is_kept;
#[cfg(test)]
mod tests;
mod total_order;
mod trees_are_equal;

pub use ledger::{At, Ledger, Seen, ServerLedger, digest};

/// A property.
#[derive(Debug, Clone, Copy)]
pub struct Property {
    /// Its name.
    pub name: &'static str,
    /// Where it stands in the literature.
    pub source: &'static str,
    /// Gives the reason when what is seen breaks it.
    check: fn(&Ledger, &Seen) -> Result<(), String>,
}

/// All properties.
pub const ALL: [Property; 14] = [
    leadership1::PROPERTY,
    leadership2::PROPERTY,
    prefix_consistency::PROPERTY,
    integrity::PROPERTY,
    agreement::PROPERTY,
    total_order::PROPERTY,
    local_primary_order::PROPERTY,
    global_primary_order::PROPERTY,
    primary_integrity::PROPERTY,
    acknowledged_is_durable::PROPERTY,
    synced_is_kept::PROPERTY,
    epochs_never_go_back::PROPERTY,
    trees_are_equal::PROPERTY,
    observers_log_what_is_committed::PROPERTY,
];

/// A property that was broken.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Violation {
    /// Its name.
    pub property: &'static str,
    /// What happened, in one sentence.
    pub what: String,
}

/// Holds what is seen against every property, then writes it down.
///
/// # Errors
/// The first property that is broken. The ledger stays usable: what was seen is written down all the same.
pub fn see(ledger: &mut Ledger, seen: &Seen) -> Result<(), Violation> {
    let broken = ALL.iter().find_map(|property| {
        let what = (property.check)(ledger, seen).err()?;
        Some(Violation { property: property.name, what })
    });
    ledger.note(seen);
    broken.map_or(Ok(()), Err)
}

/// How a server is called.
pub(crate) fn server(at: At) -> String {
    format!("server {}", at + 1)
}
