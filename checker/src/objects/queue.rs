//! FIFO queues: `enqueue` (`enq`) and `dequeue` (`deq`), one a key, initially empty. A dequeue that completes
//! with null found the queue empty.

use std::collections::VecDeque;

use crate::check::{Checked, Object, check_keys};
use crate::engine::{WitnessError, verify_replay};
use crate::history::{Call, History};
use crate::model::{QueueAction, QueueMachine};
use crate::objects::{ActionError, Function};
use crate::{CheckError, Decision, LinOp, Options, monitors};

/// Checks that each key of the history is linearizable as a FIFO queue.
///
/// # Errors
/// When null was enqueued, which could not be told from an empty queue.
pub fn check_queue(history: &History, options: &Options) -> Result<Checked, CheckError> {
    let keys = super::keys(history, |functions, calls| {
        let (calls, ops) = super::problem(history, calls, functions, action)?;
        Ok((calls, Queue { ops }))
    })?;
    Ok(check_keys(history, &keys, options))
}

struct Queue {
    ops: Vec<LinOp<QueueAction>>,
}

fn action(function: Function, call: Call<'_>) -> Result<Option<QueueAction>, ActionError> {
    Ok(Some(match function {
        Function::ENQUEUE if call.input().is_nil() => {
            return Err(ActionError::Shape(
                "null cannot be told from an empty queue: enqueue something".into(),
            ));
        }
        Function::ENQUEUE => QueueAction::Enqueue(call.input().id()),
        Function::DEQUEUE if !call.is_ok() => QueueAction::DequeueUnknown,
        Function::DEQUEUE => {
            let taken = call.output().unwrap_or_default();
            QueueAction::Dequeue((!taken.is_nil()).then(|| taken.id()))
        }
        _ => {
            let why = format!("a queue has enqueue and dequeue, but no {:?}", call.f());
            return Err(ActionError::Unknown(why));
        }
    }))
}

impl Object for Queue {
    type Machine = QueueMachine;

    fn ops(&self) -> &[LinOp<QueueAction>] {
        &self.ops
    }

    fn machine(&self) -> QueueMachine {
        QueueMachine::default()
    }

    fn verify(&self, witness: &[u32]) -> Result<(), WitnessError> {
        let mut content = VecDeque::new();
        verify_replay(&self.ops, witness, |action| match action {
            QueueAction::Enqueue(element) => {
                content.push_back(element);
                true
            }
            QueueAction::Dequeue(element) => content.pop_front() == element,
            QueueAction::DequeueUnknown => {
                content.pop_front();
                true
            }
        })
    }

    fn monitor(&self) -> Decision {
        monitors::queue::decide(&self.ops)
    }
}

/// The object of a history without keys.
#[cfg(test)]
pub(super) fn tests_object(history: &History) -> Result<impl Object + use<>, super::KeyError> {
    let (calls, functions) = (history.ids().collect(), super::Functions::of(history));
    let (_, ops) = super::problem(history, calls, &functions, action)?;
    Ok(Queue { ops })
}
