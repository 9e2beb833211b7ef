//! Phase 0: Fast Leader Election, one test per rule.

use super::stage::{Stage, TICK_MS, create};
use zab_core::{Event, Trace};
use zab_wire::election::{Notification, PeerState};
use zab_wire::{ServerId, Zxid};

#[test]
fn five_servers_started_in_order_elect_the_third() {
    let mut stage = Stage::new(5);
    for id in 1..=2 {
        stage.start(id);
        stage.run_for(2_000);
        assert_eq!(stage.leader(), None, "two of five are no quorum");
    }
    stage.start(3);
    stage.run_until("the third server leads", |stage| stage.leader() == Some(3));
    for id in 4..=5 {
        stage.start(id);
        stage.run_until("the newcomer follows", |stage| stage.serving(id));
        assert_eq!(
            stage.status(id).unwrap().leader,
            Some(ServerId(3)),
            "server {id} has the higher id, and follows"
        );
    }
    assert_eq!(stage.leader(), Some(3));
    assert_eq!(stage.status(3).unwrap().current_epoch, 1);
}

#[test]
fn a_newer_log_wins_over_a_higher_id() {
    let mut stage = Stage::established(3);
    let leader = stage.leader().unwrap();
    assert_eq!(leader, 3);
    // 2 misses a write that 1 has.
    stage.crash(2);
    let client = stage.connect(1);
    stage.create(client, "/a", "x").response.unwrap();
    stage.crash(3);
    stage.start(2);
    stage.run_until("somebody leads", |stage| stage.leader().is_some());
    assert_eq!(stage.leader(), Some(1), "server 2 has the higher id, server 1 the newer log");
}

#[test]
fn a_later_epoch_wins_over_a_higher_zxid() {
    let mut stage = Stage::established(3);
    // 3 logs a proposal of epoch 1 that nobody else gets.
    let client = stage.connect(3);
    stage.cut(&[3], &[1, 2]);
    stage.send(client, create("/only-here", "x"));
    stage.settle();
    stage.run_until("the others have a leader", |stage| {
        [1, 2].iter().any(|id| stage.status(*id).unwrap().current_epoch == 2 && stage.serving(*id))
    });
    // Epoch 2 has no transaction: its members' zxid is lower than 3's.
    let zxid_of = |stage: &Stage, id: i64| stage.zxids_on_disk(id).last().copied();
    assert!(zxid_of(&stage, 3) > zxid_of(&stage, 1));
    for id in 1..=3 {
        stage.crash(id);
    }
    stage.heal();
    for id in 1..=3 {
        stage.start(id);
    }
    stage.run_until("somebody leads", |stage| stage.leader().is_some());
    assert_ne!(stage.leader(), Some(3), "peerEpoch is compared before zxid");
}

#[test]
fn a_minority_never_decides() {
    let mut stage = Stage::established(5);
    stage.cut(&[4, 5], &[1, 2, 3]);
    stage.run_for(20_000);
    for id in [4, 5] {
        assert_eq!(stage.status(id).unwrap().state, PeerState::Looking);
    }
    assert!(stage.leader().is_some_and(|leader| leader <= 3));
}

#[test]
fn a_newcomer_joins_the_settled_leader_whatever_its_own_vote() {
    let mut stage = Stage::established(5);
    let leader = stage.leader().unwrap();
    stage.crash(1);
    stage.run_for(1_000);
    stage.start(1);
    stage.run_until("the newcomer serves", |stage| stage.serving(1));
    assert_eq!(stage.status(1).unwrap().leader, Some(ServerId(leader)));
    assert_eq!(stage.status(leader).unwrap().current_epoch, 1, "nobody was disturbed");
}

#[test]
fn followers_of_a_dead_leader_do_not_elect_it_again() {
    // checkLeader: followers that have not noticed the death still vote for it.
    let mut stage = Stage::established(5);
    let dead = stage.leader().unwrap();
    stage.crash(dead);
    stage.run_until("another leads", |stage| stage.leader().is_some_and(|leader| leader != dead));
    assert_eq!(stage.status(stage.leader().unwrap()).unwrap().current_epoch, 2);
}

#[test]
fn votes_of_strangers_and_for_strangers_have_no_weight() {
    let mut stage = Stage::new(3);
    stage.start(1);
    let vote = |leader: i64| Notification {
        state: PeerState::Looking,
        leader: ServerId(leader),
        zxid: Zxid::new(9, 9),
        election_epoch: 50,
        peer_epoch: 9,
        config: String::new(),
    };
    for (from, leader) in [(7, 7), (8, 7), (2, 7), (7, 2)] {
        stage.inject(1, Event::Notification { from: ServerId(from), message: vote(leader) });
    }
    stage.run_for(5_000);
    assert_eq!(stage.traced(1, "election.decided"), 0);
    assert_eq!(
        stage.last_trace(1, "election.started"),
        Some(&Trace::ElectionStarted { round: 1, zxid: Zxid::ZERO, epoch: 0 })
    );
}

#[test]
fn a_decision_waits_for_a_better_vote() {
    let mut stage = Stage::new(5);
    for id in 1..=3 {
        stage.start(id);
    }
    // A quorum of three agrees at once; the finalize wait leaves 5 the time to be voted for.
    stage.settle();
    stage.run_for(TICK_MS);
    assert_eq!(stage.leader(), None, "200 ms have not passed");
    stage.start(5);
    stage.run_until("somebody leads", |stage| stage.leader().is_some());
    assert_eq!(stage.leader(), Some(5));
}

#[test]
fn a_lost_vote_is_sent_again() {
    let mut stage = Stage::new(3);
    stage.start(1);
    stage.cut(&[1], &[2, 3]);
    stage.run_for(5_000);
    stage.crash(1);
    stage.heal();
    stage.start(1);
    stage.start(2);
    stage.run_until("somebody leads", |stage| stage.leader().is_some());
}

#[test]
fn followers_notice_a_silent_leader_together_whenever_they_began_to_follow() {
    // Each follower's own half ticks begin when it begins to follow: 1 and 2 differ by a third of a tick.
    let mut stage = Stage::new(3);
    stage.start(3);
    stage.start(1);
    stage.run_until("1 serves", |stage| stage.serving(1));
    stage.run_for(TICK_MS / 3);
    stage.start(2);
    stage.run_until("2 serves", |stage| stage.serving(2));
    stage.run_for(3 * TICK_MS);
    let elections = |stage: &Stage| [1, 2].map(|id| stage.traced(id, "election.started"));
    let before = elections(&stage);
    stage.cut(&[3], &[1, 2]);
    stage.run_until("one of them looks for another leader", |stage| elections(stage) != before);
    stage.run_for(2);
    assert_eq!(elections(&stage), before.map(|count| count + 1), "the other noticed at the same time");
}
