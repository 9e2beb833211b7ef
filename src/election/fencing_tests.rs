//! Hand-written runs with superseded leaders, and what the fencing report has to say of each.

use super::*;
use crate::election::script::{Script, n, ns, zxid};
use checker::history::OpType;

fn report(script: &Script) -> FencingReport {
    fencing(&script.traces(), &script.faults, &script.history())
}

/// n3 of three leads epoch 1 and is paused from 1 s to 3 s; n2 leads epoch 2 from 2.007 s on.
fn paused_leader() -> Script {
    let mut script = Script::new(3);
    script.start(1, 3);
    script.pause(1, "leader", &[3], 1_000_000, 3_000_000);
    script.at(2_000_000).looking(1).looking(2);
    script.elect(2_000_000, 2, 2, &[1]);
    script
}

const OK: OpType = OpType::Ok;

#[test]
fn a_clean_run_has_nothing_to_fence() {
    let mut script = Script::new(3);
    script.start(1, 3);
    script.op(1, "write", 1, 9_000, Some((12_000, OK, Ok(zxid(1, 1)))));
    let report = report(&script);
    let [epoch] = report.epochs.as_slice() else { panic!("{report:?}") };
    assert_eq!((epoch.epoch, epoch.leader, epoch.superseded_ns, epoch.zombie_ns), (1, n(3), None, 0));
    assert_eq!(epoch.stopped_why, "still leads");
    assert!(report.verdict().is_valid() && report.zombie_windows() == (0, 0));
}

#[test]
fn a_paused_leader_is_a_zombie_from_its_resumption_until_it_steps_down() {
    let mut script = paused_leader();
    script.at(3_250_000).stepped_down(3, 1, true);
    script.op(
        1,
        "write",
        3,
        900_000,
        Some((1_900_000, OpType::Info, Err("no answer: timed out after 1000 ms"))),
    );
    script.op(
        2,
        "write",
        3,
        2_500_000,
        Some((3_500_000, OpType::Info, Err("no answer: timed out after 1000 ms"))),
    );
    let closed = Err("no answer: the server closed the connection");
    script.op(3, "read", 3, 3_100_000, Some((3_250_100, OpType::Fail, closed)));
    script.op(
        4,
        "read",
        3,
        3_100_000,
        Some((3_100_100, OpType::Fail, Err("no connection: Connection refused"))),
    );
    let no_session = Err("no connection: the server closed the connection");
    script.op(8, "write", 3, 3_100_000, Some((3_250_100, OpType::Fail, no_session)));
    script.op(5, "read", 2, 3_100_000, Some((3_100_100, OK, Ok(zxid(2, 1)))));
    script.op(6, "read", 3, 3_200_000, Some((3_400_000, OK, Ok(zxid(1, 9)))));
    script.op(7, "write", 3, 3_200_000, None);
    script.fenced(1, "FOLLOWERINFO", 3, 1, 2).fenced(2, "FOLLOWERINFO", 3, 1, 2);
    let report = report(&script);
    let epoch = &report.epochs[0];
    assert_eq!((epoch.superseded_ns, epoch.resumed_ns), (Some(ns(2_007_000)), Some(ns(3_000_000))));
    assert_eq!((epoch.stopped_ns, epoch.zombie_ns), (Some(ns(3_250_000)), ns(250_000)));
    assert_eq!((epoch.unanswered, epoch.stopped_why.as_str()), (2, "no quorum of followers"));
    let expected = [
        (Ending::Cut, 1),
        (Ending::TimedOut, 1),
        (Ending::NoSession, 1),
        // A read answered after the node had stepped down: by then it was whatever it had become.
        (Ending::AnsweredLater, 1),
        (Ending::Open, 1),
    ];
    assert_eq!(
        epoch.requests,
        BTreeMap::from(expected),
        "not the one that had ended, nor the one that nobody heard"
    );
    assert_eq!(epoch.refused_by_peers, 2);
    let kind = Refusals { what: "FOLLOWERINFO".to_owned(), stale: 1, current: 2, count: 2 };
    assert_eq!(report.refusals, vec![kind]);
    assert_eq!(report.zombie_windows(), (1, ns(250_000)));
    assert!(report.verdict().is_valid(), "{:?}", report.violations);
}

#[test]
fn a_trace_line_before_the_record_says_healed_ends_the_pause() {
    let mut script = paused_leader();
    script.at(2_999_000).event(3, "leader.learner_dropped", &[("learner", 1)]);
    script.at(2_999_400).stepped_down(3, 1, true);
    let epoch = report(&script).epochs[0].clone();
    assert_eq!((epoch.resumed_ns, epoch.zombie_ns), (Some(ns(2_999_000)), ns(400)));
}

#[test]
fn an_isolated_leader_is_a_zombie_as_long_as_it_claims_to_lead() {
    let mut script = Script::new(3);
    script.start(1, 3);
    script.isolate(1, 3, 1_000_000, 9_000_000);
    script.at(2_000_000).looking(1).looking(2);
    script.elect(2_000_000, 2, 2, &[1]);
    script.at(2_107_000).stepped_down(3, 1, true);
    let epoch = report(&script).epochs[0].clone();
    assert_eq!((epoch.resumed_ns, epoch.zombie_ns), (Some(ns(9_000_000)), ns(100_000)));
}

#[test]
fn a_leader_that_steps_down_before_it_is_superseded_is_no_zombie() {
    let mut script = Script::new(3);
    script.start(1, 3);
    script.isolate(1, 3, 1_000_000, 9_000_000);
    script.at(1_900_000).stepped_down(3, 1, true);
    script.at(2_000_000).looking(1).looking(2);
    script.elect(2_000_000, 2, 2, &[1]);
    script.op(
        1,
        "read",
        3,
        3_000_000,
        Some((4_000_000, OpType::Fail, Err("no answer: timed out after 1 ms"))),
    );
    let epoch = report(&script).epochs[0].clone();
    assert_eq!((epoch.zombie_ns, epoch.requests.len()), (0, 0), "it claimed nothing any more");
}

#[test]
fn a_killed_leader_dies_at_the_kill() {
    let mut script = Script::new(3);
    script.start(1, 3);
    script.kill(1, "leader", &[3], 1_000_000, 9_000_000);
    script.at(1_001_000).looking(1).looking(2);
    script.elect(1_001_000, 2, 2, &[1]);
    let epoch = report(&script).epochs[0].clone();
    assert_eq!(
        (epoch.stopped_ns, epoch.stopped_why.as_str(), epoch.zombie_ns),
        (Some(ns(1_000_000)), "died", 0)
    );
}

#[test]
fn a_write_acknowledged_by_a_superseded_epoch_is_invalid() {
    let mut script = paused_leader();
    script.op(1, "write", 3, 3_100_000, Some((3_110_000, OK, Ok(zxid(1, 9)))));
    script.at(3_250_000).stepped_down(3, 1, true);
    let report = report(&script);
    assert_eq!((report.stale_acks, report.epochs[0].requests[&Ending::Acknowledged]), (1, 1));
    assert_eq!(
        report.verdict().reason(),
        Some(
            "n3 acknowledged a write in epoch 1 that was invoked 1093 ms after that epoch was superseded \
             (history index 1)"
        )
    );
    assert_eq!((report.first_stale_acks[0].epoch, report.first_stale_acks[0].invoked_ns), (1, ns(3_100_000)));
}

#[test]
fn a_read_acknowledged_by_a_superseded_epoch_is_invalid_on_a_follower_too() {
    let mut script = Script::new(5);
    script.start(1, 3);
    script.isolate(1, 3, 1_000_000, 9_000_000);
    script.at(2_000_000).looking(2).looking(4).looking(5);
    // n1 keeps obeying n3.
    script.elect(2_000_000, 2, 5, &[2, 4]);
    script.op(1, "read", 1, 3_000_000, Some((3_001_000, OK, Ok(zxid(1, 7)))));
    script.op(2, "read", 3, 3_000_000, Some((3_001_000, OK, Ok(zxid(1, 7)))));
    let report = report(&script);
    assert_eq!(report.stale_acks, 2);
    assert!(report.verdict().reason().unwrap().ends_with("(2 such acknowledgements in all)"));
    assert_eq!(report.zombie_windows().0, 1, "it never stopped");
}

#[test]
fn a_read_of_the_new_epoch_may_show_the_old_epochs_zxid() {
    // Nothing was written in epoch 2 yet: its servers' last zxid is of epoch 1.
    let mut script = paused_leader();
    script.op(1, "read", 1, 2_100_000, Some((2_101_000, OK, Ok(zxid(1, 9)))));
    assert!(report(&script).verdict().is_valid());
}

#[test]
fn a_write_that_began_before_the_epoch_was_superseded_may_be_answered_late() {
    let mut script = paused_leader();
    script.op(1, "write", 3, 999_000, Some((3_000_100, OK, Ok(zxid(1, 9)))));
    script.at(3_250_000).stepped_down(3, 1, true);
    let report = report(&script);
    assert!(report.verdict().is_valid());
    assert_eq!(report.epochs[0].requests, BTreeMap::from([(Ending::BegunBefore, 1)]));
}

#[test]
fn an_epoch_that_is_led_twice_is_invalid() {
    let mut script = Script::new(3);
    script.start(1, 3);
    script.at(500_000).event(2, "leader.established", &[("epoch", 1)]);
    let report = report(&script);
    let reason = report.verdict().reason().map(str::to_owned);
    assert_eq!(reason.as_deref(), Some("epoch 1 was established 2 times, by n3 and n2"));
}

#[test]
fn overlapping_pauses_count_once() {
    assert_eq!(running_ns(100, 200, &[]), 100);
    assert_eq!(running_ns(100, 200, &[(50, 120), (110, 150), (190, 900)]), 60 - 20);
    assert_eq!(running_ns(100, 200, &[(0, u64::MAX)]), 0);
    assert_eq!(running_ns(200, 100, &[(50, 150)]), 0, "stopped before");
}
