//! The register check: every key must be linearizable as a register with compare-and-set.
//!
//! calls by key → `problem` (values interned, pending operations bounded) → `solve` (near-linear
//! method, else search; witness verified) → for invalid keys `shrink` → `explain`.

mod blocks;
mod explain;
mod problem;
mod shrink;
mod solve;

#[cfg(test)]
mod tests;

use std::time::Instant;

use crate::check::{Checked, Explained, KeyCheck, Solved, check_keys, counterexample};
use crate::history::{Call, History};
use crate::linear::{Failure, Limits};
use crate::model::Values;
use crate::partition;
use crate::{CheckError, Counterexample, Options};
use problem::RegOp;

/// Checks that each key of the history is linearizable as a register with `read`, `write` and `cas`.
///
/// # Errors
/// When an operation is none of these or has a value of the wrong shape.
pub fn check_register(history: &History, options: &Options) -> Result<Checked, CheckError> {
    let problems = partition::by_key(&history.calls)
        .into_iter()
        .map(|(key, calls)| Problem::new(key, &calls, !history.explicit_cas, options.fast_path))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(check_keys(history, &problems, options))
}

struct Problem<'a> {
    key: &'a str,
    calls: Vec<&'a Call>,
    ops: Vec<RegOp>,
    values: Values,
    fast_path: bool,
}

impl<'a> Problem<'a> {
    fn new(key: &'a str, calls: &[&'a Call], learns_old: bool, fast_path: bool) -> Result<Self, CheckError> {
        let mut problem =
            Self { key, calls: Vec::new(), ops: Vec::new(), values: Values::default(), fast_path };
        for &call in calls {
            if let Some(action) = problem::action(call, &mut problem.values, learns_old)? {
                problem.calls.push(call);
                problem.ops.push(RegOp { call: call.call, ret: call.ret, action });
            }
        }
        Ok(problem)
    }
}

impl KeyCheck for Problem<'_> {
    fn key(&self) -> &str {
        self.key
    }

    fn calls(&self) -> &[&Call] {
        &self.calls
    }

    fn decide(&self, limits: &Limits<'_>) -> Solved {
        solve::solve(&self.ops, self.fast_path, limits)
    }

    fn counterexample(&self, failure: &Failure, timed: bool, options: &Options) -> Counterexample {
        let core = shrink::shrink(&self.ops, failure.op, Instant::now() + options.shrink_limit);
        let evidence = explain::Evidence {
            core: &core,
            ops: &self.ops,
            calls: &self.calls,
            values: &self.values,
            failure,
            timed,
        };
        let (class, why, ids) = explain::explain(&evidence);
        let explained = Explained { class, why, core: ids, minimal: core.minimal };
        counterexample(self, failure, explained, timed)
    }
}
