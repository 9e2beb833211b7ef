//! Containers that only grow, read as a whole: what append lists and grow sets have in common.
//!
//! Reads show what the container held; sorted by size, those form a chain. So every linearization runs
//! through the same *steps*, one wholly before the next: the reads that show nothing; what is new in the next
//! read; the reads that show just that; and so on; last the updates that nobody saw. An update and the reads
//! that first show it are two steps: in one, such a read could be placed ahead of the update
//! ([`crate::blocks`] says why a chain of steps can be ordered iff no step must precede an earlier one). An
//! update without return is of its step where it was seen, and never happened where it was not.

use crate::blocks::{self, Zone};
use crate::counterexample::Class;
use crate::monitors::index::{NONE, by_call};
use crate::{Conflict, Decision, LinOp, Piece};

/// The step of an operation that never happened.
pub(super) const LEFT_OUT: u32 = NONE;

/// What a container says of its operations, given the step of each.
pub(super) trait Grown {
    /// The value that an update put in; `None` for a read.
    fn added(&self, op: u32) -> Option<u32>;

    /// A read that shows the update, and nothing of later steps but perhaps behind it; `None` if nobody saw
    /// the update.
    fn shown_by(&self, update: u32) -> Option<u32>;

    /// An update that `larger` shows and `smaller` does not: `larger` is a read of a later step.
    fn difference(&self, larger: u32, smaller: u32) -> u32;
}

/// Decides by the steps: `step_of` says which of the `steps` each operation belongs to.
pub(super) fn decide<A>(ops: &[LinOp<A>], step_of: &[u32], steps: usize, grown: &impl Grown) -> Decision {
    let mut zones = vec![Zone::EMPTY; steps];
    let mut starts = vec![0_u32; steps + 1];
    for (op, &step) in ops.iter().zip(step_of) {
        if step != LEFT_OUT {
            zones[step as usize].add(op.call, op.ret);
            starts[step as usize + 1] += 1;
        }
    }
    if let Err((earlier, later)) = blocks::chain(zones) {
        let of = |step: usize| (0..).zip(ops).filter(move |(id, _)| step_of[*id as usize] as usize == step);
        let (earlier, _) = of(earlier).max_by_key(|(_, op)| op.call).expect("this step was called too late");
        let (later, _) = of(later).min_by_key(|(_, op)| op.ret).expect("this step returned too early");
        return Decision::Invalid(contradiction(grown, earlier, later));
    }
    for step in 1..starts.len() {
        starts[step] += starts[step - 1];
    }
    let mut order = vec![0; starts[steps] as usize];
    // Within a step by call: then none returned before one ahead of it was called.
    for id in by_call(ops) {
        let step = step_of[id as usize];
        if step != LEFT_OUT {
            let start = &mut starts[step as usize];
            order[*start as usize] = id;
            *start += 1;
        }
    }
    Decision::Valid(order)
}

/// `later` returned before `earlier` was called, although its step comes later.
fn contradiction(grown: &impl Grown, earlier: u32, later: u32) -> Conflict {
    use Piece::{Called, Op, Returned, Text, Value};
    let begin = [Returned(later), Text(" before "), Called(earlier)];
    let unseen = |update: u32| grown.shown_by(update).is_none();
    let (class, ops, end) = match (grown.added(earlier), grown.added(later)) {
        (Some(second), Some(first)) => {
            let read = grown.shown_by(earlier).expect("what nobody saw is the last step");
            let class = if unseen(later) { Class::LostUpdate } else { Class::OrderInversion };
            let end = vec![
                Text(", yet "),
                Op(read),
                Text(" shows "),
                Value(second),
                Text(" without "),
                Value(first),
                Text(" before it"),
            ];
            (class, vec![later, earlier, read], end)
        }
        (Some(value), None) => {
            (Class::PhantomRead, vec![earlier, later], vec![Text(", yet shows "), Value(value)])
        }
        (None, Some(value)) => {
            let class = if unseen(later) { Class::LostUpdate } else { Class::StaleRead };
            let end = vec![Text(", yet "), Op(earlier), Text(" does not show "), Value(value)];
            (class, vec![later, earlier], end)
        }
        (None, None) => {
            let update = grown.difference(later, earlier);
            let value = grown.added(update).expect("only updates are shown");
            let end = vec![Text(", yet only the former shows "), Value(value)];
            (Class::StaleRead, vec![update, later, earlier], end)
        }
    };
    Conflict { class, ops, sentence: begin.into_iter().chain(end).collect() }
}
