//! Where a history stops being linearizable. Linearizability is closed under prefixes, so there is a first
//! return that no order gets past.
//!
//! A search that fails leaves bounds behind: a linearization of some prefix, and a return by which the
//! history certainly failed (which may come later, because the search looks ahead). What is between is
//! bisected, whatever method decides.

use std::collections::HashSet;

use crate::engine::Answer;
use crate::{LinOp, NEVER, Position};

/// Where a history fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The operation (index into the problem) with whose return the history is certainly not
    /// linearizable. The first such one if it comes from [`first_failure`], unless a budget kept that from
    /// being known.
    pub op: usize,
    /// A linearization of a prefix of the history: of everything up to the return before that of `op`,
    /// with the same reservation.
    pub prefix: Vec<u32>,
}

/// Finds the first return by which an invalid history fails. `decide` decides prefixes; the whole is invalid.
///
/// # Panics
/// Never for an invalid history: it has a returned operation.
pub fn first_failure<A: Copy>(ops: &[LinOp<A>], decide: impl FnMut(&[LinOp<A>]) -> Answer) -> Failure {
    Bisection::new(ops).run(decide)
}

/// [`first_failure`], given what a search said of the whole: with luck there is nothing left to do.
///
/// # Panics
/// Never for an invalid history: it has a returned operation.
pub fn first_failure_within<A: Copy>(
    ops: &[LinOp<A>],
    known: &Failure,
    decide: impl FnMut(&[LinOp<A>]) -> Answer,
) -> Failure {
    let mut bisection = Bisection::new(ops);
    bisection.learn(known.op, known.prefix.clone());
    bisection.run(decide)
}

struct Bisection<'a, A> {
    ops: &'a [LinOp<A>],
    by_return: Vec<(Position, usize)>,
    /// `good` returns fit an order, `bad` returns do not.
    good: usize,
    bad: usize,
    prefix: Vec<u32>,
}

impl<'a, A: Copy> Bisection<'a, A> {
    fn new(ops: &'a [LinOp<A>]) -> Self {
        let mut by_return: Vec<(Position, usize)> =
            ops.iter().enumerate().filter(|(_, op)| op.returned()).map(|(id, op)| (op.ret, id)).collect();
        by_return.sort_unstable();
        let bad = by_return.len();
        Self { ops, by_return, good: 0, bad, prefix: Vec::new() }
    }

    /// Takes in a failure of the whole or of a prefix, in terms of the whole.
    fn learn(&mut self, op: usize, prefix: Vec<u32>) {
        let returns = self.by_return.partition_point(|&(ret, _)| ret <= self.ops[op].ret);
        self.bad = self.bad.min(returns);
        let placed: HashSet<u32> = prefix.iter().copied().collect();
        let good = self.by_return.iter().take_while(|&&(_, id)| placed.contains(&small(id))).count();
        if good >= self.good && good < self.bad {
            self.good = good;
            self.prefix = prefix;
        }
    }

    fn run(mut self, mut decide: impl FnMut(&[LinOp<A>]) -> Answer) -> Failure {
        while self.bad - self.good > 1 {
            let middle = usize::midpoint(self.good, self.bad);
            let (cut, ids) = until(self.ops, self.by_return[middle - 1].0);
            let renamed = |order: Vec<u32>| order.into_iter().map(|id| small(ids[id as usize])).collect();
            match decide(&cut) {
                Answer::Valid { witness } => {
                    self.good = middle;
                    self.prefix = renamed(witness);
                }
                Answer::Invalid { failure } => {
                    self.bad = middle;
                    if let Some(Failure { op, prefix }) = failure {
                        self.learn(ids[op], renamed(prefix));
                    }
                }
                Answer::Unknown { .. } => break,
            }
        }
        let last = self.bad.checked_sub(1).expect("a history without returns is linearizable");
        Failure { op: self.by_return[last].1, prefix: self.prefix }
    }
}

fn small(id: usize) -> u32 {
    u32::try_from(id).expect("a problem holds fewer than 2^32 operations")
}

/// The history up to and including position `end`: what was not called by then is gone, what had not
/// returned by then is open. Also gives the original index of each operation.
pub fn until<A: Copy>(ops: &[LinOp<A>], end: Position) -> (Vec<LinOp<A>>, Vec<usize>) {
    let ids: Vec<usize> = (0..ops.len()).filter(|&id| ops[id].call <= end).collect();
    let cut = |&id: &usize| LinOp { ret: if ops[id].ret <= end { ops[id].ret } else { NEVER }, ..ops[id] };
    (ids.iter().map(cut).collect(), ids)
}
