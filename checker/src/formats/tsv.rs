//! Tab-separated operations: `process key op a b call ret status out rev`, one operation a line with its
//! call and return times. `fail` of a `cas` means that the value differed.
//!
//! Order is by time here, there being no lines to order by. At equal times calls come before returns,
//! so that a tie never makes one operation precede another.

use serde_json::{Value, json};

use crate::CheckError;
use crate::history::{Call, History, OpType, Outcome};

/// Columns of a line.
pub(super) const COLUMNS: usize = 10;

/// Parses a whole file; lines that begin with `#` are comments.
pub(super) fn parse(name: &str, text: &str) -> Result<History, CheckError> {
    let mut history = History { explicit_cas: true, timed: true, ..History::default() };
    for (number, line) in (1..).zip(text.lines()) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let call =
            call(line).map_err(|what| CheckError::Line { name: name.to_owned(), line: number, what })?;
        history.lines += 1;
        history.counts.line(&call.0.f, OpType::Invoke);
        history.counts.line(&call.0.f, call.1);
        if call.1 != OpType::Fail || call.0.outcome == Outcome::Mismatch {
            history.calls.push(call.0);
        }
    }
    place(&mut history.calls);
    Ok(history)
}

fn call(line: &str) -> Result<(Call, OpType), String> {
    let columns: Vec<&str> = line.split('\t').collect();
    let [process, key, op, a, b, call, ret, status, out, _rev] = columns[..] else {
        return Err(format!("expected {COLUMNS} tab-separated columns, found {}", columns.len()));
    };
    let number = |what: &str, text: &str| {
        text.parse::<u64>().map_err(|e| format!("{what} {text:?} is no time in nanoseconds: {e}"))
    };
    let status = match status {
        "ok" => OpType::Ok,
        "fail" => OpType::Fail,
        "info" => OpType::Info,
        other => return Err(format!("status {other:?} is none of ok, fail, info")),
    };
    let input = match op {
        "cas" => json!([scalar(a), scalar(b)]),
        "read" => Value::Null,
        _ => scalar(a),
    };
    let outcome = match status {
        OpType::Fail if op == "cas" => Outcome::Mismatch,
        OpType::Ok => Outcome::Ok,
        OpType::Fail | OpType::Info | OpType::Invoke => Outcome::Info,
    };
    let time_invoke = number("call", call)?;
    let time_complete = if ret == "-" { None } else { Some(number("ret", ret)?) };
    if status != OpType::Info && time_complete.is_none_or(|ret| ret <= time_invoke) {
        return Err(format!("ret {ret:?} must come after call {call:?}"));
    }
    let call = Call {
        process: process.parse().map_err(|e| format!("process {process:?} is no number: {e}"))?,
        f: op.to_owned(),
        key: Some(key.to_owned()),
        output: (status == OpType::Ok).then(|| if op == "read" { scalar(out) } else { input.clone() }),
        input,
        call: 0,
        ret: None,
        outcome,
        index_invoke: 0,
        index_complete: None,
        time_invoke,
        time_complete: time_complete.filter(|_| status != OpType::Info),
        node: None,
        zxid: None,
        final_read: false,
    };
    Ok((call, status))
}

fn scalar(text: &str) -> Value {
    match text {
        "" | "nil" => Value::Null,
        _ => text.parse::<i64>().map_or_else(|_| Value::from(text), Value::from),
    }
}

/// Gives every call and return its position in time.
fn place(calls: &mut [Call]) {
    let mut events: Vec<(u64, bool, usize)> = Vec::with_capacity(calls.len() * 2);
    for (id, call) in calls.iter().enumerate() {
        events.push((call.time_invoke, false, id));
        events.extend(call.time_complete.map(|ret| (ret, true, id)));
    }
    events.sort_unstable();
    for (position, (_, returns, id)) in (0..).zip(events) {
        if returns {
            calls[id].ret = Some(position);
            calls[id].index_complete = Some(position);
        } else {
            calls[id].call = position;
            calls[id].index_invoke = position;
        }
    }
    calls.sort_by_key(|call| call.call);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_make_nothing_precede() {
        let text = "# model=reg\n0\tk0\twrite\t1\t\t10\t20\tok\t\t1\n1\tk0\tread\t\t\t20\t30\tok\tnil\t0\n\
                    2\tk0\tcas\t1\t2\t40\t50\tfail\t\t1\n3\tk0\twrite\t5\t\t41\t-\tinfo\t\t-\n";
        let history = parse("x.tsv", text).unwrap();
        let brief: Vec<_> = history.calls.iter().map(|c| (c.call, c.ret, c.outcome)).collect();
        assert_eq!(
            brief,
            [
                (0, Some(2), Outcome::Ok),
                (1, Some(3), Outcome::Ok),
                (4, Some(6), Outcome::Mismatch),
                (5, None, Outcome::Info)
            ]
        );
    }

    #[test]
    fn wrong_columns_are_named() {
        let error = |text| parse("x.tsv", text).unwrap_err().to_string();
        assert_eq!(error("# c\n1\t2\n"), "x.tsv line 2: expected 10 tab-separated columns, found 2");
        assert!(error("0\tk\tread\t\t\t9\t3\tok\t1\t0\n").contains("must come after"));
    }
}
