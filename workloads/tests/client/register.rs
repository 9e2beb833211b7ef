//! The workload `register`: its generator by itself, its client against a small honest server and
//! against one that fails at a chosen point.

use crate::server::{Peer, listen, serve};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use workloads::error::Cause;
use workloads::{Client, Completion, Effect, Error, Invocation, Next, Settings, Status, Timeouts, Workload};
use zab_wire::client::{ErrorCode, Request, Response, Stat};

const LIMIT: Duration = Duration::from_secs(10);
const TIMEOUTS: Timeouts = Timeouts { connect: LIMIT, operation: LIMIT, session: LIMIT };

fn workload(seed: u64) -> Workload {
    workloads::by_name("register", &Settings { seed, keys: 5, ops_per_key: 50 }).unwrap()
}

/// The first `count` operations when every preparation succeeds at once.
fn operations(seed: u64, count: usize) -> Vec<Invocation> {
    let mut generator = workload(seed).generator;
    let mut operations = Vec::new();
    while operations.len() < count {
        match generator.next() {
            Next::Invoke(invocation) => operations.push(invocation),
            Next::Prepare(key) => generator.prepared(&key, true),
            Next::Wait => panic!("there is always something to do"),
        }
    }
    operations
}

#[test]
fn the_seed_decides() {
    assert_eq!(operations(7, 2000), operations(7, 2000));
    assert_ne!(operations(7, 2000), operations(8, 2000));
}

#[test]
fn values_of_a_key_are_never_repeated_and_the_mix_is_as_promised() {
    let operations = operations(7, 10_000);
    let mut seen = BTreeSet::new();
    for op in &operations {
        let new = match op.f {
            "write" => &op.value,
            "cas" => {
                assert!(op.value[0].is_null(), "the client learns the old value");
                &op.value[1]
            }
            _ => {
                assert_eq!((op.f, op.effect, &op.value), ("read", Effect::Reads, &Value::Null));
                continue;
            }
        };
        assert_eq!(op.effect, Effect::Changes);
        assert!(seen.insert((op.key.clone(), new.as_i64().unwrap())), "{op:?} repeats a value");
    }
    let share = |f| operations.iter().filter(|op| op.f == f).count() / 100;
    assert!((48..=52).contains(&share("read")) && (33..=37).contains(&share("write")));
    assert!((13..=17).contains(&share("cas")));
}

#[test]
fn unknown_workloads_are_unknown() {
    assert!(workloads::by_name("registers", &Settings { seed: 1, keys: 1, ops_per_key: 1 }).is_none());
    for name in workloads::NAMES {
        let found = workloads::by_name(name, &Settings { seed: 1, keys: 1, ops_per_key: 1 }).unwrap();
        assert_eq!(found.name, *name);
    }
}

#[test]
fn final_reads_are_marked_and_cover_what_was_used() {
    let mut generator = workload(3).generator;
    let mut used = BTreeSet::new();
    for _ in 0..3000 {
        match generator.next() {
            Next::Invoke(invocation) => {
                used.insert(invocation.key.unwrap());
            }
            Next::Prepare(key) => generator.prepared(&key, true),
            Next::Wait => {}
        }
    }
    let reads = generator.final_reads();
    assert!(reads.iter().all(|read| read.final_read && read.f == "read"));
    let keys: BTreeSet<Arc<str>> = reads.into_iter().map(|read| read.key.unwrap()).collect();
    // A key that came into use a moment ago may not have been picked yet.
    assert!(keys.is_superset(&used) && keys.len() <= used.len() + 5);
}

fn op(f: &'static str, value: Value) -> Invocation {
    let effect = if f == "read" { Effect::Reads } else { Effect::Changes };
    Invocation { f, effect, key: Some("r1".into()), value, final_read: false }
}

async fn done(client: &mut dyn Client, f: &'static str, value: Value) -> (Status, Value) {
    let Completion { status, value, .. } = client.invoke(&op(f, value)).await;
    (status, value)
}

#[tokio::test]
async fn a_register_works() {
    let (listener, address) = listen().await;
    let server = tokio::spawn(serve(listener));
    let mut client = workload(1).connector.connect(address, TIMEOUTS).await.unwrap();
    let client = client.as_mut();
    assert_eq!(done(client, "read", Value::Null).await, (Status::Ok, Value::Null), "missing reads as null");
    assert_eq!(done(client, "write", json!(1)).await.0, Status::Fail, "NoNode is definite");
    assert_eq!(done(client, "cas", json!([null, 1])).await.0, Status::Fail);
    client.prepare("r1").await.unwrap(); // makes the parent as well
    client.prepare("r1").await.unwrap(); // does no harm
    assert_eq!(done(client, "read", Value::Null).await, (Status::Ok, Value::Null));
    assert_eq!(done(client, "cas", json!([null, 1])).await, (Status::Ok, json!([null, 1])));
    assert_eq!(done(client, "write", json!(2)).await, (Status::Ok, json!(2)));
    assert_eq!(done(client, "cas", json!([null, 3])).await, (Status::Ok, json!([2, 3])));
    let read = client.invoke(&op("read", Value::Null)).await;
    assert_eq!((read.status, read.value, read.error), (Status::Ok, json!(3), None));
    assert_eq!(read.zxid.map(|zxid| zxid.epoch), Some(1));
    server.abort();
}

/// What `invocation` comes to when the server answers the first requests with `answers` and then
/// closes the connection.
async fn against(invocation: &Invocation, answers: Vec<Result<Response, ErrorCode>>) -> Completion {
    let (listener, address) = listen().await;
    let server = async {
        let mut peer = Peer::accept(&listener, 10_000).await;
        let mut seen = Vec::new();
        for answer in answers {
            let (xid, request) = peer.request().await.unwrap();
            seen.push(request);
            peer.reply(xid, answer).await;
        }
        // What follows is read and never answered, so the client knows that it was sent.
        if seen.len() < 2 {
            peer.request().await;
        }
    };
    let client = async {
        let mut client = workload(1).connector.connect(address, TIMEOUTS).await.unwrap();
        client.invoke(invocation).await
    };
    tokio::join!(client, server).0
}

fn holds(text: &str, version: i32) -> Result<Response, ErrorCode> {
    Ok(Response::Data(Some(text.as_bytes().to_vec()), Stat { version, ..Stat::default() }))
}

#[tokio::test]
async fn each_way_to_fail_has_its_outcome() {
    let synced = || Ok(Response::Path("/register/r1".to_owned()));
    let outcome = |completion: Completion| (completion.status, completion.value);

    let lost_write = against(&op("write", json!(5)), vec![]).await;
    assert_eq!(outcome(lost_write), (Status::Info, json!(5)));
    let refused_write = against(&op("write", json!(5)), vec![Err(ErrorCode::ConnectionLoss)]).await;
    assert_eq!(outcome(refused_write), (Status::Info, json!(5)));

    let lost_read = against(&op("read", Value::Null), vec![synced()]).await;
    assert_eq!(outcome(lost_read), (Status::Fail, Value::Null));
    let unsynced =
        against(&op("read", Value::Null), vec![Err(ErrorCode::ConnectionLoss), holds("4", 1)]).await;
    assert_eq!(outcome(unsynced), (Status::Fail, Value::Null), "a read without its sync is none");

    let lost_before_set = against(&op("cas", json!([null, 5])), vec![]).await;
    assert_eq!(lost_before_set.status, Status::Fail, "nothing was asked to change");
    let lost_set = against(&op("cas", json!([null, 5])), vec![holds("4", 1)]).await;
    assert_eq!(outcome(lost_set), (Status::Info, json!([4, 5])), "what was read is told");
    let overtaken =
        against(&op("cas", json!([null, 5])), vec![holds("4", 1), Err(ErrorCode::BadVersion)]).await;
    assert_eq!(outcome(overtaken.clone()), (Status::Fail, json!([4, 5])));
    assert_eq!(overtaken.error.as_deref(), Some("the server answered BadVersion"));
    assert!(overtaken.zxid.is_some(), "a refusal carries its zxid");
}

#[tokio::test]
async fn data_that_no_client_wrote_is_shown_as_it_is() {
    let synced = || Ok(Response::Path("/register/r1".to_owned()));
    let read = against(&op("read", Value::Null), vec![synced(), holds("4x", 1)]).await;
    assert_eq!((read.status, read.value), (Status::Ok, json!("4x")));
}

#[tokio::test]
async fn the_version_of_a_cas_is_the_one_that_was_read() {
    let (listener, address) = listen().await;
    let server = async {
        let mut peer = Peer::accept(&listener, 10_000).await;
        let (xid, _) = peer.request().await.unwrap();
        peer.reply(xid, holds("4", 17)).await;
        peer.request().await.unwrap().1
    };
    let client = async {
        let mut client = workload(1).connector.connect(address, TIMEOUTS).await.unwrap();
        client.invoke(&op("cas", json!([null, 5]))).await
    };
    let (_completion, request) = tokio::join!(client, server);
    let path = "/register/r1".to_owned();
    assert_eq!(request, Request::SetData { path, data: Some(b"5".to_vec()), version: 17 });
}

/// A client with `limit` for an operation, and a server that answers its first request after `delay`
/// and nothing from then on.
async fn slow_then_silent(
    limit: Duration,
    delay: Duration,
    answer: Result<Response, ErrorCode>,
) -> (Box<dyn Client>, impl Future<Output = ()>) {
    let (listener, address) = listen().await;
    let timeouts = Timeouts { operation: limit, ..TIMEOUTS };
    let workload = workload(1);
    let (client, mut peer) =
        tokio::join!(workload.connector.connect(address, timeouts), Peer::accept(&listener, 10_000));
    let server = async move {
        let (xid, _) = peer.request().await.unwrap();
        tokio::time::sleep(delay).await;
        peer.reply(xid, answer).await;
        while peer.request().await.is_some() {}
    };
    (client.unwrap(), server)
}

#[tokio::test]
async fn the_steps_of_an_operation_share_one_limit_and_those_of_a_preparation_do_not() {
    let (limit, delay) = (Duration::from_secs(1), Duration::from_millis(100));
    let cas = async {
        let (mut client, server) = slow_then_silent(limit, delay, holds("4", 1)).await;
        let invocation = op("cas", json!([null, 5]));
        let client = async {
            let completion = client.invoke(&invocation).await;
            drop(client);
            completion
        };
        tokio::join!(client, server).0
    };
    let prepare = async {
        let (mut client, server) = slow_then_silent(limit, delay, Err(ErrorCode::NoNode)).await;
        let client = async {
            let done = client.prepare("r1").await;
            drop(client);
            done
        };
        tokio::join!(client, server).0
    };
    let (cas, prepared) = tokio::join!(cas, prepare);
    assert_eq!((cas.status, cas.value), (Status::Info, json!([4, 5])), "the setData was not answered");
    let error = cas.error.unwrap();
    let left_ms = error.strip_prefix("no answer: timed out after ").and_then(|e| e.strip_suffix(" ms"));
    let left_ms: u128 = left_ms.unwrap_or_else(|| panic!("{error}")).parse().unwrap();
    assert!(left_ms <= (limit - delay).as_millis(), "the setData had {left_ms} ms");
    assert_eq!(prepared, Err(Error::Lost(Cause::TimedOut(limit.as_millis()))));
}
