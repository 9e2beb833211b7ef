//! One operation, from what is asked to how it ended. The history's lines are made from these.

use crate::error::Cause;
use crate::{Error, outcome};
use serde_json::Value;
use std::sync::Arc;
use zab_wire::Zxid;

/// Whether an operation can change anything: decides what it means not to know how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It only looks.
    Reads,
    /// It may change the state.
    Changes,
}

/// An operation to be carried out.
#[derive(Debug, Clone, PartialEq)]
pub struct Invocation {
    /// What to do: a name that the workload and its checker share, such as `read`.
    pub f: &'static str,
    /// Whether it can change anything.
    pub effect: Effect,
    /// On what.
    pub key: Option<Arc<str>>,
    /// With what.
    pub value: Value,
    /// Whether this is one of the reads after everything was healed.
    pub final_read: bool,
}

/// How an operation ended, for the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It happened.
    Ok,
    /// It certainly did not happen.
    Fail,
    /// Nobody knows, for ever.
    Info,
}

/// The end of an operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Completion {
    /// How it ended.
    pub status: Status,
    /// What it gave; null where nothing is known.
    pub value: Value,
    /// Why it is not ok.
    pub error: Option<String>,
    /// zxid of the reply that decided it.
    pub zxid: Option<Zxid>,
}

impl Completion {
    /// It happened and gave `value`.
    #[must_use]
    pub fn ok(value: Value, zxid: Zxid) -> Self {
        Self { status: Status::Ok, value, error: None, zxid: Some(zxid) }
    }

    /// It ended in `error`; `effect` is that of the request that met it, `value` what is known so far.
    #[must_use]
    pub fn failed(effect: Effect, error: &Error, value: Value) -> Self {
        Self {
            status: outcome::decide(effect, error),
            value,
            error: Some(error.to_string()),
            zxid: error.zxid(),
        }
    }

    /// The run ended before it did.
    #[must_use]
    pub fn abandoned(effect: Effect) -> Self {
        Self::failed(effect, &Error::Lost(Cause::Abandoned), Value::Null)
    }
}
