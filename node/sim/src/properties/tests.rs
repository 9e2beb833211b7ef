//! Each property says no to a short story that breaks it, and to no other; and yes to a story that is right.

use super::*;
use zab_wire::Zxid;

fn z(epoch: u32, counter: u32) -> Zxid {
    Zxid::new(epoch, counter)
}

/// Everything that stands for a transaction here.
fn d(zxid: Zxid) -> u64 {
    zxid.to_bits()
}

fn broadcast(by: At, zxid: Zxid) -> Seen {
    Seen::Broadcast { by, zxid, digest: d(zxid) }
}

fn delivered(at: At, zxid: Zxid) -> Seen {
    Seen::Delivered { at, zxid, digest: d(zxid) }
}

/// On the disks of all three.
fn logged(zxid: Zxid) -> [Seen; 3] {
    [0, 1, 2].map(|at| Seen::Logged { at, zxid, digest: d(zxid) })
}

/// Broadcast, logged by all, delivered by all.
fn whole(by: At, zxid: Zxid) -> Vec<Seen> {
    let mut story = vec![broadcast(by, zxid)];
    story.extend(logged(zxid));
    story.extend([0, 1, 2].map(|at| delivered(at, zxid)));
    story
}

/// The first violation that a story of three servers meets, with how many sights came before it.
fn tell(story: impl IntoIterator<Item = Seen>) -> Option<(usize, Violation)> {
    let mut ledger = Ledger::new(3, 3);
    story.into_iter().enumerate().find_map(|(place, seen)| Some((place, see(&mut ledger, &seen).err()?)))
}

/// The story is broken by its last sight, and by that property.
fn breaks(property: &str, story: Vec<Seen>) {
    let last = story.len() - 1;
    let (place, violation) = tell(story).unwrap_or_else(|| panic!("{property} is not broken"));
    assert_eq!((place, violation.property), (last, property), "{}", violation.what);
}

fn join(stories: impl IntoIterator<Item = Vec<Seen>>) -> Vec<Seen> {
    stories.into_iter().flatten().collect()
}

#[test]
fn two_epochs_a_crash_a_snapshot_and_a_cut_break_nothing() {
    let story = join([
        vec![Seen::Leads { at: 2, epoch: 1 }, Seen::Established { at: 2, epoch: 1 }],
        whole(2, z(1, 1)),
        whole(2, z(1, 2)),
        // Known to its primary alone, and given up.
        vec![broadcast(2, z(1, 3)), Seen::Logged { at: 2, zxid: z(1, 3), digest: d(z(1, 3)) }],
        vec![
            Seen::LeadsNoMore { at: 2 },
            Seen::Leads { at: 1, epoch: 2 },
            Seen::Established { at: 1, epoch: 2 },
        ],
        vec![
            Seen::Epochs { at: 1, accepted: 2, current: 0 },
            Seen::Epochs { at: 1, accepted: 2, current: 2 },
        ],
        vec![Seen::Cut { at: 2, to: z(1, 2) }, Seen::Based { at: 2, zxid: Zxid::ZERO }],
        vec![delivered(2, z(1, 1)), delivered(2, z(1, 2))],
        whole(1, z(2, 1)),
        vec![Seen::Installed { at: 0, zxid: z(2, 1), last: z(2, 1) }, Seen::Based { at: 0, zxid: z(2, 1) }],
        vec![Seen::Tree { at: 0, zxid: z(2, 1), digest: 7 }, Seen::Tree { at: 1, zxid: z(2, 1), digest: 7 }],
        vec![Seen::Recovered { at: 1, accepted: 2, current: 2, base: z(2, 1), last: z(2, 1) }],
        whole(1, z(2, 2)),
    ]);
    assert_eq!(tell(story), None);
}

#[test]
fn leadership() {
    breaks("Leadership1", vec![Seen::Leads { at: 0, epoch: 1 }, Seen::Leads { at: 1, epoch: 1 }]);
    let again = vec![
        Seen::Leads { at: 0, epoch: 1 },
        Seen::Established { at: 0, epoch: 1 },
        Seen::LeadsNoMore { at: 0 },
        Seen::Leads { at: 1, epoch: 1 },
        Seen::Established { at: 1, epoch: 1 },
    ];
    breaks("Leadership2", again);
}

#[test]
fn another_transaction_under_the_same_zxid_breaks_prefix_consistency() {
    let other = Seen::Delivered { at: 1, zxid: z(1, 1), digest: 99 };
    let mut story = vec![broadcast(0, z(1, 1))];
    story.extend(logged(z(1, 1)));
    story.extend([delivered(0, z(1, 1)), other]);
    breaks("PrefixConsistency", story);
}

#[test]
fn a_transaction_inserted_into_the_committed_history_breaks_prefix_consistency() {
    let mut story = vec![broadcast(0, z(1, 1)), broadcast(0, z(1, 2))];
    story.extend(logged(z(1, 1)));
    story.extend(logged(z(1, 2)));
    // 2.1 is committed by a primary that never had 1.2.
    story.extend([delivered(0, z(1, 1)), delivered(1, z(1, 1)), broadcast(1, z(2, 1))]);
    story.extend(logged(z(2, 1)));
    story.extend([delivered(1, z(2, 1)), delivered(0, z(1, 2))]);
    breaks("PrefixConsistency", story);
}

#[test]
fn what_nobody_broadcast_breaks_integrity() {
    let mut story = logged(z(1, 1)).to_vec();
    story.push(delivered(0, z(1, 1)));
    breaks("Integrity", story);
    let mut story = vec![Seen::Broadcast { by: 0, zxid: z(1, 1), digest: 99 }];
    story.extend(logged(z(1, 1)));
    story.push(delivered(0, z(1, 1)));
    breaks("Integrity", story);
}

/// Properties that follow from others are asked alone: the story would break an earlier one first.
fn breaks_alone(property: &Property, story: &[Seen]) {
    let mut ledger = Ledger::new(3, 3);
    let (last, before) = story.split_last().unwrap();
    for seen in before {
        assert_eq!((property.check)(&ledger, seen), Ok(()), "{}", property.name);
        ledger.note(seen);
    }
    assert!((property.check)(&ledger, last).is_err(), "{} is not broken", property.name);
}

#[test]
fn two_histories_that_part_break_agreement() {
    let story = [delivered(0, z(1, 1)), delivered(1, z(2, 1))];
    breaks_alone(&agreement::PROPERTY, &story);
    // One that has everything the other has may be ahead.
    let ahead = [delivered(0, z(1, 1)), delivered(1, z(1, 1)), delivered(1, z(2, 1))];
    let mut ledger = Ledger::new(3, 3);
    for seen in ahead {
        assert_eq!((agreement::PROPERTY.check)(&ledger, &seen), Ok(()));
        ledger.note(&seen);
    }
}

#[test]
fn another_order_breaks_total_order() {
    let story = [delivered(0, z(1, 1)), delivered(0, z(1, 2)), delivered(1, z(1, 2))];
    breaks_alone(&total_order::PROPERTY, &story);
}

#[test]
fn a_hole_in_what_a_primary_broadcast_breaks_its_order() {
    let story = [broadcast(0, z(1, 1)), broadcast(0, z(1, 2)), delivered(1, z(1, 2))];
    breaks_alone(&local_primary_order::PROPERTY, &story);
}

#[test]
fn an_earlier_epoch_behind_a_later_one_breaks_the_order_of_primaries() {
    let story = [delivered(0, z(2, 1)), delivered(0, z(1, 5))];
    breaks_alone(&global_primary_order::PROPERTY, &story);
}

#[test]
fn a_primary_without_the_past_breaks_primary_integrity() {
    // It broadcasts without having delivered what others have.
    breaks_alone(&primary_integrity::PROPERTY, &[delivered(0, z(1, 1)), broadcast(1, z(2, 1))]);
    // Somebody delivers later what it did not have.
    let later = [broadcast(1, z(2, 1)), delivered(0, z(1, 1))];
    breaks_alone(&primary_integrity::PROPERTY, &later);
}

#[test]
fn what_is_delivered_is_on_a_quorum_and_stays_there() {
    let one_disk = Seen::Logged { at: 0, zxid: z(1, 1), digest: d(z(1, 1)) };
    breaks("AcknowledgedIsDurable", vec![broadcast(0, z(1, 1)), one_disk, delivered(0, z(1, 1))]);
    let two = [0, 1].map(|at| Seen::Logged { at, zxid: z(1, 1), digest: d(z(1, 1)) });
    for loss in
        [Seen::Cut { at: 1, to: Zxid::ZERO }, Seen::Installed { at: 0, zxid: Zxid::ZERO, last: Zxid::ZERO }]
    {
        let mut story = vec![broadcast(0, z(1, 1))];
        story.extend(two);
        story.extend([delivered(0, z(1, 1)), loss]);
        breaks("AcknowledgedIsDurable", story);
    }
}

#[test]
fn what_was_synced_is_found_again() {
    let logged = Seen::Logged { at: 0, zxid: z(1, 1), digest: 1 };
    let found = |last| Seen::Recovered { at: 0, accepted: 0, current: 0, base: Zxid::ZERO, last };
    breaks("SyncedIsKept", vec![logged, found(Zxid::ZERO)]);
    assert_eq!(tell([logged, found(z(1, 1))]), None);
    let cutting = Seen::Changing { at: 0, to: Zxid::ZERO };
    assert_eq!(tell([logged, cutting, found(Zxid::ZERO)]), None, "it died while the log was being cut");
    assert_eq!(tell([logged, Seen::Damaged { at: 0 }, found(Zxid::ZERO)]), None, "a flipped bit excuses it");
}

#[test]
fn epochs_on_disk_go_forward_only() {
    let wrote = |accepted, current| Seen::Epochs { at: 0, accepted, current };
    breaks("EpochsNeverGoBack", vec![wrote(2, 1), wrote(1, 1)]);
    breaks("EpochsNeverGoBack", vec![wrote(2, 2), wrote(3, 1)]);
    breaks("EpochsNeverGoBack", vec![wrote(1, 2)]);
    let found = Seen::Recovered { at: 0, accepted: 1, current: 1, base: Zxid::ZERO, last: Zxid::ZERO };
    breaks("EpochsNeverGoBack", vec![wrote(2, 1), found]);
}

#[test]
fn trees_at_the_same_zxid_are_equal() {
    let tree = |at, digest| Seen::Tree { at, zxid: z(1, 1), digest };
    breaks("TreesAreEqual", vec![tree(0, 5), tree(1, 5), tree(2, 6)]);
}

#[test]
fn an_observer_logs_only_what_is_committed() {
    let mut ledger = Ledger::new(3, 4);
    let at_observer = Seen::Logged { at: 3, zxid: z(1, 1), digest: d(z(1, 1)) };
    assert_eq!(see(&mut ledger, &at_observer).unwrap_err().property, "ObserversLogWhatIsCommitted");
    let mut ledger = Ledger::new(3, 4);
    for seen in whole(0, z(1, 1)).into_iter().chain([at_observer]) {
        assert_eq!(see(&mut ledger, &seen), Ok(()));
    }
}

#[test]
fn every_property_has_a_name_of_its_own_and_a_source() {
    let mut names: Vec<&str> = ALL.iter().map(|property| property.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), ALL.len());
    assert!(ALL.iter().all(|property| !property.source.is_empty()));
}
