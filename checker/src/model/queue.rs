//! A FIFO queue. Initially empty.

use std::collections::HashMap;
use std::rc::Rc;

use crate::model::Machine;

/// An operation on a queue, with what it observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QueueAction {
    /// Put this element at the end.
    Enqueue(u32),
    /// Took this element from the front; `None`: found the queue empty.
    Dequeue(Option<u32>),
    /// Took the first element, or found the queue empty: the answer never came.
    DequeueUnknown,
}

/// The queue. A state is its content, first element first.
#[derive(Debug)]
pub struct QueueMachine {
    contents: Vec<Rc<[u32]>>,
    ids: HashMap<Rc<[u32]>, u32>,
    /// (content, what is put at its end or `None` for taking from its front) → content.
    after: HashMap<(u32, Option<u32>), u32>,
    items: usize,
}

const EMPTY: u32 = 0;

impl Default for QueueMachine {
    fn default() -> Self {
        let mut machine = Self { contents: Vec::new(), ids: HashMap::new(), after: HashMap::new(), items: 0 };
        machine.intern(&[], None);
        machine
    }
}

impl QueueMachine {
    fn intern(&mut self, content: &[u32], last: Option<u32>) -> u32 {
        let content: Rc<[u32]> = content.iter().copied().chain(last).collect();
        if let Some(&id) = self.ids.get(&content) {
            return id;
        }
        let id = u32::try_from(self.contents.len()).expect("fewer than 2^32 contents fit in memory");
        self.items += content.len();
        self.contents.push(Rc::clone(&content));
        self.ids.insert(content, id);
        id
    }

    /// The content without its first element; the empty one stays as it is.
    fn rest(&mut self, state: u32) -> u32 {
        self.changed(state, None)
    }

    fn changed(&mut self, state: u32, enqueued: Option<u32>) -> u32 {
        if let Some(&next) = self.after.get(&(state, enqueued)) {
            return next;
        }
        let content = Rc::clone(&self.contents[state as usize]);
        let kept = if enqueued.is_some() { &content[..] } else { content.get(1..).unwrap_or(&[]) };
        let next = self.intern(kept, enqueued);
        self.after.insert((state, enqueued), next);
        next
    }
}

impl Machine for QueueMachine {
    type Action = QueueAction;

    fn initial(&self) -> u32 {
        EMPTY
    }

    fn step(&mut self, state: u32, action: QueueAction) -> Option<u32> {
        let first = self.contents[state as usize].first().copied();
        match action {
            QueueAction::Enqueue(element) => Some(self.changed(state, Some(element))),
            QueueAction::Dequeue(found) if found != first => None,
            QueueAction::Dequeue(_) | QueueAction::DequeueUnknown => Some(self.rest(state)),
        }
    }

    fn is_pure(&self, action: QueueAction) -> bool {
        action == QueueAction::Dequeue(None)
    }

    fn is_blind(&self, _: QueueAction) -> bool {
        // An enqueue is always possible, but what it leaves depends on the state before.
        false
    }

    fn requires(&self, action: QueueAction) -> Option<u32> {
        (action == QueueAction::Dequeue(None)).then_some(EMPTY)
    }

    fn produces(&self, _: QueueAction) -> Option<u32> {
        None
    }

    fn heap_bytes(&self) -> usize {
        self.items * 4 + self.contents.len() * 64 + self.after.capacity() * 17
    }
}
