//! A register with compare-and-set over interned values. The state is the value; null is 0.

use crate::model::Machine;

/// The initial value.
const NIL: u32 = 0;

/// An operation on a register, with what it observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RegAction {
    /// Returned this value.
    Read(u32),
    /// Observed that the register does not hold this value (a refused compare-and-set).
    NotEqual(u32),
    /// Stored this value.
    Write(u32),
    /// Found the first value and stored the second.
    Cas(u32, u32),
}

impl RegAction {
    /// The value it leaves behind, if it stores one.
    #[must_use]
    pub fn stores(self) -> Option<u32> {
        match self {
            Self::Write(value) | Self::Cas(_, value) => Some(value),
            Self::Read(_) | Self::NotEqual(_) => None,
        }
    }

    /// The value it must have found.
    #[must_use]
    pub fn finds(self) -> Option<u32> {
        match self {
            Self::Read(value) | Self::Cas(value, _) => Some(value),
            Self::Write(_) | Self::NotEqual(_) => None,
        }
    }
}

/// The register.
#[derive(Debug, Clone, Copy, Default)]
pub struct RegMachine;

impl Machine for RegMachine {
    type Action = RegAction;

    fn initial(&self) -> u32 {
        NIL
    }

    fn step(&mut self, state: u32, action: RegAction) -> Option<u32> {
        match action {
            RegAction::Read(value) => (state == value).then_some(state),
            RegAction::NotEqual(value) => (state != value).then_some(state),
            RegAction::Write(value) => Some(value),
            RegAction::Cas(old, new) => (state == old).then_some(new),
        }
    }

    fn is_pure(&self, action: RegAction) -> bool {
        match action {
            RegAction::Read(_) | RegAction::NotEqual(_) => true,
            RegAction::Write(_) => false,
            RegAction::Cas(old, new) => old == new,
        }
    }

    fn is_blind(&self, action: RegAction) -> bool {
        matches!(action, RegAction::Write(_))
    }

    fn requires(&self, action: RegAction) -> Option<u32> {
        action.finds()
    }

    fn produces(&self, action: RegAction) -> Option<u32> {
        action.stores()
    }
}
