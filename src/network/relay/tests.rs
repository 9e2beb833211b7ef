//! The relay over loopback: what a cut keeps back, in which direction, and what healing delivers.

use super::*;
use std::future::Future;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long anything that should happen may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// How long something that should not happen is watched for.
const SILENCE: Duration = Duration::from_millis(60);

fn n(number: u16) -> NodeId {
    NodeId::new(number)
}

/// The cut of one directed link.
fn cut(from: u16, to: u16) -> Grudge {
    Grudge(BTreeMap::from([(n(to), [n(from)].into())]))
}

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.unwrap_or_else(|_| panic!("timed out: {what}"))
}

/// Two nodes behind a relay; n2's quorum port is real.
struct Bench {
    relay: Relay,
    n2: TcpListener,
}

impl Bench {
    async fn new() -> Self {
        let n2 = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let quorum = n2.local_addr().unwrap().port();
        // Nobody listens on port 1 of loopback; the other ports are not used here.
        let ports = |quorum| RealPorts { client: 1, quorum, election: 1 };
        let relay = Relay::open(&BTreeMap::from([(n(1), ports(1)), (n(2), ports(quorum))])).unwrap();
        Self { relay, n2 }
    }

    /// n1 dials n2.
    async fn dial(&self) -> TcpStream {
        let port = self.relay.peer_ports(n(1), n(2)).quorum;
        soon("the relay accepts", TcpStream::connect((Ipv4Addr::LOCALHOST, port))).await.unwrap()
    }

    async fn accept(&self) -> TcpStream {
        soon("n2 is dialled", self.n2.accept()).await.unwrap().0
    }

    /// An open connection: n1's end, n2's end. A byte each way has passed.
    async fn connected(&self) -> (TcpStream, TcpStream) {
        let (mut n1, mut n2) = tokio::join!(self.dial(), self.accept());
        pass(&mut n1, &mut n2).await;
        pass(&mut n2, &mut n1).await;
        (n1, n2)
    }

    async fn until_held(&self, from: u16, to: u16, bytes: u64) {
        soon("the bytes are held", async {
            while self.relay.counters(n(from), n(to)).held < bytes {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
    }
}

async fn pass(from: &mut TcpStream, to: &mut TcpStream) {
    from.write_all(b"x").await.unwrap();
    assert_eq!(read(to, 1).await, b"x");
}

async fn read(stream: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    soon("the bytes arrive", stream.read_exact(&mut bytes)).await.unwrap();
    bytes
}

async fn assert_silent(stream: &mut TcpStream) {
    let mut byte = [0];
    let read = tokio::time::timeout(SILENCE, stream.read(&mut byte)).await;
    assert!(read.is_err(), "expected nothing, got {read:?}");
}

async fn assert_reset(stream: &mut TcpStream) {
    let error = soon("the reset arrives", stream.read(&mut [0])).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_cut_holds_one_direction_and_heal_delivers_in_order_exactly_once() {
    let bench = Bench::new().await;
    let (mut n1, mut n2) = bench.connected().await;
    bench.relay.cut(&cut(1, 2), Cut::Blackhole);
    let lost: Vec<u8> = (0..=255).cycle().take(200_000).collect();
    n1.write_all(&lost).await.unwrap();
    bench.until_held(1, 2, 200_000).await;
    assert_silent(&mut n2).await;
    pass(&mut n2, &mut n1).await;
    assert_eq!(bench.relay.counters(n(2), n(1)).held, 0);

    bench.relay.heal();
    n1.write_all(b"behind it").await.unwrap();
    assert_eq!(read(&mut n2, lost.len()).await, lost);
    assert_eq!(read(&mut n2, 9).await, b"behind it");
    assert_silent(&mut n2).await;
    assert_eq!(bench.relay.counters(n(1), n(2)), LinkCounters { passed: 200_010, held: 200_000, resets: 0 });
}

#[tokio::test]
async fn the_cut_of_a_link_also_holds_what_comes_back_on_connections_of_the_other_side() {
    let bench = Bench::new().await;
    let (mut n1, mut n2) = bench.connected().await;
    bench.relay.cut(&cut(2, 1), Cut::Blackhole);
    n2.write_all(b"answer").await.unwrap();
    bench.until_held(2, 1, 6).await;
    assert_silent(&mut n1).await;
    pass(&mut n1, &mut n2).await;
    bench.relay.heal();
    assert_eq!(read(&mut n1, 6).await, b"answer");
}

#[tokio::test]
async fn a_blackhole_accepts_a_new_connection_and_carries_nothing_not_even_its_opening() {
    let bench = Bench::new().await;
    for direction in [cut(1, 2), cut(2, 1)] {
        bench.relay.cut(&direction, Cut::Blackhole);
        let mut n1 = bench.dial().await;
        n1.write_all(b"hello").await.unwrap();
        assert!(tokio::time::timeout(SILENCE, bench.n2.accept()).await.is_err(), "n2 was dialled");
        bench.relay.heal();
        let mut n2 = bench.accept().await;
        assert_eq!(read(&mut n2, 5).await, b"hello");
        pass(&mut n2, &mut n1).await;
    }
}

#[tokio::test]
async fn a_connection_given_up_during_a_blackhole_never_reaches_the_other_side() {
    let bench = Bench::new().await;
    bench.relay.cut(&cut(1, 2), Cut::Blackhole);
    let mut given_up = bench.dial().await;
    given_up.write_all(b"old").await.unwrap();
    bench.until_held(1, 2, 3).await;
    given_up.shutdown().await.unwrap();
    // The relay lets go of it, so it has seen the end.
    assert_eq!(soon("the relay lets go", given_up.read(&mut [0])).await.unwrap_or(0), 0);
    let mut n1 = bench.dial().await;
    n1.write_all(b"new").await.unwrap();
    bench.until_held(1, 2, 6).await;
    bench.relay.heal();
    let mut n2 = bench.accept().await;
    assert_eq!(read(&mut n2, 3).await, b"new");
    assert!(tokio::time::timeout(SILENCE, bench.n2.accept()).await.is_err(), "the old one came through");
}

#[tokio::test]
async fn a_close_is_held_by_a_cut_and_comes_behind_the_bytes() {
    let bench = Bench::new().await;
    let (mut n1, mut n2) = bench.connected().await;
    bench.relay.cut(&cut(1, 2), Cut::Blackhole);
    n1.write_all(b"last words").await.unwrap();
    n1.shutdown().await.unwrap();
    bench.until_held(1, 2, 10).await;
    assert_silent(&mut n2).await;
    bench.relay.heal();
    let mut rest = Vec::new();
    soon("n1's end arrives", n2.read_to_end(&mut rest)).await.unwrap();
    assert_eq!(rest, b"last words");
    // A half-close leaves the other half open.
    pass(&mut n2, &mut n1).await;
    drop(n2);
    assert_eq!(soon("n2's end arrives", n1.read(&mut [0])).await.unwrap(), 0);
}

#[tokio::test]
async fn a_close_without_bytes_before_it_is_held_too() {
    let bench = Bench::new().await;
    let (n1, mut n2) = bench.connected().await;
    bench.relay.cut(&cut(1, 2), Cut::Blackhole);
    drop(n1);
    assert_silent(&mut n2).await;
    bench.relay.heal();
    assert_eq!(soon("n1's end arrives", n2.read(&mut [0])).await.unwrap(), 0);
}

#[tokio::test]
async fn a_reset_of_the_source_is_held_by_a_cut_too() {
    let bench = Bench::new().await;
    let (n1, mut n2) = bench.connected().await;
    bench.relay.cut(&cut(1, 2), Cut::Blackhole);
    n1.set_zero_linger().unwrap();
    drop(n1);
    assert_silent(&mut n2).await;
    bench.relay.heal();
    assert_reset(&mut n2).await;
}

#[tokio::test]
async fn reset_ends_existing_and_new_connections_and_counts_them() {
    let bench = Bench::new().await;
    let (mut n1, mut n2) = bench.connected().await;
    bench.relay.cut(&cut(2, 1), Cut::Reset);
    assert_reset(&mut n1).await;
    assert_reset(&mut n2).await;
    let mut late = bench.dial().await;
    assert_reset(&mut late).await;
    assert_eq!(bench.relay.counters(n(2), n(1)).resets, 2);
    assert_eq!(bench.relay.counters(n(1), n(2)).resets, 0);
    bench.relay.heal();
    let (_n1, mut n2) = bench.connected().await;
    bench.relay.cut(&Grudge([cut(1, 2).0, cut(2, 1).0].into_iter().flatten().collect()), Cut::Reset);
    assert_reset(&mut n2).await;
    // Where both directions reset, both count the connection.
    assert_eq!(bench.relay.counters(n(2), n(1)).resets, 3);
    assert_eq!(bench.relay.counters(n(1), n(2)).resets, 1);
}

#[tokio::test]
async fn a_server_that_is_gone_resets_the_opener() {
    let bench = Bench::new().await;
    let port = bench.relay.peer_ports(n(1), n(2)).election;
    let mut n1 = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
    assert_reset(&mut n1).await;
}

#[tokio::test]
async fn a_delay_keeps_the_order_and_holds_the_close_as_long() {
    let bench = Bench::new().await;
    let (mut n1, mut n2) = bench.connected().await;
    bench.relay.cut(&cut(1, 2), Cut::Delay(80));
    let sent = Instant::now();
    for byte in 0..50_u8 {
        n1.write_all(&[byte]).await.unwrap();
    }
    n1.shutdown().await.unwrap();
    assert_eq!(read(&mut n2, 50).await, (0..50).collect::<Vec<u8>>());
    assert!(sent.elapsed() >= Duration::from_millis(80), "{:?}", sent.elapsed());
    assert_eq!(soon("the end arrives", n2.read(&mut [0])).await.unwrap(), 0);
    assert_eq!(bench.relay.counters(n(1), n(2)).held, 50);
}

#[tokio::test]
async fn a_throttle_passes_about_its_rate() {
    let bench = Bench::new().await;
    let (mut n1, mut n2) = bench.connected().await;
    bench.relay.cut(&cut(1, 2), Cut::Throttle(200_000));
    let sent = Instant::now();
    let (written, arrived) = tokio::join!(n1.write_all(&[7; 100_000]), read(&mut n2, 100_000));
    written.unwrap();
    assert_eq!(arrived, [7; 100_000]);
    // Half a second by the rate; only the order of magnitude is asserted.
    assert!(sent.elapsed() > Duration::from_millis(200), "{:?}", sent.elapsed());
    assert!(sent.elapsed() < Duration::from_secs(5), "{:?}", sent.elapsed());
}

#[tokio::test]
async fn a_source_that_sends_more_than_is_held_is_blocked_and_loses_nothing() {
    const BYTES: usize = 24 * 1024 * 1024;
    let bench = Bench::new().await;
    let (mut n1, mut n2) = bench.connected().await;
    bench.relay.cut(&cut(1, 2), Cut::Blackhole);
    let writer = tokio::spawn(async move { n1.write_all(&vec![9; BYTES]).await });
    bench.until_held(1, 2, 1024 * 1024).await;
    tokio::time::sleep(SILENCE).await;
    assert!(bench.relay.counters(n(1), n(2)).held < 2 * 1024 * 1024);
    assert!(!writer.is_finished(), "the source is not blocked");
    bench.relay.heal();
    let mut count = 0;
    let mut buffer = vec![0; 1024 * 1024];
    loop {
        match soon("the bytes arrive", n2.read(&mut buffer)).await.unwrap() {
            0 => break,
            read => count += read,
        }
    }
    assert_eq!(count, BYTES);
    writer.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_cut_in_the_middle_of_large_traffic_stops_it_at_once() {
    let bench = Bench::new().await;
    let (mut n1, mut n2) = bench.connected().await;
    let writer = tokio::spawn(async move {
        let chunk = vec![1; 256 * 1024];
        while n1.write_all(&chunk).await.is_ok() {}
    });
    let mut buffer = vec![0; 256 * 1024];
    let mut seen = 0;
    while seen < 8 * 1024 * 1024 {
        seen += soon("traffic flows", n2.read(&mut buffer)).await.unwrap();
    }
    bench.relay.cut(&cut(1, 2), Cut::Blackhole);
    // What the kernel already had for n2 still arrives; then nothing does.
    let passed = bench.relay.counters(n(1), n(2)).passed;
    while let Ok(read) = tokio::time::timeout(SILENCE, n2.read(&mut buffer)).await {
        assert!(read.unwrap() > 0, "a close came through the cut");
    }
    assert!(bench.relay.counters(n(1), n(2)).passed - passed <= 64 * 1024);
    writer.abort();
}

#[tokio::test]
async fn clients_can_be_cut_off_too_and_closing_gives_the_ports_back() {
    let bench = Bench::new().await;
    let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let ports = RealPorts { client: server.local_addr().unwrap().port(), quorum: 1, election: 1 };
    let relay = Relay::open(&BTreeMap::from([(n(1), ports)])).unwrap();
    drop(bench);
    let mut client = TcpStream::connect(relay.client_address(n(1))).await.unwrap();
    let (mut node, _) = server.accept().await.unwrap();
    pass(&mut client, &mut node).await;
    relay.cut_client(n(1), Cut::Blackhole);
    client.write_all(b"?").await.unwrap();
    assert_silent(&mut node).await;
    relay.heal();
    assert_eq!(read(&mut node, 1).await, b"?");
    relay.close().await;
    assert_eq!(soon("the connection ends", node.read(&mut [0])).await.unwrap_or(0), 0);
    let refused = TcpStream::connect(relay.client_address(n(1))).await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
}
