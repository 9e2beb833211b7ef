//! What is on a disk, as a model: to be replaced by the real storage on a simulated folder.

use crate::dice::Dice;
use std::collections::VecDeque;
use zab_core::{LogEntry, Recovered, Snapshot};
use zab_wire::Zxid;

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Store {
    durable: Recovered,
    pending: VecDeque<LogEntry>,
    fuse: Option<u32>,
}

impl Store {
    fn burn(&mut self) -> Result<(), String> {
        match &mut self.fuse {
            Some(0) => Err("the process is gone".to_owned()),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
    pub(super) fn append(&mut self, entry: &LogEntry) -> Result<(), String> {
        self.pending.push_back(entry.clone());
        Ok(())
    }
    pub(super) fn sync(&mut self) -> Result<(), String> {
        while let Some(entry) = self.pending.pop_front() {
            self.burn()?;
            self.durable.entries.push(entry);
        }
        Ok(())
    }
    pub(super) fn truncate(&mut self, to: Zxid) -> Result<Option<Recovered>, String> {
        self.burn()?;
        self.sync()?;
        let base = self.durable.snapshot.as_ref().map_or(Zxid::ZERO, |snapshot| snapshot.zxid);
        let known = base == to || self.durable.entries.iter().any(|entry| entry.zxid == to);
        if !known || base > to {
            return Ok(None);
        }
        self.durable.entries.retain(|entry| entry.zxid <= to);
        Ok(Some(self.durable.clone()))
    }
    pub(super) fn take_snapshot(&mut self, snapshot: &Snapshot) -> Result<(), String> {
        self.burn()?;
        self.sync()?;
        self.durable.entries.retain(|entry| entry.zxid > snapshot.zxid);
        self.durable.snapshot = Some(snapshot.clone());
        Ok(())
    }
    pub(super) fn install_snapshot(&mut self, snapshot: &Snapshot) -> Result<(), String> {
        self.burn()?;
        self.pending.clear();
        self.durable.entries.clear();
        self.durable.snapshot = Some(snapshot.clone());
        Ok(())
    }
    pub(super) fn set_accepted_epoch(&mut self, epoch: u32) -> Result<(), String> {
        self.burn()?;
        self.durable.accepted_epoch = epoch;
        Ok(())
    }
    pub(super) fn set_current_epoch(&mut self, epoch: u32) -> Result<(), String> {
        self.burn()?;
        self.sync()?;
        self.durable.current_epoch = epoch;
        Ok(())
    }
    pub(super) fn blow_after(&mut self, operations: u32) {
        self.fuse = Some(operations);
    }
    pub(super) fn close(&mut self) {
        self.fuse = None;
        self.pending.clear();
    }
    pub(super) fn lose_power(&mut self, _dice: &mut Dice) {}
    pub(super) fn open(&mut self, forgetful: bool) -> Result<Recovered, String> {
        let mut recovered = self.durable.clone();
        if forgetful {
            recovered.accepted_epoch = 0;
        }
        Ok(recovered)
    }
    pub(super) fn fill(&mut self) {}
    pub(super) fn free(&mut self) {}
    pub(super) fn flip_bit(&mut self, _dice: &mut Dice) -> bool {
        false
    }
}
