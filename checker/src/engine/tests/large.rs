//! Larger histories: strategies against each other, tiny memory, more slots than a word has bits.

use std::time::Instant;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::histories::{Kind, RegOp, make_valid, mutate, random};
use super::{STRATEGIES, checked, decided};
use crate::NEVER;
use crate::engine::race::{Control, decide};
use crate::engine::segments::{in_small_parts, part_count};
use crate::engine::{Answer, Limits, Memory, Rules, Strategy, search_by, search_parallel};
use crate::model::{RegAction, RegMachine};

use RegAction::{Cas, NotEqual, Read, Write};

/// A closed loop of clients on a register of five values.
pub(super) fn clients(rng: &mut ChaCha8Rng, clients: usize, n: usize, crashes: bool) -> Vec<RegOp> {
    let mut ops: Vec<RegOp> = Vec::new();
    let mut open: Vec<Option<usize>> = vec![None; clients];
    let mut now = 0;
    while ops.len() < n || open.iter().any(Option::is_some) {
        let client = rng.random_range(0..clients);
        now += 2;
        match open[client].take() {
            Some(id) if crashes && rng.random_bool(0.05) => ops[id].ret = NEVER,
            Some(id) => ops[id].ret = now,
            None if ops.len() < n => {
                let mut value = || rng.random_range(0..5);
                let (a, b) = (value(), value());
                let action = match rng.random_range(0..4) {
                    0 => Write(a),
                    1 => Cas(a, b),
                    2 => NotEqual(a),
                    _ => Read(a),
                };
                open[client] = Some(ops.len());
                ops.push(RegOp { call: now, ret: NEVER, action });
            }
            None => {}
        }
    }
    make_valid(rng, &mut ops);
    ops
}

#[test]
fn strategies_agree_on_hundreds_of_operations() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let memory = Memory::new(1 << 30);
    let mut verdicts = [0, 0];
    for round in 0..120 {
        let mut ops = clients(&mut rng, [3, 6, 12][round % 3], 300, round % 2 == 0);
        for _ in 0..round % 4 {
            mutate(&mut rng, &mut ops);
        }
        let found = decided(&mut RegMachine, &ops, &memory, Strategy::Depth, Rules::ALL);
        verdicts[usize::from(found)] += 1;
        assert!(found || round % 4 != 0, "valid by construction");
        assert_eq!(decided(&mut RegMachine, &ops, &memory, Strategy::Breadth, Rules::ALL), found);
        assert_eq!(decided(&mut RegMachine, &ops, &memory, Strategy::Race, Rules::ALL), found);
    }
    assert!(verdicts.iter().all(|&count| count > 20), "{verdicts:?}");
}

#[test]
fn any_number_of_clients() {
    let mut rng = ChaCha8Rng::seed_from_u64(12);
    let memory = Memory::new(1 << 30);
    for count in [20, 60, 100, 150, 300] {
        let ops = clients(&mut rng, count, 1_500, count == 60);
        for strategy in [Strategy::Depth, Strategy::Race] {
            assert!(decided(&mut RegMachine, &ops, &memory, strategy, Rules::ALL), "{count}");
        }
    }
}

/// A table that holds almost nothing: the answer stays right.
#[test]
fn forgetting_costs_no_answer() {
    let mut rng = ChaCha8Rng::seed_from_u64(13);
    let memory = Memory::new(1 << 30);
    let limits = Limits { deadline: None, max_configs: u64::MAX, memory: &memory };
    let (mut verdicts, mut again) = ([0, 0], 0);
    for round in 0..4_000 {
        let ops = if round % 20 == 0 {
            let mut ops = clients(&mut rng, 5, 60, round % 40 == 0);
            mutate(&mut rng, &mut ops);
            ops
        } else {
            random(&mut rng, Kind::Few)
        };
        let (expected, usual) = search_by(&mut RegMachine, &ops, &limits, Strategy::Depth, Rules::ALL);
        verdicts[usize::from(!expected.is_invalid())] += 1;
        for remember in [0, 3] {
            let control = Control { remember, ..Control::new(&limits) };
            let (answer, configs) =
                decide(&mut RegMachine, &ops, None, &control, Strategy::Depth, Rules::ALL);
            assert_eq!(checked(&mut RegMachine, &ops, answer), !expected.is_invalid());
            assert!(configs >= usual);
            again += configs - usual;
        }
    }
    assert!(verdicts.iter().all(|&count| count > 1_000) && again > 500, "{verdicts:?} {again}");
}

/// A budget too small for what the search would like to remember.
#[test]
fn little_memory_is_enough() {
    let mut rng = ChaCha8Rng::seed_from_u64(17);
    let ops = clients(&mut rng, 10, 20_000, false);
    let memory = Memory::new(3 << 20);
    let limits = Limits { deadline: None, max_configs: u64::MAX, memory: &memory };
    let (answer, configs) = search_by(&mut RegMachine, &ops, &limits, Strategy::Depth, Rules::ALL);
    assert!(checked(&mut RegMachine, &ops, answer));
    assert!(configs > 5_000, "{configs}");
    assert_eq!(memory.used.into_inner(), 0);
}

#[test]
fn budgets_are_named() {
    let mut rng = ChaCha8Rng::seed_from_u64(14);
    let ops = clients(&mut rng, 10, 400, false);
    let reason = |memory: usize, max_configs: u64, strategy: Strategy| {
        let memory = Memory::new(memory);
        let limits = Limits { deadline: (max_configs > 10).then(Instant::now), max_configs, memory: &memory };
        match search_by(&mut RegMachine, &ops, &limits, strategy, Rules::NONE).0 {
            Answer::Unknown { reason } => reason,
            answer @ (Answer::Valid { .. } | Answer::Invalid { .. }) => panic!("{answer:?}"),
        }
    };
    for strategy in STRATEGIES {
        let few = reason(1 << 30, 10, strategy);
        assert!(
            few.starts_with("the budget of 10 configurations ran out after 10 configurations, with "),
            "{few}"
        );
        assert!(few.contains("of 400 operations ordered"), "{few}");
        assert!(reason(1000, 10, strategy).contains("memory limit"));
        assert!(reason(1 << 30, u64::MAX, strategy).starts_with("the time limit ran out"));
    }
}

/// Histories with moments of rest, whole and in parts, by one thread and by several.
#[test]
fn parts_agree_with_the_whole() {
    let mut rng = ChaCha8Rng::seed_from_u64(15);
    let memory = Memory::new(1 << 30);
    let limits = Limits { deadline: None, max_configs: u64::MAX, memory: &memory };
    let (mut verdicts, mut parts) = ([0, 0], 0);
    for round in 0..400_u32 {
        let mut ops = clients(&mut rng, 2, 60, round % 5 == 0);
        if round % 2 == 0 {
            mutate(&mut rng, &mut ops);
        }
        let machine = RegMachine;
        parts += part_count(&machine, &ops, 1);
        let whole = decided(&mut RegMachine, &ops, &memory, Strategy::Depth, Rules::ALL);
        verdicts[usize::from(whole)] += 1;
        let answer = in_small_parts(&mut RegMachine, &ops, &limits);
        assert_eq!(checked(&mut RegMachine, &ops, answer), whole);
        for threads in [1, 2, 3] {
            let answer = search_parallel(&machine, &ops, &limits, threads);
            assert_eq!(checked(&mut RegMachine, &ops, answer), whole, "{threads}");
        }
    }
    assert!(verdicts.iter().all(|&count| count > 60), "{verdicts:?}");
    assert!(parts > 2_000, "{parts}");
}

#[test]
fn long_histories_in_parts() {
    let mut rng = ChaCha8Rng::seed_from_u64(16);
    let memory = Memory::new(1 << 30);
    let limits = Limits { deadline: None, max_configs: u64::MAX, memory: &memory };
    for bad in [false, true] {
        let mut ops = clients(&mut rng, 2, 20_000, false);
        if bad {
            ops[12_345].action = Read(77);
        }
        assert!(part_count(&RegMachine, &ops, 1_000) > 5);
        let answer = search_parallel(&RegMachine, &ops, &limits, 2);
        assert_eq!(answer.is_invalid(), bad);
        match answer {
            Answer::Invalid { failure } => {
                let failure = failure.unwrap();
                assert_eq!(failure.op, 12_345);
                assert!(failure.prefix.len() > 12_300);
            }
            answer @ (Answer::Valid { .. } | Answer::Unknown { .. }) => {
                assert!(checked(&mut RegMachine, &ops, answer));
            }
        }
    }
}
