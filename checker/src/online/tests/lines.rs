//! Whole histories, line by line, against the offline checks; and what a long run leaves in memory.

use std::collections::HashMap;

use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::history::{History, Op, OpType, Process};
use crate::online::{Checker, Kind, Status};
use crate::{Class, Options, check_register};

fn line(index: usize, process: i64, op_type: OpType, f: &str, key: &str, value: Value) -> Op {
    let index = u64::try_from(index).unwrap();
    Op { key: Some(key.into()), value, ..Op::new(index, index, Process::Client(process), op_type, f) }
}

/// A client with an operation under way: its line, and what it will answer.
type Running = Option<(Op, Option<Value>)>;

/// Clients on registers that answer truly, but for a stale read now and then.
fn registers(rng: &mut ChaCha8Rng, ops: usize) -> Vec<Op> {
    let clients: usize = rng.random_range(2..=5);
    let keys = rng.random_range(1..=4);
    let stale = *[0.0, 0.002, 0.02].choose(rng).unwrap();
    let mut values: HashMap<String, Vec<Value>> = HashMap::new();
    let mut processes: Vec<i64> = (0..).take(clients).collect();
    let mut running: Vec<Running> = vec![None; clients];
    let mut lines: Vec<Op> = Vec::new();
    for _ in 0..ops * 3 {
        let at = rng.random_range(0..clients);
        let process = processes[at];
        let index = lines.len();
        match running[at].take() {
            None => {
                let key = format!("r{}", rng.random_range(0..keys));
                // Now and then a value that is no integer.
                let new = if index.is_multiple_of(7) { json!(format!("v{index}")) } else { json!(index) };
                let op = match rng.random_range(0..4) {
                    0 | 1 => line(index, process, OpType::Invoke, "read", &key, Value::Null),
                    2 => line(index, process, OpType::Invoke, "write", &key, new),
                    _ => line(index, process, OpType::Invoke, "cas", &key, json!([null, new])),
                };
                lines.push(op.clone());
                running[at] = Some((op, None));
            }
            Some((op, None)) => {
                let past = values.entry(op.key.clone().unwrap()).or_insert_with(|| vec![Value::Null]);
                let mut found = past.last().unwrap().clone();
                let end = rng.random_range(0..100);
                if end >= 3 {
                    match op.f.as_str() {
                        "write" => past.push(op.value.clone()),
                        "cas" => past.push(op.value[1].clone()),
                        _ if rng.random_bool(stale) => found = past.choose(rng).unwrap().clone(),
                        _ => {}
                    }
                }
                if end < 5 {
                    let value = if op.f == "read" { Value::Null } else { op.value.clone() };
                    let op_type = if end < 2 { OpType::Fail } else { OpType::Info };
                    lines.push(line(index, process, op_type, &op.f, op.key.as_deref().unwrap(), value));
                    processes[at] += i64::try_from(clients).unwrap();
                } else {
                    running[at] = Some((op, Some(found)));
                }
            }
            Some((op, Some(found))) => {
                let value = match op.f.as_str() {
                    "read" => found,
                    "cas" => json!([found, op.value[1]]),
                    _ => op.value.clone(),
                };
                lines.push(line(index, process, OpType::Ok, &op.f, op.key.as_deref().unwrap(), value));
            }
        }
    }
    lines
}

#[test]
fn says_of_every_key_what_the_offline_check_says_and_where() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let (mut valid, mut invalid) = (0, 0);
    for _ in 0..400 {
        let lines = registers(&mut rng, 150);
        let mut checker = Checker::new(Kind::Register);
        let violations: HashMap<String, _> = lines
            .iter()
            .filter_map(|op| checker.feed(op))
            .map(|violation| (violation.key.clone(), violation))
            .collect();
        assert_eq!(checker.inconclusive().count(), 0);
        let options = Options { max_counterexamples: 10, ..Options::default() };
        let checked = check_register(&History::from_ops(lines).unwrap(), &options).unwrap();
        let counterexamples = checked.counterexample.iter().chain(&checked.more_counterexamples);
        let first_bad: HashMap<&str, u64> =
            counterexamples.map(|example| (&*example.key, example.first_bad_index)).collect();
        for key in checked.keys {
            let found = violations.get(&key.key);
            assert_eq!(found.is_some(), key.verdict.is_invalid(), "{found:?} {:?}", key.verdict);
            // Online it is the first line at which there is no order; offline, the last of those that are named.
            let complete = first_bad.get(&*key.key).copied();
            assert!(found.is_none_or(|found| Some(found.at_index) <= complete), "{found:?} {complete:?}");
            *(if found.is_some() { &mut invalid } else { &mut valid }) += 1;
        }
    }
    assert!(valid > 300 && invalid > 100, "{valid} {invalid}");
}

/// Steps of "a write is read although it failed", in both orders.
#[test]
fn a_failed_write_that_was_read_is_told_whichever_comes_first() {
    let write = |index, op_type| line(index, 0, op_type, "write", "r", json!(7));
    let read = |index, op_type, value| line(index, 1, op_type, "read", "r", value);
    let failed_late = [
        write(0, OpType::Invoke),
        read(1, OpType::Invoke, Value::Null),
        read(2, OpType::Ok, json!(7)),
        write(3, OpType::Fail),
    ];
    let failed_early = [
        write(0, OpType::Invoke),
        read(1, OpType::Invoke, Value::Null),
        write(2, OpType::Fail),
        read(3, OpType::Ok, json!(7)),
    ];
    for lines in [failed_late, failed_early] {
        let mut checker = Checker::new(Kind::Register);
        let violations: Vec<_> = lines.iter().filter_map(|op| checker.feed(op)).collect();
        let [violation] = violations.as_slice() else { panic!("{violations:?}") };
        assert_eq!(
            (violation.class, violation.at_index, &*violation.ops),
            (Class::DirtyRead, 3, &[0, 1][..])
        );
        assert_eq!(checker.status("r"), Some(Status::Violated));
    }
}

#[test]
fn a_stale_read_is_told_in_words() {
    let mut checker = Checker::new(Kind::Register);
    let mut index = 0;
    let mut run = |checker: &mut Checker, f: &str, value: Value| {
        let input = if f == "read" { Value::Null } else { value.clone() };
        let invoked = checker.feed(&line(index, 3, OpType::Invoke, f, "r1", input));
        let done = checker.feed(&line(index + 1, 3, OpType::Ok, f, "r1", value));
        index += 2;
        invoked.or(done)
    };
    assert_eq!(run(&mut checker, "write", json!(1)), None);
    assert_eq!(run(&mut checker, "write", json!(2)), None);
    assert_eq!(run(&mut checker, "read", json!(2)), None);
    let violation = run(&mut checker, "read", json!(1)).unwrap();
    assert_eq!(
        violation.to_string(),
        "stale read on key r1 at index 7: #0 (the block of 1) returned before #4 (the block of 2) was called; yet \
         #2 (the block of 2) returned before #6 (the block of 1) was called: each must come before the other."
    );
    assert_eq!(run(&mut checker, "read", json!(99)), None, "the first of a key only");
}

#[test]
fn nonsense_leaves_the_key_inconclusive_and_the_others_alone() {
    for (lines, expected) in [
        (vec![line(0, 0, OpType::Invoke, "append", "a", json!(1))], "does not have"),
        (vec![line(0, 0, OpType::Invoke, "cas", "a", json!(1))], "without a value [old,new]"),
        (
            vec![
                line(0, 0, OpType::Invoke, "cas", "a", json!([null, 1])),
                line(1, 0, OpType::Ok, "cas", "a", json!(1)),
            ],
            "does not tell what it replaced",
        ),
        (
            vec![
                line(0, 0, OpType::Invoke, "read", "a", Value::Null),
                line(1, 0, OpType::Invoke, "read", "b", Value::Null),
            ],
            "while its last operation is open",
        ),
        (
            vec![
                line(0, 0, OpType::Invoke, "write", "a", json!(1)),
                line(1, 1, OpType::Invoke, "write", "a", json!(1)),
            ],
            "written twice",
        ),
    ] {
        let mut checker = Checker::new(Kind::Register);
        assert!(lines.iter().all(|op| checker.feed(op).is_none()));
        let reasons: Vec<_> = checker.inconclusive().collect();
        let [("a", reason)] = reasons.as_slice() else { panic!("{reasons:?}") };
        assert!(reason.contains(expected), "{reason}");
    }
}

#[test]
fn each_kind_of_object_is_read_from_its_lines() {
    let cases = [
        (Kind::List, "append", json!(5), json!([5]), json!([6]), Class::PhantomRead),
        (Kind::Set, "add", json!("x"), json!(["x"]), json!([]), Class::LostUpdate),
        (Kind::Counter, "increment", Value::Null, json!(1), json!(0), Class::LostUpdate),
    ];
    for (kind, update, value, right, wrong, class) in cases {
        for (answer, expected) in [(right, None), (wrong, Some(class))] {
            let mut checker = Checker::new(kind);
            let violations: Vec<_> = [
                line(0, 0, OpType::Invoke, update, "k", value.clone()),
                line(1, 0, OpType::Ok, update, "k", value.clone()),
                line(2, 0, OpType::Invoke, "read", "k", Value::Null),
                line(3, 0, OpType::Ok, "read", "k", answer),
            ]
            .iter()
            .filter_map(|op| checker.feed(op))
            .collect();
            assert_eq!(violations.first().map(|violation| violation.class), expected, "{violations:?}");
            assert_eq!(checker.inconclusive().count(), 0);
        }
    }
    let mut checker = Checker::new(Kind::Lock);
    let acquire = |index, process, op_type| line(index, process, op_type, "acquire", "k", Value::Null);
    assert_eq!(checker.feed(&acquire(0, 1, OpType::Invoke)), None);
    assert_eq!(checker.feed(&acquire(1, 1, OpType::Ok)), None);
    assert_eq!(checker.feed(&acquire(2, 2, OpType::Invoke)), None);
    assert_eq!(checker.feed(&acquire(3, 2, OpType::Ok)).unwrap().class, Class::DoubleGrant);
}
