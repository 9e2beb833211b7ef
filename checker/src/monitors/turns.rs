//! When each of several states, whose order is known, begins and ends, so that operations which observed that
//! the object was *not* in some state have a place.
//!
//! Let the states (*turns*) follow each other in a fixed order, turn k beginning at t(k). The operations that
//! bring turns about, and those that observe them, bound it: it begins after `after` (the latest call of
//! what comes before it, and of its own beginning) and before `before` (the earliest return of anything in it or
//! later). An operation from c to r that observed *not in turn k* has a place iff c < t(k) or t(k+1) < r.
//!
//! **Claim.** Letting each turn begin as late as possible, from the first on, finds times for all if there are any.
//! **Proof.** By induction t(k) is the latest time at which turn k can begin in any solution. Hence an operation that is
//! called after t(k) is called after it in every solution, and needs t(k+1) < r there too: so the bound on
//! t(k+1) is one that every solution keeps, and the time chosen is again the latest. As r > c > t(k),
//! turns stay in order. ∎

#[cfg(test)]
mod tests;

use crate::{NEVER, Position};

/// Between which events a turn begins, both exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) after: Position,
    pub(super) before: Position,
}

/// An operation that needs a turn to be over before it returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Due {
    pub(super) ret: Position,
    pub(super) op: u32,
}

impl Due {
    /// Nobody needs it.
    pub(super) const NEVER: Self = Self { ret: NEVER, op: u32::MAX };
}

/// The end of this turn would have to come before the next can begin (if there is a next).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stuck {
    pub(super) turn: usize,
    /// What keeps it from lasting: the last of these needs this turn to end; it was called after the turn
    /// began, which was due to the one ahead of it, which needs the turn before this to end; and so on. The
    /// first was called after its turn had certainly begun.
    pub(super) due: Vec<u32>,
}

/// Turns in a fixed order, and when they begin.
#[derive(Debug)]
pub(super) struct Turns {
    /// As given.
    windows: Vec<Window>,
    /// Narrowed: a turn begins after what comes before the turns ahead of it, and before what comes after later ones.
    narrow: Vec<Window>,
    /// For each turn the event just before which it begins.
    begins: Vec<Position>,
    /// For each turn, what needs the one ahead of it to end.
    pressing: Vec<Due>,
    /// So many turns are decided, and what presses on the one behind them.
    done: usize,
}

impl Turns {
    /// The first turn has begun before everything.
    pub(super) fn new(windows: Vec<Window>) -> Self {
        let len = windows.len();
        let narrow = windows.clone();
        let mut turns =
            Self { windows, narrow, begins: vec![0; len], pressing: vec![Due::NEVER; len + 1], done: 0 };
        turns.narrow_from_ahead(0, len);
        turns.narrow_from_behind(0, len);
        turns
    }

    /// For each turn the event just before which it begins; [`NEVER`]: it need not begin.
    pub(super) fn begins(&self) -> &[Position] {
        &self.begins
    }

    /// Decides the turns that are not decided yet. `due(k, at)`: of the operations that observed *not in turn k*
    /// and were called at `at` or later, the one that returned first.
    pub(super) fn run(&mut self, mut due: impl FnMut(usize, Position) -> Due) -> Result<(), Stuck> {
        for turn in self.done..self.windows.len() {
            if turn > 0 {
                let Window { after, before } = self.narrow[turn];
                self.begins[turn] = before.min(self.pressing[turn].ret);
                if self.begins[turn] <= after {
                    return Err(self.stuck(turn - 1));
                }
            }
            self.pressing[turn + 1] = due(turn, self.begins[turn]);
            self.done = turn + 1;
        }
        if self.pressing[self.done] == Due::NEVER { Ok(()) } else { Err(self.stuck(self.done - 1)) }
    }

    /// Replaces windows from `start` on. What depends on them must be decided again.
    pub(super) fn replace(&mut self, start: usize, windows: &[Window]) {
        let end = start + windows.len();
        self.windows[start..end].copy_from_slice(windows);
        self.narrow_from_ahead(start, end);
        let changed = self.narrow_from_behind(start, end);
        self.done = self.done.min(changed);
    }

    /// Makes room for another turn ahead of `turn`; its window and the next must be replaced.
    pub(super) fn insert(&mut self, turn: usize) {
        let none = Window { after: 0, before: NEVER };
        self.windows.insert(turn, none);
        self.narrow.insert(turn, none);
        self.begins.insert(turn, 0);
        self.pressing.insert(turn + 1, Due::NEVER);
        self.done = self.done.min(turn);
    }

    /// Takes a turn out; the window of the next must be replaced.
    pub(super) fn remove(&mut self, turn: usize) {
        self.windows.remove(turn);
        self.narrow.remove(turn);
        self.begins.remove(turn);
        self.pressing.remove(turn + 1);
        self.done = self.done.min(turn);
    }

    /// Redoes it for the turns from `start` to `end`, and after them as far as it makes a difference.
    fn narrow_from_ahead(&mut self, start: usize, end: usize) {
        let mut after = start.checked_sub(1).map_or(0, |turn| self.narrow[turn].after);
        for turn in start..self.windows.len() {
            after = after.max(self.windows[turn].after);
            if turn >= end && self.narrow[turn].after == after {
                break;
            }
            self.narrow[turn].after = after;
        }
    }

    /// Redoes it for the turns from `start` to `end`, and ahead of them as far as it makes a difference; from
    /// which turn on it did.
    fn narrow_from_behind(&mut self, start: usize, end: usize) -> usize {
        let mut before = self.narrow.get(end).map_or(NEVER, |window| window.before);
        for turn in (0..end).rev() {
            before = before.min(self.windows[turn].before);
            if turn < start && self.narrow[turn].before == before {
                return turn + 1;
            }
            self.narrow[turn].before = before;
        }
        0
    }

    fn stuck(&self, turn: usize) -> Stuck {
        let before = |turn: usize| self.narrow.get(turn).map_or(NEVER, |window| window.before);
        let pressed = |turn: usize| Some(self.pressing[turn]).filter(|due| due.ret < before(turn));
        let mut due: Vec<u32> = (1..=turn + 1).rev().map_while(pressed).map(|due| due.op).collect();
        due.reverse();
        Stuck { turn, due }
    }
}
