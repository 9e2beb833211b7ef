//! Each sentence of the documentation, on the disk by itself.

use super::*;
use proptest::prelude::*;
use std::hash::DefaultHasher;

/// A disk with one durable file, `log.1`, that holds `content`.
fn disk_with(content: &str) -> SimFolder {
    let mut disk = SimFolder::new("disk");
    write_new(&mut disk, "log.1", content);
    disk.sync_all("log.1").unwrap();
    disk.sync_dir().unwrap();
    disk
}

fn write_new(disk: &mut SimFolder, name: &str, content: &str) {
    disk.create_new(name).unwrap();
    disk.write_at(name, 0, content.as_bytes()).unwrap();
}

fn text(disk: &SimFolder, name: &str) -> String {
    String::from_utf8(disk.read(name).unwrap().to_vec()).unwrap().replace('\0', "0")
}

fn names(disk: &SimFolder) -> Vec<String> {
    disk.list().unwrap()
}

fn hash_of(disk: &SimFolder) -> u64 {
    let mut hasher = DefaultHasher::new();
    disk.hash(&mut hasher);
    hasher.finish()
}

/// Runs a power loss on a copy.
fn after(disk: &SimFolder, chance: &mut dyn Chance) -> SimFolder {
    let mut disk = disk.clone();
    disk.power_loss(chance);
    disk
}

#[test]
fn a_kill_takes_nothing_and_makes_nothing_durable() {
    let mut disk = disk_with("one");
    disk.write_at("log.1", 3, b"two").unwrap();
    disk.create_new("log.2").unwrap();
    disk.kill();
    assert_eq!((text(&disk, "log.1"), names(&disk).len()), ("onetwo".into(), 2));
    let lost = after(&disk, &mut Worst);
    assert_eq!((text(&lost, "log.1"), names(&lost).len()), ("one".into(), 1));
}

#[test]
fn what_is_synced_survives_the_worst_and_what_is_not_may_survive() {
    let mut disk = disk_with("one");
    disk.write_at("log.1", 3, b"two").unwrap();
    assert_eq!(text(&after(&disk, &mut Worst), "log.1"), "one");
    assert_eq!(text(&after(&disk, &mut Best), "log.1"), "onetwo");
    disk.sync_data("log.1").unwrap();
    assert_eq!(text(&after(&disk, &mut Worst), "log.1"), "onetwo");
}

#[test]
fn a_power_loss_decides_once() {
    let mut disk = disk_with("one");
    disk.write_at("log.1", 3, b"two").unwrap();
    disk.power_loss(&mut Best);
    disk.power_loss(&mut Worst);
    assert_eq!(text(&disk, "log.1"), "onetwo");
}

#[test]
fn a_beginning_of_the_changes_is_kept_and_the_next_may_be_torn_at_any_byte() {
    let mut disk = disk_with("");
    for (at, word) in [(0, b"abc"), (3, b"def"), (6, b"ghi")] {
        disk.write_at("log.1", at, word).unwrap();
    }
    for kept in 0..3_u64 {
        for torn in 0..3_u64 {
            let lost = after(&disk, &mut Script(&[kept, 1, torn]));
            let end = usize::try_from(kept * 3 + torn).unwrap();
            assert_eq!(text(&lost, "log.1"), "abcdefghi"[..end]);
            assert_eq!(lost.evidence().bytes_lost, 9 - kept * 3 - torn);
            assert_eq!(lost.evidence().writes_torn, u64::from(torn > 0));
        }
        let lost = after(&disk, &mut Script(&[kept, 0]));
        assert_eq!(text(&lost, "log.1").len() as u64, kept * 3, "or not under way at all");
    }
}

#[test]
fn overwritten_and_cut_bytes_come_back() {
    let mut disk = disk_with("abcdef");
    disk.write_at("log.1", 2, b"XY").unwrap();
    disk.set_len("log.1", 3).unwrap();
    disk.write_at("log.1", 5, b"Z").unwrap();
    disk.allocate("log.1", 6, 8).unwrap();
    assert_eq!(text(&disk, "log.1"), "abX00Z00");
    for (kept, content) in ["abcdef", "abXYef", "abX", "abX00Z", "abX00Z00"].iter().enumerate() {
        assert_eq!(&text(&after(&disk, &mut Script(&[kept as u64, 0])), "log.1"), content);
    }
    assert_eq!(text(&after(&disk, &mut Script(&[0, 1, 1])), "log.1"), "abXdef", "torn amid an overwrite");
    disk.create("log.1").unwrap();
    assert_eq!(text(&disk, "log.1"), "");
    assert_eq!(text(&after(&disk, &mut Worst), "log.1"), "abcdef", "an emptied file is the same file");
}

#[test]
fn a_name_that_was_not_synced_is_lost_with_all_its_synced_bytes() {
    let mut disk = disk_with("one");
    write_new(&mut disk, "log.2", "two");
    disk.sync_all("log.2").unwrap();
    let lost = after(&disk, &mut Worst);
    assert_eq!(names(&lost), ["log.1"]);
    assert_eq!((lost.evidence().names_lost, lost.evidence().bytes_lost), (1, 3));
    disk.sync_dir().unwrap();
    assert_eq!(text(&after(&disk, &mut Worst), "log.2"), "two");
}

#[test]
fn a_synced_name_says_nothing_about_the_bytes() {
    let mut disk = disk_with("one");
    write_new(&mut disk, "log.2", "two");
    disk.sync_dir().unwrap();
    assert_eq!(text(&after(&disk, &mut Worst), "log.2"), "");
}

#[test]
fn a_renaming_that_was_not_synced_may_leave_the_old_name_and_the_old_file() {
    let mut disk = disk_with("old");
    write_new(&mut disk, "tmp", "new");
    disk.sync_all("tmp").unwrap();
    disk.sync_dir().unwrap();
    disk.rename("tmp", "log.1").unwrap();
    assert_eq!((names(&disk).len(), text(&disk, "log.1")), (1, "new".into()));
    let lost = after(&disk, &mut Worst);
    assert_eq!((text(&lost, "log.1"), text(&lost, "tmp")), ("old".into(), "new".into()));
    disk.sync_dir().unwrap();
    assert_eq!((names(&disk).len(), text(&after(&disk, &mut Worst), "log.1")), (1, "new".into()));
}

#[test]
fn a_deleted_file_may_be_back_as_it_was_and_the_folder_changes_in_order() {
    let mut disk = disk_with("one");
    disk.remove("log.1").unwrap();
    disk.create_new("log.2").unwrap();
    disk.rename("log.2", "log.3").unwrap();
    let left = [&["log.1"][..], &[], &["log.2"], &["log.3"]];
    for (kept, names_left) in left.iter().enumerate() {
        let lost = after(&disk, &mut Script(&[kept as u64, 0]));
        assert_eq!(&names(&lost), names_left);
        assert_eq!(lost.evidence().names_lost, 3 - kept as u64);
    }
    assert_eq!(text(&after(&disk, &mut Worst), "log.1"), "one");
}

#[test]
fn reordered_writes_may_leave_a_hole_and_only_then() {
    let mut disk = disk_with("");
    disk.write_at("log.1", 0, b"abc").unwrap();
    disk.write_at("log.1", 3, b"def").unwrap();
    for seed in 0..200 {
        let whole = text(&after(&disk, &mut dice(seed)), "log.1");
        assert!("abcdef".starts_with(&whole), "{whole}");
    }
    disk.faults.reordered = true;
    assert_eq!(text(&after(&disk, &mut Script(&[0, 2])), "log.1"), "000def");
    assert_eq!(text(&after(&disk, &mut Script(&[1, 1, 2])), "log.1"), "a00def");
}

#[test]
fn a_blown_fuse_stops_everything_until_the_process_has_ended() {
    let mut disk = disk_with("one");
    disk.faults.fuse = Some(2);
    disk.read("log.1").unwrap();
    disk.write_at("log.1", 3, b"two").unwrap();
    assert!(!disk.faults.is_gone());
    disk.sync_data("log.1").unwrap();
    assert!(disk.faults.is_gone());
    let error = disk.write_at("log.1", 6, b"three").unwrap_err();
    assert_eq!(error.to_string(), "the process is gone");
    assert!(disk.read("log.1").is_err() && disk.list().is_err() && disk.sync_dir().is_err());
    assert_eq!(disk.evidence().failures, 2);
    disk.kill();
    assert_eq!(text(&disk, "log.1"), "onetwo");
}

#[test]
fn on_a_full_disk_what_fits_is_written() {
    let mut disk = disk_with("one");
    disk.faults.full = Some(8);
    disk.write_at("log.1", 1, b"NE").unwrap();
    let error = disk.write_at("log.1", 2, b"E, and more").unwrap_err();
    assert_eq!((error.kind(), text(&disk, "log.1")), (io::ErrorKind::StorageFull, "oNE, and".into()));
    assert_eq!(disk.usage(), 8);
    assert!(disk.allocate("log.1", 8, 9).is_err());
    disk.create_new("log.2").unwrap();
    disk.remove("log.1").unwrap();
    disk.write_at("log.2", 0, b"room").unwrap();
}

#[test]
fn after_a_failed_sync_only_writing_again_helps() {
    let mut disk = disk_with("one");
    disk.write_at("log.1", 3, b"two").unwrap();
    disk.faults.fail_sync = true;
    assert_eq!(disk.sync_data("log.1").unwrap_err().raw_os_error(), Some(5));
    disk.faults.fail_sync = false;
    disk.sync_data("log.1").unwrap();
    assert_eq!(text(&after(&disk, &mut Worst), "log.1"), "one", "a success that means nothing");
    disk.write_at("log.1", 0, b"onetwo").unwrap();
    disk.sync_data("log.1").unwrap();
    assert_eq!(text(&after(&disk, &mut Worst), "log.1"), "onetwo");
    // A folder that failed to sync is as it was.
    disk.create_new("log.2").unwrap();
    disk.faults.fail_sync = true;
    disk.sync_dir().unwrap_err();
    assert_eq!(names(&after(&disk, &mut Worst)).len(), 1);
    assert_eq!(disk.evidence().failures, 2);
}

#[test]
fn a_bit_flips_in_a_closed_file_seen_and_durable() {
    let mut disk = disk_with("aaaa");
    assert_eq!(disk.bit_flip(&mut Worst), None, "the only log is being written");
    for name in ["acceptedEpoch", "snapshot.1", "log.2", "snapshot.2.tmp"] {
        write_new(&mut disk, name, "bbbb");
        disk.sync_all(name).unwrap();
    }
    disk.sync_dir().unwrap();
    // Overwritten and not synced: the medium has the old byte.
    disk.write_at("log.1", 0, b"AAAA").unwrap();
    disk.write_at("log.2", 0, b"b").unwrap();
    let flip = |choices: &[u64]| {
        let mut disk = disk.clone();
        (disk.bit_flip(&mut Script(choices)), disk)
    };
    let (name, flipped) = flip(&[0, 1, 0]);
    assert_eq!((name.as_deref(), text(&flipped, "log.1")), (Some("log.1"), "A@AA".into()));
    assert_eq!(text(&after(&flipped, &mut Worst), "log.1"), "a`aa");
    let (name, flipped) = flip(&[1, 3, 1]);
    assert_eq!((name.as_deref(), text(&flipped, "snapshot.1")), (Some("snapshot.1"), "bbb`".into()));
    for seed in 0..100 {
        let name = disk.clone().bit_flip(&mut dice(seed)).unwrap();
        assert!(["log.1", "snapshot.1"].contains(&name.as_str()), "{name}");
    }
    // Once a file: what two flips in one record do, the format cannot notice.
    let mut twice = disk.clone();
    let files = [(); 3].map(|()| twice.bit_flip(&mut Worst));
    assert_eq!(files.map(|name| name.is_some()), [true, true, false], "two closed files");
    // When the file written last is gone, the newest log is the one in use.
    disk.remove("log.2").unwrap();
    for seed in 0..100 {
        assert_eq!(disk.clone().bit_flip(&mut dice(seed)).unwrap(), "snapshot.1");
    }
}

#[test]
fn a_wiped_disk_is_a_new_one_with_the_same_faults() {
    let mut disk = disk_with("one");
    disk.faults.reordered = true;
    disk.wipe();
    assert_eq!((names(&disk).len(), disk.usage(), disk.faults.reordered), (0, 0, true));
    disk.power_loss(&mut Best);
    assert_eq!(names(&disk).len(), 0);
}

#[test]
fn missing_and_present_names_give_the_systems_errors() {
    let mut disk = disk_with("one");
    let kind = |result: io::Result<()>| result.unwrap_err().kind();
    assert_eq!(kind(disk.create_new("log.1")), io::ErrorKind::AlreadyExists);
    assert_eq!(disk.read("nothing").unwrap_err().kind(), io::ErrorKind::NotFound);
    for result in [
        disk.write_at("nothing", 0, b"x"),
        disk.set_len("nothing", 1),
        disk.sync_all("nothing"),
        disk.rename("nothing", "log.1"),
        disk.remove("nothing"),
    ] {
        assert_eq!(kind(result), io::ErrorKind::NotFound);
    }
    assert_eq!(text(&disk, "log.1"), "one");
}

#[test]
fn disks_are_equal_by_their_state_and_clones_are_independent() {
    let mut disk = disk_with("one");
    let before = disk.clone();
    disk.write_at("log.1", 3, b"two").unwrap();
    assert_ne!(disk, before);
    assert_eq!(text(&before, "log.1"), "one");
    let mut same = before.clone();
    same.write_at("log.1", 3, b"two").unwrap();
    assert_eq!((&disk, hash_of(&disk)), (&same, hash_of(&same)));
    // The same bytes, but only here they are durable.
    same.sync_data("log.1").unwrap();
    assert_ne!(disk, same);
    disk.sync_all("log.1").unwrap();
    disk.sync_all("log.1").unwrap();
    assert_ne!(disk.evidence(), same.evidence());
    assert_eq!((&disk, hash_of(&disk)), (&same, hash_of(&same)), "what was counted is no state");
}

#[derive(Debug, Clone)]
enum FileOp {
    Write(usize, Vec<u8>),
    SetLen(usize),
    Sync,
}

fn file_ops() -> impl Strategy<Value = Vec<FileOp>> {
    let op = prop_oneof![
        4 => (0_usize..20, proptest::collection::vec(1_u8.., 0..8)).prop_map(|(at, bytes)| FileOp::Write(at, bytes)),
        2 => (0_usize..20).prop_map(FileOp::SetLen),
        1 => Just(FileOp::Sync),
    ];
    proptest::collection::vec(op, 1..20)
}

/// What a write of the first `len` of `bytes` makes of `content`.
fn written(content: &[u8], at: usize, bytes: &[u8], len: usize) -> Vec<u8> {
    let mut content = content.to_vec();
    if len > 0 {
        content.resize(content.len().max(at + len), 0);
        content[at..at + len].copy_from_slice(&bytes[..len]);
    }
    content
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// Against the simplest disk, which keeps a copy of every moment.
    #[test]
    fn a_file_comes_back_as_it_was_at_a_moment_since_its_last_sync(ops in file_ops(), seed in any::<u64>()) {
        let mut file = File::default();
        let mut moments = vec![Vec::new()];
        for op in ops {
            let now = file.content().to_vec();
            match op {
                FileOp::Write(at, bytes) => {
                    file.write(at, &bytes);
                    moments.extend((1..=bytes.len()).map(|len| written(&now, at, &bytes, len)));
                }
                FileOp::SetLen(len) => {
                    file.set_len(len);
                    let mut content = now;
                    content.resize(len, 0);
                    moments.push(content);
                }
                FileOp::Sync => {
                    file.sync();
                    moments = vec![now];
                }
            }
            prop_assert_eq!(file.content(), &moments.last().expect("there is one")[..]);
        }
        let after = |chance: &mut dyn Chance| {
            let mut file = file.clone();
            file.lose_power(chance, false, &mut Evidence::default());
            file.content().to_vec()
        };
        prop_assert_eq!(&after(&mut Worst), &moments[0]);
        prop_assert_eq!(&after(&mut Best), &moments[moments.len() - 1]);
        let drawn = after(&mut dice(seed));
        prop_assert!(moments.contains(&drawn), "{drawn:?} is none of {moments:?}");
    }
}
