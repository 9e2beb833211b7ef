//! The register's methods against brute force on small random histories, seeded.
//!
//! Brute force shares nothing with them: it tries every order, with its own idea of a register.

use std::time::{Duration, Instant};

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::engine::{Answer, Limits, Memory, WitnessError, first_failure, search, until, verify_witness};
use crate::model::{RegAction, RegMachine};
use crate::objects::register::problem::RegOp;
use crate::objects::register::shrink::shrink;
use crate::objects::register::{decide, engine};
use crate::{Decision, NEVER, monitors};

use RegAction::{Cas, NotEqual, Read, Write};

/// Tries every order of every choice of operations without return.
fn brute(ops: &[RegOp]) -> bool {
    fn go(ops: &[RegOp], done: u32, value: u32) -> bool {
        let todo = |id: usize| done & (1 << id) == 0;
        let left = || (0..ops.len()).filter(|&id| todo(id));
        if left().all(|id| !ops[id].returned()) {
            return true;
        }
        left().any(|id| {
            // Nothing still to come may have returned before this was called.
            if left().any(|other| ops[other].precedes(&ops[id])) {
                return false;
            }
            let after = match ops[id].action {
                Read(seen) if seen == value => value,
                NotEqual(other) if other != value => value,
                Write(new) => new,
                Cas(old, new) if old == value => new,
                Read(_) | NotEqual(_) | Cas(..) => return false,
            };
            go(ops, done | 1 << id, after)
        })
    }
    go(ops, 0, 0)
}

#[derive(Clone, Copy, PartialEq)]
enum Values {
    Unique,
    Repeating,
}

/// A random history of up to seven operations, linearizable by construction or not.
fn random(rng: &mut ChaCha8Rng, values: Values) -> Vec<RegOp> {
    let n = rng.random_range(1..=7_usize);
    let mut order: Vec<u32> = (0..2 * u32::try_from(n).unwrap()).map(|event| 2 * event + 2).collect();
    // Neighbouring positions make little concurrency, shuffled ones a lot.
    let window = rng.random_range(2..=2 * n);
    order.chunks_mut(window).for_each(|chunk| chunk.shuffle(rng));
    let (crashes, refusals) = (rng.random_bool(0.5), rng.random_bool(0.3));
    let mut next = 1;
    let mut ops: Vec<RegOp> = (0..n)
        .map(|id| {
            let (a, b) = (order[2 * id], order[2 * id + 1]);
            let fresh = |rng: &mut ChaCha8Rng, next: &mut u32| {
                if values == Values::Repeating {
                    return rng.random_range(0..3);
                }
                *next += 1;
                *next - 1
            };
            let action = match rng.random_range(0..10) {
                0..4 => Read(rng.random_range(0..4)),
                4..7 => Write(fresh(rng, &mut next)),
                7 if refusals => NotEqual(rng.random_range(0..3)),
                _ => Cas(rng.random_range(0..4), fresh(rng, &mut next)),
            };
            let ret = if crashes && rng.random_bool(0.3) { NEVER } else { a.max(b) };
            RegOp { call: a.min(b), ret, action }
        })
        .collect();
    if rng.random_bool(0.6) {
        make_valid(rng, &mut ops);
        if rng.random_bool(0.4) {
            mutate(rng, &mut ops);
        }
    }
    ops
}

/// Rewrites what was observed to what an object would have answered, each operation taking effect at a
/// random point of its interval (without return: maybe late, maybe never).
fn make_valid(rng: &mut ChaCha8Rng, ops: &mut [RegOp]) {
    let mut points: Vec<(f64, usize)> = Vec::new();
    for (id, op) in ops.iter().enumerate() {
        let end = if op.returned() { f64::from(op.ret) } else { f64::from(op.call) + 16.0 };
        if op.returned() || rng.random_bool(0.5) {
            points.push((rng.random_range(f64::from(op.call)..end), id));
        }
    }
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut value = 0;
    for (_, id) in points {
        let action = &mut ops[id].action;
        match *action {
            Read(_) => *action = Read(value),
            NotEqual(other) if other == value => *action = Read(value),
            NotEqual(_) => {}
            Write(new) => value = new,
            Cas(_, new) => {
                *action = Cas(value, new);
                value = new;
            }
        }
    }
}

fn mutate(rng: &mut ChaCha8Rng, ops: &mut [RegOp]) {
    let id = rng.random_range(0..ops.len());
    match &mut ops[id].action {
        Read(value) | NotEqual(value) | Cas(value, _) => *value = rng.random_range(0..4),
        // Begins later than it did, at most just before its return.
        Write(_) => {
            let call = ops[id].call;
            let latest = if ops[id].returned() { ops[id].ret } else { call + 10 };
            let moved = call + (rng.random_range(call..latest) - call) / 2 * 2;
            let shift = |at: u32| if at > call && at <= moved { at - 2 } else { at };
            for other in ops.iter_mut() {
                other.call = shift(other.call);
                other.ret = shift(other.ret);
            }
            ops[id].call = moved;
        }
    }
}

/// Counted so that a test that never said *invalid*, or never took a path, fails.
#[derive(Debug, Default)]
struct Tally {
    valid: u32,
    invalid: u32,
    monitor: u32,
    crashed_used: u32,
}

fn compare(ops: &[RegOp], memory: &Memory, tally: &mut Tally) {
    let limits = Limits { deadline: None, max_configs: 1 << 20, memory };
    let expected = brute(ops);
    *(if expected { &mut tally.valid } else { &mut tally.invalid }) += 1;
    let raw = search(&mut RegMachine, ops, &limits);
    let simplified = engine(ops, &limits, 1);
    let monitor = match monitors::register::decide(ops) {
        Decision::Valid(witness) => Some(Answer::Valid { witness }),
        Decision::Invalid(_) => Some(Answer::Invalid { failure: None }),
        Decision::Open(_) => None,
    };
    tally.monitor += u32::from(monitor.is_some());
    let answers = [("search", Some(raw)), ("simplified", Some(simplified)), ("monitor", monitor)];
    for (name, answer) in answers {
        match answer {
            Some(Answer::Valid { witness }) => {
                assert!(expected, "{name} accepts what brute force rejects: {ops:?}");
                assert_eq!(verify_witness(&mut RegMachine, ops, &witness), Ok(()), "{name}: {ops:?}");
                tally.crashed_used += u32::from(witness.iter().any(|&id| !ops[id as usize].returned()));
            }
            Some(Answer::Invalid { failure }) => {
                assert!(!expected, "{name} rejects what brute force accepts: {ops:?}");
                if let Some(failure) = failure {
                    let end = ops[failure.op].ret;
                    assert!(!brute(&until(ops, end).0), "{name} fails at #{}: {ops:?}", failure.op);
                }
            }
            Some(Answer::Unknown { reason }) => panic!("{name} gives up on {ops:?}: {reason}"),
            None => {}
        }
    }
}

fn campaign(seed: u64, rounds: u32, values: Values) -> Tally {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let memory = Memory::new(1 << 30);
    let mut tally = Tally::default();
    for _ in 0..rounds {
        compare(&random(&mut rng, values), &memory, &mut tally);
    }
    tally
}

#[test]
fn agrees_with_brute_force_where_values_repeat() {
    let tally = campaign(1, 30_000, Values::Repeating);
    assert!(tally.valid > 5_000 && tally.invalid > 5_000 && tally.crashed_used > 500, "{tally:?}");
}

#[test]
fn agrees_with_brute_force_where_values_are_unique() {
    let tally = campaign(2, 30_000, Values::Unique);
    assert!(tally.valid > 5_000 && tally.invalid > 5_000 && tally.monitor > 15_000, "{tally:?}");
}

/// For the night: `ZABCHAOS_FUZZ=1000000 cargo test --release -p checker -- --ignored more_of_it`.
#[test]
#[ignore = "as long as you like"]
fn more_of_it() {
    let rounds = std::env::var("ZABCHAOS_FUZZ").map_or(200_000, |n| n.parse().unwrap());
    for values in [Values::Repeating, Values::Unique] {
        println!("{:?}", campaign(77, rounds, values));
    }
}

#[test]
fn a_shrunk_history_is_still_invalid_and_no_larger() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let memory = Memory::new(1 << 30);
    let limits = Limits { deadline: None, max_configs: 1 << 20, memory: &memory };
    let mut seen = 0;
    while seen < 2_000 {
        let values = if seen % 2 == 0 { Values::Unique } else { Values::Repeating };
        let ops = random(&mut rng, values);
        if !engine(&ops, &limits, 1).is_invalid() {
            continue;
        }
        let failing = u32::try_from(first_failure(&ops, |cut| engine(cut, &limits, 1)).op).unwrap();
        seen += 1;
        let core = shrink(&ops, failing as usize, Instant::now() + Duration::from_secs(20));
        assert!(!brute(&core.ops), "{ops:?} -> {core:?}");
        assert!(core.minimal && core.ops.len() <= ops.len());
        assert_eq!(core.ops.len(), core.origin.len());
    }
}

fn op(call: u32, ret: u32, action: RegAction) -> RegOp {
    RegOp { call, ret: if ret > 0 { ret } else { NEVER }, action }
}

#[test]
fn many_clients_at_once_need_more_than_one_word() {
    // 200 concurrent writes, then a read of each in an order of its own would be too much: read the last.
    let mut ops: Vec<RegOp> = (0..200_u32).map(|id| op(id + 1, 1000 + id, Write(id + 1))).collect();
    ops.push(op(2000, 2001, Read(100)));
    let memory = Memory::new(1 << 30);
    let limits = Limits { deadline: None, max_configs: 1 << 20, memory: &memory };
    let Answer::Valid { witness } = search(&mut RegMachine, &ops, &limits) else { panic!() };
    assert_eq!(verify_witness(&mut RegMachine, &ops, &witness), Ok(()));
    ops.push(op(2002, 2003, Read(101)));
    assert!(matches!(decide(&ops, &limits), Answer::Invalid { .. }));
}

#[test]
fn a_spent_budget_is_unknown_never_a_pass() {
    // Again and again twelve writes of two values at once, and reads that see them change.
    let round = |round: u32| {
        let from = 2000 * round;
        let writes = (0..12).map(move |id| op(from + 2 * id + 2, from + 1000 + 2 * id, Write(id % 2 + 1)));
        writes.chain((0..9).map(move |id| op(from + 100 + 8 * id, from + 104 + 8 * id, Read(id % 2 + 1))))
    };
    let ops: Vec<RegOp> = (0..300).flat_map(round).collect();
    let reason = |limits: &Limits<'_>| match search(&mut RegMachine, &ops, limits) {
        Answer::Unknown { reason } => reason,
        answer @ (Answer::Valid { .. } | Answer::Invalid { .. }) => panic!("{answer:?}"),
    };
    let memory = Memory::new(1 << 30);
    let few = Limits { deadline: None, max_configs: 3, memory: &memory };
    assert!(reason(&few).starts_with("the budget of 3 configurations ran out"), "{}", reason(&few));
    let late = Limits { deadline: Some(Instant::now()), max_configs: 1 << 20, memory: &memory };
    assert!(reason(&late).starts_with("the time limit ran out"));
    let tiny = Memory::new(10);
    assert!(reason(&Limits { deadline: None, max_configs: 1 << 20, memory: &tiny }).contains("memory limit"));
}

#[test]
fn the_verifier_rejects_what_is_no_linearization() {
    let ops = [op(1, 2, Write(1)), op(3, 4, Write(2)), op(5, 6, Read(2)), op(1, 0, Write(9))];
    let verify = |witness: &[u32]| verify_witness(&mut RegMachine, &ops, witness);
    assert_eq!(verify(&[0, 1, 2]), Ok(()));
    assert_eq!(verify(&[3, 0, 1, 2]), Ok(()));
    assert_eq!(verify(&[1, 0, 2]), Err(WitnessError::RealTime(0)));
    assert_eq!(verify(&[0, 1]), Err(WitnessError::LeftOut(2)));
    assert_eq!(verify(&[0, 1, 3, 2]), Err(WitnessError::Model(2)));
    assert_eq!(verify(&[0, 0, 1, 2]), Err(WitnessError::Twice(0)));
    assert_eq!(verify(&[0, 7]), Err(WitnessError::NoSuchOp(7)));
}
