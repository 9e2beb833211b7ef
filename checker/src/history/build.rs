//! Pairing of invocations with their completions, line by line.
//!
//! Real-time order is by position in the history, never by clock: two lines may carry the same
//! nanosecond, but one was written first.

use crate::hash::FastMap;
use crate::history::odd::Odd;
use crate::history::table::{Columns, NO_ZXID};
use crate::history::{History, Op, OpType, Outcome, Process, Val, Values};
use crate::stats::FnCounts;
use crate::{CheckError, NEVER};

/// What differs between sources of histories.
#[derive(Debug, Clone, Copy, Default)]
pub struct PairRules {
    /// `fail` of a `cas` that repeats its value and gives no error is an observation ("the value differed") and
    /// kept as [`Outcome::Mismatch`]; otherwise it says nothing, like any failure.
    pub failed_cas_is_mismatch: bool,
}

/// A line of a client, borrowed. As [`Op`], with its value interned in [`Builder::values`].
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// As [`Op::index`].
    pub index: u64,
    /// As [`Op::time`].
    pub time: u64,
    /// The logical client.
    pub process: i64,
    /// Invocation or completion.
    pub op_type: OpType,
    /// The function.
    pub f: &'a str,
    /// The object; `None` when there is only one, or on a completion.
    pub key: Option<&'a str>,
    /// Input or output.
    pub value: Val,
    /// As [`Op::error`].
    pub error: Option<&'a str>,
    /// As [`Op::node`].
    pub node: Option<&'a str>,
    /// As [`Op::zxid`].
    pub zxid: Option<u64>,
    /// As [`Op::final_read`].
    pub final_read: bool,
}

/// Makes a history of lines. Where a format has whole operations instead of lines, it makes lines of them first.
#[derive(Debug, Default)]
pub struct Builder {
    history: History,
    rules: PairRules,
    /// process → its call in progress
    open: FastMap<i64, u32>,
    events: u32,
    /// Lines by the name of their function.
    counts: Vec<FnCounts>,
}

impl Builder {
    /// An empty history.
    #[must_use]
    pub fn new(rules: PairRules) -> Self {
        Self { rules, ..Self::default() }
    }

    /// Room for so many calls.
    pub fn reserve(&mut self, calls: usize) {
        self.history.columns.reserve(calls);
    }

    /// Where values are interned.
    pub fn values(&mut self) -> &mut Values {
        &mut self.history.values
    }

    /// Takes a line, of whomever.
    ///
    /// # Errors
    /// As [`Builder::line`].
    pub fn op(&mut self, op: Op) -> Result<(), CheckError> {
        let Process::Client(process) = op.process else {
            self.begin(op.index);
            self.history.others.push((self.events - 1, op));
            return Ok(());
        };
        let value = self.value(&op.f, &op.value);
        self.line(&Line {
            index: op.index,
            time: op.time,
            process,
            op_type: op.op_type,
            f: &op.f,
            key: op.key.as_deref(),
            value,
            error: op.error.as_deref(),
            node: op.node.as_deref(),
            zxid: op.zxid,
            final_read: op.final_read,
        })
    }

    /// Interns the value of an operation: the two of a compare-and-set are kept apart.
    pub fn value(&mut self, f: &str, value: &serde_json::Value) -> Val {
        if f == "cas"
            && let Some([first, second]) = value.as_array().map(Vec::as_slice)
        {
            let (first, second) = (self.history.values.json(first), self.history.values.json(second));
            return self.history.values.pair(first, second);
        }
        self.history.values.json(value)
    }

    /// Takes a client's line. An invocation that never completes is an [`Outcome::Info`] call.
    ///
    /// # Errors
    /// A completion without an invocation, or of another function or key; an invocation while the same
    /// process still has one open.
    pub fn line(&mut self, line: &Line<'_>) -> Result<(), CheckError> {
        self.begin(line.index);
        if line.op_type == OpType::Invoke {
            return self.invoke(line);
        }
        let Some(id) = self.open.remove(&line.process) else {
            let what = format!(
                "process {} completes {:?} ({}) without having invoked it",
                line.process, line.f, line.op_type
            );
            return Err(CheckError::Pairing { index: line.index, what });
        };
        self.complete(id, line)
    }

    fn begin(&mut self, index: u64) {
        let event = self.events;
        self.events =
            event.checked_add(1).filter(|&n| n < NEVER / 2).expect("a history has fewer than 2^31 events");
        self.history.lines += 1;
        match &mut self.history.indices {
            Some(indices) => indices.push(index),
            None if index == u64::from(event) => {}
            None => self.history.indices = Some((0..u64::from(event)).chain([index]).collect()),
        }
    }

    fn invoke(&mut self, line: &Line<'_>) -> Result<(), CheckError> {
        let event = self.events - 1;
        let id = u32::try_from(self.history.len()).expect("fewer calls than events");
        if let Some(first) = self.open.insert(line.process, id) {
            let first = self.history.call(first);
            let what = format!(
                "process {} invokes {:?} while its {:?} of index {} is still open",
                line.process,
                line.f,
                first.f(),
                first.index_invoke()
            );
            return Err(CheckError::Pairing { index: line.index, what });
        }
        if line.error.is_some() || line.zxid.is_some() || line.key == Some("") || line.node == Some("") {
            self.note(event, line);
        }
        let names = &mut self.history.names;
        let (f, key) = (names.id(line.f), line.key.map_or(0, |key| names.id(key)));
        let node = line.node.map_or(0, |node| names.id(node));
        self.count(f, OpType::Invoke);
        let c: &mut Columns = &mut self.history.columns;
        c.process.push(line.process);
        c.f.push(f);
        c.key.push(key);
        c.input.push(line.value);
        c.output.push(Val::NIL);
        c.outcome.push(Outcome::Info);
        c.invoked.push(event);
        c.ended.push(NEVER);
        c.time_invoked.push(line.time);
        c.time_ended.push(0);
        c.node.push(node);
        c.zxid.push(NO_ZXID);
        c.error.push(0);
        c.final_read.push(line.final_read);
        Ok(())
    }

    fn complete(&mut self, id: u32, line: &Line<'_>) -> Result<(), CheckError> {
        self.check_match(id, line)?;
        let outcome = match line.op_type {
            OpType::Ok => Outcome::Ok,
            OpType::Fail if self.rules.failed_cas_is_mismatch && line.f == "cas" && line.error.is_none() => {
                if self.history.values.as_pair(line.value).is_some() {
                    Outcome::Mismatch
                } else {
                    Outcome::Fail
                }
            }
            OpType::Fail => Outcome::Fail,
            OpType::Info | OpType::Invoke => Outcome::Info,
        };
        self.count(self.history.columns.f[id as usize], line.op_type);
        self.note_differences(id, line);
        let names = &mut self.history.names;
        let node = line.node.map(|node| names.id(node));
        let error = line.error.map_or(0, |error| names.id(error));
        let (c, at) = (&mut self.history.columns, id as usize);
        c.outcome[at] = outcome;
        c.output[at] = line.value;
        c.ended[at] = self.events - 1;
        c.time_ended[at] = line.time;
        c.zxid[at] = line.zxid.unwrap_or(NO_ZXID);
        c.error[at] = error;
        if let Some(node) = node {
            c.node[at] = node;
        }
        Ok(())
    }

    /// What a completion says otherwise than its invocation is noted, as the row holds it once.
    fn note_differences(&mut self, id: u32, line: &Line<'_>) {
        let call = self.history.call(id);
        let other_node = line.node != call.node();
        let invocation = Odd {
            event: self.history.columns.invoked[id as usize],
            key: Some(self.history.columns.key[id as usize]).filter(|&key| key != 0),
            node: Some(self.history.columns.node[id as usize]).filter(|&node| node != 0),
            final_read: call.final_read(),
            ..Odd::default()
        };
        let plain = line.key == call.key()
            && line.final_read == call.final_read()
            && line.error != Some("")
            && line.zxid != Some(NO_ZXID);
        if other_node && line.node.is_some() {
            self.history.odd.push(invocation);
        }
        if !plain || (other_node && line.node.is_none_or(str::is_empty)) {
            self.note(self.events - 1, line);
        }
    }

    fn note(&mut self, event: u32, line: &Line<'_>) {
        let names = &mut self.history.names;
        let mut name = |name: Option<&str>| name.map(|name| names.id(name));
        let (key, node, error) = (name(line.key), name(line.node), name(line.error));
        let odd = Odd { event, key, node, error, zxid: line.zxid, final_read: line.final_read };
        self.history.odd.push(odd);
    }

    fn count(&mut self, f: u32, op_type: OpType) {
        let f = f as usize;
        if f >= self.counts.len() {
            self.counts.resize(f + 1, FnCounts::default());
        }
        self.counts[f].line(op_type);
    }

    /// The call that a process has in progress.
    #[must_use]
    pub fn open_call(&self, process: i64) -> Option<u32> {
        self.open.get(&process).copied()
    }

    /// Turns the call of a process that is open, or was the last to complete, into an observation of the state it
    /// found: for formats in which a refusal says so.
    pub fn mark_mismatch(&mut self, id: u32) {
        self.history.columns.outcome[id as usize] = Outcome::Mismatch;
    }

    fn check_match(&self, id: u32, line: &Line<'_>) -> Result<(), CheckError> {
        let call = self.history.call(id);
        let same_key = line.key.is_none_or(|key| key == call.key().unwrap_or(""));
        if call.f() == line.f && same_key {
            return Ok(());
        }
        let what = format!(
            "process {} completes {} of key {:?}, but index {} invoked {} of key {:?}",
            line.process,
            line.f,
            line.key.unwrap_or(""),
            call.index_invoke(),
            call.f(),
            call.key().unwrap_or("")
        );
        Err(CheckError::Pairing { index: line.index, what })
    }

    /// Ends it.
    #[must_use]
    pub fn finish(self) -> History {
        let mut history = self.history;
        Odd::sort(&mut history.odd);
        history.counts.set((0..).zip(&self.counts).map(|(f, counts)| (history.names.name(f), *counts)));
        history
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn op(index: u64, process: i64, op_type: OpType, f: &str, value: Value) -> Op {
        Op { value, ..Op::new(index, index * 10, Process::Client(process), op_type, f) }
    }

    #[test]
    fn pairs_in_order_of_invocation_and_gives_the_lines_back() {
        let ops = vec![
            op(0, 0, OpType::Invoke, "write", json!(1)),
            op(1, 1, OpType::Invoke, "read", json!(null)),
            op(2, 1, OpType::Ok, "read", json!(1)),
            Op::new(3, 30, Process::Nemesis, OpType::Info, "kill"),
            op(4, 0, OpType::Info, "write", json!(1)),
            op(5, 2, OpType::Invoke, "write", json!(2)),
            Op { error: Some("no".into()), ..op(6, 2, OpType::Fail, "write", json!(2)) },
            op(9, 3, OpType::Invoke, "cas", json!([null, 3])),
        ];
        let history = History::from_ops(ops.clone()).unwrap();
        let brief: Vec<_> = history.calls().map(|c| (c.process(), c.call(), c.ret(), c.outcome())).collect();
        assert_eq!(
            brief,
            [(0, 2, NEVER, Outcome::Info), (1, 4, 6, Outcome::Ok), (3, 16, NEVER, Outcome::Info)]
        );
        assert_eq!((history.lines, history.len()), (8, 4));
        assert_eq!(history.call(0).index_complete(), Some(4));
        let back: Vec<Op> = history.events().map(|(at, event)| event.to_op(&history, at)).collect();
        assert_eq!(back, ops);
    }

    #[test]
    fn malformed_pairings_are_errors_with_their_index() {
        let error = |ops| History::from_ops(ops).unwrap_err().to_string();
        let text = error(vec![op(4, 0, OpType::Ok, "read", json!(1))]);
        assert_eq!(text, "history index 4: process 0 completes \"read\" (ok) without having invoked it");
        let text = error(vec![
            op(0, 0, OpType::Invoke, "read", json!(null)),
            op(1, 0, OpType::Invoke, "write", json!(1)),
        ]);
        assert!(
            text.contains("index 1: process 0 invokes \"write\" while its \"read\" of index 0"),
            "{text}"
        );
        let text = error(vec![
            op(0, 0, OpType::Invoke, "read", json!(null)),
            op(1, 0, OpType::Ok, "write", json!(1)),
        ]);
        assert!(text.contains("but index 0 invoked read"), "{text}");
    }

    #[test]
    fn a_refused_cas_is_an_observation_only_where_the_format_says_so() {
        let outcome = |rules| {
            let mut builder = Builder::new(rules);
            builder.op(op(0, 0, OpType::Invoke, "cas", json!([1, 2]))).unwrap();
            builder.op(op(1, 0, OpType::Fail, "cas", json!([1, 2]))).unwrap();
            builder.finish().call(0).outcome()
        };
        assert_eq!(outcome(PairRules::default()), Outcome::Fail);
        assert_eq!(outcome(PairRules { failed_cas_is_mismatch: true }), Outcome::Mismatch);
    }
}
