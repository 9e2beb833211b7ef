//! Data directories that Apache ZooKeeper 3.8.0 wrote (see `testdata/README.md`).

use super::*;
use crate::files::{DataDir, NumberedFile};
use crate::{snapshot_file, txn_log};

const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata");

fn copied(server: &str) -> TempDir {
    let dir = scratch();
    fs::create_dir(dir.path().join("version-2")).unwrap();
    let files = Path::new(FILES).join(format!("zookeeper-3.8.0-{server}")).join("version-2");
    for file in fs::read_dir(files).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), dir.path().join("version-2").join(file.file_name())).unwrap();
    }
    dir
}

fn data_of(tree: &[u8], path: &str) -> Option<Vec<u8>> {
    let tree = SnapshotData::from_slice(tree).unwrap();
    tree.nodes.into_iter().find(|node| node.path == path).and_then(|node| node.data)
}

#[test]
fn the_snapshot_and_the_log_behind_it_are_read() {
    let dir = copied("alone");
    let (mut storage, recovered) = open(&dir);
    let snapshot = recovered.snapshot.unwrap();
    assert_eq!(snapshot.zxid, zxid(0, 0x16));
    assert_eq!(data_of(&snapshot.tree, "/reg"), Some(b"five".to_vec()));
    assert_eq!(data_of(&snapshot.tree, "/acl"), Some(b"secret".to_vec()));
    assert_eq!(data_of(&snapshot.tree, "/parent/child"), None);
    let changes: Vec<_> = recovered.entries.iter().map(|entry| txn::decode(&entry.txn).unwrap()).collect();
    let zxids: Vec<_> = changes.iter().map(|(header, _)| header.zxid.counter).collect();
    assert_eq!(zxids, [0x17, 0x18, 0x19]);
    assert_eq!(changes[0].1, Txn::CreateSession { timeout_ms: 30_000 });
    let six = Txn::SetData { path: "/reg".to_owned(), data: Some(b"six".to_vec()), version: 6 };
    assert_eq!(changes[1].1, six);
    assert_eq!(changes[2].1, Txn::CloseSession { paths: vec![] });
    // And it can be gone on from.
    append(&mut storage, &entries(1, 1..=1));
    drop(storage);
    assert_eq!(open(&dir).1.entries.len(), 4);
}

#[test]
fn every_snapshot_of_the_server_is_whole_and_leads_to_the_same_end() {
    let dir = copied("alone");
    for base in [0x16, 0xf, 8, 0] {
        let (_, recovered) = open(&dir);
        assert_eq!(recovered.snapshot.unwrap().zxid, zxid(0, base));
        let zxids: Vec<_> = recovered.entries.iter().map(|entry| entry.zxid.counter).collect();
        assert_eq!(zxids, (base + 1..=0x19).collect::<Vec<_>>());
        fs::remove_file(path(&dir, &snapshot_file::name(zxid(0, base)))).unwrap();
    }
    // The log begins at the beginning, so it is enough by itself.
    assert_eq!(open(&dir).1.entries.len(), 0x19);
}

#[test]
fn records_written_again_are_the_same_bytes() {
    let dir = copied("alone");
    let data_dir = DataDir { folder: RealFolder::open(dir.path()).unwrap() };
    for file in ["log.1", "log.a", "log.11", "log.17"] {
        let bytes = fs::read(path(&dir, file)).unwrap();
        let first = Zxid::from_bits(u64::from_str_radix(&file[4..], 16).unwrap());
        let numbered = NumberedFile { zxid: first, name: file.to_owned() };
        let log = txn_log::read(&data_dir, &numbered).unwrap();
        let mut again = txn_log::HEADER.to_vec();
        for record in &log.records {
            assert_eq!(again.len() as u64, record.start);
            txn_log::encode(&record.entry.txn, &mut again);
        }
        assert_eq!(again.len() as u64, log.end);
        assert!(bytes.starts_with(&again) && bytes[again.len()..].iter().all(|byte| *byte == 0), "{file}");
    }
}

#[test]
fn failed_requests_and_unknown_changes_have_their_place_in_the_log() {
    let dir = copied("alone");
    for snapshot in ["0", "8", "f", "16"] {
        fs::remove_file(path(&dir, &format!("snapshot.{snapshot}"))).unwrap();
    }
    let (_, recovered) = open(&dir);
    let codes: Vec<_> =
        recovered.entries.iter().map(|entry| txn::decode(&entry.txn).unwrap().1.code()).collect();
    let (session, error, create, set, set_acl, delete, close) = (-10, -1, 1, 5, 7, 2, -11);
    assert_eq!(codes.len(), 0x19);
    for code in [session, error, create, set, set_acl, delete, close] {
        assert!(codes.contains(&code), "{code} in {codes:?}");
    }
}

/// What a leader and its follower, which had lost its disk and came back by SNAP, wrote about the same history.
#[test]
fn a_leader_and_its_follower_recover_to_the_same_end() {
    let ends: Vec<_> = ["leader", "follower"]
        .iter()
        .map(|server| {
            let dir = copied(server);
            let (storage, recovered) = open(&dir);
            assert_eq!((recovered.accepted_epoch, recovered.current_epoch), (2, 2), "{server}");
            let four = Txn::SetData { path: "/reg".to_owned(), data: Some(b"four".to_vec()), version: 4 };
            let changes: Vec<_> =
                recovered.entries.iter().map(|entry| txn::decode(&entry.txn).unwrap().1).collect();
            assert!(changes.contains(&four), "{server}: {changes:?}");
            (storage.last_zxid(), recovered.entries.last().cloned())
        })
        .collect();
    assert_eq!(ends[0].0.epoch, 2);
    assert_eq!(ends[0], ends[1]);
}

/// The leader's whole log, from epoch 1 into epoch 2, without any snapshot of a later point.
#[test]
fn a_log_over_two_epochs_is_read_through() {
    let dir = copied("leader");
    for snapshot in ["10000000a", "200000000"] {
        fs::remove_file(path(&dir, &format!("snapshot.{snapshot}"))).unwrap();
    }
    let (mut storage, recovered) = open(&dir);
    let epochs: Vec<_> = recovered.entries.iter().map(|entry| entry.zxid.epoch).collect();
    assert_eq!(epochs.iter().filter(|epoch| **epoch == 1).count(), 10);
    assert!(epochs.is_sorted() && epochs.contains(&2));
    // And cut in its first epoch, across files.
    let recovered = storage.truncate(zxid(1, 7)).unwrap();
    assert_eq!(recovered.entries.last().unwrap().zxid, zxid(1, 7));
    assert_eq!(names(&dir), ["acceptedEpoch", "currentEpoch", "log.100000001", "snapshot.0"]);
}
