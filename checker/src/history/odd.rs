//! Lines that say more, or less, than the row of their call has room for.
//!
//! A row holds a key, a node, an error, a zxid and a mark for both its lines, as nearly every pair of lines agrees
//! on them. A line that does not is noted here, so that it can be written back as it was. Checks do not look here.

use crate::history::{Line, Names};

/// What the line of an event said. Names are ids, `None` where the line had none (an empty one is `Some(0)`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Odd {
    pub(crate) event: u32,
    pub(crate) key: Option<u32>,
    pub(crate) node: Option<u32>,
    pub(crate) error: Option<u32>,
    pub(crate) zxid: Option<u64>,
    pub(crate) final_read: bool,
}

impl Odd {
    /// The note on an event, in a list sorted by event.
    pub(crate) fn find(notes: &[Self], event: u32) -> Option<&Self> {
        notes.binary_search_by_key(&event, |odd| odd.event).ok().map(|at| &notes[at])
    }

    /// Gives a line back what it said.
    pub(crate) fn restore<'a>(&self, names: &'a Names, line: &mut Line<'a>) {
        let name = |id: Option<u32>| id.map(|id| names.name(id));
        (line.key, line.node, line.error) = (name(self.key), name(self.node), name(self.error));
        (line.zxid, line.final_read) = (self.zxid, self.final_read);
    }

    /// Sorts notes by event; of two on one event the first made holds.
    pub(crate) fn sort(notes: &mut Vec<Self>) {
        notes.sort_by_key(|odd| odd.event);
        notes.dedup_by_key(|odd| odd.event);
    }
}
