//! FIFO queues whose elements are unique: near-linear.
//!
//! With all operations complete, a queue is linearizable iff (Henzinger, Sezgin and Vafeiadis,
//! "Aspect-oriented linearizability proofs", 2013)
//! 1. what is dequeued was enqueued, not later, and is dequeued once;
//! 2. there are no a and b so that a was enqueued before b, and b was dequeued before a, or a never was. (x
//!    before y: x returned before y was called);
//! 3. every dequeue that found the queue empty has a moment at which nothing was certainly in: an element
//!    certainly is in from the return of its enqueue to the call of its dequeue, or for ever.
//!
//! [`order`] makes the order that proves it. Operations without return:
//! * An enqueue happened if its element was dequeued. It was complete by the return of that dequeue; an
//!   earlier bound than never changes no condition.
//! * A dequeue without answer took some element that nobody else is known to have taken, or none. (If it took
//!   one whose enqueue never returned, leave out both.) Sort these dequeues by call, and the elements left
//!   over by the return of their enqueue: we may assume that the n-th dequeue took the n-th element, as long
//!   as there are both.
//!
//! **Proof** of the latter. Take any linearization, and change it as follows; conditions 2 and 3 go on to
//! hold. Let an element leave by an unused dequeue rather than stay, or by an unused one that was called
//! earlier: it is certainly in for a shorter time, and goes out before fewer others. Of two elements left
//! over let a be the one whose enqueue returned first, and let b leave by an earlier call, or a not at all:
//! let them exchange their dequeues. They are then certainly in only when a was. Whatever was enqueued after
//! b was so after a, so it was not dequeued before the call by which b now leaves; and dequeues without
//! return are not before anything. ∎

mod elements;
mod explain;
mod order;
#[cfg(test)]
mod tests;

use crate::model::QueueAction;
use crate::{Decision, LinOp};
use elements::{Elements, Refused};

/// Decides a queue. Open where an element is enqueued twice, or a dequeue is not as its action says: one with
/// an answer that did not return, or one without that did.
///
/// # Panics
/// On 2^31 operations, which fit in no memory.
#[must_use]
pub fn decide(ops: &[LinOp<QueueAction>]) -> Decision {
    match Elements::new(ops).and_then(|elements| order::order(ops, &elements).map_err(Refused::Invalid)) {
        Ok(order) => Decision::Valid(order),
        Err(Refused::Invalid(conflict)) => Decision::Invalid(conflict),
        Err(Refused::Open(reason)) => Decision::Open(reason),
    }
}
