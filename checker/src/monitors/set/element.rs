//! One element of a set that nobody removes: there is one moment at which it comes in.
//!
//! That moment comes after the call of every operation that missed the element, and before the return of
//! every one that added or found it. As late as these allow is best: then the add that was called first has
//! begun, if any has by then.

use crate::counterexample::Class;
use crate::model::ElementAction;
use crate::monitors::index::by_call;
use crate::{Conflict, Decision, LinOp, Piece};

use Piece::{Called, Op, Returned, Text};

/// Decides an element. Open where it is removed: it then is a register of two values, each of which is
/// written many times.
///
/// # Panics
/// On 2^32 operations, which fit in no memory.
#[must_use]
pub fn decide_element(ops: &[LinOp<ElementAction>]) -> Decision {
    if ops.iter().any(|op| op.action == ElementAction::Remove) {
        return Decision::Open("the element is removed");
    }
    let all = |action| (0..).zip(ops).filter(move |(_, op)| op.action == action);
    let missed = all(ElementAction::Contains(false)).filter(|(_, op)| op.returned());
    let missed = missed.max_by_key(|(_, op)| op.call);
    let found = all(ElementAction::Contains(true)).filter(|(_, op)| op.returned());
    let found = found.min_by_key(|(_, op)| op.ret);
    let added = all(ElementAction::Add).filter(|(_, op)| op.returned()).min_by_key(|(_, op)| op.ret);
    let begun = all(ElementAction::Add).min_by_key(|(_, op)| op.call);
    if let Some((find, finding)) = found {
        let Some((add, adding)) = begun else {
            let sentence = vec![Op(find), Text(" found what nobody added")];
            return invalid(Class::PhantomRead, vec![find], sentence);
        };
        if finding.precedes(adding) {
            let sentence =
                vec![Op(find), Text(" found it, and "), Returned(find), Text(" before "), Called(add)];
            return invalid(Class::PhantomRead, vec![find, add], sentence);
        }
        if let Some((miss, _)) = missed.filter(|(_, missing)| finding.precedes(missing)) {
            return invalid(Class::StaleRead, vec![add, find, miss], too_late(find, miss));
        }
    }
    if let (Some((add, adding)), Some((miss, missing))) = (added, missed)
        && adding.precedes(missing)
    {
        let class = if found.is_some() { Class::StaleRead } else { Class::LostUpdate };
        return invalid(class, vec![add, miss], too_late(add, miss));
    }
    let first = begun.filter(|(_, op)| op.returned() || found.is_some()).map(|(id, _)| id);
    Decision::Valid(order(ops, first))
}

fn too_late(earlier: u32, miss: u32) -> Vec<Piece> {
    vec![Returned(earlier), Text(" before "), Called(miss), Text(", yet "), Op(miss)]
}

fn invalid(class: Class, ops: Vec<u32>, sentence: Vec<Piece>) -> Decision {
    Decision::Invalid(Conflict { class, ops, sentence })
}

/// What missed it, the first add, the rest; all by call.
fn order(ops: &[LinOp<ElementAction>], first: Option<u32>) -> Vec<u32> {
    let mut order: Vec<u32> = by_call(ops);
    order.retain(|&id| ops[id as usize].returned() || Some(id) == first);
    order.sort_by_key(|&id| (ops[id as usize].action != ElementAction::Contains(false), Some(id) != first));
    order
}
