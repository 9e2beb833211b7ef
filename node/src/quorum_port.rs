//! The quorum port: leaders are listened to, learners are answered (ZooKeeper's `Leader.LearnerCnxAcceptor`
//! and `Learner.connectToLeader`).
//!
//! It carries messages and knows which connections stand; what they mean is the core's business. We
//! listen all the time, leading or not: the core closes what it has no use for.

use crate::config::HostPort;
use crate::input::Input;
use crate::link::{Link, Task};
use crate::tracer::Log;
use bytes::BytesMut;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{sleep, timeout};
use zab_core::{ConnId, Event};
use zab_wire::ServerId;
use zab_wire::quorum::{QuorumDecoder, QuorumMessage};

/// A peer that leaves more than this unread is disconnected: it would have to catch up anyway.
const QUEUE_LIMIT: usize = 64 << 20;
/// Read at once.
const READ_CAPACITY: usize = 256 << 10;
/// Tries to reach a leader that refuses, and the pause between them (`Learner.connectToLeader`).
const CONNECT_TRIES: u32 = 5;
const CONNECT_PAUSE: Duration = Duration::from_millis(100);
/// Pause after an accept that failed, which only happens when file descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// All connections between this server and others as leader and learner.
#[derive(Debug)]
pub(crate) struct QuorumPort {
    shared: Rc<Shared>,
    _acceptor: Option<Task>,
}

#[derive(Debug)]
struct Shared {
    connections: RefCell<BTreeMap<ConnId, Connection>>,
    leaders: BTreeMap<ServerId, HostPort>,
    /// How long all tries to reach a leader may take together.
    connect_within: Duration,
    queue_limit: usize,
    accepted: Cell<u64>,
    inputs: UnboundedSender<Input>,
    log: Log,
}

#[derive(Debug)]
enum Connection {
    /// Being opened by this task.
    Opening { _task: Task },
    /// Open.
    Open {
        link: Link,
        /// Bytes of SNAPs sent, which may exceed the limit on their own.
        snaps: usize,
    },
    /// Given up by us; its `ConnDown` is on its way to the loop.
    Broken,
}

impl QuorumPort {
    /// Accepts learners on `listener` (none for an ensemble of one) and reports to `inputs`.
    pub(crate) fn start(
        listener: Option<TcpListener>,
        leaders: BTreeMap<ServerId, HostPort>,
        connect_within: Duration,
        inputs: UnboundedSender<Input>,
        log: Log,
    ) -> Self {
        let shared = Rc::new(Shared {
            connections: RefCell::default(),
            leaders,
            connect_within,
            queue_limit: QUEUE_LIMIT,
            accepted: Cell::new(0),
            inputs,
            log,
        });
        let acceptor = listener.map(|listener| Task::spawn(accept(shared.clone(), listener)));
        Self { shared, _acceptor: acceptor }
    }

    /// Whether a message from `conn` still counts.
    pub(crate) fn is_open(&self, conn: ConnId) -> bool {
        self.shared.connections.borrow().contains_key(&conn)
    }

    /// Forgets a broken connection; false if it was closed before.
    pub(crate) fn remove(&self, conn: ConnId) -> bool {
        self.shared.connections.borrow_mut().remove(&conn).is_some()
    }

    /// Opens a connection to `leader`, to be reported as `LeaderUp` or `ConnDown`.
    pub(crate) fn connect(&self, conn: ConnId, leader: ServerId) {
        let shared = self.shared.clone();
        let task = Task::spawn(async move {
            let dialed = timeout(shared.connect_within, dial(&shared, leader)).await;
            match dialed.unwrap_or_else(|_elapsed| Err(io::ErrorKind::TimedOut.into())) {
                Ok(stream) => {
                    shared.open(conn, stream);
                    shared.report(Event::LeaderUp { conn });
                }
                Err(error) => {
                    shared.log.line(format_args!("quorum.connect_failed leader={leader} reason=\"{error}\""));
                    shared.report(Event::ConnDown { conn });
                }
            }
        });
        self.shared.connections.borrow_mut().insert(conn, Connection::Opening { _task: task });
    }

    /// Sends a message behind those sent before; to a connection that is gone, nothing.
    pub(crate) fn send(&self, conn: ConnId, message: &QuorumMessage) {
        let mut connections = self.shared.connections.borrow_mut();
        let Some(connection) = connections.get_mut(&conn) else { return };
        let Connection::Open { link, snaps } = connection else { return };
        if link.outbox.len() > self.shared.queue_limit + *snaps {
            self.shared
                .log
                .line(format_args!("quorum.overflow conn={conn:?} queued_bytes={}", link.outbox.len()));
            *connection = Connection::Broken;
            self.shared.report(Event::ConnDown { conn });
            return;
        }
        if let QuorumMessage::Snap { tree, .. } = message {
            *snaps += tree.len();
        }
        link.outbox.push(|out| message.encode(out));
    }

    /// Closes a connection at once, without a report.
    pub(crate) fn close(&self, conn: ConnId) {
        self.remove(conn);
    }
}

impl Shared {
    fn report(&self, event: Event) {
        // A loop that is gone does not need the news.
        let _delivered = self.inputs.send(Input::Event(event));
    }

    fn open(self: &Rc<Self>, conn: ConnId, stream: TcpStream) {
        let reader = self.clone();
        let closer = self.clone();
        let link = Link::start(
            stream,
            |reading| read(reader, conn, reading),
            move || closer.report(Event::ConnDown { conn }),
        );
        self.connections.borrow_mut().insert(conn, Connection::Open { link, snaps: 0 });
    }
}

async fn accept(shared: Rc<Shared>, listener: TcpListener) {
    loop {
        match listener.accept().await.and_then(|(stream, _)| stream.set_nodelay(true).map(|()| stream)) {
            Ok(stream) => {
                let conn = ConnId::Inbound(shared.accepted.replace(shared.accepted.get() + 1));
                shared.open(conn, stream);
                shared.report(Event::LearnerUp { conn });
            }
            Err(error) => {
                shared.log.line(format_args!("quorum.accept_failed reason=\"{error}\""));
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn dial(shared: &Shared, leader: ServerId) -> io::Result<TcpStream> {
    let Some(address) = shared.leaders.get(&leader) else {
        return Err(io::Error::new(io::ErrorKind::NotFound, "no such server"));
    };
    let mut tried = 1;
    loop {
        // Resolved again each time: a name may move with its server.
        match TcpStream::connect((address.host.as_str(), address.port)).await {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) if tried == CONNECT_TRIES => return Err(error),
            Err(_) => {
                tried += 1;
                sleep(CONNECT_PAUSE).await;
            }
        }
    }
}

async fn read(shared: Rc<Shared>, conn: ConnId, mut reading: OwnedReadHalf) {
    let mut buffer = BytesMut::with_capacity(READ_CAPACITY);
    let mut decoder = QuorumDecoder::default();
    loop {
        match decoder.decode(&mut buffer) {
            Ok(Some(message)) => {
                shared.report(Event::Packet { conn, message });
                continue;
            }
            Ok(None) => {}
            Err(error) => {
                shared.log.line(format_args!("quorum.garbage conn={conn:?} reason=\"{error}\""));
                return;
            }
        }
        if buffer.capacity() - buffer.len() < READ_CAPACITY / 4 {
            buffer.reserve(READ_CAPACITY);
        }
        match reading.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

#[cfg(test)]
#[path = "quorum_port_tests.rs"]
mod tests;
