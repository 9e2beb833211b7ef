//! From the calls of one key to a register problem, and the simplifications that lose nothing.

use crate::hash::{FastMap, FastSet};
use crate::history::{Call, Outcome};
use crate::model::RegAction;
use crate::objects::{ActionError, Function};
use crate::{LinOp, NEVER};

/// An operation on a register.
pub(crate) type RegOp = LinOp<RegAction>;

/// Null, the initial value.
pub(crate) const NIL: u32 = 0;

/// Stands for every value that nobody ever looks for: such values are indistinguishable.
const UNSEEN: u32 = u32::MAX;

/// The action of a call; `None` if the call says nothing (a read without an answer).
///
/// Where a `cas` invokes with `[null,new]` because it learns the old value on the way, one without a completion
/// that tells has an unknown old value: it counts as a write that may have happened.
#[inline]
pub(crate) fn action(function: Function, call: Call<'_>) -> Result<Option<RegAction>, ActionError> {
    match function {
        Function::READ => Ok(call.is_ok().then(|| RegAction::Read(call.output().unwrap_or_default().id()))),
        Function::WRITE => Ok(Some(RegAction::Write(call.input().id()))),
        Function::CAS => cas(call).map(Some),
        _ => {
            let why = format!("a register has read, write and cas, but no {:?}", call.f());
            Err(ActionError::Unknown(why))
        }
    }
}

fn cas(call: Call<'_>) -> Result<RegAction, ActionError> {
    let history = call.history();
    let learns_old = !history.explicit_cas;
    let told = call.output().and_then(|output| history.values.as_pair(output));
    let Some((old, new)) = told.or_else(|| history.values.as_pair(call.input())) else {
        let found = history.values.display(call.input());
        return Err(ActionError::Shape(format!("a cas needs a value [old,new], not {found}")));
    };
    if call.is_ok() && told.is_none() && learns_old && old.is_nil() {
        let new = history.values.display(new);
        return Err(ActionError::Shape(format!("the ok cas does not tell its old value ([old,{new}])")));
    }
    let unknown_old = learns_old && old.is_nil() && call.outcome() == Outcome::Info;
    let (old, new) = (old.id(), new.id());
    Ok(match call.outcome() {
        Outcome::Mismatch | Outcome::Fail => RegAction::NotEqual(old),
        Outcome::Ok | Outcome::Info if unknown_old => RegAction::Write(new),
        Outcome::Ok | Outcome::Info if old == new => RegAction::Read(old),
        Outcome::Ok | Outcome::Info => RegAction::Cas(old, new),
    })
}

/// A problem made smaller, and where its operations come from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Simplified {
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
    sources: FastMap<u32, Vec<usize>>,
    /// value → operations that find it
    finders: FastMap<u32, Vec<usize>>,
}

impl Kept {
    fn new(ops: &[RegOp]) -> Self {
        let keep: Vec<bool> = ops.iter().map(|op| op.returned() || op.action.stores().is_some()).collect();
        let mut kept =
            Self { ops: ops.to_vec(), keep, sources: FastMap::default(), finders: FastMap::default() };
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
        let mut wanted: FastMap<u32, usize> =
            self.finders.iter().map(|(&value, finders)| (value, finders.len())).collect();
        let mut work: Vec<usize> = (0..self.ops.len()).filter(|&id| !self.ops[id].returned()).collect();
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
                work.extend(sources.filter(|&&id| !self.ops[id].returned()));
            }
        }
    }

    fn set_deadlines(&mut self) {
        let mut work: Vec<u32> = self.finders.keys().copied().filter(|&value| value != NIL).collect();
        work.sort_unstable();
        let returned: Vec<bool> = self.ops.iter().map(|op| op.returned()).collect();
        while let Some(value) = work.pop() {
            let live = |ids: Option<&Vec<usize>>, keep: &[bool]| -> Vec<usize> {
                ids.into_iter().flatten().copied().filter(|&id| keep[id]).collect()
            };
            let &[source] = live(self.sources.get(&value), &self.keep).as_slice() else { continue };
            let finders = live(self.finders.get(&value), &self.keep);
            let earliest = finders.iter().map(|&id| self.ops[id].ret).min().unwrap_or(NEVER);
            if earliest == NEVER {
                continue;
            }
            // Just before an even position: that of a real return.
            let deadline = (earliest - 1) | 1;
            let op = &mut self.ops[source];
            if !returned[source] && deadline < op.ret {
                op.ret = deadline;
                work.extend(op.action.finds().filter(|&found| found != NIL));
            }
        }
    }
}

/// Gives one common value to everything stored that nobody looks for: such updates become
/// interchangeable, and the states they leave behind become one.
pub(crate) fn merge_unseen(ops: &mut [RegOp]) {
    let looked_for: FastSet<u32> = ops
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
