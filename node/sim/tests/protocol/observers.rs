//! Observers: they follow and serve, learn only what is committed, and count for nothing.

use super::stage::{Client, Stage, TICK_MS, create, get, set};
use zab_core::{Event, SyncMode, Trace};
use zab_wire::client::{Request, Response};
use zab_wire::election::{Notification, PeerState};
use zab_wire::quorum::QuorumMessage;
use zab_wire::{ServerId, Zxid};

fn z(epoch: u32, counter: u32) -> Zxid {
    Zxid::new(epoch, counter)
}

/// Three voters that 3 leads, and the observer 4; `/a` is there.
fn with_node() -> (Stage, Client) {
    let mut stage = Stage::established_with_observers(3, 1);
    assert_eq!(stage.leader(), Some(3));
    let client = stage.connect(3);
    stage.create(client, "/a", "0").response.expect("a healthy ensemble creates");
    stage.run_for(TICK_MS);
    (stage, client)
}

fn mode(stage: &Stage, learner: i64) -> Option<SyncMode> {
    match stage.last_trace(learner, "learner.sync_received") {
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
    let mut stage = Stage::with_observers(3, 2);
    stage.start(4);
    let asked = stage.votes_under_way(4);
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
    let mut stage = Stage::with_observers(3, 1);
    stage.start(4);
    stage.lose_in_flight(4);
    let newer = question(PeerState::Looking, 1, Zxid::ZERO, 0);
    let older = Notification { election_epoch: 1, ..question(PeerState::Looking, 2, Zxid::ZERO, 0) };
    stage.inject(4, Event::Notification { from: ServerId(1), message: newer });
    stage.inject(4, Event::Notification { from: ServerId(2), message: older });
    assert_eq!(stage.votes_under_way(4), []);
}

#[test]
fn it_observes_the_elected_leader_and_serves() {
    let (mut stage, _) = with_node();
    let status = stage.status(4).unwrap();
    assert_eq!(
        (status.state, status.leader, status.serving),
        (PeerState::Observing, Some(ServerId(3)), true)
    );
    let client = stage.connect(4);
    assert_eq!(stage.read_local(client, "/a").unwrap(), "0");
    let leader = stage.status(3).unwrap();
    assert_eq!((leader.learners, leader.synced_followers), (3, 2));
}

#[test]
fn settled_it_says_that_it_observes() {
    let (mut stage, _) = with_node();
    let message = question(PeerState::Looking, 1, Zxid::ZERO, 0);
    stage.inject(4, Event::Notification { from: ServerId(1), message });
    let answers = stage.votes_under_way(4);
    let [(1, answer)] = answers.as_slice() else { panic!("{answers:?}") };
    assert_eq!((answer.state, answer.leader, answer.peer_epoch), (PeerState::Observing, ServerId(3), 1));
}

#[test]
fn a_voter_in_election_answers_it_and_gives_its_vote_no_weight() {
    let mut stage = Stage::with_observers(3, 1);
    stage.start(1);
    stage.settle();
    for (state, leader) in [(PeerState::Looking, 4), (PeerState::Looking, 2), (PeerState::Leading, 2)] {
        let message = question(state, leader, z(9, 9), 9);
        stage.inject(1, Event::Notification { from: ServerId(4), message });
    }
    let answers = stage.votes_under_way(1);
    assert_eq!(answers.len(), 2, "one for each time it asked");
    for (to, answer) in answers {
        assert_eq!((to, answer.state, answer.leader), (4, PeerState::Looking, ServerId(1)));
        assert_eq!(answer.election_epoch, 1, "its round is not taken over");
    }
    stage.run_for(5_000);
    assert_eq!(stage.traced(1, "election.decided"), 0);
}

#[test]
fn it_is_never_elected_with_the_highest_id_and_the_newest_log() {
    let (mut stage, client) = with_node();
    // 1 misses what 2, 3 and 4 have.
    stage.crash(1);
    stage.set(client, "/a", "1").response.unwrap();
    stage.run_for(TICK_MS);
    stage.crash(3);
    stage.crash(2);
    stage.start(1);
    stage.run_for(5_000);
    assert_eq!(stage.leader(), None, "4 has the highest id and the newest log, and no vote");
    stage.start(2);
    stage.run_until("a voter leads", |stage| stage.leader().is_some());
    assert_eq!(stage.leader(), Some(2));
    stage.run_until("4 serves", |stage| stage.serving(4));
    let client = stage.connect(4);
    assert_eq!(stage.read(client, "/a").unwrap(), "1");
}

#[test]
fn one_that_joins_during_an_election_waits_for_the_voters() {
    let mut stage = Stage::with_observers(3, 2);
    for id in [4, 1, 5] {
        stage.start(id);
        stage.run_for(3_000);
    }
    // Many rounds of asking in vain have not made their rounds higher than the voters'.
    for id in [4, 5] {
        assert_eq!(stage.status(id).unwrap().state, PeerState::Looking);
    }
    stage.start(3);
    stage.run_until("3 leads", |stage| stage.leader() == Some(3));
    stage.run_until("they serve", |stage| stage.serving(4) && stage.serving(5));
    assert_eq!(stage.status(3).unwrap().current_epoch, 1, "nobody was disturbed");
}

#[test]
fn it_finds_the_next_leader() {
    let (mut stage, _) = with_node();
    let mut dead = None;
    for epoch in 2..=4 {
        let leader = stage.leader().unwrap();
        if let Some(dead) = dead.replace(leader) {
            stage.start(dead);
            stage.run_until("it follows", |stage| stage.serving(dead));
        }
        stage.crash(leader);
        stage.run_until("another leads and 4 observes it", |stage| {
            let new = stage.leader().filter(|new| *new != leader).map(ServerId);
            new.is_some() && stage.serving(4) && stage.status(4).unwrap().leader == new
        });
        assert_eq!(stage.status(4).unwrap().current_epoch, epoch);
        let client = stage.connect(4);
        stage.set(client, "/a", &epoch.to_string()).response.unwrap();
        assert_eq!(stage.read(client, "/a").unwrap(), epoch.to_string());
    }
}

// ---- quorums

#[test]
fn a_minority_of_voters_with_many_observers_has_no_leader() {
    let mut stage = Stage::with_observers(3, 5);
    for id in [1, 4, 5, 6, 7, 8] {
        stage.start(id);
    }
    stage.run_for(20_000);
    for id in [1, 4, 5, 6, 7, 8] {
        assert_eq!(stage.status(id).unwrap().state, PeerState::Looking, "server {id}");
    }
}

#[test]
fn a_leader_that_keeps_only_observers_steps_down() {
    let mut stage = Stage::established_with_observers(3, 5);
    stage.cut(&[1, 2], &[3, 4, 5, 6, 7, 8]);
    stage.run_for(20 * TICK_MS);
    assert!(matches!(
        stage.last_trace(3, "stepped_down"),
        Some(Trace::SteppedDown { leading: true, reason: "a quorum of followers was lost", .. })
    ));
    assert!((4..=8).all(|id| !stage.serving(id)));
}

#[test]
fn it_counts_in_no_barrier_of_an_epoch() {
    // 3 was elected by 1 and 2, and hears of observers only.
    let mut stage = Stage::with_observers(3, 5);
    for id in [1, 2, 3] {
        stage.start(id);
    }
    let connected = |stage: &Stage, id: i64| stage.connection(id, 3).is_some();
    stage.step_until("1 and 2 reach 3", |stage| connected(stage, 1) && connected(stage, 2));
    assert_eq!(stage.traced(3, "election.decided"), 1);
    assert_eq!(stage.delivered("1 -> 3  FOLLOWERINFO") + stage.delivered("2 -> 3  FOLLOWERINFO"), 0);
    stage.cut(&[1, 2], &[3]);
    (4..=8).for_each(|id| stage.start(id));
    stage.run_for(7 * TICK_MS);
    assert!((4..=8).all(|id| stage.delivered(&format!("{id} -> 3  OBSERVERINFO")) > 0), "they are there");
    assert_eq!(stage.traced(3, "leader.epoch_proposed"), 0);
    stage.hold_disk(1);
    stage.hold_disk(2);
    stage.heal();
    stage.settle();
    assert_eq!(stage.traced(3, "leader.epoch_proposed"), 1, "the voters introduced themselves");
    assert_eq!(stage.traced(3, "leader.epoch_acknowledged"), 0, "their promises are on their way to disk");
    assert!((4..=8).all(|id| stage.delivered(&format!("3 -> {id}  ")) == 0), "nobody leads them yet");
}

#[test]
fn neither_its_acknowledgement_nor_its_pong_counts() {
    let (mut stage, client) = with_node();
    stage.cut_one_way(1, 3);
    stage.cut_one_way(2, 3);
    let observer = stage.open_new(4);
    stage.send(client, set("/a", "1"));
    stage.send(client, Request::Sync { path: "/a".to_owned() });
    stage.settle();
    let (_, theirs) = stage.connection(4, 3).unwrap();
    let last = *stage.zxids_on_disk(3).last().unwrap();
    stage.inject(3, Event::Packet { conn: theirs, message: QuorumMessage::Ack { zxid: last } });
    for _ in 0..3 {
        let message = QuorumMessage::Ping { zxid: last, touched: Vec::new() };
        stage.inject(3, Event::Packet { conn: theirs, message });
    }
    stage.run_for(2 * TICK_MS);
    assert_eq!(stage.leader(), Some(3), "it has not noticed yet");
    assert!(
        !stage.has_answer(client) && stage.connect_response(observer).is_none(),
        "the voters' words are held"
    );
    stage.heal();
    stage.settle();
    assert!(stage.has_answer(client) && stage.connect_response(observer).is_some());
}

// ---- broadcast

#[test]
fn it_is_informed_once_in_order_behind_the_commit_and_acknowledges_nothing() {
    let (mut stage, client) = with_node();
    let before = stage.deliveries().len();
    for value in 1..=5 {
        stage.send(client, set("/a", &value.to_string()));
    }
    stage.settle();
    let lines = &stage.deliveries()[before..];
    let to_it: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix("3 -> 4  ")).collect();
    let expected: Vec<String> = (3..=7).map(|n| format!("INFORM {}", z(1, n))).collect();
    assert_eq!(to_it, expected, "no PROPOSAL, no COMMIT");
    assert_eq!(lines.iter().filter(|line| line.starts_with("4 -> ")).count(), 0, "no ACK");
    let at = |wanted: &str| lines.iter().position(|line| line == wanted).unwrap();
    let quorum = at(&format!("1 -> 3  ACK {}", z(1, 3))).min(at(&format!("2 -> 3  ACK {}", z(1, 3))));
    assert!(quorum < at(&format!("3 -> 4  INFORM {}", z(1, 3))));
    let client = stage.connect(4);
    assert_eq!(stage.read_local(client, "/a").unwrap(), "5");
}

#[test]
fn a_sync_asks_no_observer() {
    let (mut stage, client) = with_node();
    let pings = stage.delivered("3 -> 4  PING");
    stage.read(client, "/a").unwrap();
    assert_eq!(stage.delivered("3 -> 4  PING"), pings);
    stage.run_for(TICK_MS);
    assert!(stage.delivered("3 -> 4  PING") > pings, "but it gets its signs of life");
}

#[test]
fn writes_through_it_are_answered_in_order_and_read_by_their_writer() {
    let (mut stage, _) = with_node();
    let client = stage.connect(4);
    let mut sent = Vec::new();
    for value in 1..=5 {
        sent.push(stage.send(client, set("/a", &value.to_string())));
        sent.push(stage.send(client, get("/a")));
    }
    sent.push(stage.send(client, create("/b", "x")));
    stage.run_for(TICK_MS);
    let mut seen = Vec::new();
    for xid in sent {
        let answer = stage.answer(client).expect("all are answered");
        assert_eq!(answer.xid, xid);
        if let Response::Data(Some(data), _) = answer.response.expect("all are granted") {
            seen.push(String::from_utf8(data).unwrap());
        }
    }
    assert_eq!(seen, ["1", "2", "3", "4", "5"]);
    let client = stage.connect(1);
    assert_eq!(stage.read(client, "/b").unwrap(), "x");
}

#[test]
fn sync_and_read_are_up_to_date_where_a_read_alone_is_not() {
    let (mut stage, client) = with_node();
    let reader = stage.connect(4);
    stage.cut_one_way(3, 4);
    stage.set(client, "/a", "new").response.unwrap();
    assert_eq!(stage.read_local(reader, "/a").unwrap(), "0", "the INFORM is held");
    stage.send(reader, Request::Sync { path: "/a".to_owned() });
    let read = stage.send(reader, get("/a"));
    stage.settle();
    assert!(!stage.has_answer(reader));
    stage.heal();
    stage.settle();
    assert!(stage.answer(reader).is_some(), "the sync is answered");
    let answer = stage.answer(reader).expect("and the read behind it");
    assert_eq!(answer.xid, read);
    assert!(matches!(answer.response, Ok(Response::Data(Some(data), _)) if data == b"new"));
}

#[test]
fn a_session_goes_on_at_an_observer_and_back() {
    let (mut stage, client) = with_node();
    let mut seen = Zxid::ZERO;
    let mut at = client;
    for (server, value) in [(4, "1"), (1, "2"), (4, "3")] {
        stage.close(at);
        at = stage.open(server, client.session, seen);
        stage.run_for(TICK_MS);
        assert_eq!(stage.connect_response(at).expect("it is let in").session, client.session);
        seen = stage.set(at, "/a", value).zxid;
        assert_eq!(stage.read_local(at, "/a").unwrap(), value);
    }
}

#[test]
fn proposals_are_not_for_observers_nor_informs_for_followers() {
    let (mut stage, _) = with_node();
    let txn = || bytes::Bytes::from_static(b"x");
    let (zxid, before) = (z(1, 3), stage.zxids_on_disk(4));
    for message in [QuorumMessage::Proposal { zxid, txn: txn() }, QuorumMessage::Commit { zxid: z(1, 2) }] {
        let misbehaved = stage.traced(4, "peer_misbehaved");
        let (ours, _) = stage.connection(4, 3).unwrap();
        stage.inject(4, Event::Packet { conn: ours, message });
        assert_eq!(stage.traced(4, "peer_misbehaved"), misbehaved + 1);
        stage.run_until("4 serves again", |stage| stage.serving(4));
    }
    assert_eq!(stage.zxids_on_disk(4), before);
    let (ours, _) = stage.connection(1, 3).unwrap();
    stage.inject(1, Event::Packet { conn: ours, message: QuorumMessage::Inform { zxid, txn: txn() } });
    assert_eq!(stage.traced(1, "peer_misbehaved"), 1);
}

#[test]
fn an_inform_of_another_epoch_or_behind_a_hole_is_refused() {
    for (zxid, trace) in [(z(2, 1), "fenced"), (z(1, 5), "peer_misbehaved")] {
        let (mut stage, _) = with_node();
        let (ours, _) = stage.connection(4, 3).unwrap();
        let message = QuorumMessage::Inform { zxid, txn: bytes::Bytes::from_static(b"x") };
        stage.inject(4, Event::Packet { conn: ours, message });
        assert_eq!(stage.traced(4, trace), 1, "{zxid}");
        assert!(!stage.serving(4));
    }
}

// ---- durability

#[test]
fn it_applies_before_its_disk_is_done_but_says_only_what_is_durable() {
    let (mut stage, client) = with_node();
    stage.hold_disk(4);
    stage.set(client, "/a", "1").response.unwrap();
    stage.settle();
    let reader = stage.connect(4);
    assert_eq!(stage.read_local(reader, "/a").unwrap(), "1");
    assert!(!stage.zxids_on_disk(4).contains(&z(1, 3)));
    stage.crash(3);
    stage.run_until("4 is asked for its epoch", |stage| stage.delivered("2 -> 4  LEADERINFO") == 1);
    stage.settle();
    assert_eq!(stage.delivered("4 -> 2  ACKEPOCH"), 0);
    stage.release_disk(4);
    stage.settle();
    assert_eq!(stage.delivered(&format!("4 -> 2  ACKEPOCH current=1 last={}", z(1, 4))), 1);
    assert_eq!(stage.zxids_on_disk(4).last(), Some(&z(1, 4)), "with the reader's session");
    assert_eq!(stage.epochs_on_disk(4).0, 2);
}

#[test]
fn a_crash_sets_it_back_to_an_earlier_committed_state() {
    let (mut stage, client) = with_node();
    stage.hold_disk(4);
    stage.set(client, "/a", "1").response.unwrap();
    stage.settle();
    stage.crash(4);
    stage.start(4);
    stage.run_until("4 serves", |stage| stage.serving(4));
    assert_eq!(mode(&stage, 4), Some(SyncMode::Diff));
    let reader = stage.connect(4);
    assert_eq!(stage.read_local(reader, "/a").unwrap(), "1");
    stage.run_for(TICK_MS);
    assert_eq!(stage.zxids_on_disk(4), stage.zxids_on_disk(3), "without a hole");
}

#[test]
fn its_disk_is_not_left_behind_for_long() {
    let (mut stage, client) = with_node();
    stage.set(client, "/a", "1").response.unwrap();
    stage.run_for(TICK_MS);
    assert_eq!(stage.zxids_on_disk(4), stage.zxids_on_disk(3));
}

// ---- synchronization

#[test]
fn one_that_missed_a_little_gets_diff() {
    let (mut stage, client) = with_node();
    stage.crash(4);
    stage.set(client, "/a", "1").response.unwrap();
    stage.start(4);
    stage.run_until("4 serves", |stage| stage.serving(4));
    assert_eq!(mode(&stage, 4), Some(SyncMode::Diff));
    let reader = stage.connect(4);
    assert_eq!(stage.read_local(reader, "/a").unwrap(), "1");
}

#[test]
fn one_that_missed_more_than_memory_holds_gets_snap() {
    let (mut stage, client) = with_node();
    stage.crash(4);
    for value in 1..=20 {
        stage.set(client, "/a", &value.to_string()).response.unwrap();
    }
    stage.start(4);
    stage.run_until("4 serves", |stage| stage.serving(4));
    assert_eq!(mode(&stage, 4), Some(SyncMode::Snap));
    // What it got is on its disk as well.
    stage.crash(4);
    stage.start(4);
    stage.run_until("4 serves", |stage| stage.serving(4));
    let reader = stage.connect(4);
    assert_eq!(stage.read_local(reader, "/a").unwrap(), "20");
}

#[test]
fn it_never_holds_a_proposal_that_is_given_up() {
    let (mut stage, client) = with_node();
    let before = stage.zxids_on_disk(4);
    stage.cut(&[3], &[1, 2]);
    stage.send(client, create("/abandoned", "x"));
    stage.settle();
    assert_eq!(stage.zxids_on_disk(3).len(), before.len() + 1, "the leader has logged it");
    stage.run_until("another leads and 4 observes it", |stage| {
        stage.status(4).unwrap().leader == Some(ServerId(2)) && stage.serving(4)
    });
    assert_eq!(mode(&stage, 4), Some(SyncMode::Diff));
    assert_eq!(stage.zxids_on_disk(4), before);
    stage.heal();
    stage.run_until("3 serves", |stage| stage.serving(3));
    assert_eq!(mode(&stage, 3), Some(SyncMode::Trunc), "unlike a voter");
}

#[test]
fn an_initial_history_is_not_for_observers_before_a_quorum_has_it() {
    // 3 has a tail that nobody else has, and is elected again: the tail is committed with the epoch, but
    // until then it may still be given up.
    let (mut stage, client) = with_node();
    stage.cut(&[3], &[1, 2]);
    stage.send(client, create("/tail", "x"));
    stage.settle();
    for id in stage.ids() {
        stage.crash(id);
    }
    stage.heal();
    let before = stage.zxids_on_disk(4);
    assert_eq!(stage.zxids_on_disk(3).len(), before.len() + 1);
    let synchronized = stage.traced(3, "leader.sync_started");
    for id in stage.ids() {
        stage.start(id);
    }
    stage.step_until("3 synchronizes", |stage| stage.traced(3, "leader.sync_started") > synchronized);
    stage.hold_disk(1);
    stage.hold_disk(2);
    let established = stage.traced(3, "leader.established");
    stage.run_for(9 * TICK_MS);
    assert_eq!(stage.traced(3, "leader.established"), established, "the voters' disks are held");
    assert_eq!(stage.delivered("3 -> 4  LEADERINFO"), 1, "only that of epoch 1");
    assert_eq!(stage.zxids_on_disk(4), before);
    stage.release_disk(1);
    stage.release_disk(2);
    stage.run_until("4 serves", |stage| stage.serving(4));
    let reader = stage.connect(4);
    assert_eq!(stage.read_local(reader, "/tail").unwrap(), "x");
}

#[test]
fn traffic_during_its_synchronization_is_neither_lost_nor_shown_early() {
    let (mut stage, client) = with_node();
    stage.crash(4);
    stage.start(4);
    stage.hold_disk_at(4, "learner.sync_received");
    for value in 1..=5 {
        stage.set(client, "/a", &value.to_string()).response.unwrap();
    }
    // The sixth is logged everywhere and committed nowhere.
    stage.cut_one_way(1, 3);
    stage.cut_one_way(2, 3);
    stage.send(client, set("/a", "6"));
    stage.settle();
    assert!(!stage.serving(4), "its disk is held");
    stage.release_disk(4);
    stage.settle();
    assert!(stage.serving(4));
    assert_eq!(stage.status(4).unwrap().zxid, z(1, 7));
    assert_eq!(stage.zxids_on_disk(1).last(), Some(&z(1, 8)));
    stage.heal();
    stage.run_for(TICK_MS);
    assert_eq!(stage.zxids_on_disk(4), stage.zxids_on_disk(3));
}

#[test]
fn a_proposal_under_way_is_kept_from_one_that_is_being_synchronized() {
    let (mut stage, client) = with_node();
    stage.crash(4);
    stage.set(client, "/a", "1").response.unwrap();
    stage.cut_one_way(1, 3);
    stage.cut_one_way(2, 3);
    stage.send(client, set("/a", "2"));
    stage.start(4);
    stage.settle();
    assert!(stage.serving(4));
    assert_eq!(stage.status(4).unwrap().zxid, z(1, 3));
    let under_way = z(1, 4);
    assert_eq!(stage.zxids_on_disk(3).last(), Some(&under_way));
    assert!(!stage.zxids_on_disk(4).contains(&under_way));
    assert_eq!(stage.delivered(&format!("3 -> 4  PROPOSAL {under_way}")), 0);
    stage.heal();
    stage.run_for(TICK_MS);
    assert_eq!(stage.delivered(&format!("3 -> 4  INFORM {under_way}")), 1);
    assert_eq!(stage.zxids_on_disk(4), stage.zxids_on_disk(3));
}

#[test]
fn behind_new_leader_it_takes_no_proposal() {
    let (mut stage, _) = with_node();
    stage.crash(4);
    stage.start(4);
    stage.hold_disk_at(4, "learner.sync_received");
    let (ours, _) = stage.connection(4, 3).unwrap();
    let message = QuorumMessage::Proposal { zxid: z(1, 3), txn: bytes::Bytes::from_static(b"x") };
    stage.inject(4, Event::Packet { conn: ours, message });
    let expected = Trace::PeerMisbehaved { what: "proposed to an observer" };
    assert_eq!(stage.last_trace(4, "peer_misbehaved"), Some(&expected));
}

#[test]
fn the_tail_of_a_former_voter_is_cut() {
    let (mut stage, client) = with_node();
    stage.cut(&[3], &[1, 2, 4]);
    stage.send(client, create("/abandoned", "x"));
    stage.settle();
    for id in stage.ids() {
        stage.crash(id);
    }
    stage.heal();
    stage.demote(3);
    for id in stage.ids() {
        stage.start(id);
    }
    stage.run_until("all serve", |stage| stage.ids().into_iter().all(|id| stage.serving(id)));
    assert_eq!(stage.status(3).unwrap().state, PeerState::Observing);
    assert_eq!(mode(&stage, 3), Some(SyncMode::Trunc));
    let reader = stage.connect(3);
    assert_eq!(stage.read_local(reader, "/abandoned"), Err(-101));
}

// ---- epochs

#[test]
fn it_refuses_a_leader_whose_epoch_is_below_its_promise() {
    let (mut stage, _) = with_node();
    stage.crash(4);
    stage.start(4);
    let introduced = stage.delivered("4 -> 3  OBSERVERINFO");
    stage.step_until("4 introduces itself", |stage| stage.delivered("4 -> 3  OBSERVERINFO") > introduced);
    let (ours, _) = stage.connection(4, 3).unwrap();
    stage.inject(4, Event::Packet { conn: ours, message: QuorumMessage::LeaderInfo { epoch: 0 } });
    assert_eq!(
        stage.last_trace(4, "fenced"),
        Some(&Trace::Fenced { what: "LEADERINFO", peer: Some(ServerId(3)), stale: 0, current: 1 })
    );
    stage.run_until("4 serves all the same in the end", |stage| stage.serving(4));
}

fn observer_info(accepted_epoch: u32, server: i64) -> QuorumMessage {
    QuorumMessage::ObserverInfo { accepted_epoch, server: ServerId(server), config_version: 0 }
}

#[test]
fn a_later_promise_of_it_moves_no_leader_but_the_next_epoch() {
    let (mut stage, _) = with_node();
    let conn = zab_core::ConnId::Inbound(1_000);
    stage.inject(3, Event::LearnerUp { conn });
    stage.inject(3, Event::Packet { conn, message: observer_info(7, 4) });
    assert_eq!(stage.leader(), Some(3), "an observer unseats nobody");

    let mut stage = Stage::with_observers(3, 1);
    stage.start(3);
    stage.inject(3, Event::LearnerUp { conn });
    stage.inject(3, Event::Packet { conn, message: observer_info(7, 4) });
    stage.start(2);
    stage.run_until("3 chose its epoch", |stage| stage.traced(3, "leader.epoch_proposed") == 1);
    assert_eq!(stage.last_trace(3, "leader.epoch_proposed"), Some(&Trace::EpochProposed { epoch: 8 }));
}

#[test]
fn a_learner_must_introduce_itself_as_what_it_is() {
    let (mut stage, _) = with_node();
    let accepted_epoch = 0;
    let follower = QuorumMessage::FollowerInfo { accepted_epoch, server: ServerId(4), config_version: 0 };
    for (number, message) in [(1_000, follower), (1_001, observer_info(0, 1)), (1_002, observer_info(0, 9))] {
        let dropped = stage.traced(3, "leader.learner_dropped");
        let conn = zab_core::ConnId::Inbound(number);
        stage.inject(3, Event::LearnerUp { conn });
        stage.inject(3, Event::Packet { conn, message });
        assert_eq!(stage.traced(3, "leader.learner_dropped"), dropped + 1);
    }
    assert!(stage.ids().into_iter().all(|id| stage.serving(id)));
}
