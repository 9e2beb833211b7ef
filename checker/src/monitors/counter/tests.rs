//! Counters against brute force, and the traps by name.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::engine::verify_witness;
use crate::model::CounterAction::{self, Add, Read};
use crate::model::CounterMachine;
use crate::monitors::counter::decide;
use crate::monitors::fuzz::{Tally, campaign, class, effects, exchange, intervals, linearizable, op, rounds};
use crate::{Decision, LinOp};

fn brute(ops: &[LinOp<CounterAction>]) -> bool {
    linearizable(ops, &0_i64, |&now, action| match action {
        Add(number) => Some(now + number),
        Read(number) => (number == now).then_some(now),
    })
}

fn random(rng: &mut ChaCha8Rng) -> Vec<LinOp<CounterAction>> {
    let step = [1, 1, 1, 3, -2][rng.random_range(0..5)];
    let (mixed, reads) = (rng.random_bool(0.1), rng.random_range(0.2..0.7));
    let mut ops = intervals(rng, 8, |rng| {
        if rng.random_bool(reads) {
            return Read(step * rng.random_range(0..4));
        }
        Add(if mixed { rng.random_range(-2..=2) } else { step })
    });
    if rng.random_bool(0.8) {
        let buggy = rng.random_bool(0.7);
        let mut past = vec![0];
        for id in effects(rng, &ops) {
            let bug = buggy && rng.random_bool(0.4);
            let now = past[past.len() - 1];
            match &mut ops[id].action {
                Add(_) if bug => {}
                Add(number) => past.push(now + *number),
                Read(number) if bug => {
                    *number = past[rng.random_range(0..past.len())] + step * rng.random_range(0..2)
                }
                Read(number) => *number = now,
            }
        }
        if rng.random_bool(0.2) {
            exchange(rng, &mut ops);
        }
    }
    if rng.random_bool(0.01)
        && let Some(op) = ops.iter_mut().find(|op| matches!(op.action, Read(_)))
    {
        op.action = Read([i64::MIN, i64::MAX, -1, 1 << 33][rng.random_range(0..4)]);
    }
    ops
}

fn round(rng: &mut ChaCha8Rng, tally: &mut Tally) {
    let ops = random(rng);
    // A conflict is about the reads it names, and all additions.
    let suffices = |conflict: &crate::Conflict| {
        let kept =
            (0..).zip(&ops).filter(|(id, op)| matches!(op.action, Add(_)) || conflict.ops.contains(id));
        assert!(
            conflict.ops.len() <= 2
                && conflict.ops.iter().all(|&id| matches!(ops[id as usize].action, Read(_)))
        );
        !brute(&kept.map(|(_, op)| *op).collect::<Vec<_>>())
    };
    tally.compare(CounterMachine::new(&ops), &ops, brute(&ops), decide(&ops), suffices);
}

#[test]
fn agrees_with_brute_force() {
    let tally = campaign(11, 16_000, round);
    assert!(tally.valid > 5_000 && tally.invalid > 3_000 && tally.crashed_used > 300, "{tally:?}");
    // Only additions of different numbers are left open, and those of 0.
    assert!(tally.opened() < 1_200, "{tally:?}");
    assert_eq!(tally.classes.len(), 3, "{tally:?}");
}

#[test]
#[ignore = "as long as you like"]
fn more_counters() {
    println!("{:?}", campaign(111, rounds(), round));
}

#[test]
fn earliest_deadline_by_the_slots_end() {
    // Slot 1 begins at 0 and ends with the read of 1, at 20. Only the first addition was called by its
    // beginning, but the second must go first: it returned before the read of 1 was called, which the first
    // may come after.
    let ops = [op(2, 30, Add(1)), op(6, 10, Add(1)), op(12, 20, Read(1)), op(32, 34, Read(2))];
    let Decision::Valid(order) = decide(&ops) else { panic!() };
    assert_eq!(order, [1, 2, 0, 3]);
    assert_eq!(verify_witness(&mut CounterMachine::new(&ops), &ops, &order), Ok(()));
}

#[test]
fn an_addition_without_return_is_used_only_if_somebody_counted_it() {
    let crashed = op(2, 0, Add(1));
    let ops = [crashed, op(4, 6, Read(0)), op(8, 10, Read(1))];
    assert_eq!(decide(&ops), Decision::Valid(vec![1, 0, 2]));
    assert_eq!(decide(&ops[..2]), Decision::Valid(vec![1]));
    // One that returned goes first, and the other never happened.
    let ops = [crashed, op(4, 6, Add(1)), op(8, 10, Read(1))];
    assert_eq!(decide(&ops), Decision::Valid(vec![1, 2]));
    // It was called too late.
    let ops = [op(2, 4, Read(1)), op(6, 0, Add(1))];
    assert_eq!(class(&decide(&ops)), "phantom read");
}

#[test]
fn what_is_wrong_has_a_name() {
    let lost = [op(2, 4, Add(1)), op(6, 8, Add(1)), op(10, 12, Read(1))];
    assert_eq!(class(&decide(&lost)), "lost update");
    let stale = [lost[0], lost[1], lost[2], op(14, 16, Read(2))];
    assert_eq!(class(&decide(&stale)), "stale read");
    assert_eq!(class(&decide(&[op(2, 4, Add(2)), op(6, 8, Read(3))])), "phantom read");
    assert_eq!(class(&decide(&[op(2, 4, Add(-2)), op(6, 8, Read(2))])), "phantom read");
    assert_eq!(class(&decide(&[op(2, 4, Add(2)), op(6, 8, Add(1))])), "open");
}
