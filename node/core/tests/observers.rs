//! Observers: they follow and serve, learn only what is committed, and count for nothing.

mod support;

use support::{TICK_MS, World, create, set};
use zab_core::{Event, SyncMode, Trace};
use zab_wire::client::{Request, Response};
use zab_wire::election::{Notification, PeerState};
use zab_wire::quorum::QuorumMessage;
use zab_wire::{ServerId, Zxid};

fn z(epoch: u32, counter: u32) -> Zxid {
    Zxid::new(epoch, counter)
}

/// Three voters that 3 leads, and the observer 4; `/a` is there.
fn with_node() -> (World, support::Client) {
    let mut world = World::established_with_observers(3, 1);
    assert_eq!(world.leader(), Some(3));
    let client = world.connect(3);
    world.create(client, "/a", "0").1.expect("a healthy ensemble creates");
    world.run_for(TICK_MS);
    (world, client)
}

fn mode(world: &World, learner: i64) -> Option<SyncMode> {
    match world.last_trace(learner, "learner.sync_received") {
        Some(Trace::SyncReceived { mode, .. }) => Some(*mode),
        Some(_) | None => None,
    }
}

fn question(from_state: PeerState, leader: i64, zxid: Zxid, epoch: i64) -> Notification {
    let (state, leader) = (from_state, ServerId(leader));
    Notification { state, leader, zxid, election_epoch: 50, peer_epoch: epoch, config: String::new() }
}

// ---- election

#[test]
fn it_asks_voters_only_with_a_vote_that_can_never_win() {
    let mut world = World::with_observers(3, 2);
    world.start(4);
    let asked = world.votes_under_way(4);
    assert_eq!(asked.iter().map(|(to, _)| *to).collect::<Vec<_>>(), [1, 2, 3]);
    for (_, vote) in asked {
        assert_eq!(vote.state, PeerState::Looking);
        assert_eq!((vote.leader, vote.peer_epoch), (ServerId(i64::MIN), i64::MIN));
        assert_eq!(vote.zxid.to_bits(), 1 << 63, "i64::MIN");
    }
}

#[test]
fn a_vote_of_an_older_round_is_not_worth_another_question() {
    // A voter's round does not rise by an observer's question: the two would ask and answer for ever.
    let mut world = World::with_observers(3, 1);
    world.start(4);
    world.lose_in_flight(4);
    let newer = question(PeerState::Looking, 1, Zxid::ZERO, 0);
    let older = Notification { election_epoch: 1, ..question(PeerState::Looking, 2, Zxid::ZERO, 0) };
    world.inject(4, Event::Notification { from: ServerId(1), message: newer });
    world.inject(4, Event::Notification { from: ServerId(2), message: older });
    assert_eq!(world.votes_under_way(4), []);
}

#[test]
fn it_observes_the_elected_leader_and_serves() {
    let (mut world, _) = with_node();
    let status = world.status(4).unwrap();
    assert_eq!(
        (status.state, status.leader, status.serving),
        (PeerState::Observing, Some(ServerId(3)), true)
    );
    let client = world.connect(4);
    assert_eq!(world.read_local(client, "/a").unwrap(), "0");
    let leader = world.status(3).unwrap();
    assert_eq!((leader.learners, leader.synced_followers), (3, 2));
}

#[test]
fn settled_it_says_that_it_observes() {
    let (mut world, _) = with_node();
    let message = question(PeerState::Looking, 1, Zxid::ZERO, 0);
    world.inject(4, Event::Notification { from: ServerId(1), message });
    let answers = world.votes_under_way(4);
    let [(1, answer)] = answers.as_slice() else { panic!("{answers:?}") };
    assert_eq!((answer.state, answer.leader, answer.peer_epoch), (PeerState::Observing, ServerId(3), 1));
}

#[test]
fn a_voter_in_election_answers_it_and_gives_its_vote_no_weight() {
    let mut world = World::with_observers(3, 1);
    world.start(1);
    world.settle();
    for (state, leader) in [(PeerState::Looking, 4), (PeerState::Looking, 2), (PeerState::Leading, 2)] {
        let message = question(state, leader, z(9, 9), 9);
        world.inject(1, Event::Notification { from: ServerId(4), message });
    }
    let answers = world.votes_under_way(1);
    assert_eq!(answers.len(), 2, "one for each time it asked");
    for (to, answer) in answers {
        assert_eq!((to, answer.state, answer.leader), (4, PeerState::Looking, ServerId(1)));
        assert_eq!(answer.election_epoch, 1, "its round is not taken over");
    }
    world.run_for(5_000);
    assert_eq!(world.traced(1, "election.decided"), 0);
}

#[test]
fn it_is_never_elected_with_the_highest_id_and_the_newest_log() {
    let (mut world, client) = with_node();
    // 1 misses what 2, 3 and 4 have.
    world.crash(1);
    world.set(client, "/a", "1").1.unwrap();
    world.run_for(TICK_MS);
    world.crash(3);
    world.crash(2);
    world.start(1);
    world.run_for(5_000);
    assert_eq!(world.leader(), None, "4 has the highest id and the newest log, and no vote");
    world.start(2);
    world.run_until("a voter leads", |world| world.leader().is_some());
    assert_eq!(world.leader(), Some(2));
    world.run_until("4 serves", |world| world.serving(4));
    let client = world.connect(4);
    assert_eq!(world.read(client, "/a").unwrap(), "1");
}

#[test]
fn one_that_joins_during_an_election_waits_for_the_voters() {
    let mut world = World::with_observers(3, 2);
    for id in [4, 1, 5] {
        world.start(id);
        world.run_for(3_000);
    }
    // Many rounds of asking in vain have not made their rounds higher than the voters'.
    for id in [4, 5] {
        assert_eq!(world.status(id).unwrap().state, PeerState::Looking);
    }
    world.start(3);
    world.run_until("3 leads", |world| world.leader() == Some(3));
    world.run_until("they serve", |world| world.serving(4) && world.serving(5));
    assert_eq!(world.status(3).unwrap().current_epoch, 1, "nobody was disturbed");
}

#[test]
fn it_finds_the_next_leader() {
    let (mut world, _) = with_node();
    let mut dead = None;
    for epoch in 2..=4 {
        let leader = world.leader().unwrap();
        if let Some(dead) = dead.replace(leader) {
            world.start(dead);
            world.run_until("it follows", |world| world.serving(dead));
        }
        world.crash(leader);
        world.run_until("another leads and 4 observes it", |world| {
            let new = world.leader().filter(|new| *new != leader).map(ServerId);
            new.is_some() && world.serving(4) && world.status(4).unwrap().leader == new
        });
        assert_eq!(world.status(4).unwrap().current_epoch, epoch);
        let client = world.connect(4);
        world.set(client, "/a", &epoch.to_string()).1.unwrap();
        assert_eq!(world.read(client, "/a").unwrap(), epoch.to_string());
    }
}

// ---- quorums

#[test]
fn a_minority_of_voters_with_many_observers_has_no_leader() {
    let mut world = World::with_observers(3, 5);
    for id in [1, 4, 5, 6, 7, 8] {
        world.start(id);
    }
    world.run_for(20_000);
    for id in [1, 4, 5, 6, 7, 8] {
        assert_eq!(world.status(id).unwrap().state, PeerState::Looking, "server {id}");
    }
}

#[test]
fn a_leader_that_keeps_only_observers_steps_down() {
    let mut world = World::established_with_observers(3, 5);
    world.cut(&[1, 2], &[3, 4, 5, 6, 7, 8]);
    world.run_for(20 * TICK_MS);
    assert!(matches!(
        world.last_trace(3, "stepped_down"),
        Some(Trace::SteppedDown { leading: true, reason: "a quorum of followers was lost", .. })
    ));
    assert!((4..=8).all(|id| !world.serving(id)));
}

#[test]
fn it_counts_in_no_barrier_of_an_epoch() {
    // 3 was elected by 1 and 2, and hears of observers only.
    let mut world = World::with_observers(3, 5);
    for id in [1, 2, 3] {
        world.start(id);
    }
    world.step_until("3 is elected", |world| world.traced(3, "election.decided") == 1);
    world.cut(&[1, 2], &[3]);
    (4..=8).for_each(|id| world.start(id));
    world.run_for(7 * TICK_MS);
    assert!((4..=8).all(|id| world.delivered(&format!("{id} -> 3  OBSERVERINFO")) > 0), "they are there");
    assert_eq!(world.traced(3, "leader.epoch_proposed"), 0);
    world.hold_disk(1);
    world.hold_disk(2);
    world.heal();
    world.settle();
    assert_eq!(world.traced(3, "leader.epoch_proposed"), 1, "the voters introduced themselves");
    assert_eq!(world.traced(3, "leader.epoch_acknowledged"), 0, "their promises are on their way to disk");
    assert!((4..=8).all(|id| world.delivered(&format!("3 -> {id}  ")) == 0), "nobody leads them yet");
}

#[test]
fn neither_its_acknowledgement_nor_its_pong_counts() {
    let (mut world, client) = with_node();
    world.cut_one_way(1, 3);
    world.cut_one_way(2, 3);
    let observer = world.connect_without_waiting(4);
    world.send(client, set("/a", "1"));
    world.send(client, Request::Sync { path: "/a".to_owned() });
    world.settle();
    let (_, theirs) = world.connection(4, 3).unwrap();
    let last = *world.zxids_on_disk(3).last().unwrap();
    world.inject(3, Event::Packet { conn: theirs, message: QuorumMessage::Ack { zxid: last } });
    for _ in 0..3 {
        let message = QuorumMessage::Ping { zxid: last, touched: Vec::new() };
        world.inject(3, Event::Packet { conn: theirs, message });
    }
    world.run_for(2 * TICK_MS);
    assert_eq!(world.leader(), Some(3), "it has not noticed yet");
    assert!(!world.has_answer(client) && !world.has_answer(observer), "the voters' words are held");
    world.heal();
    world.settle();
    assert!(world.has_answer(client) && world.has_answer(observer));
}

// ---- broadcast

#[test]
fn it_is_informed_once_in_order_behind_the_commit_and_acknowledges_nothing() {
    let (mut world, client) = with_node();
    let before = world.deliveries.len();
    for value in 1..=5 {
        world.send(client, set("/a", &value.to_string()));
    }
    world.settle();
    let lines = &world.deliveries[before..];
    let to_it: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix("3 -> 4  ")).collect();
    let expected: Vec<String> = (3..=7).map(|n| format!("INFORM {}", z(1, n))).collect();
    assert_eq!(to_it, expected, "no PROPOSAL, no COMMIT");
    assert_eq!(lines.iter().filter(|line| line.starts_with("4 -> ")).count(), 0, "no ACK");
    let at = |wanted: &str| lines.iter().position(|line| line == wanted).unwrap();
    let quorum = at(&format!("1 -> 3  ACK {}", z(1, 3))).min(at(&format!("2 -> 3  ACK {}", z(1, 3))));
    assert!(quorum < at(&format!("3 -> 4  INFORM {}", z(1, 3))));
    let client = world.connect(4);
    assert_eq!(world.read_local(client, "/a").unwrap(), "5");
}

#[test]
fn a_sync_asks_no_observer() {
    let (mut world, client) = with_node();
    let pings = world.delivered("3 -> 4  PING");
    world.read(client, "/a").unwrap();
    assert_eq!(world.delivered("3 -> 4  PING"), pings);
    world.run_for(TICK_MS);
    assert!(world.delivered("3 -> 4  PING") > pings, "but it gets its signs of life");
}

#[test]
fn writes_through_it_are_answered_in_order_and_read_by_their_writer() {
    let (mut world, _) = with_node();
    let client = world.connect(4);
    let mut sent = Vec::new();
    for value in 1..=5 {
        sent.push(world.send(client, set("/a", &value.to_string())));
        sent.push(world.send(client, Request::GetData { path: "/a".to_owned(), watch: false }));
    }
    sent.push(world.send(client, create("/b", "x")));
    world.run_for(TICK_MS);
    let mut seen = Vec::new();
    for xid in sent {
        let (answered, (_, outcome)) = world.answer(client).expect("all are answered");
        assert_eq!(answered, xid);
        if let Response::Data(Some(data), _) = outcome.expect("all are granted") {
            seen.push(String::from_utf8(data).unwrap());
        }
    }
    assert_eq!(seen, ["1", "2", "3", "4", "5"]);
    let client = world.connect(1);
    assert_eq!(world.read(client, "/b").unwrap(), "x");
}

#[test]
fn sync_and_read_are_up_to_date_where_a_read_alone_is_not() {
    let (mut world, client) = with_node();
    let reader = world.connect(4);
    world.cut_one_way(3, 4);
    world.set(client, "/a", "new").1.unwrap();
    assert_eq!(world.read_local(reader, "/a").unwrap(), "0", "the INFORM is held");
    world.send(reader, Request::Sync { path: "/a".to_owned() });
    let read = world.send(reader, Request::GetData { path: "/a".to_owned(), watch: false });
    world.settle();
    assert!(!world.has_answer(reader));
    world.heal();
    world.settle();
    assert!(world.answer(reader).is_some(), "the sync is answered");
    let (xid, (_, outcome)) = world.answer(reader).expect("and the read behind it");
    assert!(matches!(outcome, Ok(Response::Data(Some(data), _)) if xid == read && data == b"new"));
}

#[test]
fn a_session_goes_on_at_an_observer_and_back() {
    let (mut world, client) = with_node();
    let mut seen = Zxid::ZERO;
    let mut at = client;
    for (server, value) in [(4, "1"), (1, "2"), (4, "3")] {
        world.client_gone(at);
        at = world.open(server, client.session, seen);
        world.run_for(TICK_MS);
        assert_eq!(world.connect_response(at).expect("it is let in").session, client.session);
        seen = world.set(at, "/a", value).0;
        assert_eq!(world.read_local(at, "/a").unwrap(), value);
    }
}

#[test]
fn proposals_are_not_for_observers_nor_informs_for_followers() {
    let (mut world, _) = with_node();
    let txn = || bytes::Bytes::from_static(b"x");
    let (zxid, before) = (z(1, 3), world.zxids_on_disk(4));
    for message in [QuorumMessage::Proposal { zxid, txn: txn() }, QuorumMessage::Commit { zxid: z(1, 2) }] {
        let misbehaved = world.traced(4, "peer_misbehaved");
        let (ours, _) = world.connection(4, 3).unwrap();
        world.inject(4, Event::Packet { conn: ours, message });
        assert_eq!(world.traced(4, "peer_misbehaved"), misbehaved + 1);
        world.run_until("4 serves again", |world| world.serving(4));
    }
    assert_eq!(world.zxids_on_disk(4), before);
    let (ours, _) = world.connection(1, 3).unwrap();
    world.inject(1, Event::Packet { conn: ours, message: QuorumMessage::Inform { zxid, txn: txn() } });
    assert_eq!(world.traced(1, "peer_misbehaved"), 1);
}

#[test]
fn an_inform_of_another_epoch_or_behind_a_hole_is_refused() {
    for (zxid, trace) in [(z(2, 1), "fenced"), (z(1, 5), "peer_misbehaved")] {
        let (mut world, _) = with_node();
        let (ours, _) = world.connection(4, 3).unwrap();
        let message = QuorumMessage::Inform { zxid, txn: bytes::Bytes::from_static(b"x") };
        world.inject(4, Event::Packet { conn: ours, message });
        assert_eq!(world.traced(4, trace), 1, "{zxid}");
        assert!(!world.serving(4));
    }
}

// ---- durability

#[test]
fn it_applies_before_its_disk_is_done_but_says_only_what_is_durable() {
    let (mut world, client) = with_node();
    world.hold_disk(4);
    world.set(client, "/a", "1").1.unwrap();
    world.settle();
    let reader = world.connect(4);
    assert_eq!(world.read_local(reader, "/a").unwrap(), "1");
    assert!(!world.zxids_on_disk(4).contains(&z(1, 3)));
    world.crash(3);
    world.run_until("4 is asked for its epoch", |world| world.delivered("2 -> 4  LEADERINFO") == 1);
    world.settle();
    assert_eq!(world.delivered("4 -> 2  ACKEPOCH"), 0);
    world.release_disk(4);
    world.settle();
    assert_eq!(world.delivered(&format!("4 -> 2  ACKEPOCH current=1 last={}", z(1, 4))), 1);
    assert_eq!(world.zxids_on_disk(4).last(), Some(&z(1, 4)), "with the reader's session");
    assert_eq!(world.epochs_on_disk(4).0, 2);
}

#[test]
fn a_crash_sets_it_back_to_an_earlier_committed_state() {
    let (mut world, client) = with_node();
    world.hold_disk(4);
    world.set(client, "/a", "1").1.unwrap();
    world.settle();
    world.crash(4);
    world.start(4);
    world.run_until("4 serves", |world| world.serving(4));
    assert_eq!(mode(&world, 4), Some(SyncMode::Diff));
    let reader = world.connect(4);
    assert_eq!(world.read_local(reader, "/a").unwrap(), "1");
    world.run_for(TICK_MS);
    assert_eq!(world.zxids_on_disk(4), world.zxids_on_disk(3), "without a hole");
}

#[test]
fn its_disk_is_not_left_behind_for_long() {
    let (mut world, client) = with_node();
    world.set(client, "/a", "1").1.unwrap();
    world.run_for(TICK_MS);
    assert_eq!(world.zxids_on_disk(4), world.zxids_on_disk(3));
}

// ---- synchronization

#[test]
fn one_that_missed_a_little_gets_diff() {
    let (mut world, client) = with_node();
    world.crash(4);
    world.set(client, "/a", "1").1.unwrap();
    world.start(4);
    world.run_until("4 serves", |world| world.serving(4));
    assert_eq!(mode(&world, 4), Some(SyncMode::Diff));
    let reader = world.connect(4);
    assert_eq!(world.read_local(reader, "/a").unwrap(), "1");
}

#[test]
fn one_that_missed_more_than_memory_holds_gets_snap() {
    let (mut world, client) = with_node();
    world.crash(4);
    for value in 1..=20 {
        world.set(client, "/a", &value.to_string()).1.unwrap();
    }
    world.start(4);
    world.run_until("4 serves", |world| world.serving(4));
    assert_eq!(mode(&world, 4), Some(SyncMode::Snap));
    // What it got is on its disk as well.
    world.crash(4);
    world.start(4);
    world.run_until("4 serves", |world| world.serving(4));
    let reader = world.connect(4);
    assert_eq!(world.read_local(reader, "/a").unwrap(), "20");
}

#[test]
fn it_never_holds_a_proposal_that_is_given_up() {
    let (mut world, client) = with_node();
    let before = world.zxids_on_disk(4);
    world.cut(&[3], &[1, 2]);
    world.send(client, create("/abandoned", "x"));
    world.settle();
    assert_eq!(world.zxids_on_disk(3).len(), before.len() + 1, "the leader has logged it");
    world.run_until("another leads and 4 observes it", |world| {
        world.status(4).unwrap().leader == Some(ServerId(2)) && world.serving(4)
    });
    assert_eq!(mode(&world, 4), Some(SyncMode::Diff));
    assert_eq!(world.zxids_on_disk(4), before);
    world.heal();
    world.run_until("3 serves", |world| world.serving(3));
    assert_eq!(mode(&world, 3), Some(SyncMode::Trunc), "unlike a voter");
}

#[test]
fn an_initial_history_is_not_for_observers_before_a_quorum_has_it() {
    // 3 has a tail that nobody else has, and is elected again: the tail is committed with the epoch, but
    // until then it may still be given up.
    let (mut world, client) = with_node();
    world.cut(&[3], &[1, 2]);
    world.send(client, create("/tail", "x"));
    world.settle();
    for id in world.ids() {
        world.crash(id);
    }
    world.heal();
    let before = world.zxids_on_disk(4);
    assert_eq!(world.zxids_on_disk(3).len(), before.len() + 1);
    for id in world.ids() {
        world.start(id);
    }
    world.step_until("3 synchronizes", |world| world.traced(3, "leader.sync_started") > 0);
    world.hold_disk(1);
    world.hold_disk(2);
    let established = world.traced(3, "leader.established");
    world.run_for(9 * TICK_MS);
    assert_eq!(world.traced(3, "leader.established"), established, "the voters' disks are held");
    assert_eq!(world.delivered("3 -> 4  LEADERINFO"), 1, "only that of epoch 1");
    assert_eq!(world.zxids_on_disk(4), before);
    world.release_disk(1);
    world.release_disk(2);
    world.run_until("4 serves", |world| world.serving(4));
    let reader = world.connect(4);
    assert_eq!(world.read_local(reader, "/tail").unwrap(), "x");
}

#[test]
fn traffic_during_its_synchronization_is_neither_lost_nor_shown_early() {
    let (mut world, client) = with_node();
    world.crash(4);
    world.start(4);
    world.hold_disk_at(4, "learner.sync_received");
    for value in 1..=5 {
        world.set(client, "/a", &value.to_string()).1.unwrap();
    }
    // The sixth is logged everywhere and committed nowhere.
    world.cut_one_way(1, 3);
    world.cut_one_way(2, 3);
    world.send(client, set("/a", "6"));
    world.settle();
    assert!(!world.serving(4), "its disk is held");
    world.release_disk(4);
    world.settle();
    assert!(world.serving(4));
    assert_eq!(world.status(4).unwrap().zxid, z(1, 7));
    assert_eq!(world.zxids_on_disk(1).last(), Some(&z(1, 8)));
    world.heal();
    world.run_for(TICK_MS);
    assert_eq!(world.zxids_on_disk(4), world.zxids_on_disk(3));
}

#[test]
fn a_proposal_under_way_is_kept_from_one_that_is_being_synchronized() {
    let (mut world, client) = with_node();
    world.crash(4);
    world.set(client, "/a", "1").1.unwrap();
    world.cut_one_way(1, 3);
    world.cut_one_way(2, 3);
    world.send(client, set("/a", "2"));
    world.start(4);
    world.settle();
    assert!(world.serving(4));
    assert_eq!(world.status(4).unwrap().zxid, z(1, 3));
    let under_way = z(1, 4);
    assert_eq!(world.zxids_on_disk(3).last(), Some(&under_way));
    assert!(!world.zxids_on_disk(4).contains(&under_way));
    assert_eq!(world.delivered(&format!("3 -> 4  PROPOSAL {under_way}")), 0);
    world.heal();
    world.run_for(TICK_MS);
    assert_eq!(world.delivered(&format!("3 -> 4  INFORM {under_way}")), 1);
    assert_eq!(world.zxids_on_disk(4), world.zxids_on_disk(3));
}

#[test]
fn behind_new_leader_it_takes_no_proposal() {
    let (mut world, _) = with_node();
    world.crash(4);
    world.start(4);
    world.hold_disk_at(4, "learner.sync_received");
    let (ours, _) = world.connection(4, 3).unwrap();
    let message = QuorumMessage::Proposal { zxid: z(1, 3), txn: bytes::Bytes::from_static(b"x") };
    world.inject(4, Event::Packet { conn: ours, message });
    let expected = Trace::PeerMisbehaved { what: "proposed to an observer" };
    assert_eq!(world.last_trace(4, "peer_misbehaved"), Some(&expected));
}

#[test]
fn the_tail_of_a_former_voter_is_cut() {
    let (mut world, client) = with_node();
    world.cut(&[3], &[1, 2, 4]);
    world.send(client, create("/abandoned", "x"));
    world.settle();
    for id in world.ids() {
        world.crash(id);
    }
    world.heal();
    world.demote(3);
    for id in world.ids() {
        world.start(id);
    }
    world.run_until("all serve", |world| world.ids().into_iter().all(|id| world.serving(id)));
    assert_eq!(world.status(3).unwrap().state, PeerState::Observing);
    assert_eq!(mode(&world, 3), Some(SyncMode::Trunc));
    let reader = world.connect(3);
    assert_eq!(world.read_local(reader, "/abandoned"), Err(-101));
}

// ---- epochs

#[test]
fn it_refuses_a_leader_whose_epoch_is_below_its_promise() {
    let (mut world, _) = with_node();
    world.crash(4);
    world.start(4);
    let introduced = world.delivered("4 -> 3  OBSERVERINFO");
    world.step_until("4 introduces itself", |world| world.delivered("4 -> 3  OBSERVERINFO") > introduced);
    let (ours, _) = world.connection(4, 3).unwrap();
    world.inject(4, Event::Packet { conn: ours, message: QuorumMessage::LeaderInfo { epoch: 0 } });
    assert_eq!(
        world.last_trace(4, "fenced"),
        Some(&Trace::Fenced { what: "LEADERINFO", peer: Some(ServerId(3)), stale: 0, current: 1 })
    );
    world.run_until("4 serves all the same in the end", |world| world.serving(4));
}

fn observer_info(accepted_epoch: u32, server: i64) -> QuorumMessage {
    QuorumMessage::ObserverInfo { accepted_epoch, server: ServerId(server), config_version: 0 }
}

#[test]
fn a_later_promise_of_it_moves_no_leader_but_the_next_epoch() {
    let (mut world, _) = with_node();
    let conn = zab_core::ConnId::Inbound(1_000);
    world.inject(3, Event::LearnerUp { conn });
    world.inject(3, Event::Packet { conn, message: observer_info(7, 4) });
    assert_eq!(world.leader(), Some(3), "an observer unseats nobody");

    let mut world = World::with_observers(3, 1);
    world.start(3);
    world.inject(3, Event::LearnerUp { conn });
    world.inject(3, Event::Packet { conn, message: observer_info(7, 4) });
    world.start(2);
    world.run_until("3 chose its epoch", |world| world.traced(3, "leader.epoch_proposed") == 1);
    assert_eq!(world.last_trace(3, "leader.epoch_proposed"), Some(&Trace::EpochProposed { epoch: 8 }));
}

#[test]
fn a_learner_must_introduce_itself_as_what_it_is() {
    let (mut world, _) = with_node();
    let accepted_epoch = 0;
    let follower = QuorumMessage::FollowerInfo { accepted_epoch, server: ServerId(4), config_version: 0 };
    for (number, message) in [(1_000, follower), (1_001, observer_info(0, 1)), (1_002, observer_info(0, 9))] {
        let dropped = world.traced(3, "leader.learner_dropped");
        let conn = zab_core::ConnId::Inbound(number);
        world.inject(3, Event::LearnerUp { conn });
        world.inject(3, Event::Packet { conn, message });
        assert_eq!(world.traced(3, "leader.learner_dropped"), dropped + 1);
    }
    assert!(world.ids().into_iter().all(|id| world.serving(id)));
}
