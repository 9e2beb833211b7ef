//! One file: what every process sees of it, and how much of that a power loss may undo.
//!
//! The bytes are held once, as they are seen. Each change that is not durable is queued with what it replaced, so
//! the durable bytes are the seen ones with the queue undone from its end. An append replaces nothing: it costs
//! its own bytes, and syncing it costs no copy at all.
//!
//! Not here: the file's name ([`super::names`]), which is durable or not by itself.

use super::chance::{Chance, below};
use super::evidence::Evidence;
use std::mem;

/// A file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct File {
    content: Vec<u8>,
    /// Changes that are not durable, oldest first.
    queue: Vec<Change>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Change {
    what: What,
    fate: Fate,
}

/// A change, with what it replaced.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum What {
    /// `len` bytes from `at` on; `old` stood there, up to the end of the file at that time, `old_len`.
    Write { at: usize, len: usize, old: Vec<u8>, old_len: usize },
    /// Another length; `cut` stood behind it.
    Length { old_len: usize, cut: Vec<u8> },
}

/// What a power loss may do to a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Fate {
    /// Nobody has synced it: it may go, in part or with all that was done after it.
    Queued,
    /// A sync of it failed: the system takes it for written. It may have been, or not, or in part, and no later
    /// sync will do it again.
    Unknown,
    /// It was synced after one whose fate is unknown: it stays, whatever becomes of that one.
    Durable,
}

/// A change taken back, to be done again or not.
struct Redo {
    what: Again,
    fate: Fate,
}

enum Again {
    Write { at: usize, bytes: Vec<u8> },
    Length(usize),
}

impl File {
    /// What every process sees.
    pub(super) fn content(&self) -> &[u8] {
        &self.content
    }

    pub(super) fn len(&self) -> usize {
        self.content.len()
    }

    /// Writes `bytes` at `at`; zeros fill what is between the end and there.
    pub(super) fn write(&mut self, at: usize, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let old_len = self.len();
        let old_end = old_len.min(at + bytes.len());
        let old = self.content.get(at..old_end).unwrap_or_default().to_vec();
        put(&mut self.content, at, bytes);
        self.queue(What::Write { at, len: bytes.len(), old, old_len });
    }

    /// Cuts the file, or lengthens it with zeros.
    pub(super) fn set_len(&mut self, len: usize) {
        let old_len = self.len();
        if len == old_len {
            return;
        }
        let cut = if len < old_len { self.content.split_off(len) } else { Vec::new() };
        self.content.resize(len, 0);
        self.queue(What::Length { old_len, cut });
    }

    fn queue(&mut self, what: What) {
        self.queue.push(Change { what, fate: Fate::Queued });
    }

    /// Makes everything durable, but for what an earlier sync failed to.
    pub(super) fn sync(&mut self) {
        if self.queue.iter().all(|change| change.fate == Fate::Queued) {
            self.queue.clear();
        }
        self.settle(Fate::Durable);
    }

    /// A sync that fails.
    pub(super) fn fail_sync(&mut self) {
        self.settle(Fate::Unknown);
    }

    fn settle(&mut self, fate: Fate) {
        for change in self.queue.iter_mut().filter(|change| change.fate == Fate::Queued) {
            change.fate = fate;
        }
    }

    /// Flips a bit on the medium: in what is seen, and in whatever a power loss could bring back there.
    pub(super) fn flip(&mut self, at: usize, bit: usize) {
        self.content[at] ^= 1 << bit;
        for change in &mut self.queue {
            let (from, old) = match &mut change.what {
                What::Write { at, old, .. } => (*at, old),
                What::Length { old_len, cut } => (*old_len - cut.len(), cut),
            };
            if let Some(byte) = at.checked_sub(from).and_then(|at| old.get_mut(at)) {
                *byte ^= 1 << bit;
            }
        }
    }

    /// Decides about everything that is not durable, and makes the outcome durable.
    pub(super) fn lose_power(&mut self, chance: &mut dyn Chance, reordered: bool, evidence: &mut Evidence) {
        if self.queue.is_empty() {
            return;
        }
        let changes = self.take_back();
        let at_risk = changes.iter().filter(|redo| redo.fate != Fate::Durable).count();
        let mut kept = if reordered { at_risk } else { below(chance, at_risk + 1) };
        let mut amid = kept < at_risk;
        for Redo { what, fate } in changes {
            let share = match fate {
                Fate::Durable => Share::All,
                Fate::Queued | Fate::Unknown if reordered => Share::any(chance),
                Fate::Queued | Fate::Unknown if kept > 0 => {
                    kept -= 1;
                    Share::All
                }
                // The first that is not kept was perhaps under way.
                Fate::Queued | Fate::Unknown if mem::take(&mut amid) => Share::part(chance),
                Fate::Queued | Fate::Unknown => Share::None,
            };
            self.redo(&what, share, chance, evidence);
        }
    }

    /// Undoes the whole queue, newest first; gives what was undone, oldest first.
    fn take_back(&mut self) -> Vec<Redo> {
        let mut changes = Vec::new();
        for Change { what, fate } in mem::take(&mut self.queue).into_iter().rev() {
            let again = match what {
                What::Write { at, len, old, old_len } => {
                    let bytes = self.content[at..at + len].to_vec();
                    self.content.truncate(old_len);
                    put(&mut self.content, at.min(old_len), &old);
                    Again::Write { at, bytes }
                }
                What::Length { old_len, cut } => {
                    let len = self.len();
                    self.content.truncate(old_len);
                    self.content.extend_from_slice(&cut);
                    Again::Length(len)
                }
            };
            changes.push(Redo { what: again, fate });
        }
        changes.reverse();
        changes
    }

    fn redo(&mut self, what: &Again, share: Share, chance: &mut dyn Chance, evidence: &mut Evidence) {
        match (what, share) {
            (Again::Length(len), Share::All) => self.content.resize(*len, 0),
            // A length changes at once or not at all.
            (Again::Length(_), Share::Part | Share::None) => {}
            (Again::Write { at, bytes }, share) => {
                let kept = match share {
                    Share::All => bytes.len(),
                    Share::None => 0,
                    Share::Part => below(chance, bytes.len()),
                };
                put(&mut self.content, *at, &bytes[..kept]);
                evidence.bytes_lost += (bytes.len() - kept) as u64;
                evidence.writes_torn += u64::from(kept > 0 && kept < bytes.len());
            }
        }
    }
}

/// How much of a change survives.
#[derive(Clone, Copy)]
enum Share {
    None,
    Part,
    All,
}

impl Share {
    fn any(chance: &mut dyn Chance) -> Self {
        match chance.below(3) {
            0 => Self::None,
            1 => Self::Part,
            _ => Self::All,
        }
    }

    fn part(chance: &mut dyn Chance) -> Self {
        if chance.below(2) == 0 { Self::None } else { Self::Part }
    }
}

/// Overwrites and appends.
fn put(content: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    if content.len() < at {
        content.resize(at, 0);
    }
    let over = bytes.len().min(content.len() - at);
    content[at..at + over].copy_from_slice(&bytes[..over]);
    content.extend_from_slice(&bytes[over..]);
}
