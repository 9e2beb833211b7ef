//! Phase 2: DIFF, TRUNC, SNAP, and what must be durable before NEWLEADER is acknowledged.

mod support;

use support::{World, create};
use zab_core::{Event, SyncMode, Trace};
use zab_wire::Zxid;
use zab_wire::jute::Record as _;
use zab_wire::quorum::QuorumMessage;
use zab_wire::snapshot::{NodeRecord, SnapshotData, StatPersisted};

fn z(epoch: u32, counter: u32) -> Zxid {
    Zxid::new(epoch, counter)
}

/// How a learner was last synchronized, as it was told.
fn mode(world: &World, learner: i64) -> Option<SyncMode> {
    match world.last_trace(learner, "learner.sync_received") {
        Some(Trace::SyncReceived { mode, .. }) => Some(*mode),
        Some(_) | None => None,
    }
}

/// Five servers, the first `n` of which have `/shared`; returns the world and the leader.
fn with_shared_node() -> (World, i64) {
    let mut world = World::established(5);
    let leader = world.leader().expect("there is one");
    let client = world.connect(leader);
    world.create(client, "/shared", "0").1.expect("a healthy ensemble creates");
    world.run_for(200);
    (world, leader)
}

#[test]
fn a_follower_that_missed_a_little_gets_diff() {
    let (mut world, leader) = with_shared_node();
    world.crash(1);
    let client = world.connect(leader);
    world.set(client, "/shared", "1").1.unwrap();
    world.start(1);
    world.run_until("1 serves", |world| world.serving(1));
    assert_eq!(mode(&world, 1), Some(SyncMode::Diff));
    let client = world.connect(1);
    assert_eq!(world.read_local(client, "/shared").unwrap(), "1");
}

#[test]
fn a_follower_that_missed_more_than_memory_holds_gets_snap() {
    let (mut world, leader) = with_shared_node();
    world.crash(1);
    let client = world.connect(leader);
    for value in 0..20 {
        world.set(client, "/shared", &value.to_string()).1.unwrap();
    }
    world.start(1);
    world.run_until("1 serves", |world| world.serving(1));
    assert_eq!(mode(&world, 1), Some(SyncMode::Snap));
    let client = world.connect(1);
    assert_eq!(world.read_local(client, "/shared").unwrap(), "19");
    // What it got is on its disk as well.
    world.crash(1);
    world.start(1);
    world.run_until("1 serves", |world| world.serving(1));
    let client = world.connect(1);
    assert_eq!(world.read_local(client, "/shared").unwrap(), "19");
}

#[test]
fn a_proposal_only_the_dead_leader_had_is_dropped_for_good() {
    let (mut world, old) = with_shared_node();
    let others: Vec<i64> = world.ids().into_iter().filter(|id| *id != old).collect();
    let client = world.connect(old);
    world.cut(&[old], &others);
    world.send(client, create("/abandoned", "x"));
    world.settle();
    let abandoned = *world.zxids_on_disk(old).last().unwrap();
    world.lose_in_flight(old);
    world.crash(old);
    world.heal();
    world.run_until("another leads", |world| world.leader().is_some());
    world.start(old);
    world.run_until("the old leader serves again", |world| world.serving(old));
    assert_eq!(mode(&world, old), Some(SyncMode::Trunc));
    assert!(!world.zxids_on_disk(old).contains(&abandoned), "the tail is cut on disk");
    // It never reappears: not here, not elsewhere, not after everybody restarts.
    for id in world.ids() {
        world.crash(id);
    }
    for id in world.ids() {
        world.start(id);
    }
    world.run_until("all serve", |world| world.ids().into_iter().all(|id| world.serving(id)));
    for id in world.ids() {
        let client = world.connect(id);
        assert_eq!(world.read_local(client, "/abandoned"), Err(-101), "server {id}");
        assert!(!world.zxids_on_disk(id).contains(&abandoned), "server {id}");
    }
}

#[test]
fn a_tail_is_cut_also_when_the_new_leader_has_gone_on() {
    let (mut world, old) = with_shared_node();
    let others: Vec<i64> = world.ids().into_iter().filter(|id| *id != old).collect();
    let client = world.connect(old);
    world.cut(&[old], &others);
    world.send(client, create("/abandoned", "x"));
    world.run_until("another leads", |world| world.leader().is_some_and(|leader| leader != old));
    let leader = world.leader().unwrap();
    let client = world.connect(leader);
    world.create(client, "/new", "y").1.unwrap();
    world.heal();
    world.run_until("the old leader serves again", |world| world.serving(old));
    assert_eq!(mode(&world, old), Some(SyncMode::Trunc));
    let client = world.connect(old);
    assert_eq!(world.read_local(client, "/new").unwrap(), "y");
    assert_eq!(world.read_local(client, "/abandoned"), Err(-101));
}

#[test]
fn a_proposal_of_a_quorum_survives_although_only_the_dead_leader_committed_it() {
    let (mut world, old) = with_shared_node();
    let others: Vec<i64> = world.ids().into_iter().filter(|id| *id != old).collect();
    let client = world.connect(old);
    let xid = world.send(client, create("/kept", "x"));
    // Proposals reach everybody, acknowledgements reach the leader, COMMIT reaches nobody.
    for other in &others {
        world.cut_one_way(old, *other);
    }
    world.heal();
    let before = world.deliveries.len();
    for _ in 0..10_000 {
        if world.has_answer(client) {
            break;
        }
        assert!(world.deliver_next(), "the leader commits with what is under way");
    }
    assert_eq!(world.answer(client).unwrap().0, xid, "the leader has committed and said so");
    let commits = world.deliveries[before..].iter().filter(|delivery| delivery.contains("COMMIT")).count();
    assert_eq!(commits, 0, "nobody else knows");
    world.crash(old);
    world.run_until("another leads", |world| world.leader().is_some());
    for id in others {
        world.run_until("it serves", |world| world.serving(id));
        let client = world.connect(id);
        assert_eq!(world.read_local(client, "/kept").unwrap(), "x", "server {id}");
    }
}

#[test]
fn new_leader_is_acknowledged_only_after_log_and_then_epoch_are_durable() {
    let (mut world, leader) = with_shared_node();
    world.crash(1);
    let client = world.connect(leader);
    world.set(client, "/shared", "1").1.unwrap();
    let log_before = world.zxids_on_disk(1);
    let acked = world.traced(1, "learner.newleader_acked");
    world.start(1);
    world.hold_disk_at(1, "learner.sync_received");
    assert_eq!(world.zxids_on_disk(1), log_before, "nothing is durable yet");
    assert_eq!(world.traced(1, "learner.newleader_acked"), acked);
    world.release_disk_once(1);
    assert!(world.zxids_on_disk(1).len() > log_before.len(), "the log is durable");
    assert_eq!(world.traced(1, "learner.newleader_acked"), acked, "but the epoch is not");
    world.release_disk_once(1);
    assert_eq!(world.epochs_on_disk(1), (1, 1));
    assert_eq!(world.traced(1, "learner.newleader_acked"), acked + 1);
    world.release_disk(1);
    world.run_until("1 serves", |world| world.serving(1));
}

#[test]
fn a_crash_between_log_and_current_epoch_leaves_a_server_that_can_start() {
    // ZOOKEEPER-1653, 2354: the log is of the new epoch, currentEpoch is not.
    let (mut world, old) = with_shared_node();
    world.crash(1);
    world.crash(old);
    world.run_until("another leads", |world| world.leader().is_some());
    let leader = world.leader().unwrap();
    let client = world.connect(leader);
    world.set(client, "/shared", "epoch 2").1.unwrap();
    world.start(1);
    world.hold_disk_at(1, "learner.sync_received");
    world.release_disk_once(1);
    world.crash(1);
    assert_eq!(world.epochs_on_disk(1), (2, 1));
    assert_eq!(world.zxids_on_disk(1).last().map(|zxid| zxid.epoch), Some(2));
    world.start(1);
    world.run_until("1 serves", |world| world.serving(1));
    let client = world.connect(1);
    assert_eq!(world.read_local(client, "/shared").unwrap(), "epoch 2");
}

#[test]
fn traffic_during_synchronization_is_not_lost() {
    // ZOOKEEPER-962: between the cut of the history and forwarding no proposal may fall through.
    let (mut world, leader) = with_shared_node();
    world.crash(1);
    let client = world.connect(leader);
    world.start(1);
    for value in 0..60 {
        world.send(client, support::set("/shared", &value.to_string()));
        for _ in 0..3 {
            world.deliver_next();
        }
        if value % 5 == 0 {
            world.run_for(10);
        }
    }
    world.run_until("1 serves", |world| world.serving(1));
    world.run_for(500);
    assert_eq!(world.zxids_on_disk(1), world.zxids_on_disk(leader));
    let client = world.connect(1);
    assert_eq!(world.read_local(client, "/shared").unwrap(), "59");
}

#[test]
fn a_commit_between_new_leader_and_up_to_date_is_no_surprise() {
    // ZOOKEEPER-4394
    let (mut world, leader) = with_shared_node();
    world.crash(1);
    let client = world.connect(leader);
    world.start(1);
    world.hold_disk_at(1, "learner.sync_received");
    world.set(client, "/shared", "late").1.unwrap();
    world.release_disk(1);
    world.run_until("1 serves", |world| world.serving(1));
    world.run_for(200);
    let client = world.connect(1);
    assert_eq!(world.read_local(client, "/shared").unwrap(), "late");
    assert_eq!(world.traced(1, "peer_misbehaved"), 0);
}

#[test]
fn a_hole_in_the_history_is_not_taken_over() {
    // ZOOKEEPER-4925: a DIFF with a hole.
    let mut world = World::established(3);
    let (ours, _) = world.connection(1, 3).unwrap();
    let message = QuorumMessage::Proposal { zxid: z(1, 5), txn: bytes::Bytes::from_static(b"x") };
    world.inject(1, Event::Packet { conn: ours, message });
    assert_eq!(world.traced(1, "peer_misbehaved"), 1);
    assert!(world.zxids_on_disk(1).is_empty());
}

#[test]
fn what_an_interrupted_snap_brought_is_whole_or_not_there() {
    let (mut world, leader) = with_shared_node();
    world.crash(1);
    let client = world.connect(leader);
    for value in 0..20 {
        world.set(client, "/shared", &value.to_string()).1.unwrap();
    }
    world.start(1);
    world.hold_disk_at(1, "learner.sync_received");
    world.crash(1);
    assert_eq!(world.zxids_on_disk(1), vec![z(1, 1), z(1, 2)], "the old state stands");
    world.start(1);
    world.run_until("1 serves", |world| world.serving(1));
    let client = world.connect(1);
    assert_eq!(world.read_local(client, "/shared").unwrap(), "19");
}

/// Found by a simulated world (seed 2680): a leader that is not established sends the tree up to what it has
/// applied, and the rest as transactions. A learner that gave up its log for the tree alone, and then died, was
/// one holder less of transactions that clients were told of.
#[test]
fn a_log_is_given_up_only_for_the_whole_history_that_replaces_it() {
    let (mut world, leader) = with_shared_node();
    let client = world.connect(leader);
    world.set(client, "/shared", "1").1.unwrap();
    world.run_for(100);
    let before = world.zxids_on_disk(1);
    let acknowledged = format!("1 -> {leader}  ACKEPOCH");
    let count = world.delivered(&acknowledged);
    world.crash(1);
    world.start(1);
    world.step_until("1 promises", |world| world.delivered(&acknowledged) > count);
    let (conn, _) = world.connection(1, leader).unwrap();
    let root = NodeRecord { path: String::new(), data: None, acl_key: -1, stat: StatPersisted::default() };
    let tree = SnapshotData { sessions: Vec::new(), acls: Vec::new(), nodes: vec![root] }.to_vec().into();
    let packet = |message| Event::Packet { conn, message };
    world.inject(1, packet(QuorumMessage::Snap { zxid: z(1, 1), tree }));
    assert_eq!(world.traced(1, "learner.sync_received"), 2, "it takes the tree");
    // The transactions behind the tree are still to come.
    world.crash(1);
    assert_eq!(world.zxids_on_disk(1), before, "the old log stands until the new one is there");
}

#[test]
fn a_log_that_cannot_be_cut_where_a_leader_asks_is_replaced() {
    // 1 has only a snapshot, taken behind the place where its log would have to be cut.
    let (mut world, leader) = with_shared_node();
    world.crash(1);
    let client = world.connect(leader);
    for value in 0..20 {
        world.set(client, "/shared", &value.to_string()).1.unwrap();
    }
    world.start(1);
    world.run_until("1 serves", |world| world.serving(1));
    let acknowledged = format!("1 -> {leader}  ACKEPOCH");
    let before = world.delivered(&acknowledged);
    world.crash(1);
    world.start(1);
    world.step_until("1 promises", |world| world.delivered(&acknowledged) > before);
    let (conn, _) = world.connection(1, leader).unwrap();
    world.inject(1, Event::Packet { conn, message: QuorumMessage::Trunc { zxid: z(1, 4) } });
    world.run_until("1 serves again", |world| world.serving(1));
    assert_eq!(mode(&world, 1), Some(SyncMode::Snap));
    let client = world.connect(1);
    assert_eq!(world.read_local(client, "/shared").unwrap(), "19");
}

#[test]
fn a_learner_that_joined_under_traffic_is_not_dropped_for_slowness() {
    // A proposal that others commit before the learner has acknowledged NEWLEADER is waited for, too.
    let (mut world, leader) = with_shared_node();
    world.crash(1);
    let client = world.connect(leader);
    world.start(1);
    world.hold_disk_at(1, "learner.sync_received");
    world.set(client, "/shared", "late").1.unwrap();
    world.release_disk(1);
    world.run_until("1 serves", |world| world.serving(1));
    let dropped = world.traced(leader, "leader.learner_dropped");
    world.run_for(3_000);
    assert_eq!(world.traced(leader, "leader.learner_dropped"), dropped, "it owes nothing");
}

#[test]
fn a_tree_that_is_sent_holds_nothing_that_may_still_be_given_up() {
    // A leader that is not established sends 1 its tree and dies; what only it had must be possible to cut.
    let mut world = World::established(3);
    let client = world.connect(3);
    world.create(client, "/shared", "0").1.unwrap();
    world.crash(1);
    // Epoch 2, which 1 never sees, with more transactions than memory holds.
    world.crash(3);
    world.start(3);
    world.run_until("2 and 3 serve", |world| world.serving(2) && world.serving(3));
    let old = world.leader().unwrap();
    let other = 5 - old;
    let client = world.connect(old);
    for value in 0..20 {
        world.set(client, "/shared", &value.to_string()).1.unwrap();
    }
    // A tail that only the leader has; then it loses the other and finds 1.
    world.cut(&[old], &[1, other]);
    world.send(client, support::set("/shared", "tail"));
    world.settle();
    world.lose_in_flight(old);
    world.crash(other);
    world.run_until("it gives up", |world| world.leader().is_none());
    world.heal();
    world.start(1);
    world.hold_disk_at(1, "learner.sync_received");
    world.release_disk_once(1);
    // 1 has what it was sent on disk, but not the epoch.
    world.crash(1);
    world.crash(old);
    world.start(1);
    world.start(other);
    world.run_until("the two others serve", |world| world.serving(1) && world.serving(other));
    let client = world.connect(1);
    assert_eq!(world.read(client, "/shared").unwrap(), "19");
}

#[test]
fn a_quick_follower_waits_for_a_slow_one() {
    // The leader waits initLimit for a quorum to take over; who has done so hears from it meanwhile.
    let (mut world, leader) = with_shared_node();
    let others: Vec<i64> = world.ids().into_iter().filter(|id| *id != leader).collect();
    for id in &others[..3] {
        world.crash(*id);
    }
    world.run_until("nobody leads", |world| world.leader().is_none());
    let slow = others[0];
    world.start(slow);
    world.hold_disk_at(slow, "learner.sync_received");
    world.run_for(700);
    world.release_disk(slow);
    world.run_for(500);
    let leader = world.leader().expect("three of five are enough");
    assert_eq!(world.status(leader).unwrap().current_epoch, 2, "the first attempt came through");
}
