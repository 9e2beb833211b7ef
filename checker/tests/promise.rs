//! ZooKeeper's weaker promises: what is stale but allowed, and what is not.

use checker::{History, Op, OpType, Process, Promise, PromiseReport, check_promise};
use serde_json::{Value, json};

use OpType::{Invoke, Ok as Done};

const E: u64 = 1 << 32;

/// (process, type, f, value, zxid of the reply), all on one key.
fn check(lines: &[(i64, OpType, &str, Value, u64)], promise: Promise) -> PromiseReport {
    let ops = (0..).zip(lines).map(|(index, (process, op_type, f, value, zxid))| Op {
        key: Some("k".into()),
        value: value.clone(),
        zxid: (*op_type == Done).then_some(*zxid),
        ..Op::new(index, index * 1_000_000, Process::Client(*process), *op_type, f)
    });
    let history = History::from_ops(ops.collect()).expect("the lines fit together");
    check_promise(&history, promise, None, &checker::Options::default()).expect("it is of registers")
}

fn write(process: i64, value: i64, zxid: u64) -> [(i64, OpType, &'static str, Value, u64); 2] {
    [(process, Invoke, "write", json!(value), 0), (process, Done, "write", json!(value), zxid)]
}

fn read(process: i64, value: i64, zxid: u64) -> [(i64, OpType, &'static str, Value, u64); 2] {
    [(process, Invoke, "read", Value::Null, 0), (process, Done, "read", json!(value), zxid)]
}

fn sync(process: i64, zxid: u64) -> [(i64, OpType, &'static str, Value, u64); 2] {
    [(process, Invoke, "sync", Value::Null, 0), (process, Done, "sync", Value::Null, zxid)]
}

/// Another session reads what was overwritten two writes ago.
fn stale() -> Vec<(i64, OpType, &'static str, Value, u64)> {
    [write(0, 1, E + 1), write(0, 2, E + 2), read(1, 1, E + 1)].concat()
}

#[test]
fn a_stale_read_breaks_linearizability_and_is_allowed_by_zookeeper() {
    assert_eq!(check(&stale(), Promise::Lin).verdict.name(), "invalid");
    let report = check(&stale(), Promise::Osc);
    assert_eq!(report.verdict.name(), "valid");
    let note = &report.notes[0];
    assert!(note.starts_with("1 read was stale, but allowed; the stalest, read -> 1 (#4), by "), "{note}");
    assert_eq!(check(&stale(), Promise::Session).verdict.name(), "valid");
}

#[test]
fn behind_a_sync_it_is_not_and_the_documentation_is_quoted() {
    let mut lines = [write(0, 1, E + 1), write(0, 2, E + 2), sync(1, E + 1)].concat();
    lines.extend(read(1, 1, E + 1));
    assert_eq!(check(&lines, Promise::Osc).verdict.name(), "valid");
    let report = check(&lines, Promise::SyncLin);
    assert!(report.verdict.reason().unwrap().starts_with("stale after sync: "), "{}", report.verdict);
    assert!(report.notes.iter().any(|note| note.contains("while two leaders exist")), "{:?}", report.notes);
    assert_eq!(report.counterexamples[0].key, "k");
    // A history without syncs was recorded by clients that sync within each read.
    assert_eq!(check(&stale(), Promise::SyncLin).verdict.name(), "invalid");
}

#[test]
fn a_session_never_goes_back_and_sees_its_own_writes() {
    let back = [write(0, 1, E + 1), write(0, 2, E + 2), read(1, 2, E + 2), read(1, 1, E + 1)].concat();
    let own = [write(0, 1, E + 1), write(0, 2, E + 2), read(0, 1, E + 1)].concat();
    for lines in [back, own] {
        for promise in [Promise::Osc, Promise::Session] {
            assert_eq!(check(&lines, promise).verdict.name(), "invalid", "{promise:?} {lines:?}");
        }
    }
}

#[test]
fn nobody_reads_from_the_future_or_what_nobody_wrote() {
    let future = [read(1, 1, E + 1), write(0, 1, E + 1)].concat();
    let phantom = [write(0, 1, E + 1), read(1, 9, E + 1)].concat();
    for lines in [future, phantom] {
        assert_eq!(check(&lines, Promise::Osc).verdict.name(), "invalid", "{lines:?}");
    }
}
