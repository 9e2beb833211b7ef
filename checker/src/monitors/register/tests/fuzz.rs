//! Random histories.

use std::collections::BTreeMap;

use rand::seq::{IteratorRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Cas, NotEqual, Read, Write, brute};
use crate::counterexample::Class;
use crate::engine::verify_witness;
use crate::model::RegMachine;
use crate::monitors::register::{RegOp, decide};
use crate::{Conflict, Decision, LinOp, NEVER, Piece};

/// What may occur in a history.
#[derive(Debug, Clone, Copy)]
struct Kind {
    cas: bool,
    refusals: bool,
    crashes: bool,
    repeats: bool,
}

/// `n` operations at random; shuffling positions within `window` makes little concurrency or a lot.
fn raw(rng: &mut ChaCha8Rng, kind: Kind, n: usize, window: usize) -> Vec<RegOp> {
    let mut order: Vec<u32> = (1..=2 * u32::try_from(n).unwrap()).map(|at| 2 * at).collect();
    order.chunks_mut(window).for_each(|chunk| chunk.shuffle(rng));
    let mut next = 0;
    (0..n)
        .map(|id| {
            let (a, b) = (order[2 * id], order[2 * id + 1]);
            let mut fresh = |rng: &mut ChaCha8Rng| {
                next += 1;
                if kind.repeats && rng.random_bool(0.3) { rng.random_range(0..=next) } else { next }
            };
            let action = match rng.random_range(0..10) {
                0..4 => Read(rng.random_range(0..5)),
                4 | 5 if kind.refusals => NotEqual(rng.random_range(0..5)),
                6..9 if kind.cas => Cas(rng.random_range(0..5), fresh(rng)),
                _ => Write(fresh(rng)),
            };
            let ret = if kind.crashes && rng.random_bool(0.25) { NEVER } else { a.max(b) };
            RegOp { call: a.min(b), ret, action }
        })
        .collect()
}

/// A history of up to eight operations, linearizable by construction or not.
fn random(rng: &mut ChaCha8Rng, kind: Kind) -> Vec<RegOp> {
    let n = rng.random_range(3..=8_usize);
    let window = rng.random_range(2..=n + 2);
    let mut ops = raw(rng, kind, n, window);
    if rng.random_bool(0.8) {
        make_valid(rng, &mut ops);
        for _ in 0..rng.random_range(0..4) {
            mutate(rng, &mut ops);
        }
    }
    // Mostly values that somebody writes: that nobody did is the easiest of contradictions.
    let written: Vec<u32> = ops.iter().filter_map(|op| op.action.stores()).chain([0]).collect();
    for op in ops.iter_mut() {
        if let Read(value) | NotEqual(value) | Cas(value, _) = &mut op.action
            && !written.contains(value)
            && rng.random_bool(0.95)
        {
            *value = written[*value as usize % written.len()];
        }
    }
    match rng.random_range(0..10) {
        0 => {}
        1 => scatter(&mut ops),
        _ => ops.sort_unstable_by_key(|op| op.call),
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
    let (mut value, mut before) = (0, 0);
    for (_, id) in points {
        let action = &mut ops[id].action;
        match *action {
            Read(_) => *action = Read(value),
            // A value that was there just before makes the tightest refusals.
            NotEqual(_) if before != value && rng.random_bool(0.7) => *action = NotEqual(before),
            NotEqual(other) if other == value => *action = Read(value),
            NotEqual(_) => {}
            Write(new) => (before, value) = (value, new),
            Cas(_, new) => {
                *action = Cas(value, new);
                (before, value) = (value, new);
            }
        }
    }
}

fn mutate(rng: &mut ChaCha8Rng, ops: &mut [RegOp]) {
    let id = rng.random_range(0..ops.len());
    // Some value that was written by then, if there is one.
    let call = ops[id].call;
    let earlier = ops.iter().filter(|op| op.ret < call).filter_map(|op| op.action.stores());
    let other = earlier.choose(rng).unwrap_or(rng.random_range(0..5));
    match &mut ops[id].action {
        Read(value) | NotEqual(value) | Cas(value, _) => *value = other,
        // Begins later than it did, at most just before its return.
        Write(_) => {
            let latest = if ops[id].returned() { ops[id].ret } else { call + 10 };
            let moved = 2 * rng.random_range(call / 2..latest / 2);
            let shift = |at: u32| if at > call && at <= moved { at - 2 } else { at };
            for other in ops.iter_mut() {
                other.call = shift(other.call);
                other.ret = if other.ret == NEVER { NEVER } else { shift(other.ret) };
            }
            ops[id].call = moved;
        }
    }
}

/// Values far apart.
fn scatter(ops: &mut [RegOp]) {
    let far = |value: u32| value * 400_000_019 % 4_000_000_007;
    for op in ops {
        op.action = match op.action {
            Read(value) => Read(far(value)),
            NotEqual(value) => NotEqual(far(value)),
            Write(value) => Write(far(value)),
            Cas(old, new) => Cas(far(old), far(new)),
        };
    }
}

/// Counted so that a test that never said *invalid*, or never took a path, fails.
#[derive(Debug, Default)]
struct Tally {
    valid: u32,
    invalid: u32,
    open: u32,
    crashed_used: u32,
    /// Wrong refusals that rest on the absence of other updates.
    by_absence: u32,
    classes: BTreeMap<&'static str, u32>,
}

fn compare(ops: &[RegOp], tally: &mut Tally) {
    let expected = brute(ops, false);
    match decide(ops) {
        Decision::Valid(witness) => {
            assert!(expected, "accepts what brute force rejects: {ops:?}");
            assert_eq!(verify_witness(&mut RegMachine, ops, &witness), Ok(()), "{ops:?} {witness:?}");
            tally.crashed_used += u32::from(witness.iter().any(|&id| !ops[id as usize].returned()));
            tally.valid += 1;
        }
        Decision::Invalid(conflict) => {
            assert!(!expected, "rejects what brute force accepts: {ops:?} {conflict:?}");
            check_conflict(ops, &conflict, tally);
            *tally.classes.entry(conflict.class.name()).or_default() += 1;
            tally.invalid += 1;
        }
        Decision::Open(_) => tally.open += 1,
    }
}

/// The operations of a conflict contradict each other on their own, whatever else happened, and are those that the
/// sentence speaks of.
fn check_conflict(ops: &[RegOp], conflict: &Conflict, tally: &mut Tally) {
    let inside: Vec<RegOp> = conflict.ops.iter().map(|&id| ops[id as usize]).collect();
    let is_source =
        |op: &RegOp, value: u32| op.action.stores() == Some(value) && op.action.finds() != Some(value);
    let stores = |ops: &[RegOp], value: u32| ops.iter().any(|op| is_source(op, value));
    let known = |value: u32| value == 0 || stores(&inside, value) || !stores(ops, value);
    let weakened: Vec<RegOp> = inside
        .iter()
        .map(|op| match op.action {
            Cas(old, new) if old != new && !known(old) => LinOp { action: Write(new), ..*op },
            Read(value) | NotEqual(value) | Cas(value, _) => {
                assert!(known(value), "{ops:?} {conflict:?}");
                *op
            }
            Write(_) => *op,
        })
        .collect();
    if brute(&weakened, true) {
        assert!(conflict.class == Class::WrongRefusal && !brute(&inside, false), "{ops:?} {conflict:?}");
        tally.by_absence += 1;
    }
    for piece in &conflict.sentence {
        if let Piece::Op(id) | Piece::Returned(id) | Piece::Called(id) = piece {
            assert!(conflict.ops.contains(id), "{ops:?} {conflict:?}");
        }
    }
    assert!(conflict.ops.is_sorted_by_key(|&id| ops[id as usize].call));
}

fn campaign(seed: u64, rounds: u32, kind: Kind) -> Tally {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut tally = Tally::default();
    (0..rounds).for_each(|_| compare(&random(&mut rng, kind), &mut tally));
    tally
}

const PLAIN: Kind = Kind { cas: false, refusals: false, crashes: false, repeats: false };

#[test]
fn agrees_with_brute_force_on_reads_and_writes() {
    let tally = campaign(1, 15_000, Kind { crashes: true, ..PLAIN });
    assert!(tally.valid > 5_000 && tally.invalid > 3_000 && tally.crashed_used > 500, "{tally:?}");
    assert_eq!(tally.open, 0);
    for class in ["stale read", "lost update", "phantom read", "order inversion"] {
        assert!(tally.classes.get(class).is_some_and(|&n| n > 50), "{class}: {tally:?}");
    }
}

#[test]
fn agrees_with_brute_force_on_compare_and_set() {
    let tally = campaign(2, 20_000, Kind { cas: true, crashes: true, ..PLAIN });
    assert!(tally.valid > 6_000 && tally.invalid > 6_000 && tally.crashed_used > 500, "{tally:?}");
    assert_eq!(tally.open, 0);
}

#[test]
fn agrees_with_brute_force_on_refusals() {
    let tally = campaign(3, 25_000, Kind { cas: true, refusals: true, crashes: true, ..PLAIN });
    assert!(tally.valid > 8_000 && tally.invalid > 5_000, "{tally:?}");
    assert!(
        tally.classes.get("wrong refusal").is_some_and(|&n| n > 300) && tally.by_absence > 50,
        "{tally:?}"
    );
    // Measured: 0.
    assert!(tally.open * 100 < tally.valid + tally.invalid, "{tally:?}");
}

#[test]
fn values_with_several_sources_leave_valid_open_and_invalid_certain() {
    let tally = campaign(4, 10_000, Kind { cas: true, refusals: true, crashes: true, repeats: true });
    assert!(tally.valid > 1_000 && tally.invalid > 1_000 && tally.open > 1_000, "{tally:?}");
}

#[test]
fn long_valid_histories_are_found_valid() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let (mut valid, mut open) = (0, 0);
    for round in 0..400 {
        let kind = Kind { cas: round % 2 == 0, refusals: true, crashes: round % 4 < 2, repeats: false };
        let window = rng.random_range(4..=24);
        let mut ops = raw(&mut rng, kind, 200, window);
        make_valid(&mut rng, &mut ops);
        match decide(&ops) {
            Decision::Valid(witness) => {
                assert_eq!(verify_witness(&mut RegMachine, &ops, &witness), Ok(()), "{ops:?}");
                valid += 1;
            }
            Decision::Invalid(conflict) => panic!("{ops:?} {conflict:?}"),
            Decision::Open(_) => open += 1,
        }
    }
    assert!(open * 30 < valid, "{valid} {open}");
}

/// For the night: `ZABCHAOS_FUZZ=1000000 cargo test --release -p checker -- --ignored register_at_length --nocapture`.
#[test]
#[ignore = "as long as you like"]
fn register_at_length() {
    let rounds = std::env::var("ZABCHAOS_FUZZ").map_or(200_000, |n| n.parse().unwrap());
    for bits in 0..16 {
        let on = |bit: u32| bits & (1 << bit) != 0;
        let kind = Kind { cas: on(0), refusals: on(1), crashes: on(2), repeats: on(3) };
        println!("{kind:?} {:?}", campaign(77 + u64::from(rounds), rounds, kind));
    }
}
