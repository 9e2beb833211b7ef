//! Two quorum ports over loopback.

use super::*;
use crate::testing::{LOG, listen, next, on_one_thread};
use bytes::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use zab_wire::Zxid;

const LEADER: ServerId = ServerId(1);
const UP: ConnId = ConnId::Outbound(7);
const DOWN: ConnId = ConnId::Inbound(0);

fn host(port: u16) -> HostPort {
    HostPort { host: "127.0.0.1".to_owned(), port }
}

struct Side {
    port: QuorumPort,
    events: UnboundedReceiver<Input>,
}

fn side(listener: Option<TcpListener>, leader: Option<u16>) -> Side {
    let (inputs, events) = unbounded_channel();
    let leaders = leader.into_iter().map(|port| (LEADER, host(port))).collect();
    Side { port: QuorumPort::start(listener, leaders, Duration::from_secs(5), inputs, LOG), events }
}

/// A leader and a learner that is connected to it.
async fn pair() -> (Side, Side) {
    let (listener, port) = listen().await;
    let mut leader = side(Some(listener), None);
    let mut learner = side(None, Some(port));
    learner.port.connect(UP, LEADER);
    assert_eq!(next(&mut learner.events).await, Event::LeaderUp { conn: UP });
    assert_eq!(next(&mut leader.events).await, Event::LearnerUp { conn: DOWN });
    (leader, learner)
}

fn proposal(counter: u32, bytes: usize) -> QuorumMessage {
    QuorumMessage::Proposal { zxid: Zxid::new(1, counter), txn: Bytes::from(vec![7; bytes]) }
}

#[test]
fn messages_arrive_in_order_both_ways() {
    on_one_thread(async {
        let (mut leader, mut learner) = pair().await;
        let info = QuorumMessage::FollowerInfo { accepted_epoch: 3, server: ServerId(2), config_version: 0 };
        learner.port.send(UP, &info);
        assert_eq!(next(&mut leader.events).await, Event::Packet { conn: DOWN, message: info });
        // More than the buffers of the kernel, and of one read.
        let sent: Vec<_> = (1..200).map(|counter| proposal(counter, 100_000)).collect();
        for message in &sent {
            leader.port.send(DOWN, message);
        }
        for message in sent {
            assert_eq!(next(&mut learner.events).await, Event::Packet { conn: UP, message });
        }
    });
}

#[test]
fn a_broken_connection_is_reported_once_and_a_closed_one_never() {
    on_one_thread(async {
        let (mut leader, learner) = pair().await;
        assert!(learner.port.is_open(UP));
        learner.port.close(UP);
        assert!(!learner.port.is_open(UP));
        assert_eq!(next(&mut leader.events).await, Event::ConnDown { conn: DOWN });
        assert!(leader.port.remove(DOWN), "the loop has not heard of it yet");
        assert!(!leader.port.remove(DOWN), "now it has");
        leader.port.send(DOWN, &QuorumMessage::UpToDate);
    });
}

#[test]
fn a_leader_that_is_not_there_yet_is_tried_again_and_then_given_up() {
    on_one_thread(async {
        let (listener, port) = listen().await;
        drop(listener);
        let mut learner = side(None, Some(port));
        let begun = std::time::Instant::now();
        learner.port.connect(UP, LEADER);
        assert_eq!(next(&mut learner.events).await, Event::ConnDown { conn: UP });
        assert!(begun.elapsed() >= CONNECT_PAUSE * (CONNECT_TRIES - 1));
        assert!(learner.port.remove(UP));

        let late = ConnId::Outbound(8);
        learner.port.connect(late, LEADER);
        sleep(CONNECT_PAUSE / 2).await;
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        assert_eq!(next(&mut learner.events).await, Event::LeaderUp { conn: late });
        drop(listener);
    });
}

#[test]
fn garbage_ends_the_connection() {
    on_one_thread(async {
        let (listener, port) = listen().await;
        let mut leader = side(Some(listener), None);
        let mut stranger = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        assert_eq!(next(&mut leader.events).await, Event::LearnerUp { conn: DOWN });
        tokio::io::AsyncWriteExt::write_all(&mut stranger, &[0xff; 64]).await.unwrap();
        assert_eq!(next(&mut leader.events).await, Event::ConnDown { conn: DOWN });
    });
}

#[test]
fn a_peer_that_does_not_read_is_given_up_at_the_limit() {
    on_one_thread(async {
        let (listener, port) = listen().await;
        let mut leader = side(Some(listener), None);
        let _deaf = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        assert_eq!(next(&mut leader.events).await, Event::LearnerUp { conn: DOWN });
        let mut sent = 0;
        while leader.events.is_empty() {
            leader.port.send(DOWN, &proposal(1, 1 << 20));
            sent += 1;
            tokio::task::yield_now().await;
            assert!(sent < 200, "the queue grows without a limit");
        }
        assert!(sent > QUEUE_LIMIT >> 20, "given up after {sent} MiB");
        assert_eq!(next(&mut leader.events).await, Event::ConnDown { conn: DOWN });
        // Broken is broken, even if there were room again.
        leader.port.send(DOWN, &QuorumMessage::UpToDate);
        assert!(leader.port.remove(DOWN));
    });
}
