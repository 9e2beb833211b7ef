//! The election port: one connection per pair of servers, on which only the newest vote matters
//! (ZooKeeper's `QuorumCnxManager`).
//!
//! The larger server opens the connection of a pair; a smaller one that needs it calls, says who it is
//! and hangs up, and the larger one calls back. A vote waits in a slot of one: a newer vote replaces it,
//! nothing queues behind a dead link. A new connection always replaces the old one, and starts with the
//! last vote if there is no newer one, so that a vote lost with a connection is said again.
//!
//! Other than ZooKeeper's, this manager does not leave a half-open connection for ever: when votes go
//! out and nothing comes back, the connection is opened again (ZOOKEEPER-2164's family).

use crate::config::HostPort;
use crate::input::Input;
use crate::link::Task;
use crate::tracer::Log;
use bytes::{Buf, BytesMut};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use zab_core::Event;
use zab_wire::election::{InitialMessage, MAX_FRAME, Notification};
use zab_wire::jute::{Record, Writer};
use zab_wire::{ServerId, WireError};

/// Between attempts to reach a peer: at first, and at most.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// A connection is suspect when this many votes went out since the peer was last heard of, …
const SILENT_VOTES: u32 = 2;
/// … and this time has passed.
const SILENCE: Duration = Duration::from_secs(1);
/// A vote that was written this shortly before its connection broke may be lost, and is said again.
const MAYBE_LOST: Duration = Duration::from_secs(2);
/// The longest first message, which holds only an address.
const MAX_INITIAL: usize = 4096;
/// How long a caller may take to say who it is.
const WELCOME_WITHIN: Duration = Duration::from_secs(10);
/// Pause after an accept that failed, which only happens when file descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The connections to all other servers' election ports.
#[derive(Debug)]
pub(crate) struct ElectionPort {
    shared: Rc<Shared>,
    _tasks: Vec<Task>,
}

#[derive(Debug)]
struct Shared {
    me: ServerId,
    /// Sent when we call, encoded.
    introduction: Vec<u8>,
    peers: BTreeMap<ServerId, Peer>,
    connect_within: Duration,
    links: Cell<u64>,
    inputs: UnboundedSender<Input>,
    log: Log,
}

#[derive(Debug)]
struct Peer {
    id: ServerId,
    address: HostPort,
    line: RefCell<Line>,
    /// Tells the caller that there may be reason to call.
    call: Notify,
}

/// What there is to say to a peer, and on what.
#[derive(Debug)]
struct Line {
    /// The newest vote, framed, if it has not been written.
    slot: Option<Vec<u8>>,
    /// The vote written last, framed.
    last: Option<Vec<u8>>,
    last_written: Instant,
    link: Option<ElectionLink>,
    /// Whether the (smaller) peer asked to be called back.
    wanted: bool,
    /// The next pause between attempts to call.
    pause: Duration,
    /// No attempt before this.
    not_before: Instant,
}

#[derive(Debug)]
struct ElectionLink {
    /// Tells this link from those before and after it.
    number: u64,
    /// When the peer was last heard of on this link; at first, when it began.
    heard: Instant,
    /// Votes for the peer since then.
    silent_votes: u32,
    /// Tells the writer that the slot was filled.
    filled: Rc<Notify>,
    _reader: Task,
    _writer: Task,
}

impl ElectionPort {
    /// Accepts on `listener`, calls `peers` when there is something to say, reports to `inputs`.
    /// `own` is the address under which the others know this server.
    pub(crate) fn start(
        me: ServerId,
        own: &HostPort,
        listener: TcpListener,
        peers: BTreeMap<ServerId, HostPort>,
        connect_within: Duration,
        inputs: UnboundedSender<Input>,
        log: Log,
    ) -> Self {
        let introduction = InitialMessage { from: me, address: own.to_string() }.to_vec();
        let now = Instant::now();
        let peer = |(id, address)| {
            let line = Line {
                slot: None,
                last: None,
                last_written: now,
                link: None,
                wanted: false,
                pause: PAUSE_MIN,
                not_before: now,
            };
            (id, Peer { id, address, line: RefCell::new(line), call: Notify::new() })
        };
        let peers: BTreeMap<_, _> = peers.into_iter().filter(|(id, _)| *id != me).map(peer).collect();
        let shared =
            Rc::new(Shared { me, introduction, peers, connect_within, links: Cell::new(0), inputs, log });
        let mut tasks = vec![Task::spawn(accept(shared.clone(), listener))];
        tasks.extend(shared.peers.keys().map(|peer| Task::spawn(call(shared.clone(), *peer))));
        Self { shared, _tasks: tasks }
    }

    /// Says `message` to `to` as soon as a connection allows, instead of what waited before.
    pub(crate) fn notify(&self, to: ServerId, message: &Notification) {
        let Some(peer) = self.shared.peers.get(&to) else { return };
        let mut line = peer.line.borrow_mut();
        line.slot = Some(frame(message));
        if let Some(link) = &mut line.link {
            if link.silent_votes < SILENT_VOTES || link.heard.elapsed() < SILENCE {
                link.silent_votes += 1;
                link.filled.notify_one();
                return;
            }
            // Half open, perhaps: the peer may have gone without a word.
            line.link = None;
        }
        peer.call.notify_one();
    }
}

impl Drop for ElectionPort {
    fn drop(&mut self) {
        // The links' tasks hold what holds the links.
        for peer in self.shared.peers.values() {
            peer.line.borrow_mut().link = None;
        }
    }
}

fn frame(message: &Notification) -> Vec<u8> {
    let mut out = Writer::new();
    out.buffer(Some(&message.to_vec()));
    out.into_inner()
}

impl Shared {
    fn peer(&self, id: ServerId) -> &Peer {
        self.peers.get(&id).expect("only peers of the configuration get this far")
    }

    /// Makes `stream` the connection to `peer`; `buffer` holds what was read of it already.
    fn establish(self: &Rc<Self>, id: ServerId, stream: TcpStream, buffer: BytesMut) {
        let number = self.links.replace(self.links.get() + 1);
        let (reading, writing) = stream.into_split();
        let filled = Rc::new(Notify::new());
        let link = ElectionLink {
            number,
            heard: Instant::now(),
            silent_votes: 0,
            filled: filled.clone(),
            _reader: Task::spawn(hear(self.clone(), id, number, reading, buffer)),
            _writer: Task::spawn(speak(self.clone(), id, number, writing, filled)),
        };
        let mut line = self.peer(id).line.borrow_mut();
        if line.slot.is_none() {
            line.slot = line.last.take();
        }
        // An older connection ends here.
        line.link = Some(link);
    }

    /// Notes the end of a connection, unless it has been replaced.
    fn lost(&self, id: ServerId, number: u64) {
        let peer = self.peer(id);
        let mut line = peer.line.borrow_mut();
        if line.link.as_ref().is_none_or(|link| link.number != number) {
            return;
        }
        line.link = None;
        if line.slot.is_none() && line.last_written.elapsed() < MAYBE_LOST {
            line.slot = line.last.take();
        }
        peer.call.notify_one();
    }
}

/// Calls a peer whenever a vote waits and there is no connection, one attempt at a time.
async fn call(shared: Rc<Shared>, id: ServerId) {
    let peer = shared.peer(id);
    loop {
        let not_before = {
            let line = peer.line.borrow();
            let reason = line.slot.is_some() || line.wanted;
            (reason && line.link.is_none()).then_some(line.not_before)
        };
        let Some(not_before) = not_before else {
            peer.call.notified().await;
            continue;
        };
        if Instant::now() < not_before {
            // Woken early when the peer calls: then it can be reached.
            tokio::select! {
                () = sleep_until(not_before) => {}
                () = peer.call.notified() => {}
            }
            continue;
        }
        let connected = timeout(shared.connect_within, dial(&shared, peer)).await;
        {
            let mut line = peer.line.borrow_mut();
            line.not_before = Instant::now() + line.pause;
            line.pause = (line.pause * 2).min(PAUSE_MAX);
            // If this fails and the peer still needs us, it will ask again.
            line.wanted = false;
        }
        match connected {
            // The peer may have called meanwhile; what was opened last is surely alive.
            Ok(Ok(stream)) if shared.me > id => shared.establish(id, stream, BytesMut::new()),
            // The larger one calls back; until it does, this repeats. Failures repeat, too.
            Ok(Ok(_) | Err(_)) | Err(_) => {}
        }
    }
}

/// Connects and says who calls.
async fn dial(shared: &Shared, peer: &Peer) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect((peer.address.host.as_str(), peer.address.port)).await?;
    stream.set_nodelay(true)?;
    stream.write_all(&shared.introduction).await?;
    if shared.me < peer.id {
        stream.shutdown().await?;
    }
    Ok(stream)
}

async fn accept(shared: Rc<Shared>, listener: TcpListener) {
    loop {
        match listener.accept().await.and_then(|(stream, _)| stream.set_nodelay(true).map(|()| stream)) {
            Ok(stream) => {
                let shared = shared.clone();
                drop(tokio::task::spawn_local(async move {
                    if timeout(WELCOME_WITHIN, welcome(&shared, stream)).await.is_err() {
                        shared.log.line("election.silent_caller");
                    }
                }));
            }
            Err(error) => {
                shared.log.line(format_args!("election.accept_failed reason=\"{error}\""));
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Learns who calls, and keeps the connection or calls back.
async fn welcome(shared: &Rc<Shared>, mut stream: TcpStream) {
    let mut buffer = BytesMut::with_capacity(1024);
    let initial = loop {
        let mut input = zab_wire::jute::Reader::new(&buffer);
        match InitialMessage::decode(&mut input) {
            Ok(initial) => {
                let used = buffer.len() - input.rest().len();
                buffer.advance(used);
                break initial;
            }
            Err(WireError::Truncated { .. }) if buffer.len() < MAX_INITIAL => {}
            Err(error) => {
                shared.log.line(format_args!("election.garbage reason=\"{error}\""));
                return;
            }
        }
        match stream.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    };
    let from = initial.from;
    let Some(peer) = shared.peers.get(&from) else {
        shared.log.line(format_args!("election.stranger server={from} address={}", initial.address));
        return;
    };
    if from > shared.me {
        shared.establish(from, stream, buffer);
        return;
    }
    // It has no connection, whatever we think we have: call back at once, with the last vote if there
    // is no newer one.
    drop(stream);
    let mut line = peer.line.borrow_mut();
    line.link = None;
    line.wanted = true;
    line.pause = PAUSE_MIN;
    line.not_before = line.not_before.min(Instant::now());
    if line.slot.is_none() {
        line.slot = line.last.take();
    }
    peer.call.notify_one();
}

/// Writes whatever is in the slot, as long as this is the peer's connection.
async fn speak(
    shared: Rc<Shared>,
    id: ServerId,
    number: u64,
    mut writing: OwnedWriteHalf,
    filled: Rc<Notify>,
) {
    let peer = shared.peer(id);
    loop {
        let vote = peer.line.borrow_mut().slot.take();
        let Some(vote) = vote else {
            filled.notified().await;
            continue;
        };
        {
            // Before writing: a write that never ends counts as perhaps lost, too.
            let mut line = peer.line.borrow_mut();
            line.last = Some(vote.clone());
            line.last_written = Instant::now();
        }
        if writing.write_all(&vote).await.is_err() {
            shared.lost(id, number);
            return;
        }
    }
}

/// Reports votes, as long as this is the peer's connection.
async fn hear(
    shared: Rc<Shared>,
    id: ServerId,
    number: u64,
    mut reading: OwnedReadHalf,
    mut buffer: BytesMut,
) {
    loop {
        match next_vote(&mut buffer) {
            Ok(Some(Ok(message))) => {
                // A loop that is gone does not need the news.
                let _delivered = shared.inputs.send(Input::Event(Event::Notification { from: id, message }));
                continue;
            }
            Ok(Some(Err(error))) => {
                shared.log.line(format_args!("election.bad_vote server={id} reason=\"{error}\""));
                continue;
            }
            Ok(None) => {}
            Err(error) => {
                shared.log.line(format_args!("election.garbage server={id} reason=\"{error}\""));
                break;
            }
        }
        match reading.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {
                let mut line = shared.peer(id).line.borrow_mut();
                line.pause = PAUSE_MIN;
                if let Some(link) = &mut line.link {
                    link.heard = Instant::now();
                    link.silent_votes = 0;
                }
            }
        }
    }
    shared.lost(id, number);
}

/// Takes the next frame from the front of `buffer`. A vote that cannot be read is skipped, as in
/// ZooKeeper; a length that cannot be is the end.
fn next_vote(buffer: &mut BytesMut) -> Result<Option<Result<Notification, WireError>>, WireError> {
    let Some(length) = buffer.first_chunk().map(|bytes| i32::from_be_bytes(*bytes)) else { return Ok(None) };
    let bytes = usize::try_from(length).ok().filter(|bytes| (1..=MAX_FRAME).contains(bytes));
    let bytes = bytes.ok_or(WireError::BadLength(length.into()))?;
    if buffer.len() < 4 + bytes {
        buffer.reserve(4 + bytes - buffer.len());
        return Ok(None);
    }
    buffer.advance(4);
    Ok(Some(Notification::from_slice(&buffer.split_to(bytes))))
}

#[cfg(test)]
#[path = "election_port_tests.rs"]
mod tests;
