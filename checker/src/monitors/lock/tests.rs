//! The lock monitor against brute force on small random histories, seeded; then the special cases by name.
//!
//! Brute force shares nothing with it: it knows no processes and tries every order.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{LockOp, decide};
use crate::engine::verify_witness;
use crate::model::{LockAction, LockMachine};
use crate::{Class, Conflict, Decision, LinOp, NEVER, Piece, Position};

use LockAction::{Acquire, Refused, RefusedRelease, Release};

/// Tries every order of every choice of operations without return.
fn brute(ops: &[LockOp]) -> bool {
    fn go(ops: &[LockOp], done: u32, held: bool) -> bool {
        let todo = |id: usize| done & (1 << id) == 0;
        let left = || (0..ops.len()).filter(|&id| todo(id));
        if left().all(|id| ops[id].ret == NEVER) {
            return true;
        }
        let first_return = left().map(|id| ops[id].ret).min().unwrap_or(NEVER);
        left().any(|id| {
            let after = match (ops[id].action, held) {
                (Acquire, false) | (Refused, true) => true,
                (Release, true) | (RefusedRelease, false) => false,
                (Acquire | RefusedRelease, true) | (Release | Refused, false) => return false,
            };
            first_return >= ops[id].call && go(ops, done | 1 << id, after)
        })
    }
    go(ops, 0, false)
}

/// A history in the making: a perfect lock and a few processes, one event at a time.
struct World {
    ops: Vec<LockOp>,
    processes: Vec<u32>,
    held: bool,
    now: Position,
}

/// What a client is at.
#[derive(Clone, Copy)]
enum Client {
    Idle { holds: bool },
    Called(usize),
    Done(usize),
}

impl World {
    fn call(&mut self, process: u32, action: LockAction) -> usize {
        self.now += 4;
        self.ops.push(LinOp { call: self.now, ret: NEVER, action });
        self.processes.push(process);
        self.ops.len() - 1
    }

    fn take_effect(&mut self, id: usize) {
        let action = &mut self.ops[id].action;
        (*action, self.held) = match (*action, self.held) {
            (Acquire | Refused, false) => (Acquire, true),
            (Acquire | Refused, true) => (Refused, true),
            (Release | RefusedRelease, true) => (Release, false),
            (Release | RefusedRelease, false) => (RefusedRelease, false),
        };
    }
}

/// A valid history of up to `n` operations: operations (by call) and their processes.
fn simulate(rng: &mut ChaCha8Rng, n: usize, crash: f64) -> (Vec<LockOp>, Vec<u32>) {
    let mut world = World { ops: Vec::new(), processes: Vec::new(), held: false, now: 0 };
    let clients = rng.random_range(1..=4);
    let mut at = vec![Client::Idle { holds: false }; clients];
    let mut process: Vec<u32> = (0..).take(clients).collect();
    let mut late: Vec<usize> = Vec::new();
    while world.ops.len() < n || at.iter().any(|client| !matches!(client, Client::Idle { .. })) {
        if !late.is_empty() && rng.random_bool(0.2) {
            world.take_effect(late.swap_remove(0));
        }
        let client = rng.random_range(0..clients);
        at[client] = match at[client] {
            idle @ Client::Idle { .. } if world.ops.len() >= n => idle,
            Client::Idle { holds } => {
                Client::Called(world.call(process[client], if holds { Release } else { Acquire }))
            }
            Client::Called(id) if rng.random_bool(crash) => {
                process[client] += u32::try_from(clients).unwrap();
                // What a crashed operation found out is nobody's to know.
                let action = world.ops[id].action;
                let now = rng.random_bool(0.5);
                if now && world.held == (action == Release) {
                    world.take_effect(id);
                } else if rng.random_bool(0.5) {
                    late.push(id);
                }
                Client::Idle { holds: false }
            }
            Client::Called(id) => {
                world.take_effect(id);
                Client::Done(id)
            }
            Client::Done(id) => {
                world.now += 4;
                world.ops[id].ret = world.now;
                Client::Idle { holds: world.ops[id].action == Acquire }
            }
        };
    }
    for (id, op) in world.ops.iter_mut().enumerate() {
        if op.ret == NEVER && !matches!(op.action, Acquire | Release) {
            op.action = if op.action == Refused { Acquire } else { Release };
        }
        debug_assert!(op.call > 0, "{id}");
    }
    (world.ops, world.processes)
}

/// Another outcome, or an operation that returned only later or was called earlier.
fn mutate(rng: &mut ChaCha8Rng, ops: &mut [LockOp]) {
    let id = rng.random_range(0..ops.len());
    let op = &mut ops[id];
    if rng.random_bool(0.7) {
        op.action = match op.action {
            Acquire => Refused,
            Refused => Acquire,
            Release => RefusedRelease,
            RefusedRelease => Release,
        };
    } else if op.returned() && op.ret / 4 > op.call / 4 + 1 {
        // Shorter; a call and a return never at the same position.
        let middle = 4 * rng.random_range(op.call / 4 + 1..op.ret / 4);
        if rng.random_bool(0.5) { op.call = middle + 1 } else { op.ret = middle + 3 }
    }
}

#[derive(Debug, Default)]
struct Tally {
    valid: u32,
    invalid: u32,
    open: u32,
    crashed_used: u32,
    classes: BTreeMap<&'static str, u32>,
}

fn compare(ops: &[LockOp], processes: &[u32], tally: &mut Tally) {
    let expected = brute(ops);
    match decide(ops, processes) {
        Decision::Valid(witness) => {
            assert!(expected, "accepts what brute force rejects: {ops:?} {processes:?}");
            assert_eq!(verify_witness(&mut LockMachine, ops, &witness), Ok(()), "{ops:?} {witness:?}");
            tally.crashed_used += u32::from(witness.iter().any(|&id| !ops[id as usize].returned()));
            tally.valid += 1;
        }
        Decision::Invalid(conflict) => {
            assert!(!expected, "rejects what brute force accepts: {ops:?} {processes:?} {conflict:?}");
            check_conflict(ops, processes, &conflict);
            *tally.classes.entry(conflict.class.name()).or_default() += 1;
            tally.invalid += 1;
        }
        Decision::Open(_) => tally.open += 1,
    }
}

/// The operations of a conflict contradict each other on their own, and are those that the sentence speaks of.
fn check_conflict(ops: &[LockOp], processes: &[u32], conflict: &Conflict) {
    let inside: Vec<LockOp> = conflict.ops.iter().map(|&id| ops[id as usize]).collect();
    assert!(!brute(&inside), "{ops:?} {conflict:?}");
    let releases = |id: usize, acquire: u32| {
        processes[id] == processes[acquire as usize]
            && ops[id].action == Release
            && ops[id].call > ops[acquire as usize].call
    };
    for &id in conflict.ops.iter().filter(|&&id| ops[id as usize].action == Acquire) {
        let release =
            (0..ops.len()).filter(|&other| releases(other, id)).min_by_key(|&other| ops[other].call);
        let next = (0..ops.len()).filter(|&other| {
            processes[other] == processes[id as usize]
                && ops[other].action == Acquire
                && ops[other].call > ops[id as usize].call
        });
        let ends = next.map(|other| ops[other].call).min().unwrap_or(NEVER);
        if let Some(release) = release.filter(|&release| ops[release].call < ends) {
            assert!(conflict.ops.iter().any(|&other| other as usize == release), "{ops:?} {conflict:?}");
        }
    }
    for piece in &conflict.sentence {
        if let Piece::Op(id) | Piece::Returned(id) | Piece::Called(id) = piece {
            assert!(conflict.ops.contains(id), "{ops:?} {conflict:?}");
        }
    }
}

fn campaign(seed: u64, rounds: u32) -> Tally {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut tally = Tally::default();
    for _ in 0..rounds {
        let n = rng.random_range(2..=9);
        let crash = if rng.random_bool(0.6) { 0.1 } else { 0.0 };
        let (mut ops, mut processes) = simulate(&mut rng, n, crash);
        let mutations = rng.random_range(0..3);
        (0..mutations).for_each(|_| mutate(&mut rng, &mut ops));
        if rng.random_bool(0.1) {
            ops.reverse();
            processes.reverse();
        }
        compare(&ops, &processes, &mut tally);
        if mutations == 0 {
            assert!(brute(&ops), "the simulation is of a lock: {ops:?}");
            assert!(!matches!(decide(&ops, &processes), Decision::Open(_)), "{ops:?} {processes:?}");
        }
    }
    tally
}

#[test]
fn agrees_with_brute_force() {
    let tally = campaign(1, 20_000);
    assert!(tally.valid > 6_000 && tally.invalid > 4_000 && tally.crashed_used > 300, "{tally:?}");
    for class in ["double grant", "wrong refusal"] {
        assert!(tally.classes.get(class).is_some_and(|&n| n > 500), "{class}: {tally:?}");
    }
    assert!(tally.open * 5 < tally.valid + tally.invalid, "{tally:?}");
}

/// For the night: `ZABCHAOS_FUZZ=1000000 cargo test --release -p checker -- --ignored lock_at_length --nocapture`.
#[test]
#[ignore = "as long as you like"]
fn lock_at_length() {
    let rounds = std::env::var("ZABCHAOS_FUZZ").map_or(200_000, |n| n.parse().unwrap());
    println!("{:?}", campaign(77 + u64::from(rounds), rounds));
}

/// (process, call, return, action)
fn check(lines: &[(u32, Position, Position, LockAction)]) -> Decision {
    let ops: Vec<LockOp> = lines.iter().map(|&(_, call, ret, action)| LinOp { call, ret, action }).collect();
    let processes: Vec<u32> = lines.iter().map(|&(process, ..)| process).collect();
    compare(&ops, &processes, &mut Tally::default());
    decide(&ops, &processes)
}

fn class(decision: &Decision) -> Option<Class> {
    match decision {
        Decision::Invalid(conflict) => Some(conflict.class),
        Decision::Valid(_) | Decision::Open(_) => None,
    }
}

#[test]
fn two_holders_at_once_are_a_double_grant() {
    let decision = check(&[
        (1, 2, 4, Acquire),
        (2, 6, 8, Acquire),
        (1, 10, 12, Release),
        (2, 14, 16, Release),
        (3, 18, 20, Acquire),
    ]);
    let Decision::Invalid(conflict) = decision else { panic!("{decision:?}") };
    assert_eq!((conflict.class, conflict.ops), (Class::DoubleGrant, vec![0, 1, 2, 3]));
}

#[test]
fn a_release_without_return_happens_if_somebody_acquires_later() {
    let release = (1, 6, NEVER, Release);
    assert_eq!(check(&[(1, 2, 4, Acquire), release, (2, 8, 10, Acquire)]), Decision::Valid(vec![0, 1, 2]));
    assert_eq!(check(&[(1, 2, 4, Acquire), release, (2, 8, 10, Refused)]), Decision::Valid(vec![0, 2]));
    let both = [(1, 2, 4, Acquire), release, (2, 8, 10, Acquire), (3, 12, 14, RefusedRelease)];
    assert_eq!(class(&check(&both)), Some(Class::WrongRefusal));
}

#[test]
fn an_acquire_without_return_is_there_for_whoever_finds_it_and_then_for_ever() {
    let pending = (1, 2, NEVER, Acquire);
    assert_eq!(check(&[pending, (2, 4, 6, Refused)]), Decision::Valid(vec![0, 1]));
    assert_eq!(check(&[pending, (2, 4, 6, Acquire)]), Decision::Valid(vec![1]));
    let twice = [pending, (2, 4, 6, Refused), (2, 8, 10, Acquire)];
    assert_eq!(class(&check(&twice)), Some(Class::WrongRefusal));
}

#[test]
fn a_try_refused_while_nobody_held_the_lock_is_wrong() {
    assert_eq!(class(&check(&[(1, 2, 4, Refused)])), Some(Class::WrongRefusal));
    let between = [
        (1, 2, 4, Acquire),
        (1, 6, 8, Release),
        (2, 10, 12, Refused),
        (1, 14, 16, Acquire),
        (1, 18, 20, Release),
    ];
    assert_eq!(class(&check(&between)), Some(Class::WrongRefusal));
}

#[test]
fn a_process_that_holds_the_lock_cannot_find_it_free() {
    let free = [(1, 2, 4, Acquire), (1, 6, 8, RefusedRelease), (1, 10, 12, Release)];
    assert_eq!(class(&check(&free)), Some(Class::WrongRefusal));
}

#[test]
fn who_releases_what_another_acquired_is_left_to_the_engine() {
    let open = |lines: &[_]| matches!(check(lines), Decision::Open(_));
    assert!(open(&[(1, 2, 4, Acquire), (2, 6, 8, Release)]));
    assert!(open(&[(1, 2, 6, Acquire), (1, 4, 8, Refused)]));
}
