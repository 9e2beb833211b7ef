//! Phase 0: Fast Leader Election, one test per rule.

mod support;

use support::{TICK_MS, World};
use zab_core::{Event, Trace};
use zab_wire::election::{Notification, PeerState};
use zab_wire::{ServerId, Zxid};

#[test]
fn five_servers_started_in_order_elect_the_third() {
    let mut world = World::new(5);
    for id in 1..=2 {
        world.start(id);
        world.run_for(2_000);
        assert_eq!(world.leader(), None, "two of five are no quorum");
    }
    world.start(3);
    world.run_until("the third server leads", |world| world.leader() == Some(3));
    for id in 4..=5 {
        world.start(id);
        world.run_until("the newcomer follows", |world| world.serving(id));
        assert_eq!(
            world.status(id).unwrap().leader,
            Some(ServerId(3)),
            "server {id} has the higher id, and follows"
        );
    }
    assert_eq!(world.leader(), Some(3));
    assert_eq!(world.status(3).unwrap().current_epoch, 1);
}

#[test]
fn a_newer_log_wins_over_a_higher_id() {
    let mut world = World::established(3);
    let leader = world.leader().unwrap();
    assert_eq!(leader, 3);
    // 2 misses a write that 1 has.
    world.crash(2);
    let client = world.connect(1);
    world.create(client, "/a", "x").1.unwrap();
    world.crash(3);
    world.start(2);
    world.run_until("somebody leads", |world| world.leader().is_some());
    assert_eq!(world.leader(), Some(1), "server 2 has the higher id, server 1 the newer log");
}

#[test]
fn a_later_epoch_wins_over_a_higher_zxid() {
    let mut world = World::established(3);
    // 3 logs a proposal of epoch 1 that nobody else gets.
    let client = world.connect(3);
    world.cut(&[3], &[1, 2]);
    world.send(client, support::create("/only-here", "x"));
    world.settle();
    world.run_until("the others have a leader", |world| {
        [1, 2].iter().any(|id| world.status(*id).unwrap().current_epoch == 2 && world.serving(*id))
    });
    // Epoch 2 has no transaction: its members' zxid is lower than 3's.
    let zxid_of = |world: &World, id: i64| world.zxids_on_disk(id).last().copied();
    assert!(zxid_of(&world, 3) > zxid_of(&world, 1));
    for id in 1..=3 {
        world.crash(id);
    }
    world.heal();
    for id in 1..=3 {
        world.start(id);
    }
    world.run_until("somebody leads", |world| world.leader().is_some());
    assert_ne!(world.leader(), Some(3), "peerEpoch is compared before zxid");
}

#[test]
fn a_minority_never_decides() {
    let mut world = World::established(5);
    world.cut(&[4, 5], &[1, 2, 3]);
    world.run_for(20_000);
    for id in [4, 5] {
        assert_eq!(world.status(id).unwrap().state, PeerState::Looking);
    }
    assert!(world.leader().is_some_and(|leader| leader <= 3));
}

#[test]
fn a_newcomer_joins_the_settled_leader_whatever_its_own_vote() {
    let mut world = World::established(5);
    let leader = world.leader().unwrap();
    world.crash(1);
    world.run_for(1_000);
    world.start(1);
    world.run_until("the newcomer serves", |world| world.serving(1));
    assert_eq!(world.status(1).unwrap().leader, Some(ServerId(leader)));
    assert_eq!(world.status(leader).unwrap().current_epoch, 1, "nobody was disturbed");
}

#[test]
fn followers_of_a_dead_leader_do_not_elect_it_again() {
    // checkLeader: followers that have not noticed the death still vote for it.
    let mut world = World::established(5);
    let dead = world.leader().unwrap();
    world.crash(dead);
    world.run_until("another leads", |world| world.leader().is_some_and(|leader| leader != dead));
    assert_eq!(world.status(world.leader().unwrap()).unwrap().current_epoch, 2);
}

#[test]
fn votes_of_strangers_and_for_strangers_have_no_weight() {
    let mut world = World::new(3);
    world.start(1);
    let vote = |leader: i64| Notification {
        state: PeerState::Looking,
        leader: ServerId(leader),
        zxid: Zxid::new(9, 9),
        election_epoch: 50,
        peer_epoch: 9,
        config: String::new(),
    };
    for (from, leader) in [(7, 7), (8, 7), (2, 7), (7, 2)] {
        world.inject(1, Event::Notification { from: ServerId(from), message: vote(leader) });
    }
    world.run_for(5_000);
    assert_eq!(world.traced(1, "election.decided"), 0);
    assert_eq!(
        world.last_trace(1, "election.started"),
        Some(&Trace::ElectionStarted { round: 1, zxid: Zxid::ZERO, epoch: 0 })
    );
}

#[test]
fn a_decision_waits_for_a_better_vote() {
    let mut world = World::new(5);
    for id in 1..=3 {
        world.start(id);
    }
    // A quorum of three agrees at once; the finalize wait leaves 5 the time to be voted for.
    world.settle();
    world.run_for(TICK_MS);
    assert_eq!(world.leader(), None, "200 ms have not passed");
    world.start(5);
    world.run_until("somebody leads", |world| world.leader().is_some());
    assert_eq!(world.leader(), Some(5));
}

#[test]
fn a_lost_vote_is_sent_again() {
    let mut world = World::new(3);
    world.start(1);
    world.cut(&[1], &[2, 3]);
    world.run_for(5_000);
    world.crash(1);
    world.heal();
    world.start(1);
    world.start(2);
    world.run_until("somebody leads", |world| world.leader().is_some());
}

#[test]
fn followers_notice_a_silent_leader_together_whenever_they_began_to_follow() {
    // Each follower's own half ticks begin when it begins to follow: 1 and 2 differ by a third of a tick.
    let mut world = World::new(3);
    world.start(3);
    world.start(1);
    world.run_until("1 serves", |world| world.serving(1));
    world.run_for(TICK_MS / 3);
    world.start(2);
    world.run_until("2 serves", |world| world.serving(2));
    world.run_for(3 * TICK_MS);
    let elections = |world: &World| [1, 2].map(|id| world.traced(id, "election.started"));
    let before = elections(&world);
    world.cut(&[3], &[1, 2]);
    world.run_until("one of them looks for another leader", |world| elections(world) != before);
    world.run_for(2);
    assert_eq!(elections(&world), before.map(|count| count + 1), "the other noticed at the same time");
}
