//! The storage on real files in a temporary directory, with the crashes played by hand.

mod epochs;
mod install;
mod log;
mod model;
mod snapshots;
mod truncate;
mod zookeeper;

use crate::{Options, RealFolder, Storage, StorageError};
use bytes::Bytes;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use zab_core::{LogEntry, Recovered, Snapshot};
use zab_wire::jute::Record;
use zab_wire::snapshot::{NodeRecord, OPEN_ACL_KEY, SnapshotData, StatPersisted};
use zab_wire::txn::{self, Txn, TxnHeader};
use zab_wire::{SessionId, Zxid};

/// No test cuts the power, so memory is as good as a disk here, and an fsync costs nothing.
fn scratch() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn zxid(epoch: u32, counter: u32) -> Zxid {
    Zxid::new(epoch, counter)
}

/// A transaction whose bytes differ for every zxid.
fn entry(at: Zxid) -> LogEntry {
    let header = TxnHeader { session: SessionId(7), cxid: 1, zxid: at, time_ms: 1_700_000_000_000 };
    let data = format!("value of {at}").into_bytes();
    let change = Txn::SetData { path: "/r".to_owned(), data: Some(data), version: 1 };
    LogEntry { zxid: at, txn: Bytes::from(txn::encode(&header, &change)) }
}

fn entries(epoch: u32, counters: impl IntoIterator<Item = u32>) -> Vec<LogEntry> {
    counters.into_iter().map(|counter| entry(zxid(epoch, counter))).collect()
}

/// A small tree that says which snapshot it is.
fn snapshot(at: Zxid, label: &str) -> Snapshot {
    let stat = StatPersisted::default();
    let node = |path: &str, data: &str| NodeRecord {
        path: path.to_owned(),
        data: Some(data.as_bytes().to_vec()),
        acl_key: OPEN_ACL_KEY,
        stat,
    };
    let nodes = vec![node("", ""), node("/label", label)];
    let tree = SnapshotData { sessions: vec![(SessionId(7), 6000)], acls: Vec::new(), nodes };
    Snapshot { zxid: at, tree: Bytes::from(tree.to_vec()) }
}

fn open(dir: &TempDir) -> (Storage, Recovered) {
    Storage::open_with(dir.path(), small()).unwrap()
}

fn open_error(dir: &TempDir) -> StorageError {
    Storage::open_with(dir.path(), small()).unwrap_err()
}

/// Small steps, so that tests see several of them.
fn small() -> Options {
    Options { preallocate_bytes: 8192, ..Options::default() }
}

fn append(storage: &mut Storage, entries: &[LogEntry]) {
    for entry in entries {
        storage.append(entry).unwrap();
    }
    storage.sync().unwrap();
}

/// A directory whose log holds epoch 1 up to `counter`.
fn with_log(counter: u32) -> TempDir {
    let dir = scratch();
    let (mut storage, _) = open(&dir);
    append(&mut storage, &entries(1, 1..=counter));
    dir
}

fn path(dir: &TempDir, name: &str) -> PathBuf {
    dir.path().join("version-2").join(name)
}

fn names(dir: &TempDir) -> Vec<String> {
    let files = fs::read_dir(dir.path().join("version-2")).unwrap();
    let mut names: Vec<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Where the records of a log file begin, and behind the last of them.
fn record_bounds(bytes: &[u8]) -> Vec<usize> {
    let mut bounds = vec![16];
    loop {
        let at = *bounds.last().unwrap();
        match bytes.get(at + 8..at + 12) {
            Some(len) if len != [0; 4] => {
                bounds.push(at + 12 + u32::from_be_bytes(len.try_into().unwrap()) as usize + 1);
            }
            Some(_) | None => return bounds,
        }
    }
}

fn flip(path: &Path, offset: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[offset] ^= 0x5a;
    fs::write(path, bytes).unwrap();
}
