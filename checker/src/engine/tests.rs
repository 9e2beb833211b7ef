//! The engine against brute force on small random histories, and its strategies against each other on
//! larger ones. All seeded.
//!
//! Brute force shares nothing with the engine: it tries every order, with its own idea of the object.

mod histories;
mod large;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::LinOp;
use crate::engine::{Answer, Limits, Memory, Rules, Strategy, search_by, verify_witness};
use crate::model::{ActionId, Interned, KvMachine, Machine, RegAction, RegMachine, Spec};
use histories::{Kind, brute, brute_kv, random, random_kv};

/// The answer as a boolean; a witness is verified, and so is the prefix of a failure.
fn decided<M: Machine>(
    machine: &mut M,
    ops: &[LinOp<M::Action>],
    memory: &Memory,
    strategy: Strategy,
    rules: Rules,
) -> bool {
    let limits = Limits { deadline: None, max_configs: 1 << 24, memory };
    let (answer, _) = search_by(machine, ops, &limits, strategy, rules);
    checked(machine, ops, answer)
}

fn checked<M: Machine>(machine: &mut M, ops: &[LinOp<M::Action>], answer: Answer) -> bool {
    match answer {
        Answer::Valid { witness } => {
            assert_eq!(verify_witness(machine, ops, &witness), Ok(()), "{ops:?} {witness:?}");
            true
        }
        Answer::Invalid { failure } => {
            let failure = failure.expect("the engine always tells");
            assert!(ops[failure.op].returned());
            // Everything that returned before the last operation of the prefix that must be there.
            let placed = |id: u32| failure.prefix.contains(&id);
            let unplaced = (0..).zip(ops).filter(|&(id, _)| !placed(id)).map(|(_, op)| op.ret).min();
            let end = unplaced.expect("an invalid history has no full prefix") - 1;
            let (cut, ids) = super::until(ops, end);
            let renamed: Vec<u32> = failure
                .prefix
                .iter()
                .map(|&id| {
                    u32::try_from(ids.iter().position(|&other| other == id as usize).unwrap()).unwrap()
                })
                .collect();
            assert_eq!(verify_witness(machine, &cut, &renamed), Ok(()), "{ops:?} {failure:?}");
            false
        }
        Answer::Unknown { reason } => panic!("{reason}: {ops:?}"),
    }
}

const STRATEGIES: [Strategy; 3] = [Strategy::Depth, Strategy::Breadth, Strategy::Race];

#[test]
fn every_strategy_agrees_with_brute_force() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let memory = Memory::new(1 << 30);
    for kind in [Kind::Few, Kind::Unique, Kind::Overwrites] {
        let mut verdicts = [0, 0];
        for _ in 0..25_000 {
            let ops = random(&mut rng, kind);
            let expected = brute(&ops);
            verdicts[usize::from(expected)] += 1;
            for strategy in STRATEGIES {
                let found = decided(&mut RegMachine, &ops, &memory, strategy, Rules::ALL);
                assert_eq!(found, expected, "{strategy:?} {ops:?}");
            }
        }
        assert!(verdicts.iter().all(|&count| count > 3_000), "{kind:?}: {verdicts:?}");
    }
    assert_eq!(memory.used.into_inner(), 0, "all claims are given back");
}

#[test]
fn every_rule_may_be_off() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let memory = Memory::new(1 << 30);
    let all = Rules::ALL;
    let variants = [
        Rules::NONE,
        Rules { eager: false, ..all },
        Rules { gap: false, ..all },
        Rules { dominance: false, ..all },
        Rules { symmetry: false, ..all },
        Rules { supply: false, ..all },
        Rules { reach: false, ..all },
        Rules { lazy: false, ..all },
        Rules { order: false, ..all },
        Rules { gap: true, dominance: true, ..Rules::NONE },
    ];
    for _ in 0..6_000 {
        let ops = random(&mut rng, Kind::Overwrites);
        let expected = brute(&ops);
        for rules in variants {
            for strategy in [Strategy::Depth, Strategy::Breadth] {
                let found = decided(&mut RegMachine, &ops, &memory, strategy, rules);
                assert_eq!(found, expected, "{strategy:?} {rules:?} {ops:?}");
            }
        }
    }
}

#[test]
fn strings_agree_with_brute_force() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let memory = Memory::new(1 << 30);
    let mut verdicts = [0, 0];
    for _ in 0..20_000 {
        let history = random_kv(&mut rng);
        let expected = brute_kv(&history);
        verdicts[usize::from(expected)] += 1;
        let mut machine = KvMachine::default();
        let ops = histories::kv_ops(&mut machine, &history);
        for strategy in STRATEGIES {
            let found = decided(&mut machine, &ops, &memory, strategy, Rules::ALL);
            assert_eq!(found, expected, "{strategy:?} {history:?}");
        }
    }
    assert!(verdicts.iter().all(|&count| count > 2_000), "{verdicts:?}");
}

/// Not an operation of this problem may come out of a machine that cannot do anything.
#[test]
fn no_operations_are_valid() {
    let memory = Memory::new(1 << 20);
    let none: [LinOp<RegAction>; 0] = [];
    for strategy in STRATEGIES {
        assert!(decided(&mut RegMachine, &none, &memory, strategy, Rules::ALL));
    }
}

/// Against brute force over all prefixes: the first return by which there is no order.
#[test]
fn the_first_failure_is_the_first() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let memory = Memory::new(1 << 30);
    let limits = Limits { deadline: None, max_configs: 1 << 24, memory: &memory };
    let mut checked = 0;
    for _ in 0..6_000 {
        let ops = random(&mut rng, Kind::Few);
        let Answer::Invalid { failure } = super::search(&mut RegMachine, &ops, &limits) else { continue };
        checked += 1;
        let mut returns: Vec<usize> = (0..ops.len()).filter(|&id| ops[id].returned()).collect();
        returns.sort_unstable_by_key(|&id| ops[id].ret);
        let first = returns.iter().copied().find(|&id| !brute(&super::until(&ops, ops[id].ret).0)).unwrap();
        let known = failure.unwrap();
        assert!(ops[known.op].ret >= ops[first].ret, "{ops:?} {known:?}");
        let decide = |cut: &[LinOp<RegAction>]| super::search(&mut RegMachine, cut, &limits);
        let found = super::first_failure(&ops, decide);
        let within = super::first_failure_within(&ops, &known, decide);
        assert_eq!((found.op, within.op), (first, first), "{ops:?}");
        for failure in [found, within] {
            let answer = Answer::Invalid { failure: Some(failure) };
            assert!(!self::checked(&mut RegMachine, &ops, answer));
        }
    }
    assert!(checked > 1_000, "{checked}");
}

/// The register as a model of one's own, which tells the engine less.
struct Own;

impl Spec for Own {
    type State = u32;
    type Action = RegAction;

    fn initial(&self) -> u32 {
        0
    }

    fn step(&self, state: &u32, action: &RegAction) -> Option<u32> {
        RegMachine.step(*state, *action)
    }

    fn is_pure(&self, action: &RegAction) -> bool {
        matches!(action, RegAction::Read(_))
    }

    fn is_overwrite(&self, action: &RegAction) -> bool {
        matches!(action, RegAction::Write(1 | 2))
    }
}

#[test]
fn own_models_agree_with_brute_force() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let memory = Memory::new(1 << 30);
    for _ in 0..10_000 {
        let history = random(&mut rng, Kind::Few);
        let mut machine = Interned::new(Own);
        let ops: Vec<LinOp<ActionId>> = history
            .iter()
            .map(|op| LinOp { call: op.call, ret: op.ret, action: machine.action(op.action) })
            .collect();
        for strategy in [Strategy::Depth, Strategy::Breadth] {
            let found = decided(&mut machine, &ops, &memory, strategy, Rules::ALL);
            assert_eq!(found, brute(&history), "{strategy:?} {history:?}");
        }
    }
}

#[test]
fn strings_without_a_rule() {
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let memory = Memory::new(1 << 30);
    let all = Rules::ALL;
    for _ in 0..2_000 {
        let history = random_kv(&mut rng);
        let expected = brute_kv(&history);
        let mut machine = KvMachine::default();
        let ops = histories::kv_ops(&mut machine, &history);
        for rules in [
            Rules::NONE,
            Rules { eager: false, ..all },
            Rules { gap: false, ..all },
            Rules { reach: false, ..all },
            Rules { lazy: false, ..all },
            Rules { symmetry: false, ..all },
        ] {
            let found = decided(&mut machine, &ops, &memory, Strategy::Depth, rules);
            assert_eq!(found, expected, "{rules:?} {history:?}");
        }
    }
}
