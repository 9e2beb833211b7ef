//! Sets against brute force, and the traps by name.

use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::model::SetAction::{self, Add, Read, Remove};
use crate::model::{ElementAction, ElementMachine, Lists, SetMachine};
use crate::monitors::fuzz::{
    Tally, campaign, class, effects, exchange, intervals, linearizable, named_values, op, rounds,
};
use crate::monitors::set::{decide, decide_element};
use crate::{Conflict, Decision, LinOp};

fn brute(ops: &[LinOp<SetAction>], lists: &Lists) -> bool {
    linearizable(ops, &Vec::new(), |now: &Vec<u32>, action| match action {
        Add(element) => {
            Some(now.iter().copied().filter(|&other| other != element).chain([element]).collect())
        }
        Remove(element) => Some(now.iter().copied().filter(|&other| other != element).collect()),
        Read(list) => {
            let shown = lists.get(list);
            let same = shown.iter().all(|x| now.contains(x)) && now.iter().all(|x| shown.contains(x));
            same.then(|| now.clone())
        }
    })
}

fn random(rng: &mut ChaCha8Rng, lists: &mut Lists) -> Vec<LinOp<SetAction>> {
    // Rarely elements are added twice, or removed; sometimes they are far apart.
    let (repeating, removing) = (rng.random_bool(0.05), rng.random_bool(0.1));
    let factor = if rng.random_bool(0.2) { 100_003 } else { 1 };
    let reads = rng.random_range(0.2..0.7);
    let mut next = 0;
    let mut ops = intervals(rng, 8, |rng| {
        if rng.random_bool(reads) {
            return Read(lists.push((0..rng.random_range(0..3_u32)).map(|value| factor * value)));
        }
        if removing && rng.random_bool(0.4) {
            return Remove(factor * rng.random_range(0..3));
        }
        next += 1;
        Add(factor * if repeating { rng.random_range(0..2) } else { next - 1 })
    });
    if rng.random_bool(0.85) {
        let buggy = rng.random_bool(0.7);
        let mut past: Vec<Vec<u32>> = vec![Vec::new()];
        for id in effects(rng, &ops) {
            let bug = buggy && rng.random_bool(0.4);
            let mut now = past[past.len() - 1].clone();
            match &mut ops[id].action {
                Add(_) | Remove(_) if bug => {}
                Add(element) => {
                    now.retain(|other| other != element);
                    now.push(*element);
                    past.push(now);
                }
                Remove(element) => {
                    now.retain(|other| other != element);
                    past.push(now);
                }
                Read(list) => {
                    if bug {
                        now = past[rng.random_range(0..past.len())].clone();
                        if rng.random_bool(0.4) && !now.is_empty() {
                            let at = rng.random_range(0..now.len());
                            now[at] = factor * rng.random_range(0..5);
                        }
                        if rng.random_bool(0.2) {
                            now.push(factor * rng.random_range(0..4));
                        }
                    }
                    now.shuffle(rng);
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

fn project(ops: &[LinOp<SetAction>], lists: &Lists, conflict: &Conflict) -> (Vec<LinOp<SetAction>>, Lists) {
    let mut about: Vec<u32> = named_values(conflict).collect();
    about.extend(conflict.ops.iter().filter_map(|&id| match ops[id as usize].action {
        Add(element) | Remove(element) => Some(element),
        Read(_) => None,
    }));
    let mut projected = Lists::default();
    let kept = conflict.ops.iter().map(|&id| match ops[id as usize].action {
        Add(_) | Remove(_) => ops[id as usize],
        Read(list) => {
            let shown = lists.get(list).iter().copied().filter(|element| about.contains(element));
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
    tally.compare(SetMachine::new(&ops, &lists), &ops, expected, decide(&ops, &lists), suffices);
}

#[test]
fn agrees_with_brute_force() {
    let tally = campaign(13, 14_000, round);
    assert!(tally.valid > 4_000 && tally.invalid > 3_000 && tally.crashed_used > 200, "{tally:?}");
    // Only removals and repeated elements are left open.
    assert!(tally.opened() < 1_200, "{tally:?}");
    assert_eq!(tally.classes.len(), 4, "{tally:?}");
}

#[test]
#[ignore = "as long as you like"]
fn more_sets() {
    println!("{:?}", campaign(113, rounds(), round));
}

fn brute_element(ops: &[LinOp<ElementAction>]) -> bool {
    linearizable(ops, &false, |&now, action| match action {
        ElementAction::Add => Some(true),
        ElementAction::Remove => Some(false),
        ElementAction::Contains(found) => (found == now).then_some(now),
    })
}

fn element_round(rng: &mut ChaCha8Rng, tally: &mut Tally) {
    use ElementAction::{Contains, Remove};
    let (removing, reads) = (rng.random_bool(0.2), rng.random_range(0.2..0.9));
    let mut ops = intervals(rng, 8, |rng| {
        if rng.random_bool(reads) {
            return Contains(rng.random_bool(0.5));
        }
        if removing && rng.random_bool(0.5) { Remove } else { ElementAction::Add }
    });
    if rng.random_bool(0.8) {
        let buggy = rng.random_bool(0.7);
        let mut now = false;
        for id in effects(rng, &ops) {
            let bug = buggy && rng.random_bool(0.4);
            match &mut ops[id].action {
                ElementAction::Add | Remove if bug => {}
                ElementAction::Add => now = true,
                Remove => now = false,
                Contains(found) => *found = now != bug,
            }
        }
    }
    let suffices = |conflict: &Conflict| {
        let kept: Vec<_> = conflict.ops.iter().map(|&id| ops[id as usize]).collect();
        kept.len() <= 4 && !brute_element(&kept)
    };
    tally.compare(ElementMachine, &ops, brute_element(&ops), decide_element(&ops), suffices);
}

#[test]
fn elements_agree_with_brute_force() {
    let tally = campaign(14, 14_000, element_round);
    assert!(tally.valid > 4_000 && tally.invalid > 3_000 && tally.crashed_used > 200, "{tally:?}");
    assert!(tally.opened() < 2_000, "{tally:?}");
    assert_eq!(tally.classes.len(), 3, "{tally:?}");
}

#[test]
#[ignore = "as long as you like"]
fn more_elements() {
    println!("{:?}", campaign(114, rounds(), element_round));
}

fn decided(build: impl Fn(&mut dyn FnMut(&[u32]) -> SetAction) -> Vec<LinOp<SetAction>>) -> Decision {
    let mut lists = Lists::default();
    let ops = build(&mut |shown| Read(lists.push(shown.iter().copied())));
    decide(&ops, &lists)
}

#[test]
fn add_and_first_read_are_two_steps() {
    let early = decided(|read| vec![op(2, 4, read(&[7])), op(6, 8, Add(7))]);
    assert_eq!(class(&early), "phantom read");
    let in_time = decided(|read| vec![op(2, 8, read(&[7])), op(6, 10, Add(7))]);
    assert_eq!(in_time, Decision::Valid(vec![1, 0]));
}

#[test]
fn an_add_without_return_happened_if_it_was_seen() {
    let seen = decided(|read| vec![op(2, 0, Add(7)), op(4, 6, read(&[])), op(8, 10, read(&[7]))]);
    assert_eq!(seen, Decision::Valid(vec![1, 0, 2]));
    let unseen = decided(|read| vec![op(2, 0, Add(7)), op(4, 6, read(&[])), op(8, 0, read(&[9]))]);
    assert_eq!(unseen, Decision::Valid(vec![1]));
}

#[test]
fn reads_are_sets_in_any_order() {
    let adds = [op(2, 4, Add(1)), op(2, 4, Add(2)), op(6, 20, Add(3))];
    let same = decided(|read| {
        [&adds[..], &[op(8, 10, read(&[2, 1])), op(12, 14, read(&[1, 2, 1])), op(22, 24, read(&[3, 2, 1]))]]
            .concat()
    });
    assert_eq!(class(&same), "valid");
    let apart =
        decided(|read| vec![op(2, 4, Add(1)), op(3, 5, Add(2)), op(2, 6, read(&[2])), op(3, 7, read(&[1]))]);
    assert_eq!(class(&apart), "order inversion");
    assert_eq!(class(&decided(|_| vec![op(2, 4, Add(1)), op(6, 8, Remove(1))])), "open");
}
