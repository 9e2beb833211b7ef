//! Pairing of invocations with their completions.
//!
//! Real-time order is by position in the history, never by clock: two lines may carry the same
//! nanosecond, but one was written first.

use std::collections::HashMap;
use std::fmt;

use serde_json::Value;

use crate::CheckError;
use crate::history::{History, Op, OpType, Process};

/// How a call ended, as far as a checker is concerned. Failed calls had no effect and are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It took effect between `call` and `ret`.
    Ok,
    /// It may take effect at any time after `call`, or never.
    Info,
    /// A compare-and-set that was refused *because the value differed*: between `call` and `ret` the
    /// register did not hold the expected value. Only formats that say so produce it
    /// ([`PairRules::failed_cas_is_mismatch`]).
    Mismatch,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::Info => "info",
            Self::Mismatch => "mismatch",
        })
    }
}

/// One operation from invocation to completion.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The logical client.
    pub process: i64,
    /// The function, such as `read`.
    pub f: String,
    /// The object operated on.
    pub key: Option<String>,
    /// Value of the invocation.
    pub input: Value,
    /// Value of the completion; `None` when there was none or it carried no value.
    pub output: Option<Value>,
    /// Position of the invocation in real time (unitless; positions are unique in a history).
    pub call: u64,
    /// Position of the completion in real time; `None` for an [`Outcome::Info`].
    pub ret: Option<u64>,
    /// How it ended.
    pub outcome: Outcome,
    /// `index` of the invocation's line.
    pub index_invoke: u64,
    /// `index` of the completion's line, also of an `info` one.
    pub index_complete: Option<u64>,
    /// Nanoseconds since the start of the run at invocation.
    pub time_invoke: u64,
    /// Nanoseconds since the start of the run at completion, also of an `info` one.
    pub time_complete: Option<u64>,
    /// The node the client talked to.
    pub node: Option<String>,
    /// The zxid of the reply.
    pub zxid: Option<u64>,
    /// True for the reads made after everything was healed.
    pub final_read: bool,
}

impl Call {
    /// True when it certainly took effect.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.outcome == Outcome::Ok
    }
}

/// What differs between sources of histories.
#[derive(Debug, Clone, Copy, Default)]
pub struct PairRules {
    /// `fail` of a `cas` that repeats its value is an observation ("the value differed") and kept as
    /// [`Outcome::Mismatch`]; otherwise it is left out like any failure.
    pub failed_cas_is_mismatch: bool,
}

struct Open {
    op: Op,
    position: u64,
}

/// Pairs a stream of ops. Nemesis lines are counted and skipped; an invocation that never completes
/// becomes an [`Outcome::Info`] call.
///
/// # Errors
/// The first error of the stream; a completion without an invocation, of another function or key than
/// the invocation; an invocation while the same process still has one open.
pub fn pair(
    ops: impl Iterator<Item = Result<Op, CheckError>>,
    rules: PairRules,
) -> Result<History, CheckError> {
    let mut history = History::default();
    let mut open: HashMap<i64, Open> = HashMap::new();
    for (position, op) in (0_u64..).zip(ops) {
        let op = op?;
        history.lines += 1;
        let Process::Client(process) = op.process else { continue };
        history.counts.line(&op.f, op.op_type);
        if op.op_type == OpType::Invoke {
            if let Some(first) = open.get(&process) {
                return Err(wrong(
                    &op,
                    format!(
                        "process {process} invokes {:?} while its {:?} of index {} is still open",
                        op.f, first.op.f, first.op.index
                    ),
                ));
            }
            open.insert(process, Open { op, position });
            continue;
        }
        let Some(invocation) = open.remove(&process) else {
            return Err(wrong(
                &op,
                format!("process {process} completes {:?} ({}) without having invoked it", op.f, op.op_type),
            ));
        };
        check_match(&invocation.op, &op)?;
        history.calls.extend(close(process, invocation, Some((op, position)), rules));
    }
    let mut pending: Vec<(i64, Open)> = open.into_iter().collect();
    pending.sort_by_key(|(_, open)| open.position);
    for (process, open) in pending {
        history.calls.extend(close(process, open, None, rules));
    }
    history.calls.sort_by_key(|call| call.call);
    Ok(history)
}

fn wrong(op: &Op, what: String) -> CheckError {
    CheckError::Pairing { index: op.index, what }
}

fn check_match(invocation: &Op, completion: &Op) -> Result<(), CheckError> {
    let same_key = completion.key.is_none() || completion.key == invocation.key;
    if completion.f == invocation.f && same_key {
        return Ok(());
    }
    let name = |op: &Op| format!("{} of key {:?}", op.f, op.key.as_deref().unwrap_or(""));
    Err(wrong(
        completion,
        format!(
            "process {} completes {}, but index {} invoked {}",
            completion.process,
            name(completion),
            invocation.index,
            name(invocation)
        ),
    ))
}

fn close(process: i64, open: Open, end: Option<(Op, u64)>, rules: PairRules) -> Option<Call> {
    let Open { op: invocation, position } = open;
    let outcome = match &end {
        None => Outcome::Info,
        Some((op, _)) => match op.op_type {
            OpType::Ok => Outcome::Ok,
            OpType::Fail if rules.failed_cas_is_mismatch && op.f == "cas" && op.value.is_array() => {
                Outcome::Mismatch
            }
            OpType::Fail | OpType::Invoke => return None,
            OpType::Info => Outcome::Info,
        },
    };
    let mut call = Call {
        process,
        f: invocation.f,
        key: invocation.key,
        input: invocation.value,
        output: None,
        call: position,
        ret: None,
        outcome,
        index_invoke: invocation.index,
        index_complete: None,
        time_invoke: invocation.time,
        time_complete: None,
        node: invocation.node,
        zxid: None,
        final_read: invocation.final_read,
    };
    if let Some((op, position)) = end {
        call.ret = (outcome != Outcome::Info).then_some(position);
        // An `ok` read of null read the initial value; an `info` without a value says nothing.
        call.output = (outcome != Outcome::Info || !op.value.is_null()).then_some(op.value);
        call.index_complete = Some(op.index);
        call.time_complete = Some(op.time);
        call.node = op.node.or(call.node);
        call.zxid = op.zxid;
    }
    Some(call)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn op(index: u64, process: i64, op_type: OpType, f: &str, value: Value) -> Op {
        Op { value, ..Op::new(index, index * 10, Process::Client(process), op_type, f) }
    }

    #[test]
    fn pairs_in_order_of_invocation() {
        let history = History::from_ops(vec![
            op(0, 0, OpType::Invoke, "write", json!(1)),
            op(1, 1, OpType::Invoke, "read", json!(null)),
            op(2, 1, OpType::Ok, "read", json!(1)),
            Op::new(3, 30, Process::Nemesis, OpType::Info, "kill"),
            op(4, 0, OpType::Info, "write", json!(1)),
            op(5, 2, OpType::Invoke, "write", json!(2)),
            op(6, 2, OpType::Fail, "write", json!(2)),
            op(7, 3, OpType::Invoke, "cas", json!([null, 3])),
        ])
        .unwrap();
        let brief: Vec<_> = history.calls.iter().map(|c| (c.process, c.call, c.ret, c.outcome)).collect();
        assert_eq!(
            brief,
            vec![(0, 0, None, Outcome::Info), (1, 1, Some(2), Outcome::Ok), (3, 7, None, Outcome::Info)]
        );
        assert_eq!(history.lines, 8);
        assert_eq!(history.calls[0].index_complete, Some(4));
    }

    #[test]
    fn malformed_pairings_are_errors_with_their_index() {
        let error = |ops| History::from_ops(ops).unwrap_err().to_string();
        let text = error(vec![op(4, 0, OpType::Ok, "read", json!(1))]);
        assert_eq!(text, "history index 4: process 0 completes \"read\" (ok) without having invoked it");
        let text = error(vec![
            op(0, 0, OpType::Invoke, "read", json!(null)),
            op(1, 0, OpType::Invoke, "write", json!(1)),
        ]);
        assert!(
            text.contains("index 1: process 0 invokes \"write\" while its \"read\" of index 0"),
            "{text}"
        );
        let text = error(vec![
            op(0, 0, OpType::Invoke, "read", json!(null)),
            op(1, 0, OpType::Ok, "write", json!(1)),
        ]);
        assert!(text.contains("but index 0 invoked read"), "{text}");
    }

    #[test]
    fn a_refused_cas_is_an_observation_only_where_the_format_says_so() {
        let ops = || {
            vec![
                Ok(op(0, 0, OpType::Invoke, "cas", json!([1, 2]))),
                Ok(op(1, 0, OpType::Fail, "cas", json!([1, 2]))),
            ]
        };
        assert!(pair(ops().into_iter(), PairRules::default()).unwrap().calls.is_empty());
        let rules = PairRules { failed_cas_is_mismatch: true };
        assert_eq!(pair(ops().into_iter(), rules).unwrap().calls[0].outcome, Outcome::Mismatch);
    }
}
