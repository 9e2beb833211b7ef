//! The client port with a raw socket as client.

use super::*;
use crate::testing::{LOG, PATIENCE, listen, next, on_one_thread};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use zab_wire::client::{MAX_FRAME, XID_PING};
use zab_wire::{SessionId, Zxid};

const FIRST: ClientId = ClientId(0);

async fn start(max_per_address: usize) -> (ClientPort, UnboundedReceiver<Input>, u16) {
    let (listener, port) = listen().await;
    let (inputs, events) = unbounded_channel();
    (ClientPort::start(listener, max_per_address, MAX_FRAME, inputs, LOG), events, port)
}

async fn dial(port: u16) -> TcpStream {
    TcpStream::connect(("127.0.0.1", port)).await.unwrap()
}

fn connect_request() -> ConnectRequest {
    ConnectRequest {
        last_zxid_seen: Zxid::ZERO,
        timeout_ms: 6000,
        session: SessionId(0),
        password: vec![0; 16],
        read_only: Some(false),
    }
}

fn framed(body: &[u8]) -> Vec<u8> {
    let mut out = zab_wire::jute::Writer::new();
    out.buffer(Some(body));
    out.into_inner()
}

fn request(xid: i32, body: &[u8]) -> Vec<u8> {
    let mut frame = RequestHeader { xid, op: 4 }.to_vec();
    frame.extend_from_slice(body);
    framed(&frame)
}

/// Everything until the server closes.
async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("the server closes");
    // A reset ends it as well.
    let _read = read;
    bytes
}

#[test]
fn frames_are_cut_wherever_the_stream_breaks() {
    on_one_thread(async {
        let (port, mut events, number) = start(0).await;
        let mut stream = dial(number).await;
        let large = vec![9; 500_000];
        let all = [framed(&connect_request().to_vec()), request(1, b"one"), request(2, &large)].concat();
        for piece in all[..80].chunks(3) {
            stream.write_all(piece).await.unwrap();
            stream.flush().await.unwrap();
            tokio::task::yield_now().await;
        }
        stream.write_all(&all[80..]).await.unwrap();
        let connect = Event::ClientConnect { client: FIRST, request: connect_request() };
        assert_eq!(next(&mut events).await, connect);
        assert!(port.announce(FIRST));
        sleep(Duration::from_millis(20)).await;
        assert!(events.is_empty(), "nothing is read before the session stands");

        port.reply(FIRST, b"welcome", 0);
        for (xid, body) in [(1, b"one".to_vec()), (2, large)] {
            let Event::ClientRequest { client, header, body: got } = next(&mut events).await else {
                panic!("a request was expected")
            };
            assert_eq!((client, header, got), (FIRST, RequestHeader { xid, op: 4 }, Bytes::from(body)));
        }
        let mut answer = [0; 11];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"\0\0\0\x07welcome");
        drop(stream);
        assert_eq!(next(&mut events).await, Event::ClientGone { client: FIRST });
        assert!(port.remove(FIRST) && !port.remove(FIRST));
    });
}

#[test]
fn a_frame_over_the_limit_or_below_zero_ends_the_connection() {
    on_one_thread(async {
        let (port, mut events, number) = start(0).await;
        for (client, length) in [(0, i32::try_from(MAX_FRAME).unwrap() + 1), (1, -1), (2, i32::MIN)] {
            let mut stream = dial(number).await;
            stream.write_all(&length.to_be_bytes()).await.unwrap();
            assert_eq!(next(&mut events).await, Event::ClientGone { client: ClientId(client) });
            assert!(!port.remove(ClientId(client)), "the core never heard of it");
            assert_eq!(rest(&mut stream).await, b"");
        }
        // The longest possible frame is no connect request, but its length is not what is wrong.
        let mut stream = dial(number).await;
        stream.write_all(&framed(&vec![0; MAX_FRAME])).await.unwrap();
        let Event::ClientConnect { request, .. } = next(&mut events).await else {
            panic!("a connect request")
        };
        assert_eq!(request.timeout_ms, 0);
    });
}

#[test]
fn closing_sends_what_was_replied_before() {
    on_one_thread(async {
        let (port, mut events, number) = start(0).await;
        let mut stream = dial(number).await;
        stream.write_all(&framed(&connect_request().to_vec())).await.unwrap();
        let _connect = next(&mut events).await;
        let frame = vec![5; 1_000_000];
        for _ in 0..3 {
            port.reply(FIRST, &frame, 0);
        }
        port.close(FIRST);
        port.reply(FIRST, b"too late", 0);
        assert_eq!(rest(&mut stream).await.len(), 3 * (4 + frame.len()));
        assert!(!port.announce(FIRST), "what comes from a closed connection does not count");
    });
}

#[test]
fn words_are_told_from_frames_and_answered_with_text() {
    on_one_thread(async {
        let (port, mut events, number) = start(0).await;
        let mut stream = dial(number).await;
        // As `echo ruok | nc` sends it, and in two pieces.
        stream.write_all(b"ru").await.unwrap();
        sleep(Duration::from_millis(5)).await;
        stream.write_all(b"ok\n").await.unwrap();
        let Some(Input::Word { client, word }) = timeout(PATIENCE, events.recv()).await.unwrap() else {
            panic!("a word was expected")
        };
        assert_eq!((client, word), (FIRST, Word::Ruok));
        port.answer_word(client, "imok");
        assert_eq!(rest(&mut stream).await, b"imok");
    });
}

#[test]
fn connections_from_one_address_are_limited() {
    on_one_thread(async {
        let (port, mut events, number) = start(2).await;
        let mut held = Vec::new();
        for _ in 0..2 {
            let mut stream = dial(number).await;
            stream.write_all(&framed(&connect_request().to_vec())).await.unwrap();
            let _connect = next(&mut events).await;
            held.push(stream);
        }
        assert_eq!(rest(&mut dial(number).await).await, b"");
        port.close(ClientId(0));
        let mut stream = dial(number).await;
        stream.write_all(&framed(&connect_request().to_vec())).await.unwrap();
        let connect = Event::ClientConnect { client: ClientId(2), request: connect_request() };
        // The closed one's end is reported first, and would be ignored.
        while next(&mut events).await != connect {}
    });
}

#[test]
fn a_client_that_does_not_read_is_given_up_at_the_limit() {
    on_one_thread(async {
        let (port, mut events, number) = start(0).await;
        let mut stream = dial(number).await;
        stream.write_all(&framed(&connect_request().to_vec())).await.unwrap();
        let _connect = next(&mut events).await;
        assert!(port.announce(FIRST));
        let frame = vec![5; 1 << 20];
        let mut sent = 0;
        while events.is_empty() {
            port.reply(FIRST, &frame, 0);
            sent += 1;
            tokio::task::yield_now().await;
            assert!(sent < 100, "the queue grows without a limit");
        }
        assert_eq!(next(&mut events).await, Event::ClientGone { client: FIRST });
        port.reply(FIRST, b"no gap", 0);
        assert!(events.is_empty() && port.remove(FIRST));
    });
}

#[test]
fn latencies_are_matched_by_xid() {
    on_one_thread(async {
        let (port, mut events, number) = start(0).await;
        let mut stream = dial(number).await;
        stream.write_all(&framed(&connect_request().to_vec())).await.unwrap();
        let _connect = next(&mut events).await;
        assert!(port.announce(FIRST));
        port.reply(FIRST, b"welcome", 0);
        for (xid, at) in [(1, 10), (XID_PING, 12), (2, 13)] {
            assert!(port.note_request(FIRST, xid, at));
        }
        let reply = |xid: i32, at| port.reply(FIRST, &xid.to_be_bytes(), at);
        reply(XID_PING, 12);
        reply(XID_NOTIFICATION, 14);
        reply(1, 20);
        assert_eq!(port.lines()[0].queued, 1);
        reply(2, 17);
        let expected = Counters {
            received: 4,
            sent: 5,
            answered: 3,
            latency_sum_ms: 14,
            latency_min_ms: 0,
            latency_max_ms: 10,
        };
        assert_eq!(port.counters(), expected);
        let line = &port.lines()[0];
        assert_eq!((line.queued, line.received, line.sent), (0, 4, 5));
    });
}
