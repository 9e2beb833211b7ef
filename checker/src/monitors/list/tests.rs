//! Lists against brute force, and the traps by name.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::model::ListAction::{self, Append, Read};
use crate::model::{ListMachine, Lists};
use crate::monitors::fuzz::{
    Tally, campaign, class, effects, exchange, intervals, linearizable, named_values, op, rounds,
};
use crate::monitors::list::decide;
use crate::{Conflict, Decision, LinOp};

fn brute(ops: &[LinOp<ListAction>], lists: &Lists) -> bool {
    linearizable(ops, &Vec::new(), |now: &Vec<u32>, action| match action {
        Append(value) => Some(now.iter().copied().chain([value]).collect()),
        Read(list) => (lists.get(list) == now).then(|| now.clone()),
    })
}

fn random(rng: &mut ChaCha8Rng, lists: &mut Lists) -> Vec<LinOp<ListAction>> {
    // Rarely values repeat; sometimes they are far apart.
    let repeating = rng.random_bool(0.05);
    let factor = if rng.random_bool(0.2) { 100_003 } else { 1 };
    let reads = rng.random_range(0.2..0.7);
    let mut next = 0;
    let mut ops = intervals(rng, 8, |rng| {
        if rng.random_bool(reads) {
            return Read(lists.push((0..rng.random_range(0..3_u32)).map(|value| factor * value)));
        }
        next += 1;
        Append(factor * if repeating { rng.random_range(0..2) } else { next - 1 })
    });
    if rng.random_bool(0.85) {
        let buggy = rng.random_bool(0.7);
        let mut past: Vec<Vec<u32>> = vec![Vec::new()];
        for id in effects(rng, &ops) {
            let bug = buggy && rng.random_bool(0.4);
            let mut now = past[past.len() - 1].clone();
            match &mut ops[id].action {
                Append(_) if bug && rng.random_bool(0.5) => {}
                Append(value) => {
                    let at = if bug { rng.random_range(0..=now.len()) } else { now.len() };
                    now.insert(at, *value);
                    past.push(now);
                }
                Read(list) => {
                    if bug {
                        now = past[rng.random_range(0..past.len())].clone();
                        if rng.random_bool(0.3) && !now.is_empty() {
                            let at = rng.random_range(0..now.len());
                            now[at] = factor * rng.random_range(0..5);
                        }
                    }
                    *list = lists.push(now);
                }
            }
        }
        if rng.random_bool(0.2) {
            exchange(rng, &mut ops);
        }
    }
    ops
}

/// The conflict's operations, and of what they show only the elements it is about.
fn project(ops: &[LinOp<ListAction>], lists: &Lists, conflict: &Conflict) -> (Vec<LinOp<ListAction>>, Lists) {
    let mut about: Vec<u32> = named_values(conflict).collect();
    about.extend(conflict.ops.iter().filter_map(|&id| match ops[id as usize].action {
        Append(value) => Some(value),
        Read(_) => None,
    }));
    let mut projected = Lists::default();
    let kept = conflict.ops.iter().map(|&id| match ops[id as usize].action {
        Append(_) => ops[id as usize],
        Read(list) => {
            let shown = lists.get(list).iter().copied().filter(|value| about.contains(value));
            LinOp { action: Read(projected.push(shown)), ..ops[id as usize] }
        }
    });
    (kept.collect(), projected)
}

fn round(rng: &mut ChaCha8Rng, tally: &mut Tally) {
    let mut lists = Lists::default();
    let ops = random(rng, &mut lists);
    let suffices = |conflict: &Conflict| {
        let (kept, lists) = project(&ops, &lists, conflict);
        conflict.ops.len() <= 4 && !brute(&kept, &lists)
    };
    let expected = brute(&ops, &lists);
    tally.compare(ListMachine::new(&ops, &lists), &ops, expected, decide(&ops, &lists), suffices);
}

#[test]
fn agrees_with_brute_force() {
    let tally = campaign(12, 14_000, round);
    assert!(tally.valid > 4_000 && tally.invalid > 3_000 && tally.crashed_used > 200, "{tally:?}");
    // Only repeated values are left open.
    assert!(tally.opened() < 600, "{tally:?}");
    assert_eq!(tally.classes.len(), 5, "{tally:?}");
}

#[test]
#[ignore = "as long as you like"]
fn more_lists() {
    println!("{:?}", campaign(112, rounds(), round));
}

fn decided(build: impl Fn(&mut dyn FnMut(&[u32]) -> ListAction) -> Vec<LinOp<ListAction>>) -> Decision {
    let mut lists = Lists::default();
    let ops = build(&mut |shown| Read(lists.push(shown.iter().copied())));
    decide(&ops, &lists)
}

#[test]
fn append_and_first_read_are_two_steps() {
    // The read returned before the append was called; as one step, the two could be in any order.
    let early = decided(|read| vec![op(2, 4, read(&[7])), op(6, 8, Append(7))]);
    assert_eq!(class(&early), "phantom read");
    let in_time = decided(|read| vec![op(2, 8, read(&[7])), op(6, 10, Append(7))]);
    assert_eq!(in_time, Decision::Valid(vec![1, 0]));
}

#[test]
fn an_append_without_return_happened_if_it_was_seen() {
    let seen = decided(|read| vec![op(2, 0, Append(7)), op(4, 6, read(&[])), op(8, 10, read(&[7]))]);
    assert_eq!(seen, Decision::Valid(vec![1, 0, 2]));
    let unseen = decided(|read| vec![op(2, 0, Append(7)), op(4, 6, read(&[])), op(8, 0, read(&[9]))]);
    assert_eq!(unseen, Decision::Valid(vec![1]));
    let gone = decided(|read| vec![op(2, 0, Append(7)), op(4, 6, read(&[7])), op(8, 10, read(&[]))]);
    assert_eq!(class(&gone), "stale read");
}

#[test]
fn what_is_wrong_has_a_name() {
    let lost = decided(|read| vec![op(2, 4, Append(1)), op(6, 8, Append(2)), op(10, 12, read(&[2]))]);
    assert_eq!(class(&lost), "lost update");
    let inverted = decided(|read| vec![op(2, 4, Append(1)), op(6, 8, Append(2)), op(10, 12, read(&[2, 1]))]);
    assert_eq!(class(&inverted), "order inversion");
    let twice = decided(|read| vec![op(2, 4, Append(1)), op(10, 12, read(&[1, 1]))]);
    assert_eq!(class(&twice), "duplicate delivery");
    let repeated = decided(|_| vec![op(2, 4, Append(1)), op(10, 12, Append(1))]);
    assert_eq!(class(&repeated), "open");
}
