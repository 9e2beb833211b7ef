//! Jepsen logs of one object: `INFO  jepsen.util - PROCESS :TYPE :F VALUE`, and maybe an error behind the value.
//!
//! Traps of the format: `:fail :read :timed-out` says nothing; `:fail :cas [a b]` says that the register did not
//! hold a, unless an error follows; an invocation without completion is pending for ever; after `:info` the worker
//! has a new process id; the initial value is nil. Lines of other loggers and of the nemesis are skipped.

use crate::CheckError;
use crate::formats::edn::{self, Keywords, put_operand, put_text};
use crate::formats::out::{Out, integer};
use crate::formats::{Format, WriteError, cannot};
use crate::history::{Builder, Event, History, Line, OpType, Outcome, PairRules, Process, Shape};

const LOGGER: &str = "jepsen.util";

/// Parses a whole log.
pub(super) fn parse(name: &str, text: &str) -> Result<History, CheckError> {
    let mut builder = Builder::new(PairRules { failed_cas_is_mismatch: true });
    let mut index = 0;
    for (number, line) in (1..).zip(text.lines()) {
        let Some(rest) = operation(line) else { continue };
        take(&mut builder, name, number, index, rest).map_err(|e| e.on_line(name, number))?;
        index += 1;
    }
    let mut history = builder.finish();
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

fn take(builder: &mut Builder, name: &str, line: u64, index: u64, rest: &str) -> Result<(), CheckError> {
    let error = |what: String| CheckError::Line { name: name.to_owned(), line, what };
    let mut left = rest;
    let mut word = || {
        let (word, rest) = left.split_once(char::is_whitespace).unwrap_or((left, ""));
        left = rest.trim_start();
        word
    };
    let (process, type_word, f) = (word(), word(), word());
    let process = process.parse().map_err(|e| error(format!("process {process:?} is no number: {e}")))?;
    let op_type = edn::op_type(type_word).ok_or_else(|| {
        error(format!("expected :invoke, :ok, :fail or :info after the process, not {type_word:?}"))
    })?;
    let f = f.strip_prefix(':').filter(|f| !f.is_empty());
    let f = f.ok_or_else(|| error("expected a function such as :read after the type".into()))?;
    let logged = edn::logged_value(name, line, left, f, builder.values())?;
    builder.line(&Line {
        index,
        time: 0,
        process,
        op_type: edn::completion_type(op_type, f, logged.timed_out),
        f,
        key: None,
        value: logged.value,
        error: Some(logged.rest).filter(|error| !error.is_empty()),
        node: None,
        zxid: None,
        final_read: false,
    })
}

/// Writes a log. The nemesis is in it for the eye; its lines are not read back.
pub(super) fn write(history: &History, out: &mut Out<'_>) -> Result<(), WriteError> {
    refuse(history)?;
    for (event, what) in history.events() {
        out.buffer.extend_from_slice(b"INFO  jepsen.util - ");
        match what {
            Event::Other(op) => {
                let process = if op.process == Process::Nemesis { ":nemesis" } else { ":other" };
                let value = op.value.to_string();
                let line = format!(
                    "{process}\t:{}\t:{}\t{value}",
                    op.op_type,
                    op.f.replace(char::is_whitespace, "-")
                );
                out.buffer.extend_from_slice(line.as_bytes());
            }
            Event::Invoke(call) | Event::Complete(call) => {
                let line = what.line(event).expect("a call's line is a client's");
                put_line(&mut out.buffer, history, &line, call.outcome() == Outcome::Mismatch);
            }
        }
        out.end_line()?;
    }
    Ok(())
}

fn put_line(out: &mut Vec<u8>, history: &History, line: &Line<'_>, mismatch: bool) {
    integer(out, line.process);
    out.extend_from_slice(b"\t:");
    out.extend_from_slice(line.op_type.name().as_bytes());
    out.push(b'\t');
    put_text(out, line.f, Keywords::Bare);
    out.push(b'\t');
    // With its value, the failure would be an observation.
    let says_nothing = line.op_type == OpType::Fail && line.f == "cas" && !mismatch;
    let error = line.error.filter(|error| is_loggable(error));
    if says_nothing && error.is_none() {
        out.extend_from_slice(b"nil");
    } else {
        put_operand(out, &history.values, line);
    }
    if let Some(error) = error {
        out.push(b'\t');
        out.extend_from_slice(error.as_bytes());
    }
}

/// An error that is read back as it is.
pub(super) fn is_loggable(error: &str) -> bool {
    !error.is_empty()
        && error.trim() == error
        && !error.contains(['\n', '\r'])
        && !error.starts_with([',', ';'])
}

/// What would be another history when read back.
fn refuse(history: &History) -> Result<(), WriteError> {
    let refused = |what: String| Err(cannot(Format::JepsenLog, what));
    let mut keys = history.ids().map(|id| history.call(id).key());
    let first = keys.next().flatten();
    if let Some(other) = keys.find(|&key| key != first) {
        let (first, other) = (first.unwrap_or("none"), other.unwrap_or("none"));
        return refused(format!(
            "it is of one object, and this is of several (keys {first:?} and {other:?})"
        ));
    }
    for call in history.ids().map(|id| history.call(id)) {
        let index = call.index_invoke();
        if call.process() < 0 {
            return refused(format!("process {} of index {index} is negative", call.process()));
        }
        let mut plain = Vec::new();
        put_text(&mut plain, call.f(), Keywords::Bare);
        if plain.first() != Some(&b':') {
            return refused(format!("the function {:?} of index {index} is no keyword", call.f()));
        }
        let old = history.values.as_pair(call.input()).map(|(old, _)| history.values.shape(old));
        if call.f() == "cas" && !history.explicit_cas && old == Some(Shape::Nil) {
            return refused(format!("the cas of index {index} does not say yet which value it replaces"));
        }
        if call.outcome() == Outcome::Mismatch && (call.f() != "cas" || call.error().is_some()) {
            return refused(format!("index {index} failed because of what it found, and is no plain cas"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "INFO  jepsen.core - noise\n\
                       INFO  jepsen.util - :nemesis\t:info\t:start\tnil\n\
                       INFO  jepsen.util - 0\t:invoke\t:read\tnil\n\
                       INFO  jepsen.util - 0\t:fail\t:read\t:timed-out\n\
                       INFO  jepsen.util - 1\t:invoke\t:cas\t[1 2]\n\
                       INFO  jepsen.util - 1\t:fail\t:cas\t[1 2]\n\
                       INFO  jepsen.util - 2\t:invoke\t:write\t3\n\
                       INFO  jepsen.util - 2\t:info\t:write\t:timed-out\n\
                       INFO  jepsen.util - 3\t:invoke\t:write\t4\n\
                       INFO  jepsen.util - 4\t:invoke\t:cas\t[1 2]\n\
                       INFO  jepsen.util - 4\t:fail\t:cas\t[1 2]\t[:connection \"refused\"]\n\
                       INFO  jepsen.util - 5\t:invoke\t:write\t9\n\
                       INFO  jepsen.util - 5\t:fail\t:write\t:timed-out\n";

    #[test]
    fn the_traps() {
        let history = parse("etcd.log", LOG).unwrap();
        let brief: Vec<_> = history.calls().map(|c| (c.process(), c.outcome(), c.ret())).collect();
        assert_eq!(
            brief,
            [
                (1, Outcome::Mismatch, 8),
                (2, Outcome::Info, crate::NEVER),
                (3, Outcome::Info, crate::NEVER),
                (5, Outcome::Info, crate::NEVER),
            ]
        );
        assert_eq!(history.call(4).error(), Some("[:connection \"refused\"]"));
    }

    #[test]
    fn a_log_is_written_as_it_was_read() {
        let history = parse("etcd.log", LOG).unwrap();
        let mut written = Vec::new();
        crate::formats::write(Format::JepsenLog, &history, &mut written).unwrap();
        let skipped: usize = LOG.lines().take(2).map(|line| line.len() + 1).sum();
        // What timed out is kept as what it means.
        let expected = LOG[skipped..].replace(":fail\t:write\t:timed-out", ":info\t:write\t:timed-out");
        assert_eq!(String::from_utf8(written).unwrap(), expected);
    }

    #[test]
    fn a_corrupt_line_is_named() {
        let good = "INFO  jepsen.util - 0\t:invoke\t:read\tnil\n";
        let error = |line: &str| parse("etcd.log", &format!("{good}{line}")).unwrap_err().to_string();
        assert!(
            error("INFO  jepsen.util - 0\t:okay\t:read\t1\n")
                .starts_with("etcd.log line 2: expected :invoke")
        );
        assert_eq!(
            error("INFO  jepsen.util - 1\t:ok\t:read\t1\n"),
            "etcd.log line 2: process 1 completes \"read\" (ok) without having invoked it"
        );
        assert!(
            error("INFO  jepsen.util - 0\t:ok\t:read\t[1\n").starts_with("etcd.log line 2: the file ends")
        );
        assert!(error("INFO  jepsen.util - 0\t:ok\n").contains("expected a function"));
    }

    #[test]
    fn what_is_no_log_is_refused() {
        let refused = |lines: &str| {
            let history = History::parse("h", lines.as_bytes()).unwrap();
            crate::formats::write(Format::JepsenLog, &history, &mut Vec::new()).unwrap_err().to_string()
        };
        let keys = "{\"index\":0,\"time\":1,\"process\":0,\"type\":\"invoke\",\"f\":\"read\",\"key\":\"a\"}\n\
                    {\"index\":1,\"time\":1,\"process\":1,\"type\":\"invoke\",\"f\":\"read\",\"key\":\"b\"}\n";
        assert!(refused(keys).contains("this is of several (keys \"a\" and \"b\")"), "{}", refused(keys));
        let cas =
            "{\"index\":0,\"time\":1,\"process\":0,\"type\":\"invoke\",\"f\":\"cas\",\"value\":[null,1]}\n";
        assert!(
            refused(cas).starts_with("Jepsen log cannot hold this history: the cas of index 0 does not say")
        );
    }
}
