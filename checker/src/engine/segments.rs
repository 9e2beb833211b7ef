//! Cuts: where a history may be taken apart.
//!
//! Where nothing is open, and nothing from before can still take effect, all that goes before is ordered
//! before all that comes after: only the state is handed over. If the last operation before the cut was
//! alone and tells the state that it leaves (or found), that state is the same in every linearization, so
//! the history is linearizable iff both parts are. Nothing before such a cut need be kept in memory, and the
//! parts can be checked side by side.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crate::LinOp;
use crate::engine::prep::small;
use crate::engine::race::{Control, decide};
use crate::engine::{Answer, Failure, Limits, Rules, Strategy};
use crate::model::Machine;

/// A part is not worth its own start with fewer operations than this.
const MIN_PART: usize = 256;

/// A part of a history.
#[derive(Debug)]
struct Part {
    /// Its operations, by index.
    ids: Vec<u32>,
    /// The state before it; `None` for the initial one.
    start: Option<u32>,
}

/// Cuts a history into parts of at least `min` operations.
fn parts<M: Machine>(machine: &M, ops: &[LinOp<M::Action>], min: usize) -> Vec<Part> {
    let whole = || vec![Part { ids: (0..small(ops.len())).collect(), start: None }];
    if ops.len() < 2 * min {
        return whole();
    }
    let mut by_call: Vec<u32> = (0..small(ops.len())).collect();
    by_call.sort_unstable_by_key(|&id| ops[id as usize].call);
    let mut parts: Vec<Part> = Vec::new();
    let (mut begin, mut start) = (0, None);
    let mut last_return = 0;
    // Where the operations since the last moment of rest begin.
    let mut cluster = 0;
    for at in 0..by_call.len() {
        let op = &ops[by_call[at] as usize];
        if op.call > last_return && at > 0 {
            let alone = &ops[by_call[cluster] as usize];
            if let Some(state) = left_by(machine, alone).filter(|_| at - cluster == 1)
                && at - begin >= min
                && by_call.len() - at >= min
            {
                parts.push(Part { ids: by_call[begin..at].to_vec(), start });
                (begin, start) = (at, Some(state));
            }
            cluster = at;
        }
        // Without a return it stays usable for ever (unless it does nothing), and there is no more rest.
        if op.returned() || !machine.is_pure(op.action) {
            last_return = last_return.max(op.ret);
        }
    }
    if parts.is_empty() {
        return whole();
    }
    parts.push(Part { ids: by_call[begin..].to_vec(), start });
    parts
}

/// The one state that there can be directly after the operation.
fn left_by<M: Machine>(machine: &M, op: &LinOp<M::Action>) -> Option<u32> {
    if !op.returned() {
        // A read without an answer.
        None
    } else if machine.is_pure(op.action) {
        machine.requires(op.action)
    } else {
        machine.produces(op.action)
    }
}

/// Decides a part; operations are named as in the whole.
fn decide_part<M: Machine>(
    machine: &mut M,
    ops: &[LinOp<M::Action>],
    part: &Part,
    control: &Control<'_>,
    strategy: Strategy,
    rules: Rules,
) -> (Answer, u64) {
    if part.ids.len() == ops.len() {
        return decide(machine, ops, part.start, control, strategy, rules);
    }
    let own: Vec<LinOp<M::Action>> = part.ids.iter().map(|&id| ops[id as usize]).collect();
    let (answer, configs) = decide(machine, &own, part.start, control, strategy, rules);
    let rename = |ids: Vec<u32>| -> Vec<u32> { ids.into_iter().map(|id| part.ids[id as usize]).collect() };
    let answer = match answer {
        Answer::Valid { witness } => Answer::Valid { witness: rename(witness) },
        Answer::Invalid { failure } => Answer::Invalid {
            failure: failure
                .map(|failure| Failure { op: part.ids[failure.op] as usize, prefix: rename(failure.prefix) }),
        },
        Answer::Unknown { reason } => Answer::Unknown { reason },
    };
    (answer, configs)
}

/// Puts the answers of parts together; `None` is a part after one that was found invalid.
fn together(answers: impl Iterator<Item = Option<Answer>>) -> Answer {
    let mut order = Vec::new();
    let mut unknown = None;
    for answer in answers {
        match answer {
            Some(Answer::Valid { mut witness }) if unknown.is_none() => order.append(&mut witness),
            Some(Answer::Valid { .. }) | None => {}
            Some(Answer::Invalid { failure }) => {
                let failure = failure.map(|mut failure| {
                    // What comes after a gap in what is known is no prefix.
                    if unknown.is_none() {
                        order.append(&mut failure.prefix);
                    }
                    failure.prefix = order;
                    failure
                });
                return Answer::Invalid { failure };
            }
            Some(Answer::Unknown { reason }) => unknown = unknown.or(Some(reason)),
        }
    }
    match unknown {
        Some(reason) => Answer::Unknown { reason },
        None => Answer::Valid { witness: order },
    }
}

/// Decides part after part; each is forgotten before the next.
pub(super) fn one_by_one<M: Machine>(
    machine: &mut M,
    ops: &[LinOp<M::Action>],
    limits: &Limits<'_>,
    strategy: Strategy,
    rules: Rules,
) -> (Answer, u64) {
    let mut visited = 0;
    let mut answers = Vec::new();
    for part in parts(machine, ops, MIN_PART) {
        let left = Limits { max_configs: limits.max_configs.saturating_sub(visited), ..*limits };
        let control = Control::new(&left);
        let (answer, configs) = decide_part(machine, ops, &part, &control, strategy, rules);
        visited += configs;
        let valid = matches!(answer, Answer::Valid { .. });
        answers.push(Some(answer));
        if !valid {
            break;
        }
    }
    (together(answers.into_iter()), visited)
}

/// [`search`](crate::engine::search) on several threads: parts of the history side by side if it can be cut,
/// else the two strategies side by side.
///
/// # Panics
/// If the model panics.
pub fn search_parallel<M>(
    machine: &M,
    ops: &[LinOp<M::Action>],
    limits: &Limits<'_>,
    threads: usize,
) -> Answer
where
    M: Machine + Clone + Send,
    M::Action: Sync,
{
    if threads <= 1 {
        return one_by_one(&mut machine.clone(), ops, limits, Strategy::Race, Rules::ALL).0;
    }
    let parts = parts(machine, ops, MIN_PART.max(ops.len() / (threads * 4)));
    match &parts[..] {
        [whole] => strategies_side_by_side(machine, ops, whole, limits),
        _ => parts_side_by_side(machine, ops, &parts, limits, threads),
    }
}

fn strategies_side_by_side<M>(
    machine: &M,
    ops: &[LinOp<M::Action>],
    whole: &Part,
    limits: &Limits<'_>,
) -> Answer
where
    M: Machine + Clone + Send,
    M::Action: Sync,
{
    let cancel = AtomicBool::new(false);
    let run = |mut machine: M, strategy: Strategy| {
        let control = Control { cancel: Some(&cancel), ..Control::new(limits) };
        let (answer, _) = decide_part(&mut machine, ops, whole, &control, strategy, Rules::ALL);
        if !matches!(answer, Answer::Unknown { .. }) {
            cancel.store(true, Ordering::Relaxed);
        }
        answer
    };
    let (ours, theirs) = (machine.clone(), machine.clone());
    let (depth, breadth) = thread::scope(|scope| {
        let breadth = scope.spawn(|| run(theirs, Strategy::Breadth));
        let depth = run(ours, Strategy::Depth);
        (depth, breadth.join())
    });
    let breadth = breadth.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    if matches!(depth, Answer::Unknown { .. }) && !matches!(breadth, Answer::Unknown { .. }) {
        breadth
    } else {
        depth
    }
}

fn parts_side_by_side<M>(
    machine: &M,
    ops: &[LinOp<M::Action>],
    parts: &[Part],
    limits: &Limits<'_>,
    threads: usize,
) -> Answer
where
    M: Machine + Clone + Send,
    M::Action: Sync,
{
    let next = AtomicUsize::new(0);
    // The first part known to be invalid: what comes after it does not matter.
    let invalid = AtomicUsize::new(usize::MAX);
    let answers: Mutex<Vec<Option<Answer>>> = Mutex::new(vec![None; parts.len()]);
    let work = |mut machine: M| {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(part) = parts.get(at).filter(|_| at < invalid.load(Ordering::Relaxed)) else { break };
            let control = Control::new(limits);
            let (answer, _) = decide_part(&mut machine, ops, part, &control, Strategy::Race, Rules::ALL);
            if answer.is_invalid() {
                invalid.fetch_min(at, Ordering::Relaxed);
            }
            answers.lock().expect("no thread panics while it holds the lock")[at] = Some(answer);
        }
    };
    let machines: Vec<M> = (0..threads.min(parts.len())).map(|_| machine.clone()).collect();
    thread::scope(|scope| {
        for machine in machines {
            scope.spawn(|| work(machine));
        }
    });
    let answers = answers.into_inner().expect("no thread panics while it holds the lock");
    together(answers.into_iter())
}

#[cfg(test)]
pub(super) fn part_count<M: Machine>(machine: &M, ops: &[LinOp<M::Action>], min: usize) -> usize {
    parts(machine, ops, min).len()
}

/// [`one_by_one`] with parts as small as you like.
#[cfg(test)]
pub(super) fn in_small_parts<M: Machine>(
    machine: &mut M,
    ops: &[LinOp<M::Action>],
    limits: &Limits<'_>,
) -> Answer {
    let control = Control::new(limits);
    let parts = parts(machine, ops, 1);
    let mut answers = Vec::new();
    for part in &parts {
        let (answer, _) = decide_part(machine, ops, part, &control, Strategy::Race, Rules::ALL);
        let valid = matches!(answer, Answer::Valid { .. });
        answers.push(Some(answer));
        if !valid {
            break;
        }
    }
    together(answers.into_iter())
}
