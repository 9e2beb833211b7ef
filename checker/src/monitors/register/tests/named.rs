//! The traps, one by one.

use super::{Cas, NotEqual, Read, Write, brute, op};
use crate::counterexample::Class;
use crate::engine::verify_witness;
use crate::model::{RegAction, RegMachine};
use crate::monitors::register::{RegOp, decide};
use crate::{Conflict, Decision, NEVER, Piece};

/// A decision that brute force agrees with.
fn check(ops: &[RegOp]) -> Decision {
    let decision = decide(ops);
    match &decision {
        Decision::Valid(witness) => {
            assert!(brute(ops, false));
            assert_eq!(verify_witness(&mut RegMachine, ops, witness), Ok(()));
        }
        Decision::Invalid(_) => assert!(!brute(ops, false)),
        Decision::Open(_) => {}
    }
    decision
}

fn valid(ops: &[RegOp]) -> Vec<u32> {
    match check(ops) {
        Decision::Valid(witness) => witness,
        other @ (Decision::Invalid(_) | Decision::Open(_)) => panic!("{other:?}"),
    }
}

fn invalid(ops: &[RegOp]) -> Conflict {
    match check(ops) {
        Decision::Invalid(conflict) => conflict,
        other @ (Decision::Valid(_) | Decision::Open(_)) => panic!("{other:?}"),
    }
}

fn is_open(ops: &[RegOp]) -> bool {
    matches!(check(ops), Decision::Open(_))
}

/// The sentence with `#` for operations and values as they are.
fn sentence(conflict: &Conflict) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Text(words) => (*words).to_owned(),
        Piece::Words(words) => words.clone(),
        Piece::Op(id) => format!("#{id}"),
        Piece::Returned(id) => format!("#{id} returned"),
        Piece::Called(id) => format!("#{id} was called"),
        Piece::Value(value) => value.to_string(),
    };
    conflict.sentence.iter().map(piece).collect()
}

/// One after the other, each with its return before the next call.
fn sequence(actions: &[RegAction]) -> Vec<RegOp> {
    (0..).zip(actions).map(|(at, &action)| op(4 * at + 2, 4 * at + 4, action)).collect()
}

#[test]
fn nothing_is_linearizable() {
    assert_eq!(valid(&[]), Vec::<u32>::new());
    assert_eq!(
        valid(&[op(2, NEVER, Read(7)), op(4, NEVER, NotEqual(0)), op(6, NEVER, Write(1))]),
        Vec::<u32>::new()
    );
}

#[test]
fn a_stale_read_is_told_in_three_operations() {
    let conflict = invalid(&sequence(&[Write(7), Write(8), Read(8), Read(7), Write(9)]));
    assert_eq!((conflict.class, &conflict.ops[..]), (Class::StaleRead, &[0, 1, 3][..]));
    assert_eq!(
        sentence(&conflict),
        "#0 returned before #1 was called, and #1 returned before #3 was called; yet that read returned 7"
    );
}

#[test]
fn an_overwritten_value_that_comes_back_over_one_nobody_saw_is_a_lost_update() {
    let conflict = invalid(&sequence(&[Write(7), Write(8), Read(7)]));
    assert_eq!((conflict.class, &conflict.ops[..]), (Class::LostUpdate, &[0, 1, 2][..]));
}

#[test]
fn two_readers_that_disagree_are_an_order_inversion() {
    let ops = [op(2, 4, Write(7)), op(6, 16, Write(8)), op(8, 10, Read(8)), op(12, 14, Read(7))];
    let conflict = invalid(&ops);
    assert_eq!((conflict.class, &conflict.ops[..]), (Class::OrderInversion, &[0, 1, 2, 3][..]));
    assert_eq!(
        sentence(&conflict),
        "#0 returned before #1 was called, and #2 returned before #3 was called; yet that read returned 7"
    );
}

#[test]
fn the_initial_value_is_a_block_too() {
    let conflict = invalid(&sequence(&[Write(1), Read(0)]));
    assert_eq!((conflict.class, &conflict.ops[..]), (Class::LostUpdate, &[0, 1][..]));
    assert_eq!(
        sentence(&conflict),
        "0 was there before everything else, and #0 returned before #1 was called; yet that read returned 0"
    );
    valid(&sequence(&[Read(0), NotEqual(1), Cas(0, 1), NotEqual(0), Read(1)]));
    assert_eq!(invalid(&sequence(&[NotEqual(0)])).class, Class::WrongRefusal);
    let conflict = invalid(&sequence(&[NotEqual(0), Read(0), Write(1)]));
    assert_eq!((conflict.class, &conflict.ops[..]), (Class::WrongRefusal, &[0, 1][..]));
    // Replaced by one that was called in time.
    valid(&[op(2, 8, NotEqual(0)), op(4, 6, Cas(0, 1))]);
    // Written again it has two sources, which matters only if somebody looks for it.
    assert!(is_open(&sequence(&[Write(1), Write(0), Read(0)])));
    valid(&sequence(&[Write(1), Write(0), Write(2), Read(2)]));
}

#[test]
fn a_crashed_update_that_somebody_found_happened_before_they_returned() {
    assert_eq!(valid(&[op(2, NEVER, Write(1)), op(4, 6, Read(1))]), [0, 1]);
    assert_eq!(valid(&[op(2, NEVER, Write(1)), op(4, 6, Read(0))]), [1]);
    let ops = [op(2, NEVER, Write(1)), op(4, 6, Read(1)), op(8, 10, Write(2)), op(12, 14, Read(1))];
    assert_eq!(invalid(&ops).class, Class::LostUpdate);
}

#[test]
fn being_found_makes_a_crashed_compare_and_set_find_what_it_replaced() {
    // The read of 3 proves both compare-and-sets, and so that 1 was written, though all three crashed.
    let chain =
        [op(2, NEVER, Write(1)), op(4, NEVER, Cas(1, 2)), op(6, NEVER, Cas(2, 3)), op(8, 10, Read(3))];
    assert_eq!(valid(&chain), [0, 1, 2, 3]);
    let conflict = invalid(&[&chain[..], &[op(12, 14, Read(1))]].concat());
    assert_eq!(conflict.class, Class::OrderInversion);
    // Without a write of 1 the chain hangs in the air.
    let conflict = invalid(&chain[1..]);
    assert_eq!((conflict.class, &conflict.ops[..]), (Class::PhantomRead, &[0, 1, 2][..]));
    // Of two that replaced the same value only one can have been found.
    let twice = [op(2, 4, Write(1)), op(6, NEVER, Cas(1, 2)), op(8, NEVER, Cas(1, 3)), op(10, 12, Read(2))];
    assert_eq!(valid(&twice), [0, 1, 3]);
    let conflict = invalid(&[&twice[..], &[op(14, 16, Read(3))]].concat());
    assert_eq!((conflict.class, &conflict.ops[..]), (Class::LostUpdate, &[0, 1, 2, 3, 4][..]));
}

#[test]
fn a_value_found_before_its_write_was_called_is_a_phantom_not_a_new_interval() {
    let conflict = invalid(&[op(2, 4, Read(1)), op(6, NEVER, Write(1))]);
    assert_eq!((conflict.class, &conflict.ops[..]), (Class::PhantomRead, &[0, 1][..]));
    assert_eq!(sentence(&conflict), "#0 returned before #1 was called, the only operation that wrote 1");
    let conflict = invalid(&[op(2, 4, Read(2)), op(6, NEVER, Cas(0, 1)), op(8, NEVER, Cas(1, 2))]);
    assert_eq!(conflict.class, Class::PhantomRead);
    assert_eq!(invalid(&[op(2, 4, Read(5))]).class, Class::PhantomRead);
    assert_eq!(invalid(&[op(2, 4, Cas(5, 6))]).class, Class::PhantomRead);
}

#[test]
fn compare_and_sets_in_a_circle_have_no_beginning() {
    let conflict =
        invalid(&[op(2, 10, Cas(3, 1)), op(4, 12, Cas(1, 2)), op(6, 14, Cas(2, 3)), op(8, 16, Read(0))]);
    assert_eq!((conflict.class, &conflict.ops[..]), (Class::PhantomRead, &[0, 1, 2][..]));
}

#[test]
fn a_replaced_value_does_not_come_back() {
    let conflict = invalid(&sequence(&[Write(1), Cas(1, 2), Read(2), Read(1)]));
    assert_eq!((conflict.class, &conflict.ops[..]), (Class::StaleRead, &[0, 1, 3][..]));
    assert_eq!(
        sentence(&conflict),
        "#1 replaced 1, and #1 returned before #3 was called; yet that read returned 1"
    );
    // Nothing comes between a value and what replaced it.
    let conflict = invalid(&sequence(&[Write(1), Write(3), Cas(1, 2)]));
    assert_eq!((conflict.class, &conflict.ops[..]), (Class::LostUpdate, &[0, 1, 2][..]));
    assert!(sentence(&conflict).contains("; yet that replaced 1"), "{}", sentence(&conflict));
}

#[test]
fn the_middle_of_a_long_chain_is_told_by_its_nearest_operations() {
    let mut ops = sequence(&(0..500).map(|at| Cas(at, at + 1)).collect::<Vec<_>>());
    // Written and read in the middle of the chain.
    ops.push(op(1001, 1003, Write(1000)));
    let Decision::Invalid(conflict) = decide(&ops) else { panic!() };
    assert!(conflict.ops.len() <= 4, "{conflict:?}");
}

#[test]
fn a_refusal_while_the_value_was_certainly_there_is_wrong() {
    let conflict = invalid(&sequence(&[Write(1), NotEqual(1), Read(1)]));
    assert_eq!((conflict.class, &conflict.ops[..]), (Class::WrongRefusal, &[0, 1, 2][..]));
    assert_eq!(
        sentence(&conflict),
        "#0 returned before #1 was called, and #1 returned before #2 was called: 1 was there all the time, yet #1 did not find it"
    );
    // Until it was replaced.
    let conflict = invalid(&sequence(&[Write(1), NotEqual(1), Cas(1, 2)]));
    assert_eq!((conflict.class, &conflict.ops[..]), (Class::WrongRefusal, &[0, 1, 2][..]));
    // Nothing else was called in time.
    let conflict = invalid(&sequence(&[Write(2), Write(1), NotEqual(1), Write(3)]));
    assert_eq!((conflict.class, &conflict.ops[..]), (Class::WrongRefusal, &[1, 2][..]));
}

#[test]
fn a_refusal_fits_where_another_value_can_be() {
    // Only if 2 is written first, only if 1 is, and not if both are asked for.
    let [one, two] = [op(2, 4, Write(1)), op(1, 5, Write(2))];
    assert_eq!(valid(&[two, one, op(6, 8, NotEqual(2))]).len(), 3);
    assert_eq!(valid(&[two, one, op(6, 8, NotEqual(1))]).len(), 3);
    assert!(!matches!(check(&[two, one, op(6, 8, NotEqual(1)), op(7, 9, NotEqual(2))]), Decision::Valid(_)));
    // A crashed update that nobody found may be what was there.
    assert_eq!(valid(&[op(2, 4, Write(1)), op(6, NEVER, Write(2)), op(8, 10, NotEqual(1))]), [0, 1, 2]);
    assert_eq!(valid(&[op(2, 4, Write(1)), op(6, NEVER, Cas(1, 2)), op(8, 10, NotEqual(1))]), [0, 1, 2]);
    assert_eq!(
        invalid(&[op(2, 4, Write(1)), op(6, 8, NotEqual(1)), op(10, NEVER, Write(2))]).class,
        Class::WrongRefusal
    );
    // Of a value that was never there.
    assert_eq!(valid(&sequence(&[Write(1), NotEqual(9), Read(1)])), [0, 1, 2]);
}

#[test]
fn values_with_several_sources_are_open_only_if_somebody_looks_for_them() {
    assert!(is_open(&sequence(&[Write(1), Write(1), Read(1)])));
    assert!(is_open(&sequence(&[Write(1), Write(1), NotEqual(2), NotEqual(1)])));
    assert_eq!(valid(&sequence(&[Write(1), Write(2), Write(1), Write(3), Read(3)])), [0, 1, 2, 3, 4]);
    // What is contradictory among the others remains so.
    let conflict = invalid(&sequence(&[Write(1), Write(1), Read(1), Write(2), Write(3), Read(2)]));
    assert_eq!(conflict.ops, [3, 4, 5]);
}

#[test]
fn sparse_values_and_operations_out_of_order_are_named_as_they_came() {
    let far = 4_000_000_000;
    let conflict = invalid(&[op(10, 12, Read(far)), op(6, 8, Write(far + 1)), op(2, 4, Write(far))]);
    assert_eq!(conflict.ops, [2, 1, 0]);
    assert!(sentence(&conflict).ends_with("that read returned 4000000000"));
    assert_eq!(valid(&[op(6, 8, Read(far)), op(2, 4, Write(far))]), [1, 0]);
}

#[test]
fn a_compare_and_set_that_changes_nothing_reads() {
    assert_eq!(valid(&sequence(&[Write(1), Cas(1, 1), Read(1)])), [0, 1, 2]);
    assert_eq!(invalid(&sequence(&[Write(1), Write(2), Cas(1, 1)])).class, Class::LostUpdate);
    assert_eq!(valid(&[op(2, NEVER, Cas(4, 4))]), Vec::<u32>::new());
}
