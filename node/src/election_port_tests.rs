//! Election ports over loopback, with real managers and with raw sockets in their place.

use super::*;
use crate::testing::{LOG, PATIENCE, listen, next, on_one_thread};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use zab_wire::Zxid;
use zab_wire::election::PeerState;

const SMALL: ServerId = ServerId(1);
const LARGE: ServerId = ServerId(2);

fn host(port: u16) -> HostPort {
    HostPort { host: "127.0.0.1".to_owned(), port }
}

fn vote(round: i64) -> Notification {
    Notification {
        state: PeerState::Looking,
        leader: LARGE,
        zxid: Zxid::ZERO,
        election_epoch: round,
        peer_epoch: 0,
        config: "version=0".to_owned(),
    }
}

struct Side {
    port: ElectionPort,
    events: UnboundedReceiver<Input>,
}

impl Side {
    fn new(me: ServerId, listener: TcpListener, peers: [(ServerId, u16); 2]) -> Self {
        let (inputs, events) = unbounded_channel();
        let peers: BTreeMap<_, _> = peers.into_iter().map(|(id, port)| (id, host(port))).collect();
        let own = peers[&me].clone();
        let port = ElectionPort::start(me, &own, listener, peers, Duration::from_secs(1), inputs, LOG);
        Self { port, events }
    }

    /// Waits for a vote of `from` and gives its round.
    async fn hears(&mut self, from: ServerId) -> i64 {
        let Event::Notification { from: who, message } = next(&mut self.events).await else {
            panic!("a vote was expected")
        };
        assert_eq!(who, from);
        message.election_epoch
    }
}

async fn ports() -> (TcpListener, TcpListener, [(ServerId, u16); 2]) {
    let (small, small_port) = listen().await;
    let (large, large_port) = listen().await;
    (small, large, [(SMALL, small_port), (LARGE, large_port)])
}

/// A raw socket in a server's place.
struct Raw(TcpStream);

impl Raw {
    async fn accept(listener: &TcpListener) -> Self {
        Self(timeout(PATIENCE, listener.accept()).await.expect("nobody called").unwrap().0)
    }

    async fn call(port: u16, me: ServerId) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let introduction = InitialMessage { from: me, address: "x:1".to_owned() };
        stream.write_all(&introduction.to_vec()).await.unwrap();
        Self(stream)
    }

    async fn introduction(&mut self) -> InitialMessage {
        let mut bytes = [0; 20];
        self.0.read_exact(&mut bytes).await.unwrap();
        let length = usize::try_from(i32::from_be_bytes(*bytes.last_chunk().unwrap())).unwrap();
        let mut address = vec![0; length];
        self.0.read_exact(&mut address).await.unwrap();
        InitialMessage::from_slice(&[&bytes[..], &address].concat()).unwrap()
    }

    async fn round(&mut self) -> i64 {
        let mut length = [0; 4];
        timeout(PATIENCE, self.0.read_exact(&mut length)).await.expect("no vote came").unwrap();
        let mut payload = vec![0; usize::try_from(i32::from_be_bytes(length)).unwrap()];
        self.0.read_exact(&mut payload).await.unwrap();
        Notification::from_slice(&payload).unwrap().election_epoch
    }

    async fn send(&mut self, message: &Notification) {
        self.0.write_all(&frame(message)).await.unwrap();
    }

    async fn is_closed(&mut self) -> bool {
        let read = timeout(PATIENCE, self.0.read(&mut [0])).await.expect("the connection stays open");
        matches!(read, Ok(0) | Err(_))
    }
}

#[test]
fn whoever_has_something_to_say_is_heard() {
    on_one_thread(async {
        let (small, large, ports) = ports().await;
        let mut small = Side::new(SMALL, small, ports);
        let mut large = Side::new(LARGE, large, ports);
        // The smaller one has to be called back; the larger one has nothing to say.
        small.port.notify(LARGE, &vote(1));
        assert_eq!(large.hears(SMALL).await, 1);
        large.port.notify(SMALL, &vote(2));
        assert_eq!(small.hears(LARGE).await, 2);
        for round in 3..50 {
            small.port.notify(LARGE, &vote(round));
            assert_eq!(large.hears(SMALL).await, round);
        }
    });
}

#[test]
fn the_smaller_one_hangs_up_and_is_called_back() {
    on_one_thread(async {
        let (small, large, ports) = ports().await;
        let small = Side::new(SMALL, small, ports);
        small.port.notify(LARGE, &vote(1));
        let mut call = Raw::accept(&large).await;
        let expected = InitialMessage { from: SMALL, address: format!("127.0.0.1:{}", ports[0].1) };
        assert_eq!(call.introduction().await, expected);
        assert!(call.is_closed().await);
        // Nobody calls back: it asks again. A newer vote replaces the one that waits.
        let _again = Raw::accept(&large).await;
        small.port.notify(LARGE, &vote(2));
        let mut back = Raw::call(ports[0].1, LARGE).await;
        assert_eq!(back.round().await, 2);
        small.port.notify(LARGE, &vote(3));
        assert_eq!(back.round().await, 3);
    });
}

#[test]
fn the_larger_one_hangs_up_on_the_smaller_and_calls_back() {
    on_one_thread(async {
        let (small, large, ports) = ports().await;
        let large = Side::new(LARGE, large, ports);
        large.port.notify(SMALL, &vote(1));
        let mut first = Raw::accept(&small).await;
        assert_eq!(first.introduction().await.from, LARGE);
        assert_eq!(first.round().await, 1);
        // The smaller one has lost it without our knowledge and calls.
        let mut call = Raw::call(ports[1].1, SMALL).await;
        assert!(call.is_closed().await);
        assert!(first.is_closed().await, "the new connection replaces the old one");
        let mut second = Raw::accept(&small).await;
        assert_eq!(second.introduction().await.from, LARGE);
        assert_eq!(second.round().await, 1, "the last vote is said again");
    });
}

#[test]
fn a_new_connection_of_the_larger_one_replaces_the_old() {
    on_one_thread(async {
        let (small, _large, ports) = ports().await;
        let mut small = Side::new(SMALL, small, ports);
        let mut first = Raw::call(ports[0].1, LARGE).await;
        first.send(&vote(1)).await;
        assert_eq!(small.hears(LARGE).await, 1);
        let mut second = Raw::call(ports[0].1, LARGE).await;
        assert!(first.is_closed().await);
        second.send(&vote(2)).await;
        assert_eq!(small.hears(LARGE).await, 2);
        small.port.notify(LARGE, &vote(3));
        assert_eq!(second.round().await, 3);
    });
}

#[test]
fn a_vote_lost_with_its_connection_is_said_again() {
    on_one_thread(async {
        let (small, large, ports) = ports().await;
        let large = Side::new(LARGE, large, ports);
        large.port.notify(SMALL, &vote(1));
        let mut first = Raw::accept(&small).await;
        assert_eq!(first.introduction().await.from, LARGE);
        drop(first);
        let mut second = Raw::accept(&small).await;
        assert_eq!(second.introduction().await.from, LARGE);
        assert_eq!(second.round().await, 1);
    });
}

#[test]
fn a_peer_that_starts_later_is_reached_without_a_new_vote() {
    on_one_thread(async {
        let (small, large, ports) = ports().await;
        drop(small);
        let large = Side::new(LARGE, large, ports);
        large.port.notify(SMALL, &vote(1));
        sleep(Duration::from_millis(300)).await;
        let small = TcpListener::bind(("127.0.0.1", ports[0].1)).await.unwrap();
        let mut small = Side::new(SMALL, small, ports);
        assert_eq!(small.hears(LARGE).await, 1);
    });
}

#[test]
fn a_silent_connection_is_opened_again() {
    on_one_thread(async {
        let (small, large, ports) = ports().await;
        let large = Side::new(LARGE, large, ports);
        large.port.notify(SMALL, &vote(1));
        let mut silent = Raw::accept(&small).await;
        assert_eq!(silent.introduction().await.from, LARGE);
        assert_eq!(silent.round().await, 1);
        large.port.notify(SMALL, &vote(2));
        large.port.notify(SMALL, &vote(3));
        assert_eq!(silent.round().await, 3, "the newest wins");
        sleep(SILENCE).await;
        large.port.notify(SMALL, &vote(4));
        assert!(silent.is_closed().await);
        let mut fresh = Raw::accept(&small).await;
        assert_eq!(fresh.introduction().await.from, LARGE);
        assert_eq!(fresh.round().await, 4);
    });
}

#[test]
fn strangers_and_garbage_are_sent_away_and_a_bad_vote_is_skipped() {
    on_one_thread(async {
        let (small, _large, ports) = ports().await;
        let mut small = Side::new(SMALL, small, ports);
        assert!(Raw::call(ports[0].1, ServerId(77)).await.is_closed().await);
        assert!(Raw::call(ports[0].1, SMALL).await.is_closed().await, "nobody else is server 1");
        let mut garbage = TcpStream::connect(("127.0.0.1", ports[0].1)).await.unwrap();
        garbage.write_all(&[1; 64]).await.unwrap();
        assert!(Raw(garbage).is_closed().await);

        let mut peer = Raw::call(ports[0].1, LARGE).await;
        peer.0.write_all(&[0, 0, 0, 2, 1, 1]).await.unwrap();
        peer.send(&vote(5)).await;
        assert_eq!(small.hears(LARGE).await, 5);
        peer.0.write_all(&i32::MAX.to_be_bytes()).await.unwrap();
        assert!(peer.is_closed().await);
    });
}

/// Passes bytes on while the gate is open, and holds them (and new connections' bytes) while it is not.
fn relay(listener: TcpListener, target: u16, open: Rc<Cell<bool>>) -> Task {
    async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, open: Rc<Cell<bool>>) {
        let mut bytes = [0; 4096];
        loop {
            let read = from.read(&mut bytes).await;
            while !open.get() {
                sleep(Duration::from_millis(5)).await;
            }
            match read {
                Ok(0) | Err(_) => return,
                Ok(n) if to.write_all(&bytes[..n]).await.is_ok() => {}
                Ok(_) => return,
            }
        }
    }
    Task::spawn(async move {
        let mut pumps = Vec::new();
        loop {
            let (near, _) = listener.accept().await.unwrap();
            let Ok(far) = TcpStream::connect(("127.0.0.1", target)).await else { continue };
            let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
            pumps.push(Task::spawn(pump(near_read, far_write, open.clone())));
            pumps.push(Task::spawn(pump(far_read, near_write, open.clone())));
        }
    })
}

#[test]
fn votes_pass_soon_after_a_silent_partition_heals() {
    on_one_thread(async {
        let (small, large, ports) = ports().await;
        let open = Rc::new(Cell::new(true));
        let (to_small, relay_small) = listen().await;
        let (to_large, relay_large) = listen().await;
        let _relays = [relay(to_small, ports[0].1, open.clone()), relay(to_large, ports[1].1, open.clone())];
        let mut small = Side::new(SMALL, small, [ports[0], (LARGE, relay_large)]);
        let mut large = Side::new(LARGE, large, [(SMALL, relay_small), ports[1]]);
        let mut round = 0;
        for partition in [Duration::from_millis(500), SILENCE * 3] {
            for is_open in [true, false] {
                open.set(is_open);
                let until = Instant::now() + partition;
                while Instant::now() < until {
                    round += 1;
                    small.port.notify(LARGE, &vote(round));
                    large.port.notify(SMALL, &vote(round));
                    sleep(Duration::from_millis(100)).await;
                }
            }
            open.set(true);
            let healed = Instant::now();
            round += 1;
            small.port.notify(LARGE, &vote(round));
            large.port.notify(SMALL, &vote(round));
            while large.hears(SMALL).await < round {}
            while small.hears(LARGE).await < round {}
            assert!(healed.elapsed() < Duration::from_secs(2), "{:?}", healed.elapsed());
        }
    });
}
