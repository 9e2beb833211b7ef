//! A lock that does not know who holds it. The state is 0 (free) or 1 (held).

use crate::model::Machine;

const FREE: u32 = 0;
const HELD: u32 = 1;

/// An operation on a lock, with what it observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LockAction {
    /// Found it free and took it.
    Acquire,
    /// Found it held and freed it.
    Release,
    /// Tried to take it and found it held.
    Refused,
    /// Tried to free it and found it free.
    RefusedRelease,
}

/// The lock.
#[derive(Debug, Clone, Copy, Default)]
pub struct LockMachine;

impl Machine for LockMachine {
    type Action = LockAction;

    fn initial(&self) -> u32 {
        FREE
    }

    fn step(&mut self, state: u32, action: LockAction) -> Option<u32> {
        let (found, left) = match action {
            LockAction::Acquire => (FREE, HELD),
            LockAction::Release => (HELD, FREE),
            LockAction::Refused => (HELD, HELD),
            LockAction::RefusedRelease => (FREE, FREE),
        };
        (state == found).then_some(left)
    }

    fn is_pure(&self, action: LockAction) -> bool {
        match action {
            LockAction::Refused | LockAction::RefusedRelease => true,
            LockAction::Acquire | LockAction::Release => false,
        }
    }

    fn is_blind(&self, _action: LockAction) -> bool {
        false
    }

    fn requires(&self, action: LockAction) -> Option<u32> {
        Some(match action {
            LockAction::Acquire | LockAction::RefusedRelease => FREE,
            LockAction::Release | LockAction::Refused => HELD,
        })
    }

    fn produces(&self, action: LockAction) -> Option<u32> {
        match action {
            LockAction::Acquire => Some(HELD),
            LockAction::Release => Some(FREE),
            LockAction::Refused | LockAction::RefusedRelease => None,
        }
    }
}
