//! Appending, group commit, torn tails, and damage that is more than a torn tail.

use super::*;
use crate::{log_writer, txn_log};

/// The checksum of a record that Apache ZooKeeper 3.8.0 wrote: a createSession with its digest.
#[test]
fn a_record_is_framed_as_zookeeper_frames_it() {
    let transaction = hex(concat!(
        "010000254eda0000000000000000000100000001000001a200d85610",
        "fffffff600001770000000020000000051c6d660"
    ));
    let mut record = Vec::new();
    txn_log::encode(&transaction, &mut record);
    assert_eq!(record[..12], hex("00000000baf009fb00000030"));
    assert_eq!(record[12..60], transaction);
    assert_eq!(record[60..], [0x42]);
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn a_fresh_directory_holds_the_empty_state() {
    let dir = scratch();
    let (storage, recovered) = open(&dir);
    assert_eq!(recovered, Recovered::default());
    assert_eq!(storage.last_zxid(), Zxid::ZERO);
    drop(storage);
    assert_eq!(open(&dir).1, Recovered::default());
}

#[test]
fn what_was_synced_comes_back_and_what_was_not_does_not() {
    let dir = scratch();
    let (mut storage, _) = open(&dir);
    append(&mut storage, &entries(1, 1..=3));
    storage.append(&entry(zxid(1, 4))).unwrap();
    assert_eq!(storage.last_zxid(), zxid(1, 4));
    drop(storage);
    let (mut storage, recovered) = open(&dir);
    assert_eq!(recovered.entries, entries(1, 1..=3));
    assert_eq!(names(&dir), ["log.100000001"]);
    append(&mut storage, &entries(1, 4..=5));
    append(&mut storage, &entries(3, 1..=2));
    drop(storage);
    let expected = [entries(1, 1..=5), entries(3, 1..=2)].concat();
    assert_eq!(open(&dir).1.entries, expected);
    assert_eq!(names(&dir), ["log.100000001"], "it goes on in the same file");
}

#[test]
fn space_is_reserved_in_steps_and_given_back() {
    let dir = scratch();
    let (mut storage, _) = open(&dir);
    let len = || fs::metadata(path(&dir, "log.100000001")).unwrap().len();
    append(&mut storage, &entries(1, 1..=1));
    assert_eq!(len(), 8192);
    append(&mut storage, &entries(1, 2..=300));
    assert_eq!(len() % 8192, 0);
    drop(storage);
    let reserved = len();
    let (mut storage, recovered) = open(&dir);
    assert_eq!(recovered.entries.len(), 300);
    assert!(len() < reserved, "a start cuts what is not used");
    append(&mut storage, &entries(1, 301..=301));
    assert_eq!(len() % 8192, 0);
}

#[test]
fn without_reservation_the_file_is_as_long_as_its_records() {
    let dir = scratch();
    let options = Options { preallocate_bytes: 0, ..Options::default() };
    let (mut storage, _) = Storage::open_with(dir.path(), options).unwrap();
    append(&mut storage, &entries(1, 1..=2));
    let bytes = fs::read(path(&dir, "log.100000001")).unwrap();
    assert_eq!(*record_bounds(&bytes).last().unwrap(), bytes.len());
}

#[test]
fn two_processes_cannot_share_a_directory() {
    let dir = scratch();
    let (storage, _) = open(&dir);
    let error = open_error(&dir);
    assert!(matches!(error, StorageError::Locked { .. }));
    assert!(error.to_string().contains("another process is using this data directory"), "{error}");
    drop(storage);
    open(&dir);
}

/// From a whole file, the place where the damage begins, and the end of the last record.
type Tear = fn(&[u8], usize, usize) -> Vec<u8>;

/// Every way a crash can leave the last record, at every offset of it.
#[test]
fn a_torn_tail_gives_back_exactly_the_entries_before_it() {
    let dir = with_log(4);
    let log = path(&dir, "log.100000001");
    let whole = fs::read(&log).unwrap();
    let bounds = record_bounds(&whole);
    let (start, end) = (bounds[3], bounds[4]);
    let torn: [(&str, Tear); 4] = [
        ("cut", |whole, at, _| whole[..at].to_vec()),
        ("zeroed", |whole, at, end| patch(whole, at, end, |_| 0)),
        ("garbled", |whole, at, end| patch(whole, at, end, |byte| byte ^ 0xa5)),
        ("one byte changed", |whole, at, _| patch(whole, at, at + 1, |byte| byte ^ 0x01)),
    ];
    for (how, tear) in torn {
        for at in start..end {
            fs::write(&log, tear(&whole, at, end)).unwrap();
            let (mut storage, recovered) = open(&dir);
            assert_eq!(recovered.entries, entries(1, 1..=3), "{how} at {at}");
            // What comes next must not end up behind garbage.
            append(&mut storage, &entries(2, 1..=1));
            drop(storage);
            let expected = [entries(1, 1..=3), entries(2, 1..=1)].concat();
            assert_eq!(open(&dir).1.entries, expected, "{how} at {at}, and gone on");
        }
    }
}

fn patch(whole: &[u8], from: usize, to: usize, change: fn(u8) -> u8) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    for byte in &mut bytes[from..to] {
        *byte = change(*byte);
    }
    bytes
}

#[test]
fn a_torn_batch_loses_only_what_was_never_synced() {
    let dir = with_log(6);
    let log = path(&dir, "log.100000001");
    let whole = fs::read(&log).unwrap();
    let bounds = record_bounds(&whole);
    for at in bounds[2]..bounds[6] {
        fs::write(&log, &whole[..at]).unwrap();
        let (_, recovered) = open(&dir);
        let complete = bounds.iter().filter(|end| **end <= at).count() - 1;
        assert_eq!(recovered.entries, entries(1, 1..=u32::try_from(complete).unwrap()), "cut at {at}");
    }
}

#[test]
fn damage_in_front_of_whole_records_is_refused_by_file_and_offset() {
    let dir = with_log(4);
    let log = path(&dir, "log.100000001");
    let whole = fs::read(&log).unwrap();
    let bounds = record_bounds(&whole);
    for at in bounds[1]..bounds[2] {
        fs::write(&log, &whole).unwrap();
        flip(&log, at);
        let error = open_error(&dir);
        let StorageError::CorruptLog { path, offset, .. } = &error else { panic!("at {at}: {error}") };
        assert_eq!((path, *offset), (&log, bounds[1] as u64), "at {at}: {error}");
    }
    assert_eq!(fs::read(&log).unwrap().len(), whole.len(), "nothing was cut");
}

#[test]
fn one_changed_byte_anywhere_is_refused_or_costs_the_last_record_at_most() {
    let dir = with_log(4);
    let log = path(&dir, "log.100000001");
    let whole = fs::read(&log).unwrap();
    let bounds = record_bounds(&whole);
    for at in 0..bounds[4] {
        fs::write(&log, &whole).unwrap();
        flip(&log, at);
        match Storage::open_with(dir.path(), small()) {
            Ok((_, recovered)) => {
                assert!(at >= bounds[3], "at {at}");
                assert_eq!(recovered.entries, entries(1, 1..=3), "at {at}");
            }
            Err(error) => assert!(at < bounds[3], "at {at}: {error}"),
        }
    }
}

#[test]
fn a_hole_of_zeros_in_front_of_whole_records_is_refused() {
    let dir = with_log(4);
    let log = path(&dir, "log.100000001");
    let whole = fs::read(&log).unwrap();
    let bounds = record_bounds(&whole);
    fs::write(&log, patch(&whole, bounds[1], bounds[2], |_| 0)).unwrap();
    let error = open_error(&dir);
    assert!(error.to_string().contains("zeros stand where a record should be"), "{error}");
}

#[test]
fn damage_in_an_earlier_file_is_refused_wherever_it_is() {
    let dir = with_log(3);
    let (mut storage, _) = open(&dir);
    // A second file without a snapshot between: as ZooKeeper leaves it after a restart.
    storage.writer.roll(&mut storage.dir).unwrap();
    append(&mut storage, &entries(1, 4..=5));
    drop(storage);
    assert_eq!(names(&dir), ["log.100000001", "log.100000004"]);
    assert_eq!(open(&dir).1.entries, entries(1, 1..=5));
    let log = path(&dir, "log.100000001");
    let whole = fs::read(&log).unwrap();
    let bounds = record_bounds(&whole);
    for at in bounds[2]..bounds[3] {
        fs::write(&log, &whole).unwrap();
        flip(&log, at);
        let error = open_error(&dir);
        assert!(
            matches!(error, StorageError::CorruptLog { .. } | StorageError::LogOrder { .. }),
            "at {at}: {error}"
        );
    }
}

/// Behind an earlier file that lost its last record, a new epoch's first transaction is in order: so only what a write
/// cut short leaves may end such a file (ZooKeeper goes on in a new one after a crash), and no changed bit.
#[test]
fn a_bit_changed_at_the_end_of_an_epoch_is_refused_and_a_write_cut_short_is_not() {
    let dir = with_log(3);
    let (mut storage, _) = open(&dir);
    storage.writer.roll(&mut storage.dir).unwrap();
    append(&mut storage, &entries(2, 1..=2));
    drop(storage);
    let log = path(&dir, "log.100000001");
    let whole = fs::read(&log).unwrap();
    let (start, end) = (record_bounds(&whole)[2], whole.len());
    for at in start..end {
        for bit in 0..8 {
            fs::write(&log, patch_bit(&whole, at, bit)).unwrap();
            let error = open_error(&dir);
            assert!(matches!(error, StorageError::CorruptLog { .. }), "bit {bit} of byte {at}: {error}");
        }
        for padding in [0, 64] {
            fs::write(&log, [&whole[..at], &vec![0; padding]].concat()).unwrap();
            let expected = [entries(1, 1..=2), entries(2, 1..=2)].concat();
            assert_eq!(open(&dir).1.entries, expected, "cut at {at}");
        }
    }
}

fn patch_bit(whole: &[u8], at: usize, bit: usize) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    bytes[at] ^= 1 << bit;
    bytes
}

#[test]
fn a_gap_or_a_step_back_is_refused_and_names_both_transactions() {
    let cases = [
        ([zxid(1, 1), zxid(1, 3)], "0x100000003 does not follow transaction 0x100000001"),
        ([zxid(1, 2), zxid(1, 2)], "the log begins at 0x100000002"),
        ([zxid(1, 1), zxid(1, 1)], "0x100000001 does not follow transaction 0x100000001"),
        ([zxid(2, 1), zxid(1, 2)], "0x100000002 does not follow transaction 0x200000001"),
        ([zxid(1, 1), zxid(2, 2)], "0x200000002 does not follow transaction 0x100000001"),
    ];
    for (order, message) in cases {
        let dir = scratch();
        fs::create_dir(dir.path().join("version-2")).unwrap();
        let mut bytes = txn_log::HEADER.to_vec();
        for at in order {
            txn_log::encode(&entry(at).txn, &mut bytes);
        }
        fs::write(path(&dir, &txn_log::name(order[0])), bytes).unwrap();
        let error = open_error(&dir).to_string();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn appending_out_of_order_is_refused_and_ends_the_use_of_the_storage() {
    for wrong in [zxid(1, 3), zxid(1, 5), zxid(0, 9), zxid(2, 2)] {
        let dir = with_log(3);
        let (mut storage, _) = open(&dir);
        let error = storage.append(&entry(wrong)).unwrap_err();
        assert!(matches!(error, StorageError::AppendOrder { .. }), "{error}");
        assert!(error.to_string().contains(&wrong.to_string()), "{error}");
        assert!(matches!(storage.append(&entry(zxid(1, 4))), Err(StorageError::Failed { .. })));
        assert!(matches!(storage.sync(), Err(StorageError::Failed { .. })));
    }
}

#[test]
fn a_file_that_was_created_and_never_written_is_removed() {
    for unwritten in [&b""[..], b"ZKL", b"ZKLG\0\0\0\x02\0\0\0\0\0\0\0\0", &[0; 100]] {
        let dir = with_log(3);
        let log = path(&dir, "log.100000004");
        fs::write(&log, unwritten).unwrap();
        let (mut storage, recovered) = open(&dir);
        assert_eq!(recovered.entries, entries(1, 1..=3));
        assert!(!log.exists());
        append(&mut storage, &entries(1, 4..=4));
        drop(storage);
        assert_eq!(open(&dir).1.entries, entries(1, 1..=4));
    }
}

#[test]
fn files_that_are_no_logs_are_refused_or_left_alone() {
    let dir = with_log(2);
    fs::write(path(&dir, "log.notes"), "mine").unwrap();
    assert_eq!(open(&dir).1.entries.len(), 2);
    assert!(path(&dir, "log.notes").exists());
    fs::write(path(&dir, "log.200000001"), "something else entirely").unwrap();
    let error = open_error(&dir).to_string();
    assert!(error.contains("does not begin with the header"), "{error}");
    fs::rename(path(&dir, "log.100000001"), path(&dir, "log.200000001")).unwrap();
    let error = open_error(&dir).to_string();
    assert!(error.contains("not what the name says"), "{error}");
}

#[test]
fn the_systems_own_words_reach_the_message() {
    let dir = scratch();
    fs::write(dir.path().join("version-2"), "a file where the folder should be").unwrap();
    let error = open_error(&dir);
    assert!(matches!(error, StorageError::Io { .. }));
    assert!(error.to_string().starts_with("create ") && error.to_string().contains("os error"), "{error}");
}

/// /dev/full refuses every write with ENOSPC.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_named_and_nothing_is_tried_again() {
    let dir = with_log(1);
    let (mut storage, _) = open(&dir);
    storage.writer = log_writer::LogWriter::new(0);
    storage.writer.resume("/dev/full", 0);
    storage.append(&entry(zxid(1, 2))).unwrap();
    let error = storage.sync().unwrap_err();
    assert_eq!(error.to_string(), "write /dev/full: No space left on device (os error 28)");
    assert!(matches!(storage.sync(), Err(StorageError::Failed { .. })));
}
