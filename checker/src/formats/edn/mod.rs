//! Histories as EDN maps: `{:process 0, :type :invoke, :f :append, :key "0", :value "x"}`.
//!
//! Read are Jepsen's `history.edn` (one map a line, or records such as `#jepsen.history.Op{...}`), Knossos' data
//! (all maps in one vector or list), Porcupine's string stores, and Elle's transactions. [`value`] says what values
//! become. Fields may come in any order; those that a history has no use for are skipped.
//!
//! What the words mean:
//! - `:process` is an integer; a keyword such as `:nemesis` is no client.
//! - `:fail` of an update whose value is `:timed-out` is an `:info`: what timed out is not known to have failed.
//! - A `:fail` says nothing but that it did not happen, also of `:cas`; `:mismatch true`, which our writer puts
//!   there, says that it failed because of the state it found.
//! - A `:cas` invokes with the value it expects; nil is the initial value. A first line
//!   `; checker history: ...`, which our writer makes, says so where that is otherwise.
//! - `:value #jepsen.independent/tuple [key value]` is an operation on an object of its own.

mod read;
mod token;
mod value;
mod write;

pub(super) use read::{Dialect, SINGLES, logged_value, parse};
pub(super) use value::integer;
pub(super) use write::{Keywords, put_field, put_line, put_operand, put_text, put_value, write, write_head};

use crate::history::OpType;

/// What our writer's first line begins with.
const HEAD: &str = "; checker history:";

/// A timed-out update is not known to have failed, whatever its type says.
pub(super) fn completion_type(op_type: OpType, f: &str, timed_out: bool) -> OpType {
    match op_type {
        OpType::Fail if timed_out && !matches!(f, "read" | "get") => OpType::Info,
        OpType::Invoke | OpType::Ok | OpType::Fail | OpType::Info => op_type,
    }
}

/// `:invoke`, `:ok`, `:fail` or `:info`.
pub(super) fn op_type(keyword: &str) -> Option<OpType> {
    match keyword {
        ":invoke" => Some(OpType::Invoke),
        ":ok" => Some(OpType::Ok),
        ":fail" => Some(OpType::Fail),
        ":info" => Some(OpType::Info),
        _ => None,
    }
}
