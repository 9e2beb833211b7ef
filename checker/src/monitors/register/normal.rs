//! The shape that the method wants: operations sorted by call, values that are nearly dense. Problems usually
//! have it; others are copied, and the decision translated back.

use std::borrow::Cow;

use crate::model::RegAction;
use crate::monitors::ids::Numbers;
use crate::monitors::register::RegOp;
use crate::{Decision, Piece};

/// A problem in that shape.
pub(super) struct Normal<'a> {
    ops: Cow<'a, [RegOp]>,
    /// All values are below.
    bound: usize,
    /// The original index of each operation, if they were sorted.
    ids: Option<Vec<u32>>,
    /// The original of each value, if they were renumbered.
    originals: Option<Vec<u32>>,
}

impl<'a> Normal<'a> {
    pub(super) fn new(ops: &'a [RegOp]) -> Self {
        let mut normal = Self { ops: Cow::Borrowed(ops), bound: 0, ids: None, originals: None };
        if !ops.is_sorted_by_key(|op| op.call) {
            let mut ids: Vec<u32> =
                (0..u32::try_from(ops.len()).expect("fewer than 2^32 operations")).collect();
            ids.sort_by_key(|&id| ops[id as usize].call);
            normal.ops = ids.iter().map(|&id| ops[id as usize]).collect();
            normal.ids = Some(ids);
        }
        let largest = ops.iter().map(|op| largest(op.action)).max().unwrap_or(0);
        normal.bound = largest as usize + 1;
        if normal.bound > ops.len() + 1024 {
            normal.renumber();
        }
        normal
    }

    pub(super) fn ops(&self) -> &[RegOp] {
        &self.ops
    }

    /// All values are below.
    pub(super) fn values(&self) -> usize {
        self.bound
    }

    /// Numbers values by first appearance; nil stays 0.
    fn renumber(&mut self) {
        let mut numbers = Numbers::new(self.bound, self.ops.len());
        let mut originals = Vec::new();
        let mut number = |value: u32| {
            let number = numbers.number(value);
            if number as usize == originals.len() {
                originals.push(value);
            }
            number
        };
        number(0);
        for op in self.ops.to_mut() {
            op.action = match op.action {
                RegAction::Read(value) => RegAction::Read(number(value)),
                RegAction::NotEqual(value) => RegAction::NotEqual(number(value)),
                RegAction::Write(value) => RegAction::Write(number(value)),
                RegAction::Cas(old, new) => RegAction::Cas(number(old), number(new)),
            };
        }
        self.bound = originals.len();
        self.originals = Some(originals);
    }

    /// The decision in the words of the original problem.
    pub(super) fn translate(&self, mut decision: Decision) -> Decision {
        let id = |id: &mut u32| *id = self.ids.as_ref().map_or(*id, |ids| ids[*id as usize]);
        match &mut decision {
            Decision::Valid(witness) if self.ids.is_some() => witness.iter_mut().for_each(id),
            Decision::Invalid(conflict) => {
                conflict.ops.iter_mut().for_each(id);
                for piece in &mut conflict.sentence {
                    match piece {
                        Piece::Op(op) | Piece::Returned(op) | Piece::Called(op) => id(op),
                        Piece::Value(value) => {
                            *value = self
                                .originals
                                .as_ref()
                                .map_or(*value, |originals| originals[*value as usize]);
                        }
                        Piece::Text(_) | Piece::Words(_) => {}
                    }
                }
            }
            Decision::Valid(_) | Decision::Open(_) => {}
        }
        decision
    }
}

fn largest(action: RegAction) -> u32 {
    match action {
        RegAction::Read(value) | RegAction::NotEqual(value) | RegAction::Write(value) => value,
        RegAction::Cas(old, new) => old.max(new),
    }
}
