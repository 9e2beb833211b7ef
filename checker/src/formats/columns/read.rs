//! The reader: block after block, every number checked before it is used.

use serde_json::Value;

use super::checksum::xxh64;
use super::pack::{Unpack, unzigzag};
use super::{
    BLOCK_HEAD, CALLS, COMPLETED, EXPLICIT_CAS, FINAL, HEADER, LAST_MODIFIED, MAGIC, TIMED, TRUNCATED,
    VERSION, ZXID,
};
use crate::history::odd::Odd;
use crate::history::table::NO_ZXID;
use crate::history::values::Atom;
use crate::history::{History, Op, Outcome, Process, Stamps, Val, Values};
use crate::{CheckError, NEVER};

mod order;

/// Values nested deeper are refused, so that none exhausts the stack that walks it.
const MAX_DEPTH: u8 = 130;

/// A value that takes more bytes than this many items when written out is refused: lists that hold the same list
/// twice, and that again, would be a short file and an endless text.
const MAX_WEIGHT: u32 = 1 << 28;

/// Reads a history; `name` is what errors call it.
pub(in crate::formats) fn read(name: &str, bytes: &[u8]) -> Result<History, CheckError> {
    let wrong = |what: &str| CheckError::Format { name: name.to_owned(), what: what.to_owned() };
    let (header, blocks) =
        bytes.split_at_checked(HEADER).ok_or_else(|| wrong("it ends within its header"))?;
    let header = Header::parse(header).map_err(|what| wrong(&what))?;
    let mut reader = Reader::new(header);
    // Each call takes a byte at least, whatever the header says.
    reader.history.columns.reserve(usize::try_from(header.calls).map_or(0, |calls| calls.min(bytes.len())));
    let mut rest = blocks;
    let mut number = 0_u32;
    while reader.event < header.events {
        let at = bytes.len() - rest.len();
        let damaged = |what: &str| wrong(&format!("block {number}, at byte {at}, {what}"));
        let Some((head, behind)) = rest.split_at_checked(BLOCK_HEAD) else { break };
        let Some((length, checksum)) = block_head(head) else {
            return Err(damaged("begins with a head whose checksum is wrong"));
        };
        let whole = usize::try_from(length).ok().and_then(|length| behind.split_at_checked(length));
        let Some((payload, behind)) = whole else { break };
        if xxh64(0, payload) != checksum {
            return Err(damaged("is damaged: its checksum is wrong"));
        }
        reader
            .block(payload)
            .ok_or_else(|| damaged("holds what no history has, though its checksum is right"))?;
        rest = behind;
        number += 1;
    }
    let cut_off = reader.event < header.events;
    if !cut_off && !rest.is_empty() {
        return Err(wrong("something follows the last block"));
    }
    reader
        .finish(cut_off)
        .ok_or_else(|| wrong("its calls do not fit together in time, though its checksums are right"))
}

fn block_head(head: &[u8]) -> Option<(u64, u64)> {
    let mut fields = Unpack::new(head);
    let (length, checksum, check) = (fields.u64()?, fields.u64()?, fields.u64()?);
    (xxh64(1, head.get(..16)?) == check).then_some((length, checksum))
}

#[derive(Clone, Copy)]
struct Header {
    flags: u32,
    lines: u64,
    calls: u64,
    events: u32,
}

impl Header {
    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut fields = Unpack::new(bytes);
        if fields.take(MAGIC.len()) != Some(&MAGIC[..]) {
            return Err("it is no history in columns".into());
        }
        let mut number = || fields.u64();
        let (version, lines, calls, events) = (number(), number(), number(), number());
        let damaged = "its header is damaged: the checksum is wrong";
        let (Some(version), Some(lines), Some(calls), Some(events), Some(checksum)) =
            (version, lines, calls, events, fields.u64())
        else {
            return Err(damaged.into());
        };
        // Version and flags are one word here.
        let flags = u32::try_from(version >> 32).expect("a half is 32 bits");
        let version = version & u64::from(u32::MAX);
        if version != u64::from(VERSION) {
            return Err(format!(
                "it is of version {version} of the format, this program reads version {VERSION}"
            ));
        }
        if xxh64(0, &bytes[..HEADER - 8]) != checksum {
            return Err(damaged.into());
        }
        let events = u32::try_from(events).ok().filter(|&events| events < NEVER / 2);
        let events = events.ok_or("it says that it has more events than a history can")?;
        Ok(Self { flags, lines, calls, events })
    }
}

struct Reader {
    header: Header,
    history: History,
    atoms: Vec<Atom>,
    texts: String,
    items: Vec<Val>,
    /// Of each atom, the items it is made of and how deep they are nested.
    sizes: Vec<(u32, u8)>,
    /// First event that is not covered.
    event: u32,
    time: u64,
    zxid: u64,
    index: Option<u64>,
    column: Vec<u64>,
    marks: Vec<u64>,
}

impl Reader {
    fn new(header: Header) -> Self {
        Self {
            header,
            history: History::default(),
            atoms: Vec::new(),
            texts: String::new(),
            items: Vec::new(),
            sizes: Vec::new(),
            event: 0,
            time: 0,
            zxid: 0,
            index: None,
            column: Vec::new(),
            marks: Vec::new(),
        }
    }

    fn finish(self, cut_off: bool) -> Option<History> {
        let mut history = self.history;
        let flag = |flag: u32| self.header.flags & flag != 0;
        history.values = Values::from_atoms(self.atoms, self.texts, self.items);
        history.explicit_cas = flag(EXPLICIT_CAS);
        history.timed = flag(TIMED);
        history.truncated = flag(TRUNCATED) || cut_off;
        history.stamps = if flag(LAST_MODIFIED) { Stamps::LastModified } else { Stamps::Reached };
        history.lines = if cut_off { u64::from(self.event) } else { self.header.lines };
        if cut_off {
            order::take_back(&mut history.columns, self.event);
        }
        let calls_told = cut_off || history.len() as u64 == self.header.calls;
        (calls_told && order::fits(&history, self.event)).then_some(())?;
        order::count(&mut history);
        Some(history)
    }

    fn block(&mut self, payload: &[u8]) -> Option<()> {
        let mut block = Unpack::new(payload);
        let mut count = || block.u32().and_then(|count| usize::try_from(count).ok());
        let [calls, events, names, values, others, odd, indices] =
            [count()?, count()?, count()?, count()?, count()?, count()?, count()?];
        let until = u32::try_from(events).ok().and_then(|events| self.event.checked_add(events))?;
        // Each call has at most two events, of which one may lie in a later block.
        let enough = self.history.len() + calls;
        if calls > CALLS || until > self.header.events || events == 0 || events > 2 * enough + others {
            return None;
        }
        self.names(&mut block, names)?;
        self.values(&mut block, values)?;
        self.calls(&mut block, calls)?;
        self.outcomes(&mut block, calls)?;
        if indices == 1 {
            self.indices(&mut block, events)?;
        }
        self.others(&mut block, others)?;
        self.odd(&mut block, odd)?;
        self.event = until;
        block.is_empty().then_some(())
    }

    fn names(&mut self, block: &mut Unpack<'_>, count: usize) -> Option<()> {
        // The lengths may take no room each, so ask the texts: names differ, so at most one is empty.
        block.column(0, count.min(block.len() + 1), &mut self.column)?;
        if self.column.len() != count {
            return None;
        }
        for at in 0..count {
            let text = block.take(usize::try_from(self.column[at]).ok()?)?;
            let known = self.history.names.count();
            let id = self.history.names.id(std::str::from_utf8(text).ok()?);
            (id as usize == known).then_some(())?;
        }
        Some(())
    }

    /// A column of lengths; their sum.
    fn lengths(block: &mut Unpack<'_>, count: usize) -> Option<(Vec<u32>, usize)> {
        let mut column = Vec::new();
        block.column(0, count, &mut column)?;
        let lengths =
            column.iter().map(|&length| u32::try_from(length).ok()).collect::<Option<Vec<u32>>>()?;
        let sum = usize::try_from(lengths.iter().map(|&length| u64::from(length)).sum::<u64>()).ok()?;
        Some((lengths, sum))
    }

    fn values(&mut self, block: &mut Unpack<'_>, count: usize) -> Option<()> {
        let mut kinds = Vec::new();
        block.column(1, count, &mut kinds)?;
        let of = |kind: u64| kinds.iter().filter(|&&k| k == kind).count();
        let mut ints = Vec::new();
        block.column(0, of(0), &mut ints)?;
        let (texts, text_bytes) = Self::lengths(block, of(3))?;
        let (lists, list_items) = Self::lengths(block, of(4))?;
        let (jsons, json_bytes) = Self::lengths(block, of(6))?;
        let first_item = self.items.len();
        block.column(1, list_items, &mut self.column)?;
        for &id in &self.column {
            self.items.push(value(id)?);
        }
        block.column(0, of(5).checked_mul(2)?, &mut self.column)?;
        let pairs = self.column.iter().map(|&id| value(id)).collect::<Option<Vec<Val>>>()?;
        let mut start = self.texts.len();
        self.texts.push_str(std::str::from_utf8(block.take(text_bytes)?).ok()?);
        let mut json = block.take(json_bytes)?;

        let mut item = first_item;
        let (mut ints, mut texts, mut lists) = (ints.iter(), texts.iter(), lists.iter());
        let (mut jsons, mut pairs) = (jsons.iter(), pairs.as_chunks::<2>().0.iter());
        for kind in &kinds {
            let atom = match kind {
                0 => Atom::Int(unzigzag(*ints.next()?)),
                1 | 2 => Atom::Bool(*kind == 2),
                3 => {
                    let len = *texts.next()?;
                    let end = start + len as usize;
                    self.texts.get(start..end)?;
                    Atom::Text { start: std::mem::replace(&mut start, end), len }
                }
                4 => {
                    let len = *lists.next()?;
                    let end = item + len as usize;
                    Atom::List { start: std::mem::replace(&mut item, end), len }
                }
                5 => pairs.next().map(|&[first, second]| Atom::Pair(first, second))?,
                6 => {
                    let (text, rest) = json.split_at_checked(*jsons.next()? as usize)?;
                    json = rest;
                    Atom::Other(Box::new(serde_json::from_slice::<Value>(text).ok()?))
                }
                _ => return None,
            };
            let size = self.size(&atom)?;
            self.sizes.push(size);
            self.atoms.push(atom);
        }
        Some(())
    }

    /// The size of an atom whose items come before it, and not if they do not.
    fn size(&self, atom: &Atom) -> Option<(u32, u8)> {
        let pair;
        let items: &[Val] = match atom {
            Atom::Int(_) | Atom::Bool(_) | Atom::Text { .. } | Atom::Other(_) => return Some((1, 0)),
            Atom::List { start, len } => self.items.get(*start..*start + *len as usize)?,
            Atom::Pair(first, second) => {
                pair = [*first, *second];
                &pair
            }
        };
        let (mut weight, mut depth) = (1_u32, 0);
        for item in items {
            let (w, d) = item.in_table().map_or(Some((1, 0)), |at| self.sizes.get(at - 1).copied())?;
            weight = weight.checked_add(w).filter(|&weight| weight <= MAX_WEIGHT)?;
            depth = depth.max(d);
        }
        (depth < MAX_DEPTH).then_some((weight, depth + 1))
    }

    fn calls(&mut self, block: &mut Unpack<'_>, count: usize) -> Option<()> {
        let c = &mut self.history.columns;
        let column = &mut self.column;
        block.column(0, count, column)?;
        c.process.extend(column.iter().map(|&process| unzigzag(process)));
        let names = self.history.names.count() as u64;
        for ids in [&mut c.f, &mut c.key, &mut c.node, &mut c.error] {
            block.column(0, count, column)?;
            if column.iter().any(|&id| id >= names) {
                return None;
            }
            // Smaller than a number of names, so it fits.
            ids.extend(column.iter().map(|&id| u32::try_from(id).unwrap_or(0)));
        }
        block.column(1, count, &mut self.marks)?;
        for &marks in &self.marks {
            let outcome = match marks & 3 {
                0 => Outcome::Ok,
                1 => Outcome::Info,
                2 => Outcome::Fail,
                _ => Outcome::Mismatch,
            };
            if marks >= 2 * FINAL
                || (marks & COMPLETED == 0 && (outcome != Outcome::Info || marks & ZXID != 0))
            {
                return None;
            }
            c.outcome.push(outcome);
            c.final_read.push(marks & FINAL != 0);
        }
        for values in [&mut c.input, &mut c.output] {
            block.column(0, count, column)?;
            for &id in &*column {
                let value = value(id)?;
                if value.in_table().is_some_and(|at| at > self.atoms.len()) {
                    return None;
                }
                values.push(value);
            }
        }
        Some(())
    }

    fn outcomes(&mut self, block: &mut Unpack<'_>, count: usize) -> Option<()> {
        let c = &mut self.history.columns;
        let column = &mut self.column;
        let first = c.invoked.len();
        let event = |from: u32, skipped: u64| {
            let event = u64::from(from) + skipped.min(u64::from(NEVER));
            u32::try_from(event).ok().filter(|&event| event < self.header.events)
        };
        block.column(0, count, column)?;
        let mut next = self.event;
        for &skipped in &*column {
            let invoked = event(next, skipped)?;
            c.invoked.push(invoked);
            next = invoked + 1;
        }
        block.column(0, count, column)?;
        for ((&skipped, &marks), &invoked) in column.iter().zip(&self.marks).zip(&c.invoked[first..]) {
            c.ended.push(if marks & COMPLETED != 0 { event(invoked + 1, skipped)? } else { NEVER });
        }
        block.column(0, count, column)?;
        for &difference in &*column {
            self.time = self.time.wrapping_add(unzigzag(difference).cast_unsigned());
            c.time_invoked.push(self.time);
        }
        block.column(0, count, column)?;
        for ((&took, &marks), &invoked) in column.iter().zip(&self.marks).zip(&c.time_invoked[first..]) {
            let ended = invoked.wrapping_add(unzigzag(took).cast_unsigned());
            c.time_ended.push(if marks & COMPLETED != 0 { ended } else { 0 });
        }
        block.column(0, count, column)?;
        for (&difference, &marks) in column.iter().zip(&self.marks) {
            let has = marks & ZXID != 0;
            self.zxid = self.zxid.wrapping_add(if has { unzigzag(difference).cast_unsigned() } else { 0 });
            c.zxid.push(if has { self.zxid } else { NO_ZXID });
        }
        Some(())
    }

    fn indices(&mut self, block: &mut Unpack<'_>, count: usize) -> Option<()> {
        let indices = self.history.indices.get_or_insert_default();
        block.column(0, count, &mut self.column)?;
        for &skipped in &self.column {
            let index = self.index.map_or(skipped, |last| last.wrapping_add(1).wrapping_add(skipped));
            self.index = Some(index);
            indices.push(index);
        }
        Some(())
    }

    fn others(&mut self, block: &mut Unpack<'_>, count: usize) -> Option<()> {
        block.column(0, count.min(block.len()), &mut self.column)?;
        let skipped = std::mem::take(&mut self.column);
        block.column(1, count, &mut self.column)?;
        let mut event = self.event;
        for (&skipped, &length) in skipped.iter().zip(&self.column) {
            event = event.checked_add(u32::try_from(skipped).ok()?)?;
            let op: Op = serde_json::from_slice(block.take(usize::try_from(length).ok()?)?).ok()?;
            (op.process == Process::Nemesis).then_some(())?;
            self.history.others.push((event, op));
            event = event.checked_add(1)?;
        }
        (skipped.len() == count).then_some(())
    }

    fn odd(&mut self, block: &mut Unpack<'_>, count: usize) -> Option<()> {
        let mut columns: [Vec<u64>; 6] = Default::default();
        for (at, column) in columns.iter_mut().enumerate() {
            // Marks, the last, take a byte each at least: there are no more than bytes.
            block.column(u8::from(at == 5), count.min(block.len()), column)?;
            (column.len() == count).then_some(())?;
        }
        let [events, keys, nodes, errors, zxids, marks] = columns;
        let names = self.history.names.count();
        let name = |id: u64| match id {
            0 => Some(None),
            _ => u32::try_from(id - 1).ok().filter(|&id| (id as usize) < names).map(Some),
        };
        let mut event = self.event;
        for at in 0..count {
            event = event.checked_add(u32::try_from(events[at]).ok()?)?;
            let (key, node, error) = (name(keys[at])?, name(nodes[at])?, name(errors[at])?);
            let zxid = Some(zxids[at]).filter(|_| marks[at] & ZXID != 0);
            let odd = Odd { event, key, node, error, zxid, final_read: marks[at] & FINAL != 0 };
            self.history.odd.push(odd);
            event = event.checked_add(1)?;
        }
        Some(())
    }
}

/// The value of an id in the file.
fn value(id: u64) -> Option<Val> {
    u32::try_from(id).ok().map(|id| Val::from_id(id.rotate_right(1)))
}
