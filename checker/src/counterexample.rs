//! A counterexample: a handful of operations that cannot all be true, and one sentence that says why.
//! Data and its text rendering only; the check that found it picks the operations.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

pub(crate) use crate::class::Class;
use crate::history::{Call, Outcome};
use crate::objects::Function;

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
    /// Takes from a call what a reader needs.
    #[must_use]
    pub fn new(call: Call<'_>) -> Self {
        let timed = call.history().timed;
        Self {
            index_invoke: call.index_invoke(),
            index_complete: call.index_complete(),
            process: call.process(),
            node: call.node().map(str::to_owned),
            f: call.f().to_owned(),
            value: shown_value(call),
            outcome: call.outcome().to_string(),
            start_ms: timed.then(|| millis(call.time_invoke())),
            end_ms: call.time_complete().filter(|_| timed).map(millis),
            zxid: call.zxid().map(|zxid| format!("{zxid:#x}")),
        }
    }

    /// Such as `read -> 7` or `cas 3 -> 4`.
    #[must_use]
    pub fn action(&self) -> String {
        let show = |value: &Value| if value.is_null() { "nil".to_owned() } else { value.to_string() };
        match (self.f.as_str(), self.value.as_array().map(Vec::as_slice)) {
            ("cas", Some([old, new])) => format!("cas {} -> {}", show(old), show(new)),
            (f, _) if observes(f) => format!("{f} -> {}", show(&self.value)),
            (f, _) if self.value.is_null() => f.to_owned(),
            (f, _) => format!("{f} {}", show(&self.value)),
        }
    }
}

/// Functions whose result is what matters.
fn observes(f: &str) -> bool {
    let function = Function::named(f);
    function.only_observes() || function == Function::DEQUEUE
}

/// The completion's value where it says more than the invocation's.
pub(crate) fn shown_value(call: Call<'_>) -> Value {
    let tells = |output: &Value| match call.f() {
        "cas" => output.is_array() && call.outcome() != Outcome::Mismatch,
        f => observes(f),
    };
    call.output_json().filter(tells).unwrap_or_else(|| call.input_json())
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
    /// `index` of the line with which the contradiction is complete: up to there the history is not
    /// linearizable.
    pub first_bad_index: u64,
    /// True when dropping any operation that may be dropped makes the rest linearizable.
    pub minimal: bool,
    /// Faults that were active between the first of these operations and the last, as the history has them.
    pub faults: Vec<String>,
    /// All operations of the contradiction, as calls of the history: what a certificate needs.
    #[serde(skip)]
    pub core: Vec<u32>,
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
        for fault in &self.faults {
            writeln!(f, "  at that time: {fault}")?;
        }
        let minimal = if self.minimal { "" } else { " (not proven minimal)" };
        write!(f, "  the contradiction is complete with index {}{minimal}", self.first_bad_index)
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
