//! The order that proves a queue linearizable, or why there is none.
//!
//! First every dequeue that found the queue empty gets the earliest moment at which nothing was certainly in.
//! Then elements are put in the order in which they pass through the queue: a must pass before b if, in real
//! time, a came in before b came in, or went out before b went out. A moment counts as an element that comes
//! and goes at once. Elements that stay pass last.
//!
//! "Must pass before" is the union of two interval orders, and if it has a cycle, it has one of two: in a
//! shortest cycle the two orders alternate (each is transitive). Let it run from a to b and later from c to d
//! by the same order. By the intervals, a is before d or c before b as well, and either makes a shorter
//! cycle. But cycles of two are just what conditions 2 and 3 exclude. So elements can be sorted
//! topologically.
//!
//! Last, entries and exits are merged: an exit goes ahead of the first entry that was called after it, in so
//! far as the order allows. Nothing comes behind what was called after its return: something that passes no
//! later would have been called after that as well, and would have to pass after it.

use crate::model::QueueAction;
use crate::monitors::index::{by_key, small};
use crate::monitors::queue::elements::{Element, Elements};
use crate::monitors::queue::explain;
use crate::{Conflict, LinOp, NEVER, Position};

pub(super) fn order(ops: &[LinOp<QueueAction>], elements: &Elements) -> Result<Vec<u32>, Conflict> {
    let first_to_stay = elements.stayed.iter().min_by_key(|element| element.entry.1);
    if let Some(stays) = first_to_stay
        && let Some(overtook) = elements.gone.iter().find(|element| stays.entry.1 < element.entry.0)
    {
        return Err(explain::overtaken(elements, ops, stays, overtook));
    }
    let moments = moments(ops, elements)?;
    let passing = Passing::new(elements, &moments);
    let Some(passed) = passing.sort() else { return Err(inversion(ops, elements)) };
    Ok(schedule(elements, &moments, &passed, ops.len()))
}

/// A moment just after `position` at which the queue was found empty.
struct Moment {
    dequeue: u32,
    position: Position,
}

/// The earliest moment for each dequeue that found the queue empty, in order.
fn moments(ops: &[LinOp<QueueAction>], elements: &Elements) -> Result<Vec<Moment>, Conflict> {
    if elements.empty.is_empty() {
        return Ok(Vec::new());
    }
    let op = |id: u32| &ops[id as usize];
    let inside: Vec<(Position, Position)> = elements
        .gone
        .iter()
        .chain(&elements.stayed)
        .map(|element| (element.entry.1, element.exit.0))
        .collect();
    let starts: Vec<Position> = inside.iter().map(|&(start, _)| start).collect();
    let sorted = by_key(&starts);
    let mut next = sorted.iter().map(|&at| inside[at as usize]).peekable();
    let calls: Vec<Position> = elements.empty.iter().map(|&id| op(id).call).collect();
    // Something is certainly in until `until`, from the moment it was looked at.
    let mut until = 0;
    let mut moments = Vec::with_capacity(calls.len());
    for at in by_key(&calls) {
        let dequeue = elements.empty[at as usize];
        let mut position = until.max(op(dequeue).call);
        while let Some((_, end)) = next.next_if(|&(start, _)| start <= position) {
            position = position.max(end);
        }
        until = position;
        if position >= op(dequeue).ret {
            return Err(explain::wrong_empty(elements, ops, dequeue));
        }
        moments.push(Moment { dequeue, position });
    }
    Ok(moments)
}

/// What passes through the queue: elements that go out, then moments. By index, four columns.
struct Passing {
    entry_calls: Vec<Position>,
    entry_returns: Vec<Position>,
    exit_calls: Vec<Position>,
    exit_returns: Vec<Position>,
}

impl Passing {
    fn new(elements: &Elements, moments: &[Moment]) -> Self {
        let column = |of_element: fn(&Element) -> Position, after: Position| -> Vec<Position> {
            let of_moments = moments.iter().map(|moment| moment.position + after);
            elements.gone.iter().map(of_element).chain(of_moments).collect()
        };
        // A moment just after p is later than p and earlier than p + 1.
        Self {
            entry_calls: column(|element| element.entry.0, 0),
            entry_returns: column(|element| element.entry.1, 1),
            exit_calls: column(|element| element.exit.0, 0),
            exit_returns: column(|element| element.exit.1, 1),
        }
    }

    /// Topologically; `None` if some two must precede each other.
    fn sort(&self) -> Option<Vec<u32>> {
        let count = self.entry_calls.len();
        let mut entries = Front::new(&self.entry_calls, &self.entry_returns);
        let mut exits = Front::new(&self.exit_calls, &self.exit_returns);
        let mut state = vec![0_u8; count];
        let mut ready: Vec<u32> = Vec::new();
        let mut sorted = Vec::with_capacity(count);
        loop {
            for front in [&mut entries, &mut exits] {
                front.advance(&mut state, &mut ready);
            }
            let Some(next) = ready.pop() else { break };
            state[next as usize] = PASSED;
            sorted.push(next);
        }
        (sorted.len() == count).then_some(sorted)
    }
}

/// Bits of the state of one that is still to pass: nothing must enter, nothing must leave before it.
const PASSED: u8 = 3;
const FREE: u8 = 2;

/// One of the two interval orders, swept from left to right.
struct Front<'a> {
    calls: &'a [Position],
    returns: &'a [Position],
    by_call: Vec<u32>,
    by_return: Vec<u32>,
    next_call: usize,
    next_return: usize,
}

impl<'a> Front<'a> {
    fn new(calls: &'a [Position], returns: &'a [Position]) -> Self {
        Self {
            calls,
            returns,
            by_call: by_key(calls),
            by_return: by_key(returns),
            next_call: 0,
            next_return: 0,
        }
    }

    /// Counts, for all called before the first return of one still to pass, that nothing is in their way
    /// here.
    fn advance(&mut self, state: &mut [u8], ready: &mut Vec<u32>) {
        while self.by_return.get(self.next_return).is_some_and(|&id| state[id as usize] == PASSED) {
            self.next_return += 1;
        }
        let first = self.by_return.get(self.next_return).map_or(NEVER, |&id| self.returns[id as usize]);
        while let Some(&id) = self.by_call.get(self.next_call).filter(|&&id| self.calls[id as usize] < first)
        {
            self.next_call += 1;
            state[id as usize] += 1;
            if state[id as usize] == FREE {
                ready.push(id);
            }
        }
    }
}

/// Two elements of which each must pass before the other. There are some.
fn inversion(ops: &[LinOp<QueueAction>], elements: &Elements) -> Conflict {
    let gone = &elements.gone;
    let calls: Vec<Position> = gone.iter().map(|element| element.entry.0).collect();
    let returns: Vec<Position> = gone.iter().map(|element| element.entry.1).collect();
    let by_return = by_key(&returns);
    let mut earlier = by_return.iter().map(|&id| &gone[id as usize]).peekable();
    // Of those that came in before, the one that went out last.
    let mut last: Option<&Element> = None;
    for id in by_key(&calls) {
        let second = &gone[id as usize];
        while let Some(first) = earlier.next_if(|first| first.entry.1 < second.entry.0) {
            if last.is_none_or(|last| last.exit.0 < first.exit.0) {
                last = Some(first);
            }
        }
        if let Some(first) = last.filter(|first| second.exit.1 < first.exit.0) {
            return explain::overtaken(elements, ops, first, second);
        }
    }
    unreachable!("a cycle in the union of two interval orders contains one of two")
}

/// Merges entries and exits, each in the given order. A moment is before what passes after it and behind the
/// rest.
fn schedule(elements: &Elements, moments: &[Moment], passed: &[u32], size: usize) -> Vec<u32> {
    let gone = small(elements.gone.len());
    let mut stayed: Vec<&Element> = elements.stayed.iter().collect();
    stayed.sort_unstable_by_key(|element| element.entry.0);
    let mut schedule = Schedule { order: Vec::with_capacity(size), exits: Vec::new(), next: 0 };
    for &id in passed {
        if id < gone {
            schedule.enter(&elements.gone[id as usize]);
        } else {
            let moment = &moments[(id - gone) as usize];
            schedule.leave(NEVER);
            schedule.order.push(moment.dequeue);
        }
    }
    for element in stayed {
        schedule.enter(element);
    }
    schedule.leave(NEVER);
    schedule.order
}

struct Schedule {
    order: Vec<u32>,
    /// Exits: when the dequeue was called, and which it is. Those from `next` on are to come.
    exits: Vec<(Position, u32)>,
    next: usize,
}

impl Schedule {
    fn enter(&mut self, element: &Element) {
        self.leave(element.entry.0);
        self.order.push(element.enqueue);
        if !element.stays() {
            self.exits.push((element.exit.0, element.dequeue));
        }
    }

    /// All exits called before `end`, but none out of order.
    fn leave(&mut self, end: Position) {
        while let Some(&(_, dequeue)) = self.exits.get(self.next).filter(|&&(call, _)| call < end) {
            self.order.push(dequeue);
            self.next += 1;
        }
    }
}
