//! What is due when: virtual time.

use super::wire::{Side, WireId};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Something that happens at its time. What exactly is looked up then: nothing here is a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Due {
    /// The next item of a lane arrives.
    Lane(WireId, Side),
    /// The next vote from one server to another arrives.
    Vote(u16, u16),
    /// A connection attempt reaches its server: this is try number so and so.
    Dial(WireId, u8),
    /// A disk has finished its batch. The number tells processes of one server apart.
    Disk(u16, u32),
    /// A server's deadline is reached. The number tells processes of one server apart.
    Timer(u16, u32),
}

/// The future, in order of time; what is due at the same time comes in the order in which it was noted.
#[derive(Debug, Clone, Default)]
pub(super) struct Agenda {
    heap: BinaryHeap<Reverse<(u64, u64, Due)>>,
    noted: u64,
}

impl Agenda {
    pub(super) fn note(&mut self, at_us: u64, due: Due) {
        self.noted += 1;
        self.heap.push(Reverse((at_us, self.noted, due)));
    }

    pub(super) fn next_at_us(&self) -> Option<u64> {
        self.heap.peek().map(|Reverse((at_us, _, _))| *at_us)
    }

    pub(super) fn peek(&self) -> Option<(u64, Due)> {
        self.heap.peek().map(|Reverse((at_us, _, due))| (*at_us, *due))
    }

    pub(super) fn take(&mut self) -> Option<(u64, Due)> {
        self.heap.pop().map(|Reverse((at_us, _, due))| (at_us, due))
    }
}
