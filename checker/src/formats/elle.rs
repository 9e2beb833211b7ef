//! Transactions as Elle takes them: `{:type :ok, :f :txn, :value [[:append 3 1] [:r 4 [1 2]]]}`.
//!
//! An `append`, `read` or `write` of a key is a transaction of one operation, and is read back as that (by
//! [`edn::parse`]). A `txn` of several keeps its name and its value, so that nothing takes it for an operation on
//! one object: it needs a checker of transactions.

use crate::formats::edn::{self, Keywords, SINGLES, put_field, put_operand, put_text, put_value};
use crate::formats::out::{Out, integer};
use crate::formats::{Format, WriteError, cannot};
use crate::history::{History, Line, Outcome, Values};

/// The function of a transaction.
const TXN: &str = "txn";

/// All lines.
pub(super) fn write(history: &History, out: &mut Out<'_>) -> Result<(), WriteError> {
    if let Some(call) = history.ids().map(|id| history.call(id)).find(|call| {
        call.f() != TXN
            && (micro(call.f()).is_none() || (call.key().is_none() && !has_empty_key(history, call.id())))
    }) {
        let (index, f) = (call.index_invoke(), call.f());
        let what = if micro(f).is_some() {
            format!("the {f} of index {index} has no key")
        } else {
            format!("it is made of append, read and write of a key and of txn, and index {index} is a {f:?}")
        };
        return Err(cannot(Format::Elle, what));
    }
    if let Some(call) = history.ids().map(|id| history.call(id)).find(|c| c.outcome() == Outcome::Mismatch) {
        let what = format!("index {} failed because of what it found", call.index_invoke());
        return Err(cannot(Format::Elle, what));
    }
    edn::write_head(history, out)?;
    for (event, what) in history.events() {
        edn::put_line(history, event, &what, &mut out.buffer, |out, line| {
            put_txn(out, &history.values, line)
        });
        out.end_line()?;
    }
    Ok(())
}

/// The keyword of an operation within a transaction.
fn micro(f: &str) -> Option<&'static str> {
    SINGLES.iter().find(|(_, name)| *name == f).map(|(keyword, _)| *keyword)
}

/// The empty text is a key as well, if an odd one.
fn has_empty_key(history: &History, id: u32) -> bool {
    let event = history.columns.invoked[id as usize];
    crate::history::odd::Odd::find(&history.odd, event).is_some_and(|odd| odd.key.is_some())
}

fn put_txn(out: &mut Vec<u8>, values: &Values, line: &Line<'_>) {
    put_field(out, ":f :txn", |_| {});
    put_field(out, ":value ", |out| match (micro(line.f), line.key) {
        (Some(keyword), Some(key)) => {
            out.extend_from_slice(b"[[");
            out.extend_from_slice(keyword.as_bytes());
            out.push(b' ');
            match key.parse::<i64>().ok().filter(|n| n.to_string() == key) {
                Some(n) => integer(out, n),
                None => put_text(out, key, Keywords::WithColon),
            }
            out.push(b' ');
            put_value(out, values, line.value);
            out.extend_from_slice(b"]]");
        }
        // A completion that does not repeat its key, or a transaction of several operations.
        (Some(_), None) | (None, _) => put_operand(out, values, line),
    });
    if micro(line.f).is_none()
        && let Some(key) = line.key
    {
        put_field(out, ":key ", |out| put_text(out, key, Keywords::WithColon));
    }
}
