//! The two strategies against each other. Depth first usually walks straight to a witness; where it
//! does not, the history may be invalid, which breadth first sees at the failing return. Which one is
//! faster is not known before, so they take turns; the first exact answer wins, and together they visit at
//! most about twice what the better one alone would.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::LinOp;
use crate::engine::breadth::Breadth;
use crate::engine::depth::Depth;
use crate::engine::mask::Mask;
use crate::engine::prep::{Prep, small};
use crate::engine::rules::Rules;
use crate::engine::space::Space;
use crate::engine::{Answer, Failure, Limits, Memory, Strategy};
use crate::model::Machine;

/// What a strategy may use, and when it must stop.
pub(super) struct Control<'a> {
    pub(super) limits: &'a Limits<'a>,
    /// Set when another thread has the answer.
    pub(super) cancel: Option<&'a AtomicBool>,
    /// Configurations to remember at most, whatever the memory budget.
    pub(super) remember: usize,
}

impl<'a> Control<'a> {
    pub(super) fn new(limits: &'a Limits<'a>) -> Self {
        Self { limits, cancel: None, remember: usize::MAX }
    }

    pub(super) fn stopped(&self) -> Option<Found> {
        if self.cancel.is_some_and(|cancel| cancel.load(Ordering::Relaxed)) {
            return Some(Found::Cancelled);
        }
        self.limits.deadline.is_some_and(|deadline| Instant::now() >= deadline).then_some(Found::OutOfTime)
    }

    /// Replaces an earlier claim to memory; false if the budget does not hold the new one, which is then
    /// not made.
    pub(super) fn claim(&self, claimed: &mut usize, bytes: usize) -> bool {
        let memory: &Memory = self.limits.memory;
        let fits = memory.reclaim(*claimed, bytes);
        if !fits && bytes > *claimed {
            memory.reclaim(bytes, *claimed);
            return false;
        }
        *claimed = bytes;
        fits
    }
}

/// What a turn came to.
#[derive(Debug)]
pub(super) enum Found {
    Witness(Vec<u32>),
    /// Everything was tried.
    Nothing,
    Paused,
    OutOfMemory,
    OutOfTime,
    Cancelled,
}

/// A strategy that can be paused.
pub(super) trait Runner<M: Machine> {
    /// Goes on for so many configurations.
    fn run(&mut self, space: &mut Space<'_, M>, control: &Control<'_>, quota: u64) -> Found;

    /// Configurations visited.
    fn configs(&self) -> u64;

    /// The largest `p` of a configuration.
    fn reached(&self) -> u32;

    /// After [`Found::Nothing`]: a rank with whose return the history certainly fails.
    fn failing(&self) -> u32;

    /// A linearization of all ranks below [`Runner::reached`].
    fn longest(&self) -> Vec<u32>;

    /// Configurations waiting.
    fn frontier(&self) -> usize;

    /// Gives back the memory it claimed.
    fn release(&mut self, control: &Control<'_>);
}

/// Decides a problem that begins in the given state, or the model's; also says how many configurations that took.
pub(super) fn decide<M: Machine>(
    machine: &mut M,
    ops: &[LinOp<M::Action>],
    initial: Option<u32>,
    control: &Control<'_>,
    strategy: Strategy,
    rules: Rules,
) -> (Answer, u64) {
    let bytes = Prep::<M::Action>::bytes_needed(ops.len());
    if !control.limits.memory.holds(bytes) {
        let mib = control.limits.memory.max_mib();
        let reason =
            format!("the memory limit of {mib} MiB is too small to start on {} operations", ops.len());
        return (Answer::Unknown { reason }, 0);
    }
    let prep = Prep::new(machine, ops, rules);
    let mut space = Space::new(machine, &prep, initial, rules);
    match prep.words {
        1 => run::<M, [u64; 1]>(&mut space, control, strategy),
        2 => run::<M, [u64; 2]>(&mut space, control, strategy),
        4 => run::<M, [u64; 4]>(&mut space, control, strategy),
        _ => run::<M, Box<[u64]>>(&mut space, control, strategy),
    }
}

/// Depth first alone usually needs about one configuration an operation.
fn first_turn(ranks: u32) -> u64 {
    u64::from(ranks) * 2 + 256
}

fn run<M: Machine, K: Mask>(
    space: &mut Space<'_, M>,
    control: &Control<'_>,
    strategy: Strategy,
) -> (Answer, u64) {
    let mut depth = Depth::<K>::new();
    let mut breadth = Breadth::<K>::new();
    let mut left = control.limits.max_configs;
    let mut turns: Vec<&mut dyn Runner<M>> = match strategy {
        Strategy::Depth => vec![&mut depth],
        Strategy::Breadth => vec![&mut breadth],
        Strategy::Race => vec![&mut depth, &mut breadth],
    };
    let mut quota = first_turn(space.prep.ranks());
    let mut turn = 0;
    let answer = loop {
        let runner = &mut turns[turn];
        let before = runner.configs();
        let found = runner.run(space, control, quota.min(left));
        left = left.saturating_sub(runner.configs() - before);
        match found {
            Found::Witness(witness) => break Answer::Valid { witness },
            Found::Nothing => break invalid(space, &*turns[turn]),
            Found::Paused if left == 0 => {
                let budget = format!("the budget of {} configurations", control.limits.max_configs);
                break unknown(space, &turns, &budget);
            }
            Found::Paused => turn = (turn + 1) % turns.len(),
            Found::OutOfMemory => {
                runner.release(control);
                let budget = format!("the memory limit of {} MiB", control.limits.memory.max_mib());
                if turns.len() == 1 {
                    break unknown(space, &turns, &budget);
                }
                turns.remove(turn);
                turn = 0;
            }
            Found::OutOfTime => break unknown(space, &turns, "the time limit"),
            Found::Cancelled => break unknown(space, &turns, "the time of this thread"),
        }
        if turn == 0 {
            quota = quota.saturating_mul(2);
        }
    };
    Runner::<M>::release(&mut depth, control);
    Runner::<M>::release(&mut breadth, control);
    (answer, control.limits.max_configs - left)
}

fn invalid<M: Machine>(space: &Space<'_, M>, runner: &dyn Runner<M>) -> Answer {
    let op = space.prep.op_of[runner.failing() as usize] as usize;
    Answer::Invalid { failure: Some(Failure { op, prefix: runner.longest() }) }
}

fn unknown<M: Machine>(space: &Space<'_, M>, runners: &[&mut dyn Runner<M>], budget: &str) -> Answer {
    let configs: u64 = runners.iter().map(|runner| runner.configs()).sum();
    let reached = runners.iter().map(|runner| runner.reached()).max().unwrap_or(0);
    let waiting: usize = runners.iter().map(|runner| runner.frontier()).sum();
    let reason = format!(
        "{budget} ran out after {configs} configurations, with {reached} of {} operations ordered and {waiting} \
         configurations waiting",
        small(space.prep.op_of.len())
    );
    Answer::Unknown { reason }
}
