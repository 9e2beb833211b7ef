//! Why a counter is not linearizable: one or two reads, and how many additions lie between them.

use crate::counterexample::Class;
use crate::model::CounterAction;
use crate::monitors::counter::count;
use crate::{Conflict, LinOp, Piece};

use Piece::{Called, Op, Returned, Text, Words};

/// What is wrong.
#[derive(Debug, Clone, Copy)]
pub(super) enum Evidence {
    /// No number of additions makes this.
    NoCount { read: u32 },
    /// More than all additions called before it returned.
    TooFew { read: u32 },
    /// Less than the additions wholly between the reads (or between the beginning and the read).
    TooMany { after: Option<u32>, before: u32 },
    /// `larger` returned before `smaller` was called.
    Inverted { larger: u32, smaller: u32 },
}

impl Evidence {
    pub(super) fn conflict(self, ops: &[LinOp<CounterAction>], step: i64) -> Conflict {
        match self {
            Self::NoCount { read } => {
                let sentence = vec![Op(read), Words(format!(", which is not {step} times 0, 1, 2 or more"))];
                Conflict { class: Class::PhantomRead, ops: vec![read], sentence }
            }
            Self::TooFew { read } => {
                let begun = adds(ops).filter(|add| add.call < ops[read as usize].ret).count();
                let words = format!("; only {} called before that", were(begun));
                let sentence = vec![Op(read), Text(", and "), Returned(read), Words(words)];
                Conflict { class: Class::PhantomRead, ops: vec![read], sentence }
            }
            Self::TooMany { after, before } => too_many(ops, step, after, before),
            Self::Inverted { larger, smaller } => {
                let sentence =
                    vec![Returned(larger), Text(" before "), Called(smaller), Text(", yet saw more")];
                Conflict { class: Class::StaleRead, ops: vec![larger, smaller], sentence }
            }
        }
    }
}

fn too_many(ops: &[LinOp<CounterAction>], step: i64, after: Option<u32>, before: u32) -> Conflict {
    let op = |id: u32| &ops[id as usize];
    let start = after.map_or(0, |after| op(after).ret);
    let inside = adds(ops).filter(|add| start < add.call && add.ret < op(before).call).count();
    let mut sentence = vec![Words(format!("{} called and had returned before ", were(inside)))];
    if let Some(after) = after {
        sentence = vec![
            Words(format!("{} called after ", were(inside))),
            Op(after),
            Text(" returned, and had returned before "),
        ];
    }
    let seen = counted(op(before), step) - after.map_or(0, |after| counted(op(after), step));
    let more = if after.is_some() { "more" } else { "in all" };
    sentence.extend([Called(before), Words(format!("; it saw only {seen} {more}"))]);
    let ops_of_it = after.into_iter().chain([before]).collect();
    Conflict { class: class(ops, step), ops: ops_of_it, sentence }
}

/// If the last read has all that returned before it, the one that had not was stale; if not, something is
/// lost.
fn class(ops: &[LinOp<CounterAction>], step: i64) -> Class {
    let reads = ops.iter().filter(|op| op.returned() && matches!(op.action, CounterAction::Read(_)));
    let lost = reads.max_by_key(|read| read.call).is_some_and(|read| {
        let done = adds(ops).filter(|add| add.precedes(read)).count();
        done as u64 > counted(read, step)
    });
    if lost { Class::LostUpdate } else { Class::StaleRead }
}

fn adds(ops: &[LinOp<CounterAction>]) -> impl Iterator<Item = &LinOp<CounterAction>> {
    ops.iter().filter(|op| matches!(op.action, CounterAction::Add(_)))
}

fn counted(op: &LinOp<CounterAction>, step: i64) -> u64 {
    match op.action {
        CounterAction::Read(number) => count(number, step).unwrap_or(0),
        CounterAction::Add(_) => 0,
    }
}

fn were(additions: usize) -> String {
    if additions == 1 { "1 addition was".to_owned() } else { format!("{additions} additions were") }
}
