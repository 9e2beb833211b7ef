//! A counter: additions of whole numbers, and reads. Initially 0.

use std::collections::HashMap;

use crate::LinOp;
use crate::model::Machine;

/// An operation on a counter, with what it observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CounterAction {
    /// Added this number (negative: subtracted).
    Add(i64),
    /// Returned this number.
    Read(i64),
}

/// The counter. Its numbers are wider than those added, so that no history overflows it.
#[derive(Debug)]
pub struct CounterMachine {
    numbers: Vec<i128>,
    ids: HashMap<i128, u32>,
    /// The smallest and the largest number that is added.
    steps: (i64, i64),
}

const ZERO: u32 = 0;

impl CounterMachine {
    /// The machine for these operations.
    #[must_use]
    pub fn new(ops: &[LinOp<CounterAction>]) -> Self {
        let mut machine = Self { numbers: Vec::new(), ids: HashMap::new(), steps: (0, 0) };
        machine.intern(0);
        for op in ops {
            match op.action {
                CounterAction::Add(number) => {
                    machine.steps = (machine.steps.0.min(number), machine.steps.1.max(number));
                }
                CounterAction::Read(number) => {
                    machine.intern(i128::from(number));
                }
            }
        }
        machine
    }

    fn intern(&mut self, number: i128) -> u32 {
        let next = u32::try_from(self.numbers.len()).expect("fewer than 2^32 numbers fit in memory");
        let id = *self.ids.entry(number).or_insert(next);
        if id == next {
            self.numbers.push(number);
        }
        id
    }
}

impl Machine for CounterMachine {
    type Action = CounterAction;

    fn initial(&self) -> u32 {
        ZERO
    }

    fn step(&mut self, state: u32, action: CounterAction) -> Option<u32> {
        let now = self.numbers[state as usize];
        match action {
            CounterAction::Add(number) => Some(self.intern(now + i128::from(number))),
            CounterAction::Read(number) => (now == i128::from(number)).then_some(state),
        }
    }

    fn is_pure(&self, action: CounterAction) -> bool {
        match action {
            CounterAction::Read(_) => true,
            CounterAction::Add(number) => number == 0,
        }
    }

    fn is_blind(&self, _: CounterAction) -> bool {
        // An addition is always possible, but what it leaves depends on the state before.
        false
    }

    fn requires(&self, action: CounterAction) -> Option<u32> {
        match action {
            CounterAction::Read(number) => self.ids.get(&i128::from(number)).copied(),
            CounterAction::Add(_) => None,
        }
    }

    fn produces(&self, _: CounterAction) -> Option<u32> {
        None
    }

    const GROWS: bool = true;

    fn reaches(&self, from: u32, to: u32) -> bool {
        let (from, to) = (self.numbers[from as usize], self.numbers[to as usize]);
        from == to || (from < to && self.steps.1 > 0) || (from > to && self.steps.0 < 0)
    }

    fn heap_bytes(&self) -> usize {
        self.numbers.capacity() * 16 + self.ids.capacity() * 33
    }
}
