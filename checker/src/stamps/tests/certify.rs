//! Certificates: what is certified is linearizable, what is honest is certified, and a mismatch is one.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::brute::brute;
use super::generate::{Shape, honest, lie};
use super::{Case, is_update};
use crate::decision::Conflict;
use crate::engine::verify_witness;
use crate::model::{KvAction, KvMachine, RegAction, RegMachine};
use crate::stamps::{Certified, MismatchKind, Mode, certify, certify_all};
use crate::{Class, LinOp, NEVER};

use RegAction::{Cas, NotEqual, Read, Write};

#[derive(Debug, Default)]
struct Tally {
    valid: u32,
    mismatch: u32,
    lies: u32,
    violations: u32,
    inapplicable: u32,
    crashed_used: u32,
    kinds: [u32; 4],
}

/// Linearizability is one rule of real time for all, and no sessions.
fn linearizable(mut case: Case) -> Case {
    case.sessions = (0..).take(case.ops.len()).collect();
    case.since = case.ops.iter().map(|op| op.call).collect();
    case
}

fn verify(case: &Case, witness: &[u32]) {
    // One object at a time, and real time over all of them.
    for key in 0..3 {
        let ids: Vec<u32> =
            (0..).take(case.ops.len()).filter(|&id: &u32| case.keys[id as usize] == key).collect();
        let ops: Vec<LinOp<RegAction>> = ids.iter().map(|&id| case.ops[id as usize]).collect();
        let part: Vec<u32> = witness
            .iter()
            .filter_map(|id| u32::try_from(ids.iter().position(|other| other == id)?).ok())
            .collect();
        assert_eq!(verify_witness(&mut RegMachine, &ops, &part), Ok(()), "{case:?} {witness:?}");
    }
    let mut latest = 0;
    for &id in witness {
        let op = case.ops[id as usize];
        assert!(op.ret > latest, "{case:?} {witness:?}");
        latest = latest.max(op.call);
    }
}

fn compare(case: &Case, mode: Mode, honest: bool, tally: &mut Tally) {
    let one = case.keys.iter().all(|&key| key == 0);
    let all = certify_all(&mut RegMachine, &case.ops, &case.keys, &case.stamps, is_update, mode);
    let linearizable = brute(case, None);
    let stamped = brute(case, Some(mode));
    assert!(linearizable || !stamped, "{case:?}");
    let mut answers = vec![all];
    if one {
        answers.push(certify(&mut RegMachine, &case.ops, &case.stamps, is_update, mode));
    }
    for answer in answers {
        match answer {
            Certified::Valid(witness) => {
                verify(case, &witness);
                assert!(linearizable, "{mode:?} {case:?}");
                let crashed = witness.iter().any(|&id| !case.ops[id as usize].returned());
                tally.crashed_used += u32::from(crashed);
                tally.valid += 1;
                // Without crashes the stamps leave no freedom.
                assert!(stamped || case.ops.iter().any(|op| !op.returned()), "{mode:?} {case:?}");
            }
            Certified::Mismatch(found) => {
                assert!(!stamped, "{mode:?} {found:?} {case:?}");
                assert!(!honest);
                tally.mismatch += 1;
                *(if linearizable { &mut tally.lies } else { &mut tally.violations }) += 1;
                tally.kinds[found.kind as usize] += 1;
            }
            Certified::Inapplicable(_) => {
                assert!(
                    case.ops.iter().any(|op| !op.returned()) || mode == Mode::Values,
                    "{mode:?} {case:?}"
                );
                tally.inapplicable += 1;
            }
        }
    }
}

fn campaign(seed: u64, rounds: u32, mode: Mode) -> (Tally, Tally) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut truth, mut lies) = (Tally::default(), Tally::default());
    for _ in 0..rounds {
        let shape = Shape {
            mode,
            keys: rng.random_range(1..=2),
            unique: mode == Mode::Values || rng.random_bool(0.6),
            crashes: rng.random_bool(0.5),
            stale: false,
            syncs: false,
        };
        let case = honest(&mut rng, shape, 7);
        let told = linearizable(case.clone());
        assert!(brute(&told, Some(mode)), "the generator is honest: {told:?}");
        compare(&told, mode, true, &mut truth);
        let mut case = case;
        for _ in 0..rng.random_range(1..3) {
            lie(&mut rng, &mut case);
        }
        compare(&linearizable(case), mode, false, &mut lies);
    }
    (truth, lies)
}

#[test]
fn agrees_with_brute_force() {
    for (seed, mode) in [(1, Mode::LastModified), (2, Mode::Reached), (3, Mode::Values)] {
        let (truth, lies) = campaign(seed, 6_000, mode);
        assert!(truth.valid > 4_000 && truth.mismatch == 0, "{mode:?} {truth:?}");
        assert!(lies.valid > 800 && lies.violations > 800, "{mode:?} {lies:?}");
        assert!(truth.inapplicable * 8 < truth.valid, "{mode:?} {truth:?}");
        if mode != Mode::Values {
            assert!(lies.lies > 800 && truth.crashed_used > 200, "{mode:?} {truth:?} {lies:?}");
            assert!(lies.kinds[..3].iter().all(|&n| n > 50), "{mode:?} {lies:?}");
        }
    }
}

/// For the night: `ZABCHAOS_FUZZ=1000000 cargo test --release -p checker -- --ignored more_certificates`.
#[test]
#[ignore = "as long as you like"]
fn more_certificates() {
    let rounds = std::env::var("ZABCHAOS_FUZZ").map_or(200_000, |n| n.parse().unwrap());
    for mode in [Mode::LastModified, Mode::Reached, Mode::Values] {
        println!("{mode:?} {:?}", campaign(77, rounds, mode));
    }
}

fn op(call: u32, ret: u32, action: RegAction) -> LinOp<RegAction> {
    LinOp { call, ret: if ret > 0 { ret } else { NEVER }, action }
}

fn one(ops: &[LinOp<RegAction>], stamps: &[u64], mode: Mode) -> Certified {
    let stamps: Vec<Option<u64>> = stamps.iter().map(|&stamp| Some(stamp)).collect();
    certify(&mut RegMachine, ops, &stamps, is_update, mode)
}

fn kind(answer: Certified) -> MismatchKind {
    match answer {
        Certified::Mismatch(found) => found.kind,
        Certified::Valid(_) | Certified::Inapplicable(_) => panic!("{answer:?}"),
    }
}

#[test]
fn an_update_that_never_returned_is_placed_where_it_was_seen() {
    // The second write is seen at 7, and the compare-and-set that replaced it never read on its own.
    let ops = [
        op(2, 4, Write(1)),
        op(6, 0, Write(2)),
        op(8, 0, Cas(2, 3)),
        op(10, 12, Read(3)),
        op(14, 0, Write(9)),
    ];
    for mode in [Mode::LastModified, Mode::Reached] {
        assert_eq!(one(&ops, &[5, 99, 98, 7, 97], mode), Certified::Valid(vec![0, 1, 2, 3]));
    }
}

#[test]
fn a_refused_compare_and_set_calls_for_an_update_too() {
    let ops = [op(2, 4, Write(1)), op(6, 0, Write(2)), op(8, 10, NotEqual(1)), op(12, 14, Read(2))];
    assert_eq!(one(&ops, &[5, 0, 7, 7], Mode::LastModified), Certified::Valid(vec![0, 1, 2, 3]));
    assert_eq!(one(&ops, &[5, 0, 6, 8], Mode::Reached), Certified::Valid(vec![0, 1, 2, 3]));
    assert_eq!(kind(one(&[ops[0], ops[2]], &[5, 7], Mode::LastModified)), MismatchKind::Missing);
}

#[test]
fn what_contradicts_what() {
    let ops = [op(2, 4, Write(1)), op(6, 8, Write(2)), op(10, 12, Read(2))];
    for mode in [Mode::LastModified, Mode::Reached] {
        assert_eq!(one(&ops, &[5, 6, 6], mode), Certified::Valid(vec![0, 1, 2]));
        assert_eq!(kind(one(&ops, &[6, 5, 5], mode)), MismatchKind::RealTime);
        assert_eq!(kind(one(&ops, &[5, 5, 5], mode)), MismatchKind::Duplicate);
        assert_eq!(kind(one(&ops, &[5, 6, 5], mode)), MismatchKind::Replay);
    }
    assert_eq!(kind(one(&ops, &[5, 6, 7], Mode::LastModified)), MismatchKind::Missing);
    assert_eq!(one(&ops, &[5, 6, 7], Mode::Reached), Certified::Valid(vec![0, 1, 2]));
}

#[test]
fn a_mismatch_of_linearizable_values_is_a_lie() {
    let ops = [op(2, 4, Write(1)), op(6, 8, Write(2)), op(10, 12, Read(2))];
    let Certified::Mismatch(found) = one(&ops, &[5, 6, 5], Mode::LastModified) else { panic!() };
    let conflict = Conflict::from(found);
    assert_eq!((conflict.class, &conflict.ops[..]), (Class::StampLie, &[2, 0][..]));
}

#[test]
fn without_stamps_nothing_is_proven() {
    let ops = [op(2, 4, Write(1)), op(6, 8, Read(1))];
    for (stamps, mode) in [
        ([None, None], Mode::LastModified),
        ([None, Some(3)], Mode::Reached),
        ([Some(3), None], Mode::Reached),
    ] {
        let answer = certify(&mut RegMachine, &ops, &stamps, is_update, mode);
        assert!(matches!(answer, Certified::Inapplicable(_)), "{answer:?}");
    }
    let answer = certify(&mut RegMachine, &ops, &[Some(3), None], is_update, Mode::Values);
    assert_eq!(answer, Certified::Valid(vec![0, 1]));
}

/// Each object is fine, but the second read was made after the other object's later update had been seen.
#[test]
fn the_global_order_crosses_objects() {
    let ops = [op(2, 4, Write(1)), op(6, 8, Write(5)), op(10, 12, Read(5)), op(14, 16, Read(1))];
    let stamps = [Some(1), Some(2), Some(2), Some(1)];
    let answer = certify_all(&mut RegMachine, &ops, &[0, 1, 1, 0], &stamps, is_update, Mode::LastModified);
    assert_eq!(answer, Certified::Valid(vec![0, 1, 2, 3]));
    let answer = certify_all(&mut RegMachine, &ops, &[0, 1, 1, 0], &stamps, is_update, Mode::Reached);
    assert_eq!(kind(answer), MismatchKind::RealTime, "a server that had reached 1 only is behind");
    let lost = [ops[0], ops[1], ops[2], op(14, 16, Read(0))];
    let stamps = [Some(1), Some(2), Some(2), Some(0)];
    let answer = certify_all(&mut RegMachine, &lost, &[0, 1, 1, 0], &stamps, is_update, Mode::LastModified);
    assert_eq!(kind(answer), MismatchKind::RealTime);
}

/// The parts of a transaction share their stamp.
#[test]
fn a_transaction_has_one_stamp() {
    let ops = [op(2, 6, Write(1)), op(2, 6, Write(2)), op(8, 10, Read(2))];
    let stamps = [Some(1), Some(1), Some(1)];
    let answer = certify_all(&mut RegMachine, &ops, &[0, 1, 1], &stamps, is_update, Mode::Reached);
    assert_eq!(answer, Certified::Valid(vec![0, 1, 2]));
}

#[test]
fn appends_without_return_are_searched() {
    let mut machine = KvMachine::default();
    let [a, b, c, abc] = ["a", "b", "c", "abc"].map(|text| machine.intern(text));
    let appended = |call, ret, text| LinOp { call, ret, action: KvAction::Append(text) };
    let ops = [
        appended(2, 4, a),
        appended(6, NEVER, c),
        appended(8, NEVER, b),
        LinOp { call: 10, ret: 12, action: KvAction::Get(abc) },
    ];
    let stamps = [Some(1), None, None, Some(3)];
    let update = |action| matches!(action, KvAction::Append(_));
    let answer = certify(&mut machine, &ops, &stamps, update, Mode::LastModified);
    assert_eq!(answer, Certified::Valid(vec![0, 2, 1, 3]));
}
