//! Locks: `acquire` (`acq`, `lock`) and `release` (`rel`, `unlock`), one a key, initially free. The lock does not know
//! who holds it: a client that releases what another acquired frees it. Where a format says *why* a try failed, a
//! refused acquire saw the lock held and a refused release saw it free.

use crate::check::{Checked, Object, check_keys};
use crate::hash::FastMap;
use crate::history::{Call, History, Outcome};
use crate::model::{LockAction, LockMachine};
use crate::objects::{ActionError, Function};
use crate::{CheckError, Decision, LinOp, Options, monitors};

/// Checks that each key of the history is linearizable as a lock.
///
/// # Errors
/// Never: operations of locks have no values.
pub fn check_lock(history: &History, options: &Options) -> Result<Checked, CheckError> {
    let keys = super::keys(history, |functions, calls| {
        let (calls, ops) = super::problem(history, calls, functions, action)?;
        let mut ids: FastMap<i64, u32> = FastMap::default();
        let sessions = calls.iter().map(|&id| session(&mut ids, history.call(id).process())).collect();
        Ok((calls, Lock { ops, sessions }))
    })?;
    Ok(check_keys(history, &keys, options))
}

/// The number of a process; a new one on first sight.
fn session(ids: &mut FastMap<i64, u32>, process: i64) -> u32 {
    let next = u32::try_from(ids.len()).expect("a history has fewer than 2^32 processes");
    *ids.entry(process).or_insert(next)
}

struct Lock {
    ops: Vec<LinOp<LockAction>>,
    /// The process of each operation, numbered.
    sessions: Vec<u32>,
}

fn action(function: Function, call: Call<'_>) -> Result<Option<LockAction>, ActionError> {
    let refused = match call.outcome() {
        Outcome::Mismatch => true,
        Outcome::Ok | Outcome::Info | Outcome::Fail => false,
    };
    Ok(Some(match (function, refused) {
        (Function::ACQUIRE, false) => LockAction::Acquire,
        (Function::ACQUIRE, true) => LockAction::Refused,
        (Function::RELEASE, false) => LockAction::Release,
        (Function::RELEASE, true) => LockAction::RefusedRelease,
        _ => {
            let why = format!("a lock has acquire and release, but no {:?}", call.f());
            return Err(ActionError::Unknown(why));
        }
    }))
}

impl Object for Lock {
    type Machine = LockMachine;

    fn ops(&self) -> &[LinOp<LockAction>] {
        &self.ops
    }

    fn machine(&self) -> LockMachine {
        LockMachine
    }

    fn monitor(&self) -> Decision {
        monitors::lock::decide(&self.ops, &self.sessions)
    }
}
