//! Jepsen logs of a compare-and-set register: `INFO  jepsen.util - PROCESS :TYPE :F VALUE`.
//!
//! Traps of the format: `:fail :read :timed-out` says nothing; `:fail :cas [a b]` says that the
//! register did not hold a; an invocation without completion is pending for ever; after `:info` the
//! worker has a new process id; the initial value is nil. Lines of other loggers and of the nemesis
//! are skipped.

use serde_json::Value;

use crate::CheckError;
use crate::formats::edn;
use crate::history::{History, Op, PairRules, Process, pair};

const LOGGER: &str = "jepsen.util";

/// Parses a whole log.
pub(super) fn parse(name: &str, text: &str) -> Result<History, CheckError> {
    let mut ops = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if let Some(rest) = operation(line) {
            ops.push(op(name, number, ops.len() as u64, rest)?);
        }
    }
    let rules = PairRules { failed_cas_is_mismatch: true };
    let mut history = pair(ops.into_iter().map(Ok), rules)?;
    history.explicit_cas = true;
    Ok(history)
}

/// True for a line that records an operation of a client.
pub(super) fn is_operation(line: &str) -> bool {
    operation(line).is_some()
}

/// What follows the logger's name, if it begins with a process number.
fn operation(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once(LOGGER)?;
    let rest = rest.trim_start_matches([' ', '\t', '-', ':']);
    rest.starts_with(|c: char| c.is_ascii_digit()).then_some(rest)
}

fn op(name: &str, line: u64, index: u64, rest: &str) -> Result<Op, CheckError> {
    let error = |what: String| CheckError::Line { name: name.to_owned(), line, what };
    let mut left = rest;
    let mut word = || {
        let (word, rest) = left.split_once(char::is_whitespace).unwrap_or((left, ""));
        left = rest.trim_start();
        word
    };
    let (process, type_word, f) = (word(), word(), word());
    let value = left.trim_end();
    let process = process.parse().map_err(|e| error(format!("process {process:?} is no number: {e}")))?;
    let op_type = edn::op_type(type_word).ok_or_else(|| {
        error(format!("expected :invoke, :ok, :fail or :info after the process, not {type_word:?}"))
    })?;
    let f = f.strip_prefix(':').filter(|f| !f.is_empty());
    let f = f.ok_or_else(|| error("expected a function such as :read after the type".into()))?;
    let value = if value.is_empty() { Value::Null } else { edn::value(name, line, value)? };
    let op_type = edn::completion_type(op_type, f, &value);
    Ok(Op { value, ..Op::new(index, 0, Process::Client(process), op_type, f) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Outcome;

    #[test]
    fn the_traps() {
        let log = "INFO  jepsen.core - noise\n\
                   INFO  jepsen.util - :nemesis\t:info\t:start\tnil\n\
                   INFO  jepsen.util - 0\t:invoke\t:read\tnil\n\
                   INFO  jepsen.util - 0\t:fail\t:read\t:timed-out\n\
                   INFO  jepsen.util - 1\t:invoke\t:cas\t[1 2]\n\
                   INFO  jepsen.util - 1\t:fail\t:cas\t[1 2]\n\
                   INFO  jepsen.util - 2\t:invoke\t:write\t3\n\
                   INFO  jepsen.util - 2\t:info\t:write\t:timed-out\n\
                   INFO  jepsen.util - 3\t:invoke\t:write\t4\n";
        let history = parse("etcd.log", log).unwrap();
        let brief: Vec<_> = history.calls.iter().map(|c| (c.process, c.outcome, c.ret)).collect();
        assert_eq!(
            brief,
            [(1, Outcome::Mismatch, Some(3)), (2, Outcome::Info, None), (3, Outcome::Info, None)]
        );
    }

    #[test]
    fn a_corrupt_line_is_named() {
        let error = parse(
            "etcd.log",
            "INFO  jepsen.util - 0\t:invoke\t:read\tnil\nINFO  jepsen.util - 0\t:okay\t:read\t1\n",
        );
        assert!(error.unwrap_err().to_string().starts_with("etcd.log line 2: expected :invoke"));
    }
}
