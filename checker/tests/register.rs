//! The register check through its public face: what completions mean, how verdicts merge.

use checker::{CheckError, Checked, History, Op, OpType, Options, Process, Verdict, check_register};
use serde_json::{Value, json};

use OpType::{Fail, Info, Invoke, Ok as Done};

/// (process, type, f, value), all on key "r".
fn history(lines: &[(i64, OpType, &str, Value)]) -> History {
    let ops = (0..).zip(lines).map(|(index, (process, op_type, f, value))| Op {
        key: Some("r".into()),
        value: value.clone(),
        ..Op::new(index, index * 1000, Process::Client(*process), *op_type, f)
    });
    History::from_ops(ops.collect()).expect("the lines of each test fit together")
}

fn check(lines: &[(i64, OpType, &str, Value)]) -> Result<Checked, CheckError> {
    check_register(&history(lines), &Options::default())
}

fn verdict(lines: &[(i64, OpType, &str, Value)]) -> &'static str {
    check(lines).expect("the values have the right shape").verdict.name()
}

fn nil() -> Value {
    Value::Null
}

/// A write of 1, then a cas that ends as given, then a read.
fn with_cas(end: &[(i64, OpType, &str, Value)], read: Value) -> &'static str {
    let mut lines = vec![
        (0, Invoke, "write", json!(1)),
        (0, Done, "write", json!(1)),
        (1, Invoke, "cas", json!([null, 2])),
    ];
    lines.extend_from_slice(end);
    lines.extend([(2, Invoke, "read", nil()), (2, Done, "read", read)]);
    verdict(&lines)
}

#[test]
fn a_pending_cas_with_unknown_old_value_may_or_may_not_have_happened() {
    assert_eq!(with_cas(&[], json!(1)), "valid");
    assert_eq!(with_cas(&[], json!(2)), "valid");
    assert_eq!(with_cas(&[(1, Info, "cas", json!([null, 2]))], json!(2)), "valid");
    assert_eq!(with_cas(&[(1, Info, "cas", nil())], json!(2)), "valid");
}

#[test]
fn a_pending_cas_with_known_old_value_needs_it() {
    assert_eq!(with_cas(&[(1, Info, "cas", json!([1, 2]))], json!(2)), "valid");
    assert_eq!(with_cas(&[(1, Info, "cas", json!([7, 2]))], json!(1)), "valid");
    assert_eq!(with_cas(&[(1, Info, "cas", json!([7, 2]))], json!(2)), "invalid");
}

#[test]
fn a_completed_cas_from_null_replaced_the_initial_value() {
    assert_eq!(with_cas(&[(1, Done, "cas", json!([1, 2]))], json!(2)), "valid");
    assert_eq!(with_cas(&[(1, Done, "cas", json!([null, 2]))], json!(2)), "invalid");
    let first = [(1, Invoke, "cas", json!([null, 2])), (1, Done, "cas", json!([null, 2]))];
    assert_eq!(verdict(&first), "valid");
}

#[test]
fn a_failed_cas_says_nothing() {
    assert_eq!(with_cas(&[(1, Fail, "cas", json!([1, 2]))], json!(1)), "valid");
    assert_eq!(with_cas(&[(1, Fail, "cas", json!([1, 2]))], json!(2)), "invalid");
}

#[test]
fn values_are_any_json_scalars() {
    for value in [json!("a b"), json!(2.5), json!(true), json!(-3), json!(u64::MAX)] {
        let lines = |read: Value| {
            [
                (0, Invoke, "write", value.clone()),
                (0, Done, "write", value.clone()),
                (0, Invoke, "read", nil()),
                (0, Done, "read", read),
            ]
        };
        assert_eq!(verdict(&lines(value.clone())), "valid");
        assert_eq!(verdict(&lines(json!("other"))), "invalid");
        assert_eq!(verdict(&lines(nil())), "invalid");
    }
}

#[test]
fn a_null_written_is_a_value_like_any_other() {
    let lines = [
        (0, Invoke, "write", json!(1)),
        (0, Done, "write", json!(1)),
        (0, Invoke, "write", nil()),
        (0, Done, "write", nil()),
        (0, Invoke, "read", nil()),
        (0, Done, "read", nil()),
    ];
    assert_eq!(verdict(&lines), "valid");
}

#[test]
fn nothing_done_is_unknown_and_shapes_are_checked() {
    assert_eq!(verdict(&[]), "unknown");
    assert_eq!(verdict(&[(0, Invoke, "write", json!(1))]), "unknown");
    let error = check(&[(0, Invoke, "cas", json!(5)), (0, Done, "cas", nil())]).unwrap_err();
    assert_eq!(error.to_string(), "history index 0: a cas needs a value [old,new], not 5");
    // What it did to the register is not known: no verdict, whatever the rest says.
    let lines = [(0, Invoke, "swap", json!(5)), (0, Done, "swap", nil())];
    let verdict = check(&lines).unwrap().verdict;
    assert!(matches!(&verdict, Verdict::Unknown(why) if why.contains("no \"swap\"")), "{verdict}");
    let error = check(&[(0, Invoke, "cas", json!([null, 5])), (0, Done, "cas", nil())]).unwrap_err();
    assert!(error.to_string().contains("does not tell its old value"), "{error}");
}

#[test]
fn the_worst_key_decides_and_the_others_keep_their_verdicts() {
    let mut ops = Vec::new();
    for (key, read) in [("a", 1), ("b", 9), ("c", 1)] {
        for (op_type, f, value) in [
            (Invoke, "write", json!(1)),
            (Done, "write", json!(1)),
            (Invoke, "read", nil()),
            (Done, "read", json!(read)),
        ] {
            let index = ops.len() as u64;
            let op = Op::new(index, index * 1_000_000, Process::Client(0), op_type, f);
            ops.push(Op { key: Some(key.into()), value, ..op });
        }
    }
    let checked = check_register(&History::from_ops(ops).unwrap(), &Options::default()).unwrap();
    let verdicts: Vec<_> = checked.keys.iter().map(|k| (k.key.as_str(), k.verdict.name())).collect();
    assert_eq!(verdicts, [("a", "valid"), ("b", "invalid"), ("c", "valid")]);
    assert_eq!(checked.keys[0].witness, [0, 1]);
    let found = checked.counterexample.unwrap();
    assert_eq!((found.key.as_str(), found.first_bad_index), ("b", 7));
    assert!(
        matches!(checked.verdict, Verdict::Invalid(why) if why.starts_with("phantom read on key b: read -> 9 (#6)"))
    );
    let json = serde_json::to_value(&found).unwrap();
    assert_eq!(json["class"], "phantom-read");
    assert_eq!(json["ops"][0]["start_ms"], 6.0);
}

#[test]
fn a_budget_that_runs_out_is_unknown_with_its_reason() {
    let mut lines = Vec::new();
    for process in 0..12 {
        lines.push((process, Invoke, "write", json!(process % 2)));
    }
    for process in 0..12 {
        lines.push((process, Done, "write", json!(process % 2)));
    }
    for read in [0, 1, 0] {
        lines.extend([(50, Invoke, "read", nil()), (50, Done, "read", json!(read))]);
    }
    let options = Options { max_configs: 2, ..Options::default() };
    let verdict = check_register(&history(&lines), &options).unwrap().verdict;
    assert!(
        matches!(&verdict, Verdict::Unknown(why) if why.starts_with("key r: the budget of 2 configurations ran out")),
        "{verdict}"
    );
    assert_eq!(check(&lines).unwrap().verdict.name(), "invalid");
}
