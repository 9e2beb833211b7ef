//! Phase 2: DIFF, TRUNC, SNAP, and what must be durable before NEWLEADER is acknowledged.

use super::stage::{Stage, create, set};
use zab_core::{Event, SyncMode, Trace};
use zab_wire::Zxid;
use zab_wire::jute::Record as _;
use zab_wire::quorum::QuorumMessage;
use zab_wire::snapshot::{NodeRecord, SnapshotData, StatPersisted};

fn z(epoch: u32, counter: u32) -> Zxid {
    Zxid::new(epoch, counter)
}

/// How a learner was last synchronized, as it was told.
fn mode(stage: &Stage, learner: i64) -> Option<SyncMode> {
    match stage.last_trace(learner, "learner.sync_received") {
        Some(Trace::SyncReceived { mode, .. }) => Some(*mode),
        Some(_) | None => None,
    }
}

/// Five servers, the first `n` of which have `/shared`; returns the stage and the leader.
fn with_shared_node() -> (Stage, i64) {
    let mut stage = Stage::established(5);
    let leader = stage.leader().expect("there is one");
    let client = stage.connect(leader);
    stage.create(client, "/shared", "0").response.expect("a healthy ensemble creates");
    stage.run_for(200);
    (stage, leader)
}

#[test]
fn a_follower_that_missed_a_little_gets_diff() {
    let (mut stage, leader) = with_shared_node();
    stage.crash(1);
    let client = stage.connect(leader);
    stage.set(client, "/shared", "1").response.unwrap();
    stage.start(1);
    stage.run_until("1 serves", |stage| stage.serving(1));
    assert_eq!(mode(&stage, 1), Some(SyncMode::Diff));
    let client = stage.connect(1);
    assert_eq!(stage.read_local(client, "/shared").unwrap(), "1");
}

#[test]
fn a_follower_that_missed_more_than_memory_holds_gets_snap() {
    let (mut stage, leader) = with_shared_node();
    stage.crash(1);
    let client = stage.connect(leader);
    for value in 0..20 {
        stage.set(client, "/shared", &value.to_string()).response.unwrap();
    }
    stage.start(1);
    stage.run_until("1 serves", |stage| stage.serving(1));
    assert_eq!(mode(&stage, 1), Some(SyncMode::Snap));
    let client = stage.connect(1);
    assert_eq!(stage.read_local(client, "/shared").unwrap(), "19");
    // What it got is on its disk as well.
    stage.crash(1);
    stage.start(1);
    stage.run_until("1 serves", |stage| stage.serving(1));
    let client = stage.connect(1);
    assert_eq!(stage.read_local(client, "/shared").unwrap(), "19");
}

#[test]
fn a_proposal_only_the_dead_leader_had_is_dropped_for_good() {
    let (mut stage, old) = with_shared_node();
    let others: Vec<i64> = stage.ids().into_iter().filter(|id| *id != old).collect();
    let client = stage.connect(old);
    stage.cut(&[old], &others);
    stage.send(client, create("/abandoned", "x"));
    stage.settle();
    let abandoned = *stage.zxids_on_disk(old).last().unwrap();
    stage.lose_in_flight(old);
    stage.crash(old);
    stage.heal();
    stage.run_until("another leads", |stage| stage.leader().is_some());
    stage.start(old);
    stage.run_until("the old leader serves again", |stage| stage.serving(old));
    assert_eq!(mode(&stage, old), Some(SyncMode::Trunc));
    assert!(!stage.zxids_on_disk(old).contains(&abandoned), "the tail is cut on disk");
    // It never reappears: not here, not elsewhere, not after everybody restarts.
    for id in stage.ids() {
        stage.crash(id);
    }
    for id in stage.ids() {
        stage.start(id);
    }
    stage.run_until("all serve", |stage| stage.ids().into_iter().all(|id| stage.serving(id)));
    for id in stage.ids() {
        let client = stage.connect(id);
        assert_eq!(stage.read_local(client, "/abandoned"), Err(-101), "server {id}");
        assert!(!stage.zxids_on_disk(id).contains(&abandoned), "server {id}");
    }
}

#[test]
fn a_tail_is_cut_also_when_the_new_leader_has_gone_on() {
    let (mut stage, old) = with_shared_node();
    let others: Vec<i64> = stage.ids().into_iter().filter(|id| *id != old).collect();
    let client = stage.connect(old);
    stage.cut(&[old], &others);
    stage.send(client, create("/abandoned", "x"));
    stage.run_until("another leads", |stage| stage.leader().is_some_and(|leader| leader != old));
    let leader = stage.leader().unwrap();
    let client = stage.connect(leader);
    stage.create(client, "/new", "y").response.unwrap();
    stage.heal();
    stage.run_until("the old leader serves again", |stage| stage.serving(old));
    assert_eq!(mode(&stage, old), Some(SyncMode::Trunc));
    let client = stage.connect(old);
    assert_eq!(stage.read_local(client, "/new").unwrap(), "y");
    assert_eq!(stage.read_local(client, "/abandoned"), Err(-101));
}

#[test]
fn a_proposal_of_a_quorum_survives_although_only_the_dead_leader_committed_it() {
    let (mut stage, old) = with_shared_node();
    let others: Vec<i64> = stage.ids().into_iter().filter(|id| *id != old).collect();
    let client = stage.connect(old);
    let xid = stage.send(client, create("/kept", "x"));
    // Proposals reach everybody, acknowledgements reach the leader, COMMIT reaches nobody.
    let before = stage.deliveries().len();
    for other in &others {
        let proposal = format!("{old} -> {other}  PROPOSAL");
        let arrived =
            |stage: &Stage| stage.deliveries()[before..].iter().any(|line| line.starts_with(&proposal));
        stage.step_until("the proposal arrives", arrived);
    }
    for other in &others {
        stage.cut_one_way(old, *other);
    }
    stage.settle();
    assert_eq!(stage.answer(client).unwrap().xid, xid, "the leader has committed and said so");
    stage.lose_in_flight(old);
    stage.crash(old);
    stage.heal();
    stage.settle();
    let commits = stage.deliveries()[before..].iter().filter(|delivery| delivery.contains("COMMIT")).count();
    assert_eq!(commits, 0, "nobody else knows");
    stage.run_until("another leads", |stage| stage.leader().is_some());
    for id in others {
        stage.run_until("it serves", |stage| stage.serving(id));
        let client = stage.connect(id);
        assert_eq!(stage.read_local(client, "/kept").unwrap(), "x", "server {id}");
    }
}

#[test]
fn new_leader_is_acknowledged_only_after_log_and_then_epoch_are_durable() {
    let (mut stage, leader) = with_shared_node();
    stage.crash(1);
    let client = stage.connect(leader);
    stage.set(client, "/shared", "1").response.unwrap();
    let log_before = stage.zxids_on_disk(1);
    let acked = stage.traced(1, "learner.newleader_acked");
    stage.start(1);
    stage.hold_disk_at(1, "learner.sync_received");
    assert_eq!(stage.zxids_on_disk(1), log_before, "nothing is durable yet");
    assert_eq!(stage.traced(1, "learner.newleader_acked"), acked);
    stage.step_disk(1);
    assert!(stage.zxids_on_disk(1).len() > log_before.len(), "the log is durable");
    assert_eq!(stage.traced(1, "learner.newleader_acked"), acked, "but the epoch is not");
    stage.step_disk(1);
    assert_eq!(stage.epochs_on_disk(1), (1, 1));
    assert_eq!(stage.traced(1, "learner.newleader_acked"), acked, "but nobody has said so");
    stage.step_disk(1);
    assert_eq!(stage.traced(1, "learner.newleader_acked"), acked + 1);
    stage.release_disk(1);
    stage.run_until("1 serves", |stage| stage.serving(1));
}

#[test]
fn a_crash_between_log_and_current_epoch_leaves_a_server_that_can_start() {
    // ZOOKEEPER-1653, 2354: the log is of the new epoch, currentEpoch is not.
    let (mut stage, old) = with_shared_node();
    stage.crash(1);
    stage.crash(old);
    stage.run_until("another leads", |stage| stage.leader().is_some());
    let leader = stage.leader().unwrap();
    let client = stage.connect(leader);
    stage.set(client, "/shared", "epoch 2").response.unwrap();
    stage.start(1);
    stage.hold_disk_at(1, "learner.sync_received");
    stage.step_disk(1);
    stage.crash(1);
    assert_eq!(stage.epochs_on_disk(1), (2, 1));
    assert_eq!(stage.zxids_on_disk(1).last().map(|zxid| zxid.epoch), Some(2));
    stage.start(1);
    stage.run_until("1 serves", |stage| stage.serving(1));
    let client = stage.connect(1);
    assert_eq!(stage.read_local(client, "/shared").unwrap(), "epoch 2");
}

#[test]
fn traffic_during_synchronization_is_not_lost() {
    // ZOOKEEPER-962: between the cut of the history and forwarding no proposal may fall through.
    let (mut stage, leader) = with_shared_node();
    stage.crash(1);
    let client = stage.connect(leader);
    let before = stage.traced(1, "learner.sync_received");
    stage.start(1);
    let mut meanwhile = 0;
    for value in 0..60 {
        stage.send(client, set("/shared", &value.to_string()));
        for _ in 0..3 {
            stage.step();
        }
        let received = stage.traced(1, "learner.sync_received") > before;
        meanwhile += u32::from(received && !stage.serving(1));
    }
    assert!(meanwhile >= 5, "{meanwhile} writes while it is synchronized");
    stage.run_until("1 serves", |stage| stage.serving(1));
    stage.run_for(500);
    assert_eq!(stage.zxids_on_disk(1), stage.zxids_on_disk(leader));
    let client = stage.connect(1);
    assert_eq!(stage.read_local(client, "/shared").unwrap(), "59");
}

#[test]
fn a_commit_between_new_leader_and_up_to_date_is_no_surprise() {
    // ZOOKEEPER-4394
    let (mut stage, leader) = with_shared_node();
    stage.crash(1);
    let client = stage.connect(leader);
    stage.start(1);
    stage.hold_disk_at(1, "learner.sync_received");
    stage.set(client, "/shared", "late").response.unwrap();
    stage.release_disk(1);
    stage.run_until("1 serves", |stage| stage.serving(1));
    stage.run_for(200);
    let client = stage.connect(1);
    assert_eq!(stage.read_local(client, "/shared").unwrap(), "late");
    assert_eq!(stage.traced(1, "peer_misbehaved"), 0);
}

#[test]
fn a_hole_in_the_history_is_not_taken_over() {
    // ZOOKEEPER-4925: a DIFF with a hole.
    let mut stage = Stage::established(3);
    let (ours, _) = stage.connection(1, 3).unwrap();
    let message = QuorumMessage::Proposal { zxid: z(1, 5), txn: bytes::Bytes::from_static(b"x") };
    stage.inject(1, Event::Packet { conn: ours, message });
    assert_eq!(stage.traced(1, "peer_misbehaved"), 1);
    assert!(stage.zxids_on_disk(1).is_empty());
}

#[test]
fn what_an_interrupted_snap_brought_is_whole_or_not_there() {
    let (mut stage, leader) = with_shared_node();
    stage.crash(1);
    let client = stage.connect(leader);
    for value in 0..20 {
        stage.set(client, "/shared", &value.to_string()).response.unwrap();
    }
    stage.start(1);
    stage.hold_disk_at(1, "learner.sync_received");
    stage.crash(1);
    assert_eq!(stage.zxids_on_disk(1), vec![z(1, 1), z(1, 2)], "the old state stands");
    stage.start(1);
    stage.run_until("1 serves", |stage| stage.serving(1));
    let client = stage.connect(1);
    assert_eq!(stage.read_local(client, "/shared").unwrap(), "19");
}

/// Found by a simulated world (seed 2680): a leader that is not established sends the tree up to what it has
/// applied, and the rest as transactions. A learner that gave up its log for the tree alone, and then died, was
/// one holder less of transactions that clients were told of.
#[test]
fn a_log_is_given_up_only_for_the_whole_history_that_replaces_it() {
    let (mut stage, leader) = with_shared_node();
    let client = stage.connect(leader);
    stage.set(client, "/shared", "1").response.unwrap();
    stage.run_for(100);
    let before = stage.zxids_on_disk(1);
    let acknowledged = format!("1 -> {leader}  ACKEPOCH");
    let count = stage.delivered(&acknowledged);
    stage.crash(1);
    stage.start(1);
    stage.step_until("1 promises", |stage| stage.delivered(&acknowledged) > count);
    let (conn, _) = stage.connection(1, leader).unwrap();
    let root = NodeRecord { path: String::new(), data: None, acl_key: -1, stat: StatPersisted::default() };
    let tree = SnapshotData { sessions: Vec::new(), acls: Vec::new(), nodes: vec![root] }.to_vec().into();
    let packet = |message| Event::Packet { conn, message };
    stage.inject(1, packet(QuorumMessage::Snap { zxid: z(1, 1), tree }));
    assert_eq!(stage.traced(1, "learner.sync_received"), 2, "it takes the tree");
    // The transactions behind the tree are still to come.
    stage.crash(1);
    assert_eq!(stage.zxids_on_disk(1), before, "the old log stands until the new one is there");
}

#[test]
fn a_log_that_cannot_be_cut_where_a_leader_asks_is_replaced() {
    // 1 has only a snapshot, taken behind the place where its log would have to be cut.
    let (mut stage, leader) = with_shared_node();
    stage.crash(1);
    let client = stage.connect(leader);
    for value in 0..20 {
        stage.set(client, "/shared", &value.to_string()).response.unwrap();
    }
    stage.start(1);
    stage.run_until("1 serves", |stage| stage.serving(1));
    let acknowledged = format!("1 -> {leader}  ACKEPOCH");
    let before = stage.delivered(&acknowledged);
    stage.crash(1);
    stage.start(1);
    stage.step_until("1 promises", |stage| stage.delivered(&acknowledged) > before);
    let (conn, _) = stage.connection(1, leader).unwrap();
    stage.inject(1, Event::Packet { conn, message: QuorumMessage::Trunc { zxid: z(1, 4) } });
    stage.run_until("1 serves again", |stage| stage.serving(1));
    assert_eq!(mode(&stage, 1), Some(SyncMode::Snap));
    let client = stage.connect(1);
    assert_eq!(stage.read_local(client, "/shared").unwrap(), "19");
}

#[test]
fn a_learner_that_joined_under_traffic_is_not_dropped_for_slowness() {
    // A proposal that others commit before the learner has acknowledged NEWLEADER is waited for, too.
    let (mut stage, leader) = with_shared_node();
    stage.crash(1);
    let client = stage.connect(leader);
    stage.start(1);
    stage.hold_disk_at(1, "learner.sync_received");
    stage.set(client, "/shared", "late").response.unwrap();
    stage.release_disk(1);
    stage.run_until("1 serves", |stage| stage.serving(1));
    let dropped = stage.traced(leader, "leader.learner_dropped");
    stage.run_for(3_000);
    assert_eq!(stage.traced(leader, "leader.learner_dropped"), dropped, "it owes nothing");
}

#[test]
fn a_tree_that_is_sent_holds_nothing_that_may_still_be_given_up() {
    // A leader that is not established sends 1 its tree and dies; what only it had must be possible to cut.
    let mut stage = Stage::established(3);
    let client = stage.connect(3);
    stage.create(client, "/shared", "0").response.unwrap();
    stage.crash(1);
    // Epoch 2, which 1 never sees, with more transactions than memory holds.
    stage.crash(3);
    stage.start(3);
    stage.run_until("2 and 3 serve", |stage| stage.serving(2) && stage.serving(3));
    let old = stage.leader().unwrap();
    let other = 5 - old;
    let client = stage.connect(old);
    for value in 0..20 {
        stage.set(client, "/shared", &value.to_string()).response.unwrap();
    }
    // A tail that only the leader has; then it loses the other and finds 1.
    stage.cut(&[old], &[1, other]);
    stage.send(client, set("/shared", "tail"));
    stage.settle();
    stage.lose_in_flight(old);
    stage.crash(other);
    stage.run_until("it gives up", |stage| stage.leader().is_none());
    stage.heal();
    stage.start(1);
    stage.hold_disk_at(1, "learner.sync_received");
    stage.step_disk(1);
    // 1 has what it was sent on disk, but not the epoch.
    stage.crash(1);
    stage.crash(old);
    stage.start(1);
    stage.start(other);
    stage.run_until("the two others serve", |stage| stage.serving(1) && stage.serving(other));
    let client = stage.connect(1);
    assert_eq!(stage.read(client, "/shared").unwrap(), "19");
}

#[test]
fn a_quick_follower_waits_for_a_slow_one() {
    // The leader waits initLimit for a quorum to take over; who has done so hears from it meanwhile.
    let (mut stage, leader) = with_shared_node();
    let others: Vec<i64> = stage.ids().into_iter().filter(|id| *id != leader).collect();
    for id in &others[..3] {
        stage.crash(*id);
    }
    stage.run_until("nobody leads", |stage| stage.leader().is_none());
    let slow = others[0];
    stage.start(slow);
    stage.hold_disk_at(slow, "learner.sync_received");
    stage.run_for(700);
    stage.release_disk(slow);
    stage.run_for(500);
    let leader = stage.leader().expect("three of five are enough");
    assert_eq!(stage.status(leader).unwrap().current_epoch, 2, "the first attempt came through");
}
