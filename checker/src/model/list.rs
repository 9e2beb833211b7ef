//! A list that is only appended to, and read as a whole. Initially empty.
//!
//! What reads returned lies in one pool ([`Lists`]), so that an action is a few bytes.

use std::collections::HashMap;

use crate::LinOp;
use crate::model::Machine;

/// A pool of lists of interned values: what the reads of a problem, or of many, returned.
#[derive(Debug, Clone, Default)]
pub struct Lists {
    items: Vec<u32>,
    ends: Vec<usize>,
}

/// One list of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ListId(u32);

impl Lists {
    /// Takes a list in. Equal lists are not looked for.
    ///
    /// # Panics
    /// After 2^32 lists; a history holds fewer operations.
    pub fn push(&mut self, items: impl IntoIterator<Item = u32>) -> ListId {
        let id = u32::try_from(self.ends.len()).expect("a history holds fewer than 2^32 reads");
        self.items.extend(items);
        self.ends.push(self.items.len());
        ListId(id)
    }

    /// The list of an id that this pool gave out.
    #[must_use]
    pub fn get(&self, id: ListId) -> &[u32] {
        let at = id.0 as usize;
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.items[start..self.ends[at]]
    }
}

/// An operation on a list, with what it observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ListAction {
    /// Added this value at the end.
    Append(u32),
    /// Returned this list.
    Read(ListId),
}

/// The list. A state is a node of the tree of all lists met: its parent is the list without the last value.
#[derive(Debug)]
pub struct ListMachine {
    nodes: Vec<Node>,
    children: HashMap<(u32, u32), u32>,
    reads: HashMap<ListId, u32>,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    length: u32,
    parent: u32,
    /// An ancestor further up: following these finds the ancestor of any length in O(log n) steps (Myers, "An
    /// applicative random-access stack", 1983).
    jump: u32,
}

const EMPTY: u32 = 0;

impl ListMachine {
    /// The machine for these operations, whose reads are in `lists`.
    #[must_use]
    pub fn new(ops: &[LinOp<ListAction>], lists: &Lists) -> Self {
        let root = Node { length: 0, parent: EMPTY, jump: EMPTY };
        let mut machine = Self { nodes: vec![root], children: HashMap::new(), reads: HashMap::new() };
        for op in ops {
            match op.action {
                ListAction::Append(_) => {}
                ListAction::Read(id) => {
                    let state =
                        lists.get(id).iter().fold(EMPTY, |state, &value| machine.append(state, value));
                    machine.reads.insert(id, state);
                }
            }
        }
        machine
    }

    fn append(&mut self, state: u32, value: u32) -> u32 {
        let next = u32::try_from(self.nodes.len()).expect("fewer than 2^32 lists fit in memory");
        let id = *self.children.entry((state, value)).or_insert(next);
        if id == next {
            let node = self.nodes[state as usize];
            let jump = self.nodes[node.jump as usize];
            let length_of_jump = node.length - jump.length;
            let next_jump = self.nodes[jump.jump as usize];
            let even = length_of_jump == jump.length - next_jump.length;
            let jump = if even { jump.jump } else { state };
            self.nodes.push(Node { length: node.length + 1, parent: state, jump });
        }
        id
    }
}

impl Machine for ListMachine {
    type Action = ListAction;

    fn initial(&self) -> u32 {
        EMPTY
    }

    fn step(&mut self, state: u32, action: ListAction) -> Option<u32> {
        match action {
            ListAction::Append(value) => Some(self.append(state, value)),
            ListAction::Read(id) => (self.reads.get(&id) == Some(&state)).then_some(state),
        }
    }

    fn is_pure(&self, action: ListAction) -> bool {
        matches!(action, ListAction::Read(_))
    }

    fn is_blind(&self, _: ListAction) -> bool {
        // An append is always possible, but what it leaves depends on the state before.
        false
    }

    fn requires(&self, action: ListAction) -> Option<u32> {
        match action {
            ListAction::Read(id) => self.reads.get(&id).copied(),
            ListAction::Append(_) => None,
        }
    }

    fn produces(&self, _: ListAction) -> Option<u32> {
        None
    }

    const GROWS: bool = true;

    /// `from` is a prefix of `to`.
    fn reaches(&self, from: u32, to: u32) -> bool {
        let length = self.nodes[from as usize].length;
        let mut at = to;
        while self.nodes[at as usize].length > length {
            let node = self.nodes[at as usize];
            at = if self.nodes[node.jump as usize].length >= length { node.jump } else { node.parent };
        }
        at == from
    }

    fn heap_bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>() + self.children.capacity() * 13 + self.reads.capacity() * 9
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_reaches_what_it_is_a_prefix_of() {
        let mut lists = Lists::default();
        let mut ops = Vec::new();
        let mut contents: Vec<Vec<u32>> = Vec::new();
        for branch in 0..4_u32 {
            for length in 0..40 {
                // Branches share their first `10 * branch` values.
                contents.push(
                    (0..length).map(|i| if i < 10 * branch { i } else { 100 * (branch + 1) + i }).collect(),
                );
            }
        }
        for content in &contents {
            ops.push(LinOp {
                call: 2,
                ret: 4,
                action: ListAction::Read(lists.push(content.iter().copied())),
            });
        }
        let machine = ListMachine::new(&ops, &lists);
        let states: Vec<u32> = ops.iter().map(|op| machine.requires(op.action).unwrap()).collect();
        for (a, from) in contents.iter().zip(&states) {
            for (b, to) in contents.iter().zip(&states) {
                assert_eq!(machine.reaches(*from, *to), b.starts_with(a), "{a:?} {b:?}");
                assert_eq!(from == to, a == b);
            }
        }
    }
}
