//! The promises: written, read, and refused when they contradict the log.

use super::*;

#[test]
fn epochs_come_back_as_plain_numbers() {
    let dir = with_log(1);
    let (mut storage, fresh) = open(&dir);
    assert_eq!((fresh.accepted_epoch, fresh.current_epoch), (1, 1), "missing files: the last zxid's epoch");
    storage.set_accepted_epoch(7).unwrap();
    storage.set_current_epoch(6).unwrap();
    drop(storage);
    assert_eq!(fs::read(path(&dir, "acceptedEpoch")).unwrap(), b"7");
    assert_eq!(fs::read(path(&dir, "currentEpoch")).unwrap(), b"6");
    let (_, recovered) = open(&dir);
    assert_eq!((recovered.accepted_epoch, recovered.current_epoch), (7, 6));
    assert_eq!(names(&dir), ["acceptedEpoch", "currentEpoch", "log.100000001"]);
}

#[test]
fn a_half_written_replacement_does_not_count() {
    let dir = with_log(1);
    fs::write(path(&dir, "acceptedEpoch"), "4").unwrap();
    fs::write(path(&dir, "acceptedEpoch.tmp"), "9").unwrap();
    assert_eq!(open(&dir).1.accepted_epoch, 4);
    assert!(!path(&dir, "acceptedEpoch.tmp").exists());
}

/// currentEpoch says that the epoch's history is here, so it must never be durable before that history.
#[test]
fn current_epoch_carries_the_log_before_it_to_the_disk() {
    let dir = scratch();
    let (mut storage, _) = open(&dir);
    storage.set_accepted_epoch(1).unwrap();
    storage.append(&entry(zxid(1, 1))).unwrap();
    storage.set_current_epoch(1).unwrap();
    drop(storage);
    assert_eq!(open(&dir).1.entries, entries(1, 1..=1));
}

#[test]
fn a_promise_behind_current_epoch_is_refused() {
    let dir = with_log(1);
    fs::write(path(&dir, "acceptedEpoch"), "2").unwrap();
    fs::write(path(&dir, "currentEpoch"), "3").unwrap();
    let error = open_error(&dir);
    assert!(matches!(error, StorageError::ForgottenPromise { accepted: 2, reached: 3, .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("acceptedEpoch is 2") && text.contains("currentEpoch already"), "{text}");
}

#[test]
fn a_promise_behind_the_log_is_refused() {
    let dir = with_log(1);
    let (mut storage, _) = open(&dir);
    append(&mut storage, &entries(5, 1..=1));
    drop(storage);
    fs::write(path(&dir, "acceptedEpoch"), "4").unwrap();
    fs::write(path(&dir, "currentEpoch"), "1").unwrap();
    let error = open_error(&dir).to_string();
    assert!(error.contains("acceptedEpoch is 4") && error.contains("0x500000001"), "{error}");
    assert!(error.contains("Restore the file"), "it says what to do: {error}");
}

/// The crash between "the new leader's history is durable" and "currentEpoch is written".
#[test]
fn a_current_epoch_behind_the_log_is_accepted_when_the_promise_is_not() {
    let dir = with_log(2);
    let (mut storage, _) = open(&dir);
    storage.set_accepted_epoch(2).unwrap();
    storage.set_current_epoch(1).unwrap();
    append(&mut storage, &entries(2, 1..=1));
    drop(storage);
    let (_, recovered) = open(&dir);
    assert_eq!((recovered.accepted_epoch, recovered.current_epoch), (2, 1));
    assert_eq!(recovered.entries.len(), 3);
}

#[test]
fn what_is_not_a_number_is_refused_with_its_text() {
    for text in ["", "-1", "two", "4294967296"] {
        let dir = with_log(1);
        fs::write(path(&dir, "currentEpoch"), text).unwrap();
        let error = open_error(&dir).to_string();
        assert!(error.contains("currentEpoch") && error.contains(&format!("{text:?}")), "{error}");
    }
    let dir = with_log(1);
    fs::write(path(&dir, "currentEpoch"), "1\n").unwrap();
    assert_eq!(open(&dir).1.current_epoch, 1, "a final newline is someone's editor");
}

/// The planted bug: nothing is written, nothing is read, nothing is checked; currentEpoch is as ever.
#[test]
fn a_forgetful_storage_forgets_acceptedepoch_and_nothing_else() {
    let forgetful = || Options { forget_accepted_epoch: true, ..small() };
    let dir = with_log(2);
    let (mut storage, _) = Storage::open_with(dir.path(), forgetful()).unwrap();
    storage.set_accepted_epoch(9).unwrap();
    storage.set_current_epoch(1).unwrap();
    drop(storage);
    assert!(!path(&dir, "acceptedEpoch").exists());
    fs::write(path(&dir, "acceptedEpoch"), "3").unwrap();
    let (_, recovered) = Storage::open_with(dir.path(), forgetful()).unwrap();
    assert_eq!((recovered.accepted_epoch, recovered.current_epoch), (0, 1));
    assert_eq!(recovered.entries.len(), 2);
}
