//! What an operation does, by the name of its function: names are compared once a history, not once a call.

use crate::history::History;

/// A function that some model has. No enum: each model knows a few and none of the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Function(u8);

impl Function {
    pub(crate) const READ: Self = Self(0);
    pub(crate) const WRITE: Self = Self(1);
    pub(crate) const CAS: Self = Self(2);
    pub(crate) const GET: Self = Self(3);
    pub(crate) const PUT: Self = Self(4);
    pub(crate) const APPEND: Self = Self(5);
    pub(crate) const ADD: Self = Self(6);
    pub(crate) const SUBTRACT: Self = Self(7);
    pub(crate) const REMOVE: Self = Self(8);
    pub(crate) const CONTAINS: Self = Self(9);
    pub(crate) const ENQUEUE: Self = Self(10);
    pub(crate) const DEQUEUE: Self = Self(11);
    pub(crate) const ACQUIRE: Self = Self(12);
    pub(crate) const RELEASE: Self = Self(13);
    /// Changes nothing and observes nothing: no model has it and none minds. What it promises is not for a model.
    pub(crate) const SYNC: Self = Self(14);
    /// No model has it.
    pub(crate) const UNKNOWN: Self = Self(15);

    /// The function of that name.
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "read" => Self::READ,
            "write" => Self::WRITE,
            "cas" => Self::CAS,
            "get" => Self::GET,
            "put" => Self::PUT,
            "append" => Self::APPEND,
            "add" | "inc" | "increment" => Self::ADD,
            "dec" | "decrement" => Self::SUBTRACT,
            "remove" => Self::REMOVE,
            "contains" => Self::CONTAINS,
            "enqueue" | "enq" => Self::ENQUEUE,
            "dequeue" | "deq" => Self::DEQUEUE,
            "acquire" | "acq" | "lock" => Self::ACQUIRE,
            "release" | "rel" | "unlock" => Self::RELEASE,
            "sync" => Self::SYNC,
            _ => Self::UNKNOWN,
        }
    }

    /// Never changes the state.
    pub(crate) fn only_observes(self) -> bool {
        matches!(self, Self::READ | Self::GET | Self::CONTAINS | Self::SYNC)
    }
}

/// The functions of a history, by the id of their name.
pub(crate) struct Functions(Vec<Function>);

impl Functions {
    pub(crate) fn of(history: &History) -> Self {
        let ids = 0..u32::try_from(history.names.count()).expect("a history holds fewer than 2^32 names");
        Self(ids.map(|id| Function::named(history.names.name(id))).collect())
    }

    /// The function of a call.
    pub(crate) fn get(&self, history: &History, call: u32) -> Function {
        self.0[history.columns.f[call as usize] as usize]
    }
}
