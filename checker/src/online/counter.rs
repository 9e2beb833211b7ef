//! The counter, watched while it runs: increments by one, reads.
//!
//! **When it can be explained.** Take increments as intervals from call to return (without end, if they did not
//! return), and a read of 0 before the start. An order exists iff
//! 1. for a read of a that returned at x and one of b called at y > x: a plus the increments that lie wholly between x
//!    and y is at most b;
//! 2. for a read of b that returned at x: at least b increments were called before x.
//!
//! *Proof.* Both are necessary. Increment number i has to happen after the latest call of a read of less than i, and
//! before the earliest return of a read of i or more. These windows move to the right with i, so Hall's condition need
//! only be tested on runs a < i ≤ b of numbers. (1) is Hall's condition for every returned increment to find a number.
//! For every number that was read to find an increment, it is: for a read of a called at y and one of b > a
//! returned at x, at least b - a increments were called before x and had not returned before y. It follows from
//! (2), as at most a returned before y by (1). If each side can be served, both can at once (Mendelsohn and
//! Dulmage), and numbers with their moments can be sorted, since their windows are. ∎
//!
//! **One event at a time.** (1) A read's count must not be below G, taken at its call: the maximum, over reads that
//! had returned, of a plus the increments wholly between. An increment that returns raises the terms of the reads that
//! returned before its call. Of two reads with no open increment called between them only the higher term can
//! ever matter. (2) is one number, but for increments that *fail*: each open one knows how little
//! the reads that returned since its call could spare.
//!
//! So there is a record per open operation, and an event costs at most one pass over them.

use crate::Class;
use crate::online::monitor::{Halt, Monitor, Watched};
use crate::online::open::Open;
use crate::online::{Place, Ticket, Violation, name};

/// The monitor of one counter.
pub type Counter = Monitor<Held>;

/// What is invoked on a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// Returns the count.
    Read,
    /// Adds one.
    Increment,
}

/// What is held of a counter.
#[derive(Debug, Clone)]
pub struct Held {
    open: Open<Pending>,
    /// Increments called and not failed.
    called: i64,
    /// Reads that may still set G; both fields ascend.
    least: Vec<Least>,
}

/// A read that returned, and how much there must be at least because of it.
#[derive(Debug, Clone, Copy)]
struct Least {
    ret: Place,
    count: i64,
    call: Place,
}

#[derive(Debug, Clone, Copy)]
enum Pending {
    /// G at its call, and the read that it is due to.
    Read { least: i64, due_to: Place },
    /// The highest count above what was called, over the reads that returned since its call, and which it was.
    /// At 0 that read cannot do without this increment.
    Increment { excess: i64, reader: Place },
}

/// Less than anything that is counted.
const NOTHING: i64 = i64::MIN / 4;

impl Default for Held {
    fn default() -> Self {
        Self { open: Open::default(), called: 0, least: vec![Least { ret: 0, count: 0, call: 0 }] }
    }
}

impl Watched for Held {
    type Input = Input;
    /// The count that a read returned.
    type Found<'a> = Option<i64>;

    fn invoke(&mut self, at: Place, input: Input) -> Result<Ticket, Halt> {
        let pending = match input {
            Input::Read => {
                let least = self.least.last().expect("the initial state is a read that returned");
                Pending::Read { least: least.count, due_to: least.call }
            }
            Input::Increment => {
                self.called += 1;
                Pending::Increment { excess: NOTHING, reader: 0 }
            }
        };
        Ok(self.open.insert(at, pending))
    }

    fn ok(&mut self, at: Place, ticket: Ticket, found: Option<i64>) -> Result<(), Halt> {
        match self.open.remove(ticket) {
            (call, Pending::Read { least, due_to }) => {
                let count = found.unwrap_or(0);
                if count < least {
                    return Err(too_low(at, call, count, least, due_to).into());
                }
                if count > self.called {
                    return Err(too_high(at, call, count, self.called).into());
                }
                self.read(call, at, count);
                Ok(())
            }
            (call, Pending::Increment { .. }) => {
                self.least.iter_mut().take_while(|read| read.ret < call).for_each(|read| read.count += 1);
                // The one that the last raised has caught up with says nothing more.
                let raised = self.least.partition_point(|read| read.ret < call);
                if raised > 0
                    && raised < self.least.len()
                    && self.least[raised].count <= self.least[raised - 1].count
                {
                    self.least.remove(raised);
                }
                Ok(())
            }
        }
    }

    fn fail(&mut self, at: Place, ticket: Ticket) -> Result<(), Halt> {
        let (call, Pending::Increment { excess, reader }) = self.open.remove(ticket) else { return Ok(()) };
        if excess >= 0 {
            let why = format!(
                "{} certainly failed, yet {} had read a count that cannot be reached without it",
                name(call),
                name(reader)
            );
            return Err(Violation::new(Class::DirtyRead, at, [call, reader], why).into());
        }
        self.called -= 1;
        for (other, pending) in self.open.iter_mut() {
            let Pending::Increment { excess: theirs, reader: their_reader } = pending else { continue };
            if other > call {
                *theirs += 1;
            } else if excess + 1 > *theirs {
                (*theirs, *their_reader) = (excess + 1, reader);
            }
        }
        Ok(())
    }

    fn info(&mut self, _: Place, ticket: Ticket, _: Option<i64>) -> Result<(), Halt> {
        // A crashed increment stays called for ever, and never returns.
        self.open.remove(ticket);
        Ok(())
    }

    fn sweep(&mut self, now: Place) {
        // One per gap between the calls of open operations: the last.
        let mut calls: Vec<Place> = self.open.iter().map(|(call, _)| call).collect();
        calls.push(now);
        calls.sort_unstable();
        let gap = |ret: Place| calls.partition_point(|&call| call < ret);
        let mut kept: Vec<Least> = Vec::new();
        for &read in &self.least {
            if kept.last().is_some_and(|last| gap(last.ret) == gap(read.ret)) {
                kept.pop();
            }
            kept.push(read);
        }
        self.least = kept;
    }

    fn shrink(&mut self) {
        self.open.shrink();
        self.least.shrink_to_fit();
    }

    fn passing(&self) -> usize {
        self.open.len() + self.least.len()
    }

    fn lasting(&self) -> usize {
        0
    }
}

impl Held {
    fn read(&mut self, call: Place, ret: Place, count: i64) {
        if self.least.last().is_none_or(|other| other.count < count) {
            self.least.push(Least { ret, count, call });
        }
        let above = count - self.called;
        for (_, pending) in self.open.iter_mut() {
            match pending {
                Pending::Increment { excess, reader } if *excess < above => {
                    (*excess, *reader) = (above, call)
                }
                Pending::Increment { .. } | Pending::Read { .. } => {}
            }
        }
    }
}

fn too_high(at: Place, call: Place, count: i64, called: i64) -> Violation {
    let why = format!("{} read {count}, but only {called} increments had been called", name(call));
    Violation::new(Class::PhantomRead, at, [call], why)
}

fn too_low(at: Place, call: Place, count: i64, least: i64, due_to: Place) -> Violation {
    let (class, since) = if due_to == 0 {
        (Class::LostUpdate, "by the increments acknowledged".to_owned())
    } else {
        (Class::StaleRead, format!("as {} and the increments acknowledged since show", name(due_to)))
    };
    let why = format!(
        "{} read {count}, but before it was called the count was at least {least}, {since}",
        name(call)
    );
    Violation::new(class, at, [due_to, call], why)
}
