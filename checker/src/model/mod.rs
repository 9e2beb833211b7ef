//! Models: what an object does, as a state machine over small integers.
//!
//! States and actions are cheap to copy and compare; a model whose states are large interns them and
//! hands out ids. Values were interned before ([`Values`]).

mod kv;
mod register;

pub use kv::{KvAction, KvMachine};
pub use register::{RegAction, RegMachine};

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;

use serde::{Deserialize, Serialize};
use serde_json::Value;

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

/// The models a file can be checked against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Model {
    /// `read` and `write`, per key; initially null.
    Register,
    /// `read`, `write` and `cas`, per key; initially null.
    CasRegister,
    /// `get`, `put` and `append` on strings, per key; initially the empty string. Also takes `read`
    /// and `write`, which then mean a register per key.
    Kv,
}

impl Model {
    /// All models, in the order help should list them.
    pub const ALL: [Self; 3] = [Self::Register, Self::CasRegister, Self::Kv];

    /// `register`, `cas-register` or `kv`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::CasRegister => "cas-register",
            Self::Kv => "kv",
        }
    }

    /// The model of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|model| model.name() == name)
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// JSON values interned to small integers. Equal means equal JSON text; id 0 is null.
#[derive(Debug)]
pub struct Values {
    ids: HashMap<String, u32>,
    values: Vec<Value>,
}

impl Default for Values {
    fn default() -> Self {
        let mut values = Self { ids: HashMap::new(), values: Vec::new() };
        values.intern(&Value::Null);
        values
    }
}

impl Values {
    /// The id of a value, given out on first sight.
    ///
    /// # Panics
    /// After 2^32 values; a history holds fewer.
    pub fn intern(&mut self, value: &Value) -> u32 {
        let text = value.to_string();
        if let Some(&id) = self.ids.get(&text) {
            return id;
        }
        let id = u32::try_from(self.values.len()).expect("a history holds fewer than 2^32 values");
        self.ids.insert(text, id);
        self.values.push(value.clone());
        id
    }

    /// The value of an id that [`Values::intern`] gave out.
    #[must_use]
    pub fn value(&self, id: u32) -> &Value {
        self.values.get(id as usize).unwrap_or(&Value::Null)
    }
}
