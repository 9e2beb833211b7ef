//! Models: what an object does, as a state machine over small integers.
//!
//! States and actions are cheap to copy and compare; a model whose states are large interns them and
//! hands out ids.

mod counter;
mod kv;
mod list;
mod lock;
mod queue;
mod register;
mod set;
mod spec;

pub use counter::{CounterAction, CounterMachine};
pub use kv::{KvAction, KvMachine};
pub use list::{ListAction, ListId, ListMachine, Lists};
pub use lock::{LockAction, LockMachine};
pub use queue::{QueueAction, QueueMachine};
pub use register::{RegAction, RegMachine};
pub use set::{ElementAction, ElementMachine, SetAction, SetMachine};
pub use spec::{ActionId, Interned, Spec};

use std::fmt;
use std::hash::Hash;

/// A sequential specification. `step` must be a function of its arguments: memoizing is allowed,
/// remembering is not.
pub trait Machine {
    /// An operation together with its output.
    type Action: Copy + Eq + Hash + fmt::Debug;

    /// The state before any operation.
    fn initial(&self) -> u32;

    /// The state after `action`, or `None` when it cannot have had its outcome in `state`.
    fn step(&mut self, state: u32, action: Self::Action) -> Option<u32>;

    /// True when the action changes no state, whatever the state (a read).
    fn is_pure(&self, action: Self::Action) -> bool;

    /// True when the action is possible in every state (a plain write).
    fn is_blind(&self, action: Self::Action) -> bool;

    /// True when the action is possible in every state, whatever it leaves behind (an append).
    fn is_total(&self, action: Self::Action) -> bool {
        self.is_blind(action)
    }

    /// The one state in which the action is possible, if there is exactly one.
    fn requires(&self, action: Self::Action) -> Option<u32>;

    /// The state the action leaves behind, if that does not depend on the state before.
    fn produces(&self, action: Self::Action) -> Option<u32>;

    /// True when [`Machine::reaches`] ever says no; the search asks only then.
    const GROWS: bool = false;

    /// False when `to` certainly cannot arise from `from` but by a blind action (a string that only
    /// grows reaches no string it is not a prefix of).
    fn reaches(&self, _from: u32, _to: u32) -> bool {
        true
    }

    /// Bytes held by interned states.
    fn heap_bytes(&self) -> usize {
        0
    }
}
