//! The independent verifier of a witness: shares no line with the search.

use thiserror::Error;

use crate::LinOp;
use crate::model::Machine;

/// Why an order is no linearization. Operations are named by their index in the problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum WitnessError {
    /// There is no such operation.
    #[error("operation {0} does not exist")]
    NoSuchOp(usize),
    /// An operation appears twice.
    #[error("operation {0} appears twice")]
    Twice(usize),
    /// An operation that returned does not appear.
    #[error("operation {0} returned but is left out")]
    LeftOut(usize),
    /// An operation appears after one that was called only when it had returned.
    #[error("operation {0} returned before an operation placed ahead of it was called")]
    RealTime(usize),
    /// The model does not allow this outcome here.
    #[error("operation {0} could not have had its outcome in the state before it")]
    Model(usize),
}

/// Checks that `witness` orders every returned operation exactly once, respects real time, and replays
/// through the model.
///
/// # Errors
/// The first operation that is wrong, and how.
pub fn verify_witness<M: Machine>(
    machine: &mut M,
    ops: &[LinOp<M::Action>],
    witness: &[u32],
) -> Result<(), WitnessError> {
    let mut state = machine.initial();
    verify_replay(ops, witness, |action| {
        let next = machine.step(state, action);
        state = next.unwrap_or(state);
        next.is_some()
    })
}

/// As [`verify_witness`], with a state of the caller's own: `step` says whether the action can have had its outcome, and
/// lets it have its effect. For objects whose states are large: interning each would cost more than replaying.
///
/// # Errors
/// The first operation that is wrong, and how.
pub fn verify_replay<A: Copy>(
    ops: &[LinOp<A>],
    witness: &[u32],
    mut step: impl FnMut(A) -> bool,
) -> Result<(), WitnessError> {
    let mut placed = vec![false; ops.len()];
    let mut latest_call = 0;
    for &id in witness {
        let id = id as usize;
        let op = ops.get(id).ok_or(WitnessError::NoSuchOp(id))?;
        if std::mem::replace(&mut placed[id], true) {
            return Err(WitnessError::Twice(id));
        }
        if op.ret < latest_call {
            return Err(WitnessError::RealTime(id));
        }
        latest_call = latest_call.max(op.call);
        if !step(op.action) {
            return Err(WitnessError::Model(id));
        }
    }
    match ops.iter().zip(&placed).position(|(op, placed)| op.returned() && !placed) {
        Some(id) => Err(WitnessError::LeftOut(id)),
        None => Ok(()),
    }
}
