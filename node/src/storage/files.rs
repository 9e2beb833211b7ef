//! The data directory itself: names, the lock, and replacing a file so that a crash leaves the old one
//! or the new one.
//!
//! A file is durable when its bytes *and* its directory entry are: fsync of a file says nothing about its
//! name, so every creation, renaming and deletion that matters is followed by an fsync of the directory.

use super::error::{IoContext, StorageError};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use zab_wire::Zxid;

/// The folder inside dataDir, named after ZooKeeper's format version.
const VERSION_FOLDER: &str = "version-2";

/// What files are called while they are being written; leftovers are deleted at the next start.
const UNFINISHED: &str = ".tmp";

/// An opened, locked data directory.
#[derive(Debug)]
pub(super) struct DataDir {
    path: PathBuf,
    /// Held as long as this lives; the kernel drops it with the process, however that ends.
    _lock: Flock<File>,
}

/// A file whose name carries a zxid: `log.100000001`, `snapshot.0`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NumberedFile {
    pub(super) zxid: Zxid,
    pub(super) path: PathBuf,
}

impl DataDir {
    /// Creates `data_dir/version-2` where it is missing, and locks it.
    pub(super) fn open(data_dir: &Path) -> Result<Self, StorageError> {
        let path = data_dir.join(VERSION_FOLDER);
        let new = !data_dir.exists();
        fs::create_dir_all(&path).context("create", &path)?;
        // The new folders' own names must be durable too, or a crash loses all that is in them.
        sync_dir(data_dir)?;
        if let Some(parent) = data_dir.parent().filter(|parent| new && *parent != Path::new("")) {
            sync_dir(parent)?;
        }
        let handle = File::open(&path).context("open", &path)?;
        match Flock::lock(handle, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Self { path, _lock: lock }),
            Err((_, Errno::EWOULDBLOCK)) => Err(StorageError::Locked { path }),
            Err((_, errno)) => Err(io::Error::from(errno)).context("lock", &path),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The files called `prefix` and a zxid in hex, ascending by zxid. Others are left alone.
    pub(super) fn numbered(&self, prefix: &str) -> Result<Vec<NumberedFile>, StorageError> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.path).context("list", &self.path)? {
            let name = entry.context("list", &self.path)?.file_name();
            let Some(digits) = name.to_str().and_then(|name| name.strip_prefix(prefix)) else { continue };
            let Ok(bits) = u64::from_str_radix(digits, 16) else { continue };
            files.push(NumberedFile { zxid: Zxid::from_bits(bits), path: self.path.join(&name) });
        }
        files.sort_by_key(|file| file.zxid);
        Ok(files)
    }

    /// Makes what was created, renamed and deleted in the directory durable.
    pub(super) fn sync(&self) -> Result<(), StorageError> {
        sync_dir(&self.path)
    }

    /// Writes and fsyncs `parts` under an unfinished name; [`Self::finish`] gives it its own.
    pub(super) fn prepare(&self, name: &str, parts: &[&[u8]]) -> Result<(), StorageError> {
        let path = self.unfinished(name);
        let mut file = File::create(&path).context("create", &path)?;
        for part in parts {
            file.write_all(part).context("write", &path)?;
        }
        file.sync_all().context("fsync", &path)
    }

    /// Renames what [`Self::prepare`] wrote, and makes that durable.
    pub(super) fn finish(&self, name: &str) -> Result<(), StorageError> {
        let from = self.unfinished(name);
        fs::rename(&from, self.file(name)).context("rename", &from)?;
        self.sync()
    }

    /// The name a file has before [`Self::finish`].
    pub(super) fn unfinished(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}{UNFINISHED}"))
    }

    /// Replaces a small file: after a crash it holds the old content or the new.
    pub(super) fn replace(&self, name: &str, content: &[u8]) -> Result<(), StorageError> {
        self.prepare(name, &[content])?;
        self.finish(name)
    }

    /// Deletes what a crash left unfinished; nobody was told that it exists.
    pub(super) fn remove_unfinished(&self) -> Result<(), StorageError> {
        for entry in fs::read_dir(&self.path).context("list", &self.path)? {
            let name = entry.context("list", &self.path)?.file_name();
            if name.to_str().is_some_and(|name| name.ends_with(UNFINISHED)) {
                remove(&self.path.join(&name))?;
            }
        }
        Ok(())
    }

    /// The text of a small file; `None` when there is no such file.
    pub(super) fn read_text(&self, name: &str) -> Result<Option<String>, StorageError> {
        let path = self.file(name);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).trim().to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).context("read", &path),
        }
    }
}

/// Deletes a file; that it is gone already is as good.
pub(super) fn remove(path: &Path) -> Result<(), StorageError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).context("delete", path),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn sync_dir(path: &Path) -> Result<(), StorageError> {
    let dir = File::open(path).context("open", path)?;
    dir.sync_all().context("fsync", path)
}
