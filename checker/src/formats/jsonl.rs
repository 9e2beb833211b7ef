//! Writer of `history.jsonl`: byte for byte what serde makes of each [`crate::Op`], from borrowed parts.
//!
//! (Its reader is [`History::parse`], since every run ends with one.)

use crate::formats::out::{Out, integer, unsigned};
use crate::history::{Event, History, Line, Shape, Stamps, Val, Values};

/// All lines.
pub(super) fn write(history: &History, out: &mut Out<'_>) -> std::io::Result<()> {
    for (event, what) in history.events() {
        match what {
            Event::Other(op) => serde_json::to_writer(&mut out.buffer, op)?,
            Event::Invoke(_) | Event::Complete(_) => {
                let mut line = what.line(event).expect("a call's line is a client's");
                // As a stamp of what the server had reached it would be a lie.
                line.zxid = line.zxid.filter(|_| history.stamps == Stamps::Reached);
                put_line(&mut out.buffer, &history.values, &line);
            }
        }
        out.end_line()?;
    }
    Ok(())
}

fn put_line(out: &mut Vec<u8>, values: &Values, line: &Line<'_>) {
    out.extend_from_slice(b"{\"index\":");
    unsigned(out, line.index);
    out.extend_from_slice(b",\"time\":");
    unsigned(out, line.time);
    out.extend_from_slice(b",\"process\":");
    integer(out, line.process);
    out.extend_from_slice(b",\"type\":\"");
    out.extend_from_slice(line.op_type.name().as_bytes());
    out.extend_from_slice(b"\",\"f\":");
    put_text(out, line.f);
    field(out, b",\"key\":", line.key);
    out.extend_from_slice(b",\"value\":");
    put_value(out, values, line.value);
    field(out, b",\"error\":", line.error);
    field(out, b",\"node\":", line.node);
    if let Some(zxid) = line.zxid {
        out.extend_from_slice(format!(",\"zxid\":\"{zxid:#x}\"").as_bytes());
    }
    if line.final_read {
        out.extend_from_slice(b",\"final\":true");
    }
    out.push(b'}');
}

fn field(out: &mut Vec<u8>, name: &[u8], text: Option<&str>) {
    if let Some(text) = text {
        out.extend_from_slice(name);
        put_text(out, text);
    }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    if text.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        serde_json::to_writer(out, text).expect("a text can always be written to memory");
        return;
    }
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

fn put_value(out: &mut Vec<u8>, values: &Values, value: Val) {
    match values.shape(value) {
        Shape::Nil => out.extend_from_slice(b"null"),
        Shape::Int(n) => integer(out, n),
        Shape::Bool(b) => out.extend_from_slice(if b { b"true" } else { b"false" }),
        Shape::Text(text) => put_text(out, text),
        Shape::List(items) => put_list(out, values, items),
        Shape::Pair(first, second) => put_list(out, values, &[first, second]),
        Shape::Other(value) => {
            serde_json::to_writer(out, value).expect("JSON can always be written to memory")
        }
    }
}

fn put_list(out: &mut Vec<u8>, values: &Values, items: &[Val]) {
    out.push(b'[');
    for (at, &item) in items.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        put_value(out, values, item);
    }
    out.push(b']');
}
