//! The raw client against a server that does what the test says: answers, silence, nonsense, goodbye.

use crate::server::{Peer, listen};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout};
use workloads::Error;
use workloads::error::Cause;
use workloads::zookeeper::Connection;
use zab_wire::client::{ErrorCode, Request, Response, Stat, XID_PING};
use zab_wire::{SessionId, Zxid};

const LONG: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(100);

fn get(path: &str) -> Request {
    Request::GetData { path: path.to_owned(), watch: false }
}

fn sync(path: &str) -> Request {
    Request::Sync { path: path.to_owned() }
}

/// A client and the server's end of its connection.
async fn connected(session_timeout_ms: i32) -> (Connection, Peer) {
    let (listener, address) = listen().await;
    let (client, peer) =
        tokio::join!(Connection::connect(address, LONG, LONG), Peer::accept(&listener, session_timeout_ms));
    (client.unwrap(), peer)
}

#[tokio::test]
async fn connecting_opens_a_new_session() {
    let (client, _peer) = connected(6000).await;
    assert_eq!(client.session(), SessionId(0x77));
    assert_eq!(client.session_timeout(), Duration::from_secs(6));
    assert!(!client.is_broken());
}

#[tokio::test]
async fn no_connection_means_not_sent() {
    let (listener, address) = listen().await;
    let silent = Connection::connect(address, LONG, SHORT).await.unwrap_err();
    assert_eq!(silent, Error::NotSent(Cause::TimedOut(100)), "accepted, but no session");
    let (refused, _peer) = tokio::join!(Connection::connect(address, LONG, LONG), async {
        drop(listener.accept().await.unwrap()); // the silent one
        Peer::accept(&listener, 0).await
    });
    assert_eq!(refused.unwrap_err(), Error::NotSent(Cause::NoSession));
    drop(listener);
    let gone = Connection::connect(address, LONG, LONG).await.unwrap_err();
    assert!(matches!(&gone, Error::NotSent(Cause::Io(_))), "{gone}");
    assert!(gone.to_string().starts_with("no connection: Connection refused"), "{gone}");
}

#[tokio::test]
async fn a_pipeline_goes_out_before_the_first_answer_and_keeps_its_order() {
    let (mut client, mut peer) = connected(6000).await;
    let server = async {
        // Both requests are here although nothing was answered yet.
        let (first, request) = peer.request().await.unwrap();
        assert_eq!(request, sync("/a"));
        let (second, request) = peer.request().await.unwrap();
        assert_eq!((request, second), (get("/a"), first + 1));
        peer.reply(first, Ok(Response::Path("/a".to_owned()))).await;
        peer.zxid = Zxid::new(3, 9);
        peer.reply(XID_PING, Ok(Response::Empty)).await; // takes its place anywhere in the stream
        peer.reply(second, Err(ErrorCode::NoNode)).await;
    };
    let (answers, ()) = tokio::join!(client.call([sync("/a"), get("/a")], LONG), server);
    let [synced, got] = answers.unwrap();
    let synced = synced.unwrap();
    assert_eq!((synced.body, synced.zxid), (Response::Path("/a".to_owned()), Zxid::new(1, 1)));
    let refused = got.unwrap_err();
    assert_eq!(refused, Error::Server { code: -101, zxid: Zxid::new(3, 9) });
    assert_eq!(refused.to_string(), "the server answered NoNode");
    assert!(!client.is_broken(), "a refusal is an answer");
}

#[tokio::test]
async fn a_connection_lost_in_the_middle_is_lost_and_stays_so() {
    let (mut client, mut peer) = connected(6000).await;
    let server = async {
        let (first, _) = peer.request().await.unwrap();
        peer.request().await.unwrap();
        peer.reply(first, Ok(Response::Path("/a".to_owned()))).await;
        drop(peer); // one of two answered
    };
    let (answers, ()) = tokio::join!(client.call([sync("/a"), get("/a")], LONG), server);
    assert_eq!(answers.unwrap_err(), Error::Lost(Cause::Closed));
    assert!(client.is_broken());
    let again = client.call([get("/a")], LONG).await.unwrap_err();
    assert_eq!(again, Error::NotSent(Cause::Broken), "no hidden reconnecting");
}

#[tokio::test]
async fn silence_ends_in_lost_after_the_limit() {
    let (mut client, _peer) = connected(6000).await;
    let start = Instant::now();
    let lost = client.call([get("/a")], SHORT).await.unwrap_err();
    assert_eq!(lost, Error::Lost(Cause::TimedOut(100)));
    assert!(start.elapsed() >= SHORT && start.elapsed() < LONG);
    assert!(client.is_broken(), "a late answer must not be taken for the next one's");
}

#[tokio::test]
async fn a_call_that_is_dropped_half_way_breaks_the_connection() {
    let (mut client, _peer) = connected(6000).await;
    assert!(timeout(SHORT, client.call([get("/a")], LONG)).await.is_err());
    assert!(client.is_broken());
}

#[tokio::test]
async fn nonsense_is_lost() {
    let (mut client, mut peer) = connected(6000).await;
    let server = async {
        let (xid, _) = peer.request().await.unwrap();
        peer.reply(xid + 1, Ok(Response::Data(None, Stat::default()))).await;
    };
    let (answers, ()) = tokio::join!(client.call([get("/a")], LONG), server);
    let lost = answers.unwrap_err();
    assert_eq!(
        lost.to_string(),
        "no answer: the server's answer makes no sense: an answer to xid 2 where 1 was due"
    );

    let (mut client, mut peer) = connected(6000).await;
    let server = async {
        peer.request().await.unwrap();
        peer.stream.write_all(&[0xff; 16]).await.unwrap();
    };
    let (answers, ()) = tokio::join!(client.call([get("/a")], LONG), server);
    assert!(matches!(answers.unwrap_err(), Error::Lost(Cause::Protocol(_))));
}

#[tokio::test]
async fn an_idle_session_is_kept_alive_and_its_end_is_noticed() {
    let (mut client, mut peer) = connected(90).await; // pings every 30 ms
    let server = async {
        for _ in 0..3 {
            let (xid, request) = timeout(LONG, peer.request()).await.unwrap().unwrap();
            assert_eq!((xid, request), (XID_PING, Request::Ping));
            peer.reply(XID_PING, Ok(Response::Empty)).await;
        }
        drop(peer);
    };
    let (end, ()) = tokio::join!(timeout(LONG, client.idle()), server);
    assert_eq!(end.unwrap(), Error::NotSent(Cause::Closed));
    assert!(client.is_broken());
}

#[tokio::test]
async fn pings_go_on_while_an_answer_is_waited_for() {
    let (mut client, mut peer) = connected(90).await;
    let server = async {
        let (xid, _) = peer.request().await.unwrap();
        for _ in 0..3 {
            assert_eq!(timeout(LONG, peer.request()).await.unwrap().unwrap().0, XID_PING);
            peer.reply(XID_PING, Ok(Response::Empty)).await;
        }
        peer.reply(xid, Ok(Response::Data(None, Stat::default()))).await;
    };
    let (answers, ()) = tokio::join!(client.call([get("/a")], LONG), server);
    assert!(answers.unwrap()[0].is_ok());
}

#[tokio::test]
async fn idling_can_be_interrupted_at_any_time() {
    let (mut client, mut peer) = connected(30).await; // pings every 10 ms
    let server = async {
        let mut calls = 0;
        while calls < 50 {
            let (xid, request) = timeout(LONG, peer.request()).await.unwrap().unwrap();
            let body = if request == Request::Ping {
                Response::Empty
            } else {
                calls += 1;
                Response::Data(None, Stat::default())
            };
            peer.reply(xid, Ok(body)).await;
        }
    };
    let calls = async {
        for pause_us in (0..50).map(|i| i * 500) {
            assert!(timeout(Duration::from_micros(pause_us), client.idle()).await.is_err());
            assert!(client.call([get("/a")], LONG).await.unwrap()[0].is_ok());
        }
    };
    tokio::join!(calls, server);
}

#[tokio::test]
async fn closing_says_so() {
    let (client, mut peer) = connected(6000).await;
    let server = async {
        let (xid, request) = peer.request().await.unwrap();
        assert_eq!(request, Request::CloseSession);
        peer.reply(xid, Ok(Response::Empty)).await;
        assert!(peer.request().await.is_none());
    };
    tokio::join!(client.close(), server);
}
