//! Replacing the state by a snapshot, with a crash after every step and within the deletion.

use super::*;
use crate::{files::DataDir, install, snapshot_file};

/// The old state: two snapshots and three log files of epoch 1, with a tail that the new leader never had.
fn old_state() -> (TempDir, Recovered) {
    let dir = with_log(3);
    let (mut storage, _) = open(&dir);
    storage.set_accepted_epoch(2).unwrap();
    storage.take_snapshot(&snapshot(zxid(1, 3), "old 3")).unwrap();
    append(&mut storage, &entries(1, 4..=6));
    storage.take_snapshot(&snapshot(zxid(1, 6), "old 6")).unwrap();
    append(&mut storage, &entries(1, 7..=9));
    drop(storage);
    let (_, recovered) = open(&dir);
    (dir, recovered)
}

fn data_dir(dir: &TempDir) -> DataDir<RealFolder> {
    DataDir { folder: RealFolder::open(dir.path()).unwrap() }
}

/// A new state: a snapshot, and so many transactions behind it.
fn new_state(at: Zxid, behind: u32) -> (Snapshot, Vec<LogEntry>) {
    (snapshot(at, "new"), entries(at.epoch, at.counter + 1..=at.counter + behind))
}

fn crash_after(dir: &TempDir, (snapshot, entries): &(Snapshot, Vec<LogEntry>), steps: usize) {
    let mut dir = data_dir(dir);
    for step in &install::steps()[..steps] {
        step(&mut dir, &install::New { snapshot, entries }).unwrap();
    }
}

fn assert_wholly_new(dir: &TempDir, (snapshot, entries): &(Snapshot, Vec<LogEntry>), when: &str) {
    let (mut storage, recovered) = open(dir);
    assert_eq!(recovered.snapshot.as_ref(), Some(snapshot), "{when}");
    assert_eq!(recovered.entries, *entries, "{when}");
    let files = 2 + usize::from(!entries.is_empty());
    assert_eq!(names(dir).len(), files, "{when}: acceptedEpoch, snapshot, log: {:?}", names(dir));
    let next = entry(storage.last_zxid().next().unwrap());
    append(&mut storage, std::slice::from_ref(&next));
    drop(storage);
    let gone_on: Vec<LogEntry> = entries.iter().cloned().chain([next]).collect();
    assert_eq!(open(dir).1.entries, gone_on, "{when}, and gone on");
}

/// Behind, amid and at the zxids of the old state, alone and with a log: one whose file has the name of an old
/// one, too.
fn new_states() -> Vec<(Snapshot, Vec<LogEntry>)> {
    let places = [zxid(2, 5), zxid(1, 5), zxid(1, 6), zxid(1, 8)];
    places.into_iter().flat_map(|at| [new_state(at, 0), new_state(at, 3)]).collect()
}

fn log_name(first: &LogEntry) -> String {
    crate::txn_log::name(first.zxid)
}

#[test]
fn a_crash_after_any_step_leaves_the_old_state_or_the_new_one() {
    for new in new_states() {
        for steps in 0..=install::steps::<RealFolder>().len() {
            let (dir, old) = old_state();
            crash_after(&dir, &new, steps);
            if steps < 2 {
                assert_eq!(open(&dir).1, old, "{} after {steps} steps", new.0.zxid);
                assert!(!names(&dir).iter().any(|name| name.ends_with(".tmp")));
            } else {
                assert_wholly_new(&dir, &new, &format!("{} after {steps} steps", new.0.zxid));
            }
        }
    }
}

#[test]
fn a_crash_anywhere_within_the_deletion_leaves_the_new_state() {
    for new in new_states() {
        let (dir, _) = old_state();
        crash_after(&dir, &new, 3);
        let kept = [snapshot_file::name(new.0.zxid), new.1.first().map_or_else(String::new, log_name)];
        let doomed: Vec<_> = names(&dir)
            .into_iter()
            .filter(|name| {
                !kept.contains(name) && (name.starts_with("log.") || name.starts_with("snapshot."))
            })
            .collect();
        for subset in 0_u32..1 << doomed.len() {
            let (dir, _) = old_state();
            crash_after(&dir, &new, 3);
            for (_, name) in doomed.iter().enumerate().filter(|(bit, _)| subset & (1 << bit) != 0) {
                fs::remove_file(path(&dir, name)).unwrap();
            }
            assert_wholly_new(&dir, &new, &format!("{} with {subset:b} of {doomed:?} gone", new.0.zxid));
        }
    }
}

#[test]
fn a_crash_while_recovering_from_a_crash_changes_nothing() {
    let (dir, _) = old_state();
    let new = new_state(zxid(2, 5), 2);
    crash_after(&dir, &new, 2);
    // The recovery gets as far as the renaming, then crashes too.
    data_dir(&dir).finish("snapshot.200000005").unwrap();
    assert_wholly_new(&dir, &new, "second recovery");
}

#[test]
fn transactions_not_yet_synced_are_replaced_too() {
    let (dir, _) = old_state();
    let (mut storage, _) = open(&dir);
    storage.append(&entry(zxid(1, 10))).unwrap();
    let new = new_state(zxid(1, 8), 1);
    storage.install_snapshot(&new.0, &new.1).unwrap();
    assert_eq!(storage.last_zxid(), zxid(1, 9));
    storage.sync().unwrap();
    drop(storage);
    assert_wholly_new(&dir, &new, "installed");
}

#[test]
fn a_lost_snapshot_under_a_marker_is_refused_since_the_old_state_may_be_partial() {
    let (dir, _) = old_state();
    let new = new_state(zxid(2, 5), 1);
    crash_after(&dir, &new, 3);
    fs::remove_file(path(&dir, "log.200000006")).unwrap();
    assert!(matches!(open_error(&dir), StorageError::LostInstallation { .. }));
    let (dir, _) = old_state();
    crash_after(&dir, &new, 3);
    flip(&path(&dir, "snapshot.200000005"), 40);
    let error = open_error(&dir);
    assert!(matches!(error, StorageError::LostInstallation { .. }), "{error}");
    assert!(error.to_string().contains("0x200000005"), "{error}");
    for nonsense in ["nonsense", "200000005 nonsense", "200000005 200000006 200000007"] {
        fs::write(path(&dir, "installing"), nonsense).unwrap();
        assert!(matches!(open_error(&dir), StorageError::NotANumber { .. }), "{nonsense}");
    }
}
