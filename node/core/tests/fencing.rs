//! The fake-dead leader, and the planted bugs: each must show here what it is there to show.

mod support;

use support::{TICK_MS, World, create, set};
use zab_core::{Bug, Trace};
use zab_wire::client::Request;

/// A leader is paused until another is established; gives the world, the old and the new leader.
fn fake_dead(bug: Option<Bug>) -> (World, i64, i64, support::Client) {
    let mut world = World::new(5);
    if let Some(bug) = bug {
        world.plant(bug);
    }
    for id in 1..=5 {
        world.start(id);
    }
    world.run_until("somebody leads", |world| world.leader().is_some());
    let old = world.leader().expect("there is one");
    let client = world.connect(old);
    world.create(client, "/a", "old").1.expect("a healthy ensemble creates");
    world.pause(old);
    world.run_until("another leads", |world| world.leader().is_some());
    let new = world.leader().expect("there is one");
    (world, old, new, client)
}

#[test]
fn a_fake_dead_leader_commits_nothing_when_it_returns() {
    let (mut world, old, new, client) = fake_dead(None);
    world.send(client, set("/a", "zombie"));
    world.resume(old);
    world.run_for(3 * TICK_MS);
    assert_eq!(world.answer(client), None);
    assert!(
        matches!(world.last_trace(old, "stepped_down"), Some(Trace::SteppedDown { leading: true, epoch: 1, pending, .. }) if *pending == 1)
    );
    world.run_until("it follows", |world| world.serving(old));
    assert_eq!(world.leader(), Some(new));
    for id in world.ids() {
        let client = world.connect(id);
        assert_eq!(world.read(client, "/a").unwrap(), "old", "server {id}");
    }
}

#[test]
fn skip_epoch_check_lets_the_stale_leader_commit() {
    let (mut world, old, _, client) = fake_dead(Some(Bug::SkipEpochCheck));
    world.send(client, set("/a", "zombie"));
    world.resume(old);
    world.run_for(20 * TICK_MS);
    let (_, (zxid, outcome)) = world.answer(client).expect("the stale leader acknowledges");
    assert!(outcome.is_ok());
    assert_eq!(zxid.epoch, 1, "in an epoch that is superseded");
}

#[test]
fn commit_without_quorum_acknowledges_what_nobody_else_has() {
    let mut world = World::new(5);
    world.plant(Bug::CommitWithoutQuorum);
    (1..=5).for_each(|id| world.start(id));
    world.run_until("somebody leads", |world| world.leader().is_some());
    let leader = world.leader().unwrap();
    let client = world.connect(leader);
    let others: Vec<i64> = world.ids().into_iter().filter(|id| *id != leader).collect();
    world.cut(&[leader], &others);
    assert!(world.create(client, "/lost", "x").1.is_ok());
}

#[test]
fn local_sync_is_answered_by_a_deposed_leader() {
    let (mut world, old, new, client) = fake_dead(Some(Bug::LocalSync));
    let other = world.connect(new);
    world.set(other, "/a", "new").1.unwrap();
    world.send(client, Request::Sync { path: "/a".to_owned() });
    world.send(client, Request::GetData { path: "/a".to_owned(), watch: false });
    world.resume(old);
    world.settle();
    assert!(world.has_answer(client), "stale, and sold as fresh");
}

#[test]
fn elect_any_loses_what_the_highest_id_has_not() {
    let mut world = World::new(3);
    world.plant(Bug::ElectAny);
    (1..=3).for_each(|id| world.start(id));
    world.run_until("somebody leads", |world| world.leader().is_some());
    world.crash(3);
    world.run_until("2 leads", |world| world.leader() == Some(2));
    let client = world.connect(2);
    world.create(client, "/lost", "x").1.unwrap();
    world.crash(2);
    world.start(3);
    world.run_until("3 leads", |world| world.leader() == Some(3));
    let client = world.connect(3);
    assert_eq!(world.read(client, "/lost"), Err(-101), "an acknowledged write is gone");
}

#[test]
fn skip_truncate_brings_an_abandoned_proposal_back_on_one_server() {
    let mut world = World::new(5);
    world.plant(Bug::SkipTruncate);
    (1..=5).for_each(|id| world.start(id));
    world.run_until("somebody leads", |world| world.leader().is_some());
    let old = world.leader().unwrap();
    let client = world.connect(old);
    world.create(client, "/a", "agreed").1.unwrap();
    let others: Vec<i64> = world.ids().into_iter().filter(|id| *id != old).collect();
    world.cut(&[old], &others);
    world.send(client, set("/a", "abandoned"));
    world.run_until("another leads", |world| world.leader().is_some_and(|leader| leader != old));
    world.heal();
    world.run_until("the old leader serves", |world| world.serving(old));
    let client = world.connect(old);
    world.create(client, "/b", "after").1.unwrap();
    let mut read = |id: i64| {
        let client = world.connect(id);
        world.read(client, "/a").unwrap()
    };
    assert_eq!(read(old), "abandoned");
    assert_eq!(read(others[0]), "agreed", "two servers, one zxid, two values");
}

#[test]
fn forget_accepted_epoch_leads_an_epoch_twice() {
    let mut world = World::new(3);
    world.plant(Bug::ForgetAcceptedEpoch);
    (1..=3).for_each(|id| world.start(id));
    world.run_until("somebody leads", |world| world.leader().is_some());
    (1..=3).for_each(|id| world.crash(id));
    (1..=3).for_each(|id| world.start(id));
    world.run_until("somebody leads", |world| world.leader().is_some());
    let established =
        world.traces.iter().filter(|(_, trace)| matches!(trace, Trace::Established { epoch: 1, .. }));
    assert_eq!(established.count(), 2);
}

#[test]
fn double_apply_brings_an_overwritten_value_back() {
    let mut world = World::new(3);
    world.plant(Bug::DoubleApply);
    (1..=3).for_each(|id| world.start(id));
    world.run_until("somebody leads", |world| world.leader().is_some());
    let client = world.connect(1);
    world.create(client, "/a", "0").1.unwrap();
    let mut seen = Vec::new();
    for value in 1..=40 {
        world.set(client, "/a", &value.to_string()).1.unwrap();
        seen.push(world.read_local(client, "/a").unwrap());
    }
    let expected: Vec<String> = (1..=40).map(|value: i32| value.to_string()).collect();
    assert_ne!(seen, expected, "a write came back over a later one");
}

#[test]
fn an_honest_ensemble_reads_what_it_wrote_through_all_of_that() {
    let mut world = World::established(3);
    let client = world.connect(1);
    world.send(client, create("/a", "0"));
    world.run_for(50);
    for value in 1..=40 {
        world.answer(client);
        world.set(client, "/a", &value.to_string()).1.unwrap();
        assert_eq!(world.read_local(client, "/a").unwrap(), value.to_string());
    }
}
