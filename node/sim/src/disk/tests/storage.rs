//! The real storage on the simulated disk: whatever happens to the disk, what was durable is recovered; and a
//! disk that only claims to sync is noticed.

use super::model::{Crash, Lie, Op, Stop, World};
use super::{Evidence, SimFolder};
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestError, TestRng, TestRunner};
use zab_storage::{Options, Storage};

fn crashes() -> impl Strategy<Value = Crash> {
    let power = prop_oneof![1 => Just(None), 3 => any::<u64>().prop_map(Some)];
    let again = prop_oneof![3 => Just(None), 1 => (0_u8..12).prop_map(Some)];
    (power, again).prop_map(|(power, again)| Crash { power, again })
}

/// What a storage does, and how it may end.
fn ops() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (1_u8..6).prop_map(Op::Append),
        1 => Just(Op::NewEpoch),
        1 => Just(Op::SetCurrent),
        4 => Just(Op::Sync),
        2 => any::<u8>().prop_map(Op::Snapshot),
        2 => any::<u8>().prop_map(Op::Truncate),
        1 => any::<u8>().prop_map(Op::Install),
        2 => crashes().prop_map(Op::Crash),
        2 => (0_u8..20, crashes()).prop_map(|(after, crash)| Op::Fuse(after, crash)),
        1 => (0_u16..600, crashes()).prop_map(|(left, crash)| Op::Full(left, crash)),
        1 => crashes().prop_map(Op::FailSync),
    ]
}

/// What no storage can make good, too: then it may refuse to go on.
fn cruel_ops() -> impl Strategy<Value = Op> {
    prop_oneof![
        12 => ops(),
        1 => any::<u64>().prop_map(Op::BitFlip),
        1 => Just(Op::Reordered),
    ]
}

fn run(lie: Lie, ops: &[Op]) -> Result<World, String> {
    let mut world = World::new(lie);
    for op in ops {
        match world.step(*op) {
            Ok(()) => {}
            Err(Stop::Wrong(what)) => return Err(format!("{op:?}: {what}")),
            Err(Stop::Refused) => break,
        }
    }
    Ok(world)
}

/// Runs many sequences; gives the first that went wrong.
fn first_wrong(lie: Lie, ops: impl Strategy<Value = Op>, cases: u32) -> Option<String> {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let sequences = proptest::collection::vec(ops, 1..50);
    let ended = runner.run(&sequences, |ops| match run(lie, &ops) {
        Ok(_) => Ok(()),
        Err(what) => Err(TestCaseError::fail(what)),
    });
    match ended {
        Ok(()) => None,
        Err(TestError::Fail(what, ops)) => Some(format!("{what}\n{ops:#?}")),
        Err(TestError::Abort(why)) => panic!("{why}"),
    }
}

#[test]
fn what_was_durable_survives_every_crash_in_order_and_nothing_else_appears() {
    assert_eq!(first_wrong(Lie::None, ops(), cases(1500)), None);
}

#[test]
fn damage_that_nothing_makes_good_is_refused_and_never_believed() {
    assert_eq!(first_wrong(Lie::None, cruel_ops(), cases(1500)), None);
}

/// An explorer of all states keeps those it has seen in a set.
#[test]
#[expect(clippy::disallowed_types, reason = "it is about hashing; its order is never seen")]
fn a_storage_is_a_value() {
    let opened = Storage::open_in(SimFolder::new("disk"), Options::default());
    let (mut storage, _) = opened.unwrap_or_else(|refused| panic!("{}", refused.error));
    let mut seen = std::collections::HashSet::from([storage.clone()]);
    storage.set_accepted_epoch(1).unwrap();
    assert!(seen.insert(storage.clone()));
    storage.set_accepted_epoch(1).unwrap();
    assert!(!seen.insert(storage), "the same state on another way");
}

/// The tester is tested: what it is to find, it finds.
#[test]
fn a_disk_that_only_claims_to_sync_is_noticed() {
    for lie in [Lie::SyncsNoData, Lie::SyncsNoFiles, Lie::SyncsNoNames] {
        let what = first_wrong(lie, ops(), cases(1500));
        let what = what.unwrap_or_else(|| panic!("{lie:?} went unnoticed"));
        assert!(what.contains("power: Some"), "{lie:?}: {what}");
    }
}

/// A life with one of everything.
const LIFE: [Op; 16] = [
    Op::Append(2),
    Op::Sync,
    Op::SetCurrent,
    Op::Append(3),
    Op::Snapshot(128),
    Op::Append(2),
    Op::NewEpoch,
    Op::Append(2),
    Op::Snapshot(200),
    Op::Append(2),
    Op::Sync,
    Op::Truncate(140),
    Op::Append(2),
    Op::SetCurrent,
    Op::Install(200),
    Op::Append(1),
];

/// The process ends before every single operation of the disk, in many ways, and the next one within its recovery.
#[test]
fn a_crash_at_every_operation_leaves_what_was_durable() {
    let mut whole = World::new(Lie::None);
    let before = whole.disk().evidence().operations;
    LIFE.into_iter().for_each(|op| whole.step(op).unwrap());
    let operations = whole.disk().evidence().operations - before;
    assert!(operations > 50, "{operations}");
    let mut evidence = [0; 3];
    for at in 0..u8::try_from(operations).unwrap() {
        let kill = Crash { power: None, again: None };
        let losses = (0..40_u64).map(|seed| Crash { power: Some(seed), again: None });
        let again = (0..15).map(|after| Crash { power: Some(u64::from(after)), again: Some(after) });
        for crash in losses.chain(again).chain([kill]) {
            let lived = run(Lie::None, &[&[Op::Fuse(at, crash)], &LIFE[..]].concat());
            let mut world = lived.unwrap_or_else(|what| panic!("{crash:?} at {at}: {what}"));
            let Evidence { bytes_lost, writes_torn, names_lost, .. } = world.disk().evidence();
            evidence = [evidence[0] + bytes_lost, evidence[1] + writes_torn, evidence[2] + names_lost];
        }
    }
    assert!(evidence.iter().all(|count| *count > 100), "the crashes did harm: {evidence:?}");
}

/// An fdatasync fails and the process ends; the next one finds the transactions in the page cache, and votes with
/// them; the power goes. Linux takes the pages for clean since the failure, so a second fsync alone would write nothing.
#[test]
fn a_transaction_that_a_failed_sync_left_is_made_durable_before_it_is_spoken_for() {
    let kill = Crash { power: None, again: None };
    let mut kept = 0;
    for seed in 0..100 {
        let power_loss = Crash { power: Some(seed), again: None };
        let ops = [Op::Append(3), Op::FailSync(kill), Op::Sync, Op::Crash(power_loss)];
        kept += u32::from(run(Lie::None, &ops).unwrap().disk().usage() > 0);
    }
    assert_eq!(kept, 100);
}

/// The names of the simulated disk are lost in order, as a journal keeps them, so no crash shows whether the
/// marker waits for the names of the files that it promises; POSIX lets it overtake them where nothing is synced.
#[test]
fn the_marker_of_an_installation_waits_for_the_names_that_it_promises() {
    let mut moments = 0;
    for operations in 0..60 {
        let mut world = World::new(Lie::None);
        LIFE[..14].iter().for_each(|op| world.step(*op).unwrap());
        world.install_until(operations);
        let not_durable = world.disk().names.not_durable();
        if not_durable.contains(&"installing") {
            moments += 1;
            assert!(not_durable.iter().all(|name| name.starts_with("installing")), "{not_durable:?}");
        }
    }
    assert!(moments > 0, "the marker is there before its name is durable");
}

/// `ZAB_SIM_CASES` many, when it is set.
fn cases(default: u32) -> u32 {
    std::env::var("ZAB_SIM_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(default)
}
