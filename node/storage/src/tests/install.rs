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

fn crash_after(dir: &TempDir, new: &Snapshot, steps: usize) {
    let mut dir = data_dir(dir);
    for step in &install::steps()[..steps] {
        step(&mut dir, new).unwrap();
    }
}

fn assert_wholly_new(dir: &TempDir, new: &Snapshot, when: &str) {
    let (mut storage, recovered) = open(dir);
    assert_eq!(recovered.snapshot.as_ref(), Some(new), "{when}");
    assert_eq!(recovered.entries, [], "{when}");
    assert_eq!(names(dir).len(), 2, "{when}: acceptedEpoch and the snapshot, {:?}", names(dir));
    let next = entry(new.zxid.next().unwrap());
    append(&mut storage, std::slice::from_ref(&next));
    drop(storage);
    assert_eq!(open(dir).1.entries, [next], "{when}, and gone on");
}

/// Behind, amid and at the zxids of the old state.
fn new_snapshots() -> [Snapshot; 4] {
    [zxid(2, 5), zxid(1, 5), zxid(1, 6), zxid(1, 8)].map(|at| snapshot(at, "new"))
}

#[test]
fn a_crash_after_any_step_leaves_the_old_state_or_the_new_one() {
    for new in new_snapshots() {
        for steps in 0..=install::steps::<RealFolder>().len() {
            let (dir, old) = old_state();
            crash_after(&dir, &new, steps);
            if steps < 2 {
                assert_eq!(open(&dir).1, old, "{} after {steps} steps", new.zxid);
                assert!(!names(&dir).iter().any(|name| name.ends_with(".tmp")));
            } else {
                assert_wholly_new(&dir, &new, &format!("{} after {steps} steps", new.zxid));
            }
        }
    }
}

#[test]
fn a_crash_anywhere_within_the_deletion_leaves_the_new_state() {
    for new in new_snapshots() {
        let (dir, _) = old_state();
        crash_after(&dir, &new, 3);
        let kept = snapshot_file::name(new.zxid);
        let doomed: Vec<_> = names(&dir)
            .into_iter()
            .filter(|name| *name != kept && (name.starts_with("log.") || name.starts_with("snapshot.")))
            .collect();
        for subset in 0_u32..1 << doomed.len() {
            let (dir, _) = old_state();
            crash_after(&dir, &new, 3);
            for (_, name) in doomed.iter().enumerate().filter(|(bit, _)| subset & (1 << bit) != 0) {
                fs::remove_file(path(&dir, name)).unwrap();
            }
            assert_wholly_new(&dir, &new, &format!("{} with {subset:b} of {doomed:?} gone", new.zxid));
        }
    }
}

#[test]
fn a_crash_while_recovering_from_a_crash_changes_nothing() {
    let (dir, _) = old_state();
    let new = snapshot(zxid(2, 5), "new");
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
    let new = snapshot(zxid(1, 8), "new");
    storage.install_snapshot(&new).unwrap();
    assert_eq!(storage.last_zxid(), zxid(1, 8));
    storage.sync().unwrap();
    drop(storage);
    assert_wholly_new(&dir, &new, "installed");
}

#[test]
fn a_lost_snapshot_under_a_marker_is_refused_since_the_old_state_may_be_partial() {
    let (dir, _) = old_state();
    let new = snapshot(zxid(2, 5), "new");
    crash_after(&dir, &new, 3);
    flip(&path(&dir, "snapshot.200000005"), 40);
    let error = open_error(&dir);
    assert!(matches!(error, StorageError::LostInstallation { .. }), "{error}");
    assert!(error.to_string().contains("0x200000005"), "{error}");
    fs::write(path(&dir, "installing"), "nonsense").unwrap();
    assert!(matches!(open_error(&dir), StorageError::NotANumber { .. }));
}
