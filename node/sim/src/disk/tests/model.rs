//! The simplest model of a storage, a list, with what a crash at any moment may leave of it.
//!
//! [`World`] drives the real storage on a simulated disk, and the model beside it. An operation that a fault
//! cuts short leaves [`Maybe`]: the next recovery decides what became of it, and from then on that counts.

use super::*;
use std::fmt::Display;
use zab_core::{LogEntry, Recovered, Snapshot};
use zab_storage::{NotOpened, Options, Storage, StorageError};
use zab_wire::jute::Record;
use zab_wire::snapshot::{NodeRecord, OPEN_ACL_KEY, SnapshotData, StatPersisted};
use zab_wire::txn::{self, Txn, TxnHeader};
use zab_wire::{SessionId, Zxid};

/// A disk that may claim what is not so, to see whether that is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lie {
    None,
    /// No fdatasync.
    SyncsNoData,
    /// No fsync of a file.
    SyncsNoFiles,
    /// No fsync of the folder.
    SyncsNoNames,
}

/// The disk under test.
#[derive(Debug, Clone)]
pub(super) struct Disk {
    pub(super) sim: SimFolder,
    pub(super) lie: Lie,
}

impl Folder for Disk {
    fn path(&self) -> &Path {
        self.sim.path()
    }
    fn list(&self) -> io::Result<Vec<String>> {
        self.sim.list()
    }
    fn read(&self, name: &str) -> io::Result<Bytes> {
        self.sim.read(name)
    }
    fn create(&mut self, name: &str) -> io::Result<()> {
        self.sim.create(name)
    }
    fn create_new(&mut self, name: &str) -> io::Result<()> {
        self.sim.create_new(name)
    }
    fn write_at(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.sim.write_at(name, offset, bytes)
    }
    fn set_len(&mut self, name: &str, len: u64) -> io::Result<()> {
        self.sim.set_len(name, len)
    }
    fn allocate(&mut self, name: &str, from: u64, to: u64) -> io::Result<()> {
        self.sim.allocate(name, from, to)
    }
    fn sync_data(&mut self, name: &str) -> io::Result<()> {
        if self.lie == Lie::SyncsNoData { Ok(()) } else { self.sim.sync_data(name) }
    }
    fn sync_all(&mut self, name: &str) -> io::Result<()> {
        if self.lie == Lie::SyncsNoFiles { Ok(()) } else { self.sim.sync_all(name) }
    }
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.sim.rename(from, to)
    }
    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.sim.remove(name)
    }
    fn sync_dir(&mut self) -> io::Result<()> {
        if self.lie == Lie::SyncsNoNames { Ok(()) } else { self.sim.sync_dir() }
    }
}

/// How a process ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Crash {
    /// With the machine, decided by this seed; or alone.
    pub(super) power: Option<u64>,
    /// The next process ends in the same way after so many operations of its recovery.
    pub(super) again: Option<u8>,
}

/// Something done to the storage or its disk. Shares are in 256ths of the log.
#[derive(Debug, Clone, Copy)]
pub(super) enum Op {
    Append(u8),
    NewEpoch,
    SetCurrent,
    Sync,
    Snapshot(u8),
    Truncate(u8),
    Install(u8),
    Crash(Crash),
    /// The process crashes so many operations of the disk later.
    Fuse(u8, Crash),
    /// So many bytes are left; the process ends when they are used up.
    Full(u16, Crash),
    FailSync(Crash),
    /// Once. From now on the storage may refuse to go on, but nothing else.
    BitFlip(u64),
    /// Likewise.
    Reordered,
}

/// Why a run ends before its last operation.
#[derive(Debug)]
pub(super) enum Stop {
    /// The storage did what it must not.
    Wrong(String),
    /// It refused to go on with a disk that did what no storage can make good.
    Refused,
}

fn wrong<T>(what: impl Display) -> Result<T, Stop> {
    Err(Stop::Wrong(what.to_string()))
}

/// What a cut-short operation may have done.
#[derive(Debug, Clone)]
enum Maybe {
    Nothing,
    Accepted(u32),
    Current(u32),
    Truncated(Zxid),
    Installed(Snapshot, Vec<Zxid>),
}

pub(super) struct World {
    storage: Option<Storage<Disk>>,
    /// The history behind `begin`; the first `durable` of it must not be lost.
    log: Vec<Zxid>,
    durable: usize,
    /// Zero, or what was installed.
    begin: Zxid,
    /// Files in front of this may be gone.
    floor: Zxid,
    /// Every snapshot that there may be.
    snapshots: Vec<Snapshot>,
    accepted: u32,
    current: u32,
    maybe: Maybe,
    /// The last transaction's counter, or `None` when the epoch must not be gone on with.
    counter: Option<u32>,
    /// Makes snapshots differ.
    serial: u32,
    ending: Crash,
    may_refuse: bool,
}

/// A transaction whose bytes differ for every zxid.
fn entry(zxid: Zxid) -> LogEntry {
    let header = TxnHeader { session: SessionId(7), cxid: 1, zxid, time_ms: 1_700_000_000_000 };
    let data = "x".repeat(usize::try_from(zxid.counter % 40).unwrap()).into_bytes();
    let change = Txn::SetData { path: format!("/{zxid}"), data: Some(data), version: 1 };
    LogEntry { zxid, txn: Bytes::from(txn::encode(&header, &change)) }
}

fn snapshot(zxid: Zxid, serial: u32) -> Snapshot {
    let node = NodeRecord {
        path: "/serial".to_owned(),
        data: Some(serial.to_string().into_bytes()),
        acl_key: OPEN_ACL_KEY,
        stat: StatPersisted::default(),
    };
    let tree = SnapshotData { sessions: Vec::new(), acls: Vec::new(), nodes: vec![node] };
    Snapshot { zxid, tree: Bytes::from(tree.to_vec()) }
}

fn open(disk: Disk) -> Result<(Storage<Disk>, Recovered), Box<NotOpened<Disk>>> {
    Storage::open_in(disk, Options { preallocate_bytes: 512, ..Options::default() })
}

impl World {
    pub(super) fn new(lie: Lie) -> Self {
        let (mut storage, _) = open(Disk { sim: SimFolder::new("disk"), lie: Lie::None }).unwrap();
        // So that they never count as missing, which would make them the log's.
        storage.set_accepted_epoch(0).unwrap();
        storage.set_current_epoch(0).unwrap();
        storage.folder_mut().lie = lie;
        Self {
            storage: Some(storage),
            log: Vec::new(),
            durable: 0,
            begin: Zxid::ZERO,
            floor: Zxid::ZERO,
            snapshots: Vec::new(),
            accepted: 0,
            current: 0,
            maybe: Maybe::Nothing,
            counter: None,
            serial: 0,
            ending: Crash { power: None, again: None },
            may_refuse: false,
        }
    }

    pub(super) fn disk(&mut self) -> &mut SimFolder {
        &mut self.storage().folder_mut().sim
    }

    fn storage(&mut self) -> &mut Storage<Disk> {
        self.storage.as_mut().expect("it is only gone within a crash")
    }

    /// Does one thing to the storage and to the model.
    pub(super) fn step(&mut self, op: Op) -> Result<(), Stop> {
        match op {
            Op::Append(count) => (0..count).try_for_each(|_| self.append())?,
            Op::NewEpoch => self.new_epoch()?,
            Op::SetCurrent => self.set_current()?,
            Op::Sync => {
                let result = self.storage().sync();
                self.then(result, |world, ()| world.durable = world.log.len())?;
            }
            Op::Snapshot(share) => self.snapshot(share)?,
            Op::Truncate(share) => self.truncate(share)?,
            Op::Install(share) => self.install(share)?,
            Op::Crash(crash) => self.crash(crash)?,
            Op::Fuse(after, crash) => {
                self.disk().faults.fuse = Some(after.into());
                self.ending = crash;
            }
            Op::Full(left, crash) => {
                let usage = self.disk().usage();
                self.disk().faults.full = Some(usage + u64::from(left));
                self.ending = crash;
            }
            Op::FailSync(crash) => {
                self.disk().faults.fail_sync = true;
                self.ending = crash;
            }
            // Two in one record could go unnoticed.
            Op::BitFlip(_) if self.disk().evidence().bits_flipped > 0 => {}
            Op::BitFlip(seed) => self.may_refuse |= self.disk().bit_flip(&mut dice(seed)).is_some(),
            Op::Reordered => {
                self.disk().faults.reordered = true;
                self.may_refuse = true;
            }
        }
        let last = self.log.last().copied().unwrap_or(self.begin);
        if self.storage().last_zxid() == last { Ok(()) } else { wrong(format!("the last is not {last}")) }
    }

    /// What follows from an operation's result: it is done, or it failed because of a fault and the process ends.
    fn then<T>(
        &mut self,
        result: Result<T, StorageError>,
        done: impl FnOnce(&mut Self, T),
    ) -> Result<(), Stop> {
        match result {
            Ok(value) => {
                done(self, value);
                self.maybe = Maybe::Nothing;
                Ok(())
            }
            Err(_) if self.is_faulty() => self.crash(self.ending),
            Err(_) if self.may_refuse => Err(Stop::Refused),
            Err(error) => wrong(error),
        }
    }

    fn is_faulty(&mut self) -> bool {
        let Faults { full, fail_sync, .. } = self.disk().faults;
        full.is_some() || fail_sync || self.disk().faults.is_gone()
    }

    fn append(&mut self) -> Result<(), Stop> {
        if self.counter.is_none() {
            self.new_epoch()?;
        }
        // A crash while it was promised: the next append tries again.
        let Some(counter) = self.counter else { return Ok(()) };
        let zxid = Zxid::new(self.accepted, counter + 1);
        let result = self.storage().append(&entry(zxid));
        self.then(result, |world, ()| {
            world.log.push(zxid);
            world.counter = Some(counter + 1);
        })
    }

    fn new_epoch(&mut self) -> Result<(), Stop> {
        let epoch = self.accepted + 1;
        self.maybe = Maybe::Accepted(epoch);
        let result = self.storage().set_accepted_epoch(epoch);
        self.then(result, |world, ()| {
            world.accepted = epoch;
            world.counter = Some(0);
        })
    }

    fn set_current(&mut self) -> Result<(), Stop> {
        let epoch = self.accepted;
        self.maybe = Maybe::Current(epoch);
        let result = self.storage().set_current_epoch(epoch);
        self.then(result, |world, ()| {
            world.current = epoch;
            world.durable = world.log.len();
        })
    }

    /// A place that is durable and surely still there.
    fn pick(&self, share: u8) -> Option<Zxid> {
        let there = &self.log[self.count(self.floor).min(self.durable)..self.durable];
        there.get(there.len() * usize::from(share) / 256).copied()
    }

    fn snapshot(&mut self, share: u8) -> Result<(), Stop> {
        let Some(zxid) = self.pick(share) else { return Ok(()) };
        self.serial += 1;
        let taken = snapshot(zxid, self.serial);
        // Done or not: it may be there, and the log in front of the oldest kept snapshot may be gone.
        self.snapshots.push(taken.clone());
        let mut places: Vec<_> = self.snapshots.iter().map(|snapshot| snapshot.zxid).collect();
        places.sort();
        places.dedup();
        if places.len() > 3 {
            self.floor = places[places.len() - 3];
        }
        let result = self.storage().take_snapshot(&taken);
        self.then(result, |world, ()| {
            world.durable = world.log.len();
            world.snapshots.retain(|other| other.zxid != zxid || *other == taken);
        })
    }

    fn truncate(&mut self, share: u8) -> Result<(), Stop> {
        let Some(to) = self.pick(share) else { return Ok(()) };
        self.maybe = Maybe::Truncated(to);
        let places: Vec<Zxid> = self.disk().names.list().filter_map(|name| place(name)).collect();
        let in_front = !places.is_empty() && places.iter().all(|place| to < *place);
        let result = self.storage().truncate(to);
        if in_front && matches!(result, Err(StorageError::NotInLog { .. })) {
            // A log that begins in a later epoch may not be the whole history: that only a snapshot tells.
            return self.then(Ok(()), |world, ()| world.durable = world.log.len());
        }
        let mut recovered = None;
        self.then(result, |world, now| {
            world.log.retain(|at| *at <= to);
            world.durable = world.log.len();
            world.snapshots.retain(|snapshot| snapshot.zxid <= to);
            recovered = Some(now);
        })?;
        recovered.map_or(Ok(()), |recovered| self.adopt(&recovered))
    }

    fn install(&mut self, share: u8) -> Result<(), Stop> {
        self.serial += 1;
        let new = snapshot(self.pick(share).unwrap_or(self.floor), self.serial);
        let behind: Vec<Zxid> =
            std::iter::successors(new.zxid.next(), |at| at.next()).take(usize::from(share % 3)).collect();
        self.maybe = Maybe::Installed(new.clone(), behind.clone());
        let entries: Vec<LogEntry> = behind.iter().map(|at| entry(*at)).collect();
        let result = self.storage().install_snapshot(&new, &entries);
        self.then(result, |world, ()| world.installed(new, behind))
    }

    /// Installs a state, but gets no further than so many operations of the disk.
    pub(super) fn install_until(&mut self, operations: u32) {
        self.disk().faults.fuse = Some(operations);
        let (new, behind) = (snapshot(self.floor, self.serial + 1), self.floor.next());
        let entries: Vec<LogEntry> = behind.into_iter().map(entry).collect();
        // The fuse may well burn within; then it is an error.
        let _ended = self.storage().install_snapshot(&new, &entries);
    }

    fn installed(&mut self, new: Snapshot, behind: Vec<Zxid>) {
        self.durable = behind.len();
        self.log = behind;
        (self.begin, self.floor) = (new.zxid, new.zxid);
        self.snapshots = vec![new];
        self.counter = None;
    }

    /// Ends the process, begins the next, and sees what that one finds.
    pub(super) fn crash(&mut self, crash: Crash) -> Result<(), Stop> {
        let disk = self.storage.take().expect("a crash ends with a storage").into_folder();
        let mut disk = ended(disk, crash.power);
        disk.sim.faults.fuse = crash.again.map(u32::from);
        let opened = match open(disk) {
            Err(gone) if gone.folder.sim.faults.is_gone() => {
                open(ended(gone.folder, crash.power.map(|seed| !seed)))
            }
            opened => opened,
        };
        match opened {
            Ok((mut storage, recovered)) => {
                storage.folder_mut().sim.faults.fuse = None;
                self.storage = Some(storage);
                self.adopt(&recovered)
            }
            Err(_) if self.may_refuse => Err(Stop::Refused),
            Err(refused) => wrong(refused.error),
        }
    }

    /// Judges what a storage recovered, and takes it for the truth: the server speaks for it now.
    fn adopt(&mut self, recovered: &Recovered) -> Result<(), Stop> {
        let Recovered { accepted_epoch, current_epoch, snapshot, entries } = recovered;
        let maybe = std::mem::replace(&mut self.maybe, Maybe::Nothing);
        let is = |maybe: &Maybe, wanted: fn(u32) -> Maybe, epoch: u32| match (maybe, wanted(epoch)) {
            (Maybe::Accepted(a), Maybe::Accepted(b)) | (Maybe::Current(a), Maybe::Current(b)) => *a == b,
            _ => false,
        };
        let made_current = is(&maybe, Maybe::Current, *current_epoch) && *current_epoch != self.current;
        if *accepted_epoch != self.accepted && !is(&maybe, Maybe::Accepted, *accepted_epoch) {
            return wrong(format!("acceptedEpoch {accepted_epoch} instead of {}", self.accepted));
        }
        if *current_epoch != self.current && !made_current {
            return wrong(format!("currentEpoch {current_epoch} instead of {}", self.current));
        }
        (self.accepted, self.current, self.counter) = (*accepted_epoch, *current_epoch, None);
        match maybe {
            Maybe::Installed(new, behind) if snapshot.as_ref() == Some(&new) => {
                let wanted: Vec<LogEntry> = behind.iter().map(|at| entry(*at)).collect();
                self.installed(new, behind);
                if *entries == wanted { Ok(()) } else { wrong("other transactions behind a new snapshot") }
            }
            Maybe::Truncated(to) => self.adopt_log(snapshot.as_ref(), entries, self.count(to)),
            Maybe::Current(_) if made_current => self.adopt_log(snapshot.as_ref(), entries, self.log.len()),
            Maybe::Nothing | Maybe::Accepted(_) | Maybe::Current(_) | Maybe::Installed(..) => {
                self.adopt_log(snapshot.as_ref(), entries, self.durable)
            }
        }
    }

    /// How many transactions of the log are at or before `to`.
    fn count(&self, to: Zxid) -> usize {
        self.log.partition_point(|at| *at <= to)
    }

    /// Whatever snapshot was chosen: with the entries behind it, it must be a beginning of the log that has at
    /// least so many transactions.
    fn adopt_log(
        &mut self,
        base: Option<&Snapshot>,
        entries: &[LogEntry],
        at_least: usize,
    ) -> Result<(), Stop> {
        if let Some(unknown) = base.filter(|base| !self.snapshots.contains(base)) {
            return wrong(format!("a snapshot at {} that was replaced or never taken", unknown.zxid));
        }
        let base = base.map_or(Zxid::ZERO, |base| base.zxid);
        if base < self.begin {
            return wrong(format!("an older state, {base}, than {}", self.begin));
        }
        let covered = self.count(base);
        let end = covered + entries.len();
        let expected = self.log.get(covered..end);
        if !expected
            .is_some_and(|log| entries.iter().eq(&log.iter().map(|at| entry(*at)).collect::<Vec<_>>()))
        {
            return wrong(format!("behind {base}, {entries:?} is no part of {:?}", self.log));
        }
        if end < at_least {
            return wrong(format!("{} are left of {at_least} durable transactions", end));
        }
        self.log.truncate(end);
        self.durable = end;
        let last = self.log.last().copied().unwrap_or(self.begin);
        self.snapshots.retain(|snapshot| snapshot.zxid <= last);
        Ok(())
    }
}

/// Where a snapshot file stands.
fn place(name: &str) -> Option<Zxid> {
    let bits = u64::from_str_radix(name.strip_prefix(SNAPSHOT)?, 16).ok()?;
    Some(Zxid::from_bits(bits))
}

/// The disk after the end of a process.
fn ended(mut disk: Disk, power: Option<u64>) -> Disk {
    match power {
        Some(seed) => disk.sim.power_loss(&mut dice(seed)),
        None => disk.sim.kill(),
    }
    disk.sim.faults = Faults { reordered: disk.sim.faults.reordered, ..Faults::default() };
    disk
}
