//! What was reached when: the highest step that had certainly been reached before a given moment.

use crate::online::Place;

/// Returns with the step each shows to have been reached; only those that are higher than all before them.
#[derive(Debug, Clone)]
pub(super) struct Floor<S> {
    reached: Vec<Reached<S>>,
}

/// An operation that returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reached<S> {
    pub(super) ret: Place,
    pub(super) step: S,
    /// When it was called.
    pub(super) call: Place,
}

impl<S> Default for Floor<S> {
    fn default() -> Self {
        Self { reached: Vec::new() }
    }
}

impl<S: Ord + Copy> Floor<S> {
    /// An operation returned at `ret` and shows that `step` had been reached. May be told later than others that
    /// returned later.
    pub(super) fn raise(&mut self, ret: Place, step: S, call: Place) {
        let place = self.reached.partition_point(|other| other.ret < ret);
        if place > 0 && self.reached[place - 1].step >= step {
            return;
        }
        let lower = self.reached[place..].iter().take_while(|other| other.step <= step).count();
        self.reached.splice(place..place + lower, [Reached { ret, step, call }]);
    }

    /// The highest step reached before `call`.
    pub(super) fn below(&self, call: Place) -> Option<Reached<S>> {
        // Nearly always the last or the one before.
        self.reached.iter().rev().find(|reached| reached.ret < call).copied()
    }

    /// Nothing older than `oldest` will be asked for.
    pub(super) fn forget(&mut self, oldest: Place) {
        let older = self.reached.partition_point(|reached| reached.ret < oldest);
        self.reached.drain(..older.saturating_sub(1));
    }

    pub(super) fn len(&self) -> usize {
        self.reached.len()
    }

    pub(super) fn shrink(&mut self) {
        self.reached.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_staircase_also_when_told_late() {
        let mut floor = Floor::default();
        floor.raise(10, 1, 0);
        floor.raise(30, 3, 0);
        floor.raise(40, 3, 0);
        floor.raise(20, 2, 0);
        floor.raise(25, 2, 0);
        let below = |floor: &Floor<i32>, call| floor.below(call).map(|reached| reached.step);
        assert_eq!(
            [5, 11, 21, 30, 31, 99].map(|call| below(&floor, call)),
            [None, Some(1), Some(2), Some(2), Some(3), Some(3)]
        );
        floor.raise(15, 3, 0);
        assert_eq!((floor.len(), below(&floor, 20)), (2, Some(3)));
        floor.forget(16);
        assert_eq!((floor.len(), below(&floor, 16)), (1, Some(3)));
    }
}
