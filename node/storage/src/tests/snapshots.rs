//! Snapshots beside the log: which one counts, which are kept, and what a whole file is.

use super::*;
use crate::{snapshot_file, txn_log};

#[test]
fn the_newest_snapshot_and_the_log_behind_it_come_back() {
    let dir = with_log(5);
    let (mut storage, _) = open(&dir);
    // The core snapshots what is committed; the log may reach further.
    let taken = snapshot(zxid(1, 4), "four");
    storage.take_snapshot(&taken).unwrap();
    append(&mut storage, &entries(1, 6..=7));
    drop(storage);
    assert_eq!(names(&dir), ["log.100000001", "log.100000006", "snapshot.100000004"]);
    let (_, recovered) = open(&dir);
    assert_eq!(recovered.snapshot, Some(taken));
    assert_eq!(recovered.entries, entries(1, 5..=7));
}

#[test]
fn a_snapshot_named_by_its_epoch_is_followed_by_that_epochs_first_transaction() {
    let dir = with_log(3);
    let (mut storage, _) = open(&dir);
    storage.take_snapshot(&snapshot(Zxid::of_epoch(2), "epoch 2")).unwrap();
    assert_eq!(storage.last_zxid(), Zxid::of_epoch(2));
    drop(storage);
    let (mut storage, recovered) = open(&dir);
    assert_eq!((recovered.entries, recovered.current_epoch), (vec![], 2));
    append(&mut storage, &entries(2, 1..=2));
    drop(storage);
    assert_eq!(open(&dir).1.entries, entries(2, 1..=2));
}

#[test]
fn the_newest_three_snapshots_are_kept_with_the_log_behind_the_oldest() {
    let dir = scratch();
    let (mut storage, _) = open(&dir);
    for round in 1..=5 {
        append(&mut storage, &entries(1, round * 10 - 9..=round * 10));
        storage.take_snapshot(&snapshot(zxid(1, round * 10 - 3), "round")).unwrap();
    }
    append(&mut storage, &entries(1, 51..=52));
    drop(storage);
    let kept = [
        "log.100000015",
        "log.10000001f",
        "log.100000029",
        "log.100000033",
        "snapshot.10000001b",
        "snapshot.100000025",
        "snapshot.10000002f",
    ];
    assert_eq!(names(&dir), kept);
    // Each of the three is good for a recovery.
    for base in [47, 37, 27] {
        let (_, recovered) = open(&dir);
        assert_eq!(recovered.snapshot.unwrap().zxid, zxid(1, base));
        assert_eq!(recovered.entries, entries(1, base + 1..=52));
        fs::remove_file(path(&dir, &snapshot_file::name(zxid(1, base)))).unwrap();
    }
    let error = open_error(&dir);
    assert!(matches!(error, StorageError::MissingSnapshot { .. }), "{error}");
    assert!(error.to_string().contains("the log begins at 0x100000015"), "{error}");
}

#[test]
fn a_damaged_snapshot_is_passed_over_for_an_older_one_or_for_the_whole_log() {
    let dir = with_log(4);
    let (mut storage, _) = open(&dir);
    storage.take_snapshot(&snapshot(zxid(1, 4), "old")).unwrap();
    append(&mut storage, &entries(1, 5..=8));
    storage.take_snapshot(&snapshot(zxid(1, 8), "new")).unwrap();
    drop(storage);
    flip(&path(&dir, "snapshot.100000008"), 40);
    let (_, recovered) = open(&dir);
    assert_eq!(recovered.snapshot, Some(snapshot(zxid(1, 4), "old")));
    assert_eq!(recovered.entries, entries(1, 5..=8));
    flip(&path(&dir, "snapshot.100000004"), 40);
    let (_, recovered) = open(&dir);
    assert_eq!((recovered.snapshot, recovered.entries), (None, entries(1, 1..=8)));
}

#[test]
fn a_damaged_snapshot_without_a_log_is_not_a_fresh_start() {
    let dir = scratch();
    let (mut storage, _) = open(&dir);
    storage.install_snapshot(&snapshot(zxid(1, 4), "only"), &[]).unwrap();
    drop(storage);
    flip(&path(&dir, "snapshot.100000004"), 40);
    let error = open_error(&dir).to_string();
    assert!(error.contains("no valid snapshot was found, and there is no log"), "{error}");
}

/// A new epoch's first transaction may stand behind anything, so the log alone does not tell that something is
/// missing in front of it.
#[test]
fn a_damaged_snapshot_is_missed_when_the_log_behind_it_begins_with_an_epoch() {
    let dir = scratch();
    let (mut storage, _) = open(&dir);
    storage.install_snapshot(&snapshot(zxid(1, 4), "only"), &[]).unwrap();
    append(&mut storage, &entries(2, 1..=3));
    drop(storage);
    flip(&path(&dir, "snapshot.100000004"), 40);
    let error = open_error(&dir).to_string();
    assert!(error.contains("the log begins at 0x200000001"), "{error}");
    // Nor does a file that a crash left without a record.
    fs::write(path(&dir, "log.200000001"), txn_log::HEADER).unwrap();
    let error = open_error(&dir).to_string();
    assert!(error.contains("there is no log"), "{error}");
}

#[test]
fn a_snapshot_that_a_crash_left_unfinished_is_removed() {
    let dir = with_log(2);
    fs::write(path(&dir, "snapshot.100000002.tmp"), "half").unwrap();
    let (_, recovered) = open(&dir);
    assert_eq!(recovered.entries.len(), 2);
    assert_eq!(names(&dir), ["log.100000001"]);
}

/// The bytes of a snapshot as ZooKeeper 3.9 writes it, in its blocks.
fn blocks() -> [Vec<u8>; 3] {
    let mut file = b"ZKSN\0\0\0\x02\xff\xff\xff\xff\xff\xff\xff\xff".to_vec();
    file.extend_from_slice(&snapshot(zxid(1, 1), "x").tree);
    let first = seal(file);
    let digest = [&first[..], &zxid(1, 1).to_bits().to_be_bytes(), &2_u32.to_be_bytes(), &[9; 8]].concat();
    let second = seal(digest);
    let third = seal([&second[..], &zxid(1, 1).to_bits().to_be_bytes()].concat());
    [first, second, third]
}

fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.extend_from_slice(&u64::from(adler2::adler32_slice(&bytes)).to_be_bytes());
    bytes.extend_from_slice(b"\0\0\0\x01/");
    bytes
}

fn tree_of(bytes: &[u8]) -> Option<Bytes> {
    snapshot_file::tree_of(&Bytes::copy_from_slice(bytes))
}

#[test]
fn the_endings_of_every_zookeeper_since_3_5_are_read() {
    let tree = Some(snapshot(zxid(1, 1), "x").tree);
    let [plain, with_digest, with_both] = blocks();
    assert_eq!(tree_of(&plain), tree, "3.5, and ours");
    assert_eq!(tree_of(&with_digest), tree, "3.6 to 3.8");
    assert_eq!(tree_of(&with_both), tree, "3.9");
    let with_last = seal([&plain[..], &[0; 8]].concat());
    assert_eq!(tree_of(&with_last), tree, "3.9 with digests turned off");
}

#[test]
fn a_snapshot_cut_anywhere_or_changed_anywhere_is_not_whole() {
    let blocks = blocks();
    let whole = blocks.last().unwrap();
    for len in 0..whole.len() {
        let expected = blocks.iter().any(|block| block.len() == len);
        assert_eq!(tree_of(&whole[..len]).is_some(), expected, "cut to {len}");
    }
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 0x10;
        assert_eq!(tree_of(&changed), None, "changed at {at}");
    }
}
