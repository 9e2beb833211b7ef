//! The operations of a queue, brought together by element.

use crate::model::QueueAction;
use crate::monitors::index::{Index, NONE};
use crate::monitors::queue::explain;
use crate::{Conflict, LinOp, NEVER, Position};

/// Why there is nothing to put in order.
pub(super) enum Refused {
    Invalid(Conflict),
    Open(&'static str),
}

/// An element: when it must have come in and gone out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element {
    pub(super) value: u32,
    /// The operations; [`NONE`] for a dequeue that there is not.
    pub(super) enqueue: u32,
    pub(super) dequeue: u32,
    /// Between these it comes in: by its dequeue's return at the latest.
    pub(super) entry: (Position, Position),
    /// Between these it goes out. ([`NEVER`], [`NEVER`]) if it stays.
    pub(super) exit: (Position, Position),
}

impl Element {
    pub(super) fn stays(&self) -> bool {
        self.dequeue == NONE
    }
}

/// The elements that came in.
pub(super) struct Elements {
    /// Those that went out.
    pub(super) gone: Vec<Element>,
    /// Those that stayed.
    pub(super) stayed: Vec<Element>,
    /// Dequeues that found the queue empty.
    pub(super) empty: Vec<u32>,
    /// There are dequeues without answer.
    pub(super) unknown: bool,
}

impl Elements {
    pub(super) fn new(ops: &[LinOp<QueueAction>]) -> Result<Self, Refused> {
        let mut all: Vec<Element> = Vec::new();
        for (id, op) in (0..).zip(ops) {
            if let QueueAction::Enqueue(value) = op.action {
                let entry = (op.call, op.ret);
                all.push(Element { value, enqueue: id, dequeue: NONE, entry, exit: (NEVER, NEVER) });
            }
        }
        let index = Index::new(ops.len(), (0..).zip(&all).map(|(at, element)| (element.value, at)));
        let Ok(index) = index else { return Err(Refused::Open("an element is enqueued twice")) };
        let mut empty = Vec::new();
        let mut unknown: Vec<u32> = Vec::new();
        for (id, op) in (0..).zip(ops) {
            match op.action {
                QueueAction::Enqueue(_) => {}
                QueueAction::Dequeue(None) if op.returned() => empty.push(id),
                QueueAction::Dequeue(None) => {}
                QueueAction::Dequeue(Some(value)) if op.returned() => {
                    let Some(at) = index.get(value) else {
                        return Err(Refused::Invalid(explain::never_enqueued(id, value)));
                    };
                    take(ops, &mut all[at as usize], id).map_err(Refused::Invalid)?;
                }
                QueueAction::DequeueUnknown if !op.returned() => unknown.push(id),
                QueueAction::Dequeue(Some(_)) => {
                    return Err(Refused::Open("a dequeue has an answer but did not return"));
                }
                QueueAction::DequeueUnknown => {
                    return Err(Refused::Open("a dequeue returned without an answer"));
                }
            }
        }
        let (mut gone, mut stayed) = (Vec::with_capacity(all.len()), Vec::new());
        for element in all {
            if !element.stays() {
                gone.push(element);
            } else if element.entry.1 != NEVER {
                stayed.push(element);
            }
        }
        if !unknown.is_empty() {
            unknown.sort_unstable_by_key(|&id| ops[id as usize].call);
            stayed.sort_unstable_by_key(|element| element.entry.1);
            let taken = unknown.len().min(stayed.len());
            for (mut element, dequeue) in stayed.drain(..taken).zip(unknown.iter().copied()) {
                go_out(ops, &mut element, dequeue);
                gone.push(element);
            }
        }
        Ok(Self { gone, stayed, empty, unknown: !unknown.is_empty() })
    }
}

/// A dequeue that returned took the element.
fn take(ops: &[LinOp<QueueAction>], element: &mut Element, dequeue: u32) -> Result<(), Conflict> {
    if !element.stays() {
        return Err(explain::twice(element, dequeue));
    }
    if ops[dequeue as usize].precedes(&ops[element.enqueue as usize]) {
        return Err(explain::too_early(element, dequeue));
    }
    go_out(ops, element, dequeue);
    Ok(())
}

fn go_out(ops: &[LinOp<QueueAction>], element: &mut Element, dequeue: u32) {
    let op = &ops[dequeue as usize];
    element.dequeue = dequeue;
    element.exit = (op.call, op.ret);
    element.entry.1 = element.entry.1.min(op.ret);
}
