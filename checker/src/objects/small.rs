//! Making small what the engine found invalid, for any model: cut behind the failing return, and leave out every
//! operation that changes nothing and is not needed for the contradiction.
//!
//! Both are consequences of the original: a linearization of the whole, cut or without an operation that changes
//! nothing, is one of the rest.

use std::time::Instant;

use crate::decision::sentence;
use crate::engine::{Answer, Limits, Memory, search};
use crate::explain::Explained;
use crate::model::Machine;
use crate::{Class, Conflict, LinOp, NEVER, Piece};

/// Configurations one attempt may visit: attempts are many and must stay cheap.
const ATTEMPT_CONFIGS: u64 = 20_000;

/// A core of operations that is still not linearizable, with nothing more to say than that.
pub(crate) fn explain<M: Machine>(
    machine: impl Fn() -> M,
    ops: &[LinOp<M::Action>],
    failing: u32,
    deadline: Instant,
) -> Explained {
    let (core, minimal) = shrink(machine, ops, failing, deadline);
    let sentence = sentence![
        format!("no order of these {} operations explains every result; what returned before ", core.len()),
        Piece::Op(failing),
        " fits one"
    ];
    Explained { conflict: Conflict { class: Class::Other, ops: core, sentence }, minimal, core: Vec::new() }
}

/// Also says whether the time sufficed to try to leave out each.
fn shrink<M: Machine>(
    machine: impl Fn() -> M,
    ops: &[LinOp<M::Action>],
    failing: u32,
    deadline: Instant,
) -> (Vec<u32>, bool) {
    let end = ops[failing as usize].ret;
    let memory = Memory::new(256 << 20);
    let limits = Limits { deadline: Some(deadline), max_configs: ATTEMPT_CONFIGS, memory: &memory };
    let is_invalid = |ids: &[u32]| {
        let cut = |&id: &u32| {
            let op = ops[id as usize];
            LinOp { ret: if op.ret <= end { op.ret } else { NEVER }, ..op }
        };
        let ops: Vec<LinOp<M::Action>> = ids.iter().map(cut).collect();
        matches!(search(&mut machine(), &ops, &limits), Answer::Invalid { .. })
    };
    let pure = machine();
    let changes_nothing = |id: u32| pure.is_pure(ops[id as usize].action);
    let mut core: Vec<u32> = (0..).zip(ops).filter(|(_, op)| op.call < end).map(|(id, _)| id).collect();
    let mut chunk = core.len();
    while chunk > 0 {
        let mut at = core.len();
        while at > 0 {
            if Instant::now() >= deadline {
                return (core, false);
            }
            let start = at.saturating_sub(chunk);
            let stays = |place: usize, id: u32| !((start..at).contains(&place) && changes_nothing(id));
            let keep: Vec<u32> =
                core.iter().enumerate().filter(|&(place, &id)| stays(place, id)).map(|(_, &id)| id).collect();
            if keep.len() < core.len() && is_invalid(&keep) {
                core = keep;
            }
            at = start.min(core.len());
        }
        chunk /= 2;
    }
    (core, true)
}
