//! A whole history in columns, one entry a call, in order of invocation.

use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde_json::Value;

use crate::history::odd::Odd;
use crate::history::{Builder, Line, Names, Op, OpType, PairRules, Process, Val, Values, lines};
use crate::stats::Counts;
use crate::{CheckError, NEVER, Position};

/// How a call ended, as far as a checker is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It took effect between `call` and `ret`.
    Ok,
    /// It may take effect at any time after `call`, or never.
    Info,
    /// It had no effect, and says nothing.
    Fail,
    /// It had no effect *because of the state it found*, between `call` and `ret`: a compare-and-set whose
    /// value differed, a lock that was held. Only formats that say so produce it
    /// ([`PairRules::failed_cas_is_mismatch`]).
    Mismatch,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::Info => "info",
            Self::Fail => "fail",
            Self::Mismatch => "mismatch",
        })
    }
}

/// What the zxid of a call says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Stamps {
    /// What the server had reached when it replied: the zxid of a reply header, as in `history.jsonl`.
    #[default]
    Reached,
    /// The last modification of the object: its own for an update, the one it saw for a read or a refused
    /// compare-and-set (`mzxid`). 0: never modified.
    LastModified,
}

/// No zxid. A server never reaches it.
pub(crate) const NO_ZXID: u64 = u64::MAX;

/// The columns: entry `n` of each belongs to call `n`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Columns {
    pub(crate) process: Vec<i64>,
    /// Name of the function.
    pub(crate) f: Vec<u32>,
    /// Name of the key; 0: none.
    pub(crate) key: Vec<u32>,
    pub(crate) input: Vec<Val>,
    /// Value of the completion; null if there was none.
    pub(crate) output: Vec<Val>,
    pub(crate) outcome: Vec<Outcome>,
    /// Event of the invocation: lines are counted from 0, those of the nemesis too.
    pub(crate) invoked: Vec<u32>,
    /// Event of the completion, also of an `info` one; [`NEVER`] without any.
    pub(crate) ended: Vec<u32>,
    pub(crate) time_invoked: Vec<u64>,
    pub(crate) time_ended: Vec<u64>,
    /// Name of the node; 0: none.
    pub(crate) node: Vec<u32>,
    pub(crate) zxid: Vec<u64>,
    /// Name of the error; 0: none.
    pub(crate) error: Vec<u32>,
    pub(crate) final_read: Vec<bool>,
}

impl Columns {
    /// Room for so many more calls.
    pub(crate) fn reserve(&mut self, calls: usize) {
        self.process.reserve(calls);
        [&mut self.f, &mut self.key, &mut self.invoked, &mut self.ended, &mut self.node, &mut self.error]
            .into_iter()
            .for_each(|column| column.reserve(calls));
        [&mut self.input, &mut self.output].into_iter().for_each(|column| column.reserve(calls));
        [&mut self.time_invoked, &mut self.time_ended, &mut self.zxid]
            .into_iter()
            .for_each(|column| column.reserve(calls));
        self.outcome.reserve(calls);
        self.final_read.reserve(calls);
    }
}

/// A history with its lines paired.
#[derive(Debug, Clone, Default)]
pub struct History {
    pub(crate) columns: Columns,
    /// Values that occur in it.
    pub values: Values,
    /// Names that occur in it: functions, keys, nodes, errors.
    pub names: Names,
    /// Lines that are no client's, with their events.
    pub others: Vec<(u32, Op)>,
    /// Lines by function and type.
    pub counts: Counts,
    /// True when the last line of the file was cut off (the tool died while writing it).
    pub truncated: bool,
    /// True when a `cas` invokes with the old value it expects; false (as in `history.jsonl`) when it
    /// may invoke with `[null,new]` because it learns the old value on the way.
    pub explicit_cas: bool,
    /// Number of lines read, nemesis lines included.
    pub lines: u64,
    /// False when the source carries no clock: times are then meaningless and not shown.
    pub timed: bool,
    /// What the zxids of its calls say.
    pub stamps: Stamps,
    /// `index` of each event, where that is not its number.
    pub(crate) indices: Option<Vec<u64>>,
    /// Lines that said something their call's row has no place for, by event.
    pub(crate) odd: Vec<Odd>,
}

/// One operation from invocation to completion: a row of the history.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    history: &'a History,
    id: u32,
}

/// One line of a history: what happened at an event.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// A call was invoked.
    Invoke(Call<'a>),
    /// A call completed.
    Complete(Call<'a>),
    /// The nemesis did something.
    Other(&'a Op),
}

impl History {
    /// Pairs ops that are already in memory.
    ///
    /// # Errors
    /// When lines do not fit together (see [`Builder::line`]).
    pub fn from_ops(ops: Vec<Op>) -> Result<Self, CheckError> {
        let mut builder = Builder::new(PairRules::default());
        for op in ops {
            builder.op(op)?;
        }
        let mut history = builder.finish();
        history.timed = true;
        Ok(history)
    }

    /// Reads a `history.jsonl` from any source; `name` is what errors call it.
    ///
    /// # Errors
    /// On a corrupt line (with its number), or lines that do not fit together. A last line that was
    /// cut off is no error: it sets [`History::truncated`].
    pub fn parse(name: &str, source: impl BufRead) -> Result<Self, CheckError> {
        lines::read_history(name, source)
    }

    /// Reads the `history.jsonl` at `path`.
    ///
    /// # Errors
    /// As [`History::parse`], and when the file cannot be opened.
    pub fn open(path: &Path) -> Result<Self, CheckError> {
        let file = File::open(path).map_err(|source| CheckError::Io { path: path.into(), source })?;
        let name =
            path.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into());
        Self::parse(&name, BufReader::new(file))
    }

    /// Number of calls, failed ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.columns.process.len()
    }

    /// True when no client did anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A call, by its place in order of invocation.
    #[must_use]
    pub fn call(&self, id: u32) -> Call<'_> {
        Call { history: self, id }
    }

    /// All calls that may have had an effect or observed something: all but those that failed.
    pub fn calls(&self) -> impl Iterator<Item = Call<'_>> {
        self.ids().map(|id| self.call(id)).filter(|call| call.outcome() != Outcome::Fail)
    }

    /// The ids of all calls, failed ones included.
    pub(crate) fn ids(&self) -> std::ops::Range<u32> {
        0..u32::try_from(self.len()).expect("a history has fewer than 2^31 events")
    }

    /// How many events there are: lines of clients and of others.
    pub(crate) fn event_count(&self) -> u32 {
        let ended = self.columns.ended.iter().filter(|&&ended| ended != NEVER).max();
        let others = self.others.last().map(|(event, _)| event);
        let last = ended.max(self.columns.invoked.last()).max(others);
        last.map_or(0, |last| last + 1)
    }

    /// All lines, in their order.
    pub fn events(&self) -> impl Iterator<Item = (u32, Event<'_>)> {
        // Every event belongs to one call or to no client, so a place for each sorts them.
        const OTHER: u32 = u32::MAX;
        let mut places = vec![OTHER; self.event_count() as usize];
        for id in self.ids() {
            let (invoked, ended) = (self.columns.invoked[id as usize], self.columns.ended[id as usize]);
            places[invoked as usize] = id << 1;
            if ended != NEVER {
                places[ended as usize] = id << 1 | 1;
            }
        }
        let mut others = self.others.iter();
        (0..).zip(places).filter_map(move |(event, place)| {
            Some((
                event,
                match place {
                    OTHER => Event::Other(&others.next()?.1),
                    _ if place & 1 == 0 => Event::Invoke(self.call(place >> 1)),
                    _ => Event::Complete(self.call(place >> 1)),
                },
            ))
        })
    }

    /// The `index` of an event.
    #[must_use]
    pub fn index_of(&self, event: u32) -> u64 {
        match &self.indices {
            Some(indices) => indices.get(event as usize).copied().unwrap_or_else(|| u64::from(event)),
            None => u64::from(event),
        }
    }

    /// True when any call carries a zxid.
    #[must_use]
    pub fn has_zxids(&self) -> bool {
        self.columns.zxid.iter().any(|&zxid| zxid != NO_ZXID)
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        // 65 bytes a call in columns.
        self.columns.process.capacity() * 65
            + self.indices.as_ref().map_or(0, Vec::capacity) * 8
            + self.odd.capacity() * size_of::<Odd>()
            + self.values.heap_bytes()
    }
}

impl<'a> Call<'a> {
    /// Its place in order of invocation.
    #[must_use]
    pub fn id(self) -> u32 {
        self.id
    }

    fn of<T: Copy>(self, column: &[T]) -> T {
        column[self.id as usize]
    }

    /// The logical client.
    #[must_use]
    pub fn process(self) -> i64 {
        self.of(&self.history.columns.process)
    }

    /// The function, such as `read`.
    #[must_use]
    pub fn f(self) -> &'a str {
        self.history.names.name(self.of(&self.history.columns.f))
    }

    /// The object operated on.
    #[must_use]
    pub fn key(self) -> Option<&'a str> {
        name(&self.history.names, self.of(&self.history.columns.key))
    }

    /// Value of the invocation.
    #[must_use]
    pub fn input(self) -> Val {
        self.of(&self.history.columns.input)
    }

    /// Value of the completion; `None` when there was none or it carried no value. An `ok` read of null read
    /// the initial value; an `info` without a value says nothing.
    #[must_use]
    pub fn output(self) -> Option<Val> {
        let output = self.of(&self.history.columns.output);
        match self.outcome() {
            Outcome::Ok | Outcome::Mismatch => Some(output),
            Outcome::Info | Outcome::Fail => Some(output).filter(|output| !output.is_nil()),
        }
    }

    /// As [`Call::input`], as JSON.
    #[must_use]
    pub fn input_json(self) -> Value {
        self.history.values.to_json(self.input())
    }

    /// As [`Call::output`], as JSON.
    #[must_use]
    pub fn output_json(self) -> Option<Value> {
        self.output().map(|output| self.history.values.to_json(output))
    }

    /// How it ended.
    #[must_use]
    pub fn outcome(self) -> Outcome {
        self.of(&self.history.columns.outcome)
    }

    /// True when it certainly took effect.
    #[must_use]
    pub fn is_ok(self) -> bool {
        self.outcome() == Outcome::Ok
    }

    /// Position of the invocation in real time.
    #[must_use]
    pub fn call(self) -> Position {
        position(self.of(&self.history.columns.invoked))
    }

    /// Position of the completion in real time; [`NEVER`] if it is unknown whether and when it took effect.
    #[must_use]
    pub fn ret(self) -> Position {
        match self.outcome() {
            Outcome::Info => NEVER,
            Outcome::Ok | Outcome::Fail | Outcome::Mismatch => position(self.of(&self.history.columns.ended)),
        }
    }

    /// As [`Call::output`], null where there was none: what the completion's line holds.
    pub(crate) fn raw_output(self) -> Val {
        self.of(&self.history.columns.output)
    }

    fn ended_event(self) -> Option<u32> {
        Some(self.of(&self.history.columns.ended)).filter(|&ended| ended != NEVER)
    }

    /// `index` of the invocation's line.
    #[must_use]
    pub fn index_invoke(self) -> u64 {
        self.history.index_of(self.of(&self.history.columns.invoked))
    }

    /// `index` of the completion's line, also of an `info` one.
    #[must_use]
    pub fn index_complete(self) -> Option<u64> {
        self.ended_event().map(|ended| self.history.index_of(ended))
    }

    /// Nanoseconds since the start of the run at invocation.
    #[must_use]
    pub fn time_invoke(self) -> u64 {
        self.of(&self.history.columns.time_invoked)
    }

    /// Nanoseconds since the start of the run at completion, also of an `info` one.
    #[must_use]
    pub fn time_complete(self) -> Option<u64> {
        self.ended_event().map(|_| self.of(&self.history.columns.time_ended))
    }

    /// The node the client talked to.
    #[must_use]
    pub fn node(self) -> Option<&'a str> {
        name(&self.history.names, self.of(&self.history.columns.node))
    }

    /// The zxid of the reply.
    #[must_use]
    pub fn zxid(self) -> Option<u64> {
        Some(self.of(&self.history.columns.zxid)).filter(|&zxid| zxid != NO_ZXID)
    }

    /// Why it failed or is unknown.
    #[must_use]
    pub fn error(self) -> Option<&'a str> {
        name(&self.history.names, self.of(&self.history.columns.error))
    }

    /// True for the reads made after everything was healed.
    #[must_use]
    pub fn final_read(self) -> bool {
        self.of(&self.history.columns.final_read)
    }

    /// One of its two lines, that of `event`.
    fn line(self, event: u32, completes: bool) -> Line<'a> {
        let history = self.history;
        let op_type = match self.outcome() {
            _ if !completes => OpType::Invoke,
            Outcome::Ok => OpType::Ok,
            Outcome::Fail | Outcome::Mismatch => OpType::Fail,
            Outcome::Info => OpType::Info,
        };
        let time = if completes { self.of(&history.columns.time_ended) } else { self.time_invoke() };
        let mut line = Line {
            index: history.index_of(event),
            time,
            process: self.process(),
            op_type,
            f: self.f(),
            key: self.key(),
            value: if completes { self.raw_output() } else { self.input() },
            error: self.error().filter(|_| completes),
            node: self.node(),
            zxid: self.zxid().filter(|_| completes),
            final_read: self.final_read(),
        };
        if let Some(odd) = Odd::find(&history.odd, event) {
            odd.restore(&history.names, &mut line);
        }
        line
    }

    /// The history it is of.
    #[must_use]
    pub fn history(self) -> &'a History {
        self.history
    }
}

impl<'a> Event<'a> {
    /// The line of a client as it was read; `event` is its number.
    #[must_use]
    pub fn line(&self, event: u32) -> Option<Line<'a>> {
        match self {
            Self::Other(_) => None,
            Self::Invoke(call) => Some(call.line(event, false)),
            Self::Complete(call) => Some(call.line(event, true)),
        }
    }

    /// The line as `history.jsonl` holds it; `event` is its number.
    #[must_use]
    pub fn to_op(&self, history: &History, event: u32) -> Op {
        let line = match self {
            Self::Other(op) => return (*op).clone(),
            Self::Invoke(call) => call.line(event, false),
            Self::Complete(call) => call.line(event, true),
        };
        Op {
            index: line.index,
            time: line.time,
            process: Process::Client(line.process),
            op_type: line.op_type,
            f: line.f.to_owned(),
            key: line.key.map(str::to_owned),
            value: history.values.to_json(line.value),
            error: line.error.map(str::to_owned),
            node: line.node.map(str::to_owned),
            zxid: line.zxid,
            final_read: line.final_read,
        }
    }
}

fn name(names: &Names, id: u32) -> Option<&str> {
    (id != 0).then(|| names.name(id))
}

/// Even, from 2: see [`Position`].
fn position(event: u32) -> Position {
    event.checked_mul(2).and_then(|twice| twice.checked_add(2)).expect("a history has fewer than 2^31 events")
}
