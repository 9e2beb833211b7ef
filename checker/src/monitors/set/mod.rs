//! Sets: of elements that are never removed, read as a whole, in O(size of the input); and single elements.
//!
//! Sorted by size, the reads of a set that only grows must each hold the one before. What is new in each
//! gives the steps that every linearization runs through: see [`super::growth`].

mod element;
#[cfg(test)]
mod tests;

pub use element::decide_element;

use crate::counterexample::Class;
use crate::model::{ListId, Lists, SetAction};
use crate::monitors::growth::{self, Grown, LEFT_OUT};
use crate::monitors::index::{Index, NONE, by_key, small};
use crate::{Conflict, Decision, LinOp, Piece};

/// Decides a set. Open where elements are removed, and where one is added twice.
///
/// # Panics
/// On 2^32 operations or values in a read, which fit in no memory.
#[must_use]
pub fn decide(ops: &[LinOp<SetAction>], lists: &Lists) -> Decision {
    if ops.iter().any(|op| matches!(op.action, SetAction::Remove(_))) {
        return Decision::Open("elements are removed");
    }
    let adds = (0..).zip(ops).filter_map(|(id, op)| match op.action {
        SetAction::Add(element) => Some((element, id)),
        SetAction::Remove(_) | SetAction::Read(_) => None,
    });
    let Ok(adds) = Index::new(ops.len(), adds) else { return Decision::Open("an element is added twice") };
    match Sweep::new(ops, lists, &adds).run() {
        Ok(sweep) => sweep.decide(),
        Err(Refused::Conflict(conflict)) => Decision::Invalid(conflict),
        Err(Refused::Repeats) => {
            let (ops, lists) = without_repeats(ops, lists);
            decide(&ops, &lists)
        }
    }
}

enum Refused {
    Conflict(Conflict),
    /// A read lists an element twice.
    Repeats,
}

/// The reads as sets: sorted, each element once.
fn without_repeats(ops: &[LinOp<SetAction>], lists: &Lists) -> (Vec<LinOp<SetAction>>, Lists) {
    let mut cleaned = Lists::default();
    let clean = |op: &LinOp<SetAction>| match op.action {
        SetAction::Add(_) | SetAction::Remove(_) => *op,
        SetAction::Read(list) => {
            let action = SetAction::Read(cleaned.push(sorted(lists.get(list))));
            LinOp { action, ..*op }
        }
    };
    (ops.iter().map(clean).collect(), cleaned)
}

fn sorted(elements: &[u32]) -> Vec<u32> {
    let mut elements = elements.to_vec();
    elements.sort_unstable();
    elements.dedup();
    elements
}

/// What is known of an add.
#[derive(Clone, Copy)]
struct Seen {
    /// The group of reads that first shows it; [`NONE`] if none does.
    group: u32,
    /// The last read that was found to show it.
    read: u32,
}

/// Goes through the reads by size.
struct Sweep<'a> {
    ops: &'a [LinOp<SetAction>],
    lists: &'a Lists,
    adds: &'a Index,
    seen: Vec<Seen>,
    step_of: Vec<u32>,
    /// The first read of each group of equal reads; group 0 is those of the empty set, and has [`NONE`].
    groups: Vec<u32>,
}

impl<'a> Sweep<'a> {
    fn new(ops: &'a [LinOp<SetAction>], lists: &'a Lists, adds: &'a Index) -> Self {
        Self {
            ops,
            lists,
            adds,
            seen: vec![Seen { group: NONE, read: NONE }; ops.len()],
            step_of: vec![LEFT_OUT; ops.len()],
            groups: vec![NONE],
        }
    }

    fn run(mut self) -> Result<Self, Refused> {
        let reads: Vec<u32> =
            (0..).zip(self.ops).filter(|(_, op)| op.returned() && is_read(op)).map(|(id, _)| id).collect();
        let sizes: Vec<u32> = reads.iter().map(|&read| small(self.shows(read).len())).collect();
        // The union so far is what the last read showed.
        let mut union: &[u32] = &[];
        for at in by_key(&sizes) {
            let read = reads[at as usize];
            let shown = self.shows(read);
            if shown != union {
                self.enter(read, shown, small(union.len()))?;
                union = shown;
            }
            self.step_of[read as usize] = 2 * (small(self.groups.len()) - 1);
        }
        Ok(self)
    }

    /// Takes in a read that is no smaller than the union of those before.
    fn enter(&mut self, read: u32, shown: &[u32], union: u32) -> Result<(), Refused> {
        let same_size = small(shown.len()) == union;
        let group = small(self.groups.len()) - u32::from(same_size);
        let mut old = 0;
        for &element in shown {
            let Some(add) = self.adds.get(element) else {
                return Err(Refused::Conflict(never_added(read, element)));
            };
            let seen = &mut self.seen[add as usize];
            if seen.read == read {
                return Err(Refused::Repeats);
            }
            seen.read = read;
            if seen.group == NONE {
                seen.group = group;
            } else {
                old += 1;
            }
        }
        if old < union {
            return Err(Refused::Conflict(self.incomparable(read)));
        }
        if !same_size {
            self.groups.push(read);
        }
        Ok(())
    }

    /// The last group shows something that `read` does not, which is at least as large.
    fn incomparable(&self, read: u32) -> Conflict {
        let before = self.groups[self.groups.len() - 1];
        let (x, y) = (self.difference(before, read), self.difference(read, before));
        let value = |add: u32| Piece::Value(self.added(add).expect("it is an add"));
        let sentence = vec![
            Piece::Op(before),
            Piece::Text(" shows "),
            value(x),
            Piece::Text(" without "),
            value(y),
            Piece::Text(", yet "),
            Piece::Op(read),
            Piece::Text(" shows "),
            value(y),
            Piece::Text(" without "),
            value(x),
        ];
        Conflict { class: Class::OrderInversion, ops: vec![x, y, before, read], sentence }
    }

    fn decide(mut self) -> Decision {
        let last = 2 * small(self.groups.len()) - 1;
        for (id, op) in self.ops.iter().enumerate() {
            if is_read(op) {
                continue;
            }
            let group = self.seen[id].group;
            self.step_of[id] = match group {
                NONE if op.returned() => last,
                NONE => LEFT_OUT,
                _ => 2 * group - 1,
            };
        }
        growth::decide(self.ops, &self.step_of, last as usize + 1, &self)
    }

    fn shows(&self, read: u32) -> &'a [u32] {
        let list: Option<ListId> = match self.ops[read as usize].action {
            SetAction::Read(list) => Some(list),
            SetAction::Add(_) | SetAction::Remove(_) => None,
        };
        list.map_or(&[], |list| self.lists.get(list))
    }
}

fn is_read(op: &LinOp<SetAction>) -> bool {
    matches!(op.action, SetAction::Read(_))
}

fn never_added(read: u32, element: u32) -> Conflict {
    let sentence = vec![
        Piece::Op(read),
        Piece::Text(" shows "),
        Piece::Value(element),
        Piece::Text(", which nobody added"),
    ];
    Conflict { class: Class::PhantomRead, ops: vec![read], sentence }
}

impl Grown for Sweep<'_> {
    fn added(&self, op: u32) -> Option<u32> {
        match self.ops[op as usize].action {
            SetAction::Add(element) => Some(element),
            SetAction::Remove(_) | SetAction::Read(_) => None,
        }
    }

    fn shown_by(&self, add: u32) -> Option<u32> {
        self.groups.get(self.seen[add as usize].group as usize).copied()
    }

    fn difference(&self, larger: u32, smaller: u32) -> u32 {
        let smaller = sorted(self.shows(smaller));
        let shown = self.shows(larger).iter();
        let missing = shown.copied().find(|element| smaller.binary_search(element).is_err());
        let element = missing.expect("no smaller, and not the same");
        self.adds.get(element).expect("all that is shown was added")
    }
}
