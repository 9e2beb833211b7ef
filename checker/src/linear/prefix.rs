//! Where a history stops being linearizable. Linearizability is closed under prefixes, so the first
//! return that no order gets past can be found by bisection, whatever method decides.

use crate::linear::{Answer, LinOp};

/// Where a history fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The operation (index into the problem) with whose return the history is certainly not
    /// linearizable. The first such one, unless a budget kept that from being known.
    pub op: usize,
    /// A linearization of a prefix of the history: of everything up to the return before that of `op`,
    /// with the same reservation.
    pub prefix: Vec<usize>,
}

/// Bisects the returns of an invalid history. `decide` decides each prefix; the whole is invalid.
///
/// # Panics
/// Never for an invalid history: it has a returned operation.
pub fn first_failure<A: Copy>(ops: &[LinOp<A>], mut decide: impl FnMut(&[LinOp<A>]) -> Answer) -> Failure {
    let mut by_return: Vec<(u64, usize)> =
        ops.iter().enumerate().filter_map(|(id, op)| op.ret.map(|ret| (ret, id))).collect();
    by_return.sort_unstable();
    let (mut good, mut bad) = (0, by_return.len());
    let mut prefix = Vec::new();
    // `good` returns fit an order, `bad` returns do not.
    while bad - good > 1 {
        let middle = usize::midpoint(good, bad);
        let (cut, ids) = until(ops, by_return[middle - 1].0);
        match decide(&cut) {
            Answer::Valid { witness } => {
                good = middle;
                prefix = witness.into_iter().map(|id| ids[id]).collect();
            }
            Answer::Invalid => bad = middle,
            Answer::Unknown { .. } => break,
        }
    }
    let (_, op) = by_return[bad.checked_sub(1).expect("a history without returns is linearizable")];
    Failure { op, prefix }
}

/// The history up to and including position `end`: what was not called by then is gone, what had not
/// returned by then is open. Also gives the original index of each operation.
pub fn until<A: Copy>(ops: &[LinOp<A>], end: u64) -> (Vec<LinOp<A>>, Vec<usize>) {
    let ids: Vec<usize> = (0..ops.len()).filter(|&id| ops[id].call <= end).collect();
    let cut = |&id: &usize| LinOp { ret: ops[id].ret.filter(|&ret| ret <= end), ..ops[id] };
    (ids.iter().map(cut).collect(), ids)
}
