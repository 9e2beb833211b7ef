//! The writer of EDN: one map a line, as Jepsen's `history.edn`.

use std::io;

use serde_json::Value;

use super::{HEAD, completion_type};
use crate::formats::out::{Out, integer, unsigned};
use crate::history::{Event, History, Line, Op, Outcome, Process, Shape, Stamps, Val, Values};

/// All lines.
pub(in crate::formats) fn write(history: &History, out: &mut Out<'_>) -> io::Result<()> {
    write_head(history, out)?;
    for (event, what) in history.events() {
        put_line(history, event, &what, &mut out.buffer, |out, line| {
            put_field(out, ":f ", |out| put_text(out, line.f, Keywords::Bare));
            if let Some(key) = line.key {
                put_field(out, ":key ", |out| put_string(out, key));
            }
            put_field(out, ":value ", |out| put_operand(out, &history.values, line));
        });
        out.end_line()?;
    }
    Ok(())
}

/// A first line that says what the maps cannot.
pub(in crate::formats) fn write_head(history: &History, out: &mut Out<'_>) -> io::Result<()> {
    let stamps = match history.stamps {
        Stamps::Reached => "reached",
        Stamps::LastModified => "last-modified",
    };
    let (timed, explicit_cas) = (history.timed, history.explicit_cas);
    let head = format!("{HEAD} timed={timed} explicit-cas={explicit_cas} stamps={stamps}");
    out.buffer.extend_from_slice(head.as_bytes());
    out.end_line()
}

/// Puts the map of an event; what it does and on what, `middle` puts for a client.
pub(in crate::formats) fn put_line(
    history: &History,
    event: u32,
    what: &Event<'_>,
    out: &mut Vec<u8>,
    middle: impl Fn(&mut Vec<u8>, &Line<'_>),
) {
    if let Event::Other(op) = what {
        put_other(out, history, op);
        return;
    }
    let line = what.line(event).expect("a call's line is a client's");
    begin(out, history, line.index, line.time, Process::Client(line.process), line.op_type.name());
    middle(out, &line);
    end(out, line.error, line.node, line.zxid, line.final_read);
    if let Event::Complete(call) = what
        && call.outcome() == Outcome::Mismatch
    {
        put_field(out, ":mismatch true", |_| {});
    }
    out.push(b'}');
}

fn put_other(out: &mut Vec<u8>, history: &History, op: &Op) {
    begin(out, history, op.index, op.time, op.process, op.op_type.name());
    put_field(out, ":f ", |out| put_text(out, &op.f, Keywords::Bare));
    if let Some(key) = &op.key {
        put_field(out, ":key ", |out| put_string(out, key));
    }
    put_field(out, ":value ", |out| put_json(out, &op.value));
    end(out, op.error.as_deref(), op.node.as_deref(), op.zxid, op.final_read);
    out.push(b'}');
}

fn begin(out: &mut Vec<u8>, history: &History, index: u64, time: u64, process: Process, op_type: &str) {
    out.extend_from_slice(b"{:index ");
    unsigned(out, index);
    if history.timed {
        put_field(out, ":time ", |out| unsigned(out, time));
    }
    match process {
        Process::Client(process) => put_field(out, ":process ", |out| integer(out, process)),
        Process::Nemesis => put_field(out, ":process :nemesis", |_| {}),
    }
    put_field(out, ":type :", |out| out.extend_from_slice(op_type.as_bytes()));
}

fn end(out: &mut Vec<u8>, error: Option<&str>, node: Option<&str>, zxid: Option<u64>, final_read: bool) {
    if let Some(error) = error {
        put_field(out, ":error ", |out| put_text(out, error, Keywords::WithColon));
    }
    if let Some(node) = node {
        put_field(out, ":node ", |out| put_text(out, node, Keywords::WithColon));
    }
    if let Some(zxid) = zxid {
        put_field(out, ":zxid ", |out| out.extend_from_slice(format!("\"{zxid:#x}\"").as_bytes()));
    }
    if final_read {
        put_field(out, ":final true", |_| {});
    }
}

/// Puts a field behind others.
pub(in crate::formats) fn put_field(out: &mut Vec<u8>, name: &str, value: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(b", ");
    out.extend_from_slice(name.as_bytes());
    value(out);
}

/// Which texts are keywords.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::formats) enum Keywords {
    /// `read` is written `:read`.
    Bare,
    /// `:x` is written `:x`, and `x` is a string.
    WithColon,
}

/// Puts a text, as a keyword where that is how it was read.
pub(in crate::formats) fn put_text(out: &mut Vec<u8>, text: &str, keywords: Keywords) {
    let word = match keywords {
        Keywords::Bare => Some(text),
        Keywords::WithColon => text.strip_prefix(':'),
    };
    match word.filter(|word| is_symbol(word)) {
        Some(word) => {
            out.push(b':');
            out.extend_from_slice(word.as_bytes());
        }
        None => put_string(out, text),
    }
}

/// What may follow a colon, by the strictest reading of EDN.
fn is_symbol(word: &str) -> bool {
    let mut bytes = word.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"*+!-_?.".contains(&byte))
}

fn put_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    if text.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
        out.extend_from_slice(text.as_bytes());
    } else {
        for c in text.chars() {
            match c {
                '"' => out.extend_from_slice(b"\\\""),
                '\\' => out.extend_from_slice(b"\\\\"),
                '\n' => out.extend_from_slice(b"\\n"),
                '\r' => out.extend_from_slice(b"\\r"),
                '\t' => out.extend_from_slice(b"\\t"),
                '\0'..' ' => out.extend_from_slice(format!("\\u{:04x}", u32::from(c)).as_bytes()),
                _ => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
    }
    out.push(b'"');
}

/// Puts the value of a line.
pub(in crate::formats) fn put_operand(out: &mut Vec<u8>, values: &Values, line: &Line<'_>) {
    let timed_out = Shape::Text(":timed-out");
    if values.shape(line.value) == timed_out && completion_type(line.op_type, line.f, true) != line.op_type {
        // As a keyword it would mean that nobody knows what happened.
        put_string(out, ":timed-out");
    } else {
        put_value(out, values, line.value);
    }
}

/// Puts a value.
pub(in crate::formats) fn put_value(out: &mut Vec<u8>, values: &Values, value: Val) {
    match values.shape(value) {
        Shape::Nil => out.extend_from_slice(b"nil"),
        Shape::Int(n) => integer(out, n),
        Shape::Bool(b) => out.extend_from_slice(if b { b"true" } else { b"false" }),
        Shape::Text(text) => put_text(out, text, Keywords::WithColon),
        Shape::List(items) => put_items(out, items, |out, &item| put_value(out, values, item)),
        Shape::Pair(first, second) => {
            put_items(out, &[first, second], |out, &item| put_value(out, values, item))
        }
        Shape::Other(value) => put_json(out, value),
    }
}

fn put_items<T>(out: &mut Vec<u8>, items: &[T], put: impl Fn(&mut Vec<u8>, &T)) {
    out.push(b'[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        put(out, item);
    }
    out.push(b']');
}

fn put_json(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.extend_from_slice(b"nil"),
        Value::Bool(b) => out.extend_from_slice(if *b { b"true" } else { b"false" }),
        Value::Number(n) => {
            out.extend_from_slice(n.to_string().as_bytes());
            if n.as_i64().is_none() && n.is_u64() {
                out.push(b'N');
            }
        }
        Value::String(text) => put_text(out, text, Keywords::WithColon),
        Value::Array(items) => put_items(out, items, put_json),
        Value::Object(map) => {
            out.push(b'{');
            for (at, (key, value)) in map.iter().enumerate() {
                if at > 0 {
                    out.extend_from_slice(b", ");
                }
                put_text(out, key, Keywords::Bare);
                out.push(b' ');
                put_json(out, value);
            }
            out.push(b'}');
        }
    }
}
