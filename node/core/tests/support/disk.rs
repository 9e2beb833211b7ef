//! A disk in memory that does what fsync promises and no more.

use std::collections::VecDeque;
use zab_core::{Bug, Effect, Event, Recovered};
use zab_wire::Zxid;

/// What is durable, and what waits.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    durable: Recovered,
    waiting: VecDeque<Effect>,
    /// Nothing is finished while this is set.
    pub(crate) held: bool,
}

impl Disk {
    pub(crate) fn queue(&mut self, effect: Effect) {
        self.waiting.push_back(effect);
    }

    pub(crate) fn lose_unsynced(&mut self) {
        self.waiting.clear();
        self.held = false;
    }

    pub(crate) fn recovered(&self, bug: Option<Bug>) -> Recovered {
        let mut recovered = self.durable.clone();
        if bug == Some(Bug::ForgetAcceptedEpoch) {
            recovered.accepted_epoch = 0;
        }
        recovered
    }

    pub(crate) fn zxids(&self) -> Vec<Zxid> {
        self.durable.entries.iter().map(|entry| entry.zxid).collect()
    }

    pub(crate) fn epochs(&self) -> (u32, u32) {
        (self.durable.accepted_epoch, self.durable.current_epoch)
    }

    /// Carries out what waits, up to the last point that somebody waits for.
    pub(crate) fn work(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        let awaited = self
            .waiting
            .iter()
            .rposition(|effect| matches!(effect, Effect::Sync { .. } | Effect::Truncate { .. }));
        let Some(last) = awaited.filter(|_| !self.held) else { return events };
        self.work_to(last, &mut events);
        events
    }

    /// Carries out what waits up to the first point that somebody waits for, even if held.
    pub(crate) fn work_once(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        let first = self
            .waiting
            .iter()
            .position(|effect| matches!(effect, Effect::Sync { .. } | Effect::Truncate { .. }));
        if let Some(first) = first {
            self.work_to(first, &mut events);
        }
        events
    }

    fn work_to(&mut self, last: usize, events: &mut Vec<Event>) {
        for effect in self.waiting.drain(..=last) {
            match effect {
                Effect::Append(entry) => self.durable.entries.push(entry),
                Effect::Truncate { to } => {
                    let base = self.durable.snapshot.as_ref().map_or(Zxid::ZERO, |snapshot| snapshot.zxid);
                    let known = base == to || self.durable.entries.iter().any(|entry| entry.zxid == to);
                    if known && base <= to {
                        self.durable.entries.retain(|entry| entry.zxid <= to);
                        events.push(Event::Truncated { recovered: self.durable.clone() });
                    } else {
                        events.push(Event::TruncationImpossible);
                    }
                }
                Effect::SetAcceptedEpoch(epoch) => self.durable.accepted_epoch = epoch,
                Effect::SetCurrentEpoch(epoch) => self.durable.current_epoch = epoch,
                Effect::TakeSnapshot(snapshot) => {
                    self.durable.entries.retain(|entry| entry.zxid > snapshot.zxid);
                    self.durable.snapshot = Some(snapshot);
                }
                Effect::InstallSnapshot { snapshot, entries } => {
                    self.durable.entries = entries;
                    self.durable.snapshot = Some(snapshot);
                }
                Effect::Sync { token } => events.push(Event::Synced { token }),
                other => panic!("{other:?} is no work for a disk"),
            }
        }
    }
}
