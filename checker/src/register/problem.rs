//! From the calls of one key to a register problem, and the simplifications that lose nothing.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::CheckError;
use crate::history::{Call, Outcome};
use crate::linear::LinOp;
use crate::model::{RegAction, Values};

/// An operation on a register.
pub(crate) type RegOp = LinOp<RegAction>;

/// Null, the initial value.
pub(crate) const NIL: u32 = 0;

/// Stands for every value that nobody ever looks for: such values are indistinguishable.
const UNSEEN: u32 = u32::MAX;

/// The action of a call; `None` if the call says nothing (a read without an answer).
///
/// `learns_old`: a `cas` invokes with `[null,new]` because it learns the old value on the way; without
/// a completion that tells, its old value is unknown and it counts as a write that may have happened.
pub(crate) fn action(
    call: &Call,
    values: &mut Values,
    learns_old: bool,
) -> Result<Option<RegAction>, CheckError> {
    let shape = |what: String| CheckError::Shape { index: call.index_invoke, what };
    match call.f.as_str() {
        "read" => Ok(call
            .is_ok()
            .then(|| RegAction::Read(values.intern(call.output.as_ref().unwrap_or(&Value::Null))))),
        "write" => Ok(Some(RegAction::Write(values.intern(&call.input)))),
        "cas" => {
            let told = call.output.as_ref().and_then(pair);
            let Some((old, new)) = told.or_else(|| pair(&call.input)) else {
                return Err(shape(format!("a cas needs a value [old,new], not {}", call.input)));
            };
            if call.is_ok() && told.is_none() && learns_old && old.is_null() {
                return Err(shape(format!("the ok cas does not tell its old value ([old,{new}])")));
            }
            let unknown_old = learns_old && old.is_null() && call.outcome == Outcome::Info;
            let (old, new) = (values.intern(old), values.intern(new));
            Ok(Some(match call.outcome {
                Outcome::Mismatch => RegAction::NotEqual(old),
                Outcome::Ok | Outcome::Info if unknown_old => RegAction::Write(new),
                Outcome::Ok | Outcome::Info if old == new => RegAction::Read(old),
                Outcome::Ok | Outcome::Info => RegAction::Cas(old, new),
            }))
        }
        other => Err(shape(format!("a register has read, write and cas, but no {other:?}"))),
    }
}

fn pair(value: &Value) -> Option<(&Value, &Value)> {
    match value.as_array()?.as_slice() {
        [old, new] => Some((old, new)),
        _ => None,
    }
}

/// A problem made smaller, and where its operations come from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Simplified {
    /// Positions are spread, to make room for deadlines between the original ones.
    pub(crate) ops: Vec<RegOp>,
    /// Index of each in the original problem.
    pub(crate) origin: Vec<usize>,
}

/// Drops operations without return that nobody can need, and gives a return to those that somebody
/// did observe.
///
/// * A read without an answer says nothing.
/// * An update without return whose value nobody looks for may as well not have happened (unless a
///   refused compare-and-set could have needed *another* value there).
/// * If a value has one possible source, which did not return, then every returned operation that
///   found the value came after it: it took effect before the earliest of their returns, and gets that
///   as deadline. Its own finding is then certain too, which may give another one its deadline.
pub(crate) fn simplify(ops: &[RegOp]) -> Simplified {
    let mut kept = Kept::new(ops);
    if !ops.iter().any(|op| matches!(op.action, RegAction::NotEqual(_))) {
        kept.drop_unneeded();
    }
    kept.set_deadlines();
    let origin: Vec<usize> = (0..ops.len()).filter(|&id| kept.keep[id]).collect();
    Simplified { ops: origin.iter().map(|&id| kept.ops[id]).collect(), origin }
}

struct Kept {
    ops: Vec<RegOp>,
    keep: Vec<bool>,
    /// value → operations that store it
    sources: HashMap<u32, Vec<usize>>,
    /// value → operations that find it
    finders: HashMap<u32, Vec<usize>>,
}

impl Kept {
    fn new(ops: &[RegOp]) -> Self {
        // Even and above 0: odd positions are for deadlines, 0 is the initial state's.
        let spread = |position: u64| position * 2 + 2;
        let double = |op: &RegOp| RegOp { call: spread(op.call), ret: op.ret.map(spread), ..*op };
        let keep: Vec<bool> = ops.iter().map(|op| op.ret.is_some() || op.action.stores().is_some()).collect();
        let mut kept = Self {
            ops: ops.iter().map(double).collect(),
            keep,
            sources: HashMap::new(),
            finders: HashMap::new(),
        };
        for (id, op) in ops.iter().enumerate().filter(|&(id, _)| kept.keep[id]) {
            if let Some(value) = op.action.stores() {
                kept.sources.entry(value).or_default().push(id);
            }
            if let Some(value) = op.action.finds() {
                kept.finders.entry(value).or_default().push(id);
            }
        }
        kept
    }

    fn drop_unneeded(&mut self) {
        let mut wanted: HashMap<u32, usize> =
            self.finders.iter().map(|(&value, finders)| (value, finders.len())).collect();
        let mut work: Vec<usize> = (0..self.ops.len()).filter(|&id| self.ops[id].ret.is_none()).collect();
        while let Some(id) = work.pop() {
            let RegOp { action, .. } = self.ops[id];
            let needed = action.stores().is_none_or(|value| wanted.get(&value).is_some_and(|&n| n > 0));
            if needed || !std::mem::replace(&mut self.keep[id], false) {
                continue;
            }
            let Some(found) = action.finds() else { continue };
            let left = wanted.get_mut(&found).expect("every found value was counted");
            *left -= 1;
            if *left == 0 {
                let sources = self.sources.get(&found).into_iter().flatten();
                work.extend(sources.filter(|&&id| self.ops[id].ret.is_none()));
            }
        }
    }

    fn set_deadlines(&mut self) {
        let mut work: Vec<u32> = self.finders.keys().copied().filter(|&value| value != NIL).collect();
        work.sort_unstable();
        let returned: Vec<bool> = self.ops.iter().map(|op| op.ret.is_some()).collect();
        while let Some(value) = work.pop() {
            let live = |ids: Option<&Vec<usize>>, keep: &[bool]| -> Vec<usize> {
                ids.into_iter().flatten().copied().filter(|&id| keep[id]).collect()
            };
            let &[source] = live(self.sources.get(&value), &self.keep).as_slice() else { continue };
            let finders = live(self.finders.get(&value), &self.keep);
            let Some(earliest) = finders.iter().filter_map(|&id| self.ops[id].ret).min() else { continue };
            // Just before an even position: that of a real return.
            let deadline = (earliest - 1) | 1;
            let op = &mut self.ops[source];
            if !returned[source] && op.ret.is_none_or(|ret| deadline < ret) {
                op.ret = Some(deadline);
                work.extend(op.action.finds().filter(|&found| found != NIL));
            }
        }
    }
}

/// Gives one common value to everything stored that nobody looks for: such updates become
/// interchangeable, and the states they leave behind become one.
pub(crate) fn merge_unseen(ops: &mut [RegOp]) {
    let looked_for: HashSet<u32> = ops
        .iter()
        .filter_map(|op| match op.action {
            RegAction::Read(value) | RegAction::NotEqual(value) | RegAction::Cas(value, _) => Some(value),
            RegAction::Write(_) => None,
        })
        .collect();
    let unseen = |value: u32| if looked_for.contains(&value) { value } else { UNSEEN };
    for op in ops {
        op.action = match op.action {
            RegAction::Write(value) => RegAction::Write(unseen(value)),
            RegAction::Cas(old, new) => RegAction::Cas(old, unseen(new)),
            RegAction::Read(_) | RegAction::NotEqual(_) => op.action,
        };
    }
}
