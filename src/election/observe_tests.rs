//! Hand-written runs, and what the observer has to say of each.

use super::*;
use crate::election::script::{Script, n, ns, zxid};

fn seen(script: &Script) -> Observation {
    observe(&script.traces(), &script.faults, &script.history())
}

fn fault(election: &Election) -> Option<u32> {
    match election.cause {
        Cause::Fault { id, .. } => Some(id),
        Cause::Start | Cause::Unexplained => None,
    }
}

/// Three nodes, n3 leads epoch 1 from 8 ms on.
fn three() -> Script {
    let mut script = Script::new(3);
    script.start(1, 3);
    script
}

#[test]
fn a_clean_start_is_one_election_without_a_fault() {
    let mut script = three();
    script.op(1, "write", 1, 9_000, Some((12_000, OpType::Ok, Ok(zxid(1, 1)))));
    let observation = seen(&script);
    let [election] = observation.elections.as_slice() else { panic!("{observation:?}") };
    assert_eq!((&election.cause, election.leader_after, election.epoch_after), (&Cause::Start, n(3), 1));
    assert_eq!((election.leader_before, election.epoch_before), (None, None));
    let phases = &election.phases;
    assert_eq!((phases.fault_ns, phases.detected_ns), (None, ns(1_000)));
    assert_eq!((phases.elected_ns, phases.established_ns), (Some(ns(5_000)), ns(8_000)));
    assert_eq!(phases.first_ack_ns, Some(ns(12_000)));
    assert_eq!(election.durations.first_ack_ns, Some(ns(4_000)));
    assert_eq!(election.durations.total_ns, None, "nothing struck");
    assert_eq!(observation.under_faults().count(), 0, "kept out of the histograms");
    assert_eq!(observation.unfinished, None);
}

#[test]
fn a_killed_leader_is_replaced() {
    let mut script = three();
    script.kill(7, "leader", &[3], 1_000_000, 1_900_000);
    script.at(1_001_000).looking(1);
    script.at(1_002_000).looking(2);
    script.elect(1_002_000, 2, 2, &[1]);
    script.at(1_900_000).event(3, "process.started", &[("pid", 9)]);
    script.at(1_900_100).looking(3);
    script.at(1_905_000).event(3, "learner.newleader_acked", &[("epoch", 2)]);
    script.op(1, "read", 1, 1_008_500, Some((1_009_500, OpType::Ok, Ok(zxid(2, 1)))));
    script.op(2, "write", 1, 1_009_000, Some((1_012_000, OpType::Ok, Ok(zxid(2, 1)))));
    script.op(3, "write", 1, 3_000_000, Some((3_000_001, OpType::Ok, Ok(zxid(2, 2)))));
    let observation = seen(&script);
    assert_eq!(observation.elections.len(), 2, "the killed node's return is none");
    let election = &observation.elections[1];
    assert_eq!(election.cause, Cause::Fault { id: 7, text: "kill n3 (leader)".to_owned() });
    assert_eq!((election.leader_before, election.leader_after), (Some(n(3)), n(2)));
    assert_eq!((election.epoch_before, election.epoch_after), (Some(1), 2));
    let durations = &election.durations;
    assert_eq!(durations.detect_ns, Some(ns(1_000)));
    assert_eq!(durations.elect_ns, Some(ns(5_000)), "from the first LOOKING at 1001 ms to 1006 ms");
    assert_eq!(durations.establish_ns, Some(ns(3_000)));
    assert_eq!(durations.first_ack_ns, Some(ns(3_000)), "the write, not the read before it");
    assert_eq!(durations.total_ns, Some(ns(12_000)));
    assert!(observation.rejoins.is_empty());
}

#[test]
fn a_fault_counts_from_its_injection_not_from_its_evidence() {
    let mut script = three();
    script.kill(1, "leader", &[3], 1_000_000, 2_000_000);
    script.faults[0].injected_ns = Some(ns(995_000));
    script.at(997_000).looking(1).looking(2);
    script.elect(997_000, 2, 2, &[1]);
    let election = &seen(&script).elections[1];
    assert_eq!(fault(election), Some(1));
    assert_eq!(election.phases.fault_ns, Some(ns(995_000)));
    assert_eq!(election.durations.detect_ns, Some(ns(2_000)));
}

#[test]
fn a_paused_leader_that_looks_late_holds_no_second_election() {
    let mut script = three();
    script.pause(1, "leader", &[3], 1_000_000, 3_000_000);
    script.at(2_000_000).looking(1);
    script.at(2_050_000).looking(2);
    script.elect(2_050_000, 2, 2, &[1]);
    script.at(3_001_000).stepped_down(3, 1, true);
    script.at(3_010_000).event(3, "learner.newleader_acked", &[("epoch", 2)]);
    script.at(3_011_000).event(3, "learner.serving", &[("epoch", 2), ("leader", 2)]);
    let observation = seen(&script);
    assert_eq!(observation.elections.len(), 2);
    assert_eq!(observation.elections[1].phases.detected_ns, ns(2_000_000));
    assert_eq!(fault(&observation.elections[1]), Some(1));
    assert!(observation.rejoins.is_empty(), "it joined a newer epoch");
    assert_eq!(observation.unfinished, None);
}

#[test]
fn a_follower_that_comes_back_to_its_leader_is_a_rejoin() {
    let mut script = three();
    script.isolate(1, 1, 1_000_000, 2_000_000);
    script.at(1_900_000).stepped_down(1, 1, false);
    script.at(2_100_000).event(1, "learner.newleader_acked", &[("epoch", 1)]);
    script.at(2_101_000).event(1, "learner.serving", &[("epoch", 1), ("leader", 3)]);
    let observation = seen(&script);
    assert_eq!(observation.elections.len(), 1);
    assert_eq!(observation.rejoins, BTreeMap::from([(n(1), 1)]));
}

#[test]
fn an_earlier_hiccup_of_a_follower_is_not_the_detection() {
    let mut script = three();
    script.at(500_000).stepped_down(1, 1, false);
    script.at(600_000).event(1, "learner.serving", &[("epoch", 1), ("leader", 3)]);
    script.kill(2, "leader", &[3], 1_000_000, 2_000_000);
    script.at(1_003_000).looking(1).looking(2);
    script.elect(1_003_000, 2, 2, &[1]);
    let observation = seen(&script);
    assert_eq!(observation.elections[1].phases.detected_ns, ns(1_003_000));
    assert_eq!(observation.rejoins, BTreeMap::from([(n(1), 1)]));
}

#[test]
fn an_isolated_follower_that_looks_all_along_is_not_the_detection() {
    let mut script = Script::new(5);
    script.start(1, 3);
    script.isolate(1, 1, 1_000_000, 5_000_000);
    script.at(1_900_000).stepped_down(1, 1, false);
    script.kill(2, "leader", &[3], 5_000_000, 9_000_000);
    script.at(5_001_000).looking(2).looking(4).looking(5);
    script.elect(5_001_000, 2, 5, &[1, 2, 4]);
    let election = &seen(&script).elections[1];
    assert_eq!((fault(election), election.phases.detected_ns), (Some(2), ns(5_001_000)));
}

#[test]
fn an_attempt_that_fails_belongs_to_the_election_that_succeeds() {
    let mut script = three();
    script.kill(1, "leader", &[3], 1_000_000, 9_000_000);
    script.at(1_001_000).looking(1).looking(2);
    script.at(1_001_000).event(2, "election.started", &[("round", 2)]);
    script.at(1_005_000).event(2, "election.decided", &[("leader", 2), ("round", 2)]);
    script.at(1_006_000).event(2, "leader.epoch_proposed", &[("epoch", 2)]);
    script.at(1_500_000).stepped_down(2, 0, true);
    script.elect(1_500_000, 3, 2, &[1]);
    let observation = seen(&script);
    assert_eq!(observation.elections.len(), 2);
    let election = &observation.elections[1];
    assert_eq!((election.epoch_after, election.rounds), (3, 2));
    assert_eq!((election.failed_epochs.as_slice(), observation.failed_attempts()), (&[2][..], 1));
    assert_eq!(election.phases.detected_ns, ns(1_001_000));
    assert_eq!(election.phases.elected_ns, Some(ns(1_504_000)), "the decision that held");
}

#[test]
fn back_to_back_faults_have_an_election_each() {
    let mut script = three();
    script.kill(1, "leader", &[3], 1_000_000, 1_500_000);
    script.at(1_001_000).looking(1).looking(2);
    script.elect(1_001_000, 2, 2, &[1]);
    script.at(1_500_000).event(3, "process.started", &[("pid", 9)]).looking(3);
    script.at(1_510_000).event(3, "learner.newleader_acked", &[("epoch", 2)]);
    script.kill(2, "leader", &[2], 1_600_000, 2_500_000);
    script.at(1_601_000).looking(1).looking(3);
    script.elect(1_601_000, 3, 3, &[1]);
    let observation = seen(&script);
    let causes: Vec<_> = observation.elections.iter().map(fault).collect();
    assert_eq!(causes, [None, Some(1), Some(2)]);
}

#[test]
fn a_leader_can_follow_itself_with_a_new_epoch() {
    let mut script = three();
    script.pause(1, "followers", &[1, 2], 1_000_000, 2_500_000);
    script.at(2_000_000).stepped_down(3, 1, true);
    script.at(2_501_000).looking(1).looking(2);
    script.elect(2_501_000, 2, 3, &[1, 2]);
    let election = &seen(&script).elections[1];
    assert_eq!((election.leader_before, election.leader_after), (Some(n(3)), n(3)));
    assert_eq!((fault(election), election.phases.detected_ns), (Some(1), ns(2_000_000)));
    assert_eq!(election.epoch_after, 2);
}

#[test]
fn a_fault_that_goes_on_is_the_cause_again_but_not_the_beginning() {
    let mut script = three();
    script.isolate(1, 3, 1_000_000, 9_000_000);
    script.at(2_000_000).looking(1).looking(2);
    script.elect(2_000_000, 2, 2, &[1]);
    script.at(4_000_000).stepped_down(2, 2, true).looking(1);
    script.elect(4_000_000, 3, 1, &[2]);
    let elections = seen(&script).elections;
    assert_eq!(fault(&elections[2]), Some(1));
    assert_eq!((elections[2].phases.fault_ns, elections[2].durations.total_ns), (None, None));
    assert_eq!(elections[2].durations.elect_ns, Some(ns(4_000)));
}

#[test]
fn without_a_fault_an_election_is_unexplained() {
    let mut script = three();
    script.at(2_000_000).stepped_down(3, 1, true).looking(1).looking(2);
    script.elect(2_000_000, 2, 3, &[1, 2]);
    assert_eq!(seen(&script).elections[1].cause, Cause::Unexplained);
}

#[test]
fn an_election_that_never_ends_is_told() {
    let mut script = three();
    script.kill(1, "majority", &[2, 3], 1_000_000, 9_000_000);
    script.at(1_001_000).looking(1);
    script.at(1_500_000).event(1, "leader.epoch_proposed", &[("epoch", 2)]);
    script.op(
        1,
        "read",
        1,
        1_000_000,
        Some((5_000_000, OpType::Fail, Err("no answer: timed out after 9 ms"))),
    );
    let observation = seen(&script);
    let expected = Unfinished { since_ns: ns(1_000_000), failed_epochs: vec![2] };
    assert_eq!(observation.unfinished, Some(expected));
}

#[test]
fn what_nodes_do_while_they_are_being_ended_is_left_out() {
    let mut script = three();
    script.op(1, "write", 1, 9_000, Some((12_000, OpType::Ok, Ok(zxid(1, 1)))));
    script.at(20_000).stepped_down(3, 1, true).looking(1).looking(2);
    script.elect(20_000, 2, 2, &[1]);
    let observation = seen(&script);
    assert_eq!((observation.elections.len(), observation.unfinished), (1, None));
}
