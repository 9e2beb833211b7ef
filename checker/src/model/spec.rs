//! Models of one's own: a [`Spec`] says what an object does, with states and actions of any type, and
//! [`Interned`] makes it a [`Machine`] that the engine can search.
//!
//! ```
//! use checker::engine::{Answer, Limits, Memory, search};
//! use checker::model::{Interned, Spec};
//! use checker::{LinOp, NEVER};
//!
//! /// A counter that cannot go below zero.
//! struct Counter;
//!
//! #[derive(Clone, PartialEq, Eq, Hash)]
//! enum Action {
//!     Add(u32),
//!     Read(u32),
//! }
//!
//! impl Spec for Counter {
//!     type State = u32;
//!     type Action = Action;
//!
//!     fn initial(&self) -> u32 {
//!         0
//!     }
//!
//!     fn step(&self, state: &u32, action: &Action) -> Option<u32> {
//!         match action {
//!             Action::Add(n) => Some(state + n),
//!             Action::Read(seen) => (seen == state).then_some(*state),
//!         }
//!     }
//!
//!     fn is_pure(&self, action: &Action) -> bool {
//!         matches!(action, Action::Read(_))
//!     }
//! }
//!
//! let mut machine = Interned::new(Counter);
//! let add = machine.action(Action::Add(2));
//! let read = machine.action(Action::Read(2));
//! let ops = [LinOp { call: 2, ret: NEVER, action: add }, LinOp { call: 4, ret: 6, action: read }];
//! let memory = Memory::new(1 << 20);
//! let limits = Limits { deadline: None, max_configs: 1000, memory: &memory };
//! assert_eq!(search(&mut machine, &ops, &limits), Answer::Valid { witness: vec![0, 1] });
//! ```

use std::collections::HashMap;
use std::hash::Hash;

use crate::model::Machine;

/// What an object does.
///
/// An action is an operation together with its output. All that a model must say is in which states it
/// can have had that output, and what it leaves behind; the rest makes the search faster.
pub trait Spec {
    /// What the object can look like. Equal states must behave equally.
    type State: Clone + Eq + Hash;

    /// An operation and its output.
    type Action: Clone + Eq + Hash;

    /// The state before any operation.
    fn initial(&self) -> Self::State;

    /// The state after `action`, or `None` when it cannot have had its output in `state`. Must depend on
    /// nothing else.
    fn step(&self, state: &Self::State, action: &Self::Action) -> Option<Self::State>;

    /// True when the action changes no state, whatever the state: a read. The search need not wonder when
    /// it happened. Saying false is always right.
    fn is_pure(&self, _action: &Self::Action) -> bool {
        false
    }

    /// True when the action is possible in every state and always leaves the same state behind: a plain write.
    /// Saying false is always right.
    fn is_overwrite(&self, _action: &Self::Action) -> bool {
        false
    }
}

/// An action of an [`Interned`] model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ActionId(u32);

/// A [`Spec`] with states and actions as small integers, and transitions remembered.
#[derive(Debug, Clone)]
pub struct Interned<S: Spec> {
    spec: S,
    states: Vec<S::State>,
    state_ids: HashMap<S::State, u32>,
    actions: Vec<S::Action>,
    action_ids: HashMap<S::Action, ActionId>,
    /// Action → the state it always leaves behind, for overwrites.
    writes: Vec<Option<u32>>,
    steps: HashMap<(u32, ActionId), Option<u32>>,
}

/// The initial state is interned first.
const INITIAL: u32 = 0;

impl<S: Spec> Interned<S> {
    /// The machine of a model.
    #[must_use]
    pub fn new(spec: S) -> Self {
        let initial = spec.initial();
        let mut machine = Self {
            spec,
            states: Vec::new(),
            state_ids: HashMap::new(),
            actions: Vec::new(),
            action_ids: HashMap::new(),
            writes: Vec::new(),
            steps: HashMap::new(),
        };
        machine.state_id(initial);
        machine
    }

    /// The id of an action, given out on first sight: what a [`LinOp`](crate::LinOp) holds.
    ///
    /// # Panics
    /// After 2^32 actions, which fit in no memory.
    pub fn action(&mut self, action: S::Action) -> ActionId {
        if let Some(&id) = self.action_ids.get(&action) {
            return id;
        }
        let id = ActionId(u32::try_from(self.actions.len()).expect("fewer than 2^32 actions fit in memory"));
        let written = if self.spec.is_overwrite(&action) {
            self.spec.step(&self.states[INITIAL as usize], &action)
        } else {
            None
        };
        let written = written.map(|state| self.state_id(state));
        self.writes.push(written);
        self.actions.push(action.clone());
        self.action_ids.insert(action, id);
        id
    }

    /// The state of an id that [`Machine::step`] gave.
    #[must_use]
    pub fn state(&self, id: u32) -> Option<&S::State> {
        self.states.get(id as usize)
    }

    fn state_id(&mut self, state: S::State) -> u32 {
        if let Some(&id) = self.state_ids.get(&state) {
            return id;
        }
        let id = u32::try_from(self.states.len()).expect("fewer than 2^32 states fit in memory");
        self.states.push(state.clone());
        self.state_ids.insert(state, id);
        id
    }
}

impl<S: Spec> Machine for Interned<S> {
    type Action = ActionId;

    fn initial(&self) -> u32 {
        INITIAL
    }

    fn step(&mut self, state: u32, action: ActionId) -> Option<u32> {
        if let Some(&next) = self.steps.get(&(state, action)) {
            return next;
        }
        let next = self.spec.step(&self.states[state as usize], &self.actions[action.0 as usize]);
        let next = next.map(|next| self.state_id(next));
        self.steps.insert((state, action), next);
        next
    }

    fn is_pure(&self, action: ActionId) -> bool {
        self.spec.is_pure(&self.actions[action.0 as usize])
    }

    fn is_blind(&self, action: ActionId) -> bool {
        self.writes[action.0 as usize].is_some()
    }

    // Which single state an action needs cannot be known without trying all states.
    fn requires(&self, _action: ActionId) -> Option<u32> {
        None
    }

    fn produces(&self, action: ActionId) -> Option<u32> {
        self.writes[action.0 as usize]
    }

    fn heap_bytes(&self) -> usize {
        // Each is held twice, in a table of the usual load.
        self.states.len() * (2 * size_of::<S::State>() + 32)
            + self.actions.len() * (2 * size_of::<S::Action>() + 32)
            + self.steps.capacity() * 24
    }
}
