//! The writer: block after block of 32,768 calls, each column gathered and packed.

use std::io;
use std::ops::Range;

use super::checksum::xxh64;
use super::pack::{pack, zigzag};
use super::{CALLS, COMPLETED, EXPLICIT_CAS, FINAL, LAST_MODIFIED, MAGIC, TIMED, TRUNCATED, VERSION, ZXID};
use crate::NEVER;
use crate::formats::out::Out;
use crate::history::odd::Odd;
use crate::history::table::NO_ZXID;
use crate::history::{History, Outcome, Shape, Stamps, Val};

/// Writes a history.
pub(in crate::formats) fn write(history: &History, out: &mut Out<'_>) -> io::Result<()> {
    let events = history.event_count();
    header(history, events, &mut out.buffer);
    let mut writer = Writer { history, last: Last::default(), payload: Vec::new(), column: Vec::new() };
    let mut start = 0;
    while writer.last.event < events {
        let end = (start + CALLS).min(history.len());
        let until = history.columns.invoked.get(end).copied().unwrap_or(events);
        writer.block(start..end, until);
        let length = (writer.payload.len() as u64).to_le_bytes();
        let head = [length, xxh64(0, &writer.payload).to_le_bytes()].concat();
        out.buffer.extend_from_slice(&head);
        out.buffer.extend_from_slice(&xxh64(1, &head).to_le_bytes());
        out.flush()?;
        std::mem::swap(&mut out.buffer, &mut writer.payload);
        out.flush()?;
        start = end;
    }
    out.flush()
}

fn header(history: &History, events: u32, out: &mut Vec<u8>) {
    let flag = |set: bool, flag: u32| if set { flag } else { 0 };
    let flags = flag(history.explicit_cas, EXPLICIT_CAS)
        | flag(history.timed, TIMED)
        | flag(history.truncated, TRUNCATED)
        | flag(history.stamps == Stamps::LastModified, LAST_MODIFIED);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&flags.to_le_bytes());
    for count in [history.lines, history.len() as u64, u64::from(events)] {
        out.extend_from_slice(&count.to_le_bytes());
    }
    let checksum = xxh64(0, out);
    out.extend_from_slice(&checksum.to_le_bytes());
}

/// What the blocks before brought.
#[derive(Default)]
struct Last {
    /// First event that is not covered.
    event: u32,
    /// Names, the empty one not counted.
    names: usize,
    values: usize,
    others: usize,
    odd: usize,
    time: u64,
    zxid: u64,
    index: Option<u64>,
}

struct Writer<'h> {
    history: &'h History,
    last: Last,
    payload: Vec<u8>,
    /// The column being gathered.
    column: Vec<u64>,
}

impl Writer<'_> {
    fn column(&mut self, least: u8, column: impl Iterator<Item = u64>) {
        self.column.clear();
        self.column.extend(column);
        pack(&mut self.payload, least, &self.column);
    }

    fn block(&mut self, calls: Range<usize>, until: u32) {
        let history = self.history;
        let others = self.last.others + history.others[self.last.others..].partition_point(|o| o.0 < until);
        let odd = self.last.odd + history.odd[self.last.odd..].partition_point(|odd| odd.event < until);
        // What nothing refers to is written as well, with the last block.
        let (mut names, mut values) = (history.names.count() - 1, history.values.atoms().len());
        if until < history.event_count() {
            names = self.names_needed(calls.clone(), &history.odd[self.last.odd..odd]);
            values = self.values_needed(calls.clone());
        }
        self.payload.clear();
        let counts = [
            calls.len(),
            (until - self.last.event) as usize,
            names - self.last.names,
            values - self.last.values,
            others - self.last.others,
            odd - self.last.odd,
            usize::from(history.indices.is_some()),
        ];
        for count in counts {
            let count = u32::try_from(count).expect("a history has fewer than 2^31 lines, names and values");
            self.payload.extend_from_slice(&count.to_le_bytes());
        }
        self.names(names);
        self.values(values);
        self.calls(calls.clone());
        self.outcomes(calls);
        self.indices(until);
        self.others(others);
        self.odd(odd);
        self.last.event = until;
    }

    fn names_needed(&self, calls: Range<usize>, odd: &[Odd]) -> usize {
        let c = &self.history.columns;
        let of_calls = [&c.f, &c.key, &c.node, &c.error].into_iter().flat_map(|ids| &ids[calls.clone()]);
        let of_odd = odd.iter().flat_map(|odd| [odd.key, odd.node, odd.error]).flatten();
        of_calls.copied().chain(of_odd).max().map_or(0, |id| id as usize).max(self.last.names)
    }

    fn values_needed(&self, calls: Range<usize>) -> usize {
        let c = &self.history.columns;
        let ids = [&c.input, &c.output].into_iter().flat_map(|ids| &ids[calls.clone()]);
        ids.filter_map(|value| value.in_table()).max().unwrap_or(0).max(self.last.values)
    }

    fn names(&mut self, until: usize) {
        let history = self.history;
        let names = || {
            let ids = self.last.names + 1..=until;
            ids.map(|id| history.names.name(u32::try_from(id).expect("the names gave this id out")))
        };
        let lengths: Vec<u64> = names().map(|name| name.len() as u64).collect();
        let texts: Vec<&str> = names().collect();
        self.column(0, lengths.into_iter());
        texts.iter().for_each(|text| self.payload.extend_from_slice(text.as_bytes()));
        self.last.names = until;
    }

    fn values(&mut self, until: usize) {
        let mut new = NewValues::default();
        for at in self.last.values..until {
            new.add(self.history.values.shape(Val::of_table(at)));
        }
        pack(&mut self.payload, 1, &new.kinds);
        pack(&mut self.payload, 0, &new.ints);
        pack(&mut self.payload, 0, &new.text_lengths);
        pack(&mut self.payload, 0, &new.list_lengths);
        pack(&mut self.payload, 0, &new.json_lengths);
        pack(&mut self.payload, 1, &new.items);
        pack(&mut self.payload, 0, &new.pairs);
        self.payload.extend_from_slice(&new.texts);
        self.payload.extend_from_slice(&new.jsons);
        self.last.values = until;
    }

    fn calls(&mut self, calls: Range<usize>) {
        let history = self.history;
        let c = &history.columns;
        self.column(0, c.process[calls.clone()].iter().map(|&process| zigzag(process)));
        for names in [&c.f, &c.key, &c.node, &c.error] {
            self.column(0, names[calls.clone()].iter().map(|&id| u64::from(id)));
        }
        let marks = calls.clone().map(|at| {
            let outcome = match c.outcome[at] {
                Outcome::Ok => 0,
                Outcome::Info => 1,
                Outcome::Fail => 2,
                Outcome::Mismatch => 3,
            };
            let mark = |set: bool, mark: u64| if set { mark } else { 0 };
            outcome
                | mark(c.ended[at] != NEVER, COMPLETED)
                | mark(c.zxid[at] != NO_ZXID, ZXID)
                | mark(c.final_read[at], FINAL)
        });
        self.column(1, marks);
        self.column(0, c.input[calls.clone()].iter().map(|&value| id(value)));
        self.column(0, c.output[calls.clone()].iter().map(|&value| id(value)));
    }

    /// The rest of the calls' columns: when, and what stamp.
    fn outcomes(&mut self, calls: Range<usize>) {
        let history = self.history;
        let c = &history.columns;
        let mut next = self.last.event;
        self.column(
            0,
            c.invoked[calls.clone()].iter().map(|&invoked| {
                let skipped = invoked - next;
                next = invoked + 1;
                u64::from(skipped)
            }),
        );
        let skipped = |at: usize| if c.ended[at] == NEVER { 0 } else { c.ended[at] - c.invoked[at] - 1 };
        self.column(0, calls.clone().map(|at| u64::from(skipped(at))));
        let mut last = self.last.time;
        self.column(
            0,
            c.time_invoked[calls.clone()].iter().map(|&time| {
                let before = std::mem::replace(&mut last, time);
                zigzag(time.wrapping_sub(before).cast_signed())
            }),
        );
        self.last.time = last;
        let took = |at: usize| {
            let ended = if c.ended[at] == NEVER { c.time_invoked[at] } else { c.time_ended[at] };
            zigzag(ended.wrapping_sub(c.time_invoked[at]).cast_signed())
        };
        self.column(0, calls.clone().map(took));
        let mut last = self.last.zxid;
        self.column(
            0,
            c.zxid[calls].iter().map(|&zxid| {
                let before = if zxid == NO_ZXID { zxid } else { std::mem::replace(&mut last, zxid) };
                zigzag(zxid.wrapping_sub(before).cast_signed())
            }),
        );
        self.last.zxid = last;
    }

    fn indices(&mut self, until: u32) {
        let history = self.history;
        let Some(indices) = &history.indices else { return };
        let mut last = self.last.index;
        self.column(
            0,
            indices[self.last.event as usize..until as usize].iter().map(|&index| {
                let next = last.map_or(0, |last| last.wrapping_add(1));
                last = Some(index);
                index.wrapping_sub(next)
            }),
        );
        self.last.index = last;
    }

    fn others(&mut self, until: usize) {
        let history = self.history;
        let others = &history.others[self.last.others..until];
        self.skipped(others.iter().map(|(event, _)| *event));
        let lines: Vec<String> =
            others.iter().map(|(_, op)| serde_json::to_string(op).expect("a line is always JSON")).collect();
        self.column(1, lines.iter().map(|line| line.len() as u64));
        lines.iter().for_each(|line| self.payload.extend_from_slice(line.as_bytes()));
        self.last.others = until;
    }

    fn odd(&mut self, until: usize) {
        let history = self.history;
        let odd = &history.odd[self.last.odd..until];
        self.skipped(odd.iter().map(|odd| odd.event));
        let name = |id: Option<u32>| id.map_or(0, |id| u64::from(id) + 1);
        self.column(0, odd.iter().map(|odd| name(odd.key)));
        self.column(0, odd.iter().map(|odd| name(odd.node)));
        self.column(0, odd.iter().map(|odd| name(odd.error)));
        self.column(0, odd.iter().map(|odd| odd.zxid.unwrap_or(0)));
        let marks = |odd: &Odd| {
            (if odd.zxid.is_some() { ZXID } else { 0 }) | (if odd.final_read { FINAL } else { 0 })
        };
        self.column(1, odd.iter().map(marks));
        self.last.odd = until;
    }

    /// Events in ascending order, from the block's first.
    fn skipped(&mut self, events: impl Iterator<Item = u32>) {
        let mut next = self.last.event;
        self.column(
            0,
            events.map(|event| {
                let skipped = event - next;
                next = event + 1;
                u64::from(skipped)
            }),
        );
    }
}

/// The id in the file: odd for values in the table, even for null and small integers.
fn id(value: Val) -> u64 {
    u64::from(value.id().rotate_left(1))
}

/// The columns of a block's values.
#[derive(Default)]
struct NewValues {
    kinds: Vec<u64>,
    ints: Vec<u64>,
    text_lengths: Vec<u64>,
    list_lengths: Vec<u64>,
    json_lengths: Vec<u64>,
    items: Vec<u64>,
    pairs: Vec<u64>,
    texts: Vec<u8>,
    jsons: Vec<u8>,
}

impl NewValues {
    fn add(&mut self, shape: Shape<'_>) {
        self.kinds.push(match shape {
            Shape::Int(n) => {
                self.ints.push(zigzag(n));
                0
            }
            // Null is not in the table.
            Shape::Nil | Shape::Bool(false) => 1,
            Shape::Bool(true) => 2,
            Shape::Text(text) => {
                self.text_lengths.push(text.len() as u64);
                self.texts.extend_from_slice(text.as_bytes());
                3
            }
            Shape::List(items) => {
                self.list_lengths.push(items.len() as u64);
                self.items.extend(items.iter().map(|&item| id(item)));
                4
            }
            Shape::Pair(first, second) => {
                self.pairs.extend([id(first), id(second)]);
                5
            }
            Shape::Other(value) => {
                let start = self.jsons.len();
                serde_json::to_writer(&mut self.jsons, value).expect("JSON can always be written to memory");
                self.json_lengths.push((self.jsons.len() - start) as u64);
                6
            }
        });
    }
}
