//! The reader: operations in order of their calls, each return put in where its time is.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::{COLUMNS, observes_when_failing, returns_something};
use crate::CheckError;
use crate::formats::edn::integer;
use crate::history::{Builder, History, Line, OpType, PairRules, Stamps, Val, Values};

/// Parses a whole file.
pub(in crate::formats) fn parse(name: &str, text: &str) -> Result<History, CheckError> {
    let lists = has_lists(text);
    // Files are nearly always in order of calls; of one that is not, all rows are collected and sorted.
    let mut merge = Merge::new(name, lists);
    merge.builder.reserve(memchr::memchr_iter(b'\n', text.as_bytes()).count());
    let merged = match merge.all(rows(name, text)) {
        Err(Stop::NotInOrder) => {
            let mut sorted = rows(name, text).collect::<Result<Vec<_>, _>>()?;
            sorted.sort_by_key(|row| row.call);
            Merge::new(name, lists).all(sorted.into_iter().map(Ok))
        }
        merged => merged,
    };
    match merged {
        Ok(history) => Ok(history),
        Err(Stop::Error(error)) => Err(error),
        Err(Stop::NotInOrder) => unreachable!("rows were sorted"),
    }
}

/// What reads return: lists, or one value.
fn has_lists(text: &str) -> bool {
    let header = text.lines().take_while(|line| line.starts_with('#'));
    let mut words = header.flat_map(|line| line[1..].split_ascii_whitespace());
    match words.find_map(|word| word.strip_prefix("model=")) {
        Some(model) => matches!(model, "list" | "set"),
        None => ["\tappend\t", "\tadd\t"]
            .iter()
            .any(|op| memchr::memmem::find(text.as_bytes(), op.as_bytes()).is_some()),
    }
}

/// One line.
struct Row<'a> {
    line: u64,
    process: i64,
    key: Option<&'a str>,
    f: &'a str,
    a: &'a str,
    b: &'a str,
    call: u64,
    ret: Option<u64>,
    status: OpType,
    out: &'a str,
    rev: Option<u64>,
}

fn rows<'a>(name: &'a str, text: &'a str) -> impl Iterator<Item = Result<Row<'a>, CheckError>> {
    let mut rest = text;
    let mut line = 0;
    std::iter::from_fn(move || {
        loop {
            if rest.is_empty() {
                return None;
            }
            line += 1;
            let end = memchr::memchr(b'\n', rest.as_bytes());
            let (this, next) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
            rest = next;
            let this = this.trim_end_matches(['\n', '\r']);
            if !this.is_empty() && !this.starts_with('#') {
                let error = |what| CheckError::Line { name: name.to_owned(), line, what };
                return Some(Row::parse(line, this).map_err(error));
            }
        }
    })
}

impl<'a> Row<'a> {
    fn parse(line: u64, text: &'a str) -> Result<Self, String> {
        let mut columns = [""; COLUMNS];
        let (mut found, mut start) = (0, 0);
        // Columns are a few bytes each: to look at every byte is the quickest.
        for (end, byte) in text.bytes().chain([b'\t']).enumerate() {
            if byte == b'\t' {
                if let Some(column) = columns.get_mut(found) {
                    *column = &text[start..end];
                }
                found += 1;
                start = end + 1;
            }
        }
        if found != COLUMNS {
            return Err(format!("expected {COLUMNS} tab-separated columns, found {found}"));
        }
        let [process, key, f, a, b, call, ret, status, out, rev] = columns;
        let status = match status {
            "ok" => OpType::Ok,
            "fail" => OpType::Fail,
            "info" => OpType::Info,
            other => return Err(format!("status {other:?} is none of ok, fail, info")),
        };
        let row = Self {
            line,
            process: integer(process).ok_or_else(|| format!("process {process:?} is no number"))?,
            key: Some(key).filter(|key| !key.is_empty()),
            f,
            a,
            b,
            call: unsigned(call).ok_or_else(|| format!("call {call:?} is no time in nanoseconds"))?,
            ret: optional(ret).ok_or_else(|| format!("ret {ret:?} is no time in nanoseconds, nor -"))?,
            status,
            out,
            rev: optional(rev).ok_or_else(|| format!("rev {rev:?} is no number of a modification, nor -"))?,
        };
        if status != OpType::Info && row.ret.is_none() {
            return Err(format!("ret is missing, though its status is {status}"));
        }
        if row.ret.is_some_and(|ret| ret <= row.call) {
            return Err(format!("ret {ret:?} must come after call {call:?}"));
        }
        if f != "cas" && !b.is_empty() {
            return Err(format!("b is {b:?}, though only a cas has a second value"));
        }
        Ok(row)
    }

    fn input(&self, values: &mut Values) -> Val {
        if self.f == "cas" {
            let (old, new) = (scalar(values, self.a), scalar(values, self.b));
            return values.pair(old, new);
        }
        scalar(values, self.a)
    }

    fn output(&self, values: &mut Values, input: Val, lists: bool) -> Val {
        if self.out.is_empty() && !returns_something(self.f) {
            input
        } else if lists && self.f == "read" && self.status == OpType::Ok {
            list(values, self.out)
        } else {
            scalar(values, self.out)
        }
    }
}

fn unsigned(text: &str) -> Option<u64> {
    let plain = text.as_bytes().first().is_some_and(u8::is_ascii_digit);
    match integer(text) {
        Some(n) if plain => u64::try_from(n).ok(),
        _ => text.parse().ok(),
    }
}

/// A number, or none where there is a dash.
#[expect(clippy::option_option, reason = "neither, a dash, a number")]
fn optional(text: &str) -> Option<Option<u64>> {
    if text == "-" { Some(None) } else { unsigned(text).map(Some) }
}

fn scalar(values: &mut Values, text: &str) -> Val {
    match text {
        "" | "nil" => Val::NIL,
        _ => match integer(text) {
            Some(n) => values.int(n),
            None => values.text(text),
        },
    }
}

fn list(values: &mut Values, text: &str) -> Val {
    match text {
        "nil" => Val::NIL,
        "" => values.list(&[]),
        _ => {
            let items: Vec<Val> = text.split(',').map(|item| scalar(values, item)).collect();
            values.list(&items)
        }
    }
}

/// Why merging stopped.
enum Stop {
    /// A row was called before the one before it.
    NotInOrder,
    Error(CheckError),
}

/// A return that is not yet due.
struct Pending<'a> {
    line: u64,
    id: u32,
    process: i64,
    key: Option<&'a str>,
    f: &'a str,
    output: Val,
    status: OpType,
    rev: Option<u64>,
}

/// Makes lines of rows. As many operations are open at once as there are clients, so the heap is small.
struct Merge<'a> {
    name: &'a str,
    lists: bool,
    builder: Builder,
    rows: u64,
    events: u64,
    last_call: u64,
    /// Times of returns, and which of `pending`. At equal times in order of the rows.
    due: BinaryHeap<Reverse<(u64, u32, usize)>>,
    pending: Vec<Option<Pending<'a>>>,
    free: Vec<usize>,
}

impl<'a> Merge<'a> {
    fn new(name: &'a str, lists: bool) -> Self {
        Self {
            name,
            lists,
            builder: Builder::new(PairRules { failed_cas_is_mismatch: true }),
            rows: 0,
            events: 0,
            last_call: 0,
            due: BinaryHeap::new(),
            pending: Vec::new(),
            free: Vec::new(),
        }
    }

    fn all(mut self, rows: impl Iterator<Item = Result<Row<'a>, CheckError>>) -> Result<History, Stop> {
        for row in rows {
            let row = row.map_err(Stop::Error)?;
            if row.call < self.last_call {
                return Err(Stop::NotInOrder);
            }
            self.last_call = row.call;
            self.returns(row.call).map_err(Stop::Error)?;
            self.call(&row).map_err(Stop::Error)?;
        }
        self.returns(u64::MAX).map_err(Stop::Error)?;
        let mut history = self.builder.finish();
        history.lines = self.rows;
        history.explicit_cas = true;
        history.timed = true;
        history.stamps = Stamps::LastModified;
        Ok(history)
    }

    fn call(&mut self, row: &Row<'a>) -> Result<(), CheckError> {
        let values = self.builder.values();
        let input = row.input(values);
        let output = row.output(values, input, self.lists);
        self.line(row.line, row.call, row.process, OpType::Invoke, (row.f, row.key), input, None)?;
        let id = u32::try_from(self.rows).expect("the builder takes fewer than 2^31 lines");
        self.rows += 1;
        if let Some(ret) = row.ret {
            let (line, process, key, f, status, rev) =
                (row.line, row.process, row.key, row.f, row.status, row.rev);
            let pending = Pending { line, id, process, key, f, output, status, rev };
            let place = self.free.pop().unwrap_or_else(|| {
                self.pending.push(None);
                self.pending.len() - 1
            });
            self.pending[place] = Some(pending);
            self.due.push(Reverse((ret, id, place)));
        }
        Ok(())
    }

    /// All returns before `time`; at the end of time, all.
    fn returns(&mut self, time: u64) -> Result<(), CheckError> {
        while let Some(&Reverse((ret, _, place))) = self.due.peek()
            && (ret < time || time == u64::MAX)
        {
            self.due.pop();
            self.free.push(place);
            let pending = self.pending[place].take().expect("a time in the heap has its return");
            let Pending { line, id, process, key, f, output, status, rev } = pending;
            self.line(line, ret, process, status, (f, key), output, rev)?;
            if status == OpType::Fail && observes_when_failing(f) {
                self.builder.mark_mismatch(id);
            }
        }
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "they are the columns")]
    fn line(
        &mut self,
        line: u64,
        time: u64,
        process: i64,
        op_type: OpType,
        (f, key): (&str, Option<&str>),
        value: Val,
        zxid: Option<u64>,
    ) -> Result<(), CheckError> {
        let index = self.events;
        self.events += 1;
        let line_of = Line {
            index,
            time,
            process,
            op_type,
            f,
            key,
            value,
            error: None,
            node: None,
            zxid,
            final_read: false,
        };
        self.builder.line(&line_of).map_err(|e| {
            if matches!(e, CheckError::Pairing { .. }) {
                let what =
                    format!("process {process} calls {f} at {time}, before its last operation returned");
                return CheckError::Line { name: self.name.to_owned(), line, what };
            }
            e
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NEVER;
    use crate::history::Outcome;
    use serde_json::json;

    #[test]
    fn ties_make_nothing_precede() {
        let text = "# model=reg\n0\tk0\twrite\t1\t\t10\t20\tok\t\t1\n1\tk0\tread\t\t\t20\t30\tok\tnil\t0\n\
                    2\tk0\tcas\t1\t2\t40\t50\tfail\t\t1\n3\tk0\twrite\t5\t\t41\t-\tinfo\t\t-\n";
        let history = parse("x.tsv", text).unwrap();
        let brief: Vec<_> = history.calls().map(|c| (c.call(), c.ret(), c.outcome(), c.zxid())).collect();
        assert_eq!(
            brief,
            [
                (2, 6, Outcome::Ok, Some(1)),
                (4, 8, Outcome::Ok, Some(0)),
                (10, 14, Outcome::Mismatch, Some(1)),
                (12, NEVER, Outcome::Info, None),
            ]
        );
        assert_eq!(history.call(0).output_json(), Some(json!(1)), "a write returns what it wrote");
        assert!(history.explicit_cas && history.timed && history.stamps == Stamps::LastModified);
        assert_eq!(history.lines, 4);
    }

    #[test]
    fn rows_need_not_be_in_order_of_calls() {
        let text = "0\tk\twrite\t1\t\t10\t20\tok\t\t1\n1\tk\tread\t\t\t5\t30\tok\t1\t1\n";
        let history = parse("x.tsv", text).unwrap();
        let brief: Vec<_> = history.calls().map(|c| (c.process(), c.call(), c.ret())).collect();
        assert_eq!(brief, [(1, 2, 8), (0, 4, 6)]);
    }

    #[test]
    fn values_of_every_model() {
        let outputs = |text: &str| -> Vec<_> {
            parse("x", text).unwrap().calls().map(|c| (c.outcome(), c.output_json())).collect()
        };
        let list = "0\tk\tappend\t7\t\t1\t2\tok\t\t1\n0\tk\tread\t\t\t3\t4\tok\t7\t1\n0\tk\tread\t\t\t5\t6\tok\t7,8\t1\n\
                    0\tl\tread\t\t\t7\t8\tok\t\t0\n";
        assert_eq!(
            outputs(list)[1..].iter().map(|o| o.1.clone().unwrap()).collect::<Vec<_>>(),
            [json!([7]), json!([7, 8]), json!([])]
        );
        assert_eq!(
            outputs("# model=reg x\n# y\n0\tk\tread\t\t\t3\t4\tok\t7,8\t1\n")[0].1,
            Some(json!("7,8"))
        );
        assert_eq!(outputs("# model=set\n0\tk\tread\t\t\t3\t4\tok\t\t1\n")[0].1, Some(json!([])));
        let mutex =
            "0\tm\tacq\t\t\t1\t2\tok\t\t1\n1\tm\tacq\t\t\t3\t4\tfail\t\t1\n1\tm\trel\t\t\t5\t-\tinfo\t\t-\n";
        assert_eq!(
            outputs(mutex),
            [(Outcome::Ok, Some(json!(null))), (Outcome::Mismatch, Some(json!(null))), (Outcome::Info, None)]
        );
        let queue =
            "0\tq\tenq\t4\t\t1\t2\tok\t\t1\n1\tq\tdeq\t\t\t3\t4\tok\t4\t1\n1\tq\tdeq\t\t\t5\t6\tok\tnil\t1\n";
        assert_eq!(
            outputs(queue).iter().map(|o| o.1.clone().unwrap()).collect::<Vec<_>>(),
            [json!(4), json!(4), json!(null)]
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        let error = |text| parse("x.tsv", text).unwrap_err().to_string();
        assert_eq!(error("# c\n1\t2\n"), "x.tsv line 2: expected 10 tab-separated columns, found 2");
        assert!(error("0\tk\tread\t\t\t9\t3\tok\t1\t0\n").contains("must come after"));
        assert!(error("0\tk\tread\t\t\t9\t-\tok\t1\t0\n").contains("ret is missing"));
        assert!(error("0\tk\tread\t\t\tx\t10\tok\t1\t0\n").contains("call \"x\" is no time"));
        assert!(error("0\tk\tread\t\t\t1\t10\tyes\t1\t0\n").contains("status \"yes\" is none"));
        assert!(error("0\tk\tread\t\t2\t1\t10\tok\t1\t0\n").contains("only a cas"));
        assert!(error("0\tk\tread\t\t\t1\t10\tok\t1\tr\n").contains("rev \"r\""));
        assert_eq!(
            error("0\tk\tread\t\t\t1\t10\tok\t1\t0\n0\tk\tread\t\t\t5\t12\tok\t1\t0\n"),
            "x.tsv line 2: process 0 calls read at 5, before its last operation returned"
        );
    }
}
