//! Reads without stamps: where values are unique, the value seen tells whose state it was, and so the stamp
//! of the last modification.

use std::collections::HashMap;

use super::replay::Log;
use crate::model::Machine;

/// Why values do not tell stamps.
pub(super) enum Unresolved {
    /// Outside of what this decides.
    Open(&'static str),
    /// This read saw what nobody left.
    Phantom(u32),
}

/// For every returned operation the stamp of its own or of the last modification it saw: 0 for the initial state,
/// `None` if all that is known is what the state was not.
pub(super) fn by_values<M: Machine>(
    machine: &M,
    log: &Log<'_, M::Action>,
) -> Result<Vec<Option<u64>>, Unresolved> {
    /// Who left a state.
    enum Left {
        At(u64),
        Unknown,
    }
    let mut left: HashMap<(u32, u32), Left> = HashMap::new();
    for id in log.ids().filter(|&id| log.is_update(id)) {
        let state = machine
            .produces(log.op(id).action)
            .ok_or(Unresolved::Open("an update leaves a state that depends on the one before"))?;
        let stamp = if log.op(id).returned() { log.stamp(id) } else { None };
        let known = stamp.map_or(Left::Unknown, Left::At);
        if state == machine.initial() || left.insert((log.key(id), state), known).is_some() {
            return Err(Unresolved::Open("values repeat, so they do not tell which update was seen"));
        }
    }
    let mut stamps = Vec::with_capacity(log.ops.len());
    for id in log.ids() {
        let op = log.op(id);
        if log.is_update(id) || !op.returned() {
            stamps.push(log.stamp(id));
            continue;
        }
        let Some(state) = machine.requires(op.action) else {
            stamps.push(None);
            continue;
        };
        stamps.push(match left.get(&(log.key(id), state)) {
            Some(Left::At(stamp)) => Some(*stamp),
            Some(Left::Unknown) => {
                return Err(Unresolved::Open(
                    "an update that was seen never returned, so its place is unknown",
                ));
            }
            None if state == machine.initial() => Some(0),
            None => return Err(Unresolved::Phantom(id)),
        });
    }
    Ok(stamps)
}
