//! Why a queue is not linearizable.

use crate::counterexample::Class;
use crate::model::QueueAction;
use crate::monitors::index::NONE;
use crate::monitors::queue::elements::{Element, Elements};
use crate::{Conflict, LinOp, Piece, Position};

use Piece::{Called, Op, Returned, Text, Value};

pub(super) fn never_enqueued(dequeue: u32, value: u32) -> Conflict {
    let sentence = vec![Op(dequeue), Text(" took "), Value(value), Text(", which nobody enqueued")];
    Conflict { class: Class::PhantomRead, ops: vec![dequeue], sentence }
}

pub(super) fn too_early(element: &Element, dequeue: u32) -> Conflict {
    let sentence = vec![
        Returned(dequeue),
        Text(" with "),
        Value(element.value),
        Text(" before "),
        Called(element.enqueue),
    ];
    Conflict { class: Class::PhantomRead, ops: vec![element.enqueue, dequeue], sentence }
}

pub(super) fn twice(element: &Element, dequeue: u32) -> Conflict {
    let sentence = vec![
        Op(element.dequeue),
        Text(" and "),
        Op(dequeue),
        Text(" both took "),
        Value(element.value),
        Text(", which was enqueued once"),
    ];
    Conflict {
        class: Class::DuplicateDelivery,
        ops: vec![element.enqueue, element.dequeue, dequeue],
        sentence,
    }
}

/// `first` was enqueued before `second`, which was dequeued before it.
pub(super) fn overtaken(
    elements: &Elements,
    ops: &[LinOp<QueueAction>],
    first: &Element,
    second: &Element,
) -> Conflict {
    let mut sentence =
        vec![Returned(first.enqueue), Text(" before "), Called(second.enqueue), Text(", yet ")];
    let mut named = vec![first.enqueue, second.enqueue, second.dequeue];
    let class = if first.stays() {
        sentence.extend([Op(second.dequeue), Text(" came first: nobody took "), Value(first.value)]);
        Class::LostUpdate
    } else {
        sentence.extend([Returned(second.dequeue), Text(" before "), Called(first.dequeue)]);
        named.push(first.dequeue);
        Class::OrderInversion
    };
    if first.stays() && elements.unknown || !first.stays() && !ops[first.dequeue as usize].returned() {
        sentence.push(NO_OTHER);
    }
    Conflict { class, ops: named, sentence }
}

const NO_OTHER: Piece =
    Text("; the dequeues without an answer are too few, or came too late, to have taken it before that");

/// The queue was found empty although these elements, one after the other, were in it all the time.
pub(super) fn wrong_empty(elements: &Elements, ops: &[LinOp<QueueAction>], empty: u32) -> Conflict {
    let cover = cover(elements, &ops[empty as usize]);
    let mut named: Vec<u32> = cover.iter().map(|element| element.enqueue).collect();
    named.extend(cover.iter().map(|element| element.dequeue).filter(|&dequeue| dequeue != NONE));
    named.push(empty);
    let mut sentence = vec![Op(empty), Text(" found nothing, yet ")];
    let mut next = empty;
    for element in &cover {
        // What was in, from before the call of the one before (at first: of the dequeue that found nothing).
        sentence.extend([Returned(element.enqueue), Text(" before "), Called(next), Text(", ")]);
        next = element.dequeue;
    }
    let last = cover.last().expect("something was in");
    if last.stays() {
        sentence.extend([Text("and nobody took "), Value(last.value)]);
    } else {
        sentence.extend([Text("and "), Returned(empty), Text(" before "), Called(next)]);
    }
    let guessed = |element: &&Element| !element.stays() && !ops[element.dequeue as usize].returned();
    if cover.iter().any(guessed) || last.stays() && elements.unknown {
        sentence.push(NO_OTHER);
    }
    Conflict { class: Class::WrongEmpty, ops: named, sentence }
}

/// The fewest elements that are certainly in, together, from the call of `empty` to its return.
fn cover<'a>(elements: &'a Elements, empty: &LinOp<QueueAction>) -> Vec<&'a Element> {
    let mut inside: Vec<&Element> = elements.gone.iter().chain(&elements.stayed).collect();
    inside.retain(|element| element.entry.1 < empty.ret && element.exit.0 > empty.call);
    inside.sort_unstable_by_key(|element| element.entry.1);
    let mut inside = inside.into_iter().peekable();
    let (mut cover, mut end): (Vec<&Element>, Position) = (Vec::new(), empty.call);
    while end < empty.ret {
        let mut best: Option<&Element> = None;
        while let Some(element) = inside.next_if(|element| element.entry.1 <= end) {
            if best.is_none_or(|best| best.exit.0 < element.exit.0) {
                best = Some(element);
            }
        }
        let Some(best) = best.filter(|best| best.exit.0 > end) else { break };
        end = best.exit.0;
        cover.push(best);
    }
    cover
}
