//! The folder: which name stands for which file, and how much of that a power loss may undo.
//!
//! A file system journals names in order, so a power loss keeps a beginning of the unsynced changes. It is
//! harsher than ext4 in one point, as POSIX allows: syncing a file does not make its name durable.
//!
//! Files are shared between clones of a disk until one of them changes a file, so that a clone is cheap.

use super::chance::{Chance, below};
use super::evidence::Evidence;
use super::file::File;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// The files by name, as every process sees them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Names {
    files: BTreeMap<String, Arc<File>>,
    /// Changes that are not durable, oldest first.
    queue: Vec<Change>,
}

/// A change, with the file that has no name because of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Change {
    Created { name: String },
    Renamed { from: String, to: String, replaced: Option<Arc<File>> },
    Removed { name: String, file: Arc<File> },
}

impl Names {
    /// All names, in order.
    pub(super) fn list(&self) -> impl Iterator<Item = &String> {
        self.files.keys()
    }

    /// All files, with their names, in order.
    pub(super) fn files(&self) -> impl Iterator<Item = (&String, &File)> {
        self.files.iter().map(|(name, file)| (name, &**file))
    }

    pub(super) fn get(&self, name: &str) -> io::Result<&File> {
        self.files.get(name).map(|file| &**file).ok_or_else(not_found)
    }

    pub(super) fn get_mut(&mut self, name: &str) -> io::Result<&mut File> {
        self.files.get_mut(name).map(Arc::make_mut).ok_or_else(not_found)
    }

    /// Makes an empty file; `false` where there is one already.
    pub(super) fn create(&mut self, name: &str) -> bool {
        if self.files.contains_key(name) {
            return false;
        }
        self.files.insert(name.to_owned(), Arc::default());
        self.queue.push(Change::Created { name: name.to_owned() });
        true
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let file = self.files.remove(from).ok_or_else(not_found)?;
        let replaced = self.files.insert(to.to_owned(), file);
        self.queue.push(Change::Renamed { from: from.to_owned(), to: to.to_owned(), replaced });
        Ok(())
    }

    pub(super) fn remove(&mut self, name: &str) -> io::Result<()> {
        let (name, file) = self.files.remove_entry(name).ok_or_else(not_found)?;
        self.queue.push(Change::Removed { name, file });
        Ok(())
    }

    /// The names that were given or taken and are not durably so, oldest first.
    #[cfg(test)]
    pub(super) fn not_durable(&self) -> Vec<&str> {
        let names = self.queue.iter().map(|change| match change {
            Change::Created { name } | Change::Removed { name, .. } | Change::Renamed { to: name, .. } => {
                name
            }
        });
        names.map(String::as_str).collect()
    }

    /// Makes every change durable.
    pub(super) fn sync(&mut self) {
        self.queue.clear();
    }

    /// Decides about everything that is not durable, names first, then the files that have one.
    pub(super) fn lose_power(&mut self, chance: &mut dyn Chance, reordered: bool, evidence: &mut Evidence) {
        if !self.queue.is_empty() {
            let kept = below(chance, self.queue.len() + 1);
            for change in self.queue.split_off(kept).into_iter().rev() {
                evidence.names_lost += 1;
                self.undo(change, evidence);
            }
            self.queue.clear();
        }
        for file in self.files.values_mut() {
            Arc::make_mut(file).lose_power(chance, reordered, evidence);
        }
    }

    fn undo(&mut self, change: Change, evidence: &mut Evidence) {
        match change {
            Change::Created { name } => {
                let file = self.files.remove(&name).expect("later changes of it are undone");
                evidence.bytes_lost += file.len() as u64;
            }
            Change::Renamed { from, to, replaced } => {
                let file = self.files.remove(&to).expect("later changes of it are undone");
                self.files.insert(from, file);
                self.files.extend(replaced.map(|file| (to, file)));
            }
            Change::Removed { name, file } => {
                self.files.insert(name, file);
            }
        }
    }
}

fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}
