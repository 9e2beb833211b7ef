//! The client port: frames in, frames out, and who is connected (ZooKeeper's `NIOServerCnxn`).
//!
//! It cuts the stream into frames and decodes no further than the headers; sessions are the core's
//! business. A connection that begins with a four-letter word ([`crate::four_letter`]) is answered with
//! text instead.

use crate::four_letter::Word;
use crate::input::Input;
use crate::link::{Link, Task};
use crate::tracer::Log;
use bytes::{Buf, Bytes, BytesMut};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{sleep, timeout};
use zab_core::{ClientId, Event};
use zab_wire::client::{ConnectRequest, RequestHeader, XID_NOTIFICATION};
use zab_wire::jute::Record;

/// A client that leaves more than this unread is disconnected.
const QUEUE_LIMIT: usize = 16 << 20;
/// Read at once.
const READ_CAPACITY: usize = 32 << 10;
/// How long a connection may be without a session (`zookeeper.nio.sessionlessCnxnTimeout`).
const SESSIONLESS_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause after an accept that failed, which only happens when file descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Totals since the start, as `srvr` and `mntr` show them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    /// Frames from clients.
    pub(crate) received: u64,
    /// Frames to clients.
    pub(crate) sent: u64,
    /// Requests that were answered.
    pub(crate) answered: u64,
    /// Their latencies together, in ms.
    pub(crate) latency_sum_ms: u64,
    /// The shortest, in ms.
    pub(crate) latency_min_ms: u64,
    /// The longest, in ms.
    pub(crate) latency_max_ms: u64,
}

/// One connection, as `stat` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClientLine {
    /// From where.
    pub(crate) address: SocketAddr,
    /// Requests without an answer.
    pub(crate) queued: usize,
    /// Frames from it.
    pub(crate) received: u64,
    /// Frames to it.
    pub(crate) sent: u64,
}

/// All connections of clients.
#[derive(Debug)]
pub(crate) struct ClientPort {
    shared: Rc<Shared>,
    counters: Cell<Counters>,
    _acceptor: Task,
}

#[derive(Debug)]
struct Shared {
    clients: RefCell<BTreeMap<ClientId, Client>>,
    max_per_address: usize,
    max_frame: usize,
    accepted: Cell<u64>,
    inputs: UnboundedSender<Input>,
    log: Log,
}

#[derive(Debug)]
struct Client {
    link: Link,
    address: SocketAddr,
    /// Lets the reader go on behind the connect request.
    admitted: Rc<Notify>,
    /// Whether the core knows of it.
    announced: bool,
    /// Whether its connect request was answered.
    answered: bool,
    /// Whether we gave it up; its `ClientGone` is on its way to the loop.
    broken: bool,
    /// Requests without an answer: xid, and when they came (mono ms).
    pending: VecDeque<(i32, u64)>,
    received: u64,
    sent: u64,
}

impl ClientPort {
    /// Accepts clients on `listener` and reports to `inputs`.
    pub(crate) fn start(
        listener: TcpListener,
        max_per_address: usize,
        max_frame: usize,
        inputs: UnboundedSender<Input>,
        log: Log,
    ) -> Self {
        let shared = Rc::new(Shared {
            clients: RefCell::default(),
            max_per_address,
            max_frame,
            accepted: Cell::new(0),
            inputs,
            log,
        });
        let acceptor = Task::spawn(accept(shared.clone(), listener));
        Self { shared, counters: Cell::default(), _acceptor: acceptor }
    }

    /// Notes that the core is about to hear of a client; false if it is gone already.
    pub(crate) fn announce(&self, client: ClientId) -> bool {
        let mut clients = self.shared.clients.borrow_mut();
        let Some(client) = clients.get_mut(&client) else { return false };
        client.announced = true;
        client.received += 1;
        self.count(|counters| counters.received += 1);
        true
    }

    /// Notes a request; false if its client is gone.
    pub(crate) fn note_request(&self, client: ClientId, xid: i32, now_ms: u64) -> bool {
        let mut clients = self.shared.clients.borrow_mut();
        let Some(client) = clients.get_mut(&client) else { return false };
        client.pending.push_back((xid, now_ms));
        client.received += 1;
        self.count(|counters| counters.received += 1);
        true
    }

    /// Forgets a broken connection; true if the core knew of it.
    pub(crate) fn remove(&self, client: ClientId) -> bool {
        self.shared.clients.borrow_mut().remove(&client).is_some_and(|client| client.announced)
    }

    /// Sends a frame; to a client that is gone, nothing.
    pub(crate) fn reply(&self, id: ClientId, frame: &[u8], now_ms: u64) {
        let mut clients = self.shared.clients.borrow_mut();
        let Some(client) = clients.get_mut(&id) else { return };
        if client.broken {
            return;
        }
        if client.link.outbox.len() > QUEUE_LIMIT {
            self.shared.log.line(format_args!(
                "client.overflow address={} queued_bytes={}",
                client.address,
                client.link.outbox.len()
            ));
            client.broken = true;
            self.shared.report(Event::ClientGone { client: id });
            return;
        }
        client.link.outbox.push(|out| out.buffer(Some(frame)));
        client.sent += 1;
        self.count(|counters| counters.sent += 1);
        if client.answered {
            self.note_answer(client, frame, now_ms);
        } else {
            client.answered = true;
            client.admitted.notify_one();
        }
    }

    /// Finds the request this frame answers, for its latency.
    fn note_answer(&self, client: &mut Client, frame: &[u8], now_ms: u64) {
        let Some(xid) = frame.first_chunk().map(|bytes| i32::from_be_bytes(*bytes)) else { return };
        if xid == XID_NOTIFICATION {
            return;
        }
        // Almost always the first; pings may overtake.
        let Some(place) = client.pending.iter().position(|(pending, _)| *pending == xid) else { return };
        let Some((_, since_ms)) = client.pending.remove(place) else { return };
        let latency_ms = now_ms.saturating_sub(since_ms);
        self.count(|counters| {
            let first = counters.answered == 0;
            counters.latency_min_ms =
                if first { latency_ms } else { counters.latency_min_ms.min(latency_ms) };
            counters.latency_max_ms = counters.latency_max_ms.max(latency_ms);
            counters.latency_sum_ms += latency_ms;
            counters.answered += 1;
        });
    }

    /// Sends text without a frame and closes: the answer to a four-letter word.
    pub(crate) fn answer_word(&self, client: ClientId, text: &str) {
        if let Some(client) = self.shared.clients.borrow_mut().remove(&client) {
            client.link.outbox.push(|out| out.raw(text.as_bytes()));
            client.link.finish();
        }
    }

    /// Closes a connection when all that was replied is sent.
    pub(crate) fn close(&self, client: ClientId) {
        if let Some(client) = self.shared.clients.borrow_mut().remove(&client) {
            client.link.finish();
        }
    }

    /// The totals.
    pub(crate) fn counters(&self) -> Counters {
        self.counters.get()
    }

    /// Every connection, oldest first.
    pub(crate) fn lines(&self) -> Vec<ClientLine> {
        let clients = self.shared.clients.borrow();
        clients
            .values()
            .map(|client| ClientLine {
                address: client.address,
                queued: client.pending.len(),
                received: client.received,
                sent: client.sent,
            })
            .collect()
    }

    fn count(&self, change: impl FnOnce(&mut Counters)) {
        let mut counters = self.counters.get();
        change(&mut counters);
        self.counters.set(counters);
    }
}

impl Shared {
    fn report(&self, event: Event) {
        // A loop that is gone does not need the news.
        let _delivered = self.inputs.send(Input::Event(event));
    }

    fn has_room_for(&self, address: IpAddr) -> bool {
        self.max_per_address == 0
            || self.clients.borrow().values().filter(|client| client.address.ip() == address).count()
                < self.max_per_address
    }

    fn open(self: &Rc<Self>, stream: TcpStream, address: SocketAddr) {
        let id = ClientId(self.accepted.replace(self.accepted.get() + 1));
        let admitted = Rc::new(Notify::new());
        let reader = Reader { shared: self.clone(), id, buffer: BytesMut::with_capacity(READ_CAPACITY) };
        let gate = admitted.clone();
        let closer = self.clone();
        let link = Link::start(
            stream,
            |reading| reader.run(reading, gate),
            move || closer.report(Event::ClientGone { client: id }),
        );
        let client = Client {
            link,
            address,
            admitted,
            announced: false,
            answered: false,
            broken: false,
            pending: VecDeque::new(),
            received: 0,
            sent: 0,
        };
        self.clients.borrow_mut().insert(id, client);
    }
}

async fn accept(shared: Rc<Shared>, listener: TcpListener) {
    loop {
        let accepted = listener.accept().await.and_then(|(stream, address)| {
            stream.set_nodelay(true)?;
            Ok((stream, address))
        });
        match accepted {
            Ok((stream, address)) if shared.has_room_for(address.ip()) => shared.open(stream, address),
            Ok((_, address)) => shared.log.line(format_args!(
                "client.too_many address={} maxClientCnxns={}",
                address.ip(),
                shared.max_per_address
            )),
            Err(error) => {
                shared.log.line(format_args!("client.accept_failed reason=\"{error}\""));
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// What arrives from one client.
struct Reader {
    shared: Rc<Shared>,
    id: ClientId,
    buffer: BytesMut,
}

impl Reader {
    /// Reports frames until the client is gone or talks nonsense.
    async fn run(mut self, mut reading: OwnedReadHalf, admitted: Rc<Notify>) {
        let first = timeout(SESSIONLESS_TIMEOUT, self.first(&mut reading)).await;
        let Ok(Ok(connected)) = first else { return };
        if !connected {
            // A word was asked; what else comes is of no interest.
            self.buffer.clear();
            while reading.read_buf(&mut self.buffer).await.is_ok_and(|n| n > 0) {
                self.buffer.clear();
            }
            return;
        }
        // No frame is looked at until the session stands.
        admitted.notified().await;
        while let Ok(mut frame) = self.frame(&mut reading).await {
            let Ok(header) = RequestHeader::from_slice(&frame) else { return };
            frame.advance(8);
            self.shared.report(Event::ClientRequest { client: self.id, header, body: frame });
        }
    }

    /// Reads a four-letter word (false) or a connect request (true).
    async fn first(&mut self, reading: &mut OwnedReadHalf) -> io::Result<bool> {
        self.fill(reading, 4).await?;
        if let Some(word) = Word::from_bytes(&self.buffer[..4]) {
            let _delivered = self.shared.inputs.send(Input::Word { client: self.id, word });
            return Ok(false);
        }
        let frame = self.frame(reading).await?;
        let request = ConnectRequest::from_slice(&frame).map_err(io::Error::other)?;
        self.shared.report(Event::ClientConnect { client: self.id, request });
        Ok(true)
    }

    /// Takes the next frame, without its length.
    async fn frame(&mut self, reading: &mut OwnedReadHalf) -> io::Result<Bytes> {
        self.fill(reading, 4).await?;
        let length = self.buffer.first_chunk().map_or(0, |bytes| i32::from_be_bytes(*bytes));
        let length = usize::try_from(length).ok().filter(|length| *length <= self.shared.max_frame);
        let Some(length) = length else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame over jute.maxbuffer"));
        };
        self.fill(reading, 4 + length).await?;
        self.buffer.advance(4);
        Ok(self.buffer.split_to(length).freeze())
    }

    /// Reads until `wanted` bytes are there.
    async fn fill(&mut self, reading: &mut OwnedReadHalf, wanted: usize) -> io::Result<()> {
        while self.buffer.len() < wanted {
            // All that may come at once, in one piece of memory.
            let room = (wanted - self.buffer.len()).max(READ_CAPACITY / 4);
            if self.buffer.capacity() - self.buffer.len() < room {
                self.buffer.reserve(room.max(READ_CAPACITY));
            }
            if reading.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "client_port_tests.rs"]
mod tests;
