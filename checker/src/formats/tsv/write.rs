//! The writer: one line a call, in order of invocation.

use super::{observes_when_failing, returns_something};
use crate::NEVER;
use crate::formats::edn::integer as parse_integer;
use crate::formats::out::{Out, integer, unsigned};
use crate::formats::{Format, WriteError, cannot};
use crate::history::{Call, History, Outcome, Shape, Stamps, Val, Values};

/// True when the times of clients' lines are in the order of the lines, so that they can stand for it.
pub(in crate::formats) fn own_times(history: &History) -> bool {
    let c = &history.columns;
    let mut times = vec![None; history.event_count() as usize];
    for at in 0..history.len() {
        times[c.invoked[at] as usize] = Some(c.time_invoked[at]);
        if c.ended[at] != NEVER {
            times[c.ended[at] as usize] = Some(c.time_ended[at]);
        }
    }
    history.timed && times.into_iter().flatten().is_sorted_by(|a, b| a < b)
}

/// All calls but those whose failure says nothing and would say something here.
pub(in crate::formats) fn write(history: &History, out: &mut Out<'_>) -> Result<(), WriteError> {
    let lists = history.ids().map(|id| history.call(id)).any(|call| {
        matches!(call.f(), "append" | "add")
            || (call.f() == "read" && is_list(&history.values, call.raw_output()))
    });
    let has = |f: &str| history.counts.by_f.contains_key(f);
    let model = match lists {
        true if has("add") => "set",
        true => "list",
        false if has("cas") => "casreg",
        false if has("deq") => "queue",
        false if has("inc") => "ctr",
        false if has("acq") => "mutex",
        false => "reg",
    };
    out.buffer.extend_from_slice(format!("# model={model}").as_bytes());
    out.end_line()?;
    let row = Row { history, lists, own_times: own_times(history) };
    for call in history.ids().map(|id| history.call(id)) {
        if call.outcome() == Outcome::Fail && observes_when_failing(call.f()) {
            continue;
        }
        row.put(&mut out.buffer, call)
            .map_err(|what| cannot(Format::Tsv, format!("{what} at index {}", call.index_invoke())))?;
        out.end_line()?;
    }
    Ok(())
}

fn is_list(values: &Values, value: Val) -> bool {
    matches!(values.shape(value), Shape::List(_))
}

struct Row<'h> {
    history: &'h History,
    /// Reads return lists.
    lists: bool,
    own_times: bool,
}

impl Row<'_> {
    fn put(&self, out: &mut Vec<u8>, call: Call<'_>) -> Result<(), String> {
        let c = &self.history.columns;
        let at = call.id() as usize;
        integer(out, call.process());
        out.push(b'\t');
        word(out, call.key().unwrap_or(""))?;
        out.push(b'\t');
        word(out, call.f())?;
        out.push(b'\t');
        let input = self.put_input(out, call)?;
        out.push(b'\t');
        let time = |time: u64, event: u32| if self.own_times { time } else { u64::from(event) };
        unsigned(out, time(c.time_invoked[at], c.invoked[at]));
        out.push(b'\t');
        match c.ended[at] {
            NEVER => out.push(b'-'),
            ended => unsigned(out, time(c.time_ended[at], ended)),
        }
        let status = match call.outcome() {
            Outcome::Ok => "\tok\t",
            Outcome::Fail | Outcome::Mismatch => "\tfail\t",
            Outcome::Info => "\tinfo\t",
        };
        out.extend_from_slice(status.as_bytes());
        if call.outcome() == Outcome::Mismatch && !observes_when_failing(call.f()) {
            return Err(format!("a {} failed because of what it found", call.f()));
        }
        self.put_output(out, call, input)?;
        out.push(b'\t');
        match call.zxid().filter(|_| self.history.stamps == Stamps::LastModified) {
            Some(rev) => unsigned(out, rev),
            None => out.push(b'-'),
        }
        Ok(())
    }

    /// `a` and `b`. Returns the input they say.
    fn put_input(&self, out: &mut Vec<u8>, call: Call<'_>) -> Result<Val, String> {
        let values = &self.history.values;
        if call.f() != "cas" {
            scalar(out, values, call.input(), "")?;
            out.push(b'\t');
            return Ok(call.input());
        }
        // One that took effect knows what it replaced, if it did not when it began.
        let ok = Some(call.raw_output()).filter(|_| call.is_ok());
        let known = ok.filter(|&output| values.as_pair(output).is_some()).unwrap_or(call.input());
        let Some((old, new)) = values.as_pair(known) else { return Err("a cas has no two values".into()) };
        if self.history.explicit_cas && !same(values, known, call.input()) {
            return Err("a cas replaced another value than it said".into());
        }
        if old.is_nil() && !self.history.explicit_cas && !call.is_ok() {
            return Err("it is not known which value a cas replaced".into());
        }
        scalar(out, values, old, "")?;
        out.push(b'\t');
        scalar(out, values, new, "")?;
        Ok(known)
    }

    fn put_output(&self, out: &mut Vec<u8>, call: Call<'_>, input: Val) -> Result<(), String> {
        let values = &self.history.values;
        let output = call.raw_output();
        let same = same(values, output, input);
        if self.history.columns.ended[call.id() as usize] == NEVER {
            return Ok(());
        }
        if call.is_ok() && call.f() == "read" && self.lists {
            return self.put_list(out, output);
        }
        if same && !returns_something(call.f()) {
            return Ok(());
        }
        if call.outcome() == Outcome::Mismatch && call.f() == "cas" {
            return Err("a refused cas returned something else".into());
        }
        scalar(out, values, output, "nil")
    }

    fn put_list(&self, out: &mut Vec<u8>, value: Val) -> Result<(), String> {
        let values = &self.history.values;
        match values.shape(value) {
            Shape::Nil => out.extend_from_slice(b"nil"),
            Shape::List(items) => {
                for (at, &item) in items.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    let start = out.len();
                    scalar(out, values, item, "nil")?;
                    if out[start..].contains(&b',') || (item.is_nil() && items.len() == 1) {
                        return Err(format!("the list {}", values.display(value)));
                    }
                }
            }
            Shape::Int(_) | Shape::Bool(_) | Shape::Text(_) | Shape::Pair(..) | Shape::Other(_) => {
                return Err(format!("a read of {} among reads of lists", values.display(value)));
            }
        }
        Ok(())
    }
}

/// Equal; pairs have no ids that would tell.
fn same(values: &Values, a: Val, b: Val) -> bool {
    a == b || values.as_pair(a).is_some_and(|pair| Some(pair) == values.as_pair(b))
}

fn word(out: &mut Vec<u8>, text: &str) -> Result<(), String> {
    if text.contains(['\t', '\n', '\r']) {
        return Err(format!("a tab or end of line in {text:?}"));
    }
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

/// An integer or text that is read back as such.
fn scalar(out: &mut Vec<u8>, values: &Values, value: Val, nil: &str) -> Result<(), String> {
    match values.shape(value) {
        Shape::Nil => out.extend_from_slice(nil.as_bytes()),
        Shape::Int(n) => integer(out, n),
        Shape::Text(text) if !matches!(text, "" | "nil") && parse_integer(text).is_none() => word(out, text)?,
        Shape::Text(_) | Shape::Bool(_) | Shape::List(_) | Shape::Pair(..) | Shape::Other(_) => {
            return Err(format!("the value {}", values.display(value)));
        }
    }
    Ok(())
}
