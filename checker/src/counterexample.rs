//! A counterexample: a handful of operations that cannot all be true, and one sentence that says why.
//! Data and its text rendering only; the check that found it picks the operations.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::history::{Call, Outcome};

/// What kind of violation it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// A read returned a value that had certainly been overwritten before the read was called.
    StaleRead,
    /// An acknowledged update has no place in the order: nobody ever saw it and older state came back,
    /// or two compare-and-sets both replaced the same value.
    LostUpdate,
    /// A value was read that nobody can have written by then.
    PhantomRead,
    /// Two reads saw two updates in an order that real time contradicts.
    OrderInversion,
    /// Not linearizable, and none of the patterns above.
    Other,
}

impl Class {
    /// The name in plain words, such as `stale read`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::StaleRead => "stale read",
            Self::LostUpdate => "lost update",
            Self::PhantomRead => "phantom read",
            Self::OrderInversion => "order inversion",
            Self::Other => "not linearizable",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One operation of a counterexample, as the history has it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CoreOp {
    /// `index` of the invocation's line.
    pub index_invoke: u64,
    /// `index` of the completion's line, if there is one.
    pub index_complete: Option<u64>,
    /// The logical client.
    pub process: i64,
    /// The node it talked to.
    pub node: Option<String>,
    /// The function.
    pub f: String,
    /// The value written, read, or `[old,new]`.
    pub value: Value,
    /// How it ended: `ok`, `info` or `mismatch`.
    pub outcome: String,
    /// Milliseconds since the start of the run; absent when the history carries no clock.
    pub start_ms: Option<f64>,
    /// Milliseconds since the start of the run; absent when it never completed or there is no clock.
    pub end_ms: Option<f64>,
    /// The zxid of the reply, in hex.
    pub zxid: Option<String>,
}

impl CoreOp {
    /// Takes from a call what a reader needs; `timed` says whether its clock means anything.
    #[must_use]
    pub fn new(call: &Call, timed: bool) -> Self {
        Self {
            index_invoke: call.index_invoke,
            index_complete: call.index_complete,
            process: call.process,
            node: call.node.clone(),
            f: call.f.clone(),
            value: shown_value(call).clone(),
            outcome: call.outcome.to_string(),
            start_ms: timed.then(|| millis(call.time_invoke)),
            end_ms: call.time_complete.filter(|_| timed).map(millis),
            zxid: call.zxid.map(|zxid| format!("{zxid:#x}")),
        }
    }

    /// Such as `read -> 7` or `cas 3 -> 4`.
    #[must_use]
    pub fn action(&self) -> String {
        let show = |value: &Value| if value.is_null() { "nil".to_owned() } else { value.to_string() };
        match (self.f.as_str(), self.value.as_array().map(Vec::as_slice)) {
            ("read" | "get", _) => format!("{} -> {}", self.f, show(&self.value)),
            ("cas", Some([old, new])) => format!("cas {} -> {}", show(old), show(new)),
            _ => format!("{} {}", self.f, show(&self.value)),
        }
    }
}

/// The completion's value where it says more than the invocation's.
pub(crate) fn shown_value(call: &Call) -> &Value {
    let tells = |output: &&Value| match call.f.as_str() {
        "read" | "get" => true,
        "cas" => output.is_array() && call.outcome != Outcome::Mismatch,
        _ => false,
    };
    call.output.as_ref().filter(tells).unwrap_or(&call.input)
}

pub(crate) fn millis(nanos: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "microsecond precision is plenty for display")]
    let micros = (nanos / 1000) as f64;
    micros / 1000.0
}

/// Why a key is not linearizable, small enough to read. Render with `Display`, or as JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Counterexample {
    /// The key; empty when the history has a single object.
    pub key: String,
    /// What kind of violation.
    pub class: Class,
    /// One sentence that says why these operations contradict each other.
    pub why: String,
    /// The operations of the contradiction, in order of invocation; the last twelve if there are more.
    pub ops: Vec<CoreOp>,
    /// How many earlier ones are not in `ops`.
    pub ops_left_out: u64,
    /// How many operations of the key can be linearized before the first that cannot.
    pub prefix_ops: u64,
    /// `index` of the line at which the history stops being linearizable.
    pub first_bad_index: u64,
    /// A linearization of the longest linearizable prefix: its last few operations, by `index` of
    /// invocation, oldest first.
    pub prefix_tail: Vec<u64>,
    /// True when dropping any operation that may be dropped makes the rest linearizable.
    pub minimal: bool,
}

impl Counterexample {
    /// Class, key and reason in one line.
    #[must_use]
    pub fn sentence(&self) -> String {
        let on_key = if self.key.is_empty() { String::new() } else { format!(" on key {}", self.key) };
        format!("{}{on_key}: {}", self.class, self.why)
    }
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.sentence())?;
        if self.ops_left_out > 0 {
            writeln!(f, "  ({} earlier operations are part of it and not shown)", self.ops_left_out)?;
        }
        let rows: Vec<[String; 5]> = self.ops.iter().map(row).collect();
        let width = |column: usize| rows.iter().map(|r| r[column].chars().count()).max().unwrap_or(0);
        let widths = [width(0), width(1), width(2), width(3)];
        for row in &rows {
            let line = format!(
                "  {:>w0$}  {:<w1$}  {:<w2$}  {:<w3$}  {}",
                row[0],
                row[1],
                row[2],
                row[3],
                row[4],
                w0 = widths[0],
                w1 = widths[1],
                w2 = widths[2],
                w3 = widths[3],
            );
            writeln!(f, "{}", line.trim_end())?;
        }
        write!(
            f,
            "  {} operations of the key fit an order; the history fails at index {}{}",
            self.prefix_ops,
            self.first_bad_index,
            if self.minimal { "" } else { " (not proven minimal)" }
        )
    }
}

fn row(op: &CoreOp) -> [String; 5] {
    let place = match &op.node {
        Some(node) => format!("process {} @{node}", op.process),
        None => format!("process {}", op.process),
    };
    let time = match (op.start_ms, op.end_ms) {
        (Some(start), Some(end)) => format!("{start:.3}..{end:.3} ms"),
        (Some(start), None) => format!("{start:.3}.. ms"),
        (None, _) => match op.index_complete {
            Some(end) => format!("index {}..{end}", op.index_invoke),
            None => format!("index {}..", op.index_invoke),
        },
    };
    let zxid = op.zxid.as_ref().map(|zxid| format!("zxid {zxid}")).unwrap_or_default();
    let known = if op.outcome == "ok" { String::new() } else { format!(" ({})", op.outcome) };
    [format!("#{}", op.index_invoke), place, format!("{}{known}", op.action()), time, zxid]
}
