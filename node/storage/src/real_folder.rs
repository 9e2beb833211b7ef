//! The folder of a real server: `dataDir/version-2`, on the file system, locked for this process.
//!
//! The file written last stays open: between two snapshots that is the log, and an append costs a write and
//! an fdatasync and no opening.

use crate::error::{IoContext, StorageError};
use crate::folder::Folder;
use bytes::Bytes;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// The folder inside dataDir, named after ZooKeeper's format version.
const VERSION_FOLDER: &str = "version-2";

/// An opened, locked data directory.
#[derive(Debug)]
pub struct RealFolder {
    path: PathBuf,
    /// The file written last, by name.
    open: Option<(String, File)>,
    /// Held as long as this lives; the kernel drops it with the process, however that ends.
    _lock: Flock<File>,
}

impl RealFolder {
    /// Creates `data_dir/version-2` where it is missing, and locks it.
    ///
    /// # Errors
    /// [`StorageError::Locked`] when another process has it; [`StorageError::Io`] otherwise.
    pub fn open(data_dir: &Path) -> Result<Self, StorageError> {
        let path = data_dir.join(VERSION_FOLDER);
        let new = !data_dir.exists();
        fs::create_dir_all(&path).context("create", || path.clone())?;
        // The new folders' own names must be durable too, or a crash loses all that is in them.
        let made_durable = |folder: &Path| sync_folder(folder).context("fsync", || folder.to_owned());
        made_durable(data_dir)?;
        if let Some(parent) = data_dir.parent().filter(|parent| new && *parent != Path::new("")) {
            made_durable(parent)?;
        }
        let handle = File::open(&path).context("open", || path.clone())?;
        match Flock::lock(handle, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Self { path, open: None, _lock: lock }),
            Err((_, Errno::EWOULDBLOCK)) => Err(StorageError::Locked { path }),
            Err((_, errno)) => Err(io::Error::from(errno)).context("lock", || path),
        }
    }

    /// The file for writing, and from now on the one that stays open.
    fn opened(&mut self, name: &str) -> io::Result<&File> {
        if self.open.as_ref().is_none_or(|(opened, _)| opened != name) {
            let file = OpenOptions::new().write(true).open(self.path.join(name))?;
            self.open = Some((name.to_owned(), file));
        }
        Ok(&self.open.as_ref().expect("it was set just now").1)
    }

    /// What this name stands for is about to change.
    fn close(&mut self, name: &str) {
        self.open.take_if(|(opened, _)| opened == name);
    }
}

impl Folder for RealFolder {
    fn path(&self) -> &Path {
        &self.path
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            // None of ours has a name that is not UTF-8.
            names.extend(entry?.file_name().into_string().ok());
        }
        Ok(names)
    }

    fn read(&self, name: &str) -> io::Result<Bytes> {
        fs::read(self.path.join(name)).map(Bytes::from)
    }

    fn create(&mut self, name: &str) -> io::Result<()> {
        self.open = Some((name.to_owned(), File::create(self.path.join(name))?));
        Ok(())
    }

    fn create_new(&mut self, name: &str) -> io::Result<()> {
        let file = OpenOptions::new().write(true).create_new(true).open(self.path.join(name))?;
        self.open = Some((name.to_owned(), file));
        Ok(())
    }

    fn write_at(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.opened(name)?.write_all_at(bytes, offset)
    }

    fn set_len(&mut self, name: &str, len: u64) -> io::Result<()> {
        self.opened(name)?.set_len(len)
    }

    fn allocate(&mut self, name: &str, from: u64, to: u64) -> io::Result<()> {
        allocate(self.opened(name)?, from, to)
    }

    fn sync_data(&mut self, name: &str) -> io::Result<()> {
        self.opened(name)?.sync_data()
    }

    fn sync_all(&mut self, name: &str) -> io::Result<()> {
        self.opened(name)?.sync_all()
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.close(from);
        self.close(to);
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.close(name);
        fs::remove_file(self.path.join(name))
    }

    fn sync_dir(&mut self) -> io::Result<()> {
        sync_folder(&self.path)
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Lengthens a file with zeros from `from` to `to`, with real blocks where the file system can.
#[cfg(target_os = "linux")]
fn allocate(file: &File, from: u64, to: u64) -> io::Result<()> {
    use nix::fcntl::{FallocateFlags, fallocate};
    let offset = i64::try_from(from).expect("a log file is far below 2^63 bytes");
    let length = i64::try_from(to - from).expect("a log file is far below 2^63 bytes");
    match fallocate(file, FallocateFlags::empty(), offset, length) {
        Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => file.set_len(to),
        Err(errno) => Err(errno.into()),
        Ok(()) => Ok(()),
    }
}

#[cfg(not(target_os = "linux"))]
fn allocate(file: &File, _from: u64, to: u64) -> io::Result<()> {
    file.set_len(to)
}
