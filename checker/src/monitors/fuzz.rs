//! What the monitors' tests share: small random histories, a judge that tries every order, and the
//! comparison.
//!
//! The judge shares nothing with monitors, machines and engine; each test gives it its own idea of the
//! object.

use std::collections::BTreeMap;

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::engine::{Answer, Limits, Memory, search, verify_witness};
use crate::model::Machine;
use crate::{Conflict, Decision, LinOp, NEVER, Piece, Position};

/// Tries every order of every choice of operations without return.
pub(super) fn linearizable<A: Copy, S>(
    ops: &[LinOp<A>],
    initial: &S,
    step: impl Fn(&S, A) -> Option<S> + Copy,
) -> bool {
    fn go<A: Copy, S>(
        ops: &[LinOp<A>],
        done: u32,
        state: &S,
        step: impl Fn(&S, A) -> Option<S> + Copy,
    ) -> bool {
        let left = || (0..ops.len()).filter(|&id| done & (1 << id) == 0);
        // Nothing still to come may have returned before what comes next was called.
        let first_return = left().map(|id| ops[id].ret).min().unwrap_or(NEVER);
        if first_return == NEVER {
            return true;
        }
        left()
            .filter(|&id| ops[id].call < first_return)
            .any(|id| step(state, ops[id].action).is_some_and(|next| go(ops, done | 1 << id, &next, step)))
    }
    go(ops, 0, initial, step)
}

/// Operations with random intervals, which the caller has still to give their actions and outputs.
pub(super) fn intervals<A>(
    rng: &mut ChaCha8Rng,
    most: usize,
    mut action: impl FnMut(&mut ChaCha8Rng) -> A,
) -> Vec<LinOp<A>> {
    let n = rng.random_range(1..=most);
    let mut order: Vec<Position> = (1..=2 * u32::try_from(n).unwrap()).collect();
    // Neighbouring positions make little concurrency, shuffled ones a lot.
    let window = rng.random_range(2..=2 * n);
    order.chunks_mut(window).for_each(|chunk| chunk.shuffle(rng));
    let scale = if rng.random_bool(0.2) { 2000 } else { 2 };
    let crashes = if rng.random_bool(0.5) { 0.3 } else { 0.0 };
    let mut ops: Vec<LinOp<A>> = order
        .chunks(2)
        .map(|pair| {
            let (a, b) = (scale * pair[0], scale * pair[1]);
            let ret = if rng.random_bool(crashes) { NEVER } else { a.max(b) };
            LinOp { call: a.min(b), ret, action: action(rng) }
        })
        .collect();
    if rng.random_bool(0.5) {
        ops.sort_by_key(|op| op.call);
    }
    ops
}

/// Operations in the order in which they take effect: each at a random point of its interval (without return:
/// maybe late, maybe never).
pub(super) fn effects<A>(rng: &mut ChaCha8Rng, ops: &[LinOp<A>]) -> Vec<usize> {
    let mut points: Vec<(f64, usize)> = Vec::new();
    for (id, op) in ops.iter().enumerate() {
        let end = if op.returned() { f64::from(op.ret) } else { f64::from(op.call) * 1.5 + 16.0 };
        if op.returned() || rng.random_bool(0.6) {
            points.push((rng.random_range(f64::from(op.call)..end), id));
        }
    }
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    points.into_iter().map(|(_, id)| id).collect()
}

/// Exchanges the intervals of two operations that both returned.
pub(super) fn exchange<A>(rng: &mut ChaCha8Rng, ops: &mut [LinOp<A>]) {
    let (a, b) = (rng.random_range(0..ops.len()), rng.random_range(0..ops.len()));
    if ops[a].returned() && ops[b].returned() {
        let (call, ret) = (ops[a].call, ops[a].ret);
        (ops[a].call, ops[a].ret) = (ops[b].call, ops[b].ret);
        (ops[b].call, ops[b].ret) = (call, ret);
    }
}

/// Counted so that a test that never said *invalid*, or never took a path, fails.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) valid: u32,
    pub(super) invalid: u32,
    pub(super) open: BTreeMap<&'static str, u32>,
    pub(super) classes: BTreeMap<&'static str, u32>,
    /// Orders in which an operation without return took effect.
    pub(super) crashed_used: u32,
    pub(super) largest_conflict: usize,
}

impl Tally {
    pub(super) fn opened(&self) -> u32 {
        self.open.values().sum()
    }

    /// Compares a monitor's decision and the engine's with the judge's. `suffices` says whether a conflict's
    /// own operations cannot be linearized.
    pub(super) fn compare<M: Machine>(
        &mut self,
        mut machine: M,
        ops: &[LinOp<M::Action>],
        expected: bool,
        decision: Decision,
        suffices: impl Fn(&Conflict) -> bool,
    ) {
        let memory = Memory::new(1 << 30);
        let limits = Limits { deadline: None, max_configs: 1 << 20, memory: &memory };
        match search(&mut machine, ops, &limits) {
            Answer::Valid { witness } => {
                assert!(expected, "the engine accepts what the judge rejects: {ops:?}");
                assert_eq!(verify_witness(&mut machine, ops, &witness), Ok(()), "engine: {ops:?}");
            }
            Answer::Invalid { .. } => {
                assert!(!expected, "the engine rejects what the judge accepts: {ops:?}")
            }
            Answer::Unknown { reason } => panic!("{reason}"),
        }
        *(if expected { &mut self.valid } else { &mut self.invalid }) += 1;
        match decision {
            Decision::Valid(witness) => {
                assert!(expected, "the monitor accepts what the judge rejects: {ops:?}");
                assert_eq!(verify_witness(&mut machine, ops, &witness), Ok(()), "{witness:?} {ops:?}");
                self.crashed_used += u32::from(witness.iter().any(|&id| !ops[id as usize].returned()));
            }
            Decision::Invalid(conflict) => {
                assert!(!expected, "the monitor rejects what the judge accepts: {ops:?} {conflict:?}");
                assert!(suffices(&conflict), "not a contradiction in itself: {ops:?} {conflict:?}");
                well_formed(&conflict, ops.len());
                *self.classes.entry(conflict.class.name()).or_default() += 1;
                self.largest_conflict = self.largest_conflict.max(conflict.ops.len());
            }
            Decision::Open(reason) => *self.open.entry(reason).or_default() += 1,
        }
    }
}

/// Each operation once, and each that the sentence names.
fn well_formed(conflict: &Conflict, size: usize) {
    let mut ops = conflict.ops.clone();
    ops.sort_unstable();
    ops.dedup();
    assert_eq!(ops.len(), conflict.ops.len(), "{conflict:?}");
    assert!(ops.iter().all(|&id| (id as usize) < size), "{conflict:?}");
    for piece in &conflict.sentence {
        match piece {
            Piece::Op(id) | Piece::Returned(id) | Piece::Called(id) => {
                assert!(ops.contains(id), "{conflict:?}");
            }
            Piece::Text(_) | Piece::Words(_) | Piece::Value(_) => {}
        }
    }
}

/// The values that a conflict's sentence names.
pub(super) fn named_values(conflict: &Conflict) -> impl Iterator<Item = u32> {
    conflict.sentence.iter().filter_map(|piece| match piece {
        Piece::Value(value) => Some(*value),
        Piece::Text(_) | Piece::Words(_) | Piece::Op(_) | Piece::Returned(_) | Piece::Called(_) => None,
    })
}

/// Runs so many rounds. For the night, the tests named `more_…`:
/// `ZABCHAOS_FUZZ=3000000 cargo test --release -p checker -- --ignored more_`.
pub(super) fn campaign(seed: u64, rounds: u32, mut round: impl FnMut(&mut ChaCha8Rng, &mut Tally)) -> Tally {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut tally = Tally::default();
    for _ in 0..rounds {
        round(&mut rng, &mut tally);
    }
    tally
}

/// As many rounds as the environment asks for.
pub(super) fn rounds() -> u32 {
    std::env::var("ZABCHAOS_FUZZ").map_or(200_000, |rounds| rounds.parse().unwrap())
}

/// An operation; `ret` 0 is none.
pub(super) fn op<A>(call: Position, ret: Position, action: A) -> LinOp<A> {
    LinOp { call, ret: if ret > 0 { ret } else { NEVER }, action }
}

pub(super) fn class(decision: &Decision) -> &'static str {
    match decision {
        Decision::Valid(_) => "valid",
        Decision::Open(_) => "open",
        Decision::Invalid(conflict) => conflict.class.name(),
    }
}
