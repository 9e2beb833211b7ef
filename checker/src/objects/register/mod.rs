//! Registers with compare-and-set, one a key: how calls become a problem, how the engine is given the least of it,
//! and how what it finds is made small and explained.

mod explain;
mod problem;
mod shrink;

#[cfg(test)]
mod tests;

use std::time::Instant;

use crate::check::{Checked, Object, check_keys};
use crate::engine::{Answer, Failure, Limits, first_failure, search, search_parallel};
use crate::explain::Explained;
use crate::history::{History, Val};
use crate::model::{RegAction, RegMachine};
use crate::objects::{Functions, KeyError};
use crate::stamps::{self, Certified, Mode};
use crate::{CheckError, Decision, NEVER, Options, monitors, order};
use problem::RegOp;

/// Checks that each key of the history is linearizable as a register with `read`, `write` and `cas`.
///
/// # Errors
/// When a value has the wrong shape.
pub fn check_register(history: &History, options: &Options) -> Result<Checked, CheckError> {
    let has_stamps = history.has_zxids();
    let keys = super::keys(history, |functions, calls| {
        let (calls, ops) = super::problem(history, calls, functions, problem::action)?;
        let stamped = || calls.iter().map(|&id| history.call(id).zxid()).collect();
        let stamps = if has_stamps { stamped() } else { Vec::new() };
        Ok((calls, Register { ops, stamps, mode: order::mode(history) }))
    })?;
    Ok(check_keys(history, &keys, options))
}

/// One register.
/// All registers of a history at once: its calls that say something, with what they did.
pub(crate) fn problem_of(history: &History) -> Result<(Vec<u32>, Vec<RegOp>), CheckError> {
    let calls: Vec<u32> = history.calls().map(crate::Call::id).collect();
    super::problem(history, calls, &Functions::of(history), problem::action).map_err(|error| match error {
        KeyError::Malformed(error) => error,
        KeyError::Unknown(what) => CheckError::Format { name: "the history".into(), what },
    })
}

struct Register {
    ops: Vec<RegOp>,
    /// The stamp of each; empty if the history has none.
    stamps: Vec<Option<u64>>,
    mode: Mode,
}

impl Object for Register {
    type Machine = RegMachine;

    fn ops(&self) -> &[RegOp] {
        &self.ops
    }

    fn machine(&self) -> RegMachine {
        RegMachine
    }

    fn by_stamps(&self) -> Option<Vec<u32>> {
        if self.stamps.is_empty() {
            return None;
        }
        let updates = |action: RegAction| action.stores().is_some();
        match stamps::certify(&mut RegMachine, &self.ops, &self.stamps, updates, self.mode) {
            Certified::Valid(witness) => Some(witness),
            Certified::Mismatch(_) | Certified::Inapplicable(_) => None,
        }
    }

    fn monitor(&self) -> Decision {
        monitors::register::decide(&self.ops)
    }

    fn engine(&self, limits: &Limits<'_>, threads: usize) -> Answer {
        engine(&self.ops, limits, threads)
    }

    fn locate(&self, failure: Option<Failure>, limits: &Limits<'_>) -> u32 {
        let op = failure.unwrap_or_else(|| first_failure(&self.ops, |cut| engine(cut, limits, 1))).op;
        u32::try_from(op).expect("a problem holds fewer than 2^32 operations")
    }

    fn explain(&self, failing: u32, deadline: Instant) -> Explained {
        let core = shrink::shrink(&self.ops, failing as usize, deadline);
        let conflict = explain::explain(&explain::Evidence { core: &core, ops: &self.ops, failing });
        let ids = core.origin.iter().map(|&id| u32::try_from(id).expect("fewer than 2^32 operations"));
        Explained { conflict, minimal: core.minimal, core: ids.collect() }
    }

    fn value(&self, history: &History, id: u32) -> String {
        if id == problem::NIL {
            return "the initial value nil".to_owned();
        }
        history.values.display(Val::from_id(id)).to_string()
    }
}

/// Operations from which on a search gains from a second thread.
const WORTH_A_THREAD: usize = 2_000;

/// Decides by search, after all simplifications that lose nothing.
fn engine(ops: &[RegOp], limits: &Limits<'_>, threads: usize) -> Answer {
    let mut simple = problem::simplify(ops);
    problem::merge_unseen(&mut simple.ops);
    let original = |id: u32| {
        u32::try_from(simple.origin[id as usize]).expect("a problem holds fewer than 2^32 operations")
    };
    let answer = if threads > 1 && simple.ops.len() > WORTH_A_THREAD {
        search_parallel(&RegMachine, &simple.ops, limits, threads)
    } else {
        search(&mut RegMachine, &simple.ops, limits)
    };
    match answer {
        Answer::Valid { witness } => Answer::Valid { witness: witness.into_iter().map(original).collect() },
        Answer::Invalid { failure: None } => Answer::Invalid { failure: None },
        Answer::Invalid { failure: Some(failure) } => {
            // The return may be one that was concluded; then that of the observer comes next.
            let end = simple.ops[failure.op].ret;
            let by_then = ops.iter().enumerate().filter(|(_, op)| op.ret != NEVER && op.ret >= end);
            let op = by_then.min_by_key(|(_, op)| op.ret).map(|(id, _)| id);
            let prefix = failure.prefix.into_iter().map(original).collect();
            Answer::Invalid { failure: op.map(|op| Failure { op, prefix }) }
        }
        Answer::Unknown { reason } => Answer::Unknown { reason },
    }
}

/// Decides, by whatever method is fastest; for attempts at making a history smaller.
fn decide(ops: &[RegOp], limits: &Limits<'_>) -> Answer {
    match monitors::register::decide(ops) {
        Decision::Valid(witness) => Answer::Valid { witness },
        Decision::Invalid(_) => Answer::Invalid { failure: None },
        Decision::Open(_) => engine(ops, limits, 1),
    }
}
