//! Append lists whose values are unique, read as a whole: O(size of the input).
//!
//! The longest read gives the order of everything it shows, and every other read must be a prefix of it. That
//! fixes the steps that every linearization runs through: see [`super::growth`].

#[cfg(test)]
mod tests;

use crate::counterexample::Class;
use crate::model::{ListAction, ListId, Lists};
use crate::monitors::growth::{self, Grown, LEFT_OUT};
use crate::monitors::index::{Index, small};
use crate::{Conflict, Decision, LinOp, Piece};

/// Decides a list. Open only where two appends have the same value.
///
/// # Panics
/// On 2^32 operations or values in a read, which fit in no memory.
#[must_use]
pub fn decide(ops: &[LinOp<ListAction>], lists: &Lists) -> Decision {
    let appends = (0..).zip(ops).filter_map(|(id, op)| match op.action {
        ListAction::Append(value) => Some((value, id)),
        ListAction::Read(_) => None,
    });
    let Ok(appends) = Index::new(ops.len(), appends) else {
        return Decision::Open("two appends have the same value");
    };
    let (longest, shown): (Option<u32>, &[u32]) = reads(ops, lists)
        .max_by_key(|(_, shown)| shown.len())
        .map_or((None, &[]), |(id, shown)| (Some(id), shown));
    let last = 2 * small(shown.len()) + 1;
    let mut step_of: Vec<u32> = ops.iter().map(|op| first_guess(op, lists, last)).collect();
    for (place, &value) in (0..).zip(shown) {
        let longest = longest.expect("something is shown");
        let Some(append) = appends.get(value) else {
            return Decision::Invalid(never_appended(longest, value));
        };
        let step = &mut step_of[append as usize];
        if *step < last {
            return Decision::Invalid(shown_twice(longest, append, value));
        }
        *step = 2 * place + 1;
    }
    for (read, other) in reads(ops, lists) {
        if other != &shown[..other.len()] {
            let longest = longest.expect("this is a read");
            return Decision::Invalid(no_prefix(&appends, (longest, shown), (read, other)));
        }
    }
    let list = List { ops, lists, longest, appends: &appends, step_of: &step_of, last };
    growth::decide(ops, &step_of, last as usize + 1, &list)
}

fn reads<'a>(ops: &'a [LinOp<ListAction>], lists: &'a Lists) -> impl Iterator<Item = (u32, &'a [u32])> {
    (0..).zip(ops).filter_map(|(id, op)| match op.action {
        ListAction::Read(list) if op.returned() => Some((id, lists.get(list))),
        ListAction::Read(_) | ListAction::Append(_) => None,
    })
}

/// The step, as long as no append was seen.
fn first_guess(op: &LinOp<ListAction>, lists: &Lists, last: u32) -> u32 {
    match op.action {
        _ if !op.returned() => LEFT_OUT,
        ListAction::Append(_) => last,
        ListAction::Read(list) => 2 * small(lists.get(list).len()),
    }
}

fn never_appended(read: u32, value: u32) -> Conflict {
    let sentence = vec![
        Piece::Op(read),
        Piece::Text(" shows "),
        Piece::Value(value),
        Piece::Text(", which nobody appended"),
    ];
    Conflict { class: Class::PhantomRead, ops: vec![read], sentence }
}

fn shown_twice(read: u32, append: u32, value: u32) -> Conflict {
    let sentence = vec![
        Piece::Op(read),
        Piece::Text(" shows "),
        Piece::Value(value),
        Piece::Text(" twice, which only "),
        Piece::Op(append),
        Piece::Text(" appended"),
    ];
    Conflict { class: Class::DuplicateDelivery, ops: vec![append, read], sentence }
}

/// Where the two first differ, one of them shows something without what the other shows before it.
fn no_prefix(appends: &Index, longest: (u32, &[u32]), other: (u32, &[u32])) -> Conflict {
    let differ = longest.1.iter().zip(other.1).find(|(a, b)| a != b).expect("it is no prefix");
    let (&expected, &found) = differ;
    let Some(append) = appends.get(found) else { return never_appended(other.0, found) };
    let also = appends.get(expected).expect("all that the longest read shows was appended");
    let sentence = vec![
        Piece::Op(longest.0),
        Piece::Text(" shows "),
        Piece::Value(expected),
        Piece::Text(" where "),
        Piece::Op(other.0),
        Piece::Text(" shows "),
        Piece::Value(found),
        Piece::Text(", after the same beginning"),
    ];
    Conflict { class: Class::OrderInversion, ops: vec![also, append, longest.0, other.0], sentence }
}

struct List<'a> {
    ops: &'a [LinOp<ListAction>],
    lists: &'a Lists,
    longest: Option<u32>,
    appends: &'a Index,
    step_of: &'a [u32],
    last: u32,
}

impl List<'_> {
    fn shows(&self, read: u32) -> &[u32] {
        let list: Option<ListId> = match self.ops[read as usize].action {
            ListAction::Read(list) => Some(list),
            ListAction::Append(_) => None,
        };
        list.map_or(&[], |list| self.lists.get(list))
    }
}

impl Grown for List<'_> {
    fn added(&self, op: u32) -> Option<u32> {
        match self.ops[op as usize].action {
            ListAction::Append(value) => Some(value),
            ListAction::Read(_) => None,
        }
    }

    fn shown_by(&self, append: u32) -> Option<u32> {
        self.longest.filter(|_| self.step_of[append as usize] < self.last)
    }

    fn difference(&self, larger: u32, smaller: u32) -> u32 {
        let value = self.shows(larger)[self.shows(smaller).len()];
        self.appends.get(value).expect("all that the longest read shows was appended")
    }
}
