//! A problem: the operations on one object, reduced to what decides it. Every method works on these:
//! monitors, engine, certificates, online checks.

/// A place in the order in which things happened. Each event of a history (an invocation, a completion)
/// has its own, so no two are equal: even numbers from 2, which leaves 0 to the initial state, and odd numbers
/// to what is concluded about operations without a return. Unitless.
pub type Position = u32;

/// The return of an operation that never returned: later than everything.
pub const NEVER: Position = Position::MAX;

/// One operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LinOp<A> {
    /// Position of the call.
    pub call: Position,
    /// Position of the return. [`NEVER`]: it may take effect at any time after `call`, or never.
    pub ret: Position,
    /// What it does and what it observed.
    pub action: A,
}

impl<A> LinOp<A> {
    /// It returned: it certainly took effect, between call and return.
    #[must_use]
    pub fn returned(&self) -> bool {
        self.ret != NEVER
    }

    /// It returned before `other` was called.
    #[must_use]
    pub fn precedes<B>(&self, other: &LinOp<B>) -> bool {
        self.ret < other.call
    }
}
