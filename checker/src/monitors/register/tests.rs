//! The register monitor against brute force on small random histories, seeded; then the traps by name.
//!
//! Brute force shares nothing with it: it tries every order, with its own idea of a register.

mod fuzz;
mod named;

use crate::model::RegAction;
use crate::monitors::register::RegOp;
use crate::{LinOp, NEVER};

use RegAction::{Cas, NotEqual, Read, Write};

/// A value that no operation of a problem knows.
const OTHER: u32 = u32::MAX;

/// Tries every order of every choice of operations without return. With `havoc`, somebody else may store other
/// values at any time.
fn brute(ops: &[RegOp], havoc: bool) -> bool {
    fn go(ops: &[RegOp], havoc: bool, done: u32, value: u32) -> bool {
        let todo = |id: usize| done & (1 << id) == 0;
        let left = || (0..ops.len()).filter(|&id| todo(id));
        if left().all(|id| ops[id].ret == NEVER) {
            return true;
        }
        let first_return = left().map(|id| ops[id].ret).min().unwrap_or(NEVER);
        left().any(|id| {
            // Nothing still to come may have returned before this was called.
            if first_return < ops[id].call {
                return false;
            }
            let after = match ops[id].action {
                Read(seen) if seen == value => value,
                NotEqual(other) if other != value => value,
                NotEqual(_) if havoc => OTHER,
                Write(new) => new,
                Cas(old, new) if old == value => new,
                Read(_) | NotEqual(_) | Cas(..) => return false,
            };
            let done = done | 1 << id;
            go(ops, havoc, done, after) || (havoc && after != OTHER && go(ops, havoc, done, OTHER))
        })
    }
    go(ops, havoc, 0, 0) || (havoc && go(ops, havoc, 0, OTHER))
}

fn op(call: u32, ret: u32, action: RegAction) -> RegOp {
    LinOp { call, ret, action }
}
