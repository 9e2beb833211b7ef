//! Operations that have been invoked and have not completed, and the oldest of them: what returned before it was
//! called can meet nothing new.

use crate::online::{Place, Ticket};

/// Open operations by ticket. Crashed ones may stay on; they do not hold the window.
#[derive(Debug, Clone)]
pub(super) struct Open<T> {
    slots: Vec<Option<Slot<T>>>,
    free: Vec<u32>,
}

#[derive(Debug, Clone)]
struct Slot<T> {
    call: Place,
    crashed: bool,
    op: T,
}

impl<T> Default for Open<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new() }
    }
}

impl<T> Open<T> {
    /// Operations here, crashed ones included.
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(super) fn insert(&mut self, call: Place, op: T) -> Ticket {
        let slot = Some(Slot { call, crashed: false, op });
        if let Some(id) = self.free.pop() {
            self.slots[id as usize] = slot;
            return Ticket(id);
        }
        let id = u32::try_from(self.slots.len()).expect("fewer than 2^32 operations are open at once");
        self.slots.push(slot);
        Ticket(id)
    }

    fn slot(&self, ticket: Ticket) -> &Slot<T> {
        let slot = self.slots.get(ticket.0 as usize).and_then(Option::as_ref);
        slot.expect("a ticket is handed back once, to the monitor that gave it out")
    }

    /// When it was called.
    pub(super) fn call(&self, ticket: Ticket) -> Place {
        self.slot(ticket).call
    }

    pub(super) fn get(&self, ticket: Ticket) -> &T {
        &self.slot(ticket).op
    }

    pub(super) fn get_mut(&mut self, ticket: Ticket) -> &mut T {
        let slot = self.slots.get_mut(ticket.0 as usize).and_then(Option::as_mut);
        &mut slot.expect("a ticket is handed back once, to the monitor that gave it out").op
    }

    pub(super) fn is_crashed(&self, ticket: Ticket) -> bool {
        self.slot(ticket).crashed
    }

    /// Takes it out.
    pub(super) fn remove(&mut self, ticket: Ticket) -> (Place, T) {
        let slot = self.slots.get_mut(ticket.0 as usize).and_then(Option::take);
        let slot = slot.expect("a ticket is handed back once, to the monitor that gave it out");
        self.free.push(ticket.0);
        (slot.call, slot.op)
    }

    /// It will never complete: it stays, but holds the window no more.
    pub(super) fn crash(&mut self, ticket: Ticket) {
        let slot = self.slots.get_mut(ticket.0 as usize).and_then(Option::as_mut);
        let slot = slot.expect("a ticket is handed back once, to the monitor that gave it out");
        slot.crashed = true;
    }

    /// The call of the oldest operation that may still complete; `now` if there is none.
    pub(super) fn oldest(&self, now: Place) -> Place {
        self.slots.iter().flatten().filter(|slot| !slot.crashed).map(|slot| slot.call).min().unwrap_or(now)
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Place, &T)> {
        self.slots.iter().flatten().map(|slot| (slot.call, &slot.op))
    }

    /// All of them.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (Place, &mut T)> {
        self.slots.iter_mut().flatten().map(|slot| (slot.call, &mut slot.op))
    }

    /// Takes out the crashed ones called before `place`.
    pub(super) fn take_crashed(&mut self, before: Place, mut each: impl FnMut(T)) {
        for (id, slot) in (0..).zip(&mut self.slots) {
            if let Some(Slot { op, .. }) = slot.take_if(|slot| slot.crashed && slot.call < before) {
                self.free.push(id);
                each(op);
            }
        }
    }

    /// Gives back room, if nothing is open.
    pub(super) fn shrink(&mut self) {
        if self.len() == 0 {
            *self = Self::default();
        }
    }
}
