//! Sets: of many elements, read as a whole; and of one element, asked for by name. Initially empty.
//!
//! Where nobody reads the whole set, each element is an object of its own: split a history by element as by
//! key.

use std::collections::HashMap;
use std::rc::Rc;

use crate::LinOp;
use crate::model::{ListId, Lists, Machine};

/// An operation on a set, with what it observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SetAction {
    /// Put this element in; no matter whether it was in.
    Add(u32),
    /// Took this element out; no matter whether it was in.
    Remove(u32),
    /// Returned these elements, in no particular order.
    Read(ListId),
}

/// The set. A state is a sorted list of elements.
#[derive(Debug)]
pub struct SetMachine {
    sets: Vec<Rc<[u32]>>,
    ids: HashMap<Rc<[u32]>, u32>,
    after: HashMap<(u32, SetAction), u32>,
    reads: HashMap<ListId, u32>,
    /// What is ever removed, sorted.
    removed: Vec<u32>,
    items: usize,
}

const EMPTY: u32 = 0;

impl SetMachine {
    /// The machine for these operations, whose reads are in `lists`.
    #[must_use]
    pub fn new(ops: &[LinOp<SetAction>], lists: &Lists) -> Self {
        let mut machine = Self {
            sets: Vec::new(),
            ids: HashMap::new(),
            after: HashMap::new(),
            reads: HashMap::new(),
            removed: Vec::new(),
            items: 0,
        };
        machine.intern(Vec::new());
        for op in ops {
            match op.action {
                SetAction::Add(_) => {}
                SetAction::Remove(element) => machine.removed.push(element),
                SetAction::Read(id) => {
                    let mut elements = lists.get(id).to_vec();
                    elements.sort_unstable();
                    elements.dedup();
                    let state = machine.intern(elements);
                    machine.reads.insert(id, state);
                }
            }
        }
        machine.removed.sort_unstable();
        machine.removed.dedup();
        machine
    }

    fn intern(&mut self, elements: Vec<u32>) -> u32 {
        if let Some(&id) = self.ids.get(elements.as_slice()) {
            return id;
        }
        let id = u32::try_from(self.sets.len()).expect("fewer than 2^32 sets fit in memory");
        self.items += elements.len();
        let elements: Rc<[u32]> = elements.into();
        self.sets.push(Rc::clone(&elements));
        self.ids.insert(elements, id);
        id
    }

    fn changed(&mut self, state: u32, action: SetAction, element: u32) -> u32 {
        if let Some(&next) = self.after.get(&(state, action)) {
            return next;
        }
        let mut elements = self.sets[state as usize].to_vec();
        let next = match (elements.binary_search(&element), action) {
            (Err(at), SetAction::Add(_)) => {
                elements.insert(at, element);
                self.intern(elements)
            }
            (Ok(at), SetAction::Remove(_)) => {
                elements.remove(at);
                self.intern(elements)
            }
            (Ok(_) | Err(_), SetAction::Add(_) | SetAction::Remove(_) | SetAction::Read(_)) => state,
        };
        self.after.insert((state, action), next);
        next
    }
}

impl Machine for SetMachine {
    type Action = SetAction;

    fn initial(&self) -> u32 {
        EMPTY
    }

    fn step(&mut self, state: u32, action: SetAction) -> Option<u32> {
        match action {
            SetAction::Add(element) | SetAction::Remove(element) => {
                Some(self.changed(state, action, element))
            }
            SetAction::Read(id) => (self.reads.get(&id) == Some(&state)).then_some(state),
        }
    }

    fn is_pure(&self, action: SetAction) -> bool {
        matches!(action, SetAction::Read(_))
    }

    fn is_blind(&self, _: SetAction) -> bool {
        // Always possible, but what it leaves depends on the state before.
        false
    }

    fn requires(&self, action: SetAction) -> Option<u32> {
        match action {
            SetAction::Read(id) => self.reads.get(&id).copied(),
            SetAction::Add(_) | SetAction::Remove(_) => None,
        }
    }

    fn produces(&self, _: SetAction) -> Option<u32> {
        None
    }

    const GROWS: bool = true;

    /// All of `from` that is never removed is in `to`.
    fn reaches(&self, from: u32, to: u32) -> bool {
        let mut to = self.sets[to as usize].iter().peekable();
        self.sets[from as usize].iter().all(|element| {
            while to.next_if(|other| *other < element).is_some() {}
            to.next_if_eq(&element).is_some() || self.removed.binary_search(element).is_ok()
        })
    }

    fn heap_bytes(&self) -> usize {
        self.items * 4 + self.sets.len() * 64 + self.after.capacity() * 17 + self.reads.capacity() * 9
    }
}

/// An operation on one element of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ElementAction {
    /// Put it in; no matter whether it was in.
    Add,
    /// Took it out; no matter whether it was in.
    Remove,
    /// Observed whether it is in.
    Contains(bool),
}

/// One element of a set: out (0) or in (1).
#[derive(Debug, Clone, Copy, Default)]
pub struct ElementMachine;

const OUT: u32 = 0;
const IN: u32 = 1;

impl Machine for ElementMachine {
    type Action = ElementAction;

    fn initial(&self) -> u32 {
        OUT
    }

    fn step(&mut self, state: u32, action: ElementAction) -> Option<u32> {
        match action {
            ElementAction::Add => Some(IN),
            ElementAction::Remove => Some(OUT),
            ElementAction::Contains(found) => (state == u32::from(found)).then_some(state),
        }
    }

    fn is_pure(&self, action: ElementAction) -> bool {
        matches!(action, ElementAction::Contains(_))
    }

    fn is_blind(&self, action: ElementAction) -> bool {
        !self.is_pure(action)
    }

    fn requires(&self, action: ElementAction) -> Option<u32> {
        match action {
            ElementAction::Contains(found) => Some(u32::from(found)),
            ElementAction::Add | ElementAction::Remove => None,
        }
    }

    fn produces(&self, action: ElementAction) -> Option<u32> {
        match action {
            ElementAction::Add => Some(IN),
            ElementAction::Remove => Some(OUT),
            ElementAction::Contains(_) => None,
        }
    }
}
