//! Small worlds, all of them: the number of unique states of each scenario is a golden figure, no honest server
//! breaks a promise in any of them, and planted bugs are found within a stated number of moves.
//!
//! A figure changes with the protocol, and with what the world or the bounds call a move. Whoever changes it
//! looks at what the test prints, and says in the commit why there are now more states, or fewer.

use zab_core::Bug;
use zab_sim::coverage::Coverage;
use zab_sim::explore::{Bounds, Explored, Finding, Scenario, explore};

/// How much is explored, how many states that are, and what must be among it.
struct Golden {
    scenario: &'static str,
    bounds: Bounds,
    states: usize,
    /// Whether no state is left at the depth's bound.
    complete: bool,
    reaches: &'static [&'static str],
}

const fn within(depth: usize, crashes: u8, partitions: u8, timeouts: u8, writes: u8) -> Bounds {
    Bounds { depth, crashes, partitions, timeouts, writes }
}

fn scenario(name: &str) -> Scenario {
    Scenario::named(name).expect("there is a scenario of this name")
}

#[expect(clippy::print_stdout, reason = "with --nocapture one sees the figures")]
fn explored(golden: &Golden, threads: usize) -> Explored {
    let explored = explore(&scenario(golden.scenario), &golden.bounds, threads);
    println!(
        "{}, {:?}: {} states by depth {:?}, {} moves",
        golden.scenario, golden.bounds, explored.unique_states, explored.by_depth, explored.moves
    );
    explored
}

fn check(all: &[Golden]) {
    for golden in all {
        let explored = explored(golden, 2);
        if let Some(violation) = &explored.violation {
            panic!("{}, {:?}\n{violation}", golden.scenario, golden.bounds);
        }
        let name = golden.scenario;
        assert_eq!(explored.unique_states, golden.states, "{name}: {:?}", golden.bounds);
        assert_eq!(explored.by_depth.iter().sum::<usize>(), golden.states, "{name}");
        assert_eq!(explored.complete, golden.complete, "{name}: {:?}", golden.bounds);
        for transition in golden.reaches {
            assert!(explored.has_reached(transition), "{name} never reaches {transition}");
        }
        let mut coverage = Coverage::default();
        coverage.add(&explored.reached);
        assert_eq!(coverage.surprises(), [], "{name}");
    }
}

/// What any fault brings about.
const TROUBLE: &[&str] = &["election.started", "election.decided", "stepped_down"];

/// A whole leader change.
const CHANGE: &[&str] = &[
    "election.decided",
    "leader.epoch_proposed",
    "learner.epoch_accepted",
    "leader.epoch_acknowledged",
    "leader.sync_started",
    "learner.sync_received",
    "learner.newleader_acked",
    "leader.established",
    "learner.serving",
];

/// A former leader whose abandoned proposal is cut off, to where it serves again.
const TRUNCATED: &[&str] = &[
    "leader.sync_started",
    "learner.proposals_abandoned",
    "learner.log_truncated",
    "learner.newleader_acked",
    "learner.serving",
];

#[test]
fn without_faults_every_order_to_the_end() {
    check(&[
        // A write at an established leader has no named transition: all of it is for the properties to see.
        Golden {
            scenario: "established",
            bounds: within(60, 0, 0, 0, 0),
            states: 52,
            complete: true,
            reaches: &[],
        },
        Golden {
            scenario: "leader-change",
            bounds: within(60, 0, 0, 2, 1),
            states: 256,
            complete: true,
            reaches: CHANGE,
        },
        Golden {
            scenario: "cold-start",
            bounds: within(60, 0, 0, 0, 0),
            states: 2_930,
            complete: true,
            reaches: CHANGE,
        },
        Golden {
            scenario: "returning",
            bounds: within(60, 0, 0, 0, 0),
            states: 22,
            complete: true,
            reaches: TRUNCATED,
        },
    ]);
}

#[test]
fn the_first_moves_with_two_crashes_and_a_partition() {
    check(&[
        golden_of("established", Depth::Quick, 3_337, &["election.started", "leader.learner_dropped"]),
        golden_of("leader-change", Depth::Quick, 7_031, &["election.started", "election.decided"]),
        golden_of("cold-start", Depth::Quick, 3_823, &["election.started", "election.decided"]),
        golden_of("returning", Depth::Quick, 1_971, &["election.started", "stepped_down"]),
    ]);
}

#[test]
#[ignore = "a million states in all: a minute and two gigabytes in a release build"]
fn more_moves_with_two_crashes_and_a_partition() {
    check(&[
        golden_of("established", Depth::Deep, 201_773, TROUBLE),
        golden_of("leader-change", Depth::Deep, 243_620, TROUBLE),
        golden_of("cold-start", Depth::Deep, 208_299, TROUBLE),
        golden_of("returning", Depth::Deep, 344_417, TROUBLE),
    ]);
}

#[test]
#[ignore = "every order of what one timeout or two more writes do, most to the end: half a minute in a release build"]
fn a_timeout_and_writes_to_the_end() {
    check(&[
        Golden {
            scenario: "established",
            bounds: within(60, 0, 0, 0, 2),
            states: 13_546,
            complete: true,
            reaches: &[],
        },
        Golden {
            scenario: "established",
            bounds: within(60, 0, 0, 1, 0),
            states: 12_562,
            complete: true,
            reaches: &["learner.snapshot_installed", "learner.serving", "leader.learner_dropped"],
        },
        Golden {
            scenario: "leader-change",
            bounds: within(60, 0, 0, 3, 1),
            states: 2_543,
            complete: true,
            reaches: CHANGE,
        },
        Golden {
            scenario: "returning",
            bounds: within(60, 0, 0, 1, 0),
            states: 10_843,
            complete: true,
            reaches: TRUNCATED,
        },
        Golden {
            scenario: "cold-start",
            bounds: within(26, 0, 0, 1, 0),
            states: 344_532,
            complete: false,
            reaches: CHANGE,
        },
    ]);
}

#[test]
#[ignore = "half a million states in all: a minute and a gigabyte in a release build"]
fn a_crash_and_what_becomes_of_it() {
    check(&[
        Golden {
            scenario: "established",
            bounds: within(18, 1, 0, 0, 0),
            states: 165_678,
            complete: false,
            reaches: &["leader.epoch_proposed", "leader.sync_started", "learner.snapshot_installed"],
        },
        Golden {
            scenario: "leader-change",
            bounds: within(12, 1, 0, 2, 0),
            states: 157_997,
            complete: false,
            reaches: &["leader.epoch_proposed", "stepped_down"],
        },
        Golden {
            scenario: "cold-start",
            bounds: within(18, 1, 0, 0, 0),
            states: 88_354,
            complete: false,
            reaches: &["leader.epoch_proposed", "learner.epoch_accepted", "stepped_down"],
        },
        Golden {
            scenario: "returning",
            bounds: within(20, 1, 0, 0, 0),
            states: 231_245,
            complete: false,
            reaches: TRUNCATED,
        },
    ]);
}

/// Which of a scenario's own bounds.
#[derive(Clone, Copy)]
enum Depth {
    Quick,
    Deep,
}

/// A scenario within its own bounds.
fn golden_of(name: &'static str, depth: Depth, states: usize, reaches: &'static [&'static str]) -> Golden {
    let bounds = match depth {
        Depth::Quick => scenario(name).quick,
        Depth::Deep => scenario(name).deep,
    };
    Golden { scenario: name, bounds, states, complete: false, reaches }
}

#[test]
fn nothing_depends_on_the_number_of_threads() {
    // Levels of more states than are shared among threads at once, too.
    for (name, threads) in [("leader-change", 2), ("cold-start", 3)] {
        let golden = golden_of(name, Depth::Quick, 0, &[]);
        assert_eq!(explored(&golden, threads), explored(&golden, 1), "{name}, {threads} threads");
    }
}

/// A planted bug, where it is looked for, and the length of the shortest way to it. Two are out of reach: what
/// `local-sync` does only a reader is told, and `double-apply` comes after twelve other writes.
#[test]
fn planted_bugs_are_found_by_the_shortest_way() {
    let planted = [
        (Bug::CommitWithoutQuorum, "established", within(9, 2, 1, 2, 0), "AcknowledgedIsDurable", 1),
        (Bug::ForgetAcceptedEpoch, "established", within(9, 1, 0, 0, 0), "EpochsNeverGoBack", 2),
        (Bug::SkipEpochCheck, "established", within(9, 0, 0, 1, 0), "AcknowledgedIsDurable", 4),
        (Bug::SkipTruncate, "returning", within(20, 0, 0, 0, 0), "PrefixConsistency", 16),
        (Bug::ElectAny, "leader-change", within(20, 0, 0, 2, 0), "AcknowledgedIsDurable", 17),
    ];
    for (bug, name, bounds, property, moves) in planted {
        let explored = explore(&scenario(name).with_bug(bug), &bounds, 2);
        let violation = explored.violation.unwrap_or_else(|| panic!("{} is not found", bug.name()));
        println!("{}\n{violation}", bug.name());
        let Finding::Violation(found) = &violation.finding else {
            panic!("{}: {}", bug.name(), violation.finding)
        };
        assert_eq!((found.property, violation.moves.len()), (property, moves), "{}", bug.name());
        assert_eq!(violation.steps.len(), moves, "{}: each move has its line", bug.name());
        let shorter = Bounds { depth: moves - 1, ..bounds };
        assert_eq!(explore(&scenario(name).with_bug(bug), &shorter, 2).violation, None, "{}", bug.name());
    }
}

#[test]
fn a_counterexample_reads_like_a_story() {
    let bounds = within(5, 1, 0, 0, 0);
    let explored = explore(&scenario("established").with_bug(Bug::ForgetAcceptedEpoch), &bounds, 1);
    let story = explored.violation.expect("it is found").to_string();
    let expected = "EpochsNeverGoBack: acceptedEpoch of server 1 goes back from 1 to 0\n  \
                    1. server 1 is killed\n  \
                    2. server 1 starts\n       \
                    server 1: state state=LOOKING reason=\"it starts\"\n       \
                    server 1: election.started round=1 zxid=0x0 epoch=1\n";
    assert_eq!(story, expected);
}
