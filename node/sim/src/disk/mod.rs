//! A disk in memory for one server: the [`Folder`] that its storage works in, with every fault that a real one has.
//!
//! What every process sees, and what a power loss leaves, are two things:
//!
//! ```text
//!                      seen by all processes      after a power loss
//! write, set_len       at once                    perhaps, perhaps torn, until a sync of the file
//! create, rename,
//! remove               at once                    perhaps, until a sync of the folder
//! kill                 nothing changes            nothing changes: what was at risk still is
//! ```
//!
//! [`SimFolder::kill`] and [`SimFolder::power_loss`] end the process that uses the disk; the next one opens
//! the same `SimFolder`. [`Faults`] are switches for the operations that follow, [`Evidence`] counts what came of
//! them. Everything is a function of the operations and of the [`Chance`] that the caller brings: no clock, thread,
//! hash order or random number is in here.
//!
//! # Performance
//!
//! An append costs its own bytes and a sync of it nothing (see `file`); a clone shares the files' bytes until one of
//! the two changes them.

mod chance;
mod evidence;
mod faults;
mod file;
mod names;
#[cfg(test)]
mod tests;

pub use chance::Chance;
pub use evidence::Evidence;
pub use faults::Faults;

use bytes::Bytes;
use chance::below;
use faults::{no_space, sync_failed};
use file::File;
use names::Names;
use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::io;
use std::path::Path;
use std::sync::Arc;
use zab_storage::Folder;

const LOG: &str = "log.";
const SNAPSHOT: &str = "snapshot.";

/// A simulated disk.
#[derive(Debug, Clone)]
pub struct SimFolder {
    /// The faults that are switched on.
    pub faults: Faults,
    path: Arc<Path>,
    names: Names,
    /// The log file changed last.
    active: Option<String>,
    /// Files in which a bit flipped.
    flipped: BTreeSet<String>,
    evidence: Evidence,
}

/// All but the evidence.
impl PartialEq for SimFolder {
    fn eq(&self, other: &Self) -> bool {
        let Self { faults, path, names, active, flipped, evidence: _ } = self;
        *faults == other.faults
            && *path == other.path
            && *names == other.names
            && *active == other.active
            && *flipped == other.flipped
    }
}

impl Eq for SimFolder {}

impl Hash for SimFolder {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.faults, &self.path, &self.names, &self.active, &self.flipped).hash(state);
    }
}

impl SimFolder {
    /// An empty disk that messages call `path`.
    #[must_use]
    pub fn new(path: &str) -> Self {
        Self {
            faults: Faults::default(),
            path: Arc::from(Path::new(path)),
            names: Names::default(),
            active: None,
            flipped: BTreeSet::new(),
            evidence: Evidence::default(),
        }
    }

    /// What has happened to it.
    #[must_use]
    pub fn evidence(&self) -> Evidence {
        self.evidence
    }

    /// How many bytes its files have, reserved ones included.
    #[must_use]
    pub fn usage(&self) -> u64 {
        self.names.files().map(|(_, file)| file.len() as u64).sum()
    }

    /// The end of the process by SIGKILL: everything it wrote is there for the next one, and no more durable than it
    /// was.
    pub fn kill(&mut self) {
        self.evidence.kills += 1;
        self.faults.fuse = None;
    }

    /// The end of the process by the end of the machine: of everything that is not durable, `chance` decides what
    /// is left, and that is durable.
    pub fn power_loss(&mut self, chance: &mut dyn Chance) {
        self.evidence.power_losses += 1;
        self.faults.fuse = None;
        self.names.lose_power(chance, self.faults.reordered, &mut self.evidence);
    }

    /// Flips one bit on the medium, in a log or snapshot file that is not being written and in which none flipped
    /// before. Gives the file; `None` when there is none.
    ///
    /// Other damage cannot be noticed in ZooKeeper's format, by whatever code: at the end of the log it looks like a
    /// torn write, and a second flip in a record (one in its length, one in its end) like one that was cut short.
    pub fn bit_flip(&mut self, chance: &mut dyn Chance) -> Option<String> {
        let active = self.active_log();
        let closed = self
            .names
            .files()
            .filter(|(name, file)| file.len() > 0 && Some(*name) != active.as_ref() && is_numbered(name))
            .filter(|(name, _)| !self.flipped.contains(*name));
        let closed: Vec<String> = closed.map(|(name, _)| name.clone()).collect();
        if closed.is_empty() {
            return None;
        }
        let name = &closed[below(chance, closed.len())];
        let file = self.names.get_mut(name).ok()?;
        let at = below(chance, file.len());
        file.flip(at, below(chance, 8));
        self.evidence.bits_flipped += 1;
        self.flipped.insert(name.clone());
        Some(name.clone())
    }

    /// A new, empty disk takes the place of this one; the faults stay.
    pub fn wipe(&mut self) {
        self.names = Names::default();
        self.active = None;
        self.flipped.clear();
    }

    /// The log file that is being written: the one changed last or, when that is gone, the newest.
    fn active_log(&self) -> Option<String> {
        let newest = || {
            let logs = self
                .names
                .list()
                .filter_map(|name| Some((u64::from_str_radix(name.strip_prefix(LOG)?, 16).ok()?, name)));
            logs.max().map(|(_, name)| name.clone())
        };
        self.active.clone().filter(|name| self.names.get(name).is_ok()).or_else(newest)
    }

    /// Lets an operation begin, unless the process is gone.
    fn begin(&mut self) -> io::Result<()> {
        self.evidence.operations += 1;
        let passed = self.faults.pass();
        self.count(passed)
    }

    fn count<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        self.evidence.failures += u64::from(result.is_err());
        result
    }

    /// The file, which is about to be changed.
    fn change(&mut self, name: &str) -> io::Result<&mut File> {
        let file = self.names.get_mut(name)?;
        if name.starts_with(LOG) && self.active.as_deref() != Some(name) {
            self.active = Some(name.to_owned());
        }
        Ok(file)
    }

    /// How many more bytes the files may have.
    fn room(&self) -> usize {
        let Some(space) = self.faults.full else { return usize::MAX };
        usize::try_from(space.saturating_sub(self.usage())).unwrap_or(usize::MAX)
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        self.begin()?;
        let failing = self.faults.fail_sync;
        let file = self.names.get_mut(name)?;
        if failing {
            file.fail_sync();
            return self.count(Err(sync_failed()));
        }
        file.sync();
        self.evidence.syncs += 1;
        Ok(())
    }
}

impl Folder for SimFolder {
    fn path(&self) -> &Path {
        &self.path
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.faults.pass_read()?;
        Ok(self.names.list().cloned().collect())
    }

    fn read(&self, name: &str) -> io::Result<Bytes> {
        self.faults.pass_read()?;
        Ok(Bytes::copy_from_slice(self.names.get(name)?.content()))
    }

    fn create(&mut self, name: &str) -> io::Result<()> {
        self.begin()?;
        if !self.names.create(name) {
            self.change(name)?.set_len(0);
        }
        Ok(())
    }

    fn create_new(&mut self, name: &str) -> io::Result<()> {
        self.begin()?;
        if self.names.create(name) { Ok(()) } else { Err(io::ErrorKind::AlreadyExists.into()) }
    }

    fn write_at(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.begin()?;
        let at = in_memory(offset)?;
        let room = self.room();
        let file = self.change(name)?;
        let fits = file.len().saturating_add(room).saturating_sub(at).min(bytes.len());
        file.write(at, &bytes[..fits]);
        if fits == bytes.len() { Ok(()) } else { self.count(Err(no_space())) }
    }

    fn set_len(&mut self, name: &str, len: u64) -> io::Result<()> {
        self.begin()?;
        // Longer ones take no space yet.
        let len = in_memory(len)?;
        self.change(name)?.set_len(len);
        Ok(())
    }

    fn allocate(&mut self, name: &str, _from: u64, to: u64) -> io::Result<()> {
        self.begin()?;
        let to = in_memory(to)?;
        let room = self.room();
        let file = self.change(name)?;
        let more = to.saturating_sub(file.len());
        if more > room {
            return self.count(Err(no_space()));
        }
        file.set_len(file.len() + more);
        Ok(())
    }

    fn sync_data(&mut self, name: &str) -> io::Result<()> {
        self.sync(name)
    }

    fn sync_all(&mut self, name: &str) -> io::Result<()> {
        self.sync(name)
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.begin()?;
        self.names.rename(from, to)
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.begin()?;
        self.names.remove(name)
    }

    fn sync_dir(&mut self) -> io::Result<()> {
        self.begin()?;
        if self.faults.fail_sync {
            return self.count(Err(sync_failed()));
        }
        self.names.sync();
        self.evidence.syncs += 1;
        Ok(())
    }
}

fn is_numbered(name: &str) -> bool {
    let digits = name.strip_prefix(LOG).or_else(|| name.strip_prefix(SNAPSHOT));
    digits.is_some_and(|digits| u64::from_str_radix(digits, 16).is_ok())
}

fn in_memory(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(|too_far| io::Error::new(io::ErrorKind::InvalidInput, too_far))
}
