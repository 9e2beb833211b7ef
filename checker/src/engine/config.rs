//! Configurations, the steps between them, and the trace from which a witness is read.

use crate::Position;

/// How far one possible past got, and all of it that the future depends on.
#[derive(Debug, Clone)]
pub(super) struct Config<K> {
    /// All ranks below are accounted for; this one is the next to return.
    pub(super) p: u32,
    pub(super) state: u32,
    /// When the last overwrite took effect: 0 if none did. What was called before may still be placed
    /// directly before it (*in the gap*).
    pub(super) gap: Position,
    /// Crashed operations spent, an id of [`Spent`](crate::engine::spent::Spent).
    pub(super) spent: u32,
    pub(super) cursor: Cursor,
    /// Open operations accounted for.
    pub(super) done: K,
}

/// Where steps are being taken since the last return was passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cursor {
    /// None were.
    Still,
    /// Now: in the state of the configuration, and none was an overwrite.
    Now,
    /// Now, and one of them was an overwrite: there is no reason for another.
    Overwrote,
    /// In the gap, which an overwrite put into this state.
    Gap(u32),
}

/// A way to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The operation of this rank takes effect now.
    Now(u32),
    /// The next crashed operation of this class takes effect now.
    NowCrashed(u32),
    /// It took effect in the gap.
    Before(u32),
    /// It took effect in the gap.
    BeforeCrashed(u32),
    /// It took effect in the gap, in whatever state.
    Unseen(u32),
    /// Enough was done in the gap.
    Leave,
}

/// A step and where it leads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    /// Smallest first.
    pub(super) urgency: u32,
    /// The state after it (of the gap, if it is taken there).
    pub(super) next: u32,
    pub(super) step: Step,
}

/// A step taken, as a witness needs it. Operations are indices into the problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Placed {
    /// After everything so far.
    Now(u32),
    /// After everything so far, and what is `Before` from here on goes directly before it.
    Overwrite(u32),
    /// Before the last overwrite, after what is already there.
    Before(u32),
}

/// The order that a trace describes.
pub(super) fn witness(trace: &[Placed]) -> Vec<u32> {
    let mut order = Vec::with_capacity(trace.len());
    // What follows the last gap: its overwrite, and what came after.
    let mut tail: Vec<u32> = Vec::new();
    for &placed in trace {
        match placed {
            Placed::Now(op) => tail.push(op),
            Placed::Before(op) => order.push(op),
            Placed::Overwrite(op) => {
                order.append(&mut tail);
                tail.push(op);
            }
        }
    }
    order.append(&mut tail);
    order
}
