//! Brute force: every order of every choice of operations without return, and what each model allows.

use checker::Model;
use serde_json::{Value, json};

/// What a random history is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A register whose values are written once, with compare-and-set.
    UniqueRegister,
    /// A register of three values, with compare-and-set.
    Register,
    Counter,
    List,
    Set,
    Element,
    Queue,
    Lock,
    Strings,
}

impl Kind {
    pub(crate) const ALL: [Self; 9] = [
        Self::UniqueRegister,
        Self::Register,
        Self::Counter,
        Self::List,
        Self::Set,
        Self::Element,
        Self::Queue,
        Self::Lock,
        Self::Strings,
    ];

    pub(crate) fn model(self) -> Model {
        match self {
            Self::UniqueRegister | Self::Register => Model::CasRegister,
            Self::Counter => Model::Counter,
            Self::List => Model::List,
            Self::Set => Model::Set,
            Self::Element => Model::ElementSet,
            Self::Queue => Model::Queue,
            Self::Lock => Model::Lock,
            Self::Strings => Model::Kv,
        }
    }

    /// Of ten histories, how many at least can be decided without the engine. (Two checks a history; one may use the
    /// monitor.) Locks are mostly made so that somebody releases what another acquired.
    pub(crate) fn by_monitor(self) -> u64 {
        match self {
            Self::UniqueRegister | Self::Counter | Self::List | Self::Set | Self::Queue => 8,
            Self::Register => 4,
            Self::Element => 3,
            Self::Lock => 1,
            Self::Strings => 0,
        }
    }
}

/// An operation: what was asked and what was answered.
#[derive(Debug, Clone)]
pub(crate) struct Act {
    pub(crate) process: u32,
    pub(crate) call: u32,
    /// `None`: it never completed.
    pub(crate) ret: Option<u32>,
    pub(crate) f: &'static str,
    pub(crate) input: Value,
    /// What an observing operation returned; null for others.
    pub(crate) output: Value,
}

impl Act {
    /// The value of its completion.
    pub(crate) fn completion(&self) -> Value {
        if observes(self.f) { self.output.clone() } else { self.input.clone() }
    }
}

pub(crate) fn observes(f: &str) -> bool {
    matches!(f, "read" | "get" | "contains" | "dequeue")
}

/// The state before any operation.
pub(crate) fn initial(kind: Kind) -> Value {
    match kind {
        Kind::UniqueRegister | Kind::Register => Value::Null,
        Kind::Counter => json!(0),
        Kind::List | Kind::Set | Kind::Queue => json!([]),
        Kind::Element | Kind::Lock => json!(false),
        Kind::Strings => json!(""),
    }
}

/// The state after an operation, and what it answers; `None` when it cannot happen in this state.
pub(crate) fn apply(kind: Kind, state: &Value, act: &Act) -> Option<(Value, Value)> {
    let input = &act.input;
    let items = || state.as_array().expect("a list").clone();
    let same = |answer: Value| Some((state.clone(), answer));
    let becomes = |next: Value| Some((next, Value::Null));
    match (kind, act.f) {
        (_, "read" | "get" | "contains") => same(state.clone()),
        (_, "write" | "put") => becomes(input.clone()),
        (_, "cas") => (*state == input[0]).then(|| (input[1].clone(), Value::Null)),
        (Kind::Counter, _) => becomes(json!(state.as_i64()? + input.as_i64()?)),
        (Kind::List, _) | (Kind::Queue, "enqueue") => {
            let mut items = items();
            items.push(input.clone());
            becomes(items.into())
        }
        (Kind::Queue, _) => {
            let mut items = items();
            if items.is_empty() {
                return same(Value::Null);
            }
            let first = items.remove(0);
            Some((items.into(), first))
        }
        (Kind::Set, f) => {
            let mut items: Vec<i64> = items().iter().filter_map(Value::as_i64).collect();
            let element = input.as_i64()?;
            items.retain(|item| *item != element);
            if f == "add" {
                items.push(element);
            }
            items.sort_unstable();
            becomes(items.into())
        }
        (Kind::Element, f) => becomes(json!(f == "add")),
        (Kind::Lock, "acquire") => (state == &json!(false)).then_some((json!(true), Value::Null)),
        (Kind::Lock, _) => (state == &json!(true)).then_some((json!(false), Value::Null)),
        (Kind::Strings, _) => becomes(format!("{}{}", state.as_str()?, input.as_str()?).into()),
        (Kind::UniqueRegister | Kind::Register, other) => panic!("a register has no {other}"),
    }
}

/// True when some order explains every answer.
pub(crate) fn brute(kind: Kind, acts: &[Act]) -> bool {
    fn go(kind: Kind, acts: &[Act], done: u32, state: &Value) -> bool {
        let left = || (0..acts.len()).filter(|id| done & (1 << id) == 0);
        if left().all(|id| acts[id].ret.is_none()) {
            return true;
        }
        left().any(|id| {
            // Nothing still to come may have returned before this was called.
            if left().any(|other| acts[other].ret.is_some_and(|ret| ret < acts[id].call)) {
                return false;
            }
            let Some((next, answer)) = apply(kind, state, &acts[id]) else { return false };
            let explained = acts[id].ret.is_none() || !observes(acts[id].f) || answer == acts[id].output;
            explained && go(kind, acts, done | 1 << id, &next)
        })
    }
    go(kind, acts, 0, &initial(kind))
}
