//! Counters: `add` (also `inc`, `increment`, and `dec`, `decrement`) and `read`, one a key, initially 0.

use crate::check::{Checked, Object, check_keys};
use crate::engine::{WitnessError, verify_replay};
use crate::history::{Call, History, Shape, Val};
use crate::model::{CounterAction, CounterMachine};
use crate::objects::{ActionError, Function};
use crate::{CheckError, Decision, LinOp, Options, monitors};

/// Checks that each key of the history is linearizable as a counter.
///
/// # Errors
/// When a value is no whole number.
pub fn check_counter(history: &History, options: &Options) -> Result<Checked, CheckError> {
    let keys = super::keys(history, |functions, calls| {
        let (calls, ops) = super::problem(history, calls, functions, action)?;
        Ok((calls, Counter { ops }))
    })?;
    Ok(check_keys(history, &keys, options))
}

struct Counter {
    ops: Vec<LinOp<CounterAction>>,
}

fn action(function: Function, call: Call<'_>) -> Result<Option<CounterAction>, ActionError> {
    let values = &call.history().values;
    let number = |value: Val, absent: Option<i64>| match (values.shape(value), absent) {
        (Shape::Int(number), _) => Ok(number),
        (Shape::Nil, Some(number)) => Ok(number),
        (
            Shape::Nil | Shape::Bool(_) | Shape::Text(_) | Shape::List(_) | Shape::Pair(..) | Shape::Other(_),
            _,
        ) => {
            let found = values.display(value);
            Err(ActionError::Shape(format!("{} of a counter needs a whole number, not {found}", call.f())))
        }
    };
    let negative = |number: i64| {
        let why = || ActionError::Shape(format!("{number} is too large a number for a counter"));
        number.checked_neg().ok_or_else(why)
    };
    Ok(match function {
        Function::READ if !call.is_ok() => None,
        Function::READ => Some(CounterAction::Read(number(call.output().unwrap_or_default(), Some(0))?)),
        Function::ADD => Some(CounterAction::Add(number(call.input(), Some(1))?)),
        Function::SUBTRACT => Some(CounterAction::Add(negative(number(call.input(), Some(1))?)?)),
        _ => {
            let why = format!("a counter has add, dec and read, but no {:?}", call.f());
            return Err(ActionError::Unknown(why));
        }
    })
}

impl Object for Counter {
    type Machine = CounterMachine;

    fn ops(&self) -> &[LinOp<CounterAction>] {
        &self.ops
    }

    fn machine(&self) -> CounterMachine {
        CounterMachine::new(&self.ops)
    }

    fn verify(&self, witness: &[u32]) -> Result<(), WitnessError> {
        // Wider than what is added, so that no history overflows it.
        let mut count = 0_i128;
        verify_replay(&self.ops, witness, |action| match action {
            CounterAction::Add(number) => {
                count += i128::from(number);
                true
            }
            CounterAction::Read(number) => i128::from(number) == count,
        })
    }

    fn monitor(&self) -> Decision {
        monitors::counter::decide(&self.ops)
    }
}

/// The object of a history without keys.
#[cfg(test)]
pub(super) fn tests_object(history: &History) -> Result<impl Object + use<>, super::KeyError> {
    let (calls, functions) = (history.ids().collect(), super::Functions::of(history));
    let (_, ops) = super::problem(history, calls, &functions, action)?;
    Ok(Counter { ops })
}
