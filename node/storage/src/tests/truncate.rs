//! Cutting the history, within a file, across files and across snapshots.

use super::*;

/// log.1: 1..=3, snapshot 3, log.4: 4..=6, snapshot 6, log.7: 7..=9, all of epoch 1.
fn three_files() -> TempDir {
    let dir = with_log(3);
    let (mut storage, _) = open(&dir);
    storage.take_snapshot(&snapshot(zxid(1, 3), "3")).unwrap();
    append(&mut storage, &entries(1, 4..=6));
    storage.take_snapshot(&snapshot(zxid(1, 6), "6")).unwrap();
    append(&mut storage, &entries(1, 7..=9));
    dir
}

#[test]
fn every_transaction_of_the_log_can_be_cut_behind_and_gone_on_from() {
    for to in 1..=9 {
        let dir = three_files();
        let (mut storage, _) = open(&dir);
        // Not synced yet, and to be cut as well.
        storage.append(&entry(zxid(1, 10))).unwrap();
        let recovered = storage.truncate(zxid(1, to)).unwrap();
        let base = (to / 3).min(2) * 3;
        let expected = (base > 0).then(|| snapshot(zxid(1, base), &base.to_string()));
        assert_eq!(recovered.snapshot, expected, "to {to}");
        assert_eq!(recovered.entries, entries(1, base + 1..=to), "to {to}");
        assert_eq!(storage.last_zxid(), zxid(1, to));
        append(&mut storage, &entries(2, 1..=2));
        drop(storage);
        let (_, reopened) = open(&dir);
        assert_eq!(reopened.snapshot, expected, "to {to}");
        let kept = [entries(1, base + 1..=to), entries(2, 1..=2)].concat();
        assert_eq!(reopened.entries, kept, "to {to}: what was cut must never come back");
    }
}

#[test]
fn cutting_at_zero_leaves_the_empty_state() {
    let dir = three_files();
    let (mut storage, _) = open(&dir);
    let recovered = storage.truncate(Zxid::ZERO).unwrap();
    assert_eq!((recovered.snapshot, recovered.entries), (None, vec![]));
    assert_eq!(names(&dir), [""; 0]);
    append(&mut storage, &entries(4, 1..=1));
    drop(storage);
    assert_eq!(open(&dir).1.entries, entries(4, 1..=1));
}

#[test]
fn cutting_at_the_end_changes_nothing() {
    let dir = three_files();
    let (mut storage, before) = open(&dir);
    assert_eq!(storage.truncate(zxid(1, 9)).unwrap(), before);
    drop(storage);
    assert_eq!(open(&dir).1, before);
}

#[test]
fn cutting_at_a_snapshot_whose_transaction_is_not_in_the_log() {
    let dir = scratch();
    let (mut storage, _) = open(&dir);
    let base = snapshot(zxid(2, 7), "from the leader");
    storage.install_snapshot(&base, &[]).unwrap();
    append(&mut storage, &entries(2, 8..=9));
    let recovered = storage.truncate(zxid(2, 7)).unwrap();
    assert_eq!((recovered.snapshot, recovered.entries), (Some(base), vec![]));
    assert_eq!(names(&dir), ["snapshot.200000007"]);
    append(&mut storage, &entries(3, 1..=1));
}

/// A leader may ask for a place this history does not have; the server then asks for the whole tree.
#[test]
fn a_place_that_the_history_does_not_have_is_refused_and_nothing_is_touched() {
    let nearest = [(zxid(1, 10), zxid(1, 9)), (zxid(2, 0), zxid(1, 9)), (zxid(1, 0), Zxid::ZERO)];
    for (to, before) in nearest {
        let dir = three_files();
        let files = names(&dir);
        let (mut storage, recovered) = open(&dir);
        let error = storage.truncate(to).unwrap_err();
        assert!(
            matches!(error, StorageError::NotInLog { nearest, .. } if nearest == before),
            "{to}: {error}"
        );
        assert!(error.to_string().contains(&format!("the log does not contain {to}")), "{error}");
        assert_eq!(names(&dir), files);
        append(&mut storage, &entries(1, 10..=11));
        drop(storage);
        let all = [recovered.entries, entries(1, 10..=11)].concat();
        assert_eq!(open(&dir).1.entries, all, "{to}: the storage goes on");
    }
}

#[test]
fn a_place_in_front_of_the_oldest_snapshot_is_refused_and_the_state_can_be_replaced() {
    let dir = three_files();
    let (mut storage, _) = open(&dir);
    storage.take_snapshot(&snapshot(zxid(1, 9), "9")).unwrap();
    append(&mut storage, &entries(1, 10..=12));
    storage.take_snapshot(&snapshot(zxid(1, 12), "12")).unwrap();
    let files = names(&dir);
    // Transaction 5 is still in a file, but no snapshot is left to put it on.
    let error = storage.truncate(zxid(1, 5)).unwrap_err();
    assert!(matches!(error, StorageError::NotInLog { nearest: Zxid::ZERO, .. }), "{error}");
    assert_eq!(names(&dir), files);
    let whole = snapshot(zxid(1, 5), "the leader's tree");
    storage.install_snapshot(&whole, &[]).unwrap();
    drop(storage);
    assert_eq!(open(&dir).1.snapshot, Some(whole));
}

/// The deletion of old files may leave a log that begins with an epoch, as a whole history may.
#[test]
fn a_log_that_begins_with_an_epoch_is_not_taken_for_the_whole_history() {
    let dir = with_log(3);
    let (mut storage, _) = open(&dir);
    storage.take_snapshot(&snapshot(zxid(1, 3), "1-3")).unwrap();
    for counter in [3, 6, 9] {
        append(&mut storage, &entries(2, counter - 2..=counter));
        storage.take_snapshot(&snapshot(zxid(2, counter), "2")).unwrap();
    }
    let files = names(&dir);
    assert_eq!(files[0], "log.200000001", "epoch 1 is only in the snapshots");
    let error = storage.truncate(zxid(2, 2)).unwrap_err();
    assert!(matches!(error, StorageError::NotInLog { nearest: Zxid::ZERO, .. }), "{error}");
    assert_eq!(names(&dir), files);
    assert_eq!(storage.truncate(zxid(2, 4)).unwrap().snapshot, Some(snapshot(zxid(2, 3), "2")));
}

/// Truncation deletes snapshots, then log files from the newest, then cuts: a crash between any two leaves the
/// old history or a beginning of it that still holds the place.
#[test]
fn a_crash_between_two_deletions_leaves_a_beginning_of_the_history() {
    let dir = three_files();
    for (gone, last) in [("snapshot.100000006", 9), ("snapshot.100000003", 9), ("log.100000007", 6)] {
        fs::remove_file(path(&dir, gone)).unwrap();
        let (mut storage, recovered) = open(&dir);
        assert_eq!(recovered.entries.last().map(|entry| entry.zxid), Some(zxid(1, last)), "{gone} gone");
        drop(recovered);
        if last == 6 {
            assert_eq!(storage.truncate(zxid(1, 2)).unwrap().entries, entries(1, 1..=2));
        }
    }
}
