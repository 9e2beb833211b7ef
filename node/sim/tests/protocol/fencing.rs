//! The fake-dead leader, and the planted bugs: each must show here what it is there to show, to the client whom it
//! deceives and to the property that it breaks.

use super::stage::{Client, Stage, TICK_MS, create, get, set};
use zab_core::{Bug, Trace};
use zab_wire::client::Request;

/// A leader is paused until another is established; gives the stage, the old and the new leader.
fn fake_dead(bug: Option<Bug>) -> (Stage, i64, i64, Client) {
    let mut stage = bug.map_or_else(|| Stage::new(5), |bug| Stage::with_bug(5, bug));
    for id in 1..=5 {
        stage.start(id);
    }
    stage.run_until("somebody leads", |stage| stage.leader().is_some());
    let old = stage.leader().expect("there is one");
    let client = stage.connect(old);
    stage.create(client, "/a", "old").response.expect("a healthy ensemble creates");
    stage.pause(old);
    stage.run_until("another leads", |stage| stage.leader().is_some());
    let new = stage.leader().expect("there is one");
    (stage, old, new, client)
}

#[test]
fn a_fake_dead_leader_commits_nothing_when_it_returns() {
    let (mut stage, old, new, client) = fake_dead(None);
    stage.send(client, set("/a", "zombie"));
    stage.settle();
    stage.resume(old);
    stage.run_for(3 * TICK_MS);
    assert_eq!(stage.answer(client), None);
    assert!(
        matches!(stage.last_trace(old, "stepped_down"), Some(Trace::SteppedDown { leading: true, epoch: 1, pending, .. }) if *pending == 1)
    );
    stage.run_until("it follows", |stage| stage.serving(old));
    assert_eq!(stage.leader(), Some(new));
    for id in stage.ids() {
        let client = stage.connect(id);
        assert_eq!(stage.read(client, "/a").unwrap(), "old", "server {id}");
    }
}

#[test]
fn skip_epoch_check_lets_the_stale_leader_commit() {
    let (mut stage, old, _, client) = fake_dead(Some(Bug::SkipEpochCheck));
    stage.send(client, set("/a", "zombie"));
    stage.settle();
    stage.resume(old);
    stage.run_for(20 * TICK_MS);
    let answer = stage.answer(client).expect("the stale leader acknowledges");
    assert!(answer.response.is_ok());
    assert_eq!(answer.zxid.epoch, 1, "in an epoch that is superseded");
    stage.breaks("AcknowledgedIsDurable");
}

#[test]
fn commit_without_quorum_acknowledges_what_nobody_else_has() {
    let mut stage = Stage::with_bug(5, Bug::CommitWithoutQuorum);
    (1..=5).for_each(|id| stage.start(id));
    stage.run_until("somebody leads", |stage| stage.leader().is_some());
    let leader = stage.leader().unwrap();
    let client = stage.connect(leader);
    let others: Vec<i64> = stage.ids().into_iter().filter(|id| *id != leader).collect();
    stage.cut(&[leader], &others);
    assert!(stage.create(client, "/lost", "x").response.is_ok());
    stage.breaks("AcknowledgedIsDurable");
}

#[test]
fn local_sync_is_answered_by_a_deposed_leader() {
    let (mut stage, old, new, client) = fake_dead(Some(Bug::LocalSync));
    let other = stage.connect(new);
    stage.set(other, "/a", "new").response.unwrap();
    stage.send(client, Request::Sync { path: "/a".to_owned() });
    stage.send(client, get("/a"));
    stage.settle();
    stage.resume(old);
    stage.settle();
    assert!(stage.has_answer(client), "stale, and sold as fresh");
    // No property is broken: only who compares what clients saw notices.
}

#[test]
fn elect_any_loses_what_the_highest_id_has_not() {
    let mut stage = Stage::with_bug(3, Bug::ElectAny);
    (1..=3).for_each(|id| stage.start(id));
    stage.run_until("somebody leads", |stage| stage.leader().is_some());
    stage.crash(3);
    stage.run_until("2 leads", |stage| stage.leader() == Some(2));
    let client = stage.connect(2);
    stage.create(client, "/lost", "x").response.unwrap();
    stage.crash(2);
    stage.start(3);
    stage.run_until("3 leads", |stage| stage.leader() == Some(3));
    let client = stage.connect(3);
    assert_eq!(stage.read(client, "/lost"), Err(-101), "an acknowledged write is gone");
    stage.breaks("AcknowledgedIsDurable");
}

#[test]
fn skip_truncate_brings_an_abandoned_proposal_back_on_one_server() {
    let mut stage = Stage::with_bug(5, Bug::SkipTruncate);
    (1..=5).for_each(|id| stage.start(id));
    stage.run_until("somebody leads", |stage| stage.leader().is_some());
    let old = stage.leader().unwrap();
    let client = stage.connect(old);
    stage.create(client, "/a", "agreed").response.unwrap();
    let others: Vec<i64> = stage.ids().into_iter().filter(|id| *id != old).collect();
    stage.cut(&[old], &others);
    stage.send(client, set("/a", "abandoned"));
    stage.run_until("another leads", |stage| stage.leader().is_some_and(|leader| leader != old));
    stage.heal();
    stage.run_until("the old leader serves", |stage| stage.serving(old));
    let client = stage.connect(old);
    stage.create(client, "/b", "after").response.unwrap();
    let mut read = |id: i64| {
        let client = stage.connect(id);
        stage.read(client, "/a").unwrap()
    };
    assert_eq!(read(old), "abandoned");
    assert_eq!(read(others[0]), "agreed", "two servers, one zxid, two values");
    stage.breaks("PrefixConsistency");
}

#[test]
fn forget_accepted_epoch_leads_an_epoch_twice() {
    let mut stage = Stage::with_bug(3, Bug::ForgetAcceptedEpoch);
    (1..=3).for_each(|id| stage.start(id));
    stage.run_until("somebody leads", |stage| stage.leader().is_some());
    (1..=3).for_each(|id| stage.crash(id));
    (1..=3).for_each(|id| stage.start(id));
    stage.run_until("somebody leads", |stage| stage.leader().is_some());
    let established =
        stage.traces().filter(|(_, trace)| matches!(trace, Trace::Established { epoch: 1, .. }));
    assert_eq!(established.count(), 2);
    stage.breaks("EpochsNeverGoBack");
}

#[test]
fn double_apply_brings_an_overwritten_value_back() {
    let mut stage = Stage::with_bug(3, Bug::DoubleApply);
    (1..=3).for_each(|id| stage.start(id));
    stage.run_until("somebody leads", |stage| stage.leader().is_some());
    let client = stage.connect(1);
    stage.create(client, "/a", "0").response.unwrap();
    let mut seen = Vec::new();
    for value in 1..=40 {
        stage.set(client, "/a", &value.to_string()).response.unwrap();
        seen.push(stage.read_local(client, "/a").unwrap());
    }
    let expected: Vec<String> = (1..=40).map(|value: i32| value.to_string()).collect();
    assert_ne!(seen, expected, "a write came back over a later one");
    // No property is broken, for all servers err alike: only who compares what clients saw notices.
}

#[test]
fn an_honest_ensemble_reads_what_it_wrote_through_all_of_that() {
    let mut stage = Stage::established(3);
    let client = stage.connect(1);
    stage.send(client, create("/a", "0"));
    stage.run_for(50);
    for value in 1..=40 {
        stage.answer(client);
        stage.set(client, "/a", &value.to_string()).response.unwrap();
        assert_eq!(stage.read_local(client, "/a").unwrap(), value.to_string());
    }
}
