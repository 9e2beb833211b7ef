//! What is said of a violation: its class, the operations (by index of invocation) and one sentence.

use crate::Class;
use crate::online::register::zones::{Clash, Side};
use crate::online::value::Val;
use crate::online::{Place, Violation, index, name};

/// How a value that is not held came to be unknown, as far as that is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Its write, called then, failed.
    Failed(Place),
    /// It was overwritten; an operation on it was called then.
    Overwritten(Place),
    /// Not among those remembered.
    Unknown {
        /// Higher ones have been written, so it is more likely to be an old one than an invented one.
        written: bool,
    },
}

pub(super) fn unknown(at: Place, call: Place, value: Val, fate: Fate) -> Violation {
    let (class, other, why) = match fate {
        Fate::Failed(write) => {
            (Class::DirtyRead, Some(write), format!("whose write {} had certainly failed", name(write)))
        }
        Fate::Overwritten(op) => (
            Class::StaleRead,
            Some(op),
            format!("which had certainly been overwritten before (it was still there for {})", name(op)),
        ),
        Fate::Unknown { written: false } => (Class::PhantomRead, None, "which nobody wrote".to_owned()),
        Fate::Unknown { written: true } => {
            (Class::StaleRead, None, "which was overwritten long ago, or never written".to_owned())
        }
    };
    let sentence = format!("{} found {value}, {why}", name(call));
    Violation::new(class, at, other.into_iter().chain([call]), sentence)
}

pub(super) fn dirty(at: Place, write: Place, value: Val, reader: Place) -> Violation {
    let sentence =
        format!("{} wrote {value} and certainly failed, yet {} found it", name(write), name(reader));
    Violation::new(Class::DirtyRead, at, [write, reader], sentence)
}

pub(super) fn clash(at: Place, call: Place, Clash(one, other): Clash) -> Violation {
    let class = match (one.seen, other.seen) {
        (true, true) => Class::StaleRead,
        // An update that was acknowledged and that nobody ever found, and older state came back.
        (true, false) | (false, true) => Class::LostUpdate,
        (false, false) => Class::OrderInversion,
    };
    let [one_name, other_name] = [one, other].map(|side| format!("the block of {}", side.value));
    let half = |a: &Side, b: &Side, a_name: &str, b_name: &str| {
        format!(
            "{} ({a_name}) returned before {} ({b_name}) was called",
            name(a.first_call),
            name(b.last_call)
        )
    };
    let sentence = format!(
        "{}; yet {}: each must come before the other",
        half(&one, &other, &one_name, &other_name),
        half(&other, &one, &other_name, &one_name)
    );
    let ops = [one.first_call, other.last_call, other.first_call, one.last_call, call];
    Violation::new(class, at, ops, sentence)
}

/// An operation on a value came after one on its successor.
pub(super) fn replaced(at: Place, call: Place, value: Val, successor: Place) -> Violation {
    let sentence = format!(
        "{} found {value}, but before it was called, somebody had found what replaced that, at index {}",
        name(call),
        index(successor)
    );
    Violation::new(Class::StaleRead, at, [call], sentence)
}

/// The same, seen from the compare-and-set that ties the two together.
pub(super) fn inner(at: Place, cas: Place, [old, new]: [Val; 2], reader: Place, late: Place) -> Violation {
    let sentence = format!(
        "{} replaced {old} by {new}, yet {} had found {new} or what came of it, and returned, before {} ({old} or \
         what it came of) was called",
        name(cas),
        name(reader),
        name(late)
    );
    Violation::new(Class::StaleRead, at, [reader, late, cas], sentence)
}

pub(super) fn twice(at: Place, cas: Place, [old, new]: [Val; 2], other: Val) -> Violation {
    let sentence = format!("{} replaced {old} by {new}, but {old} had been replaced by {other}", name(cas));
    Violation::new(Class::LostUpdate, at, [cas], sentence)
}

pub(super) fn circular(at: Place, cas: Place, [old, new]: [Val; 2]) -> Violation {
    let sentence = format!("{} replaced {old} by {new}, but {old} itself came of {new}", name(cas));
    Violation::new(Class::Other, at, [cas], sentence)
}
