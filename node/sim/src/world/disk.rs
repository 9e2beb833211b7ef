//! A server's disk thread: disk effects in order, with group commit, as `zab-node`'s (`disk.rs` there).
//!
//! A batch is all appends up to the next effect that no other can share an fdatasync with, or that effect
//! alone. It is *begun*, takes its time, and is *finished*: only then is anything of it reported. A process
//! that dies in between leaves some first part of the batch done.

use super::store::Store;
use crate::dice::Dice;
use crate::properties::{Seen, digest};
use std::collections::VecDeque;
use zab_core::{Bug, Event, LogEntry, Recovered, Snapshot, SyncToken};
use zab_wire::Zxid;

/// A disk effect.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Work {
    /// Add to the log.
    Append(LogEntry),
    /// Report when all before it is durable.
    Sync(SyncToken),
    /// Something that no other work can share an fdatasync with.
    Alone(Alone),
}

/// A disk effect that is durable by itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Alone {
    Truncate(Zxid),
    SetAcceptedEpoch(u32),
    SetCurrentEpoch(u32),
    TakeSnapshot(Snapshot),
    InstallSnapshot { snapshot: Snapshot, entries: Vec<LogEntry> },
}

/// A disk and the thread that works on it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Disk {
    store: Store,
    queue: VecDeque<Work>,
    /// So many pieces of work at the front of the queue are being worked on.
    working: usize,
    /// Nothing is begun or finished while this is set: a disk that hangs.
    pub(super) held: bool,
    /// How much longer than usual everything takes.
    pub(super) slow_us: u64,
    /// acceptedEpoch and currentEpoch as they are durable.
    epochs: (u32, u32),
}

impl Disk {
    pub(super) fn push(&mut self, work: Work) {
        self.queue.push_back(work);
    }

    /// Begins a batch if there is something that somebody waits for. Says whether it did.
    pub(super) fn begin(&mut self) -> bool {
        if self.held || self.working > 0 {
            return false;
        }
        let shared = self.queue.iter().take_while(|work| !matches!(work, Work::Alone(_))).count();
        let awaited =
            shared < self.queue.len() || self.queue.iter().any(|work| matches!(work, Work::Sync(_)));
        self.working = match shared {
            _ if !awaited => 0,
            // Work that stands alone, once what comes before it is durable.
            0 => 1,
            _ => shared,
        };
        self.working > 0
    }

    pub(super) fn is_working(&self) -> bool {
        self.working > 0
    }

    /// Finishes the batch: reports to the server, and tells what is durable now.
    ///
    /// # Errors
    /// Why the process ends: its disk failed.
    pub(super) fn finish(
        &mut self,
        at: u16,
        events: &mut Vec<Event>,
        seen: &mut Vec<Seen>,
    ) -> Result<(), String> {
        let batch: Vec<Work> = self.queue.drain(..std::mem::take(&mut self.working)).collect();
        let mut synced = Vec::new();
        let mut appended = Vec::new();
        for work in batch {
            match work {
                Work::Append(entry) => {
                    self.store.append(&entry)?;
                    appended.push((entry.zxid, digest(&entry.txn)));
                }
                Work::Sync(token) => synced.push(Event::Synced { token }),
                Work::Alone(alone) => self.alone(at, alone, events, seen)?,
            }
        }
        if !appended.is_empty() {
            self.store.sync()?;
            seen.extend(appended.into_iter().map(|(zxid, digest)| Seen::Logged { at, zxid, digest }));
        }
        events.append(&mut synced);
        Ok(())
    }

    fn alone(
        &mut self,
        at: u16,
        alone: Alone,
        events: &mut Vec<Event>,
        seen: &mut Vec<Seen>,
    ) -> Result<(), String> {
        match alone {
            Alone::Truncate(to) => match self.store.truncate(to)? {
                Some(recovered) => {
                    seen.push(Seen::Cut { at, to });
                    events.push(Event::Truncated { recovered });
                }
                None => events.push(Event::TruncationImpossible),
            },
            Alone::SetAcceptedEpoch(epoch) => {
                self.store.set_accepted_epoch(epoch)?;
                self.epochs.0 = epoch;
                seen.push(Seen::Epochs { at, accepted: self.epochs.0, current: self.epochs.1 });
            }
            Alone::SetCurrentEpoch(epoch) => {
                self.store.set_current_epoch(epoch)?;
                self.epochs.1 = epoch;
                seen.push(Seen::Epochs { at, accepted: self.epochs.0, current: self.epochs.1 });
            }
            Alone::TakeSnapshot(snapshot) => self.store.take_snapshot(&snapshot)?,
            Alone::InstallSnapshot { snapshot, entries } => {
                self.store.install_snapshot(&snapshot, &entries)?;
                let last = entries.last().map_or(snapshot.zxid, |entry| entry.zxid);
                seen.push(Seen::Installed { at, zxid: snapshot.zxid, last });
                let logged =
                    |entry: &LogEntry| Seen::Logged { at, zxid: entry.zxid, digest: digest(&entry.txn) };
                seen.extend(entries.iter().map(logged));
            }
        }
        Ok(())
    }

    /// The process is gone. Of the batch under way, the first `done` steps on the disk were taken. Gives the zxid
    /// behind which the batch would have given up what the log held, if it would.
    pub(super) fn die(&mut self, done: u32) -> Option<Zxid> {
        self.store.blow_after(done);
        let batch: Vec<Work> = self.queue.drain(..std::mem::take(&mut self.working)).collect();
        let changing =
            batch.first().and_then(|work| match work {
                Work::Alone(Alone::Truncate(to)) => Some(*to),
                Work::Alone(Alone::InstallSnapshot { snapshot, entries }) => {
                    Some(entries.last().map_or(snapshot.zxid, |entry| entry.zxid))
                }
                Work::Append(_)
                | Work::Sync(_)
                | Work::Alone(
                    Alone::SetAcceptedEpoch(_) | Alone::SetCurrentEpoch(_) | Alone::TakeSnapshot(_),
                ) => None,
            });
        let mut unheard = (Vec::new(), Vec::new());
        let mut dirty = false;
        for work in batch {
            // The fuse ends this at the latest; nobody hears of the error, nor of what was finished.
            let went_on = match work {
                Work::Append(entry) => {
                    dirty = true;
                    self.store.append(&entry)
                }
                Work::Sync(_) => Ok(()),
                Work::Alone(alone) => self.alone(0, alone, &mut unheard.0, &mut unheard.1),
            };
            if went_on.is_err() {
                break;
            }
        }
        if dirty {
            let _nobody_hears = self.store.sync();
        }
        self.queue.clear();
        self.store.close();
        changing
    }

    /// The machine lost its power: what was not synced may be lost or torn.
    pub(super) fn lose_power(&mut self, dice: &mut Dice) {
        self.store.lose_power(dice);
    }

    /// A process starts on what is there.
    ///
    /// # Errors
    /// Why it refuses to.
    pub(super) fn open(&mut self, bug: Option<Bug>) -> Result<Recovered, String> {
        self.held = false;
        let recovered = self.store.open(bug == Some(Bug::ForgetAcceptedEpoch))?;
        self.epochs = (recovered.accepted_epoch, recovered.current_epoch);
        Ok(recovered)
    }
}
impl Disk {
    /// Every fsync fails from now on, if a process uses the disk: that process will not live to see many.
    pub(super) fn fail(&mut self) {
        self.store.fail_syncs(true);
    }

    /// It does not after all.
    pub(super) fn fails_no_more(&mut self) {
        self.store.fail_syncs(false);
    }

    /// No room is left.
    pub(super) fn fill(&mut self) {
        self.store.fill();
    }

    /// There is room again.
    pub(super) fn free(&mut self) {
        self.store.free();
    }

    /// A bit flips in a closed file; false when there is none.
    pub(super) fn flip_bit(&mut self, chance: u64) -> bool {
        self.store.flip_bit(&mut Dice::new(chance, "bit"))
    }

    /// An empty disk takes its place.
    pub(super) fn wipe(&mut self) {
        *self = Self::default();
    }
}
