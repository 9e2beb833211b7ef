//! Updates that never returned: nobody told their stamps, so the replay finds their places.
//!
//! One that nobody needs is left out. One that somebody needs is placed just before the first operation that
//! needs it, which is the latest possible place, and so the one that real time restricts least. If values
//! are unique that place is the only one, and a failure later on is certain; wherever there was a choice
//! it is remembered ([`Crashed::guessed`]), and a failure then proves nothing.

use std::collections::{HashMap, HashSet};

use super::replay::Log;
use crate::model::Machine;

/// Tries of the search among updates whose effect depends on the state before.
const MAX_TRIES: u32 = 10_000;

/// How far ahead to look for what an operation without a required state is to be followed by.
const MAX_LOOKAHEAD: usize = 10_000;

/// The updates without return, those not yet placed.
pub(super) struct Crashed {
    /// By key and the state they leave, earliest call first.
    leaving: HashMap<(u32, u32), Vec<u32>>,
    /// Of each key, earliest call first.
    of_key: HashMap<u32, Vec<u32>>,
    /// Keys with an update whose effect depends on the state before: nothing is certain about them.
    opaque: HashSet<u32>,
    /// States (with their key) that some returned operation must have found; made when first asked for.
    needed: Option<HashSet<(u32, u32)>>,
    placed: HashSet<u32>,
    /// A choice was made.
    guessed: bool,
}

impl Crashed {
    /// `None` if every update returned.
    pub(super) fn of<M: Machine>(machine: &M, log: &Log<'_, M::Action>) -> Option<Self> {
        let mut crashed: Vec<u32> =
            log.ids().filter(|&id| log.is_update(id) && !log.op(id).returned()).collect();
        if crashed.is_empty() {
            return None;
        }
        crashed.sort_by_key(|&id| log.op(id).call);
        let mut this = Self {
            leaving: HashMap::new(),
            of_key: HashMap::new(),
            opaque: HashSet::new(),
            needed: None,
            placed: HashSet::new(),
            guessed: false,
        };
        for id in crashed {
            let key = log.key(id);
            this.of_key.entry(key).or_default().push(id);
            match machine.produces(log.op(id).action) {
                Some(state) => this.leaving.entry((key, state)).or_default().push(id),
                None => {
                    this.opaque.insert(key);
                }
            }
        }
        Some(this)
    }

    /// No other placement of what was placed on this key, or left out, could have avoided a failure.
    pub(super) fn is_certain(&self, key: u32) -> bool {
        !self.guessed && !self.opaque.contains(&key)
    }

    /// Updates that lead from `state` to one in which the first operation of `ahead` fits, in order; at least one.
    /// `ahead` goes on with what follows. `exact`: stamps are those of the last modification.
    pub(super) fn bridge<M: Machine>(
        &mut self,
        machine: &mut M,
        log: &Log<'_, M::Action>,
        state: u32,
        ahead: &[u32],
        exact: bool,
    ) -> Option<Vec<u32>> {
        let goal = *ahead.first()?;
        let path = match machine.requires(log.op(goal).action) {
            Some(wanted) => self.towards(machine, log, log.key(goal), state, wanted),
            None => self.anywhere(machine, log, state, ahead, exact),
        }?;
        self.placed.extend(&path);
        Some(path)
    }

    /// Backwards: who left `wanted`, and what did that one find?
    fn towards<M: Machine>(
        &mut self,
        machine: &mut M,
        log: &Log<'_, M::Action>,
        key: u32,
        state: u32,
        wanted: u32,
    ) -> Option<Vec<u32>> {
        let mut path: Vec<u32> = Vec::new();
        let mut need = wanted;
        loop {
            let leaving = self.leaving.get(&(key, need)).map_or(&[][..], Vec::as_slice);
            let left: Vec<u32> = leaving
                .iter()
                .copied()
                .filter(|id| !self.placed.contains(id) && !path.contains(id))
                .collect();
            // The earliest call will do among equal ones: nobody can tell them apart.
            let equal = |id: &&u32| log.op(**id).action == log.op(left[0]).action;
            self.guessed |= left.iter().filter(equal).count() < left.len();
            let fits = |id: &&u32| machine.step(state, log.op(**id).action) == Some(need);
            if let Some(&first) = left.iter().find(fits) {
                path.push(first);
                path.reverse();
                return Some(path);
            }
            let Some((last, before)) =
                left.iter().find_map(|&id| Some((id, machine.requires(log.op(id).action)?)))
            else {
                break;
            };
            path.push(last);
            need = before;
        }
        if !self.opaque.contains(&key) {
            return None;
        }
        let mut tries = 0;
        let mut path = Vec::new();
        self.search(machine, log, key, (state, wanted), &mut path, &mut tries).then_some(path)
    }

    /// Depth first, for updates such as an append.
    fn search<M: Machine>(
        &self,
        machine: &mut M,
        log: &Log<'_, M::Action>,
        key: u32,
        (state, wanted): (u32, u32),
        path: &mut Vec<u32>,
        tries: &mut u32,
    ) -> bool {
        if !path.is_empty() && state == wanted {
            return true;
        }
        for &id in self.of_key.get(&key).map_or(&[][..], Vec::as_slice) {
            *tries += 1;
            if *tries > MAX_TRIES {
                return false;
            }
            if self.placed.contains(&id) || path.contains(&id) {
                continue;
            }
            let Some(next) = machine.step(state, log.op(id).action) else { continue };
            if M::GROWS && !machine.reaches(next, wanted) {
                continue;
            }
            path.push(id);
            if self.search(machine, log, key, (next, wanted), path, tries) {
                return true;
            }
            path.pop();
        }
        false
    }

    /// The first operation of `ahead` only says what the state was not (a refused compare-and-set).
    fn anywhere<M: Machine>(
        &mut self,
        machine: &mut M,
        log: &Log<'_, M::Action>,
        state: u32,
        ahead: &[u32],
        exact: bool,
    ) -> Option<Vec<u32>> {
        let goal = ahead[0];
        let (key, action) = (log.key(goal), log.op(goal).action);
        if let Some((next, wanted)) = following(machine, log, ahead)
            && wanted != state
            && machine.step(wanted, action).is_some()
        {
            let same = !log.is_update(next) && log.stamp(next) == log.stamp(goal);
            // Both saw the same modification, so this is the one. Otherwise it is a good guess.
            if same || !exact || log.is_update(next) {
                self.guessed |= !(same && exact);
                if let Some(path) = self.towards(machine, log, key, state, wanted) {
                    return Some(path);
                }
            }
        }
        let left: Vec<u32> =
            self.of_key.get(&key)?.iter().copied().filter(|id| !self.placed.contains(id)).collect();
        self.guessed |= !left.is_empty();
        let needed = self.needed.get_or_insert_with(|| {
            let returned = log.ids().filter(|&id| log.op(id).returned());
            returned.filter_map(|id| Some((log.key(id), machine.requires(log.op(id).action)?))).collect()
        });
        let fitting: Vec<u32> = left
            .into_iter()
            .filter(|&id| {
                let after = machine.step(state, log.op(id).action);
                after.is_some_and(|after| machine.step(after, action).is_some())
            })
            .collect();
        let free = fitting.iter().copied().find(|&id| {
            machine.produces(log.op(id).action).is_none_or(|left| !needed.contains(&(key, left)))
        });
        free.or(fitting.first().copied()).map(|id| vec![id])
    }
}

/// The next operation on the same object that tells the state it found, and that state; unless a blind update comes
/// first.
fn following<M: Machine>(machine: &M, log: &Log<'_, M::Action>, ahead: &[u32]) -> Option<(u32, u32)> {
    let key = log.key(ahead[0]);
    for &id in ahead[1..].iter().take(MAX_LOOKAHEAD).filter(|&&id| log.key(id) == key) {
        if let Some(wanted) = machine.requires(log.op(id).action) {
            return Some((id, wanted));
        }
        if log.is_update(id) {
            return None;
        }
    }
    None
}
