//! Phase 1: epochs are promised durably, once, and never lower; one test per clause.

use super::stage::Stage;
use zab_core::{Config, ConnId, Effect, Ensemble, Event, Now, Recovered, Server, Timing, Trace};
use zab_wire::election::{Notification, PeerState};
use zab_wire::quorum::QuorumMessage;
use zab_wire::{ServerId, Zxid};

fn follower_info(accepted_epoch: u32, server: i64) -> QuorumMessage {
    QuorumMessage::FollowerInfo { accepted_epoch, server: ServerId(server), config_version: 0 }
}

#[test]
fn the_new_epoch_is_above_every_promise_of_the_quorum() {
    let mut stage = Stage::established(3);
    for round in 2..=4 {
        let leader = stage.leader().unwrap();
        stage.crash(leader);
        stage.run_until("another leads", |stage| stage.leader().is_some_and(|other| other != leader));
        assert_eq!(stage.status(stage.leader().unwrap()).unwrap().current_epoch, round);
        stage.start(leader);
        stage.run_until("it follows", |stage| stage.serving(leader));
    }
}

#[test]
fn a_promise_is_on_disk_before_it_is_given() {
    let mut stage = Stage::new(3);
    stage.start(1);
    stage.hold_disk(1);
    stage.start(3);
    stage.run_for(900);
    assert_eq!(stage.status(3).unwrap().current_epoch, 0, "3 waits for the promise of 1");
    assert!(
        !stage.deliveries().iter().any(|delivery| delivery.contains("ACKEPOCH")),
        "{:#?}",
        stage.deliveries()
    );
    assert_eq!(stage.epochs_on_disk(1), (0, 0));
    stage.release_disk(1);
    stage.settle();
    assert_eq!(stage.epochs_on_disk(1).0, 1);
    assert!(stage.deliveries().iter().any(|delivery| delivery.starts_with("1 -> 3  ACKEPOCH")));
    stage.run_until("3 leads", |stage| stage.leader() == Some(3));
}

#[test]
fn a_leader_promises_to_itself_before_it_asks_others() {
    let mut stage = Stage::new(3);
    stage.start(1);
    stage.start(3);
    stage.hold_disk(3);
    stage.run_for(900);
    assert!(!stage.deliveries().iter().any(|delivery| delivery.contains("LEADERINFO")));
    stage.release_disk(3);
    stage.settle();
    assert_eq!(stage.epochs_on_disk(3).0, 1);
    assert!(stage.deliveries().iter().any(|delivery| delivery == "3 -> 1  LEADERINFO epoch=1"));
}

#[test]
fn a_follower_refuses_a_leader_whose_epoch_is_below_its_promise() {
    let mut stage = Stage::established(3);
    stage.crash(1);
    stage.start(1);
    // The leader's first word is replaced by one of a past epoch.
    let introduced = stage.delivered("1 -> 3  FOLLOWERINFO");
    stage.step_until("1 introduces itself", |stage| stage.delivered("1 -> 3  FOLLOWERINFO") > introduced);
    let before = stage.traced(1, "fenced");
    let (ours, _) = stage.connection(1, 3).unwrap();
    stage.inject(1, Event::Packet { conn: ours, message: QuorumMessage::LeaderInfo { epoch: 0 } });
    assert_eq!(stage.traced(1, "fenced"), before + 1);
    assert_eq!(
        stage.last_trace(1, "fenced"),
        Some(&Trace::Fenced { what: "LEADERINFO", peer: Some(ServerId(3)), stale: 0, current: 1 })
    );
    stage.run_until("1 serves all the same in the end", |stage| stage.serving(1));
}

#[test]
fn an_epoch_promised_before_is_acknowledged_but_not_counted() {
    let mut stage = Stage::established(3);
    stage.crash(1);
    stage.start(1);
    stage.run_until("1 serves again", |stage| stage.serving(1));
    assert!(stage.deliveries().iter().any(|delivery| delivery == "1 -> 3  ACKEPOCH current=-1 last=0x0"));
}

#[test]
fn an_established_leader_gives_way_to_a_higher_promise() {
    let mut stage = Stage::established(3);
    let conn = ConnId::Inbound(1_000);
    stage.inject(3, Event::LearnerUp { conn });
    stage.inject(3, Event::Packet { conn, message: follower_info(7, 1) });
    assert_eq!(
        stage.last_trace(3, "fenced"),
        Some(&Trace::Fenced { what: "own leadership", peer: Some(ServerId(1)), stale: 1, current: 7 })
    );
    assert!(!stage.serving(3));
}

#[test]
fn a_leader_gives_way_to_a_follower_with_a_newer_log() {
    // Before the true ACKEPOCH of 1 arrives comes one that names a log 3 has never seen.
    let mut stage = Stage::new(3);
    stage.start(1);
    stage.hold_disk(1);
    stage.start(3);
    stage.run_until("3 waits for promises", |stage| stage.traced(3, "leader.epoch_proposed") == 1);
    let (_, theirs) = stage.connection(1, 3).unwrap();
    let message = QuorumMessage::AckEpoch { last_zxid: Zxid::new(0, 9), current_epoch: Some(0) };
    stage.inject(3, Event::Packet { conn: theirs, message });
    assert!(matches!(
        stage.last_trace(3, "stepped_down"),
        Some(Trace::SteppedDown { leading: true, reason: "a follower has a newer log", .. })
    ));
}

#[test]
fn a_stranger_and_a_server_with_the_leaders_own_id_are_sent_away() {
    let mut stage = Stage::established(3);
    for (number, server) in [(1_000, 9), (1_001, 3)] {
        let conn = ConnId::Inbound(number);
        stage.inject(3, Event::LearnerUp { conn });
        stage.inject(3, Event::Packet { conn, message: follower_info(0, server) });
    }
    assert_eq!(stage.traced(3, "leader.learner_dropped"), 2);
    assert!(stage.serving(3));
}

#[test]
fn a_candidate_without_a_quorum_gives_up_within_init_limit() {
    let mut stage = Stage::new(3);
    stage.start(1);
    stage.start(3);
    stage.step_until("3 is elected", |stage| stage.traced(3, "election.decided") == 1);
    stage.crash(1);
    stage.run_for(2_500);
    assert!(matches!(
        stage.last_trace(3, "stepped_down"),
        Some(Trace::SteppedDown { leading: true, reason: "no quorum of followers within initLimit", .. })
    ));
}

#[test]
fn a_learner_that_comes_before_its_leader_knows_is_kept_waiting() {
    let mut stage = Stage::new(3);
    stage.start(3);
    let conn = ConnId::Inbound(1_000);
    stage.inject(3, Event::LearnerUp { conn });
    stage.inject(3, Event::Packet { conn, message: follower_info(4, 1) });
    stage.start(2);
    stage.run_until("3 chose its epoch", |stage| stage.traced(3, "leader.epoch_proposed") == 1);
    assert_eq!(stage.last_trace(3, "leader.epoch_proposed"), Some(&Trace::EpochProposed { epoch: 5 }));
}

#[test]
fn learners_that_came_early_are_all_let_go_when_the_leader_gives_way() {
    let config = Config {
        me: ServerId(5),
        ensemble: Ensemble::new((1..=5).map(ServerId)),
        timing: Timing::new(100, 10, 5),
        config_text: String::new(),
        commit_log_count: 8,
        snap_count: 1_000,
        bug: None,
    };
    let mut server = Server::new(config);
    let mut effects = Vec::new();
    let now = Now { mono_ms: 1_000, wall_ms: 1 };
    server.step(now, Event::Start(Recovered::default()), &mut effects);
    for (id, accepted_epoch) in [(1, 0), (2, 0), (3, 7), (4, 0)] {
        let conn = ConnId::Inbound(id);
        server.step(now, Event::LearnerUp { conn }, &mut effects);
        let message = follower_info(accepted_epoch, id.cast_signed());
        server.step(now, Event::Packet { conn, message }, &mut effects);
    }
    for id in 1..=4 {
        let message = Notification {
            state: PeerState::Looking,
            leader: ServerId(5),
            zxid: Zxid::ZERO,
            election_epoch: 1,
            peer_epoch: 0,
            config: String::new(),
        };
        server.step(now, Event::Notification { from: ServerId(id), message }, &mut effects);
    }
    server.step(now, Event::Tick, &mut effects);
    assert_eq!(server.status().state, PeerState::Looking, "3 has promised a later epoch");
    for id in 1..=4 {
        assert!(
            effects.contains(&Effect::Close { conn: ConnId::Inbound(id) }),
            "connection {id} is left hanging"
        );
    }
}
