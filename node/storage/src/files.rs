//! Names and whole files in the data directory, and replacing a file so that a crash leaves the old one or
//! the new one.
//!
//! Every creation, renaming and deletion that matters is followed by an fsync of the directory, since fsync of
//! a file says nothing about its name ([`crate::folder`]). What the system refuses is told with the file's path.

use crate::error::{IoContext, StorageError};
use crate::folder::Folder;
use bytes::Bytes;
use std::io;
use std::path::{Path, PathBuf};
use zab_wire::Zxid;

/// What files are called while they are being written; leftovers are deleted at the next start.
const UNFINISHED: &str = ".tmp";

/// The folder, with what storage makes of one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct DataDir<F> {
    pub(super) folder: F,
}

/// A file whose name carries a zxid: `log.100000001`, `snapshot.0`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NumberedFile {
    pub(super) zxid: Zxid,
    pub(super) name: String,
}

impl<F: Folder> DataDir<F> {
    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where a file is, for messages.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// The files called `prefix` and a zxid in hex, ascending by zxid. Others are left alone.
    pub(super) fn numbered(&self, prefix: &str) -> Result<Vec<NumberedFile>, StorageError> {
        let zxid_of = |name: &str| u64::from_str_radix(name.strip_prefix(prefix)?, 16).ok();
        let mut files: Vec<_> = self
            .list()?
            .into_iter()
            .filter_map(|name| Some(NumberedFile { zxid: Zxid::from_bits(zxid_of(&name)?), name }))
            .collect();
        files.sort_by_key(|file| file.zxid);
        Ok(files)
    }

    fn list(&self) -> Result<Vec<String>, StorageError> {
        self.folder.list().context("list", || self.path().to_owned())
    }

    pub(super) fn read(&self, name: &str) -> Result<Bytes, StorageError> {
        self.folder.read(name).context("read", || self.file(name))
    }

    /// A whole file; `None` when there is no such file.
    pub(super) fn read_if_there(&self, name: &str) -> Result<Option<Bytes>, StorageError> {
        match self.folder.read(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).context("read", || self.file(name)),
            Ok(bytes) => Ok(Some(bytes)),
        }
    }

    /// The text of a small file; `None` when there is no such file.
    pub(super) fn read_text(&self, name: &str) -> Result<Option<String>, StorageError> {
        let bytes = self.read_if_there(name)?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned()))
    }

    /// Makes what was created, renamed and deleted in the directory durable.
    pub(super) fn sync(&mut self) -> Result<(), StorageError> {
        self.folder.sync_dir().context("fsync", || self.path().to_owned())
    }

    pub(super) fn write_at(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<(), StorageError> {
        self.folder.write_at(name, offset, bytes).context("write", || self.file(name))
    }

    pub(super) fn sync_all(&mut self, name: &str) -> Result<(), StorageError> {
        self.folder.sync_all(name).context("fsync", || self.file(name))
    }

    pub(super) fn set_len(&mut self, name: &str, len: u64) -> Result<(), StorageError> {
        self.folder.set_len(name, len).context("shorten", || self.file(name))
    }

    /// Writes and fsyncs `parts` under an unfinished name; [`Self::finish`] gives it its own.
    pub(super) fn prepare(&mut self, name: &str, parts: &[&[u8]]) -> Result<(), StorageError> {
        let name = unfinished(name);
        self.folder.create(&name).context("create", || self.file(&name))?;
        let mut end = 0;
        for part in parts {
            self.write_at(&name, end, part)?;
            end += part.len() as u64;
        }
        self.sync_all(&name)
    }

    /// Renames what [`Self::prepare`] wrote, and makes that durable.
    pub(super) fn finish(&mut self, name: &str) -> Result<(), StorageError> {
        let from = unfinished(name);
        self.folder.rename(&from, name).context("rename", || self.file(&from))?;
        self.sync()
    }

    /// Replaces a file: after a crash it holds the old content or the new.
    pub(super) fn replace(&mut self, name: &str, content: &[u8]) -> Result<(), StorageError> {
        self.prepare(name, &[content])?;
        self.finish(name)
    }

    /// Deletes what a crash left unfinished; nobody was told that it exists.
    pub(super) fn remove_unfinished(&mut self) -> Result<(), StorageError> {
        for name in self.list()?.iter().filter(|name| name.ends_with(UNFINISHED)) {
            self.remove(name)?;
        }
        Ok(())
    }

    /// Deletes a file; that it is gone already is as good.
    pub(super) fn remove(&mut self, name: &str) -> Result<(), StorageError> {
        match self.folder.remove(name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).context("delete", || self.file(name))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// The name a file has before [`DataDir::finish`].
pub(super) fn unfinished(name: &str) -> String {
    format!("{name}{UNFINISHED}")
}
