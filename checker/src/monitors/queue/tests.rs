//! Queues against brute force, and the traps by name.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::counterexample::Class;
use crate::model::QueueAction::{self, Dequeue, DequeueUnknown, Enqueue};
use crate::model::QueueMachine;
use crate::monitors::fuzz::{Tally, campaign, class, effects, exchange, intervals, linearizable, op, rounds};
use crate::monitors::queue::decide;
use crate::{Conflict, Decision, LinOp};

fn brute(ops: &[LinOp<QueueAction>]) -> bool {
    linearizable(ops, &Vec::new(), |now: &Vec<u32>, action| match action {
        Enqueue(element) => Some(now.iter().copied().chain([element]).collect()),
        Dequeue(None) => now.is_empty().then(Vec::new),
        Dequeue(Some(element)) => (now.first() == Some(&element)).then(|| now[1..].to_vec()),
        DequeueUnknown => Some(now.iter().copied().skip(1).collect()),
    })
}

fn random(rng: &mut ChaCha8Rng) -> Vec<LinOp<QueueAction>> {
    let repeating = rng.random_bool(0.03);
    let factor = if rng.random_bool(0.2) { 100_003 } else { 1 };
    let dequeues = rng.random_range(0.3..0.7);
    let mut next = 0;
    let mut ops = intervals(rng, 8, |rng| {
        if rng.random_bool(dequeues) {
            return Dequeue(Some(factor * rng.random_range(0..4)).filter(|_| rng.random_bool(0.7)));
        }
        next += 1;
        Enqueue(factor * if repeating { rng.random_range(0..2) } else { next - 1 })
    });
    if rng.random_bool(0.85) {
        let buggy = rng.random_bool(0.7);
        let mut now: Vec<u32> = Vec::new();
        for id in effects(rng, &ops) {
            let bug = buggy && rng.random_bool(0.4);
            match &mut ops[id].action {
                Enqueue(_) if bug && rng.random_bool(0.5) => {}
                Enqueue(element) => now.push(*element),
                DequeueUnknown | Dequeue(_) if now.is_empty() || (bug && rng.random_bool(0.3)) => {
                    ops[id].action = Dequeue(None);
                }
                Dequeue(taken) => {
                    let at = if bug { rng.random_range(0..now.len()) } else { 0 };
                    *taken = Some(now[at]);
                    if !bug || rng.random_bool(0.7) {
                        now.remove(at);
                    }
                }
                DequeueUnknown => unreachable!("made below"),
            }
        }
        if rng.random_bool(0.2) {
            exchange(rng, &mut ops);
        }
    }
    let unknown = |op: &&mut LinOp<QueueAction>| !op.returned() && matches!(op.action, Dequeue(_));
    for op in ops.iter_mut().filter(unknown) {
        op.action = if rng.random_bool(0.98) { DequeueUnknown } else { op.action };
    }
    ops
}

fn round(rng: &mut ChaCha8Rng, tally: &mut Tally) {
    let ops = random(rng);
    let suffices = |conflict: &Conflict| {
        let kept: Vec<_> = conflict.ops.iter().map(|&id| ops[id as usize]).collect();
        // Unless its operations contradict each other whatever else happened, they are all that happened to
        // its elements.
        let about: Vec<u32> = kept.iter().filter_map(|op| value(op.action)).collect();
        let others = (0..).zip(&ops).filter(|(id, op)| !conflict.ops.contains(id) && op.returned());
        assert!(
            matches!(conflict.class, Class::PhantomRead | Class::DuplicateDelivery)
                || others.filter_map(|(_, op)| value(op.action)).all(|element| !about.contains(&element)),
            "{ops:?} {conflict:?}"
        );
        !brute(&kept)
    };
    tally.compare(QueueMachine::default(), &ops, brute(&ops), decide(&ops), suffices);
}

fn value(action: QueueAction) -> Option<u32> {
    match action {
        Enqueue(element) | Dequeue(Some(element)) => Some(element),
        Dequeue(None) | DequeueUnknown => None,
    }
}

#[test]
fn agrees_with_brute_force() {
    let tally = campaign(15, 16_000, round);
    assert!(tally.valid > 4_000 && tally.invalid > 3_000 && tally.crashed_used > 300, "{tally:?}");
    // Only repeated elements are left open, and dequeues that contradict themselves.
    assert!(tally.opened() < 600, "{tally:?}");
    assert_eq!(tally.classes.len(), 5, "{tally:?}");
}

#[test]
#[ignore = "as long as you like"]
fn more_queues() {
    println!("{:?}", campaign(115, rounds(), round));
}

#[test]
fn an_enqueue_without_return_happened_if_it_was_dequeued() {
    let crashed = op(2, 0, Enqueue(1));
    assert_eq!(decide(&[crashed, op(4, 6, Dequeue(None))]), Decision::Valid(vec![1]));
    let seen = [crashed, op(4, 6, Dequeue(None)), op(8, 10, Dequeue(Some(1)))];
    assert_eq!(decide(&seen), Decision::Valid(vec![1, 0, 2]));
}

#[test]
fn a_dequeue_without_answer_took_what_nobody_else_did() {
    let enqueues = [op(2, 4, Enqueue(1)), op(6, 8, Enqueue(2))];
    let with = |rest: &[LinOp<QueueAction>]| decide(&[&enqueues[..], rest].concat());
    // Without it, 1 was overtaken.
    assert_eq!(class(&with(&[op(14, 16, Dequeue(Some(2)))])), "lost update");
    let unknown = op(10, 0, DequeueUnknown);
    assert_eq!(with(&[op(14, 16, Dequeue(Some(2))), unknown]), Decision::Valid(vec![0, 1, 3, 2]));
    // Called too late to have been first.
    let late = op(18, 0, DequeueUnknown);
    assert_eq!(class(&with(&[op(14, 16, Dequeue(Some(2))), late])), "order inversion");
    // The one that was called first took what was first.
    assert_eq!(class(&with(&[late, op(14, 16, Dequeue(Some(2))), unknown])), "valid");
    // Two elements are gone: one such dequeue is not enough.
    let empty = op(14, 16, Dequeue(None));
    assert_eq!(class(&with(&[unknown, empty])), "wrong empty");
    assert_eq!(class(&with(&[unknown, op(12, 0, DequeueUnknown), empty])), "valid");
    assert_eq!(class(&with(&[unknown, late, empty])), "wrong empty");
}

#[test]
fn empty_needs_a_moment_at_which_nothing_was_in() {
    // 1 is in until 2 is: together they are in all the time.
    let both = [
        op(2, 4, Enqueue(1)),
        op(8, 10, Enqueue(2)),
        op(12, 14, Dequeue(Some(1))),
        op(16, 18, Dequeue(Some(2))),
        op(5, 15, Dequeue(None)),
    ];
    let Decision::Invalid(conflict) = decide(&both) else { panic!() };
    assert_eq!((conflict.class.name(), conflict.ops.len()), ("wrong empty", 5));
    // Now there is a gap between them.
    let mut gap = both;
    gap[1] = op(8, 13, Enqueue(2));
    assert_eq!(class(&decide(&gap)), "valid");
}

#[test]
fn what_is_wrong_has_a_name() {
    let two = [op(2, 4, Enqueue(1)), op(6, 8, Enqueue(2)), op(10, 12, Dequeue(Some(2)))];
    assert_eq!(class(&decide(&two)), "lost update");
    assert_eq!(class(&decide(&[&two[..], &[op(14, 16, Dequeue(Some(1)))]].concat())), "order inversion");
    assert_eq!(class(&decide(&[&two[1..], &[op(14, 16, Dequeue(Some(2)))]].concat())), "duplicate delivery");
    assert_eq!(class(&decide(&[op(2, 4, Dequeue(Some(1))), op(6, 8, Enqueue(1))])), "phantom read");
    assert_eq!(class(&decide(&[op(2, 4, Dequeue(Some(1)))])), "phantom read");
    assert_eq!(class(&decide(&[two[0], two[0]])), "open");
}
