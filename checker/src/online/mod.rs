//! The checks, while the run goes on: events are fed as they happen, memory stays bounded, and the first violation of
//! a key is told at the event that makes the history wrong.
//!
//! ```text
//! lines ─→ Checker ─→ one Monitor per key: Register, List, Counter, Set or Lock ─→ the first Violation
//!       └→ Stamps (zxids, over all keys)                                        ─→ every Violation
//! ```
//!
//! *The event that makes the history wrong*: linearizability is closed under prefixes, so there is a first event with
//! which no order explains what was answered. It is a completion: a return, or the failure of something that had
//! been seen to take effect. Each monitor tells it at that event and not before; each module says why that is
//! exact. Where its assumptions end (a value is written twice, say) it becomes [`Status::Inconclusive`]
//! for good and leaves the decision to the offline check. It never calls a history wrong by mistake.
//!
//! *Bounded memory*: what completes from now on was called no earlier than the oldest open operation. What that cannot
//! meet any more without a contradiction is forgotten, and to meet something forgotten is the contradiction. So
//! **an operation that never completes must be declared `info` at some time** (the client gives up on it); until
//! then it holds the window of its key open. What crashed and was never seen has to be remembered for
//! ever, in two bytes. What was forgotten cannot be named any more: a violation tells what it still knows, and the
//! offline check has the rest.

mod checker;
pub mod counter;
mod crashed;
mod floor;
pub mod list;
pub mod lock;
mod monitor;
mod open;
mod recent;
pub mod register;
pub mod set;
pub mod stamps;
mod value;

#[cfg(test)]
mod tests;

pub use checker::{Act, Checker, Event, Found, Kind, What};
pub use counter::Counter;
pub use list::List;
pub use lock::Lock;
pub use monitor::{Monitor, Status};
pub use register::Register;
pub use set::Set;
pub use stamps::Stamps;
pub use value::Val;

use crate::Class;

/// A line of the history, counted from 1: its index plus one. 0 is before the first line.
type Place = u64;

fn place(index: u64) -> Place {
    index + 1
}

/// The line's index again.
fn index(place: Place) -> u64 {
    place.saturating_sub(1)
}

/// An operation in a sentence: by the index of its invocation.
fn name(call: Place) -> String {
    if call == 0 { "the initial state".to_owned() } else { format!("#{}", index(call)) }
}

/// What [`invoke`](Register::invoke) hands out, to be handed back when the operation completes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket(u32);

impl Ticket {
    /// Of a monitor that no longer watches.
    const VOID: Self = Self(u32::MAX);
}

/// A violation, told at the first event at which the history cannot be explained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The key; empty when the history has a single object.
    pub key: String,
    /// What kind of violation.
    pub class: Class,
    /// `index` of the line that makes the history wrong.
    pub at_index: u64,
    /// `index` of the invocations of the operations it consists of, ascending. Those that were forgotten
    /// are missing: the offline check has them all.
    pub ops: Vec<u64>,
    /// Why, in one sentence.
    pub sentence: String,
}

impl Violation {
    fn new(class: Class, at: Place, calls: impl IntoIterator<Item = Place>, sentence: String) -> Self {
        let mut ops: Vec<u64> = calls.into_iter().filter(|&call| call > 0).map(index).collect();
        ops.sort_unstable();
        ops.dedup();
        Self { key: String::new(), class, at_index: index(at), ops, sentence }
    }
}

/// What a monitor says to an event: nothing, or that the history is now wrong.
pub type Step = Result<(), Violation>;
