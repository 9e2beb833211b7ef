//! Stamps, watched while the run goes on: the zxids of replies must fit together, whatever the values were.
//!
//! A reply carries the zxid that its server had reached, an update's its own. With the *floor* of an operation, the
//! highest zxid that had been seen in any completion before its call:
//! * no operation carries a zxid below its floor, and an update's is above it (what it wrote is new);
//! * no update carries the epoch (upper 32 bits) of a leader that had been superseded before its call: its epoch is
//!   not below the floor's. This follows from the first, and is named when it is the case;
//! * the zxids that one process sees never go back;
//! * no two updates carry the same zxid.
//!
//! These are the rules of the order checks for whole histories. In bounded memory: one record per process
//! (a process that crashed is forgotten, it never comes back), one per open operation, and the zxids of
//! updates above the lowest floor of any open operation: a later update with one of the others is below its floor
//! anyway, and reported as such.

use std::collections::BTreeMap;

use crate::Class;
use crate::history::{Op, OpType, Process};
use crate::online::value::WordMap;
use crate::online::{Place, Violation, name, place};

/// The monitor of all stamps of a run. Reports every violation, not only the first.
#[derive(Debug, Clone, Default)]
pub struct Stamps {
    open: WordMap<i64, Open>,
    /// The last reply of each process.
    last: WordMap<i64, Seen>,
    /// The highest reply of all.
    highest: Option<Seen>,
    /// Updates: zxid → call.
    updates: BTreeMap<u64, Place>,
    sweep_at: usize,
}

/// A reply.
#[derive(Debug, Clone, Copy)]
struct Seen {
    zxid: u64,
    call: Place,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    call: Place,
    floor: Option<Seen>,
}

/// What a line says, without the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamped {
    /// The line's index.
    pub index: u64,
    /// The logical client.
    pub process: i64,
    /// Invocation or completion.
    pub op_type: OpType,
    /// True if it changes the object.
    pub update: bool,
    /// The zxid of the reply.
    pub zxid: Option<u64>,
}

impl Stamps {
    /// Takes the next line. Reads and `sync`s change nothing, all else counts as an update.
    pub fn feed(&mut self, op: &Op) -> Option<Violation> {
        let Process::Client(process) = op.process else { return None };
        let update = !matches!(op.f.as_str(), "read" | "get" | "sync");
        self.feed_stamped(Stamped { index: op.index, process, op_type: op.op_type, update, zxid: op.zxid })
    }

    /// The same.
    pub fn feed_stamped(&mut self, line: Stamped) -> Option<Violation> {
        match line.op_type {
            OpType::Invoke => {
                let open = Open { call: place(line.index), floor: self.highest };
                self.open.insert(line.process, open);
                None
            }
            OpType::Ok => {
                let open = self.open.remove(&line.process)?;
                let found = self.replied(line, open, line.zxid?);
                self.sweep_if_due();
                found
            }
            OpType::Fail => {
                self.open.remove(&line.process);
                None
            }
            OpType::Info => {
                self.open.remove(&line.process);
                self.last.remove(&line.process);
                None
            }
        }
    }

    /// Records held at the moment.
    #[must_use]
    pub fn retained(&self) -> usize {
        self.open.len() + self.last.len() + self.updates.len()
    }

    fn replied(&mut self, line: Stamped, open: Open, zxid: u64) -> Option<Violation> {
        let seen = Seen { zxid, call: open.call };
        let at = place(line.index);
        let last = self.last.insert(line.process, seen);
        let twice = if line.update { self.updates.insert(zxid, open.call) } else { None };
        if self.highest.is_none_or(|highest| highest.zxid < zxid) {
            self.highest = Some(seen);
        }
        if let Some(first) = twice {
            let why =
                format!("{} and {} were both acknowledged with zxid {zxid:#x}", name(first), name(open.call));
            return Some(Violation::new(Class::StampLie, at, [first, open.call], why));
        }
        if let Some(floor) = open.floor
            && (zxid < floor.zxid || (line.update && zxid == floor.zxid))
        {
            return Some(below(at, line.update, seen, floor));
        }
        let last = last.filter(|last| zxid < last.zxid)?;
        let why = format!(
            "process {} saw zxid {:#x} with {} and then {zxid:#x} with {}",
            line.process,
            last.zxid,
            name(last.call),
            name(open.call)
        );
        Some(Violation::new(Class::OrderInversion, at, [last.call, open.call], why))
    }

    fn sweep_if_due(&mut self) {
        if self.updates.len() < self.sweep_at {
            return;
        }
        let floors = self.open.values().map(|open| open.floor.map_or(0, |floor| floor.zxid));
        let lowest = floors.min().or(self.highest.map(|highest| highest.zxid)).unwrap_or(0);
        self.updates = self.updates.split_off(&(lowest + 1));
        self.sweep_at = 64 + 2 * self.updates.len();
    }
}

fn epoch(zxid: u64) -> u64 {
    zxid >> 32
}

fn below(at: Place, update: bool, seen: Seen, floor: Seen) -> Violation {
    let (class, what) = match (update, epoch(seen.zxid) < epoch(floor.zxid)) {
        (true, true) => (Class::OrderInversion, ", by a superseded epoch"),
        (true, false) => (Class::OrderInversion, ""),
        (false, _) => (Class::StaleRead, ""),
    };
    let why = format!(
        "{} was called after {} had shown zxid {:#x}, yet carries {:#x}{what}",
        name(seen.call),
        name(floor.call),
        floor.zxid,
        seen.zxid
    );
    Violation::new(class, at, [floor.call, seen.call], why)
}
